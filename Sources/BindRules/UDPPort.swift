import SocketModel

/// What get_port answers for UDP, `udp_lib_get_port` with a port.
///
/// The kernel walks either the chain of the port (`udp_lib_lport_inuse`) or, if that is longer than ten, the chains
/// of the address itself and then of the wildcard (`udp_lib_lport_inuse2`). How long the chain is cannot be seen (other
/// ports and other namespaces share it), and neither can the order between IPv4 and IPv6 sockets in two dumps. The
/// chains by address have the order of the port's, but for what connect(2) has moved to another address and maybe
/// back (`udp_lib_rehash`): a connected socket on a specific address, any socket on a wildcard. So every order that
/// is possible is asked; they differ only where SO_REUSEPORT is involved and the sockets' options are mixed.
func udpPortAnswer(_ sk: KernelSocket, _ snapshot: Snapshot, _ traits: KernelTraits) -> PortAnswer {
  let chain = snapshot.sockets.enumerated().compactMap { index, socket -> ChainEntry? in
    guard socket.transport == .udp else { return nil }
    let facts = SocketFacts(socket)
    return ChainEntry(
      index: index, facts: facts, isConnected: socket.state == .established,
      step: overPossibleWorlds(of: facts, plannedUID: sk.uid) { udpChainStep(sk, $0) })
  }
  guard !chain.isEmpty else { return PortAnswer(bind: .ok) }
  let isCrowded = traits.udpChainIsCrowded
  var mayMiss: Set<UDPChainStep> = []
  var possible: Set<UDPChainStep> = []
  let misses = wildcardMissesAddresses(sk, snapshot, traits)
  if usesHash2OnBind(sk) ? isCrowded != true : misses != true { possible = walkInDumpOrder(chain, snapshot) }
  if usesHash2OnBind(sk), isCrowded != false {
    let onAddress = chain.filter { $0.facts.receiveAddress == sk.receiveAddress }.map(\.onItsAddress)
    let isMoved = isCrowded == nil && onAddress.contains(where: \.isConnected)
    let exact = isMoved ? walkInAnyOrder(onAddress) : walkInDumpOrder(onAddress, snapshot)
    let onWildcard = chain.filter { $0.facts.isWildcard }
    let wildcard = isCrowded == nil ? walkInAnyOrder(onWildcard) : walkInDumpOrder(onWildcard, snapshot)
    possible.formUnion(exact.then(wildcard))
    // Where both fall into one slot it is walked once.
    if isCrowded == nil { possible.formUnion(exact.merged(wildcard)) }
  } else if misses != false {
    mayMiss = walkInAnyOrder(chain.filter { $0.facts.isWildcard })
  }
  let wayDecides = misses == nil && !mayMiss.isSubset(of: possible)
  possible.formUnion(mayMiss)
  let blockers = chain.filter { $0.step.answers.contains(.refuses) }
  switch possible {
  case [.refuses]:
    // A walk that can only refuse has come to a socket that can only refuse.
    let certain = blockers.filter { $0.step.sure == .refuses }
    return PortAnswer(bind: .fails(.addressInUse), blockers: certain.map { $0.blocker(sk) })
  case _ where !possible.contains(.refuses):
    return PortAnswer(bind: .ok)
  default:
    var missing = chain.flatMap { entry in
      entry.step.deciding.asFacts.map { MissingFact($0.kind, socket: entry.index) }
    }
    // Where the version is known, what is not is how long the chains are.
    let isOldKnown = traits.udpWildcardBindMayMissAddresses == true
    if wayDecides { missing.append(MissingFact(isOldKnown ? .bindOrder : .kernelVersion)) }
    if missing.isEmpty { missing = [MissingFact(.bindOrder)] }
    return PortAnswer(bind: .undetermined, blockers: blockers.map { $0.blocker(sk) }, missing: missing)
  }
}

/// Whether a wildcard is compared with the sockets on wildcards alone; nil where that cannot be seen.
private func wildcardMissesAddresses(_ sk: KernelSocket, _ snapshot: Snapshot, _ traits: KernelTraits) -> Bool? {
  if traits.udpWildcardBindMayMissAddresses == false || traits.udpChainIsCrowded == false { return false }
  switch snapshot.wildcardMissesAddresses {
  case false?: return false
  case true?: return traits.udpWildcardBindMayMissAddresses
  case nil: return nil
  }
}

