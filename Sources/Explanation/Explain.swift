public import BindRules
public import SocketModel

/// What one attempt is explained from: the rules' answers and the facts they were drawn from.
public struct Situation: Sendable, Hashable {
  /// The bind that was judged.
  public var attempt: BindAttempt
  /// The four outcomes, in the order of `ReuseOptions.combinations`.
  public var outcomes: [BindOutcome]
  /// The options the user plans to set.
  public var planned: ReuseOptions
  /// The sockets of the port, as given to the rules.
  public var snapshot: Snapshot {
    didSet { isListenedOn = snapshot.hasListener }
  }
  /// Every socket's role asks for it.
  private var isListenedOn: Bool
  /// Other ports, and every socket on them, for a free one to offer; nil where they were not looked at.
  public var nearby: Nearby?
  /// The planned server's runtime (`--runtime`); nil where it was not said.
  public var runtime: Runtime?

  /// One with these parts, each as its property says.
  public init(
    attempt: BindAttempt, outcomes: [BindOutcome], planned: ReuseOptions, snapshot: Snapshot, nearby: Nearby? = nil,
    runtime: Runtime? = nil
  ) {
    self.attempt = attempt
    self.outcomes = outcomes
    self.planned = planned
    self.snapshot = snapshot
    self.isListenedOn = snapshot.hasListener
    self.nearby = nearby
    self.runtime = runtime
  }

  func outcome(_ options: ReuseOptions) -> BindOutcome? {
    outcomes.first { $0.options == options }
  }

  func socket(_ blocker: Blocker) -> SocketObservation { snapshot.sockets[blocker.socket] }

  /// The sockets in the way of the planned bind.
  var blockingSockets: [SocketObservation] { (outcome(planned)?.blockers ?? []).map(socket) }

  func role(_ socket: SocketObservation) -> SocketRole {
    SocketRole(socket, host: snapshot.host, isListenedOn: isListenedOn)
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
public struct Nearby: Sendable, Hashable {
  /// The ports that were looked at.
  public var ports: ClosedRange<UInt16>
  /// What the kernel lists; options and owners need not be known.
  public var sockets: [SocketObservation]

  /// One with these parts, each as its property says.
  public init(ports: ClosedRange<UInt16>, sockets: [SocketObservation]) {
    self.ports = ports
    self.sockets = sockets
  }
}

/// The cause of what the planned bind would meet, the reason in words, and what can be done.
public func explain(_ situation: Situation) -> Explanation {
  guard let outcome = situation.outcome(situation.planned) else { return Explanation(cause: nil, why: []) }
  let receives = receives(situation, outcome)
  let cause = primaryCause(situation, outcome, receives)
  return Explanation(
    cause: cause, why: why(situation, outcome: outcome, cause: cause), receives: receives,
    notes: notes(situation, outcome: outcome) + ownershipNotes(situation) + runtimeNotes(situation),
    suggestions: withOtherSide(suggestions(situation, outcome: outcome, cause: cause), situation, outcome))
}

/// The suggestions in the words of the planned runtime, and before the last resort of another port what the other
/// side could set.
private func withOtherSide(_ own: [Suggestion], _ situation: Situation, _ outcome: BindOutcome) -> [Suggestion] {
  // The kernel's own sockets cannot be told to set an option, nor did they.
  let isKernels = situation.blockingSockets.contains { $0.owner == .kernel }
  let worded = own.filter { !isKernels || $0.kind != "set-option" }.map { $0.worded(for: situation.runtime) }
  guard outcome.verdict == .fails(.addressInUse) || outcome.verdict == .undetermined else { return worded }
  let last = worded.firstIndex { $0.kind == "other-port" } ?? worded.endIndex
  return worded[..<last] + otherSide(situation) + worded[last...]
}
