import SocketModel

// The conflict check of an explicit TCP bind(2), `inet_csk_get_port` with a port, kernel 6.8 and later. The bucket
// (one port, one layer-3 domain) has been found already; the caches that can skip the check are in BindBucket.

/// Whether an owner of the bucket stands in the way of `sk`, its address included.
///
/// A specific address is compared through the second table, bhash2 (`inet_bhash2_addr_any_conflict`, then the
/// bucket of the very address in `inet_csk_bind_conflict`); a wildcard meets every owner of the bucket.
/// Before 6.1 there was no second table; a specific address met every owner too.
func tcpConflict(_ sk: KernelSocket, _ sk2: KernelSocket, _ search: BucketSearch = .byAddress) -> Bool {
  guard usesHash2OnBind(sk), search != .wholePort else {
    return inetBindConflict(sk, sk2) && inetReceiveAddressesEqual(sk, sk2)
  }
  if search == .byAddressWithoutMappedWildcards, sk2.addressType == .mapped, sk2.receiveAddress4 == .any {
    return false
  }
  guard bind2BucketMatchesAnyAddress(sk2, sk) || sk2.receiveAddress == sk.receiveAddress else { return false }
  return inetBhash2Conflict(sk, sk2)
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
private func bind2BucketMatchesAnyAddress(_ sk2: KernelSocket, _ sk: KernelSocket) -> Bool {
  switch sk2.addressType {
  case .any: true
  case .mapped: sk2.receiveAddress4 == .any && sk.addressType == .mapped
  case .other: false
  }
}
