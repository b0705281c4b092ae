import SocketModel

/// An interface of the private namespace, or the name of one that is not there.
package enum LabDevice: String, Sendable, Hashable, CaseIterable {
  case loopback = "lo"
  /// 10.77.0.1/24, fd77::1/64, fe80::77, and fd77::7e, which stays tentative; its peer is `dev1`.
  case dev0
  /// 10.78.0.1/24, fd78::1/64, fe80::78.
  case dev1
  /// A VRF, 10.79.0.1/24 and fd79::1/64 on the enslaved `dev2`; only where asked for and the kernel has it.
  case vrf0
  /// Enslaved to `vrf0`.
  case dev2
  /// In no namespace: SO_BINDTODEVICE fails with ENODEV.
  case missing = "nodev0"
}

extension IPAddress {
  /// Whether it is one of `dev2`, in `vrf0`.
  var isInVRF: Bool {
    switch self {
    case .v4(let address): address.bits >> 8 == 0x0a4f00
    case .v6(let address): address.high == 0xfd79 << 48 || (address.isLinkLocal && address.low == 0x79)
    }
  }
}
