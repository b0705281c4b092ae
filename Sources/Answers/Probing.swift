import Evidence
package import BindRules
import Explanation
import SocketModel

/// A real bind that answered otherwise than the rules, which were sure.
package struct ProbeContradiction: Sendable, Hashable {
  /// What the rules said.
  package var predicted: BindOutcome
  /// What bind(2) answered, each time.
  package var answered: CallResult

  /// A sure outcome, and what the kernel said instead.
  package init(predicted: BindOutcome, answered: CallResult) {
    self.predicted = predicted
    self.answered = answered
  }
}

/// Settles the outcomes of one attempt by real binds: those that are undetermined, and the planned one, so that a
/// wrong rule is found.
struct Probing {
  var attempt: BindAttempt
  var planned: ReuseOptions
  var kernel: KernelVersion
  /// One real bind.
  var bind: (ReuseOptions) -> ProbeAnswer
  /// The rules' answers to what is there by now.
  var judgeAgain: () throws(PortwhyError) -> [BindOutcome]

  /// How often a contradiction must stand, the rules asked anew each time, before it counts as one.
  private static let confirmations = 3

  /// The planned combination first: what a later probe leaves behind cannot have changed its answer.
  func settle(_ outcomes: [BindOutcome]) throws(PortwhyError) -> Result {
    var result = Result(outcomes: outcomes)
    var progress = Progress()
    for options in order(outcomes) {
      guard let index = outcomes.firstIndex(where: { $0.options == options }) else { continue }
      guard options == planned || maySpoilNothing(options, result.outcomes) else { continue }
      try settle(index, &result, &progress)
    }
    settleWhatFollows(&result, &progress)
    if !progress.settled.isEmpty {
      result.notes.append(.probed(progress.settled))
    }
    if progress.leavesMemory { result.notes.append(.probeMemory) }
    for note in progress.setbacks where !result.notes.contains(note) { result.notes.append(note) }
    return result
  }

  private struct Progress {
    var settled: [ReuseOptions] = []
    var setbacks: [Note] = []
    var leavesMemory = false
  }

  /// The combinations to probe: the planned one, and those that are undetermined, SO_REUSEPORT alone before both.
  private func order(_ outcomes: [BindOutcome]) -> [ReuseOptions] {
    let open = outcomes.filter { $0.verdict == .undetermined && $0.options != planned }.map(\.options)
    return (outcomes.contains { $0.options == planned } ? [planned] : []) + open
  }

  /// Whether a bind with these options, should it work, leaves every answer as true as it was. One with SO_REUSEPORT
  /// enters itself in the bucket, after which others pass that could not before; one without wipes that out
  /// (`inet_csk_update_fastreuse`). One that fails leaves nothing.
  private func maySpoilNothing(_ options: ReuseOptions, _ outcomes: [BindOutcome]) -> Bool {
    let withReuseport = outcomes.filter { $0.options.contains(.reuseport) && $0.options != options }
    if options.contains(.reuseport) {
      return withReuseport.allSatisfy { $0.bind == .ok || ($0.bind == .undetermined && $0.options != planned) }
        || outcomes.allSatisfy { $0.blockers.isEmpty && $0.missing.isEmpty }
    }
    return withReuseport.allSatisfy { $0.bind != .ok }
  }

  private func settle(
    _ index: Int, _ result: inout Result, _ progress: inout Progress
  ) throws(PortwhyError) {
    let outcome = result.outcomes[index]
    switch bind(outcome.options) {
    case .refused(let reason): progress.setbacks.append(.probeRefused(reason))
    case .answered(let answer):
      if answer == .ok, outcome.options.contains(.reuseport), !outcome.blockers.isEmpty {
        progress.leavesMemory = true
      }
      if let note = notOfTheRules(answer, outcome) {
        progress.setbacks.append(note)
      } else if outcome.bind == .undetermined || outcome.bind == answer {
        guard outcome.verdict == .undetermined else { return }
        result.outcomes[index] = outcome.settled(by: answer, on: kernel)
        progress.settled.append(outcome.options)
      } else {
        try weigh(answer, against: outcome, at: index, &result)
      }
    }
  }

  /// SO_REUSEPORT beside SO_REUSEADDR takes nothing away (`inet_bind_conflict`): where a bind with one of them works, one
  /// with both does. Against listeners SO_REUSEADDR adds nothing: where SO_REUSEPORT fails, so do both.
  private func settleWhatFollows(_ result: inout Result, _ progress: inout Progress) {
    let both: ReuseOptions = [.reuseaddr, .reuseport]
    guard let index = result.outcomes.firstIndex(where: { $0.options == both && $0.bind == .undetermined }) else {
      return
    }
    let open = result.outcomes[index]
    let isAgainstListeners = !open.blockers.isEmpty && open.blockers.allSatisfy { $0.rule == .tcpListener }
    let reuseport = result.outcomes.first { $0.options == .reuseport && $0.source == .probe }
    if result.outcomes.contains(where: { $0.bind == .ok }) {
      result.outcomes[index] = open.settled(by: .ok, on: kernel)
    } else if isAgainstListeners, let answer = reuseport?.bind, answer == .fails(.addressInUse) {
      result.outcomes[index] = open.settled(by: answer, on: kernel)
    } else {
      return
    }
    progress.settled.append(both)
  }

  /// The rules were sure and the kernel says otherwise. Sockets come and go: it is a contradiction only if it stays.
  private func weigh(
    _ answer: CallResult, against outcome: BindOutcome, at index: Int, _ result: inout Result
  ) throws(PortwhyError) {
    for _ in 0..<Self.confirmations {
      let now = try judgeAgain().first { $0.options == outcome.options }
      guard let now, now.bind == outcome.bind else {
        // What was refuted is no answer; the kernel's is one if the rules say so by now. Theirs names another look's sockets.
        result.outcomes[index] = now?.bind == answer ? outcome.settled(by: answer, on: kernel) : outcome.moving
        result.notes.append(.probeChanged)
        return
      }
      let again = bind(outcome.options)
      guard again == .answered(answer) else {
        if again != .answered(outcome.bind) { result.outcomes[index] = outcome.moving }
        result.notes.append(.probeChanged)
        return
      }
    }
    result.contradictions.append(ProbeContradiction(predicted: outcome, answered: answer))
    result.outcomes[index] = outcome.settled(by: answer, on: kernel)
    result.notes.append(.probeContradiction(outcome, answer))
  }

  /// A note where the answer need not be the port's: modules and programs that bind(2) asks first, or no memory.
  private func notOfTheRules(_ answer: CallResult, _ outcome: BindOutcome) -> Note? {
    let ours: [SystemError] = [
      .addressInUse, .addressNotAvailable, .invalidArgument, .noDevice, .addressFamilyNotSupported,
    ]
    guard case .fails(let errno) = answer, !ours.contains(errno) else { return nil }
    let privilege: Set<MissingFact.Kind> = [.capability, .unprivilegedPortStart]
    if errno == .accessDenied,
      outcome.bind == answer || outcome.missing.contains(where: { privilege.contains($0.kind) })
    {
      return nil
    }
    return .probeOutside(errno)
  }
}
