package import BindRules
package import SocketModel

/// The first two lines of an answer: who has the port and what it is doing, then what happens to the planned bind.
package struct Headline {
  private var port: Port
  private var last: Port?
  private var transport: TransportProtocol
  private var situations: [Situation]
  /// The predicates that match, where nothing but one's own server is in the way (`--ours`); else nil.
  package var ours: [String]?
  /// What a call that was made tells and the rules do not (`Diagnosis.ofCall`); nil where they explain it.
  package var ofCall: String?
  /// When the sockets were looked at, in seconds since the epoch; nil where no time is to be said.
  private var now: Double?
  /// How the reader's screen writes an address; harmless already.
  private var address: (BindAttempt) -> String
  /// How the reader's screen names a user; harmless already.
  private var user: (UInt32) -> String

  /// - Parameters:
  ///   - last: the last of a row of ports that nobody uses, which share the answer; nil for one port.
  ///   - situations: one for each address, of one port; empty where there is nothing to attempt.
  package init(
    _ port: Port, through last: Port? = nil, _ transport: TransportProtocol, _ situations: [Situation],
    at now: Double? = nil, address: @escaping (BindAttempt) -> String = { $0.plainText },
    user: @escaping (UInt32) -> String = { "uid \($0)" }
  ) {
    self.port = port
    self.last = last
    self.transport = transport
    self.situations = situations
    self.now = now
    self.address = address
    self.user = user
  }

  private var subject: String { "\(port)\(last.map { "-\($0)" } ?? "")/\(transport.rawValue)" }

  /// Whether there is nothing to say but that the port is free.
  package var isFree: Bool {
    !situations.isEmpty
      && situations.allSatisfy { situation in
        situation.snapshot.sockets.isEmpty && situation.snapshot.visibility.boundSocketsComplete
          && situation.outcomes.allSatisfy { $0.verdict == .ok }
      }
  }

  // MARK: The first line

  /// Who has the port, or what keeps it from being bound.
  package var first: String {
    guard let some = situations.first else { return "\(subject): nothing to attempt" }
    if let ofCall { return "\(subject): \(ofCall)" }
    if isFree { return "\(subject) \(last == nil ? "is" : "are") free" }
    let failing = situations.filter { $0.plannedVerdict.errno != nil }
    let inUse = failing.filter { $0.plannedVerdict.errno == .addressInUse }
    if !inUse.isEmpty { return taken(inUse) }
    if let refused = failing.first { return refusal(refused) }
    let open = situations.filter { $0.plannedVerdict == .undetermined }
    if !open.isEmpty { return unsettled(open) }
    let sharing = situations.flatMap { ($0.outcome([])?.blockers ?? []).map($0.socket) }
    if !some.planned.isEmpty, !sharing.isEmpty { return shared(sharing, some) }
    return some.snapshot.sockets.isEmpty
      ? "\(subject) is free" : "\(subject) is free there: no socket of the port is in the way"
  }

  private func taken(_ situations: [Situation]) -> String {
    let sockets = unique(situations.flatMap(\.blockingSockets))
    guard let some = situations.first, !sockets.isEmpty else {
      return "\(subject) is taken by a socket that cannot be seen"
    }
    return "\(subject) is \(heldBy(sockets, some))"
  }

  /// `taken: …`, or for what no process holds any more, `held by nobody, but …`.
  private func heldBy(_ sockets: [SocketObservation], _ situation: Situation) -> String {
    let sentences = whoIsInTheWay(sockets, situation, holder: holder)
    let isLeftOver = sockets.allSatisfy { $0.owner == .none && !$0.isQueuedChild }
    guard isLeftOver else { return "\(ours.map(oursText) ?? "taken"): " + sentences.joined(separator: "; ") }
    return "held by nobody, but " + sentences.joined(separator: "; ")
  }

  private func shared(_ sockets: [SocketObservation], _ situation: Situation) -> String {
    let sockets = unique(sockets)
    let receives = sockets.contains { $0.state == .listen || $0.transport == .udp || $0.state == .close }
    guard receives else { return "\(subject) is \(heldBy(sockets, situation))" }
    return "\(subject) is shared: " + whoIsInTheWay(sockets, situation, holder: holder).joined(separator: "; ")
  }

  private func unsettled(_ situations: [Situation]) -> String {
    let sockets = unique(situations.flatMap(\.blockingSockets))
    guard let some = situations.first, !sockets.isEmpty else {
      let hides = situations.contains {
        $0.outcome($0.planned)?.missing.contains { $0.kind == .boundSockets } ?? false
      }
      return "\(subject): " + (hides ? "nothing visible is in the way" : "what decides is not known")
    }
    return "\(subject) is \(ours.map(oursText) ?? "in use"): "
      + whoIsInTheWay(sockets, some, holder: holder).joined(separator: "; ")
  }

  /// An error before the port is looked at.
  private func refusal(_ situation: Situation) -> String {
    guard situation.lacksPrivilege else {
      let reason = primaryCause(situation)?.entry.reason(situation).first
      return "\(subject) cannot be bound" + (reason.map { ": \($0)" } ?? "")
    }
    let start = situation.snapshot.host.unprivilegedPortStart ?? 1024
    // There is a user of that name.
    let name = user(situation.attempt.uid)
    let who = name == "nobody" ? "the user nobody" : name
    let need = "ports below \(start) need CAP_NET_BIND_SERVICE"
    return situation.snapshot.sockets.isEmpty
      ? "\(subject) is free, but \(who) may not bind it (EACCES): \(need)"
      : "\(subject): \(who) may not bind it (EACCES), as \(need)"
  }

  private func unique(_ sockets: [SocketObservation]) -> [SocketObservation] {
    var seen = Set<SocketObservation>(minimumCapacity: sockets.count)
    return sockets.filter { seen.insert($0).inserted }
  }

  // MARK: The holder

  /// `nginx (pid 812 and 3 more, www-data, in nginx.service)`: once on the screen with all that is known.
  private func holder(_ socket: SocketObservation) -> String {
    guard socket.owner == .process, var first = socket.processes.first else { return socket.holderText }
    // Of whom nothing is known the maker of the socket says nothing.
    if !first.isUnread { first.uid = first.uid ?? socket.uid }
    return story(
      of: first, at: now, user: user, others: socket.processes.count - 1, activation: socket.activation)
  }

  // MARK: The second line

  /// What happens to the planned bind, and which options would change it.
  package var second: String {
    guard let some = situations.first else { return "" }
    let groups = groups
    let refused = situations.filter(\.lacksPrivilege)
    if ofCall == nil, refused.count == situations.count { return asRoot(refused) }
    let bind = "a bind" + (some.planned.isEmpty ? "" : " with \(some.planned.names)") + " to "
    let who = " as \(user(some.attempt.uid))"
    return groups.enumerated().map { offset, group in
      let addresses = group.map { address($0.attempt) }.listed(atMost: .max, group.count > 1 ? "or" : "and")
      return (offset == 0 ? bind + addresses + who : "to \(addresses) it") + " " + ending(group)
    }.joined(separator: "; ")
  }

  /// What whoever has the right would get instead.
  private func asRoot(_ refused: [Situation]) -> String {
    let verdicts = refused.map { situation -> CallResult in
      var permitted = situation.attempt
      permitted.mayBindPrivileged = true
      permitted.uid = 0
      return situation.verdict(nil, permitted)
    }
    if let errno = verdicts.lazy.compactMap(\.errno).first {
      let sockets = unique(
        refused.flatMap { situation -> [SocketObservation] in
          var permitted = situation.attempt
          permitted.mayBindPrivileged = true
          permitted.uid = 0
          let outcome = outcomes(of: permitted, in: situation.snapshot).first { $0.options == situation.planned }
          return (outcome?.blockers ?? []).map(situation.socket)
        })
      let who = refused.first.map { whoIsInTheWay(sockets, $0, holder: holder).joined(separator: "; ") } ?? ""
      return "as root it fails too (\(errno))" + (who.isEmpty ? "" : ": \(who)")
    }
    return verdicts.contains(.undetermined) ? "as root it is undetermined" : "as root it works"
  }

  /// The situations that end alike with every combination, in their order.
  private var groups: [[Situation]] {
    var groups: [(results: [String], situations: [Situation])] = []
    for situation in situations {
      let results = ReuseOptions.combinations.map { options in
        situation.outcome(options)?.resultText ?? ""
      }
      if let index = groups.firstIndex(where: { $0.results == results }) {
        groups[index].situations.append(situation)
      } else {
        groups.append((results, [situation]))
      }
    }
    return groups.map(\.situations)
  }

  private func ending(_ group: [Situation]) -> String {
    guard let first = group.first else { return "" }
    return Ending(
      first.outcomes, planned: first.planned,
      missing: group.flatMap { $0.outcome($0.planned)?.missing ?? [] }, isFree: isFree
    ).text
  }
}

