import SocketModel

// The search of a BSD for the one socket that a new one is compared with. The kernel walks the sockets of the port, newest
// bound first, and keeps the first of those that fit best. What a socket costs is two-valued, as in the kernel; the search
// over what is known of the sockets gives every socket that it can end with.

/// Kernel functions `in_pcblookup_local` and `in6_pcblookup_local`.
struct LocalLookup: Hashable {
  enum Target: Hashable {
    case ipv4(IPv4Address)
    case ipv6(ScopedIPv6Address)
  }

  var target: Target
  /// INPLOOKUP_WILDCARD: every socket that overlaps counts, connections too. Without it, only an unconnected socket on
  /// exactly the address.
  var isWide: Bool
  /// INP_LOOKUP_MAPPED_PCB_COST.
  var costOfDualSocket: Int

  /// How badly the socket fits; nil where it is passed over.
  func cost(of pcb: InternetPCB) -> Int? {
    switch target {
    case .ipv4(let address):
      guard pcb.families.contains(.ipv4),
        let cost = cost(
          isEqual: pcb.address4 == address, isAny: address == .any, isOtherAny: pcb.address4 == .any,
          isConnected: pcb.isConnected)
      else { return nil }
      return isWide && pcb.families.contains(.ipv6) ? cost + costOfDualSocket : cost
    case .ipv6(let address):
      guard pcb.families.contains(.ipv6) else { return nil }
      return cost(
        isEqual: pcb.address6 == address, isAny: address == .any, isOtherAny: pcb.address6 == .any,
        isConnected: pcb.isConnected)
    }
  }

  private func cost(isEqual: Bool, isAny: Bool, isOtherAny: Bool, isConnected: Bool) -> Int? {
    guard isWide else { return isEqual && !isConnected ? 0 : nil }
    guard isEqual || isAny || isOtherAny else { return nil }
    return (isConnected ? 1 : 0) + (isEqual ? 0 : 1)
  }
}

/// Every socket that a search can end with.
struct LookupResult {
  struct Candidate {
    /// Index into `PCBTable.entries`.
    var entry: Int
    var world: PCBFacts.World
    var cost: Int
  }

  var candidates: [Candidate] = []
  /// No socket may fit.
  var mayFindNone = true
  /// No candidate costs more.
  var bound = Int.max
}

extension PCBTable {
  /// Every end the search can have.
  ///
  /// A socket in one of its worlds can be found where no other socket beats it in all of its own: by costing less, or the
  /// same and being surely newer. The worlds of two sockets do not hang together, so each such end is possible.
  func find(_ lookup: LocalLookup) -> LookupResult {
    var result = LookupResult()
    var costs: [[Int?]] = []
    var worst: [Int] = []
    for entry in entries {
      let all = entry.worlds.map { lookup.cost(of: $0.pcb) }
      costs.append(all)
      worst.append(all.reduce(0) { max($0, $1 ?? .max) })
    }
    result.bound = worst.min() ?? .max
    result.mayFindNone = result.bound == .max
    var newer = NewerSockets()
    for (index, entry) in entries.enumerated() {
      let sequence = sequence(of: entry)
      let newest = isInPlace(entry) ? newer.leastCost(in: sequence) : nil
      for (world, cost) in zip(entry.worlds, costs[index]) {
        guard let cost, cost <= result.bound else { continue }
        if let newest, cost >= newest { continue }
        result.candidates.append(LookupResult.Candidate(entry: index, world: world, cost: cost))
      }
      newer.add(worst[index], to: sequence)
    }
    return result
  }
}

/// What the sockets that surely are newer cost at most, by sequence.
private struct NewerSockets {
  private var leastCosts: [PCBTable.Sequence: Int] = [:]

  /// nil where none is known to be newer.
  func leastCost(in sequence: PCBTable.Sequence?) -> Int? { sequence.flatMap { leastCosts[$0] } }

  mutating func add(_ cost: Int, to sequence: PCBTable.Sequence?) {
    guard let sequence else { return }
    leastCosts[sequence] = min(leastCosts[sequence] ?? .max, cost)
  }
}
