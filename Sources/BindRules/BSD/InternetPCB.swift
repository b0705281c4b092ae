import SocketModel

/// A bound socket as bind(2) of a BSD sees it: the fields of the kernel's `struct inpcb` that its rules read, all known.
struct InternetPCB: Hashable {
  /// `inp_vflag`: the families whose packets it takes.
  struct Families: OptionSet, Hashable {
    let rawValue: UInt8
    /// INP_IPV4.
    static let ipv4 = Families(rawValue: 1)
    /// INP_IPV6.
    static let ipv6 = Families(rawValue: 2)
  }

  /// One bit, or both for `::` without IPV6_V6ONLY.
  var families: Families
  /// INP_IPV6PROTO: the socket is of AF_INET6, whatever its address.
  var isIPv6Socket: Bool
  /// `inp_laddr`: 0.0.0.0 for a dual socket.
  var address4: IPv4Address
  /// `in6p_laddr`, with its scope embedded.
  var address6: ScopedIPv6Address
  /// It has a peer address: connected, any TCP state after LISTEN, TIME_WAIT too.
  var isConnected: Bool
  /// `so_options`, as they are now.
  var options: BSDOptions
  /// `cr_uid` of `inp_cred`: the effective uid at socket(2).
  var uid: UInt32
}

/// What is known of an existing socket as far as the rules of a BSD look at it: an `InternetPCB` with gaps.
struct PCBFacts: Hashable {
  var family: AddressFamily
  var local: IPAddress
  var scope: InterfaceIndex?
  /// It has a peer.
  var isConnected: Bool
  /// It had one, so it was put back into the list since its bind.
  var isDisconnected = false
  /// The peer has an IPv4 address.
  var isPeerIPv4: Bool
  /// nil where it is not known; AF_INET has none.
  var v6only: Bool?
  var reuseaddr: Bool?
  var reuseport: Bool?
  var reuseportLB: Bool?
  var uid: UInt32?

  /// The families it takes packets of; nil where that hangs on its IPV6_V6ONLY, which is not known.
  private var families: InternetPCB.Families? {
    switch local {
    case .v4: return .ipv4
    case .v6(let address) where address.mapped != nil: return .ipv4
    case .v6(let address):
      // connect(2) and accept(2) leave one.
      if isConnected { return isPeerIPv4 ? .ipv4 : .ipv6 }
      guard address == .any else { return .ipv6 }
      return v6only.map { $0 ? .ipv6 : [.ipv4, .ipv6] }
    }
  }
}

extension PCBFacts {
  /// nil for what is in no table of the BSD: a handshake (it has its syncache for these), and a socket whose connection
  /// is over while its descriptor is still open, which on Linux keeps its port: of TCP (`in_pcbdrop`), and since FreeBSD
  /// 14.0 of UDP too (`in_pcbdisconnect`, `in6_pcbdisconnect`).
  ///
  /// Only of AF_INET6 does Linux show the peer that a UDP socket had before connect(2) with AF_UNSPEC.
  init?(_ socket: SocketObservation, sharing: BSDSharing, under system: BSDSystem) {
    let isOver = socket.state == .close && socket.remote != nil
    let isGone = isOver && (socket.transport == .tcp || system.unlistsDisconnectedSockets)
    guard !socket.isRequest, !isGone else { return nil }
    family = socket.family
    scope = socket.device
    isDisconnected = isOver
    isConnected = socket.remote != nil && !isOver || socket.isTimeWaitSocket
    isPeerIPv4 = socket.remote.map { $0.address.asReceiveAddress.mapped != nil } ?? false
    local = socket.local.address
    v6only = socket.v6only?.sure
    if isOver && family == .ipv6 {
      // `udp6_disconnect` takes the address too, and leaves the one family that connect(2) chose.
      local = .v6(isPeerIPv4 ? IPv6Address(mapping: .any) : .any)
      v6only = true
    }
    reuseaddr = socket.reuseaddr.sure
    let shares = socket.reuseport.sure
    reuseport = sharing == .reuseport ? shares : false
    reuseportLB = sharing == .reuseportLB ? shares : false
    uid = socket.uid
  }

  /// The planned socket, once it is bound.
  init(_ attempt: BSDAttempt, _ options: BSDOptions, _ system: BSDSystem) {
    self.init(
      family: attempt.address.family, local: attempt.address, scope: attempt.scope, isConnected: false,
      isPeerIPv4: false, v6only: attempt.isV6only(system),
      reuseaddr: options.contains(.reuseaddr), reuseport: options.contains(.reuseport),
      reuseportLB: options.contains(.reuseportLB), uid: attempt.uid)
  }
}

/// What SO_REUSEPORT of the sockets that were seen on Linux is read as, which is both there.
package enum BSDSharing: Sendable, Hashable {
  /// SO_REUSEPORT: as the programs are.
  case reuseport
  /// SO_REUSEPORT_LB: as they would be if they were ported so.
  case reuseportLB
}

extension PCBFacts {
  /// One way the facts could be.
  struct World: Hashable {
    var pcb: InternetPCB
    /// One bit for each gap, in the order of `gaps`.
    var filling: Int
  }

  /// The facts that are missing and that some rule reads.
  var gaps: [MissingFact.Kind] {
    var gaps: [MissingFact.Kind] = []
    if families == nil { gaps.append(.v6only) }
    if reuseaddr == nil { gaps.append(.reuseaddr) }
    if reuseport == nil || reuseportLB == nil { gaps.append(.reuseport) }
    if uid == nil { gaps.append(.uid) }
    return gaps
  }

