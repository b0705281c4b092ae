/// An error number of a system call, errno(3), unknown numbers included; the numbers are Linux's generic ones.
public struct SystemError: Error, RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  /// errno(3).
  public let rawValue: Int32

  /// An error by its errno, positive.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// EPERM.
  package static let notPermitted = SystemError(rawValue: 1)
  /// ENOENT.
  package static let noEntry = SystemError(rawValue: 2)
  /// ESRCH.
  package static let noSuchProcess = SystemError(rawValue: 3)
  /// EINTR.
  package static let interrupted = SystemError(rawValue: 4)
  /// ENXIO.
  package static let noDeviceOrAddress = SystemError(rawValue: 6)
  /// EAGAIN.
  package static let tryAgain = SystemError(rawValue: 11)
  /// ENOMEM.
  package static let outOfMemory = SystemError(rawValue: 12)
  /// EACCES.
  public static let accessDenied = SystemError(rawValue: 13)
  /// ENODEV.
  package static let noDevice = SystemError(rawValue: 19)
  /// EINVAL.
  package static let invalidArgument = SystemError(rawValue: 22)
  /// ENOSYS.
  package static let noSystemCall = SystemError(rawValue: 38)
  /// EOPNOTSUPP.
  package static let notSupported = SystemError(rawValue: 95)
  /// EAFNOSUPPORT.
  package static let addressFamilyNotSupported = SystemError(rawValue: 97)
  /// EADDRINUSE.
  public static let addressInUse = SystemError(rawValue: 98)
  /// EADDRNOTAVAIL.
  package static let addressNotAvailable = SystemError(rawValue: 99)
  /// ENETUNREACH.
  package static let networkUnreachable = SystemError(rawValue: 101)
  /// ENOBUFS.
  package static let noBufferSpace = SystemError(rawValue: 105)
  /// EHOSTUNREACH.
  package static let hostUnreachable = SystemError(rawValue: 113)

  private static let names: [Int32: String] = [
    1: "EPERM", 2: "ENOENT", 3: "ESRCH", 4: "EINTR", 5: "EIO", 6: "ENXIO", 9: "EBADF", 11: "EAGAIN", 12: "ENOMEM",
    13: "EACCES", 14: "EFAULT", 16: "EBUSY", 17: "EEXIST", 19: "ENODEV", 20: "ENOTDIR", 22: "EINVAL", 23: "ENFILE",
    24: "EMFILE", 28: "ENOSPC", 32: "EPIPE", 38: "ENOSYS", 71: "EPROTO", 74: "EBADMSG", 92: "ENOPROTOOPT",
    93: "EPROTONOSUPPORT", 95: "EOPNOTSUPP", 97: "EAFNOSUPPORT", 98: "EADDRINUSE", 99: "EADDRNOTAVAIL",
    101: "ENETUNREACH", 105: "ENOBUFS", 110: "ETIMEDOUT", 111: "ECONNREFUSED", 113: "EHOSTUNREACH",
  ]

  /// The symbolic name, or `errno N` for a number without one here.
  public var description: String { Self.names[rawValue] ?? "errno \(rawValue)" }

  /// The error number with this symbolic name; nil for a name that is not known here.
  package init?(name: String) {
    guard let entry = Self.names.first(where: { $0.value == name }) else { return nil }
    rawValue = entry.key
  }
}
