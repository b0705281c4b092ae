import Explanation
import Netlink

/// Why there is no answer at all.
public enum PortwhyError: Error, Sendable, Hashable, CustomStringConvertible {
  /// sock_diag(7) or another interface that the answer needs is missing; the text says which, and what to check.
  case kernelInterfaceMissing(String)
  /// The reader may not do what the question needs; the text says what is needed.
  case notPermitted(String)
  /// The question names something that is not there; the text says what.
  case invalidQuestion(String)
  /// Something that must not happen; the text says what.
  case internalError(String)

  /// The text, as a line of a log.
  public var description: String {
    switch self {
    case .kernelInterfaceMissing(let text), .notPermitted(let text), .invalidQuestion(let text): text
    case .internalError(let text): ErrorWords.internalError(text)
    }
  }

  init(_ error: NetlinkError) {
    switch error {
    case .interfaceMissing(.sockDiag, let errno):
      self = .kernelInterfaceMissing(ErrorWords.sockDiagMissing(errno))
    case .interfaceMissing: self = .kernelInterfaceMissing("\(error)")
    default: self = .internalError("\(error)")
    }
  }
}
