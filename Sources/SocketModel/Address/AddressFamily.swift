/// The address family a socket was created with: AF_INET or AF_INET6 (address_families(7)).
public enum AddressFamily: String, Sendable, Hashable, CaseIterable {
  /// AF_INET.
  case ipv4
  /// AF_INET6; such a socket may still carry an IPv4-mapped address (ipv6(7)).
  case ipv6
}
