package import SocketModel

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
    return ports + (wireguard.isEmpty ? [] : wireguardPorts(wireguard))
  }

  private static func port(_ port: Port, _ tunnel: TunnelInterface) -> KernelPort {
    KernelPort(
      transport: .udp, port: port, owner: KernelOwner(word: OpenWord(rawValue: tunnel.kind), interface: tunnel.name),
      families: tunnel.families)
  }

  /// The UDP port of IPVS's backup daemon, where there is one; only CAP_NET_ADMIN may ask. With
  /// `net.ipv4.vs.sync_ports` above 1 the further ports are not told.
  package func synchronisationPorts() -> [KernelPort] {
    guard let family = genericFamily("IPVS") else { return [] }
    let dump = NetlinkDump(family: .generic, replyType: family, transport: transport)
    let request = GenericRequest.ipvsDaemons(family: family)
    let backups = try? dump.values(request: request.encoded) { (bytes, payload) throws(WireError) in
      try GenericRequest.ipvsBackup(parsing: bytes, payload)
    }
    return (backups ?? []).map {
      KernelPort(transport: .udp, port: $0.port, owner: KernelOwner(kind: .ipvs, interface: $0.interface))
    }
  }

  /// What may not be read is no evidence.
  private func genericFamily(_ name: String) -> MessageType? {
    let control = NetlinkDump(family: .generic, replyType: GenericRequest.families.type, transport: transport)
    let found = try? control.values(request: GenericRequest.families.encoded) { (bytes, payload) throws(WireError) in
      try GenericRequest.familyNumber(of: name, parsing: bytes, payload)
    }
    return found?.first
  }

  private func wireguardPorts(_ tunnels: [TunnelInterface]) -> [KernelPort] {
    guard let family = genericFamily("wireguard") else { return [] }
    let dump = NetlinkDump(family: .generic, replyType: family, transport: transport)
    return tunnels.compactMap { tunnel in
      let request = GenericRequest.wireguardDevice(family: family, interface: tunnel.index)
      let ports = try? dump.values(request: request.encoded) { (bytes, payload) throws(WireError) in
        try GenericRequest.wireguardPort(parsing: bytes, payload)
      }
      return ports?.first.map { Self.port($0, tunnel) }
    }
  }
}
