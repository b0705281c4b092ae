import SocketModel

// What a BSD checks of the address before it looks at the port, with the addresses of this host.

/// Whether an interface has the address, as unicast or as its broadcast address; nil where that is not known.
///
/// Kernel function `ifa_ifwithaddr`. Of 127.0.0.0/8, which Linux takes as a whole, an interface has what was added by itself:
/// 127.0.0.1, as a rule.
func interfaceHas(_ address: IPv4Address, _ host: HostFacts) -> Bool? {
  if address.bits == .max { return false }
  let isLoopbackNet = address.bits >> 24 == 127
  guard let routes = host.ipv4LocalRoutes else {
    if address == .loopback { return true }
    return isLoopbackNet ? false : nil
  }
  return routes.contains { route in
    guard route.destination == address, route.prefixLength == 32 else { return false }
    switch route.type {
    case .local: return true
    // Linux has a broadcast route for the first address of a network too, up to 5.13; the last one is odd.
    case .broadcast: return !isLoopbackNet && address.bits & 1 == 1
    default: return false
    }
  }
}

/// The same for IPv6 (`in6ifa_ifwithaddr`): a link-local address is compared with its scope, so without one it is nobody's.
///
/// nil also where the address is not yet checked for duplicates or was found to be one (IFA_F_TENTATIVE, IFA_F_DADFAILED):
/// IN6_IFF_NOTREADY says the same, but not of the same moment.
func interfaceHas(_ address: ScopedIPv6Address, _ host: HostFacts) -> Bool? {
  if address.address.mapped != nil { return false }
  if address.address.isLinkLocal && address.scope == nil { return false }
  guard let addresses = host.ipv6Addresses else { return address.address == .loopback ? true : nil }
  let matching = addresses.filter {
    $0.address == .v6(address.address) && (!address.address.isLinkLocal || $0.interface == address.scope)
  }
  if matching.isEmpty { return false }
  return matching.contains { $0.flags & 0x48 == 0 } ? true : nil
}

extension BSDAttempt {
  /// Whether the scope id names an interface; nil where the interfaces were not read.
  func scopeExists(_ host: HostFacts) -> Bool? {
    guard case .v6(let address) = self.address else { return true }
    guard needsScope(address), let scope else { return true }
    return host.interfaces.map { $0.contains { $0.index == scope } }
  }

  /// IPV6_V6ONLY as it is at bind(2).
  func isV6only(_ system: BSDSystem) -> Bool { v6only ?? system.isV6onlyByDefault }

  /// The socket after `tcp_usr_bind`, `tcp6_usr_bind`, `udp_bind` or `udp6_bind`; nil where these refuse the address.
  func binder(_ options: BSDOptions, _ system: BSDSystem) -> BSDBinder? {
    guard !isRefusedByProtocol(system) else { return nil }
    let target: BSDBinder.Address
    switch address {
    case .v4(let address): target = .ipv4(address, isIPv6Socket: false)
    case .v6(let address):
      if !isV6only(system), let mapped = address.mapped {
        target = .ipv4(mapped, isIPv6Socket: true)
      } else {
        target = .ipv6(ScopedIPv6Address(address, scope: scope), isDual: address == .any && !isV6only(system))
      }
    }
    return BSDBinder(transport: transport, address: target, options: options, uid: uid)
  }

  /// EAFNOSUPPORT of `tcp_usr_bind` and `tcp6_usr_bind`.
  private func isRefusedByProtocol(_ system: BSDSystem) -> Bool {
    guard transport == .tcp else { return false }
    switch address {
    case .v4(let address): return address.isMulticast || (system == .macos && address.bits == .max)
    case .v6(let address):
      if address.isMulticast { return true }
      guard system == .macos else { return !isV6only(system) && address.mapped?.isMulticast == true }
      guard let ipv4 = address.mapped ?? address.compatible else { return false }
      return ipv4.isMulticast || ipv4.bits == .max
    }
  }
}

extension IPv6Address {
  /// The IPv4 address inside ::a.b.c.d (RFC 4291, 2.5.5.1), :: and ::1 left out; nil for every other address.
  fileprivate var compatible: IPv4Address? {
    high == 0 && low >> 32 == 0 && low > 1 ? IPv4Address(bits: UInt32(truncatingIfNeeded: low)) : nil
  }
}
