import BindRules
import Evidence
import Linux
import Netlink
import SocketModel

// A dump is no snapshot. The kernel walks listeners, then bound sockets, then connections, one table after the other, and
// UDP's families one after the other: a socket that moves against that walk (listen(2) after a bind(2) of long ago,
// shutdown(2), connect(2) to AF_UNSPEC, a connection that is refused) is in no part of it, though its port is taken the
// whole time. A dump that takes more than one message goes on by counting, so that one that goes may hide one that
// stays. Before an ok, of whichever options, the tables are asked again. A look during which no socket moved (`Stillness`)
// and none of the port ended (`SocketEvents`) is a snapshot, and one of them is enough.
//
// Nor are the options of the dump's moment. Between two looks at the tables they are asked again, each together with what
// it is weighed with: whether the socket listens, its device, its owner. What changes without moving (the address of a
// UDP socket, what a hidden socket is bound to) no watch sees, so it has to be the same several times.

/// What the tables are asked again before an ok.
enum SecondLook {
  /// Where sockets move all the time: each round asks for listeners, the quickest to ask for, a few times, and then for each
  /// table in an order that nobody can foresee, not even who sees that a dump begins (/proc/net/netlink). A socket that
  /// leaves one table for another is missed by every second round at most: by ten in a row once in 1,000 looks. Each round
  /// takes as long as a dump.
  static let rounds = 12
  static let looksForListeners = 4
  /// How many of the rounds hope for stillness. Where two have not met it a third is not likely to.
  static let watched = 2
  /// How many looks have to agree where sockets of the port may change unseen.
  static let ofChangeable = 4
  /// How often the whole answer is given anew where the looks find what the dump has not.
  static let answers = 4

  /// Whether the dump of `gathering` has every socket that another look shows on these ports, as it is there.
  static func confirms(
    _ gathering: Gathering, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>, own: UInt64?,
    isAsked: (UInt16) -> Bool
  ) throws(PortwhyError) -> Bool {
    let sockets = gathering.sockets[transport] ?? []
    let asked = sockets.filter { $0.inode != nil && isAsked($0.local.port.rawValue) }
    let told = asked.isEmpty ? (areAsSeen: true, all: true) : ProcessReader().confirm(asked)
    if !told.areAsSeen { return false }
    // One socket alone is in the way or is not; what connects moves, but for UDP.
    let changeable = asked.count > 1 && (transport == .udp || !told.all)
    if transport == .udp, mayTakeTurns(sockets.filter { isAsked($0.local.port.rawValue) }) { return false }
    var wasStill = false
    let known = KnownSockets(sockets, transport, ports, own: own)
    let counts = gathering.socketCounts()
    // What is only bound is not counted. It leaves its port by its end, which is announced; that another one took the port
    // before shows in no number. Nor does it between UDP's two families.
    let ends = SocketEvents(ByTransport([transport], ports))
    var hasEnded = false
    do throws(NetlinkError) {
      for round in 0..<rounds {
        if round > 0, transport == .tcp {
          for _ in 0..<looksForListeners {
            if try !known.areAll(.listening, isAsked) { return false }
          }
        }
        var isStill = false
        if wasStill || round >= watched && transport == .udp {
          if try !known.areAll(.all, isAsked) { return false }
        } else if round >= watched {
          for table in [SocketStates.listening, .bound, .connections].shuffled() {
            if try !known.areAll(table, isAsked) { return false }
          }
        } else {
          let look = try Stillness.during(transport, counts) { () throws(NetlinkError) in
            try known.areAll(.all, isAsked)
          }
          if !look.value { return false }
          isStill = look.isSure
        }
        let isQuiet = ends.tellOfNone()
        wasStill = wasStill || isStill && isQuiet
        hasEnded = hasEnded || !isQuiet && ends.areTold
        if wasStill, !changeable || round + 1 >= ofChangeable { return true }
      }
    } catch {
      throw PortwhyError(error)
    }
    // Who watches the dumps (/proc/net/netlink shows them to everybody) can have a socket end during each.
    return !hasEnded
  }
}

