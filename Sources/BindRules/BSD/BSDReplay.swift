package import SocketModel

// The sockets of a Linux host may not be able to stand together on a BSD. So they are bound there one after the other: that
// one of them is refused, in whatever order they came, is what somebody who ports them has to know.

/// A socket of the snapshot that a BSD would have refused itself.
package struct BSDRefusal: Sendable, Hashable {
  /// Index into `Snapshot.sockets`. Where the order of the binds is not known, the last in the likely one of two that
  /// cannot stand together.
  package var socket: Int
  /// What its bind(2) fails with.
  package var error: SystemError
  /// The check that refuses it.
  package var rule: BSDRule
}

/// The first of the unconnected sockets of `transport` that `system` would have refused; nil where they can all come up in
/// some order that is possible, and where there are too many to tell.
///
/// Whether their makers may have a reserved port is not asked: nothing tells what they were when they bound it.
package func firstRefused(
  _ transport: TransportProtocol, in snapshot: Snapshot, under system: BSDSystem
) -> BSDRefusal? {
  var replay = BSDReplay(transport, snapshot, system, sharing: .reuseport)
  return replay?.firstRefused()
}

struct BSDReplay {
  /// Beyond, a set is not replayed.
  private static let mostSockets = 64

  struct Socket {
    var index: Int
    var facts: PCBFacts
    /// One for each way its options and its IPV6_V6ONLY could be.
    var binds: [(attempt: BSDAttempt, options: BSDOptions)]
    /// Sockets are numbered when they are made, which is near the order of their binds.
    var inode: UInt64
    var sequence: PCBTable.Sequence?
  }

  private var sockets: [Socket]
  private let system: BSDSystem
  private let host: HostFacts
  /// How many binds may still be tried.
  private var budget = 5_000

  /// nil where there are too many.
  init?(_ transport: TransportProtocol, _ snapshot: Snapshot, _ system: BSDSystem, sharing: BSDSharing) {
    self.system = system
    host = snapshot.host
    let table = PCBTable(snapshot, transport, system, sharing: sharing, plannedUID: 0)
    sockets = []
    for entry in table.entries where !entry.facts.isConnected && !entry.facts.isDisconnected {
      for index in entry.sockets {
        let socket = snapshot.sockets[index]
        guard sockets.count < Self.mostSockets else { return nil }
        sockets.append(
          Socket(
            index: index, facts: entry.facts, binds: entry.facts.binds(transport, socket.local.port),
            inode: socket.inode ?? .max, sequence: table.sequence(of: entry)))
      }
    }
    // The dump has the newest first.
    sockets.reverse()
  }

  mutating func firstRefused() -> BSDRefusal? {
    canAllBeBound(sockets, after: []) ? nil : firstRefusedInLikelyOrder()
  }

  /// Whether some order that is possible binds all of `waiting`.
  private mutating func canAllBeBound(_ waiting: [Socket], after bound: [Socket]) -> Bool {
    if waiting.isEmpty { return true }
    var tried: Set<PCBFacts> = []
    for position in next(waiting) {
      let socket = waiting[position]
      guard tried.insert(socket.facts).inserted else { continue }
      budget -= 1
      if budget < 0 { return true }
      guard refusal(of: socket, after: bound) == nil else { continue }
      var rest = waiting
      rest.remove(at: position)
      if canAllBeBound(rest, after: [socket] + bound) { return true }
    }
    return false
  }

  /// The places in `waiting`, which has the oldest first, of those that may have been bound next.
  private func next(_ waiting: [Socket]) -> [Int] {
    var seen: Set<PCBTable.Sequence> = []
    return waiting.indices.filter { position in
      waiting[position].sequence.map { seen.insert($0).inserted } ?? true
    }
  }

  private func firstRefusedInLikelyOrder() -> BSDRefusal? {
    var waiting = sockets
    var bound: [Socket] = []
    while let position = next(waiting).min(by: { waiting[$0].inode < waiting[$1].inode }) {
      let socket = waiting.remove(at: position)
      if let refusal = refusal(of: socket, after: bound) { return refusal }
      bound.insert(socket, at: 0)
    }
    return nil
  }

  /// nil where it can be bound in any way that its facts could be.
  private func refusal(of socket: Socket, after bound: [Socket]) -> BSDRefusal? {
    var refusal: BSDRefusal?
    for (attempt, options) in socket.binds {
      let table = PCBTable(
        bound.map { (index: $0.index, facts: $0.facts) }, order: .kernelList, plannedUID: attempt.uid)
      let outcome = steps(of: attempt, options, table, host, system, asksPrivilege: false).outcome(options)
      guard let outcome, case .fails(let error) = outcome.bind else { return nil }
      refusal = refusal ?? BSDRefusal(socket: socket.index, error: error, rule: outcome.rule)
    }
    return refusal
  }
}

extension PCBFacts {
  /// The binds that could have made this socket. A user who is not known is taken for root, who is never refused as another.
  fileprivate func binds(_ transport: TransportProtocol, _ port: Port) -> [(attempt: BSDAttempt, options: BSDOptions)]
  {
    var binds: [(attempt: BSDAttempt, options: BSDOptions)] = []
    for world in worlds(plannedUID: 0) {
      let plan = BindAttempt(transport: transport, address: local, scope: scope, port: port, uid: uid ?? 0)
      let bind = (
        attempt: BSDAttempt(plan, v6only: !world.pcb.families.contains(.ipv4)), options: world.pcb.options
      )
      if !binds.contains(where: { $0 == bind }) { binds.append(bind) }
    }
    return binds
  }
}
