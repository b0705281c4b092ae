package import SocketModel

/// Reads the sockets of the calling thread's network namespace over sock_diag(7).
package struct SocketDump: Sendable {
  let transport: NetlinkTransport

  /// Asks through this transport: the kernel, or a recording.
  package init(transport: NetlinkTransport = .kernel) { self.transport = transport }

  /// The sockets in every state with a local port in `ports` (nil: all), IPv4 first, each once; inside a family in
  /// the order of the kernel's dump, which for UDP is the order in which bind(2) examines them.
  ///
  /// TCP sockets that are bound and neither listen nor are connected are among them, in the state `.close`, on
  /// Linux 6.8 and later. The kernel filters by port; what it sends is compared once more.
  package func sockets(
    _ transport: TransportProtocol, ports: ClosedRange<UInt16>?
  ) throws(NetlinkError) -> [SocketObservation] {
    switch transport {
    case .udp: try byFamily(.udp, ports)
    case .tcp: try tcpSockets(ports)
    }
  }

  /// Both families in one walk of the kernel's TCP tables; a kernel that no longer knows that request (EINVAL)
  /// is asked for one family after the other.
  private func tcpSockets(_ ports: ClosedRange<UInt16>?) throws(NetlinkError) -> [SocketObservation] {
    do throws(NetlinkError) {
      let sockets = try dump(.tcpOfBothFamilies, .tcp, ports)
      return sockets.filter { $0.family == .ipv4 } + sockets.filter { $0.family == .ipv6 }
    } catch .refused(_, .invalidArgument) {
      return try byFamily(.tcp, ports)
    }
  }

  private func byFamily(
    _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>?
  ) throws(NetlinkError) -> [SocketObservation] {
    let ipv4 = try dump(.family(transport, .ipv4), transport, ports)
    do throws(NetlinkError) {
      return ipv4 + (try dump(.family(transport, .ipv6), transport, ports))
    } catch .interfaceMissing(_, .noEntry) {
      // IPv4 was answered, so sock_diag is there and IPv6 is not.
      return ipv4
    }
  }

  private func dump(
    _ table: SocketDumpRequest.Table, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>?
  ) throws(NetlinkError) -> [SocketObservation] {
    let request = SocketDumpRequest(table, ports: ports)
    let dump = NetlinkDump(family: .sockDiag, replyType: request.type, transport: self.transport)
    let sockets = try dump.values(request: request.encoded) {
      (bytes, payload) throws(WireError) -> SocketObservation? in
      if let ports, !ports.contains(try localPort(of: payload, in: bytes)) { return nil }
      return try SocketObservation(parsing: bytes, payload, transport: transport)
    }
    return eachOnce(sockets)
  }
}

/// The sockets without repetition, told apart by cookie. The kernel resumes a dump by position, and a socket may
/// move to another table meanwhile, so one may come twice: its first place and its last state are kept.
func eachOnce(_ sockets: [SocketObservation]) -> [SocketObservation] {
  guard sockets.count > 1 else { return sockets }
  var places = [UInt64: Int](minimumCapacity: sockets.count)
  var unique: [SocketObservation] = []
  unique.reserveCapacity(sockets.count)
  for socket in sockets {
    if let place = places[socket.cookie] {
      unique[place] = socket
    } else {
      places[socket.cookie] = unique.count
      unique.append(socket)
    }
  }
  return unique
}

/// In which states sockets are asked for.
package enum SocketStates: Sendable, Hashable {
  /// LISTEN, and bound without listening or a connection, which is every unconnected UDP socket.
  case holding
  /// Every other one: connections, whatever is left of them included.
  case connections
  case all
  /// LISTEN alone, whose table is short: a fiftieth of the time of the others.
  case listening

  var mask: UInt32 {
    let boundInactive: UInt32 = 13  // TCP_BOUND_INACTIVE, Linux 6.8
    let holding: UInt32 =
      1 << UInt32(SocketState.close.rawValue) | 1 << UInt32(SocketState.listen.rawValue) | 1 << boundInactive
    return switch self {
    case .holding: holding
    case .connections: SocketDumpRequest.everyState & ~holding
    case .all: SocketDumpRequest.everyState
    case .listening: 1 << UInt32(SocketState.listen.rawValue)
    }
  }
}

extension SocketDump {
  /// The sockets of both families in these states, as little of each as tells that its port is in use; one that
  /// moves while the kernel walks its tables may come twice. A fifth of the cost of `sockets`.
  ///
  /// - Parameter ports: the local ports; nil for all.
  package func glances(
    _ protocolOfSockets: TransportProtocol, _ states: SocketStates, ports: ClosedRange<UInt16>?
  ) throws(NetlinkError) -> [SocketGlance] {
    if protocolOfSockets == .tcp {
      do throws(NetlinkError) { return try glances(.tcpOfBothFamilies, states, ports) } catch .refused(
        _, .invalidArgument)
      {
        // Kernels that no longer know this request are asked for one family after the other.
      }
    }
    let ipv4 = try glances(.family(protocolOfSockets, .ipv4), states, ports)
    do throws(NetlinkError) {
      return ipv4 + (try glances(.family(protocolOfSockets, .ipv6), states, ports))
    } catch .interfaceMissing(_, .noEntry) {
      return ipv4
    }
  }

  private func glances(
    _ table: SocketDumpRequest.Table, _ states: SocketStates, _ ports: ClosedRange<UInt16>?
  ) throws(NetlinkError) -> [SocketGlance] {
    let request = SocketDumpRequest(table, ports: ports, states: states.mask)
    let dump = NetlinkDump(family: .sockDiag, replyType: request.type, transport: transport)
    return try dump.values(request: request.encoded) { (bytes, payload) throws(WireError) -> SocketGlance? in
      if let ports, !ports.contains(try localPort(of: payload, in: bytes)) { return nil }
      return try SocketGlance(parsing: bytes, payload)
    }
  }
}