extension SecondLook {
  /// How often a refusal that rests on options which may have changed meanwhile has to be seen again: one that changes to and
  /// fro is met so by each with a chance of a quarter, or of a half where a processor is short.
  private static let ofRefusals = 16
  /// The same beside so many sockets that a dump takes long.
  private static let ofCrowds = 4
  /// Of how many of the sockets in the way of one bind: any of them is enough.
  private static let mostTorn = 8
  /// Of how many in all: a range of ports may have thousands. What is left is as sure as the first look.
  private static let mostAsked = 128
  /// Microseconds at most between two looks, at random, so that nothing keeps step with them.
  private static let pause: UInt32 = 300

  /// Whether the refusals that rest on such sockets alone are what other looks show too. One that had SO_REUSEADDR when its
  /// address was in the way, and none when it was not, has let every bind with it through.
  static func confirmsRefusals(
    _ report: Report, _ gathering: Gathering, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>,
    own: UInt64?, isAsked: (UInt16) -> Bool
  ) throws(PortwhyError) -> Bool {
    var torn: [SocketObservation] = []
    for target in report.targets where target.transport == transport {
      var places: Set<Int> = []
      for outcome in target.attempts.flatMap(\.outcomes) where outcome.restsOnTorn(target.sockets) {
        places.formUnion(outcome.blockers.prefix(mostTorn).map(\.socket))
      }
      torn += places.sorted().map { target.sockets[$0] }
    }
    torn = Array(torn.prefix(mostAsked))
    guard !torn.isEmpty else { return true }
    let sockets = gathering.sockets[transport] ?? []
    let known = KnownSockets(sockets, transport, ports, own: own)
    for _ in 0..<(sockets.count > KnownSockets.fewEnough ? ofCrowds : ofRefusals) {
      Clock.pause(microseconds: .random(in: 0...pause))
      // What an iterator told of a holder's socket is of a third moment, and is not asked again.
      let told = ProcessReader().confirm(torn)
      if !told.areAsSeen || !told.all { return false }
      Clock.pause(microseconds: .random(in: 0...pause))
      do throws(NetlinkError) {
        if try !known.areAll(.all, isAsked) { return false }
      } catch {
        throw PortwhyError(error)
      }
    }
    return true
  }
}

extension BindOutcome {
  /// Whether a port in use is refused, with an option, for nothing but sockets of which two moments may have been seen.
  fileprivate func restsOnTorn(_ sockets: [SocketObservation]) -> Bool {
    verdict == .fails(.addressInUse) && source != .probe && !options.isEmpty && !blockers.isEmpty
      && blockers.allSatisfy { sockets.indices.contains($0.socket) && sockets[$0.socket].mayBeTorn }
  }
}

/// Whether no look at these UDP sockets is a snapshot. connect(2) gives a socket of 0.0.0.0 or :: an address of its own, and
/// connect(2) to AF_UNSPEC takes it away again (`__udp_disconnect`), which nothing announces or counts. Two connected
/// sockets can take turns, so that one of them has the port for all addresses at any moment and the look meets each at the
/// other. A port's sockets lie in one place, which is locked while it is walked through, but each family is asked for by
/// itself, and what does not fit into one message comes with the next.
private func mayTakeTurns(_ sockets: [SocketObservation]) -> Bool {
  let connected = sockets.filter { $0.state == .established }
  // A message has a page (`NLMSG_GOODSIZE`), a socket takes 200 bytes of it.
  let areOfOneMessage = sockets.count <= 12 && connected.allSatisfy { $0.family == connected[0].family }
  return connected.count > 1 && !areOfOneMessage
}

/// The sockets of a dump.
private struct KnownSockets {
  private let inodes: Set<UInt64>
  /// What each is; a socket of MPTCP has one inode and many subflows.
  private let known: Set<Known>
  /// By cookie, where they are few enough to be compared in whole.
  private var places: [UInt64: Int] = [:]
  private let sockets: [SocketObservation]
  static let fewEnough = 1000
  private let transport: TransportProtocol
  private let listeners: Listeners
  private let listenedOn: Set<Port>
  private let ports: ClosedRange<UInt16>
  private let own: UInt64?

