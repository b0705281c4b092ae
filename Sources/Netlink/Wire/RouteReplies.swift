package import SocketModel

/// The numbers of the address attributes that are read here (`linux/if_addr.h`).
private enum AddressAttribute {
  static let address: UInt16 = 1  // IFA_ADDRESS
  static let local: UInt16 = 2  // IFA_LOCAL
  static let flags: UInt16 = 8  // IFA_FLAGS
}

//  struct ifaddrmsg
//   0  u8 family, u8 prefixlen, u8 flags, u8 scope
//   4  u32 index
//   8  attributes

extension InterfaceAddress {
  /// Reads the payload of one RTM_NEWADDR message; nil for another family than AF_INET6, with which kernels
  /// without IPv6 answer a request for it (`rtnl_dump_all`).
  package init?(parsing bytes: Span<UInt8>, _ payload: Range<Int>) throws(WireError) {
    var attributes = try AttributeCursor(after: 8, in: payload)
    let start = payload.lowerBound
    guard try bytes.uint8(at: start, in: payload, "ifa_family") == AddressFamily.ipv6.number else { return nil }
    guard let index = InterfaceIndex(kernel: try bytes.uint32(at: start + 4, in: payload, "ifa_index")) else {
      throw WireError(offset: start + 4, expected: "an interface index above 0")
    }
    var flags = UInt32(try bytes.uint8(at: start + 2, in: payload, "ifa_flags"))
    var address: IPAddress?
    var local: IPAddress?
    while let attribute = try attributes.next(in: bytes) {
      let value = attribute.payload
      switch attribute.type {
      case AddressAttribute.address:
        address = try IPAddress(parsing: bytes, at: value.lowerBound, family: .ipv6, in: value)
      case AddressAttribute.local:
        local = try IPAddress(parsing: bytes, at: value.lowerBound, family: .ipv6, in: value)
      case AddressAttribute.flags:
        flags = try bytes.uint32(at: value.lowerBound, in: value, "IFA_FLAGS")
      default:
        break
      }
    }
    // With a peer, IFA_ADDRESS is the peer's address and IFA_LOCAL the interface's own (inet6_fill_ifaddr).
    guard let own = local ?? address else {
      throw WireError(offset: payload.upperBound, expected: "IFA_ADDRESS or IFA_LOCAL")
    }
    self.init(address: own, interface: index, flags: flags)
  }
}

//  struct rtmsg
//   0  u8 family, u8 dst_len, u8 src_len, u8 tos
//   4  u8 table, u8 protocol, u8 scope, u8 type
//   8  u32 flags
//  12  attributes

extension LocalRoute {
  private static let clonedFlag: UInt32 = 0x200  // RTM_F_CLONED
  private static let deadFlag: UInt32 = 1  // RTNH_F_DEAD

