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
  private func tcpSockets(
    _ ports: ClosedRange<UInt16>?, _ states: SocketStates = .all
  ) throws(NetlinkError) -> [SocketObservation] {
    do throws(NetlinkError) {
      let sockets = try dump(.tcpOfBothFamilies, .tcp, ports, states)
      return sockets.filter { $0.family == .ipv4 } + sockets.filter { $0.family == .ipv6 }
    } catch .refused(_, .invalidArgument) {
      return try byFamily(.tcp, ports, states)
    }
  }

  private func byFamily(
    _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>?, _ states: SocketStates = .all
  ) throws(NetlinkError) -> [SocketObservation] {
    let ipv4 = try dump(.family(transport, .ipv4), transport, ports, states)
    do throws(NetlinkError) {
      return ipv4 + (try dump(.family(transport, .ipv6), transport, ports, states))
    } catch .interfaceMissing(_, .noEntry) {
      // IPv4 was answered, so sock_diag is there and IPv6 is not.
      return ipv4
    }
  }

  /// The same of those alone that listen or have no peer: the sockets that hold a port.
  func holders(_ transport: TransportProtocol) throws(NetlinkError) -> [SocketObservation] {
    switch transport {
    case .udp: try byFamily(.udp, nil, .holding)
    case .tcp: try tcpSockets(nil, .holding)
    }
  }

  private func dump(
    _ table: SocketDumpRequest.Table, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>?,
    _ states: SocketStates
  ) throws(NetlinkError) -> [SocketObservation] {
    let request = SocketDumpRequest(table, ports: ports, states: states.mask)
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
  /// Bound, without listening or a connection.
  case bound
  /// LISTEN alone, whose table is short: a fiftieth of the time of the others.
  case listening

  var mask: UInt32 {
    let boundInactive: UInt32 = 13  // TCP_BOUND_INACTIVE, Linux 6.8
    let bound: UInt32 = 1 << UInt32(SocketState.close.rawValue) | 1 << boundInactive
    let holding: UInt32 = bound | 1 << UInt32(SocketState.listen.rawValue)
    return switch self {
    case .holding: holding
    case .bound: bound
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

/// Reads interfaces, addresses and routes of the calling thread's network namespace over rtnetlink(7).
package struct RouteDump: Sendable {
  private let transport: NetlinkTransport

  package init(transport: NetlinkTransport = .kernel) { self.transport = transport }

  /// A reader that has been given the answers to these requests, and asks for all others.
  package func asking(_ requests: [RouteDumpRequest]) -> RouteDump {
    guard !requests.isEmpty, let together = transport.together else { return self }
    return RouteDump(
      transport: together(
        requests.map { NetlinkRequest(family: .route, bytes: $0.encoded(sequence: 1), isStrict: $0.isStrict) }))
  }

  /// Every interface, in the kernel's order.
  package func interfaces() throws(NetlinkError) -> [NetworkInterface] {
    try dump(.interfaces) { (bytes, payload) throws(WireError) in try NetworkInterface(parsing: bytes, payload) }
  }

  /// The IPv6 addresses of every interface; empty where the kernel has no IPv6.
  package func ipv6Addresses() throws(NetlinkError) -> [InterfaceAddress] {
    try dump(.ipv6Addresses) { (bytes, payload) throws(WireError) in try InterfaceAddress(parsing: bytes, payload) }
  }

  /// The IPv4 routes of one table: 255 is `local`, which decides what may be bound outside every VRF
  /// (`inet_addr_type_table`). Empty for a table that does not exist.
  package func ipv4LocalRoutes(table: UInt32 = 255) throws(NetlinkError) -> [LocalRoute] {
    try ipv4Routes(table: table) ?? []
  }

  /// The same, nil for a table that was never made; kernels before 5.0 answer as if it were empty.
  package func ipv4Routes(table: UInt32) throws(NetlinkError) -> [LocalRoute]? {
    do throws(NetlinkError) {
      return try dump(.ipv4Routes(table: table)) { (bytes, payload) throws(WireError) in
        guard let route = try LocalRoute(parsing: bytes, payload), route.table == table else { return nil }
        return route
      }
    } catch .interfaceMissing(_, .noEntry) {
      return nil
    }
  }

  /// Whether the IPv4 routing rules are those that every namespace starts with; so they are where the kernel has
  /// none (CONFIG_IP_MULTIPLE_TABLES).
  package func ipv4RulesAreDefault() throws(NetlinkError) -> Bool {
    do throws(NetlinkError) {
      let rules = try dump(.ipv4Rules) { (bytes, payload) throws(WireError) -> RoutingRule? in
        try RoutingRule(parsing: bytes, payload)
      }
      return rules == RoutingRule.defaults
    } catch .refused(_, .notSupported), .interfaceMissing(_, .addressFamilyNotSupported) {
      return true
    }
  }

  /// Asks for the route to an address; nil where the kernel's error says nothing about the tables.
  ///
  /// Without routing rules of one's own the kernel looks where it looks for bind(2); its errors then are those of
  /// the route that was found (`fib_props`) or that there is none. EINVAL can have other causes.
  package func ipv4Lookup(_ address: IPv4Address) throws(NetlinkError) -> RouteLookup? {
    do throws(NetlinkError) {
      let found = try dump(.ipv4Lookup(address), isSingle: true) { (bytes, payload) throws(WireError) in
        try RouteLookup(of: address, parsing: bytes, payload)
      }
      return found.first ?? RouteLookup(destination: address, type: nil)
    } catch .refused(_, .networkUnreachable), .refused(_, .hostUnreachable), .interfaceMissing(_, .accessDenied) {
      return RouteLookup(destination: address, type: nil)
    } catch .refused {
      return nil
    }
  }

  private func dump<Value>(
    _ request: RouteDumpRequest, isSingle: Bool = false,
    decode: (Span<UInt8>, Range<Int>) throws(WireError) -> Value?
  ) throws(NetlinkError) -> [Value] {
    let dump = NetlinkDump(
      family: .route, replyType: request.replyType, isStrict: request.isStrict, isSingle: isSingle,
      transport: transport)
    return try dump.values(request: request.encoded, decode: decode)
  }
}

/// Reads which UDP ports the kernel's own tunnels use, in the calling thread's network namespace.
package struct KernelPortDump: Sendable {
  private let transport: NetlinkTransport

  package init(transport: NetlinkTransport = .kernel) { self.transport = transport }

  /// The ports of VXLAN, GENEVE, bareudp and WireGuard interfaces that are up; one dump of the interfaces, and two
  /// more requests where there is a WireGuard interface, whose port only CAP_NET_ADMIN may read.
  package func tunnelPorts() throws(NetlinkError) -> [KernelPort] {
    let links = NetlinkDump(family: .route, replyType: .newLink, transport: transport)
    let tunnels = try links.values(request: RouteDumpRequest.interfaces.encoded) {
      (bytes, payload) throws(WireError) in try TunnelInterface(parsing: bytes, payload)
    }
    var ports: [KernelPort] = []
    for tunnel in tunnels where tunnel.kind != "wireguard" {
      if let port = tunnel.port { ports.append(Self.port(port, tunnel)) }
    }
    let wireguard = tunnels.filter { $0.kind == "wireguard" }
    return ports + (wireguard.isEmpty ? [] : try wireguardPorts(wireguard))
  }

  private static func port(_ port: Port, _ tunnel: TunnelInterface) -> KernelPort {
    KernelPort(
      transport: .udp, port: port, owner: KernelOwner(word: OpenWord(rawValue: tunnel.kind), interface: tunnel.name),
      families: tunnel.families)
  }

  /// The UDP port of IPVS's backup daemon, where there is one; only CAP_NET_ADMIN may ask. With
  /// `net.ipv4.vs.sync_ports` above 1 the further ports are not told.
  package func synchronisationPorts() throws(NetlinkError) -> [KernelPort] {
    guard let family = try genericFamily("IPVS") else { return [] }
    let backups = try values(.ipvsDaemons(family: family), family) { (bytes, payload) throws(WireError) in
      try GenericRequest.ipvsBackup(parsing: bytes, payload)
    }
    return backups.map {
      KernelPort(transport: .udp, port: $0.port, owner: KernelOwner(kind: .ipvs, interface: $0.interface))
    }
  }

  private func genericFamily(_ name: String) throws(NetlinkError) -> MessageType? {
    let type = GenericRequest.families.type
    return try values(.families, type) { (bytes, payload) throws(WireError) in
      try GenericRequest.familyNumber(of: name, parsing: bytes, payload)
    }.first
  }

  /// What may not be read is no evidence; only that nobody answered is an error.
  private func values<Value>(
    _ request: GenericRequest, _ family: MessageType,
    _ decode: (Span<UInt8>, Range<Int>) throws(WireError) -> Value?
  ) throws(NetlinkError) -> [Value] {
    let dump = NetlinkDump(family: .generic, replyType: family, transport: transport)
    do throws(NetlinkError) {
      return try dump.values(request: request.encoded, decode: decode)
    } catch {
      if case .noAnswer = error { throw error }
      return []
    }
  }

  private func wireguardPorts(_ tunnels: [TunnelInterface]) throws(NetlinkError) -> [KernelPort] {
    guard let family = try genericFamily("wireguard") else { return [] }
    var found: [KernelPort] = []
    for tunnel in tunnels {
      let request = GenericRequest.wireguardDevice(family: family, interface: tunnel.index)
      let ports = try values(request, family) { (bytes, payload) throws(WireError) in
        try GenericRequest.wireguardPort(parsing: bytes, payload)
      }
      if let port = ports.first { found.append(Self.port(port, tunnel)) }
    }
    return found
  }
}
