/// How the IPv4 routing tables classify an address, `rtm_type` (`inet_addr_type_table()`).
package struct RouteType: RawRepresentable, Sendable, Hashable {
  /// RTN_* (`linux/rtnetlink.h`).
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// RTN_UNICAST.
  package static let unicast = RouteType(rawValue: 1)
  /// RTN_LOCAL: the address is the host's own.
  package static let local = RouteType(rawValue: 2)
  /// RTN_BROADCAST.
  package static let broadcast = RouteType(rawValue: 3)
  /// RTN_MULTICAST.
  package static let multicast = RouteType(rawValue: 5)
}

/// A route of the table `local` (or a VRF's), which decides whether an IPv4 address may be bound.
package struct LocalRoute: Sendable, Hashable {
  /// The address, or the network's first one.
  package var destination: IPv4Address
  /// 0...32.
  package var prefixLength: UInt8
  /// What the kernel does with such an address.
  package var type: RouteType
  /// The routing table, 255 (`local`) unless a VRF's.
  package var table: UInt32

  package init(destination: IPv4Address, prefixLength: UInt8, type: RouteType, table: UInt32 = 255) {
    self.destination = destination
    self.prefixLength = prefixLength
    self.type = type
    self.table = table
  }
}

/// What the kernel answers when it is asked for the route to one IPv4 address (rtnetlink(7), RTM_GETROUTE).
package struct RouteLookup: Sendable, Hashable {
  /// What was looked up.
  package var destination: IPv4Address
  /// The type of the route that was found; nil where neither `local` nor `main` has one.
  package var type: RouteType?

  package init(destination: IPv4Address, type: RouteType?) {
    self.destination = destination
    self.type = type
  }
}
