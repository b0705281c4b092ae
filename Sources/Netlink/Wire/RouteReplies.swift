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
    while let attribute = try attributes.next(in: bytes) {
      let value = attribute.payload
      switch attribute.type {
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
    self.init(destination: destination, prefixLength: prefixLength, type: type, table: table)
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

extension RouteType {
  /// Reads the payload of the one RTM_NEWROUTE message that answers a look-up; nil where the route stands in another
  /// table than `local` and `main`, where bind(2) does not look.
  package init?(parsing bytes: Span<UInt8>, _ payload: Range<Int>) throws(WireError) {
    let attributes = try AttributeCursor(after: 12, in: payload)
    self.init(rawValue: try bytes.uint8(at: payload.lowerBound + 7, in: payload, "rtm_type"))
    var table = UInt32(try bytes.uint8(at: payload.lowerBound + 4, in: payload, "rtm_table"))
    if let value = try attributes.first(RouteAttribute.table, in: bytes) {
      table = try bytes.uint32(at: value.lowerBound, in: value, "RTA_TABLE")
    }
    guard [RouteAttribute.localTable, RouteAttribute.mainTable].contains(table) else { return nil }
  }
}
