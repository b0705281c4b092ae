/// The number of a network interface, 1 and up (if_nametoindex(3)); 0 never occurs here.
public struct InterfaceIndex: RawRepresentable, Sendable, Hashable {
  /// The kernel's number.
  public let rawValue: UInt32

  /// Takes any value, known or not.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Nil for 0, which the kernel uses for "no interface".
  public init?(kernel number: UInt32) {
    guard number != 0 else { return nil }
    rawValue = number
  }
}

/// A network interface (rtnetlink(7), RTM_NEWLINK).
public struct NetworkInterface: Sendable, Hashable {
  /// The number of the interface.
  public var index: InterfaceIndex
  /// The name, such as `eth0`.
  public var name: String
  /// IFF_UP.
  public var isUp: Bool
  /// The interface this one is enslaved to (`IFLA_MASTER`).
  public var master: InterfaceIndex?
  /// The routing table of a VRF device (`IFLA_VRF_TABLE`); nil for every other kind.
  public var vrfTable: UInt32?

  /// One with these parts, each as its property says.
  public init(
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
public struct InterfaceAddress: Sendable, Hashable {
  /// The address.
  public var address: IPAddress
  /// The interface that has it.
  public var interface: InterfaceIndex
  /// `IFA_FLAGS` (`linux/if_addr.h`).
  public var flags: UInt32

  /// One with these parts, each as its property says.
  public init(address: IPAddress, interface: InterfaceIndex, flags: UInt32) {
    self.address = address
    self.interface = interface
    self.flags = flags
  }

  /// IFA_F_TENTATIVE without IFA_F_OPTIMISTIC: duplicate address detection has not finished (RFC 4862).
  public var isTentative: Bool { flags & 0x40 != 0 && flags & 0x04 == 0 }
}
