import SocketModel

/// What get_port answers for TCP: `inet_csk_get_port` at bind(2), and again at listen(2).
///
/// Between the two nothing changes for a fresh socket: what let bind(2) pass lets listen(2) pass as well, but for the
/// SO_REUSEADDR shortcut of the bucket, which listen(2) does not take.
func tcpPortAnswer(
  _ sk: KernelSocket, _ snapshot: Snapshot, _ traits: KernelTraits, _ table: BindTable
) -> PortAnswer {
  let conflicts = tcpConflicts(sk, snapshot, traits, table)
  guard !conflicts.blockers.isEmpty else {
    guard snapshot.visibility.boundSocketsComplete else {
      return PortAnswer(bind: .undetermined, missing: [MissingFact(.boundSockets)])
    }
    return PortAnswer(bind: .ok, listen: .ok)
  }
  let pass = bucketPass(sk, snapshot, traits)
  switch (pass.sure, conflicts.certain) {
  case (.reuseport, _):
    return PortAnswer(bind: .ok, listen: .ok)
  case (.reuseaddr, let certain):
    return PortAnswer(
      bind: .ok, listen: certain == nil ? .undetermined : .fails(.addressInUse),
      blockers: certain ?? conflicts.blockers, missing: certain == nil ? conflicts.missing : [])
  case (.blocked, let certain?):
    return PortAnswer(bind: .fails(.addressInUse), blockers: certain)
  default:
    return PortAnswer(
      bind: .undetermined, blockers: conflicts.blockers, missing: conflicts.missing + pass.deciding.asFacts)
  }
}

/// The sockets of the bucket that are, or may be, in the way.
private struct TCPConflicts {
  var blockers: [Blocker] = []
  var missing: [MissingFact] = []
  var sureBlockers: [Blocker] = []

  /// The sockets that surely are; nil where there is none.
  var certain: [Blocker]? { sureBlockers.isEmpty ? nil : sureBlockers }
}

/// The TCP sockets of a port that hang in the bind table, by what the rules look at: of the thousands of connections of a
/// server most are alike, and the rules are asked about each kind once. The first kinds are the most usual ones, and to
/// compare a socket with them is less work than to hash it.
struct BindTable {
  /// Each kind once.
  fileprivate private(set) var kinds: [SocketFacts] = []
  /// The sockets, in their order: the index in the snapshot, and which of the kinds it is.
  fileprivate private(set) var sockets: [(index: Int, kind: Int)] = []

  /// Without sockets for UDP, whose rules depend on the order of the chain.
  init(_ transport: TransportProtocol, _ snapshot: Snapshot) {
    guard transport == .tcp else { return }
    sockets.reserveCapacity(snapshot.sockets.count)
    var known: [SocketFacts: Int] = [:]
    for index in snapshot.sockets.indices where isInBindTable(snapshot.sockets[index]) {
      let facts = SocketFacts(snapshot.sockets[index])
      let kind = kinds.prefix(4).firstIndex(of: facts) ?? known[facts] ?? kinds.count
      if kind == kinds.count {
        known[facts] = kind
        kinds.append(facts)
      }
      sockets.append((index, kind))
    }
  }
}

private func tcpConflicts(
  _ sk: KernelSocket, _ snapshot: Snapshot, _ traits: KernelTraits, _ table: BindTable
) -> TCPConflicts {
  let domain = tcpBucketDomain(of: sk.boundDevice, snapshot.host)
  let searches = bucketSearches(sk, table, traits)
  let answers = table.kinds.map { facts in
    let answer = tcpConflict(sk, facts, searches, domain, snapshot.host)
    return (
      mayConflict: answer.answers.contains(true), isSure: answer.sure == true, rule: tcpRule(sk, facts),
      missing: answer.deciding.asFacts
    )
  }
  var result = TCPConflicts()
  for socket in table.sockets where answers[socket.kind].mayConflict {
    let blocker = Blocker(socket: socket.index, rule: answers[socket.kind].rule)
    result.blockers.append(blocker)
    if answers[socket.kind].isSure {
      result.sureBlockers.append(blocker)
    } else {
      // How this kernel searches is no fact of the socket, nor is who made its bucket.
      result.missing += answers[socket.kind].missing.map {
        MissingFact($0.kind, socket: [.kernelVersion, .bindOrder].contains($0.kind) ? nil : socket.index)
      }
    }
  }
  return result
}

/// Whether the socket hangs in the bind table: a request of a handshake (`struct request_sock`) does not.
private func isInBindTable(_ socket: SocketObservation) -> Bool {
  socket.transport == .tcp && !socket.isRequest
}