extension Situation {
  var plannedVerdict: CallResult { outcome(planned)?.verdict ?? .undetermined }

  /// EACCES for the number of the port; a seccomp filter may answer a call so.
  fileprivate var lacksPrivilege: Bool {
    plannedVerdict.errno == .accessDenied && refusedCall?.errno != .accessDenied
  }
}

extension CallResult {
  /// The error; nil where it is none.
  var errno: SystemError? {
    if case .fails(let errno) = self { errno } else { nil }
  }
}

extension BindAttempt {
  /// `127.0.0.1`, `[::1]`.
  package var plainText: String {
    switch address {
    case .v4(let address): address.description
    case .v6(let address): "[\(address)]"
    }
  }
}

/// Who a process is and since when, in one line: `python3 (pid 1363, alice, since 3 hours, in ~/shop)`.
///
/// Its socket unit, its container or its service, where it has one, says more than its working directory. What comes
/// from other processes is not escaped here.
///
/// - Parameters:
///   - now: when it was looked at, in seconds since the epoch; nil where no time is to be said.
///   - user: how a user is written.
///   - others: how many more processes hold the same socket.
package func story(
  of process: ProcessRecord, at now: Double?, user: (UInt32) -> String, others: Int = 0,
  activation: SocketActivation? = nil
) -> String {
  let more = others > 0 ? " and \(others) more" : ""
  var parts = ["pid \(process.pid)\(more)"]
  if let uid = process.uid { parts.append(user(uid)) }
  if let now, let started = process.startedAt { parts.append("since \(duration(now - started))") }
  if let activation {
    parts.append("for \(activation.unit)")
  } else if let place = process.place(user) {
    parts.append(place)
  }
  return "\(commandText(process.command)) (\(parts.joined(separator: ", ")))"
}

