import BindProbe
public import BindRules
import Explanation
import SocketModel

/// A real bind that answered otherwise than the rules, which were sure.
public struct ProbeContradiction: Sendable, Hashable {
  /// What the rules said.
  public var predicted: BindOutcome
  /// What bind(2) answered, each time.
  public var answered: CallResult

  /// One with these parts, each as its property says.
  public init(predicted: BindOutcome, answered: CallResult) {
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
    var settled: [String] = []
    var setbacks: [Note] = []
    for index in outcomes.indices {
      let outcome = outcomes[index]
      guard outcome.verdict == .undetermined || outcome.options == planned else { continue }
      switch bind(outcome.options) {
      case .refused(let reason): setbacks.append(Note(kind: "probe-refused", text: "not probed: \(reason)"))
      case .answered(let answer):
        if let note = notOfTheRules(answer, outcome) {
          setbacks.append(note)
        } else if outcome.bind == .undetermined || outcome.bind == answer {
          guard outcome.verdict == .undetermined else { continue }
          result.outcomes[index] = outcome.settled(by: answer, on: kernel)
          settled.append(outcome.options.inWords)
        } else {
          try weigh(answer, against: outcome, at: index, &result)
        }
      }
    }
    if !settled.isEmpty {
      result.notes.append(Note(kind: "probed", text: "settled by a real bind: \(settled.joined(separator: ", "))"))
    }
    for note in setbacks where !result.notes.contains(note) { result.notes.append(note) }
    return result
  }

  /// The rules were sure and the kernel says otherwise. Sockets come and go: it is a contradiction only if it stays.
  private func weigh(
    _ answer: CallResult, against outcome: BindOutcome, at index: Int, _ result: inout Result
  ) throws(PortwhyError) {
    for _ in 0..<Self.confirmations {
      let now = try judgeAgain().first { $0.options == outcome.options }
      guard now?.bind == outcome.bind, bind(outcome.options) == .answered(answer) else {
        result.notes.append(
          Note(kind: "probe-changed", text: "the sockets of the port changed while it was probed: ask again"))
        return
      }
    }
    result.contradictions.append(ProbeContradiction(predicted: outcome, answered: answer))
    result.outcomes[index] = outcome.settled(by: answer, on: kernel)
    result.notes.append(
      Note(
        kind: "probe-contradiction",
        text: "a bug of portwhy: \(outcome.options.inWords), the rules said \(outcome.bind), a real bind"
          + " says \(answer)"))
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
    return Note(
      kind: "probe-outside",
      text: "a real bind fails with \(errno) before the port is looked at: a security module or a control group"
        + " program refuses it to portwhy, which says nothing about the planned program")
  }
}

extension ReuseOptions {
  /// As the answer of `--probe` names the combinations.
  fileprivate var inWords: String { isEmpty ? "no option" : socketOptions.joined(separator: " and ") }
}
