import SocketModel

/// A snapshot whose gaps can be filled in as they ordinarily are. Sockets that the rules cannot tell apart stand in it
/// once, so that a guess costs little however many sockets a port has.
struct OrdinaryWorld {
  /// The snapshot, the attempt and the ways of the kernel under some assumptions.
  struct Reading {
    var snapshot: Snapshot
    var attempt: BindAttempt
    var traits: KernelTraits
    /// The assumptions that filled in something.
    var made: Set<Assumption>
  }

  private struct Key: Hashable {
    var allowed: Set<Assumption>
    var missing: Set<MissingFact.Kind>
  }

  private let attempt: BindAttempt
  private let snapshot: Snapshot
  /// How many sockets of the attempt's transport the port has.
  private let count: Int
  private let kinds: [OrdinarySocket]
  private var known: [Key: Reading] = [:]

  init(_ attempt: BindAttempt, _ snapshot: Snapshot, _ usual: (SocketObservation) -> UsualOptions?) {
    let relevant = snapshot.sockets.filter { $0.transport == attempt.transport && !$0.isRequest }
    self.attempt = attempt
    self.snapshot = snapshot
    count = relevant.count
    kinds = OrdinarySocket.kinds(relevant, snapshot, usual)
  }

  /// - Parameter missing: the facts of the host that are worth filling in.
  mutating func reading(_ allowed: Set<Assumption>, missing: Set<MissingFact.Kind>) -> Reading {
    let key = Key(allowed: allowed, missing: missing)
    if let reading = known[key] { return reading }
    let reading = fill(allowed, missing)
    known[key] = reading
    return reading
  }

  private func fill(_ allowed: Set<Assumption>, _ missing: Set<MissingFact.Kind>) -> Reading {
    var reading = Reading(
      snapshot: snapshot, attempt: attempt, traits: KernelTraits(snapshot.host), made: [])
    var made: Set<Assumption> = []
    func may(_ assumption: Assumption) -> Bool {
      guard allowed.contains(assumption) else { return false }
      made.insert(assumption)
      return true
    }
    fillHost(&reading, missing, may)
    if missing.contains(.kernelVersion), may(.kernelOfItsVersion) {
      reading.traits = reading.traits.asReleased(snapshot.host.kernel)
    }
    if attempt.transport == .udp, may(.chainOfThePort) { reading.traits.udpChainIsCrowded = count > 10 }
    var sockets = kinds
    for index in sockets.indices { sockets[index].fill(attempt, may) }
    // A child has what its listener has, as that is known or filled in.
    let filled = sockets
    for index in sockets.indices { sockets[index].inherit(from: filled, may) }
    for index in sockets.indices { sockets[index].fillDomain(reading.snapshot.host, may) }
    if reading.traits.bucketSearches.contains(.byAddressWithoutMappedWildcards) {
      let sharers = kinds.filter(\.isOnIPv4Wildcard).map(\.observation)
      for index in sockets.indices { sockets[index].fillBucketFamily(from: sharers, may) }
    }
    reading.snapshot.sockets = sockets.map(\.observation)
    if attempt.transport == .udp, !snapshot.isChainOrdered, let ordered = chainOrder(sockets), may(.orderOfInodes) {
      reading.snapshot.sockets = ordered
      reading.snapshot.isChainOrdered = true
    }
    reading.made = made
    return reading
  }

  private func fillHost(
    _ reading: inout Reading, _ missing: Set<MissingFact.Kind>, _ may: (Assumption) -> Bool
  ) {
    if missing.contains(.boundSockets), may(.noHiddenSockets) {
      reading.snapshot.visibility.boundSocketsComplete = true
    }
    if missing.contains(.capability), may(.usualCapabilities) { reading.attempt.mayBindPrivileged = attempt.uid == 0 }
    guard may(.defaultSettings) else { return }
    reading.snapshot.host.fillWithDefaults(missing, attempt)
    if attempt.mayBindPrivileged == nil, missing.contains(.unprivilegedPortStart) {
      reading.attempt.mayBindPrivileged = attempt.uid == 0
    }
  }
}