/// How this kernel may look for the sockets in the way of `sk`, beside these sockets.
private func bucketSearches(_ sk: KernelSocket, _ table: BindTable, _ traits: KernelTraits) -> [BucketSearch] {
  guard traits.mayLookInOneWildcardBucket, usesHash2OnBind(sk) else { return traits.bucketSearches }
  struct Wildcard: Hashable {
    var family: AddressFamily
    var address: IPv6Address
  }
  let wildcards = Set(
    table.kinds.lazy.filter { covers($0, sk) }.map {
      Wildcard(family: $0.family, address: $0.receiveAddress)
    })
  return wildcards.count > 1 ? traits.bucketSearches + [.byAddressWithoutWildcards] : traits.bucketSearches
}

/// Whether the bucket of the socket is that of a wildcard over `sk`.
private func covers(_ facts: SocketFacts, _ sk: KernelSocket) -> Bool {
  overPossibleWorlds(of: facts, plannedUID: sk.uid) { bind2BucketMatchesAnyAddress($0, sk) }.sure == true
}

private func tcpConflict(
  _ sk: KernelSocket, _ facts: SocketFacts, _ searches: [BucketSearch], _ domain: InterfaceIndex??, _ host: HostFacts
) -> Possible<Bool> {
  let inBucket = tcpConflict(sk, facts, searches)
  let domain2 = tcpBucketDomain(of: facts, host)
  guard let domain, let domain2 else {
    guard inBucket.answers.contains(true) else { return inBucket }
    let missing: MissingFact.Kind =
      host.interfaces == nil ? .interfaces : domain == nil ? .l3mdevAccept : .layer3Domain
    return Possible(answers: inBucket.answers.union([false]), deciding: inBucket.deciding.union([missing]))
  }
  return domain == domain2 ? inBucket : Possible(false)
}

/// What every way that this kernel may search answers.
private func tcpConflict(
  _ sk: KernelSocket, _ facts: SocketFacts, _ searches: [BucketSearch]
) -> Possible<Bool> {
  let all = searches.map { tcpConflict(sk, facts, $0) }
  guard var result = all.first else { return Possible(true) }
  for other in all.dropFirst() where other != result {
    result.answers.formUnion(other.answers)
    result.deciding.formUnion(other.deciding.union([.kernelVersion]))
  }
  return result
}

/// What one way of searching answers, whoever made the bucket that the socket hangs on where that is not known.
private func tcpConflict(_ sk: KernelSocket, _ facts: SocketFacts, _ search: BucketSearch) -> Possible<Bool> {
  func answer(_ search: BucketSearch) -> Possible<Bool> {
    overPossibleWorlds(of: facts, plannedUID: sk.uid) { tcpConflict(sk, $0, search) }
  }
  guard search == .byAddressWithoutMappedWildcards, facts.addressBucketFamily != .ipv6 else { return answer(search) }
  let ofIPv4 = answer(.byAddress)
  if facts.addressBucketFamily == .ipv4 { return ofIPv4 }
  let ofIPv6 = answer(search)
  guard ofIPv4 != ofIPv6 else { return ofIPv4 }
  return Possible(
    answers: ofIPv4.answers.union(ofIPv6.answers),
    deciding: ofIPv4.deciding.union(ofIPv6.deciding).union([.bindOrder]))
}

/// Of a socket that is in the way: with SO_REUSEPORT on both sides only another user's is.
private func tcpRule(_ sk: KernelSocket, _ facts: SocketFacts) -> BindRule {
  if sk.reuseport && facts.reuseport == true { return .tcpReuseportUser }
  return facts.state == .listen ? .tcpListener : .tcpReuseaddr
}

// The conflict check of an explicit TCP bind(2), `inet_csk_get_port` with a port, kernel 6.9 and later. The bucket
// (one port, one layer-3 domain) has been found already; the caches that can skip the check are in BindBucket.

/// Whether an owner of the bucket stands in the way of `sk`, its address included.
///
/// A specific address is compared through the second table, bhash2 (`inet_bhash2_addr_any_conflict`, then the
/// bucket of the same address in `inet_csk_bind_conflict`); a wildcard meets every owner of the bucket.
/// Before 6.1 there was no second table; a specific address met every owner too. What `search` leaves out is named there.
func tcpConflict(_ sk: KernelSocket, _ sk2: KernelSocket, _ search: BucketSearch) -> Bool {
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

/// Whether an AF_INET6 socket stands under 0.0.0.0, be it that of an AF_INET socket that came into the bucket later.
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
  if sk2.ipv6only && sk.addressType == .mapped { return false }
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