  /// Reads the payload of one RTM_NEWROUTE message; nil for another family than AF_INET, for a cached exception
  /// (RTM_F_CLONED), which is no route of the table, and for a route that the look-up of bind(2) passes over.
  ///
  /// That look-up has TOS 0 and skips dead next hops (`fib_table_lookup`); of several, each tells for itself
  /// (RTA_MULTIPATH). A next hop whose link is down is dead in a reply where the interface ignores such routes
  /// (`fib_nexthop_info`), so RTNH_F_LINKDOWN by itself says nothing.
  package init?(parsing bytes: Span<UInt8>, _ payload: Range<Int>) throws(WireError) {
    var attributes = try AttributeCursor(after: 12, in: payload)
    let start = payload.lowerBound
    let flags = try bytes.uint32(at: start + 8, in: payload, "rtm_flags")
    guard try bytes.uint8(at: start, in: payload, "rtm_family") == AddressFamily.ipv4.number,
      flags & (Self.clonedFlag | Self.deadFlag) == 0, try bytes.uint8(at: start + 3, in: payload, "rtm_tos") == 0
    else { return nil }
    let prefixLength = try bytes.uint8(at: start + 1, in: payload, "rtm_dst_len")
    guard prefixLength <= 32 else { throw WireError(offset: start + 1, expected: "a prefix length of 0 to 32") }
    let type = RouteType(rawValue: try bytes.uint8(at: start + 7, in: payload, "rtm_type"))
    var table = UInt32(try bytes.uint8(at: start + 4, in: payload, "rtm_table"))
    var destination = IPv4Address.any
    var interface: InterfaceIndex?
    while let attribute = try attributes.next(in: bytes) {
      let value = attribute.payload
      switch attribute.type {
      case RouteAttribute.interface:
        interface = InterfaceIndex(kernel: try bytes.uint32(at: value.lowerBound, in: value, "RTA_OIF"))
      case RouteAttribute.destination:
        destination = IPv4Address(bits: try bytes.networkUInt32(at: value.lowerBound, in: value, "RTA_DST"))
      case RouteAttribute.table:
        table = try bytes.uint32(at: value.lowerBound, in: value, "RTA_TABLE")
      case RouteAttribute.multipath:
        if try !Self.hasLiveHop(parsing: bytes, value) { return nil }
      default:
        break
      }
    }
    self.init(
      destination: destination, prefixLength: prefixLength, type: type, table: table, interface: interface)
  }

  //  struct rtnexthop, 8 bytes: u16 len, u8 flags, u8 hops, i32 ifindex; len counts them and the attributes that follow

  private static func hasLiveHop(parsing bytes: Span<UInt8>, _ hops: Range<Int>) throws(WireError) -> Bool {
    var rest = hops
    repeat {
      let start = rest.lowerBound
      try bytes.require(8, at: start, in: rest, "a next hop of 8 bytes")
      let length = Int(try bytes.uint16(at: start, in: rest, "rtnh_len"))
      guard length >= 8, length <= rest.count else {
        throw WireError(offset: start, expected: "a next hop's length of 8 to \(rest.count)")
      }
      if try bytes.uint8(at: start + 2, in: rest, "rtnh_flags") & UInt8(Self.deadFlag) == 0 { return true }
      rest = min(aligned(start + length), rest.upperBound)..<rest.upperBound
    } while !rest.isEmpty
    return false
  }
}

extension RouteLookup {
  /// Reads the payload of the one RTM_NEWROUTE message that answers the look-up of an address; nil where the route stands
  /// in another table than `local` and `main`, where bind(2) does not look.
  package init?(
    of destination: IPv4Address, parsing bytes: Span<UInt8>, _ payload: Range<Int>
  ) throws(WireError) {
    let attributes = try AttributeCursor(after: 12, in: payload)
    self.init(
      destination: destination,
      type: RouteType(rawValue: try bytes.uint8(at: payload.lowerBound + 7, in: payload, "rtm_type")))
    if let value = try attributes.first(RouteAttribute.source, in: bytes) {
      source = IPv4Address(bits: try bytes.networkUInt32(at: value.lowerBound, in: value, "RTA_PREFSRC"))
    }
    var table = UInt32(try bytes.uint8(at: payload.lowerBound + 4, in: payload, "rtm_table"))
    if let value = try attributes.first(RouteAttribute.table, in: bytes) {
      table = try bytes.uint32(at: value.lowerBound, in: value, "RTA_TABLE")
    }
    guard [RouteAttribute.localTable, RouteAttribute.mainTable].contains(table) else { return nil }
  }
}

