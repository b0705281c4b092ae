import BindRules
import KernelLab

/// The sums over all scenarios of a run.
struct Statistics: Sendable {
  private var byKind: [String: Tally] = [:]
  private var all = Tally()
  /// Outcomes whose sockets all have a visible owner and where no order of earlier binds is missing.
  private var plain = Tally()
  private var dependsOnOrder = 0
  private var missing: [String: Int] = [:]
  private(set) var unstable = 0
  private(set) var failures: [String] = []

  var wrong: Int { all.wrong }
  var compared: Int { all.total }

  mutating func add(_ result: ScenarioResult, scenario: Scenario, label: String) {
    switch result {
    case .unstable: unstable += 1
    case .noAnswer(let reason): failures.append("\(label) no answer: \(reason)\n  \(scenario)")
    case .compared(let comparisons, let allOwned):
      let kinds = Set(scenario.holders.map { "\($0.transport.rawValue) \(kindName($0.kind))" })
      for comparison in comparisons { add(comparison, kinds, allOwned, scenario, label) }
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
    if allOwned && !comparison.dependsOnOrder { count(&plain) }
    if comparison.result == .undetermined {
      if comparison.dependsOnOrder { dependsOnOrder += 1 }
      for kind in Set(comparison.predicted.missing.map(\.kind.rawValue)) { missing[kind, default: 0] += 1 }
    }
    if comparison.result == .wrong {
      failures.append(
        "\(label) \(optionsText(comparison.options)): said \(outcomeText(comparison.predicted)), kernel says "
          + "\(comparison.actual)\n  \(scenario)")
    }
  }

  static func + (left: Statistics, right: Statistics) -> Statistics {
    var sum = left
    sum.byKind.merge(right.byKind, uniquingKeysWith: +)
    sum.all = sum.all + right.all
    sum.plain = sum.plain + right.plain
    sum.dependsOnOrder += right.dependsOnOrder
    sum.missing.merge(right.missing, uniquingKeysWith: +)
    sum.unstable += right.unstable
    sum.failures += right.failures
    return sum
  }

  /// The tables that are printed at the end.
  var text: String {
    var lines = [Tally.header]
    lines += byKind.sorted { $0.key < $1.key }.map { $0.value.row($0.key, of: all.total) }
    lines.append(all.row("all", of: all.total))
    lines.append(plain.row("owned, no order missing", of: all.total))
    let reasons = missing.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    lines.append("undetermined: \(dependsOnOrder) depend on the order of earlier binds; missing: \(reasons)")
    lines.append("scenarios whose copies came out differently, not counted: \(unstable)")
    lines += failures
    return lines.joined(separator: "\n")
  }
}

/// `child(timeWait, listener stays)` and the like, as the scenario's own text has it.
private func kindName(_ kind: HolderKind) -> String {
  switch kind {
  case .child(let state, let stays): "child \(state.rawValue)\(stays ? "" : ", listener gone")"
  case .client(let state): "client \(state.rawValue)"
  case .crowd(let count): "crowd of \(count)"
  default: "\(kind)"
  }
}

private func optionsText(_ options: ReuseOptions) -> String {
  switch options {
  case []: "none"
  case .reuseaddr: "SO_REUSEADDR"
  case .reuseport: "SO_REUSEPORT"
  default: "both"
  }
}

private func outcomeText(_ outcome: BindOutcome) -> String {
  switch (outcome.bind, outcome.listen) {
  case (.ok, .fails(let errno)): "listen \(errno)"
  case (.fails(let errno), _): "bind \(errno)"
  default: "ok"
  }
}
