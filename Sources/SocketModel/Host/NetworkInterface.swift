/// The number of a network interface, 1 and up (if_nametoindex(3)); 0 never occurs here.
package struct InterfaceIndex: RawRepresentable, Sendable, Hashable {
  /// The kernel's number.
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Nil for 0, which the kernel uses for "no interface".
  package init?(kernel number: UInt32) {
    guard number != 0 else { return nil }
    rawValue = number
  }
}

/// A network interface (rtnetlink(7), RTM_NEWLINK).
package struct NetworkInterface: Sendable, Hashable {
  /// The number of the interface.
  package var index: InterfaceIndex
  /// The name, such as `eth0`.
  package var name: String
  /// IFF_UP.
  package var isUp: Bool
  /// The interface this one is enslaved to (`IFLA_MASTER`).
  package var master: InterfaceIndex?
  /// The routing table of a VRF device (`IFLA_VRF_TABLE`); nil for every other kind.
  package var vrfTable: UInt32?

  package init(
    index: InterfaceIndex, name: String, isUp: Bool, master: InterfaceIndex? = nil, vrfTable: UInt32? = nil
  ) {
    self.index = index
    self.name = name
    self.isUp = isUp
    self.master = master
    self.vrfTable = vrfTable
  }
}

/// An IPv6 address of an interface (rtnetlink(7), RTM_NEWADDR).
package struct InterfaceAddress: Sendable, Hashable {
  /// The address.
  package var address: IPAddress
  /// The interface that has it.
  package var interface: InterfaceIndex
  /// `IFA_FLAGS` (`linux/if_addr.h`).
  package var flags: UInt32

  package init(address: IPAddress, interface: InterfaceIndex, flags: UInt32) {
    self.address = address
    self.interface = interface
    self.flags = flags
  }

  /// IFA_F_TENTATIVE without IFA_F_OPTIMISTIC: duplicate address detection has not finished (RFC 4862).
  package var isTentative: Bool { flags & 0x40 != 0 && flags & 0x04 == 0 }
}

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
