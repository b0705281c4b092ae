public import BindRules
public import Explanation
public import SocketModel

/// One attempt with its four outcomes and the explanation of the planned one.
public struct AttemptReport: Sendable, Hashable {
  /// What was judged.
  public var attempt: BindAttempt
  /// In the order of `ReuseOptions.combinations`.
  public var outcomes: [BindOutcome]
  /// Why the planned combination ends as it does, and what helps.
  public var explanation: Diagnosis
  /// Real binds that answered otherwise than sure rules: bugs to be reported. Empty unless it was probed.
  package var contradictions: [ProbeContradiction]
  /// What other systems would answer (`Question.systems`), in the order asked.
  package var foreign: [ForeignReport] = []

  /// An attempt that was not probed.
  package init(
    attempt: BindAttempt, outcomes: [BindOutcome], explanation: Diagnosis = Diagnosis(),
    contradictions: [ProbeContradiction] = []
  ) {
    self.attempt = attempt
    self.outcomes = outcomes
    self.explanation = explanation
    self.contradictions = contradictions
  }

  /// The outcome of this combination of options; nil only in a report that lacks it.
  public func outcome(_ options: ReuseOptions) -> BindOutcome? {
    outcomes.first { $0.options == options }
  }
}

/// The answer for one port of one protocol.
public struct TargetReport: Sendable, Hashable {
  /// The protocol asked about.
  public var transport: TransportProtocol
  /// The port asked about.
  public var port: Port
  /// What the planned socket is like.
  public var plan: Plan
  /// bind and listen of the planned combination over all attempts; nil in the overview.
  public var verdict: CallResult?
  /// Every socket of the port; `Blocker.socket` is an index into this.
  public var sockets: [SocketObservation]
  /// One for each address; empty in the overview.
  public var attempts: [AttemptReport]
  /// Notes that belong to the port, not to one attempt (sockets of the other protocol, a skipped family).
  public var notes: [Note]
  /// The bind buckets that the verdict used, of `Snapshot.buckets`.
  package var buckets: [BindBucket]
  /// `Snapshot.isChainOrdered`.
  package var isChainOrdered: Bool
  /// `Snapshot.wildcardMissesAddresses`.
  package var wildcardMissesAddresses: Bool?
  /// Connections of a port that somebody holds, in an overview that is for a table of ports: not among `sockets`.
  package var unlistedConnections = 0
  /// Whether what is in the way is one's own; nil where nobody said what that is (`Question.ours`). Where it decides, the
  /// verdict of the report is `ours`, whatever bind(2) would answer now.
  package var ours: OursFinding?

  /// A target of the overview where it has no attempts.
  package init(
    transport: TransportProtocol, port: Port, plan: Plan, verdict: CallResult?, sockets: [SocketObservation],
    attempts: [AttemptReport], notes: [Note] = [], buckets: [BindBucket] = [],
    isChainOrdered: Bool = false, wildcardMissesAddresses: Bool? = nil
  ) {
    self.transport = transport
    self.port = port
    self.plan = plan
    self.verdict = verdict
    self.sockets = sockets
    self.attempts = attempts
    self.notes = notes
    self.buckets = buckets
    self.isChainOrdered = isChainOrdered
    self.wildcardMissesAddresses = wildcardMissesAddresses
  }
}

/// A whole answer: what was seen of the host, and one target for each port and protocol asked for.
public struct Report: Sendable, Hashable {
  /// The name of the JSON form, `schema` in it.
  package static let schema = "portwhy.report/1"

  /// The version of portwhy that looked.
  public var version: String
  /// Seconds since the epoch, UTC.
  public var capturedAt: Double
  /// Every fact of the host that a verdict used.
  package var host: HostFacts
  /// Whether everything that matters could be seen.
  public var visibility: Visibility
  /// One for each port and protocol.
  public var targets: [TargetReport]
  /// The call of a program that is explained; nil where nothing was run.
  package var call: ReportedCall?

  /// An answer of that version.
  package init(
    version: String, capturedAt: Double, host: HostFacts, visibility: Visibility, targets: [TargetReport]
  ) {
    self.version = version
    self.capturedAt = capturedAt
    self.host = host
    self.visibility = visibility
    self.targets = targets
  }
}

/// What another system would answer to one attempt, and how that is said.
package struct ForeignReport: Sendable, Hashable {
  /// The answer.
  package var answer: ForeignAnswer
  /// Where it differs from Linux' own, and why.
  package var sentences: [ForeignSentence]
  /// What `foreignRemarks` says of the answer.
  package var remarks: [String]
}

extension Report {
  /// Answers each attempt under `systems` too, from the facts of the report alone: so a saved one is answered as well.
  mutating func addForeign(_ systems: [BSDSystem]) {
    if systems.isEmpty { return }
    for target in targets.indices {
      for attempt in targets[target].attempts.indices {
        targets[target].attempts[attempt].foreign = targets[target].foreignReports(
          targets[target].attempts[attempt], under: systems, host: host, visibility: visibility)
      }
    }
  }
}