/// What is asked of rtnetlink(7): dumps, and one look-up.
package enum RouteDumpRequest: Sendable, Hashable {
  /// RTM_GETLINK: every interface.
  case interfaces
  /// RTM_GETADDR: the IPv6 addresses of every interface.
  case ipv6Addresses
  /// RTM_GETROUTE: the IPv4 routes of one table. Kernels without strict checking (before 4.20) answer with all.
  case ipv4Routes(table: UInt32)
  /// RTM_GETRULE: the IPv4 routing rules.
  case ipv4Rules
  /// RTM_GETROUTE without NLM_F_DUMP: the route a packet to this address would take; one message answers.
  case ipv4Lookup(IPv4Address)

  /// NETLINK_GET_STRICT_CHK: the kernel applies what is asked for.
  var isStrict: Bool { if case .ipv4Routes = self { true } else { false } }

  /// The type of the messages that answer.
  package var replyType: MessageType {
    switch self {
    case .interfaces: .newLink
    case .ipv6Addresses: .newAddress
    case .ipv4Routes, .ipv4Lookup: .newRoute
    case .ipv4Rules: .newRule
    }
  }

  //  struct ifinfomsg, 16 bytes: u8 family, u8 pad, u16 type, i32 index, u32 flags, u32 change
  //  struct ifaddrmsg,  8 bytes: u8 family, u8 prefixlen, u8 flags, u8 scope, u32 index
  //  struct rtmsg,     12 bytes: u8 family, dst_len, src_len, tos, table, protocol, scope, type, u32 flags
  //  struct fib_rule_hdr, 12 bytes: u8 family, dst_len, src_len, tos, table, 0, 0, action, u32 flags
  //  Strict checking wants every field 0 but the family; the table then is in RTA_TABLE.

  package func encoded(sequence: UInt32) -> [UInt8] {
    var body: [UInt8] = []
    switch self {
    case .interfaces:
      body.append(zeros: 16)
      var mask: [UInt8] = []
      mask.append(host: RouteAttribute.skipStatistics)
      appendAttribute(RouteAttribute.extensionMask, mask, to: &body)
      return message(.getLink, sequence: sequence, body: body)
    case .ipv6Addresses:
      body.append(AddressFamily.ipv6.number)
      body.append(zeros: 7)
      return message(.getAddress, sequence: sequence, body: body)
    case .ipv4Routes(let table):
      body.append(AddressFamily.ipv4.number)
      body.append(zeros: 11)
      var number: [UInt8] = []
      number.append(host: table)
      appendAttribute(RouteAttribute.table, number, to: &body)
      return message(.getRoute, sequence: sequence, body: body)
    case .ipv4Rules:
      body.append(AddressFamily.ipv4.number)
      body.append(zeros: 11)
      return message(.getRule, sequence: sequence, body: body)
    case .ipv4Lookup(let address):
      body += [AddressFamily.ipv4.number, 32]
      body.append(zeros: 6)
      body.append(host: RouteAttribute.lookUpTable)
      let octets = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: address.bits >> $0) }
      appendAttribute(RouteAttribute.destination, octets, to: &body)
      return message(.getRoute, flags: .request, sequence: sequence, body: body)
    }
  }
}

/// The numbers of requests and routes that are used here (`linux/rtnetlink.h`).
enum RouteAttribute {
  static let destination: UInt16 = 1  // RTA_DST
  static let interface: UInt16 = 4  // RTA_OIF
  static let source: UInt16 = 7  // RTA_PREFSRC
  static let multipath: UInt16 = 9  // RTA_MULTIPATH
  static let table: UInt16 = 15  // RTA_TABLE
  static let extensionMask: UInt16 = 29  // IFLA_EXT_MASK
  static let defaultTable: UInt32 = 253  // RT_TABLE_DEFAULT
  static let mainTable: UInt32 = 254  // RT_TABLE_MAIN
  static let localTable: UInt32 = 255  // RT_TABLE_LOCAL
  static let lookUpTable: UInt32 = 0x1000  // RTM_F_LOOKUP_TABLE: the answer has the table of the route, else `main`
  static let skipStatistics: UInt32 = 1 << 3  // RTEXT_FILTER_SKIP_STATS: counters cost more than all the rest
}

