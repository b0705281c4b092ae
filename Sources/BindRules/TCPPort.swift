import SocketModel

/// What get_port answers for TCP: `inet_csk_get_port` at bind(2), and again at listen(2).
///
/// Between the two nothing changes for a fresh socket: what let bind(2) pass lets listen(2) pass as well, but for the
/// SO_REUSEADDR shortcut of the bucket, which listen(2) does not take.
func tcpPortAnswer(_ sk: KernelSocket, _ snapshot: Snapshot, _ traits: KernelTraits) -> PortAnswer {
  let conflicts = tcpConflicts(sk, snapshot, traits)
  guard !conflicts.blockers.isEmpty else {
    guard snapshot.visibility.boundSocketsComplete else {
      return PortAnswer(bind: .undetermined, listen: .undetermined, missing: [MissingFact(.boundSockets)])
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
    return PortAnswer(bind: .fails(.addressInUse), listen: .undetermined, blockers: certain)
  default:
    return PortAnswer(
      bind: .undetermined, listen: .undetermined, blockers: conflicts.blockers,
      missing: conflicts.missing + pass.deciding.asFacts)
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

private func tcpConflicts(_ sk: KernelSocket, _ snapshot: Snapshot, _ traits: KernelTraits) -> TCPConflicts {
  var result = TCPConflicts()
  var answered: [SocketFacts: Possible<Bool>] = [:]
  let domain = tcpBucketDomain(of: sk.boundDevice, snapshot.host)
  let searches = bucketSearches(sk, snapshot, traits)
  for (index, socket) in snapshot.sockets.enumerated() where isInBindTable(socket) {
    let facts = SocketFacts(socket)
    let answer: Possible<Bool>
    if let known = answered[facts] {
      answer = known
    } else {
      answer = tcpConflict(sk, facts, searches, domain, snapshot.host)
      answered[facts] = answer
    }
    guard answer.answers.contains(true) else { continue }
    let blocker = Blocker(socket: index, rule: tcpRule(sk, facts))
    result.blockers.append(blocker)
    if answer.sure == true {
      result.sureBlockers.append(blocker)
    } else {
      // How this kernel searches is no fact of the socket.
      result.missing += answer.deciding.asFacts.map {
        MissingFact($0.kind, socket: $0.kind == .kernelVersion ? nil : index)
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
private func bucketSearches(
  _ sk: KernelSocket, _ snapshot: Snapshot, _ traits: KernelTraits
) -> [BucketSearch] {
  guard traits.mayLookInOneWildcardBucket, usesHash2OnBind(sk) else { return traits.bucketSearches }
  struct Wildcard: Hashable {
    var family: AddressFamily
    var address: IPv6Address
  }
  let wildcards = Set(
    snapshot.sockets.lazy.filter(isInBindTable).map(SocketFacts.init).filter { covers($0, sk) }.map {
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
  let all = searches.map { search in
    overPossibleWorlds(of: facts, plannedUID: sk.uid) { tcpConflict(sk, $0, search) }
  }
  guard var result = all.first else { return Possible(true) }
  for other in all.dropFirst() where other != result {
    result.answers.formUnion(other.answers)
    result.deciding.formUnion(other.deciding.union([.kernelVersion]))
  }
  return result
}

private func tcpRule(_ sk: KernelSocket, _ facts: SocketFacts) -> BindRule {
  if sk.reuseport && facts.reuseport == true && facts.uid != sk.uid { return .tcpReuseportUser }
  return facts.state == .listen ? .tcpListener : .tcpReuseaddr
}
