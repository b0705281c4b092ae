package import SocketModel

// Which ports interfaces of the kernel use. A tunnel has its socket while it is up, so a tunnel that is down, or
// that tells no port, uses none.

/// An interface that may have a UDP socket of its own: what one RTM_NEWLINK message tells of it.
package struct TunnelInterface: Sendable, Hashable {
  /// `IFLA_INFO_KIND`.
  package var kind: String
  /// The name of the interface.
  package var name: String
  /// The interface's number, `ifi_index`.
  package var index: InterfaceIndex
  /// The local UDP port; nil where the message does not tell (WireGuard).
  package var port: Port?
  /// The families its sockets are of, as far as the message tells.
  package var families: Set<AddressFamily>
}

/// What of IFLA_INFO_DATA is looked at (`linux/if_link.h`).
private struct TunnelAttributes {
  /// The local port, in network byte order.
  var port: UInt16
  /// Addresses of a tunnel that has a socket of their family alone.
  var ipv4: Set<UInt16> = []
  var ipv6: Set<UInt16> = []
  /// A tunnel that takes its addresses from each packet has a socket of either family.
  var collectsMetadata: UInt16?

  static let ofKinds = [
    // IFLA_VXLAN_PORT; GROUP, LOCAL; GROUP6, LOCAL6; COLLECT_METADATA (`vxlan_sock_add`)
    "vxlan": TunnelAttributes(port: 15, ipv4: [2, 4], ipv6: [16, 17], collectsMetadata: 25),
    // IFLA_GENEVE_PORT; REMOTE; REMOTE6; COLLECT_METADATA (`geneve_open`)
    "geneve": TunnelAttributes(port: 5, ipv4: [2], ipv6: [7], collectsMetadata: 6),
    "bareudp": TunnelAttributes(port: 1),  // IFLA_BAREUDP_PORT
  ]
}

extension TunnelInterface {
  /// Reads the payload of one RTM_NEWLINK message; nil for an interface that is down or of another kind, and for one that
  /// was moved here from the network namespace in which its socket has stayed.
  package init?(parsing bytes: Span<UInt8>, _ payload: Range<Int>) throws(WireError) {
    let link = try LinkMessage(parsing: bytes, payload)
    guard link.isUp, !link.hasLinkElsewhere, let kind = link.kind else { return nil }
    let numbers = TunnelAttributes.ofKinds[kind]
    guard numbers != nil || kind == "wireguard" else { return nil }
    self.init(kind: kind, name: link.name ?? "", index: link.index, port: nil, families: [.ipv4, .ipv6])
    if let numbers, let data = link.data { try readData(bytes, data, numbers) }
  }

  private mutating func readData(
    _ bytes: Span<UInt8>, _ data: Range<Int>, _ numbers: TunnelAttributes
  ) throws(WireError) {
    var own: Set<AddressFamily> = []
    var collectsMetadata = false
    var attributes = AttributeCursor(data)
    while let attribute = try attributes.next(in: bytes) {
      let value = attribute.payload
      if attribute.type == numbers.port {
        port = Port(try bytes.networkUInt16(at: value.lowerBound, in: value, "a tunnel's port"))
      } else if attribute.type == numbers.collectsMetadata {
        // VXLAN always tells, with a byte; for GENEVE the attribute without payload says it.
        collectsMetadata = value.isEmpty
        if !value.isEmpty { collectsMetadata = try bytes.uint8(at: value.lowerBound, in: value, "a flag") != 0 }
      } else if numbers.ipv4.contains(attribute.type) {
        own.insert(.ipv4)
      } else if numbers.ipv6.contains(attribute.type) {
        own.insert(.ipv6)
      }
    }
    if !own.isEmpty, !collectsMetadata { families = own }
  }
}

/// The numbers of generic netlink's controller that are used here (`linux/genetlink.h`).
private enum Controller {
  static let id: UInt16 = 16  // GENL_ID_CTRL
  static let getFamily: UInt8 = 3  // CTRL_CMD_GETFAMILY
  static let familyID: UInt16 = 1  // CTRL_ATTR_FAMILY_ID
  static let familyName: UInt16 = 2  // CTRL_ATTR_FAMILY_NAME
}

/// The numbers of WireGuard that are used here (`linux/wireguard.h`).
private enum WireGuard {
  static let getDevice: UInt8 = 0  // WG_CMD_GET_DEVICE
  static let interface: UInt16 = 1  // WGDEVICE_A_IFINDEX
  static let listenPort: UInt16 = 6  // WGDEVICE_A_LISTEN_PORT
}