extension HostFacts {
  /// The settings that a kernel starts with, and the loopback addresses, in the place of those that were not read.
  fileprivate mutating func fillWithDefaults(_ missing: Set<MissingFact.Kind>, _ attempt: BindAttempt) {
    if missing.contains(.unprivilegedPortStart) { unprivilegedPortStart = unprivilegedPortStart ?? 1024 }
    if missing.contains(.nonlocalBind) || missing.contains(.localAddresses) {
      ipv4NonlocalBind = ipv4NonlocalBind ?? false
      ipv6NonlocalBind = ipv6NonlocalBind ?? false
    }
    if missing.contains(.addressFamily) { ipv6Available = ipv6Available ?? true }
    if missing.contains(.l3mdevAccept) { tcpL3mdevAccept = tcpL3mdevAccept ?? false }
    if missing.contains(.localAddresses) { fillLoopback(attempt) }
  }

  /// Of other addresses than the loopback's nothing says whether they are local.
  private mutating func fillLoopback(_ attempt: BindAttempt) {
    let loopback = InterfaceIndex(rawValue: 1)
    if attempt.address == .v6(.loopback), ipv6Addresses == nil {
      ipv6Addresses = [InterfaceAddress(address: .v6(.loopback), interface: loopback, flags: 0)]
      interfaces = interfaces ?? [NetworkInterface(index: loopback, name: "lo", isUp: true)]
    }
    let ipv4: IPv4Address? =
      switch attempt.address {
      case .v4(let address): address
      case .v6(let address): address.mapped
      }
    guard let ipv4 else { return }
    // Until somebody touches the routing rules, `local` and `main` share a tree, and the look-up tells.
    let isLocal = ipv4Lookups?.contains { $0.destination == ipv4 && $0.type == .local } ?? false
    guard isLocal || (ipv4LocalRoutes == nil && ipv4.bits >> 24 == 127) else { return }
    ipv4LocalRoutes = [LocalRoute(destination: ipv4, prefixLength: 32, type: .local)]
    ipv4AbsentTables = []
    ipv4Lookups = [RouteLookup(destination: ipv4, type: .local)]
  }
}

extension KernelTraits {
  /// The one way of several that a kernel of this version takes unless somebody carried the others' changes back.
  fileprivate func asReleased(_ kernel: KernelVersion) -> KernelTraits {
    var traits = self
    traits.mayLookInOneWildcardBucket = false
    traits.bucketSearches =
      if bucketSearches.contains(.wholePort) {
        [.wholePort]
      } else {
        // Observed on 6.1.192: of the mends of the second table this one did not come back.
        bucketSearches.contains(.byAddressWithoutMappedWildcards) ? [.byAddressWithoutMappedWildcards] : [.byAddress]
      }
    return traits
  }
}

/// The one chain of both families, newest first, by their inodes: only AF_INET6 sockets with SO_REUSEPORT come at its
/// end, in the order of their binds (kernel function `sk_add_node_rcu`). nil where a fact for that is missing.
private func chainOrder(_ sockets: [OrdinarySocket]) -> [SocketObservation]? {
  let all = sockets.map(\.observation)
  let ipv4 = all.filter { $0.family == .ipv4 }
  let ipv6 = all.filter { $0.family == .ipv6 }
  guard !ipv4.isEmpty, !ipv6.isEmpty, all.allSatisfy({ $0.inode != nil }) else { return nil }
  guard ipv6.allSatisfy({ $0.reuseport.sure != nil }) else { return nil }
  let atEnd = ipv6.filter { $0.reuseport.sure == true }
  var (left, right) = (ipv4[...], ipv6.filter { $0.reuseport.sure == false }[...])
  var merged: [SocketObservation] = []
  while let first = left.first, let second = right.first {
    if (first.inode ?? 0) > (second.inode ?? 0) {
      merged.append(left.removeFirst())
    } else {
      merged.append(right.removeFirst())
    }
  }
  return merged + left + right + atEnd
}
