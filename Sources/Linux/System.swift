import CLinux
import Glibc
package import SocketModel

/// The running kernel's version, uname(2); 0.0 where it cannot be read.
package func kernelVersion() -> KernelVersion {
  func text(_ field: UnsafeRawBufferPointer) -> String { String(decoding: field.prefix { $0 != 0 }, as: UTF8.self) }
  var name = utsname()
  let release = uname(&name) == 0 ? withUnsafeBytes(of: name.release, text) : ""
  return KernelVersion(release: release, version: withUnsafeBytes(of: name.version, text))
    ?? KernelVersion(major: 0, minor: 0, release: release)
}

/// An environment variable; nil where it is not set.
package func environmentVariable(_ name: String) -> String? {
  guard let value = getenv(name) else { return nil }
  return String(cString: value)
}

/// geteuid(2).
package func effectiveUser() -> UInt32 { geteuid() }

/// The real uid of this thread, getuid(2).
package func realUser() -> UInt32 { getuid() }

/// getpid(2).
package func ownProcess() -> Int32 { getpid() }

/// Whether programs of BPF_CGROUP_INET4_BIND or BPF_CGROUP_INET6_BIND are in effect for a cgroup2 directory; nil
/// where the kernel does not say, as to all who lack CAP_NET_ADMIN.
package func hasBindPrograms(controlGroup path: String) -> Bool? {
  guard let directory = try? Descriptor(directory: path) else { return nil }
  let (bind4, bind6): (UInt32, UInt32) = (8, 9)
  let counts = [bind4, bind6].map { portwhy_cgroup_programs(directory.number, $0) }
  return counts.allSatisfy { $0 >= 0 } ? counts.contains { $0 > 0 } : nil
}

extension SystemError {
  /// EBADF.
  package static let badDescriptor = SystemError(rawValue: EBADF)
  /// ENOTDIR.
  package static let notADirectory = SystemError(rawValue: ENOTDIR)
  /// EPROTONOSUPPORT.
  package static let protocolNotSupported = SystemError(rawValue: EPROTONOSUPPORT)
  /// E2BIG.
  package static let argumentTooLong = SystemError(rawValue: E2BIG)
  /// EFBIG.
  package static let fileTooLarge = SystemError(rawValue: EFBIG)

  /// The errno that the last system call of this thread left.
  package static var last: SystemError { SystemError(rawValue: errno) }

  /// The error means that the process, its descriptor or its directory is gone.
  package var meansGone: Bool { self == .noEntry || self == .noSuchProcess || self == .badDescriptor }

  /// The error means that there is no file of this name.
  package var meansAbsent: Bool { self == .noEntry || self == .notADirectory }
}
