package import BindRules
package import SocketModel

/// What a socket is to somebody who wants its port.
package enum SocketRole: Sendable, Hashable, CaseIterable {
  case listener
  case bound
  case udp
  case selfConnection
  /// A connection that was made from this host: no listener can have accepted it.
  case client
  /// A connection that a listener accepted, or one whose listener has gone; also the FIN_WAIT2 of which a timewait
  /// socket is left.
  case serverConnection
  case timeWait
  /// A handshake that is not finished; never in the way.
  case request

  /// What the socket is to the port, or to an attempt.
  package init(_ socket: SocketObservation, in snapshot: Snapshot) {
    self.init(socket, host: snapshot.host, listeners: snapshot.listeners)
  }

  /// The same, for many sockets of one snapshot.
  init(_ socket: SocketObservation, host: HostFacts, listeners: [SocketObservation]) {
    switch socket.state {
    case _ where socket.transport == .udp: self = .udp
    case .listen: self = .listener
    case .close: self = .bound
    case _ where socket.isRequest: self = .request
    case .timeWait: self = .timeWait
    case .synSent: self = .client
    case _ where socket.remote == socket.local: self = .selfConnection
    default:
      let isAccepted = listeners.contains { $0.mayHaveAccepted(socket) }
      self = !isAccepted && SocketRole.looksOutgoing(socket, host) ? .client : .serverConnection
    }
  }

  /// The port is one that connect(2) picks, or the peer's is that of a service: a guess for the wording, no more.
  private static func looksOutgoing(_ socket: SocketObservation, _ host: HostFacts) -> Bool {
    guard socket.owner != .none, let peer = socket.remote?.port.rawValue else { return false }
    let port = socket.local.port.rawValue
    if host.localPortRange?.contains(port) == true { return true }
    // bindresvport(3) takes 512...1023, and so do the clients of a server that asks for such ports.
    let services: Set<UInt16> = [636, 853, 993, 995, 2049]
    return port >= 512 && port != 2049 && (peer < 512 || services.contains(peer))
  }

  /// What a server that has gone may leave behind.
  static let remains: Set<SocketRole> = [.serverConnection, .timeWait]

  /// The cause where a socket of this role on exactly this address is in the way.
  var cause: Cause {
    switch self {
    case .listener, .request: .listener
    case .bound: .boundNotListening
    case .udp: .udpSocket
    case .selfConnection: .selfConnection
    case .client: .outgoingConnection
    case .serverConnection: .leftoverConnection
    case .timeWait: .timeWait
    }
  }
}

extension Snapshot {
  /// The listening sockets, of those with one address one.
  var listeners: [SocketObservation] {
    var addresses: Set<IPAddress> = []
    return sockets.filter { $0.state == .listen && addresses.insert($0.local.address).inserted }
  }
}

/// How the address of a socket and that of a planned one, known to collide, meet.
package enum AddressOverlap: Sendable, Hashable {
  /// The same address, IPv4-mapped counting as IPv4.
  case same
  /// One of them is the wildcard of the other's family.
  case wildcard
  /// One is IPv4, the other an IPv6 address.
  case dualStack

  package init(_ attempt: BindAttempt, _ socket: SocketObservation) {
    let (mine, theirs) = (attempt.address.plain, socket.local.address.plain)
    if mine.family != theirs.family {
      self = .dualStack
    } else {
      self = mine == theirs ? .same : .wildcard
    }
  }
}

extension IPAddress {
  /// The address with an IPv4-mapped one as IPv4: what the traffic to it is.
  var plain: IPAddress {
    if case .v6(let address) = self, let mapped = address.mapped { return .v4(mapped) }
    return self
  }
}

extension SocketObservation {
  /// Whether several programs hold this one listening socket, which one of them made and the others inherited.
  var isHeldByDifferentPrograms: Bool {
    if state == .listen, case .otherPrograms = inheritance { true } else { false }
  }

  /// Whether a holder of this listening socket has it from another program, which may have gone.
  var isInherited: Bool { state == .listen && inheritance != nil }
}
