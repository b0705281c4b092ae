package import SocketModel

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
  static let multipath: UInt16 = 9  // RTA_MULTIPATH
  static let table: UInt16 = 15  // RTA_TABLE
  static let extensionMask: UInt16 = 29  // IFLA_EXT_MASK
  static let defaultTable: UInt32 = 253  // RT_TABLE_DEFAULT
  static let mainTable: UInt32 = 254  // RT_TABLE_MAIN
  static let localTable: UInt32 = 255  // RT_TABLE_LOCAL
  static let lookUpTable: UInt32 = 0x1000  // RTM_F_LOOKUP_TABLE: the answer has the table of the route, else `main`
  static let skipStatistics: UInt32 = 1 << 3  // RTEXT_FILTER_SKIP_STATS: counters cost more than all the rest
}
