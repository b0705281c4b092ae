package import SocketModel

/// A bind(2) that somebody plans, as far as a BSD looks at it: everything of the socket but the reuse options.
package struct BSDAttempt: Sendable, Hashable {
  /// TCP or UDP.
  package var transport: TransportProtocol
  /// The address; its family is the socket's. IPv4-mapped addresses are of AF_INET6.
  package var address: IPAddress
  /// `sin6_scope_id`; nil for 0.
  package var scope: InterfaceIndex?
  /// The zone of the address, where the host has no interface of that name.
  package var missingZone: String?
  /// The port to bind.
  package var port: Port
  /// What the program sets IPV6_V6ONLY to; nil where it leaves it alone, so that the system's default counts.
  package var v6only: Bool?
  /// The effective uid at socket(2) and at bind(2).
  package var uid: UInt32

  /// The same bind as on Linux. SO_BINDTODEVICE has no counterpart and is left out.
  ///
  /// - Parameter v6only: What the program sets, nil for nothing: `attempt` has Linux' default for that already.
  package init(_ attempt: BindAttempt, v6only: Bool?) {
    transport = attempt.transport
    address = attempt.address
    scope = attempt.scope
    missingZone = attempt.missingZone
    port = attempt.port
    self.v6only = attempt.family == .ipv6 ? v6only : nil
    uid = attempt.uid
  }
}

/// An IPv6 address with the interface that a BSD embeds in it (`sa6_embedscope`), without which link-local addresses of
/// two links would be one.
struct ScopedIPv6Address: Hashable {
  var address: IPv6Address
  var scope: InterfaceIndex?

  init(_ address: IPv6Address, scope: InterfaceIndex?) {
    self.address = address
    self.scope = needsScope(address) ? scope : nil
  }

  static let any = ScopedIPv6Address(.any, scope: nil)
}

/// The socket that calls bind(2), after `tcp6_usr_bind` or `udp6_bind` has chosen its family.
struct BSDBinder: Hashable {
  enum Address: Hashable {
    /// Goes through `in_pcbbind`. INP_IPV6PROTO stays with an AF_INET6 socket whose address is IPv4-mapped.
    case ipv4(IPv4Address, isIPv6Socket: Bool)
    /// Goes through `in6_pcbbind`. A dual socket has INP_IPV4 as well: `::` without IPV6_V6ONLY.
    case ipv6(ScopedIPv6Address, isDual: Bool)
  }

  var transport: TransportProtocol
  var address: Address
  var options: BSDOptions
  var uid: UInt32

  /// The same for PRIV_NETINET_REUSEPORT, which is asked of the socket's maker, and PRIV_NETINET_RESERVEDPORT, which is
  /// asked of the thread: nothing says that they are two.
  var isRoot: Bool { uid == 0 }

  var isMulticast: Bool {
    switch address {
    case .ipv4(let address, _): address.isMulticast
    case .ipv6(let address, _): address.address.isMulticast
    }
  }

  var isWildcard: Bool {
    switch address {
    case .ipv4(let address, _): address == .any
    case .ipv6(let address, _): address == .any
    }
  }
}

/// A BSD under whose rules the same sockets can be judged. The kernels agree within each case.
package enum BSDSystem: String, Sendable, Hashable, CaseIterable {
  /// FreeBSD 13.
  case freebsd13
  /// FreeBSD 14.0 to 14.2.
  case freebsd14 = "freebsd14.0"
  /// FreeBSD 14.3, 15, and the main branch up to July 2026.
  case freebsd
  /// Darwin (xnu-4903 to xnu-11417): macOS 10.14 to 15.
  case macos

  /// The name for people, with the releases that are meant.
  package var description: String {
    switch self {
    case .freebsd13: "FreeBSD 13"
    case .freebsd14: "FreeBSD 14.0 to 14.2"
    case .freebsd: "FreeBSD"
    case .macos: "macOS"
    }
  }

  /// IPV6_V6ONLY of a new AF_INET6 socket, `net.inet6.ip6.v6only`.
  package var isV6onlyByDefault: Bool { self != .macos }

  /// Every combination of the options that the system has, in the order of the report: those of Linux first.
  package var combinations: [BSDOptions] {
    let common: [BSDOptions] = [[], .reuseaddr, .reuseport, [.reuseaddr, .reuseport]]
    return self == .macos
      ? common : common + [.reuseportLB, [.reuseaddr, .reuseportLB], [.reuseport, .reuseportLB]]
  }

  /// The earlier releases of the same system, whose answers may differ.
  package var earlier: [BSDSystem] {
    switch self {
    case .freebsd: [.freebsd13, .freebsd14]
    case .freebsd14: [.freebsd13]
    case .freebsd13, .macos: []
    }
  }
}

extension BSDSystem {
  /// A wildcard socket with SO_REUSEPORT_LB is no stranger's in the user check: until 14.2.
  var exemptsReuseportLBFromUserCheck: Bool { self == .freebsd13 || self == .freebsd14 }

  /// A connection of another user is no stranger's in the user check, for TCP.
  var exemptsConnectionsFromUserCheck: Bool { self != .macos }

  /// A UDP socket whose peer was taken from it holds its port no more: since 14.0.
  var unlistsDisconnectedSockets: Bool { self == .freebsd || self == .freebsd14 }

  /// What INP_LOOKUP_MAPPED_PCB_COST adds to a socket of both families in a search for IPv4.
  var costOfDualSocket: Int { self == .macos ? 0 : 3 }

  /// The errno for a scope id that names no interface, `sa6_embedscope`.
  var missingScope: SystemError { self == .macos ? .invalidArgument : .noDeviceOrAddress }
}

/// The reuse options of a socket on a BSD (`so_options`).
package struct BSDOptions: OptionSet, Sendable, Hashable {
  /// Bit 0 is SO_REUSEADDR, bit 1 SO_REUSEPORT, bit 2 SO_REUSEPORT_LB.
  package let rawValue: UInt8
  /// Takes any value, known or not.
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// SO_REUSEADDR.
  package static let reuseaddr = BSDOptions(rawValue: 1)
  /// SO_REUSEPORT, which shares an address but not its traffic.
  package static let reuseport = BSDOptions(rawValue: 2)
  /// SO_REUSEPORT_LB, which shares both. FreeBSD 12.0 and later; macOS has none.
  package static let reuseportLB = BSDOptions(rawValue: 4)

  /// The options of the same names, without SO_REUSEPORT_LB.
  package init(_ options: ReuseOptions) { self.init(rawValue: options.rawValue & 3) }

  /// The same options on Linux; nil with SO_REUSEPORT_LB, which it does not have.
  package var onLinux: ReuseOptions? { contains(.reuseportLB) ? nil : ReuseOptions(rawValue: rawValue) }

  /// The names of the manual, SO_REUSEADDR first; empty for none.
  package var socketOptions: [String] {
    (contains(.reuseaddr) ? ["SO_REUSEADDR"] : []) + (contains(.reuseport) ? ["SO_REUSEPORT"] : [])
      + (contains(.reuseportLB) ? ["SO_REUSEPORT_LB"] : [])
  }
}

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
  /// The IPv4 address inside ::a.b.c.d (RFC 4291, 2.5.5.1), of :: and ::1 as well; nil for every other address.
  fileprivate var compatible: IPv4Address? {
    high == 0 && low >> 32 == 0 ? IPv4Address(bits: UInt32(truncatingIfNeeded: low)) : nil
  }
}
