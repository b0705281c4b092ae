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
