package import BindRules
package import SocketModel

/// A remark that belongs to an attempt or a port but does not decide it.
public struct Note: Sendable, Hashable {
  /// The word of the report, `kind` in it.
  package var word: OpenWord<Kind>
  /// What it says: one sentence in lower case.
  public var text: String

  /// A note as a report has it.
  package init(word: OpenWord<Kind>, text: String) {
    self.word = word
    self.text = text
  }

  /// A note of a known kind.
  package init(kind: Kind, text: String) { self.init(word: .known(kind), text: text) }

  /// What it is about; nil for a kind of a newer version.
  public var kind: Kind? { word.known }
}

/// Something the reader of the answer can do. It is printed, never carried out.
public struct Suggestion: Sendable, Hashable {
  /// How sure it is that it helps.
  package enum Certainty: Sendable, Hashable {
    /// The rules, run on the changed situation, say that it works.
    case checked
    /// It works if this holds.
    case conditional(OpenWord<Condition>)

    package static func when(_ condition: Condition) -> Certainty { .conditional(.known(condition)) }
  }

  package var word: OpenWord<Kind>
  /// The socket option it is about; nil for none.
  package var optionWord: OpenWord<Option>?
  package var certainty: Certainty
  /// What to do, lower case, without a full stop.
  public var text: String
  /// What does it; nil where no one command does.
  public var command: Command?

  /// A suggestion as a report has it.
  package init(
    word: OpenWord<Kind>, option: OpenWord<Option>?, certainty: Certainty, text: String, command: Command?
  ) {
    self.word = word
    self.optionWord = option
    self.certainty = certainty
    self.text = text
    self.command = command
  }

  /// A suggestion of a known kind.
  package init(
    kind: Kind, option: Option? = nil, certainty: Certainty, text: String, command: Command? = nil
  ) {
    self.init(
      word: .known(kind), option: option.map(OpenWord.known), certainty: certainty, text: text, command: command)
  }

  /// What is to be done; nil for a kind of a newer version.
  public var kind: Kind? { word.known }
  /// Whether the rules, run on the changed situation, say that it works; else it works under a condition, said in `text`.
  public var isChecked: Bool { certainty == .checked }
  /// nil for no option, and for one that this version does not know.
  package var option: Option? { optionWord?.known }
}

/// What stands behind the outcomes of one attempt, as data; the renderers turn it into a screen or JSON.
public struct Diagnosis: Sendable, Hashable {
  /// Who has the port, or what keeps it from being bound: one line, the users by number.
  package var headline: String
  /// The cause as the report names it; nil where nothing fails or surprises.
  package var causeWord: OpenWord<Cause>?
  /// The reason where the headline does not say it, in a sentence or two; lower case.
  public var why: [String]
  /// Who gets the traffic where the planned socket shares its port.
  public var deliveries: [Delivery]
  /// Remarks that do not decide it.
  public var notes: [Note]
  /// Best first.
  public var suggestions: [Suggestion]

  /// Without arguments it says nothing.
  package init(
    headline: String = "", cause: Cause? = nil, why: [String] = [], deliveries: [Delivery] = [], notes: [Note] = [],
    suggestions: [Suggestion] = []
  ) {
    self.headline = headline
    self.causeWord = cause.map(OpenWord.known)
    self.why = why
    self.deliveries = deliveries
    self.notes = notes
    self.suggestions = suggestions
  }

  /// nil where nothing fails or surprises, and for a cause that this version does not know.
  public var cause: Cause? { causeWord?.known }
}

/// The cause of what the planned bind would meet, the reason in words, and what can be done.
package func explain(_ situation: Situation) -> Diagnosis {
  guard let outcome = situation.outcome(situation.planned) else { return Diagnosis() }
  let deliveries = deliveries(situation, outcome)
  let cause = primaryCause(situation, outcome, deliveries)
  return Diagnosis(
    headline: Headline(situation.attempt.port, situation.attempt.transport, [situation]).first,
    cause: cause, why: why(situation, outcome, cause), deliveries: deliveries,
    notes: notes(situation, outcome: outcome) + ownershipNotes(situation) + holderRemarks(situation)
      + runtimeNotes(situation),
    suggestions: suggestions(situation, outcome, cause))
}

