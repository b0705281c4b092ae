// A stand-in with the engine's signatures, so that the command line compiles before the engine is merged.
public import SocketModel

/// Why there is no answer at all.
public enum PortwhyError: Error, Sendable, Hashable {
  /// sock_diag(7) or another interface that the answer needs is missing; the text says which, and what to check.
  case kernelInterfaceMissing(String)
  /// The reader may not do what the question needs; the text says what is needed.
  case notPermitted(String)
  /// Something that must not happen; the text says what.
  case internalError(String)
}

/// The answers of the library.
public enum Portwhy {
  /// Looks at the host and says what the planned binds would do.
  public static func answer(_ question: Question) throws(PortwhyError) -> Report {
    throw .internalError("the engine is not built in")
  }

  /// Looks at every port in use of these transports.
  public static func overview(_ transports: [TransportProtocol]) throws(PortwhyError) -> Report {
    throw .internalError("the engine is not built in")
  }
}
