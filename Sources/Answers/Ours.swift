import BindRules
import Explanation
package import SocketModel

// `--ours`: whether only one's own server is in the way. A conclusion from the facts of the report alone, so that it is the
// same on this host and from a saved report.

/// What makes the holder of a socket one's own; `description` is the word of the command line.
package enum OursPredicate: Sendable, Hashable, CustomStringConvertible {
  /// A systemd unit by its name: the system manager's, or with `@UID` behind it that of a user's manager.
  case unit(String)
  /// The user of the process, by name or number; without `uid` it is nobody's here.
  case user(String, uid: UInt32?)
  /// The name of a container of root's engine, or the beginning of its id; with `@UID` behind it of a user's own engine.
  case container(String)
  /// The path of the program, also of one whose file was replaced.
  case executable(String)
  /// A process that works in this directory.
  case workingDirectory(String)
  /// The process with this number, or one that it started, directly or not.
  case process(Int32)
  /// The same for the number that a file has; nil where there is no such file.
  case processFile(String, pid: Int32?)

  /// `unit=nginx.service`.
  package var description: String {
    switch self {
    case .unit(let name): "unit=\(name)"
    case .user(let name, _): "user=\(name)"
    case .container(let name): "container=\(name)"
    case .executable(let path): "exe=\(path)"
    case .workingDirectory(let path): "cwd=\(path)"
    case .process(let pid): "pid=\(pid)"
    case .processFile(let path, _): "pidfile=\(path)"
    }
  }

  /// Whether a process that holds the socket is one's own.
  func matches(_ process: ProcessRecord, of socket: SocketObservation) -> Bool {
    // Of whom nothing is known only his number counts.
    if process.isUnread {
      switch self {
      case .process(let pid), .processFile(_, let pid?): return process.pid == pid
      default: return false
      }
    }
    switch self {
    case .unit(let name):
      // systemd holds the sockets of a socket unit for the service that it starts.
      let (name, manager) = Self.whose(name)
      return process.unit == name && process.userManager == manager
        || socket.activation.map { ($0.unit == name || $0.activates == name) && $0.userManager == manager } ?? false
    case .user(_, let uid):
      // The process may have given up what made the socket: then root did. One that any user starts as another
      // (set-user-ID) may hold what that user made.
      guard let uid, (process.uid ?? socket.uid) == uid else { return false }
      return socket.uid.map { $0 == uid || $0 == 0 } ?? true
    case .container(let name):
      let (name, manager) = Self.whose(name)
      return process.userManager == manager
        && (process.containerName == name || process.container.map { $0.hasPrefix(name) } ?? false)
    case .executable, .workingDirectory: return names(process) && process.hasHostPaths == true
    case .process(let pid), .processFile(_, let pid?):
      return process.pid == pid || process.parent == pid
        || process.parents?.contains { $0.pid == pid && pid != 1 } ?? false
    case .processFile(_, nil): return false
    }
  }

  /// Whether the process itself calls its program or directory so.
  func names(_ process: ProcessRecord) -> Bool {
    switch self {
    case .executable(let path): process.executable == path || process.executable == path + " (deleted)"
    case .workingDirectory(let path): process.workingDirectory == path
    default: false
    }
  }

  /// The name, and the user below whose manager it counts: whoever has one names units and containers there as he likes.
  private static func whose(_ word: String) -> (name: String, manager: UInt32?) {
    guard let at = word.utf8.lastIndex(of: UInt8(ascii: "@")), let uid = UInt32(word[word.utf8.index(after: at)...])
    else { return (word, nil) }
    return (String(word[..<at]), uid)
  }

  /// Whether a socket without a process was made where one's own server runs: in the control group of its unit.
  func matchesMaker(of socket: SocketObservation) -> Bool {
    guard case .unit(let word) = self, let group = socket.cgroup else { return false }
    let (name, manager) = Self.whose(word)
    var groups = group.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }[...]
    if let manager {
      let own = ["user.slice", "user-\(manager).slice", "user@\(manager).service"]
      guard groups.starts(with: own) else { return false }
      groups = groups.dropFirst(own.count)
    }
    // The first below the slices is the manager's: what lies below a unit, that has named.
    return groups.first { !$0.hasSuffix(".slice") } == name
  }
}

/// Whether the sockets in the way are one's own.
package struct OursFinding: Sendable, Hashable {
  /// The word of the report where it decides.
  package static let verdictWord = "ours"

  /// The predicates that match a holder of a socket in the way, as they were given.
  package var matched: [String]
  /// Every socket in the way is one's own, and the bind would work without them: the verdict is `ours`.
  package var decides: Bool

  /// What was found.
  package init(matched: [String], decides: Bool) {
    self.matched = matched
    self.decides = decides
  }
}

