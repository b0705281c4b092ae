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
