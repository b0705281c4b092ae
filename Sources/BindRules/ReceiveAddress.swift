import SocketModel

/// Whether two sockets would receive at a common address, so that only their options can let them coexist.
///
/// Kernel function `inet_rcv_saddr_equal(sk, sk2, true)`.
func inetReceiveAddressesEqual(_ sk: KernelSocket, _ sk2: KernelSocket) -> Bool {
  switch sk.family {
  case .ipv4:
    ipv4ReceiveAddressesEqual(
      sk.receiveAddress4, sk2.receiveAddress4, secondIPv6only: sk2.ipv6only, secondWildcardMatches: true)
  case .ipv6:
    ipv6ReceiveAddressesEqual(sk, sk2, secondWildcardMatches: true)
  }
}

/// Kernel function `ipv4_rcv_saddr_equal` with `match_sk1_wildcard`.
func ipv4ReceiveAddressesEqual(
  _ first: IPv4Address, _ second: IPv4Address, secondIPv6only: Bool, secondWildcardMatches: Bool
) -> Bool {
  guard !secondIPv6only else { return false }
  return first == second || first == .any || (secondWildcardMatches && second == .any)
}

/// Kernel function `ipv6_rcv_saddr_equal` with `match_sk1_wildcard`.
///
/// An AF_INET `sk2` counts as IPv4-mapped there. Two wildcards meet even where one of them is IPV6_V6ONLY.
func ipv6ReceiveAddressesEqual(_ sk: KernelSocket, _ sk2: KernelSocket, secondWildcardMatches: Bool) -> Bool {
  let (type, type2) = (sk.addressType, sk2.addressType)
  if type == .mapped && type2 == .mapped {
    return ipv4ReceiveAddressesEqual(
      sk.receiveAddress4, sk2.receiveAddress4, secondIPv6only: sk2.ipv6only,
      secondWildcardMatches: secondWildcardMatches)
  }
  if type == .any && type2 == .any { return true }
  if type2 == .any && secondWildcardMatches && !(sk2.ipv6only && type == .mapped) { return true }
  if type == .any && !(sk.ipv6only && type2 == .mapped) { return true }
  return sk2.family == .ipv6 && sk.receiveAddress == sk2.receiveAddress
}