/// The numbers of IPVS that are used here (`linux/ip_vs.h`).
private enum VirtualServer {
  static let getDaemon: UInt8 = 11  // IPVS_CMD_GET_DAEMON
  static let daemon: UInt16 = 3  // IPVS_CMD_ATTR_DAEMON
  static let daemonState: UInt16 = 1  // IPVS_DAEMON_ATTR_STATE
  static let daemonInterface: UInt16 = 2  // IPVS_DAEMON_ATTR_MCAST_IFN
  static let daemonPort: UInt16 = 7  // IPVS_DAEMON_ATTR_MCAST_PORT
  static let backup: UInt32 = 2  // IP_VS_STATE_BACKUP
  static let oldPort: UInt16 = 8848  // IP_VS_SYNC_PORT
}

/// The requests to generic netlink that WireGuard's listening port and the one of IPVS's synchronisation take
/// (`linux/genetlink.h`, `linux/wireguard.h`, `linux/ip_vs.h`).
package enum GenericRequest: Sendable, Hashable {
  /// CTRL_CMD_GETFAMILY for every family; unlike a request by name it loads no module.
  case families
  /// WG_CMD_GET_DEVICE of one interface; needs CAP_NET_ADMIN.
  case wireguardDevice(family: MessageType, interface: InterfaceIndex)
  /// IPVS_CMD_GET_DAEMON; needs CAP_NET_ADMIN.
  case ipvsDaemons(family: MessageType)

  /// The type of the request and of the messages that answer it.
  package var type: MessageType {
    switch self {
    case .families: MessageType(rawValue: Controller.id)
    case .wireguardDevice(let family, _), .ipvsDaemons(let family): family
    }
  }

  //  struct genlmsghdr, 4 bytes: u8 cmd, u8 version, u16 reserved

  private static let headerSize = 4

  private static func header(_ command: UInt8) -> [UInt8] { [command, 1, 0, 0] }

  package func encoded(sequence: UInt32) -> [UInt8] {
    switch self {
    case .families: return message(type, sequence: sequence, body: Self.header(Controller.getFamily))
    case .wireguardDevice(_, let interface):
      var body = Self.header(WireGuard.getDevice)
      var index: [UInt8] = []
      index.append(host: interface.rawValue)
      appendAttribute(WireGuard.interface, index, to: &body)
      return message(type, sequence: sequence, body: body)
    case .ipvsDaemons: return message(type, sequence: sequence, body: Self.header(VirtualServer.getDaemon))
    }
  }

  /// The number of the family of this name, from one answer to `families`; nil for another family.
  package static func familyNumber(
    of name: String, parsing bytes: Span<UInt8>, _ payload: Range<Int>
  ) throws(WireError) -> MessageType? {
    let attributes = try AttributeCursor(after: headerSize, in: payload)
    guard let text = try attributes.first(Controller.familyName, in: bytes),
      try bytes.text(in: text, "CTRL_ATTR_FAMILY_NAME") == name,
      let number = try attributes.first(Controller.familyID, in: bytes)
    else { return nil }
    return MessageType(rawValue: try bytes.uint16(at: number.lowerBound, in: number, "CTRL_ATTR_FAMILY_ID"))
  }

  /// The listening port from one answer to `wireguardDevice`; nil where it has none, as in the further messages of a
  /// device with many peers. Nothing else of the answer is looked at: it holds the private key.
  package static func wireguardPort(
    parsing bytes: Span<UInt8>, _ payload: Range<Int>
  ) throws(WireError) -> Port? {
    let attributes = try AttributeCursor(after: headerSize, in: payload)
    guard let value = try attributes.first(WireGuard.listenPort, in: bytes) else { return nil }
    let port = try bytes.uint16(at: value.lowerBound, in: value, "WGDEVICE_A_LISTEN_PORT")
    return port == 0 ? nil : Port(port)
  }

  /// The port on which a backup listens for its master's connections and the interface it joined the group on, from one
  /// answer to `ipvsDaemons`; nil for a master, whose socket only sends.
  package static func ipvsBackup(
    parsing bytes: Span<UInt8>, _ payload: Range<Int>
  ) throws(WireError) -> (port: Port, interface: String)? {
    let attributes = try AttributeCursor(after: headerSize, in: payload)
    guard let daemon = try attributes.first(VirtualServer.daemon, in: bytes) else { return nil }
    let details = AttributeCursor(daemon)
    guard let state = try details.first(VirtualServer.daemonState, in: bytes),
      try bytes.uint32(at: state.lowerBound, in: state, "IPVS_DAEMON_ATTR_STATE") == VirtualServer.backup,
      let name = try details.first(VirtualServer.daemonInterface, in: bytes)
    else { return nil }
    // Kernels before 4.3 do not tell the port, which was fixed then.
    var port = VirtualServer.oldPort
    if let value = try details.first(VirtualServer.daemonPort, in: bytes) {
      port = try bytes.uint16(at: value.lowerBound, in: value, "IPVS_DAEMON_ATTR_MCAST_PORT")
    }
    return (Port(port), try bytes.text(in: name, "IPVS_DAEMON_ATTR_MCAST_IFN"))
  }
}
