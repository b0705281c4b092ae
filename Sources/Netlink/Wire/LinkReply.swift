package import SocketModel

/// The numbers of the link attributes that are read here (`linux/if_link.h`).
enum LinkAttribute {
  static let name: UInt16 = 3  // IFLA_IFNAME
  static let master: UInt16 = 10  // IFLA_MASTER
  static let info: UInt16 = 18  // IFLA_LINKINFO
  static let linkNamespace: UInt16 = 37  // IFLA_LINK_NETNSID
  static let infoKind: UInt16 = 1  // IFLA_INFO_KIND, inside IFLA_LINKINFO
  static let infoData: UInt16 = 2  // IFLA_INFO_DATA, inside IFLA_LINKINFO
  static let vrfTable: UInt16 = 1  // IFLA_VRF_TABLE, inside IFLA_INFO_DATA of a VRF
}

//  struct ifinfomsg
//   0  u8 family, u8 pad, u16 type
//   4  i32 index
//   8  u32 flags
//  12  u32 change
//  16  attributes

/// What one RTM_NEWLINK message tells of an interface, whoever wants to know.
struct LinkMessage {
  private static let fixedSize = 16
  private static let upFlag: UInt32 = 1  // IFF_UP

  var index: InterfaceIndex
  /// IFF_UP.
  var isUp: Bool
  /// `IFLA_IFNAME`.
  var name: String?
  /// `IFLA_MASTER`.
  var master: InterfaceIndex?
  /// `IFLA_INFO_KIND`: `vrf`, `vxlan`, …; nil for a device without a kind, such as a network card.
  var kind: String?
  /// `IFLA_INFO_DATA`, which each kind fills in its own way.
  var data: Range<Int>?
  /// It was moved here from another network namespace, in which what it stands on has stayed (`IFLA_LINK_NETNSID`).
  var hasLinkElsewhere = false

  /// Reads the payload.
  init(parsing bytes: Span<UInt8>, _ payload: Range<Int>) throws(WireError) {
    var attributes = try AttributeCursor(after: Self.fixedSize, in: payload)
    let start = payload.lowerBound
    guard let index = InterfaceIndex(kernel: try bytes.uint32(at: start + 4, in: payload, "ifi_index")) else {
      throw WireError(offset: start + 4, expected: "an interface index above 0")
    }
    self.index = index
    isUp = try bytes.uint32(at: start + 8, in: payload, "ifi_flags") & Self.upFlag != 0
    while let attribute = try attributes.next(in: bytes) {
      let value = attribute.payload
      switch attribute.type {
      case LinkAttribute.name: name = try bytes.text(in: value, "IFLA_IFNAME")
      case LinkAttribute.master:
        master = InterfaceIndex(kernel: try bytes.uint32(at: value.lowerBound, in: value, "IFLA_MASTER"))
      case LinkAttribute.linkNamespace: hasLinkElsewhere = true
      case LinkAttribute.info:
        var details = AttributeCursor(value)
        while let detail = try details.next(in: bytes) {
          switch detail.type {
          case LinkAttribute.infoKind: kind = try bytes.text(in: detail.payload, "IFLA_INFO_KIND")
          case LinkAttribute.infoData: data = detail.payload
          default: break
          }
        }
      default: break
      }
    }
  }
}

extension NetworkInterface {
  /// Reads the payload of one RTM_NEWLINK message.
  package init(parsing bytes: Span<UInt8>, _ payload: Range<Int>) throws(WireError) {
    let link = try LinkMessage(parsing: bytes, payload)
    guard let name = link.name else { throw WireError(offset: payload.upperBound, expected: "an interface name") }
    var vrfTable: UInt32?
    if link.kind == "vrf", let data = link.data,
      let table = try AttributeCursor(data).first(LinkAttribute.vrfTable, in: bytes)
    {
      vrfTable = try bytes.uint32(at: table.lowerBound, in: table, "IFLA_VRF_TABLE")
    }
    self.init(index: link.index, name: name, isUp: link.isUp, master: link.master, vrfTable: vrfTable)
  }
}