/// An IPv4 routing rule, as far as it can be one of those a namespace starts with (`linux/fib_rules.h`).
package struct RoutingRule: Sendable, Hashable {
  /// FRA_PRIORITY.
  package var priority: UInt32
  /// The table that is looked up.
  package var table: UInt32
  /// It looks up `table` for every packet: no selector, no other action.
  package var isUnconditional: Bool

  package init(priority: UInt32, table: UInt32, isUnconditional: Bool) {
    self.priority = priority
    self.table = table
    self.isUnconditional = isUnconditional
  }

  /// What `fib_default_rules_init` makes: local, main, default.
  package static let defaults: [RoutingRule] = [
    RoutingRule(priority: 0, table: RouteAttribute.localTable, isUnconditional: true),
    RoutingRule(priority: 32766, table: RouteAttribute.mainTable, isUnconditional: true),
    RoutingRule(priority: 32767, table: RouteAttribute.defaultTable, isUnconditional: true),
  ]
}

/// The numbers of the rule attributes that are read here (`linux/fib_rules.h`).
private enum RuleAttribute {
  static let priority: UInt16 = 6  // FRA_PRIORITY
  static let suppressPrefixLength: UInt16 = 14  // FRA_SUPPRESS_PREFIXLEN, in every rule; none is ~0
  static let table: UInt16 = 15  // FRA_TABLE
  static let padding: UInt16 = 18  // FRA_PAD
  static let origin: UInt16 = 21  // FRA_PROTOCOL
}

//  struct fib_rule_hdr
//   0  u8 family, u8 dst_len, u8 src_len, u8 tos
//   4  u8 table, u8 0, u8 0, u8 action
//   8  u32 flags
//  12  attributes

extension RoutingRule {
  /// Reads the payload of one RTM_NEWRULE message; an attribute that is not known here counts as a selector.
  package init(parsing bytes: Span<UInt8>, _ payload: Range<Int>) throws(WireError) {
    var attributes = try AttributeCursor(after: 12, in: payload)
    let start = payload.lowerBound
    let lookUp: UInt8 = 1  // FR_ACT_TO_TBL
    let action = try bytes.uint8(at: start + 7, in: payload, "action")
    let flags = try bytes.uint32(at: start + 8, in: payload, "flags")
    var isUnconditional = action == lookUp && flags == 0
    for offset in 1...3 where try bytes.uint8(at: start + offset, in: payload, "a selector") != 0 {
      isUnconditional = false
    }
    var table = UInt32(try bytes.uint8(at: start + 4, in: payload, "table"))
    var priority: UInt32 = 0
    while let attribute = try attributes.next(in: bytes) {
      let value = attribute.payload
      switch attribute.type {
      case RuleAttribute.priority:
        priority = try bytes.uint32(at: value.lowerBound, in: value, "FRA_PRIORITY")
      case RuleAttribute.table:
        table = try bytes.uint32(at: value.lowerBound, in: value, "FRA_TABLE")
      case RuleAttribute.suppressPrefixLength:
        if try bytes.uint32(at: value.lowerBound, in: value, "FRA_SUPPRESS_PREFIXLEN") != .max {
          isUnconditional = false
        }
      case RuleAttribute.padding, RuleAttribute.origin: break
      default: isUnconditional = false
      }
    }
    self.init(priority: priority, table: table, isUnconditional: isUnconditional)
  }
}

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
  private static let runningFlag: UInt32 = 0x40  // IFF_RUNNING

  var index: InterfaceIndex
  /// IFF_UP.
  var isUp: Bool
  /// IFF_RUNNING.
  var isRunning: Bool
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
    let flags = try bytes.uint32(at: start + 8, in: payload, "ifi_flags")
    (isUp, isRunning) = (flags & Self.upFlag != 0, flags & Self.runningFlag != 0)
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
    self.init(
      index: link.index, name: name, isUp: link.isUp, isRunning: link.isRunning, master: link.master,
      vrfTable: vrfTable)
  }
}
