import Glibc
import SocketModel

/// What getsockopt(2) and fstat(2) tell of a socket, read from a duplicate of a holder's descriptor.
struct SocketFlags: Sendable, Hashable {
  var reuseaddr: Bool
  /// Nil where the kernel has no such option for this socket.
  var reuseport: Bool?
  /// Nil for a socket that is not AF_INET6.
  var v6only: Bool?
  /// The uid of the inode, which fchown(2) keeps equal to `sk_uid` (kernel function `sockfs_setattr`).
  var uid: UInt32
  /// Of an MPTCP socket, whose options are those of its first subflow alone; nil for any other.
  var firstSubflow: FirstSubflow?

  /// Reads the options of a duplicate; any value but 0 is "set" (`sk_reuse` has more than two).
  init(of duplicate: borrowing Descriptor) throws(SystemError) {
    reuseaddr = try option(SOL_SOCKET, SO_REUSEADDR, of: duplicate) != 0
    reuseport = (try? option(SOL_SOCKET, SO_REUSEPORT, of: duplicate)).map { $0 != 0 }
    let isIPv6 = try option(SOL_SOCKET, SO_DOMAIN, of: duplicate) == AF_INET6
    v6only = isIPv6 ? (try? option(SocketOption.ipv6Level, IPV6_V6ONLY, of: duplicate)).map { $0 != 0 } : nil
    uid = try fileStatus(of: duplicate).uid
    firstSubflow = try FirstSubflow(of: duplicate)
  }
}

/// Says why a descriptor could not be duplicated or asked.
struct RefusalReader: Sendable {
  /// `kernel.yama.ptrace_scope`; 0 where the kernel has no Yama.
  var ptraceScope: Int
  /// The real uid of this thread, which PTRACE_MODE_ATTACH_REALCREDS compares (ptrace(2)).
  var uid: UInt32
  /// The reader is root and has CAP_SYS_PTRACE.
  var mayTraceAll: Bool

  init(ptraceScope: Int, uid: UInt32, mayTraceAll: Bool) {
    self.ptraceScope = ptraceScope
    self.uid = uid
    self.mayTraceAll = mayTraceAll
  }

  /// Of this thread, now.
  init(procRoot: String) {
    let capSysPtrace: UInt32 = 19
    self.init(
      ptraceScope: Self.ptraceScope(procRoot: procRoot), uid: getuid(),
      mayTraceAll: geteuid() == 0 && hasCapability(capSysPtrace))
  }

  /// - Parameter owner: the uid that owns the process's `fd` directory: its effective uid, or root where it is
  ///   not dumpable (proc(5), "/proc/pid"), which is refused without Yama's help.
  func reason(_ error: SystemError, owner: UInt32?) -> UnknownReason {
    switch error {
    case .noSystemCall: .oldKernel
    case _ where error.meansGone: .vanished
    case .notPermitted: isYamas(owner: owner) ? .yama : .hidden
    default: .hidden
    }
  }

  /// Scope 1 and 2 refuse one's own processes without CAP_SYS_PTRACE, scope 3 refuses everybody (Yama.rst).
  private func isYamas(owner: UInt32?) -> Bool {
    mayTraceAll ? ptraceScope >= 3 : ptraceScope > 0 && uid != 0 && owner == uid
  }

  private static func ptraceScope(procRoot: String) -> Int {
    guard let proc = try? Descriptor(directory: procRoot),
      let text = try? contents(of: "sys/kernel/yama/ptrace_scope", in: proc)
    else { return 0 }
    return Int(String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 0
  }
}
