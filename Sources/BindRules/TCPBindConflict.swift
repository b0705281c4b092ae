import SocketModel

// The conflict check of an explicit TCP bind(2), `inet_csk_get_port` with a port, kernel 6.9 and later. The bucket
// (one port, one layer-3 domain) has been found already; the caches that can skip the check are in BindBucket.

/// Whether an owner of the bucket stands in the way of `sk`, its address included.
///
/// A specific address is compared through the second table, bhash2 (`inet_bhash2_addr_any_conflict`, then the
/// bucket of the same address in `inet_csk_bind_conflict`); a wildcard meets every owner of the bucket.
/// Before 6.1 there was no second table; a specific address met every owner too. What `search` leaves out is named there.
func tcpConflict(_ sk: KernelSocket, _ sk2: KernelSocket, _ search: BucketSearch = .byAddress) -> Bool {
  guard usesHash2OnBind(sk), search != .wholePort else {
    return inetBindConflict(sk, sk2) && inetReceiveAddressesEqual(sk, sk2)
  }
  let isCovered = bind2BucketMatchesAnyAddress(sk2, sk)
  switch search {
  case .byAddressWithoutMappedWildcards where isMappedUnderMapped(sk, sk2): return false
  case .byAddressWithoutMapping where sk.family != sk2.family && sk2.addressType != .any: return false
  case .byAddressWithinFamily where sk.family != sk2.family: return false
  case .byAddressWithoutTimeWait where sk2.state == .timeWait: return false
  case .byAddressWithoutWildcards where isCovered: return false
  case .byAddressMappedUnderV6only where isCovered && sk.family == .ipv6: return inetBindConflict(sk, sk2)
  default: break
  }
  guard isCovered || sk2.receiveAddress == sk.receiveAddress else { return false }
  return inetBhash2Conflict(sk, sk2)
}

/// Whether an AF_INET6 socket stands under 0.0.0.0, be it that of an AF_INET socket.
private func isMappedUnderMapped(_ sk: KernelSocket, _ sk2: KernelSocket) -> Bool {
  sk.family == .ipv6 && sk2.addressType == .mapped && sk2.receiveAddress4 == .any
}

/// The pair rule, addresses aside. Kernel function `inet_bind_conflict` with `relax` and `reuseport_ok`, for a
/// fresh socket, which has no SO_REUSEPORT group yet.
func inetBindConflict(_ sk: KernelSocket, _ sk2: KernelSocket) -> Bool {
  if let device = sk.boundDevice, let device2 = sk2.boundDevice, device != device2 { return false }
  if sk.reuse && sk2.reuse && sk2.state != .listen { return false }
  if sk.reuseport && sk2.reuseport && (sk2.state == .timeWait || sk.uid == sk2.uid) { return false }
  return true
}

/// Kernel function `__inet_bhash2_conflict`.
private func inetBhash2Conflict(_ sk: KernelSocket, _ sk2: KernelSocket) -> Bool {
  if sk2.ipv6only && (sk.family == .ipv4 || sk.addressType == .mapped) { return false }
  return inetBindConflict(sk, sk2)
}

/// Kernel function `inet_use_hash2_on_bind`: the socket is bound to one address, not to a wildcard.
func usesHash2OnBind(_ sk: KernelSocket) -> Bool {
  switch sk.addressType {
  case .any: false
  case .mapped: sk.receiveAddress4 != .any
  case .other: true
  }
}

/// Whether `sk2` hangs on a wildcard bucket that can cover `sk`. Kernel function
/// `inet_bind2_bucket_match_addr_any`: `::` covers everything, 0.0.0.0 and ::ffff:0.0.0.0 only IPv4.
func bind2BucketMatchesAnyAddress(_ sk2: KernelSocket, _ sk: KernelSocket) -> Bool {
  switch sk2.addressType {
  case .any: true
  case .mapped: sk2.receiveAddress4 == .any && sk.addressType == .mapped
  case .other: false
  }
}
