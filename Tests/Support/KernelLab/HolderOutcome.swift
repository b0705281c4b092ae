package import SocketModel

/// A step of building a holder or of a trial.
package enum LabCall: String, Sendable, Hashable, CaseIterable {
  case socket
  /// setsockopt(2) of IPV6_V6ONLY.
  case v6only
  /// setsockopt(2) of SO_BINDTODEVICE.
  case device
  /// fchown(2).
  case owner
  case reuseaddr
  case reuseport
  /// setsockopt(2) of any other option that a kind needs.
  case option
  /// Setting `ip_local_port_range`, which makes the kernel choose the port under test.
  case portRange = "port-range"
  case bind
  case listen
  case connect
  case accept
  case shutdown
  /// A connection went to another holder's listener each time.
  case arrival
  /// The state the kind names did not come about in time.
  case settle
}

/// The first step that failed, and its error.
package struct CallFailure: Error, Sendable, Hashable, CustomStringConvertible {
  /// The call that failed.
  package var call: LabCall
  /// What it failed with.
  package var error: SystemError

  package init(_ call: LabCall, _ error: SystemError) {
    self.call = call
    self.error = error
  }

  package var description: String { "\(call.rawValue): \(error)" }
}

/// What became of one holder of a copy.
package enum HolderOutcome: Sendable, Hashable, CustomStringConvertible {
  case built
  /// Everything of this holder was closed again; the copy went on without it.
  case notBuilt(CallFailure)

  /// Everything of it is there.
  package var isBuilt: Bool { self == .built }

  package var description: String {
    switch self {
    case .built: "built"
    case .notBuilt(let failure): "not built (\(failure))"
    }
  }
}

/// The descriptors of one holder, all open until the copy ends; a closed or never made one is nil.
package struct HolderSockets: Sendable, Hashable {
  /// The bound socket, listener or client that carries the port under test.
  package internal(set) var main: Int32?
  /// The accepted connection of a child kind.
  package internal(set) var connection: Int32?
  /// The other end of the connection.
  package internal(set) var peer: Int32?
  /// The further sockets of a crowd.
  package internal(set) var crowd: [Int32] = []
  /// Listeners and clients on other ports that the kind needs.
  var helpers: [Int32] = []

  var all: [Int32] { [main, connection, peer].compactMap { $0 } + crowd + helpers }
}

/// Turns the error of a system call into a failure of a step.
func step<Result>(
  _ call: LabCall, _ body: () throws(SystemError) -> Result
) throws(CallFailure) -> Result {
  do { return try body() } catch { throw CallFailure(call, error) }
}