/// What one attempt is explained from: the rules' answers and the facts they were drawn from.
package struct Situation: Sendable, Hashable {
  /// The bind that was judged.
  package var attempt: BindAttempt
  /// The four outcomes, in the order of `ReuseOptions.combinations`.
  package var outcomes: [BindOutcome] {
    didSet { blockingSockets = inTheWay }
  }
  /// The options the user plans to set.
  package var planned: ReuseOptions {
    didSet { blockingSockets = inTheWay }
  }
  /// The sockets of the port, as given to the rules.
  package var snapshot: Snapshot {
    didSet {
      listeners = Listeners(snapshot.sockets)
      blockingSockets = inTheWay
    }
  }
  /// The sockets in the way of the planned bind; nearly every sentence asks for them.
  private(set) var blockingSockets: [SocketObservation] = []
  /// Every socket's role asks for it.
  private var listeners: Listeners
  /// Other ports, and every socket on them, for a free one to offer; nil where they were not looked at.
  package var nearby: NearbyPorts?
  /// The planned server's runtime (`--runtime`); nil where it was not said.
  package var runtime: Runtime?
  /// The options of the question, as the command line has them: without them a command that asks portwhy again would
  /// ask another question.
  package var questionOptions: [String]

  /// What is judged, what came of it and the facts; the rest where it is known.
  package init(
    attempt: BindAttempt, outcomes: [BindOutcome], planned: ReuseOptions, snapshot: Snapshot,
    nearby: NearbyPorts? = nil,
    runtime: Runtime? = nil, questionOptions: [String] = []
  ) {
    self.attempt = attempt
    self.outcomes = outcomes
    self.planned = planned
    self.snapshot = snapshot
    self.listeners = Listeners(snapshot.sockets)
    self.nearby = nearby
    self.runtime = runtime
    self.questionOptions = questionOptions
    blockingSockets = inTheWay
  }

  func outcome(_ options: ReuseOptions) -> BindOutcome? {
    outcomes.first { $0.options == options }
  }

  func socket(_ blocker: Blocker) -> SocketObservation { snapshot.sockets[blocker.socket] }

  private var inTheWay: [SocketObservation] { (outcome(planned)?.blockers ?? []).map { snapshot.sockets[$0.socket] } }

  func role(_ socket: SocketObservation) -> SocketRole {
    SocketRole(socket, host: snapshot.host, listeners: listeners)
  }

  /// What the rules say to a changed plan or situation.
  func verdict(
    _ options: ReuseOptions? = nil, _ attempt: BindAttempt? = nil, in snapshot: Snapshot? = nil
  ) -> CallResult {
    let changed = BindRules.outcomes(of: attempt ?? self.attempt, in: snapshot ?? self.snapshot)
    return changed.first { $0.options == options ?? planned }?.verdict ?? .undetermined
  }
}

/// Ports beside the one asked for, with every socket on them.
package struct NearbyPorts: Sendable, Hashable {
  /// The ports that were looked at.
  package var ports: ClosedRange<UInt16>
  /// What the kernel lists; options and owners need not be known.
  package var sockets: [SocketObservation]
  /// Those of `ports` that `/etc/services` gives to a service of the transport: never offered.
  package var named: Set<UInt16>

  /// Every socket on these ports, and which of them have a name.
  package init(ports: ClosedRange<UInt16>, sockets: [SocketObservation], named: Set<UInt16> = []) {
    self.ports = ports
    self.sockets = sockets
    self.named = named
  }
}

/// The reason where it is not obvious, in a sentence or two; who stands in the way, the headline says.
func why(_ situation: Situation, _ outcome: BindOutcome, _ cause: Cause?) -> [String] {
  // Its headline is the cause's own.
  if cause == .refusedByPolicy { return cause?.entry.reason(situation) ?? [] }
  switch outcome.verdict {
  case .ok, .fails(.accessDenied): return []
  case .fails(.addressInUse): return howTheyMeet(situation, cause) + (cause?.entry.reason(situation) ?? [])
  // The first sentence of what comes before the port is the headline.
  case .fails: return Array((cause?.entry.reason(situation) ?? []).dropFirst())
  case .undetermined: return howTheyMeet(situation, cause) + missingFacts(situation, outcome, cause)
  }
}

