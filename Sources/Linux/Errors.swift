import Glibc
package import SocketModel

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