  /// Every socket these facts could stand for; of an unknown uid there are two.
  func worlds(plannedUID: UInt32) -> [World] {
    let gaps = gaps
    return (0..<(1 << gaps.count)).map { filling in
      func isSet(_ kind: MissingFact.Kind) -> Bool {
        gaps.firstIndex(of: kind).map { filling & (1 << $0) != 0 } ?? false
      }
      var options: BSDOptions = []
      if reuseaddr ?? isSet(.reuseaddr) { options.insert(.reuseaddr) }
      if reuseport ?? isSet(.reuseport) { options.insert(.reuseport) }
      if reuseportLB ?? isSet(.reuseport) { options.insert(.reuseportLB) }
      let families = families ?? (isSet(.v6only) ? .ipv6 : [.ipv4, .ipv6])
      return World(
        pcb: InternetPCB(
          families: families, isIPv6Socket: family == .ipv6, address4: address4, address6: address6,
          isConnected: isConnected, options: options,
          uid: uid ?? (isSet(.uid) ? plannedUID : plannedUID ^ 1)),
        filling: filling)
    }
  }

  var address4: IPv4Address {
    switch local {
    case .v4(let address): address
    case .v6(let address): address.mapped ?? .any
    }
  }

  var address6: ScopedIPv6Address {
    switch local {
    case .v4: .any
    case .v6(let address): ScopedIPv6Address(address, scope: scope)
    }
  }
}

/// The bound sockets of one port and transport, in the order in which a BSD would find them as far as that is known.
struct PCBTable {
  /// What is known of the order of the binds.
  enum Order: Hashable {
    /// The kernel's own list, newest first.
    case kernelList
    /// The last bound socket stands first.
    case newestFirst
    /// The same within AF_INET and within AF_INET6, whose sockets came from two dumps.
    case newestFirstWithinFamily
    case unknown
  }

  struct Entry {
    var facts: PCBFacts
    /// Indices into `Snapshot.sockets`: more than one where the sockets do not differ and the order is unknown.
    var sockets: [Int]
    var worlds: [PCBFacts.World]
  }

  private(set) var entries: [Entry]
  let order: Order

  /// Linux' chain of UDP sockets has the last bound one first, and so has its dump; TCP's dump tells no order.
  static func order(_ snapshot: Snapshot, _ transport: TransportProtocol) -> Order {
    transport == .tcp ? .unknown : snapshot.isChainOrdered ? .newestFirst : .newestFirstWithinFamily
  }

  init(
    _ snapshot: Snapshot, _ transport: TransportProtocol, _ system: BSDSystem, sharing: BSDSharing, plannedUID: UInt32
  ) {
    let facts = snapshot.sockets.enumerated().compactMap { index, socket in
      socket.transport == transport
        ? PCBFacts(socket, sharing: sharing, under: system).map { (index, $0) } : nil
    }
    self.init(facts, order: Self.order(snapshot, transport), plannedUID: plannedUID)
  }

  init(_ sockets: [(index: Int, facts: PCBFacts)], order: Order, plannedUID: UInt32) {
    self.order = order
    entries = []
    guard order == .unknown else {
      entries = sockets.map { index, facts in
        Entry(facts: facts, sockets: [index], worlds: facts.worlds(plannedUID: plannedUID))
      }
      return
    }
    var positions: [PCBFacts: Int] = [:]
    for (index, facts) in sockets {
      if let position = positions[facts] {
        entries[position].sockets.append(index)
      } else {
        positions[facts] = entries.count
        entries.append(Entry(facts: facts, sockets: [index], worlds: facts.worlds(plannedUID: plannedUID)))
      }
    }
  }

  /// The sockets among which the order of binds is known; nil where it is not.
  func sequence(of entry: Entry) -> Sequence? {
    switch order {
    case .unknown: nil
    case .kernelList, .newestFirst: .all
    case .newestFirstWithinFamily: entry.facts.family == .ipv4 ? .ipv4 : .ipv6
    }
  }

  /// Whether the socket stands where it was bound. One that connects is put back, so it is newer than its bind, by how much
  /// nothing tells.
  func isInPlace(_ entry: Entry) -> Bool {
    order == .kernelList || !(entry.facts.isConnected || entry.facts.isDisconnected)
  }

  enum Sequence: Hashable, CaseIterable {
    case all
    case ipv4
    case ipv6
  }
}

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

  var candidates: [Candidate]
  /// No candidate costs more; the greatest number where there may be none.
  var bound: Int

  /// No socket may fit.
  var mayFindNone: Bool { bound == .max }
}

extension PCBTable {
  /// Every end the search can have.
  ///
  /// A socket in one of its worlds can be found where no other socket beats it in all of its own: by costing less, or the
  /// same and being surely newer. The worlds of two sockets do not hang together, so each such end is possible.
  func find(_ lookup: LocalLookup) -> LookupResult {
    var costs: [[Int?]] = []
    var worst: [Int] = []
    for entry in entries {
      let all = entry.worlds.map { lookup.cost(of: $0.pcb) }
      costs.append(all)
      worst.append(all.reduce(0) { max($0, $1 ?? .max) })
    }
    var result = LookupResult(candidates: [], bound: worst.min() ?? .max)
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