/// Why a fact is missing, or what hangs on it; the first line names the facts themselves, and the table says why a flag
/// is not known.
private func missingFacts(_ situation: Situation, _ outcome: BindOutcome, _ cause: Cause?) -> [String] {
  let kinds = Set(outcome.missing.map(\.kind))
  var sentences: [String] = []
  if kinds.contains(.bindOrder) {
    if let cause, [.reuseportMissing, .reuseportOtherUser, .udpMixedOptions].contains(cause) {
      sentences += cause.entry.reason(situation)
    }
    sentences.append(orderSentence(situation, cause))
  }
  if kinds.contains(.layer3Domain) {
    sentences.append("it depends on the VRF in which each socket was bound, which BPF iterators may tell root")
  }
  if kinds.contains(.reuseportGroup) {
    sentences.append("32768 sockets share the port by SO_REUSEPORT, and more the kernel lets into no group")
  }
  if kinds.contains(.boundSockets) {
    sentences.append("this kernel lists no sockets that are bound and do not listen, and only root finds them all")
  }
  if kinds.contains(.uid) {
    sentences.append("the user of a socket in the way is not visible from this user namespace")
  }
  return sentences
}

private func orderSentence(_ situation: Situation, _ cause: Cause?) -> String {
  guard situation.attempt.transport == .tcp else {
    return "it depends on the order of earlier binds: the first UDP socket in the kernel's chain decides"
  }
  if cause == .reuseportMissing || cause == .reuseportOtherUser {
    return
      "so it fails, unless an earlier SO_REUSEPORT socket of uid \(situation.attempt.uid) is what the kernel remembers"
      + " of the port"
  }
  return "it depends on the order of earlier binds: the kernel remembers the last SO_REUSEPORT user of a port"
}

/// Why two addresses that are written differently collide; empty where they are the same.
private func howTheyMeet(_ situation: Situation, _ cause: Cause?) -> [String] {
  let attempt = situation.attempt
  let sockets = situation.blockingSockets
  if let meeting = cause?.entry.meeting { return [meeting] }
  let named = sockets.filter { [.listener, .bound, .udp].contains(situation.role($0)) && $0.remote == nil }
  let overlaps = named.map { (socket: $0, kind: AddressOverlap(attempt, $0)) }
  guard !overlaps.contains(where: { $0.kind == .same }) else { return [] }
  // Each sentence is about a socket that meets the attempt in this way, and so of the family it speaks of.
  if let other = overlaps.first(where: { $0.kind == .wildcard })?.socket.local.address.plain {
    let planned = attempt.address.plain
    return [covers(planned.isUnspecified ? planned : other, planned.isUnspecified ? other : planned)]
  }
  guard let other = overlaps.first(where: { $0.kind == .dualStack })?.socket else { return [] }
  if attempt.address.plain.family == .ipv6 {
    return ["with IPV6_V6ONLY off, a socket on [\(attempt.address)] takes the port for IPv4 too"]
  }
  let place = "[\(other.local.address)]:\(attempt.port)"
  return other.v6only?.sure == false
    ? ["with IPV6_V6ONLY off, the socket on \(place) has the port for IPv4 too"]
    : ["unless IPV6_V6ONLY is on there, the socket on \(place) has the port for IPv4 too"]
}

/// That the wildcard takes in another address of its family.
private func covers(_ wildcard: IPAddress, _ other: IPAddress) -> String {
  let family = wildcard.family == .ipv4 ? "IPv4" : "IPv6"
  return other.isMulticast
    ? "\(wildcard) stands for whatever \(family) address or group is sent to, the group \(other) included"
    : "\(wildcard) stands for every \(family) address of the host, \(other) included"
}

// MARK: Who is in the way

