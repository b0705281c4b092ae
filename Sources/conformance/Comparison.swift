import BindRules
import KernelLab
import PortwhyKit
import SocketModel

/// One predicted outcome beside what the kernel answered.
struct Comparison: Sendable {
  enum Result: Sendable { case exact, undetermined, wrong }

  var options: ReuseOptions
  var predicted: BindOutcome
  var actual: TrialResult

  var result: Result {
    switch (predicted.bind, predicted.listen) {
    case (.undetermined, _): .undetermined
    case (let bind, _) where bind != actual.bind: .wrong
    case (_, .undetermined?): .undetermined
    case (_, let listen): listen == actual.listen ? .exact : .wrong
    }
  }

  /// Whether only the order of earlier binds is missing.
  var dependsOnOrder: Bool {
    predicted.missing.contains { $0.kind == .bindOrder }
  }
}

/// What came of one scenario.
enum ScenarioResult: Sendable {
  /// The four combinations, and whether every socket on the port has an owner that may be seen.
  case compared([Comparison], allOwned: Bool)
  /// The copies of the scenario did not come out alike; nothing can be concluded.
  case unstable
  /// portwhy gave no answer at all.
  case noAnswer(String)
}

/// Builds the scenario, asks portwhy's pipeline about it, then makes each bind for real on a fresh copy.
func compare(
  _ scenario: Scenario, in namespace: inout NetworkNamespace, as reader: Reader
) throws(NamespaceError) -> ScenarioResult {
  let copy = try namespace.build(scenario)
  let attempt = scenario.attempt.bindAttempt(port: copy.port, interfaces: namespace.interfaces)
  let answer: (outcomes: [BindOutcome], snapshot: Snapshot)
  do throws(PortwhyError) {
    answer = try reader.judge(attempt)
  } catch {
    return .noAnswer("\(error)")
  }
  let allOwned = answer.snapshot.sockets.allSatisfy { $0.owner == .process }
  var comparisons: [Comparison] = []
  for outcome in answer.outcomes {
    let trial = try namespace.trial(scenario, outcome.options)
    guard trial.outcomes == copy.outcomes else { return .unstable }
    comparisons.append(Comparison(options: outcome.options, predicted: outcome, actual: trial.result))
  }
  return .compared(comparisons, allOwned: allOwned)
}
