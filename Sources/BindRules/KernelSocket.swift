import SocketModel

/// A socket as bind(2) sees it: the fields of the kernel's `struct sock` that its rules read, all of them known.
struct KernelSocket: Hashable {
  /// What the rules distinguish of `sk_state`.
  enum State: Hashable {
    case listen
    /// TIME_WAIT, and the FIN_WAIT2 that is a `struct inet_timewait_sock` too.
    case timeWait
    case other
  }

  /// `sk_family`.
  var family: AddressFamily
  /// `sk_v6_rcv_saddr`; for AF_INET the IPv4-mapped form of `sk_rcv_saddr`, as the bind table keeps it.
  var receiveAddress: IPv6Address
  /// `sk_ipv6only`; false for AF_INET.
  var ipv6only: Bool
  /// `sk_reuse`.
  var reuse: Bool
  /// `sk_reuseport`.
  var reuseport: Bool
  /// `sk_uid`.
  var uid: UInt32
  /// `sk_bound_dev_if`; nil for 0.
  var boundDevice: InterfaceIndex?
  var state: State

  /// `sk_rcv_saddr`, which AF_INET6 sockets have too: `LOOPBACK4_IPV6` (127.0.0.6) where the address has no IPv4
  /// equivalent (`__inet6_bind`, `tcp_v6_syn_recv_sock`).
  var receiveAddress4: IPv4Address {
    if let mapped = receiveAddress.mapped { return mapped }
    return receiveAddress == .any ? .any : IPv4Address(127, 0, 0, 6)
  }

  /// The kernel's `ipv6_addr_type` as far as the rules look at it.
  var addressType: AddressType {
    if receiveAddress == .any { return .any }
    return receiveAddress.mapped != nil ? .mapped : .other
  }

  enum AddressType: Hashable {
    case any
    case mapped
    case other
  }
}

extension IPAddress {
  /// The address as the bind table keeps it, IPv4 as IPv4-mapped (`inet_bind2_bucket_init`).
  var asReceiveAddress: IPv6Address {
    switch self {
    case .v4(let address): IPv6Address(mapping: address)
    case .v6(let address): address
    }
  }
}

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

// Sockets of one address that share it by SO_REUSEPORT form a group, into which a UDP socket comes at bind(2)
// (`udp_reuseport_add_sock`) and a TCP socket at listen(2) (`inet_reuseport_add_sock`).

/// How many sockets a group takes: it grows by doubling, while the double fits into 16 bits (`reuseport_grow`).
private let mostSocketsOfAGroup = 32_768

extension PortAnswer {
  /// This answer, or where `sk` may come into a group that is full, undetermined: UDP fails there with EADDRINUSE, TCP
  /// with ENOMEM. Who belongs to which group is shown nowhere.
  func withRoomInGroup(for sk: KernelSocket, _ transport: TransportProtocol, _ snapshot: Snapshot) -> PortAnswer {
    let comesIn = transport == .udp ? bind == .ok : bind == .ok && listen == .ok
    guard sk.reuseport, comesIn, mayMeetFullGroup(sk, transport, snapshot) else { return self }
    var answer = self
    if transport == .udp { answer.bind = .undetermined } else { answer.listen = .undetermined }
    answer.missing = [MissingFact(.reuseportGroup)]
    return answer
  }
}

/// Whether the group that `sk` comes into may be full. It is that of a socket like it, as things are now
/// (`inet_reuseport_add_sock`, `udp_reuseport_add_sock`); its members are all that ever came in: who clears
/// SO_REUSEPORT, is given to another user (fchown(2)) or moves to another device stays.
private func mayMeetFullGroup(_ sk: KernelSocket, _ transport: TransportProtocol, _ snapshot: Snapshot) -> Bool {
  guard snapshot.sockets.count >= mostSocketsOfAGroup else { return false }
  var (mayJoin, members) = (false, 0)
  for socket in snapshot.sockets where mayBeMember(socket, sk, transport) {
    members += 1
    mayJoin = mayJoin || mayTakeIn(socket, sk)
  }
  return mayJoin && members >= mostSocketsOfAGroup
}

/// Whether the group is sure to be full, if its members are still as they came in.
func isGroupFull(
  for sk: KernelSocket, _ transport: TransportProtocol, _ snapshot: Snapshot
) -> Bool {
  snapshot.sockets.lazy.filter { mayBeMember($0, sk, transport) && mayTakeIn($0, sk) }.count >= mostSocketsOfAGroup
}

/// What no member can change while it is one: UDP sockets leave their group when connect(2) gives them another address
/// (`udp_lib_rehash`).
private func mayBeMember(_ socket: SocketObservation, _ sk: KernelSocket, _ transport: TransportProtocol) -> Bool {
  guard socket.transport == transport, transport == .udp || socket.state == .listen else { return false }
  let facts = SocketFacts(socket)
  return facts.family == sk.family && facts.receiveAddress == sk.receiveAddress
    && facts.ipv6only ?? sk.ipv6only == sk.ipv6only
}

/// Whether a member lets `sk` into its group.
private func mayTakeIn(_ member: SocketObservation, _ sk: KernelSocket) -> Bool {
  member.device == sk.boundDevice && member.reuseport.sure != false && member.uid ?? sk.uid == sk.uid
}
