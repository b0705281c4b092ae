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

  /// What the probes made of the outcomes.
  struct Result {
    var outcomes: [BindOutcome]
    var notes: [Note] = []
    var contradictions: [ProbeContradiction] = []
  }

  /// How often a contradiction must stand, the rules asked anew each time, before it counts as one.
  private static let confirmations = 3

  func settle(_ outcomes: [BindOutcome]) throws(PortwhyError) -> Result {
    var result = Result(outcomes: outcomes)
    var settled: [ReuseOptions] = []
    var refusals: [Note] = []
    for index in outcomes.indices {
      let outcome = outcomes[index]
      guard outcome.verdict == .undetermined || outcome.options == planned else { continue }
      switch bind(outcome.options) {
      case .refused(let reason): refusals.append(.probeRefused(reason))
      case .answered(let answer):
        if let note = notOfTheRules(answer, outcome) {
          refusals.append(note)
        } else if outcome.bind == .undetermined || outcome.bind == answer {
          guard outcome.verdict == .undetermined else { continue }
          result.outcomes[index] = outcome.settled(by: answer, on: kernel)
          settled.append(outcome.options)
        } else {
          try weigh(answer, against: outcome, at: index, &result)
        }
      }
    }
    if !settled.isEmpty {
      result.notes.append(.probed(settled))
    }
    for note in refusals where !result.notes.contains(note) { result.notes.append(note) }
    return result
  }

  /// The rules were sure and the kernel says otherwise. Sockets come and go: it is a contradiction only if it stays.
  private func weigh(
    _ answer: CallResult, against outcome: BindOutcome, at index: Int, _ result: inout Result
  ) throws(PortwhyError) {
    for _ in 0..<Self.confirmations {
      let now = try judgeAgain().first { $0.options == outcome.options }
      guard now?.bind == outcome.bind, bind(outcome.options) == .answered(answer) else {
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
