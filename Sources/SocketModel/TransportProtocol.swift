/// The transport whose port space an attempt or a socket lives in. MPTCP and SMC sockets live in TCP's.
public enum TransportProtocol: String, Sendable, Hashable, CaseIterable {
  /// IPPROTO_TCP, tcp(7).
  case tcp
  /// IPPROTO_UDP, udp(7).
  case udp

  /// The other of the two; the port spaces are separate, so sockets there are never in the way.
  public var other: TransportProtocol { self == .tcp ? .udp : .tcp }
}

/// The address family a socket was created with: AF_INET or AF_INET6 (address_families(7)).
public enum AddressFamily: String, Sendable, Hashable, CaseIterable {
  /// AF_INET.
  case ipv4
  /// AF_INET6; such a socket may still carry an IPv4-mapped address (ipv6(7)).
  case ipv6
}