extension TargetReport {
  /// Sets `ours`, and says of holders that are somebody else's that they are.
  package mutating func decideOurs(_ predicates: [OursPredicate], _ host: HostFacts, _ visibility: Visibility) {
    let claim = OursClaim(predicates: predicates, sockets: sockets)
    let snapshot = Snapshot(
      host: host, visibility: visibility, sockets: sockets.filter { !claim.isOurs($0) }, buckets: buckets,
      isChainOrdered: isChainOrdered, wildcardMissesAddresses: wildcardMissesAddresses)
    let open = attempts.filter { $0.outcome(plan.options)?.verdict != .ok }
    let inTheWay = planBlockers
    let others = inTheWay.filter { !claim.isOurs($0) }
    let decides =
      !open.isEmpty && others.isEmpty
      && open.allSatisfy { claim.explains($0, planned: plan.options, without: snapshot) }
    ours = OursFinding(
      matched: predicates.filter { claim.matches($0, oneOf: inTheWay) }.map(\.description),
      decides: decides)
    notes.removeAll { $0.kind == .notOurs }
    if decides {
      sayOurs(host, visibility)
    } else {
      let foreign = others.map(claim.foreign)
      let isDoubted = foreign.flatMap(\.processes).contains { process in
        predicates.contains { $0.names(process) }
      }
      if let note = notOursNote(foreign, predicates.map(\.description), isDoubted: isDoubted) { notes.append(note) }
    }
  }

  /// What a saved report says of one's own stays as long as nothing else has come into the way.
  mutating func keepOurs(from saved: TargetReport, _ host: HostFacts, _ visibility: Visibility) {
    guard let finding = saved.ours, verdict != .ok else { return ours = nil }
    let before = Set(saved.planBlockers.map(\.cookie))
    let isLikeBefore =
      !before.isEmpty && planBlockers.allSatisfy { before.contains($0.cookie) } && !planBlockers.isEmpty
    ours = OursFinding(matched: finding.matched, decides: finding.decides && isLikeBefore)
    if isOurs { sayOurs(host, visibility) }
  }

  /// There is nothing to be done, and what would be `taken` is `ours`.
  private mutating func sayOurs(_ host: HostFacts, _ visibility: Visibility) {
    let snapshot = Snapshot(
      host: host, visibility: visibility, sockets: sockets, buckets: buckets, isChainOrdered: isChainOrdered)
    for index in attempts.indices {
      attempts[index].explanation.suggestions = []
      guard !attempts[index].explanation.headline.isEmpty else { continue }
      var words = Headline(
        port, transport,
        [
          Situation(
            attempt: attempts[index].attempt, outcomes: attempts[index].outcomes, planned: plan.options,
            snapshot: snapshot, runtime: plan.runtime)
        ])
      words.ours = ours?.matched
      attempts[index].explanation.headline = words.first
    }
  }
}

/// What is one's own among the sockets of a port.
private struct OursClaim {
  let predicates: [OursPredicate]
  private let sockets: [SocketObservation]
  private let listeners: Listeners
  /// Those that are somebody else's.
  private var foreignListeners: Listeners

  init(predicates: [OursPredicate], sockets: [SocketObservation]) {
    self.predicates = predicates
    self.sockets = sockets
    listeners = Listeners(sockets) { $0.owner != .none }
    foreignListeners = listeners
    foreignListeners = Listeners(sockets) { $0.owner != .none && !isOurs($0) }
  }

  /// Every process that holds the socket matches; a socket without one goes with its listener or its unit.
  func isOurs(_ socket: SocketObservation) -> Bool {
    switch socket.owner {
    case .process: !socket.processes.isEmpty && socket.processes.allSatisfy { isOurs($0, of: socket) }
    case .none: predicates.contains { $0.matchesMaker(of: socket) } || listenersAreOurs(of: socket)
    case .kernel, .hidden: false
    }
  }

  private func isOurs(_ process: ProcessRecord, of socket: SocketObservation) -> Bool {
    predicates.contains { $0.matches(process, of: socket) }
  }

  /// All that could have accepted it, and there is one.
  private func listenersAreOurs(of socket: SocketObservation) -> Bool {
    listeners.first(of: socket) != nil && foreignListeners.first(of: socket) == nil
  }

  /// Whether the predicate is a reason why one of these sockets is one's own.
  func matches(_ predicate: OursPredicate, oneOf inTheWay: [SocketObservation]) -> Bool {
    func isReason(_ socket: SocketObservation) -> Bool {
      predicate.matchesMaker(of: socket) || socket.processes.contains { predicate.matches($0, of: socket) }
    }
    if inTheWay.contains(where: isReason) { return true }
    let listeners = Listeners(sockets, where: isReason)
    return inTheWay.contains { $0.owner == .none && listeners.first(of: $0) != nil }
  }

  /// Without one's own sockets the bind works, as far as can be seen.
  func explains(_ attempt: AttemptReport, planned: ReuseOptions, without snapshot: Snapshot) -> Bool {
    guard let outcome = attempt.outcome(planned), !outcome.blockers.isEmpty,
      let after = outcomes(of: attempt.attempt, in: snapshot).first(where: { $0.options == planned })
    else { return false }
    switch after.verdict {
    case .ok: return true
    case .fails: return false
    // What hides on old kernels hides from every look of this reader; the socket that is seen to be in the way is not.
    case .undetermined:
      return outcome.verdict != .undetermined && after.missing.allSatisfy { $0.kind == .boundSockets }
    }
  }

  /// The socket with those of its holders alone that are somebody else's.
  func foreign(_ socket: SocketObservation) -> SocketObservation {
    var rest = socket
    rest.processes = socket.processes.filter { !isOurs($0, of: socket) }
    return rest
  }
}
