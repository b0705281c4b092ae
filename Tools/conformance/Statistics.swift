import BindRules
import KernelLab
import SocketModel

/// The sums over all scenarios of a run.
struct Statistics: Sendable {
  private var byKind: [String: Tally] = [:]
  private var byAttempt: [String: Tally] = [:]
  private var byError: [String: Tally] = [:]
  private var all = Tally()
  /// Outcomes whose sockets all have a visible owner and where no order of earlier binds is missing.
  private var plain = Tally()
  private var dependsOnOrder = 0
  private var missing: [String: Int] = [:]
  private var byPlace: [String: Tally] = [:]
  /// Of undetermined outcomes: how often the likely one is right, by what is missing.
  private var likely = LikelyTally()
  private var likelyByMissing: [String: LikelyTally] = [:]
  /// The same where only the order of earlier binds is open and no option was changed after bind(2).
  private var likelyByOrder = LikelyTally()
  private(set) var scenarios = 0
  private(set) var noAnswers = 0
  private(set) var unstable = 0
  private(set) var failures: [String] = []

  var wrong: Int { all.wrong }
  var compared: Int { all.total }

  mutating func add(_ result: ScenarioResult, scenario: Scenario, label: String) {
    scenarios += 1
    switch result {
    case .unstable: unstable += 1
    case .noAnswer(let reason):
      noAnswers += 1
      failures.append("\(label)\n  no answer: \(reason)\n  \(scenario)")
    case .compared(let comparisons, let answer, let built):
      let kinds = built.isEmpty ? ["none"] : Set(built.map { kindName($0.transport, $0.kind) })
      for comparison in comparisons { add(comparison, kinds, answer.allOwned, scenario, label) }
    }
  }

  private mutating func add(
    _ comparison: Comparison, _ kinds: Set<String>, _ allOwned: Bool, _ scenario: Scenario, _ label: String
  ) {
    func count(_ tally: inout Tally) {
      switch comparison.result {
      case .exact: tally.exact += 1
      case .undetermined: tally.undetermined += 1
      case .wrong: tally.wrong += 1
      }
    }
    count(&all)
    for kind in kinds { count(&byKind[kind, default: Tally()]) }
    count(&byAttempt[addressClass(scenario.attempt), default: Tally()])
    count(&byError[comparison.actual.description, default: Tally()])
    if allOwned && !comparison.dependsOnOrder { count(&plain) }
    count(&byPlace[scenario.place.description, default: Tally()])
    if comparison.result == .undetermined {
      let kinds = Set(comparison.predicted.missing.map(\.kind.rawValue))
      likely.add(comparison.likelyIsRight)
      likelyByMissing[kinds.sorted().joined(separator: ", "), default: LikelyTally()].add(comparison.likelyIsRight)
      if kinds == [MissingFact.Kind.bindOrder.rawValue], scenario.leavesOptions {
        likelyByOrder.add(comparison.likelyIsRight)
      }
      if comparison.dependsOnOrder { dependsOnOrder += 1 }
      for kind in Set(comparison.predicted.missing.map(\.kind.rawValue)) { missing[kind, default: 0] += 1 }
    }
    if comparison.result == .wrong {
      failures.append(
        "\(label)\n  \(optionsText(comparison.options)): said \(outcomeText(comparison.predicted)), kernel says "
          + "\(comparison.actual)\n  \(scenario)")
    }
  }

  static func + (left: Statistics, right: Statistics) -> Statistics {
    var sum = left
    sum.byKind.merge(right.byKind, uniquingKeysWith: +)
    sum.byAttempt.merge(right.byAttempt, uniquingKeysWith: +)
    sum.byError.merge(right.byError, uniquingKeysWith: +)
    sum.all = sum.all + right.all
    sum.plain = sum.plain + right.plain
    sum.dependsOnOrder += right.dependsOnOrder
    sum.missing.merge(right.missing, uniquingKeysWith: +)
    sum.byPlace.merge(right.byPlace, uniquingKeysWith: +)
    sum.likely = sum.likely + right.likely
    sum.likelyByMissing.merge(right.likelyByMissing, uniquingKeysWith: +)
    sum.likelyByOrder = sum.likelyByOrder + right.likelyByOrder
    sum.scenarios += right.scenarios
    sum.noAnswers += right.noAnswers
    sum.unstable += right.unstable
    sum.failures += right.failures
    return sum
  }

  /// The tables that are printed at the end: every kind the mix knows, those too that this run did not meet.
  var text: String {
    let kinds = unique(
      ScenarioGenerator.kinds.map { kindName($0.transport, $0.kind) } + ["none"] + byKind.keys.sorted())
    let attempts = unique(
      TransportProtocol.allCases.flatMap { transport in
        ScenarioGenerator.addresses.map { addressClass(Attempt(transport, $0)) }
      })
    var lines = [Tally.header("holders, each kind of a scenario")]
    lines += kinds.map { (byKind[$0] ?? Tally()).row($0, of: all.total) }
    lines.append(Tally.header("attempt"))
    lines += attempts.map { (byAttempt[$0] ?? Tally()).row($0, of: all.total) }
    lines.append(Tally.header("the kernel's answer"))
    lines += byError.sorted { $0.key < $1.key }.map { $0.value.row($0.key, of: all.total) }
    lines.append(Tally.header("all"))
    lines.append(all.row("all", of: all.total))
    lines.append(plain.row("owned, no order missing", of: all.total))
    let reasons = missing.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    lines.append(
      "undetermined: \(dependsOnOrder) depend on the order of earlier binds; missing: "
        + reasons.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
    lines.append(Tally.header("place"))
    lines += byPlace.sorted { $0.key < $1.key }.map { $0.value.row($0.key, of: all.total) }
    lines.append(LikelyTally.header)
    lines += likelyByMissing.sorted { ($1.value.total, $0.key) < ($0.value.total, $1.key) }.map {
      $0.value.row($0.key)
    }
    lines.append(likelyByOrder.row("bind-order alone, no option changed"))
    lines.append(likely.row("all"))
    lines.append("scenarios whose copies came out differently, not counted: \(unstable)")
    if !failures.isEmpty { lines.append("wrong; each is reproduced by: conformance") }
    lines += failures
    return lines.joined(separator: "\n")
  }
}

/// The first of each, in order.
private func unique(_ names: [String]) -> [String] {
  var seen: Set<String> = []
  return names.filter { seen.insert($0).inserted }
}