/// Who stands in the way and what it is doing there, a sentence for each role that a socket can have.
///
/// - Parameter holder: how the holder of a socket is written.
func whoIsInTheWay(
  _ sockets: [SocketObservation], _ situation: Situation, holder: (SocketObservation) -> String
) -> [String] {
  let order: [SocketRole] = [.listener, .bound, .udp, .selfConnection, .client, .serverConnection, .timeWait]
  let groups = Dictionary(grouping: sockets, by: situation.role)
  return order.compactMap { role in
    // What belongs to a listener that is there is not worth a word beside it.
    if groups[.listener] != nil, SocketRole.remains.contains(role) { return nil }
    return groups[role].map { sentence(role, $0, holder) }
  }
}

private func sentence(
  _ role: SocketRole, _ sockets: [SocketObservation], _ holder: (SocketObservation) -> String
) -> String {
  let first = sockets[0]
  let many = sockets.count > 1
  let addresses = Array(Set(sockets.map(\.local.text))).sorted().listed()
  var named: Set<String> = []
  let isHeld = sockets.contains { $0.owner != .none }
  let holders = sockets.filter { !isHeld || $0.owner != .none }.map(holder).filter { named.insert($0).inserted }
  let areMany = holders.count > 1 || sockets.contains { $0.activation == nil && $0.processes.count > 1 }
  let holder = holders.listed()
  switch role {
  case .listener where first.isHeldByDifferentPrograms:
    let names = first.processes.map(\.text).listed(atMost: 3)
    return "\(names) hold a socket that listens on \(addresses)"
  case .listener: return "\(holder) \(areMany ? "listen" : "listens") on \(addresses)"
  case .bound: return "\(holder) bound \(addresses) and \(areMany ? "do" : "does") not listen"
  case .udp: return "\(holder) \(areMany ? "have" : "has") \(addresses) bound"
  case .selfConnection: return "\(holder) \(areMany ? "are" : "is") connected to itself on \(first.local.text)"
  case .client:
    let peers = sockets.compactMap { $0.remote?.text }.listed()
    return
      "\(holder) \(areMany ? "use" : "uses") it as the local end of \(many ? "connections" : "a connection") to \(peers)"
  case .serverConnection:
    let states = Array(Set(sockets.map(\.state.description))).sorted().listed()
    let held = sockets.filter { $0.owner != .none }.count
    let by = held == 0 ? "" : "\(held == sockets.count ? ", held by" : ", some held by") \(holder)"
    return "\(counted(sockets.count, "connection")) of a server \(many ? "are" : "is") still there (\(states)\(by))"
  case .timeWait:
    let left = sockets.secondsLeft.map { ", \($0) s left" } ?? ""
    return "\(counted(sockets.count, "closed connection")) \(many ? "wait" : "waits") (TIME_WAIT\(left))"
  case .request: return "a handshake is going on"
  }
}

/// Who gets the traffic where the planned bind works; empty where it would have the port alone, and where it fails.
func deliveries(_ situation: Situation, _ outcome: BindOutcome) -> [Delivery] {
  outcome.verdict == .ok ? deliveriesBesideOthers(situation, outcome) : []
}

extension Situation {
  /// The call that this place refuses to the planned socket, whatever the port, and what it fails with; nil where each is
  /// let pass.
  var refusedCall: (name: String, errno: SystemError)? {
    let (host, fresh) = (snapshot.host, snapshot.host.freshSocket(attempt.transport, attempt.family))
    if let errno = fresh?.refusal { return ("socket() of \(attempt.family == .ipv4 ? "IPv4" : "IPv6")", errno) }
    if let odd = fresh?.refusedOption(planned), let errno = odd.refusal {
      return ("setsockopt() of \(odd.name.rawValue)", errno)
    }
    if let errno = attempt.v6onlyRefusal { return ("setsockopt() of IPV6_V6ONLY", errno) }
    if let errno = fresh?.odd(.device)?.refusal, fresh?.device == nil, attempt.device != nil {
      return ("setsockopt() of SO_BINDTODEVICE", errno)
    }
    if let errno = host.filteredCalls?.bind { return ("bind()", errno) }
    return host.filteredCalls?.listen.map { ("listen()", $0) }
  }
}