private struct ChainEntry {
  var index: Int
  var facts: SocketFacts
  var isConnected: Bool
  var step: Possible<UDPChainStep>

  /// The same on the chain of its address: an AF_INET socket at 127.0.0.6, which is what an AF_INET6 socket has for an
  /// address while it is connected to one of IPv6 (`LOOPBACK4_IPV6`), may have been that (IPV6_ADDRFORM) and hang elsewhere.
  var onItsAddress: ChainEntry {
    guard isConnected, facts.family == .ipv4, facts.receiveAddress == Self.standIn else { return self }
    var entry = self
    entry.step.answers.insert(.passed)
    return entry
  }

  private static let standIn = IPv6Address(mapping: IPv4Address(127, 0, 0, 6))

  func blocker(_ sk: KernelSocket) -> Blocker {
    // With SO_REUSEPORT on both sides only another user's socket is in the way.
    let otherUser = sk.reuseport && facts.reuseport == true
    return Blocker(socket: index, rule: otherUser ? .udpReuseportUser : .udpReuseaddr)
  }
}

extension SocketFacts {
  /// Whether the socket hangs on the chain of the wildcard, which `::`, 0.0.0.0 and ::ffff:0.0.0.0 share.
  fileprivate var isWildcard: Bool { receiveAddress == .any || receiveAddress.mapped == .any }
}

/// Every result the walk of one chain can have; `.passed` where nothing on it decides.
private func walk(_ chain: [ChainEntry]) -> Set<UDPChainStep> {
  var results: Set<UDPChainStep> = []
  for entry in chain {
    results.formUnion(entry.step.answers.filter { $0 != .passed })
    if !entry.step.answers.contains(.passed) { return results }
  }
  return results.union([.passed])
}

/// The same for the sockets of both families, which only one dump of both has in their order.
private func walkInDumpOrder(_ chain: [ChainEntry], _ snapshot: Snapshot) -> Set<UDPChainStep> {
  if snapshot.isChainOrdered { return walk(chain) }
  return walk(chain.filter { $0.facts.family == .ipv4 }).merged(walk(chain.filter { $0.facts.family == .ipv6 }))
}

/// The same where any socket of the chain may come first.
private func walkInAnyOrder(_ chain: [ChainEntry]) -> Set<UDPChainStep> {
  var results = chain.reduce(into: Set<UDPChainStep>()) { $0.formUnion($1.step.answers) }
  if chain.allSatisfy({ $0.step.answers.contains(.passed) }) {
    results.insert(.passed)
  } else {
    results.remove(.passed)
  }
  return results
}

extension Set<UDPChainStep> {
  /// One walk over both chains, whose order among each other is unknown: the first that decides does.
  fileprivate func merged(_ other: Set<UDPChainStep>) -> Set<UDPChainStep> {
    var results: Set<UDPChainStep> = []
    for first in self {
      for second in other {
        switch (first, second) {
        case (.passed, _): results.insert(second)
        case (_, .passed): results.insert(first)
        default: results.formUnion([first, second])
        }
      }
    }
    return results
  }

  /// One walk after the other: either may refuse.
  fileprivate func then(_ other: Set<UDPChainStep>) -> Set<UDPChainStep> {
    var results: Set<UDPChainStep> = []
    for first in self {
      for second in other { results.insert(first == .refuses || second == .refuses ? .refuses : .passed) }
    }
    return results
  }
}

// The conflict check of an explicit UDP bind(2), `udp_lib_get_port` with a port.

/// What one socket of the chain does to a bind: the first that is not `.passed` decides, whatever stands behind it.
enum UDPChainStep: Hashable {
  /// It has nothing to do with the bind.
  case passed
  /// Both set SO_REUSEPORT and belong to one user: the bind works, the rest of the chain is not looked at.
  case grants
  case refuses
}

/// The body of the loops of the kernel functions `udp_lib_lport_inuse` and `udp_lib_lport_inuse2`, for a fresh
/// socket, which has no SO_REUSEPORT group yet.
func udpChainStep(_ sk: KernelSocket, _ sk2: KernelSocket) -> UDPChainStep {
  if sk.reuse && sk2.reuse { return .passed }
  if let device = sk.boundDevice, let device2 = sk2.boundDevice, device != device2 { return .passed }
  guard inetReceiveAddressesEqual(sk, sk2) else { return .passed }
  return sk.reuseport && sk2.reuseport && sk.uid == sk2.uid ? .grants : .refuses
}
