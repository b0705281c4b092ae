import SocketModel

// The caches of the bind bucket (`struct inet_bind_bucket`), with which `inet_csk_get_port` lets a socket pass
// without looking at the owners. What they hold depends on sockets that may have gone and on flags that may have
// changed since, so no snapshot of the sockets alone rules a pass out: whatever stands in the way now can have had
// SO_REUSEPORT and the same user, or SO_REUSEADDR before it listened, while a socket just like the planned one was
// bound, which the bucket remembers as long as one owner is left (BindOrderTests has two histories for each kind of
// owner). The bucket itself, where it was read, decides.

/// How a socket passes get_port in spite of an owner that stands in its way.
enum BucketPass: Hashable {
  /// It does not.
  case blocked
  /// `tb->fastreuse`: bind(2) passes. listen(2) does not take this way and meets the owner.
  case reuseaddr
  /// `sk_reuseport_match`: bind(2) passes, and listen(2) after it, because the bucket then remembers this socket.
  case reuseport
}

/// The ways that are possible as far as the bucket is known.
func bucketPass(_ sk: KernelSocket, _ snapshot: Snapshot, _ traits: KernelTraits) -> Possible<BucketPass> {
  guard let bucket = bucket(of: sk, snapshot) else { return passWithoutBucket(sk, traits) }
  if reuseportMatch(bucket, sk) { return Possible(.reuseport) }
  guard bucket.fastReuse && sk.reuse else { return Possible(.blocked) }
  // The pass leaves the bucket with this socket's user and address, which then match at listen(2).
  return Possible(sk.reuseport ? .reuseport : .reuseaddr)
}

private func passWithoutBucket(_ sk: KernelSocket, _ traits: KernelTraits) -> Possible<BucketPass> {
  var passes: Set<BucketPass> = [.blocked]
  if sk.reuseport { passes.insert(.reuseport) }
  if sk.reuse && traits.hasReuseaddrShortcut { passes.insert(.reuseaddr) }
  return Possible(answers: passes, deciding: passes.count > 1 ? [.bindOrder] : [])
}

/// The bucket in the layer-3 domain of `sk`; nil where it was not read.
func bucket(of sk: KernelSocket, _ snapshot: Snapshot) -> BindBucket? {
  guard case .some(let domain) = tcpBucketDomain(of: sk.boundDevice, snapshot.host) else { return nil }
  return snapshot.buckets.first { $0.layer3Domain == domain }
}

/// Kernel function `sk_reuseport_match`, for a fresh socket, which has no SO_REUSEPORT group yet.
func reuseportMatch(_ bucket: BindBucket, _ sk: KernelSocket) -> Bool {
  guard let kept = bucket.fastReuseport, sk.reuseport, bucket.fastUID == sk.uid else { return false }
  switch (kept, bucket.fastFamily) {
  case (.any, _): return true
  case (.strict, .ipv4):
    return ipv4ReceiveAddressesEqual(
      bucket.fastAddress4, sk.receiveAddress4, secondIPv6only: sk.ipv6only, secondWildcardMatches: false)
  case (.strict, .ipv6):
    let remembered = KernelSocket(
      family: .ipv6, receiveAddress: bucket.fastAddress, ipv6only: bucket.fastIPv6only, reuse: false,
      reuseport: true, uid: bucket.fastUID, boundDevice: nil, state: .other)
    return ipv6ReceiveAddressesEqual(remembered, sk, secondWildcardMatches: false)
  }
}
