public import BindRules
public import SocketModel

/// What one attempt is explained from: the rules' answers and the facts they were drawn from.
public struct Case: Sendable, Hashable {
  public var attempt: BindAttempt
  /// The four outcomes, in the order of `ReuseOptions.combinations`.
  public var outcomes: [BindOutcome]
  /// The options the user plans to set.
  public var planned: ReuseOptions
  /// The sockets of the port, as given to the rules.
  public var snapshot: Snapshot
  /// The planned server's runtime (`--runtime`); nil where it was not said.
  public var runtime: Runtime?

  public init(
    attempt: BindAttempt, outcomes: [BindOutcome], planned: ReuseOptions, snapshot: Snapshot, runtime: Runtime? = nil
  ) {
    self.attempt = attempt
    self.outcomes = outcomes
    self.planned = planned
    self.snapshot = snapshot
    self.runtime = runtime
  }

  func outcome(_ options: ReuseOptions) -> BindOutcome? {
    outcomes.first { $0.options == options }
  }

  func socket(_ blocker: Blocker) -> SocketObservation { snapshot.sockets[blocker.socket] }

  /// The sockets in the way of the planned bind.
  var blockingSockets: [SocketObservation] { (outcome(planned)?.blockers ?? []).map(socket) }

  func role(_ socket: SocketObservation) -> SocketRole { SocketRole(socket, in: snapshot) }
}

/// The cause of what the planned bind would meet, the reason in words, and what can be done.
public func explain(_ case: Case) -> Explanation {
  guard let outcome = `case`.outcome(`case`.planned) else { return Explanation(cause: nil, why: []) }
  let cause = Cause.primary(of: outcome, attempt: `case`.attempt, snapshot: `case`.snapshot)
  return Explanation(
    cause: cause, why: why(`case`, outcome: outcome, cause: cause),
    notes: notes(`case`, outcome: outcome) + ownershipNotes(`case`) + runtimeNotes(`case`),
    suggestions: withOtherSide(suggestions(`case`, outcome: outcome, cause: cause), `case`, outcome))
}

/// The suggestions in the words of the planned runtime, and before the last resort of another port what the other
/// side could set.
private func withOtherSide(_ own: [Suggestion], _ case: Case, _ outcome: BindOutcome) -> [Suggestion] {
  // The kernel's own sockets cannot be told to set an option, nor did they.
  let isKernels = `case`.blockingSockets.contains { $0.owner == .kernel }
  let worded = own.filter { !isKernels || $0.kind != "set-option" }.map { $0.worded(for: `case`.runtime) }
  guard outcome.verdict == .fails(.addressInUse) || outcome.verdict == .undetermined else { return worded }
  let last = worded.firstIndex { $0.kind == "other-port" } ?? worded.endIndex
  return worded[..<last] + otherSide(`case`) + worded[last...]
}
