import CLinux

/// A set of capabilities(7): bit n is capability n.
package struct Capabilities: OptionSet, Sendable, Hashable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }

  /// CAP_NET_BIND_SERVICE.
  package static let netBindService = Capabilities(rawValue: 1 << 10)
  /// CAP_SYS_PTRACE.
  package static let sysPtrace = Capabilities(rawValue: 1 << 19)
  /// CAP_SYS_ADMIN.
  package static let sysAdmin = Capabilities(rawValue: 1 << 21)
  /// CAP_PERFMON, Linux 5.8.
  package static let perfmon = Capabilities(rawValue: 1 << 38)
  /// CAP_BPF, Linux 5.8.
  package static let bpf = Capabilities(rawValue: 1 << 39)

  /// The effective set of the calling thread, capget(2); nil where a filter forbids to ask.
  package static var ofThisThread: Capabilities? {
    var effective: UInt64 = 0
    return portwhy_effective_capabilities(&effective) == 0 ? Capabilities(rawValue: effective) : nil
  }

  /// Whether CAP_NET_BIND_SERVICE is in the bounding set of the calling thread: what a program of root, or one with file
  /// capabilities, may get at execve(2). prctl(2) PR_CAPBSET_READ; nil where a filter forbids to ask.
  package static var boundsHaveNetBindService: Bool? {
    let answer = portwhy_bounding_capability(10)
    return answer < 0 ? nil : answer == 1
  }
}