/// What another system would answer to all that is planned.
package struct ForeignVerdict: Sendable, Hashable {
  /// The system.
  package var system: BSDSystem
  /// Of several attempts the first that fails, else one that is undetermined.
  package var bind: CallResult
  /// What it comes to if what is missing is not in the way; nil where `bind` says it, or nothing is likely.
  package var likely: CallResult?
}

extension TargetReport {
  /// What each system that was asked about answers to the planned options; empty where none was.
  package var foreignVerdicts: [ForeignVerdict] {
    (attempts.first?.foreign ?? []).map(\.answer.system).map { system in
      let outcomes = attempts.compactMap { attempt in
        attempt.foreign.first { $0.answer.system == system }?.answer.outcome(BSDOptions(plan.options))
      }
      let isFailure = { (outcome: BSDOutcome) in if case .fails = outcome.expected { true } else { false } }
      let worst =
        outcomes.first(where: isFailure) ?? outcomes.first { $0.expected == .undetermined }
        ?? outcomes.first { $0.bind == .undetermined } ?? outcomes.first
      return ForeignVerdict(system: system, bind: worst?.bind ?? .undetermined, likely: worst?.likely)
    }
  }

  /// What each of `systems` would answer to the attempt, beside Linux' own answer.
  package func foreignReports(
    _ attempt: AttemptReport, under systems: [BSDSystem], host: HostFacts, visibility: Visibility
  ) -> [ForeignReport] {
    let snapshot = Snapshot(
      host: host, visibility: visibility, sockets: sockets, buckets: buckets, isChainOrdered: isChainOrdered,
      wildcardMissesAddresses: wildcardMissesAddresses)
    return systems.map { system in
      let answer = foreignAnswer(
        of: attempt.attempt, v6only: plan.v6only, planned: plan.options, linux: attempt.outcomes, in: snapshot,
        under: system)
      return ForeignReport(
        answer: answer,
        sentences: foreignSentences(
          answer, of: attempt.attempt, linux: attempt.outcomes, planned: plan.options, sockets: sockets),
        remarks: foreignRemarks(answer))
    }
  }
}

extension Report {
  /// Whether an ok of a bind of this transport stands in it that no real bind has given; `ofVerdict`: with the planned options.
  func hasOk(_ transport: TransportProtocol, ofVerdict: Bool) -> Bool {
    targets.contains { target in
      target.transport == transport
        && (!ofVerdict || target.verdict == .ok)
        && target.attempts.contains { $0.outcomes.contains { $0.bind == .ok && $0.source != .probe } }
    }
  }
}

extension TargetReport {
  /// Whether the verdict is `ours`: nothing is in the way but one's own server.
  package var isOurs: Bool { ours?.decides ?? false }
}

/// The answers to ports that nobody uses, in a row of ports: they differ in the number alone, as long as it lies on the
/// same side of the privileged ports and of those that the kernel gives to clients.
struct UnusedPorts {
  private struct Side: Hashable {
    var isPrivileged: Bool
    var isClients: Bool
    var isReserved: Bool

    init(_ port: Port, _ host: HostFacts) {
      isPrivileged = UInt32(port.rawValue) < host.unprivilegedPortStart ?? 1024
      isClients = host.localPortRange?.contains(port.rawValue) ?? false
      isReserved = isClients && host.localReservedPorts?.contains { $0.contains(port.rawValue) } ?? false
    }
  }

  private var answers: [Side: TargetReport] = [:]

  /// The answer to this port, which nobody uses either.
  func answer(_ port: Port, _ host: HostFacts) -> TargetReport? {
    guard !answers.isEmpty, var answer = answers[Side(port, host)] else { return nil }
    // The headline alone names the port, as its first word.
    let named = "\(answer.port)/"
    answer.port = port
    for index in answer.attempts.indices {
      answer.attempts[index].attempt.port = port
      let headline = answer.attempts[index].explanation.headline
      guard headline.hasPrefix(named) else { continue }
      answer.attempts[index].explanation.headline = "\(port)/" + headline.dropFirst(named.count)
    }
    return answer
  }

  /// Keeps an answer for the ports behind it; one to a port in use ends the row, as it may have had more facts read.
  mutating func keep(_ answer: TargetReport, _ host: HostFacts) {
    if !answer.sockets.isEmpty {
      answers = [:]
    } else if answer.attempts.allSatisfy(\.saysTheSameOfEveryPort) {
      answers[Side(answer.port, host)] = answer
    }
  }
}

extension AttemptReport {
  /// Whether it works and says nothing but notes, which name no port: reasons and commands may.
  fileprivate var saysTheSameOfEveryPort: Bool {
    explanation.causeWord == nil && explanation.why.isEmpty && explanation.deliveries.isEmpty
      && explanation.suggestions.isEmpty && contradictions.isEmpty && outcomes.allSatisfy { $0.verdict == .ok }
  }
}
