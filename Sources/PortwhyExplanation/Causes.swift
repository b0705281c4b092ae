import BindRules
public import SocketModel

extension Cause {
  /// A TCP socket in LISTEN.
  public static let listener = Cause(rawValue: "listener")
  /// A socket that is bound and neither listens nor is connected, or a bound UDP socket.
  public static let boundNotListening = Cause(rawValue: "bound-not-listening")
  /// Sockets in TIME_WAIT.
  public static let timeWait = Cause(rawValue: "time-wait")
  /// A connection of a server that no longer listens.
  public static let leftoverConnection = Cause(rawValue: "leftover-connection")
  /// A client that uses the port as its own end.
  public static let outgoingConnection = Cause(rawValue: "outgoing-connection")
  /// A client connected to itself.
  public static let selfConnection = Cause(rawValue: "self-connection")
  /// A UDP socket.
  public static let udpSocket = Cause(rawValue: "udp-socket")
  /// Both sides set SO_REUSEPORT, but belong to different users.
  public static let reuseportOtherUser = Cause(rawValue: "reuseport-other-user")
  /// A port below `net.ipv4.ip_unprivileged_port_start` without CAP_NET_BIND_SERVICE.
  public static let privilegedPort = Cause(rawValue: "privileged-port")
  /// No interface of the host has the address.
  public static let addressNotLocal = Cause(rawValue: "address-not-local")
  /// Duplicate address detection for the IPv6 address has not finished (RFC 4862).
  public static let addressTentative = Cause(rawValue: "address-tentative")
  /// A TCP socket cannot be bound to an IPv6 multicast address.
  public static let multicastTCP = Cause(rawValue: "multicast-tcp")
  /// A link-local IPv6 address without an interface.
  public static let scopeMissing = Cause(rawValue: "scope-missing")
  /// An IPv4-mapped address on an IPV6_V6ONLY socket.
  public static let mappedOnV6only = Cause(rawValue: "mapped-on-v6only")
  /// The interface of SO_BINDTODEVICE, or of the scope, does not exist.
  public static let deviceMissing = Cause(rawValue: "device-missing")
  /// The host has no IPv6.
  public static let familyMissing = Cause(rawValue: "family-missing")
  /// What decides is not visible to the reader.
  public static let hidden = Cause(rawValue: "hidden")
  /// What decides is the order of earlier binds.
  public static let dependsOnOrder = Cause(rawValue: "depends-on-order")

  /// The one cause of this outcome; nil where everything works.
  static func primary(of outcome: BindOutcome, attempt: BindAttempt, snapshot: Snapshot) -> Cause? {
    switch outcome.verdict {
    case .ok: nil
    case .fails(.addressInUse): inTheWay(outcome.blockers, snapshot)
    case .fails(let error): beforeThePort(error, attempt, snapshot.host)
    case .undetermined: undetermined(outcome, attempt, snapshot)
    }
  }

  private static func inTheWay(_ blockers: [Blocker], _ snapshot: Snapshot) -> Cause {
    // A probe met a socket that is not visible.
    if blockers.isEmpty { return .hidden }
    if !blockers.isEmpty, blockers.allSatisfy({ $0.rule == .tcpReuseportUser || $0.rule == .udpReuseportUser }) {
      return .reuseportOtherUser
    }
    let causes = blockers.map { SocketRole(snapshot.sockets[$0.socket], in: snapshot).cause }
    let order: [Cause] = [
      .listener, .boundNotListening, .udpSocket, .selfConnection, .outgoingConnection, .leftoverConnection, .timeWait,
    ]
    return order.first(where: causes.contains) ?? .listener
  }

  private static func beforeThePort(_ error: SystemError, _ attempt: BindAttempt, _ host: HostFacts) -> Cause {
    switch error {
    case .accessDenied: .privilegedPort
    case .addressNotAvailable: isTentative(attempt, host) ? .addressTentative : .addressNotLocal
    case .noDevice: .deviceMissing
    case .addressFamilyNotSupported: .familyMissing
    default:
      if attempt.address.isMulticast {
        .multicastTCP
      } else if attempt.v6only {
        .mappedOnV6only
      } else {
        .scopeMissing
      }
    }
  }

  private static func isTentative(_ attempt: BindAttempt, _ host: HostFacts) -> Bool {
    host.ipv6Addresses?.contains { $0.address == attempt.address && $0.isTentative } ?? false
  }

  private static func undetermined(_ outcome: BindOutcome, _ attempt: BindAttempt, _ snapshot: Snapshot) -> Cause {
    if !outcome.missing.isEmpty, outcome.missing.allSatisfy({ $0.kind == .bindOrder }) { return .dependsOnOrder }
    let ownerless = outcome.missing.contains { missing in
      missing.socket.map { SocketRole(snapshot.sockets[$0], in: snapshot) == .timeWait } ?? false
    }
    return ownerless ? .timeWait : .hidden
  }
}

/// What a socket is to somebody who wants its port.
public enum SocketRole: Sendable, Hashable {
  case listener
  case bound
  case udp
  case selfConnection
  /// A connection that was made from this host: nothing listens on its port.
  case client
  /// A connection that a listener accepted, or one whose listener has gone.
  case serverConnection
  case timeWait
  /// A handshake that is not finished; never in the way.
  case request

  public init(_ socket: SocketObservation, in snapshot: Snapshot) {
    switch socket.state {
    case _ where socket.transport == .udp: self = .udp
    case .listen: self = .listener
    case .close: self = .bound
    case .synRecv: self = .request
    case .timeWait: self = .timeWait
    case _ where socket.timer?.kind == .timeWait: self = .timeWait
    case .synSent: self = .client
    case _ where socket.remote == socket.local: self = .selfConnection
    default: self = SocketRole.looksOutgoing(socket, snapshot) ? .client : .serverConnection
    }
  }

  /// Nothing listens on the port and the port is one that connect(2) picks: a guess for the wording, no more.
  private static func looksOutgoing(_ socket: SocketObservation, _ snapshot: Snapshot) -> Bool {
    guard let range = snapshot.host.localPortRange else { return false }
    let listens = snapshot.sockets.contains { $0.state == .listen }
    return !listens && range.contains(socket.local.port.rawValue) && socket.owner != .none
  }

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
