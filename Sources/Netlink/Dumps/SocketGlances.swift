package import SocketModel

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