  private struct Known: Hashable {
    var inode: UInt64
    var port: Port
    var role: Role
  }

  /// What the rules tell apart.
  private enum Role {
    case listens
    case isBound
    case isConnected

    init(_ state: SocketState) {
      switch state {
      case .listen: self = .listens
      case .close: self = .isBound
      default: self = .isConnected
      }
    }
  }

  init(_ sockets: [SocketObservation], _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>, own: UInt64?) {
    self.transport = transport
    self.own = own
    inodes = Set(sockets.compactMap(\.inode))
    known = Set(
      sockets.compactMap { socket in
        socket.inode.map { Known(inode: $0, port: socket.local.port, role: Role(socket.state)) }
      })
    self.sockets = sockets
    if sockets.count <= Self.fewEnough {
      for (place, socket) in sockets.enumerated() { places[socket.cookie] = place }
    }
    listeners = Listeners(sockets)
    listenedOn = Set(sockets.lazy.filter { $0.state == .listen }.map(\.local.port))
    self.ports = ports
  }

  /// Whether another look shows no others in these states, and none that became something else.
  func areAll(_ states: SocketStates, _ isAsked: (UInt16) -> Bool) throws(NetlinkError) -> Bool {
    let dump = SocketDump()
    if states == .all, !places.isEmpty { return areAsKnown(try dump.sockets(transport, ports: ports), isAsked) }
    let unknown = try dump.glances(transport, states, ports: ports).filter { glance in
      guard let inode = glance.inode, inode != own else { return false }
      return !known.contains(Known(inode: inode, port: glance.port, role: Role(glance.state)))
        && isAsked(glance.port.rawValue)
    }
    guard !unknown.isEmpty else { return true }
    if transport == .udp || unknown.contains(where: { $0.inode.map(inodes.contains) == true }) { return false }
    // A connection that a listener has accepted meanwhile is nothing that moved.
    if unknown.contains(where: { $0.state == .listen || $0.state == .close || !listenedOn.contains($0.port) }) {
      return false
    }
    let new = Set(unknown.compactMap(\.inode))
    return try dump.sockets(.tcp, ports: ports).allSatisfy { socket in
      guard let inode = socket.inode, new.contains(inode) else { return true }
      return listeners.first(of: socket) != nil
    }
  }

  /// The same of all that a dump tells, of sockets without a holder too.
  private func areAsKnown(_ look: [SocketObservation], _ isAsked: (UInt16) -> Bool) -> Bool {
    look.allSatisfy { socket in
      guard isAsked(socket.local.port.rawValue), own == nil || socket.inode != own else { return true }
      if let place = places[socket.cookie] {
        let before = sockets[place]
        // A uid that nobody keeps any more, or that may be anybody's, is none.
        return before.local == socket.local && before.device == socket.device && before.family == socket.family
          && Role(before.state) == Role(socket.state)
          && (before.uid == nil || socket.uid == nil || before.uid == socket.uid)
      }
      // Kernels before 6.8 do not list those that are found through descriptors, without a cookie.
      if let inode = socket.inode,
        known.contains(Known(inode: inode, port: socket.local.port, role: Role(socket.state)))
      {
        return true
      }
      // A connection that a listener has accepted meanwhile is nothing that moved.
      return Role(socket.state) == .isConnected && transport == .tcp
        && listeners.first(of: socket) != nil
    }
  }
}

extension Judgement {
  /// The same where sockets moved each time they were looked at: no bind is a sure ok, and none is surely refused for what
  /// may have changed meanwhile.
  func doubtingWhatMoves() -> Judgement {
    var doubted = self
    doubted.outcomes = outcomes.map { outcomes in
      outcomes.map { $0.bind == .ok || $0.restsOnTorn(snapshot.sockets) ? $0.moving : $0 }
    }
    return doubted
  }
}

extension BindOutcome {
  /// The same where sockets moved while they were looked at: nothing is sure.
  var moving: BindOutcome {
    BindOutcome(
      options: options, bind: .undetermined, listen: listen.map { _ in .undetermined }, blockers: blockers,
      missing: [MissingFact(.movingSockets)])
  }
}