/// A time in its largest whole unit: `1 second`, `3 hours`, `12 days`; a time of the future is none.
package func duration(_ seconds: Double) -> String {
  let whole = Int(max(0, min(seconds, 1e12)))
  let (number, unit) =
    switch whole {
    case ..<120: (whole, "second")
    case ..<7200: (whole / 60, "minute")
    case ..<172_800: (whole / 3600, "hour")
    default: (whole / 86_400, "day")
    }
  return counted(number, unit)
}

extension ProcessRecord {
  /// Where it belongs, in the words that lead there.
  fileprivate func place(_ user: (UInt32) -> String) -> String? {
    if let container {
      return "\(publishesForContainer ? "for" : "in") container \(containerName ?? shortContainer(container))"
    }
    if let target = forwardsTo { return "for \(target.text)" }
    if servesLogin { return "for an ssh login" }
    if let unit, unit.hasSuffix(".service") { return "in \(unit)" }
    guard let workingDirectory, workingDirectory != "/" else { return nil }
    let name = uid.map(user)
    let home = name.map { $0 == "root" ? "/root" : "/home/\($0)" }
    guard let home, workingDirectory == home || workingDirectory.hasPrefix(home + "/") else {
      return "in \(placeText(workingDirectory))"
    }
    return "in \(placeText("~" + workingDirectory.dropFirst(home.count)))"
  }
}

extension Diagnosis {
  /// The headline's words for a policy's refusal, and for what only a call that was made could tell; nil where the rules
  /// explain what it met.
  package var ofCall: String? {
    switch cause {
    case .refusedByPolicy?, .goneMeanwhile?, .alreadyBound?: cause?.entry.text.title
    default: notes.contains { $0.kind == .unexplained } ? "what made the call fail is not known" : nil
    }
  }
}
