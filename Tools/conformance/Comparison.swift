import BindRules
import Glibc
import KernelLab
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

  /// Whether the likely outcome is what happened; nil where there is none.
  var likelyIsRight: Bool? {
    predicted.likely.map { $0.bind == actual.bind && $0.listen == actual.listen }
  }

  /// Whether the order of earlier binds is missing.
  var dependsOnOrder: Bool {
    predicted.missing.contains { $0.kind == .bindOrder }
  }
}

/// What came of one scenario.
enum ScenarioResult: Sendable {
  /// The four combinations, and what portwhy saw; `built` are the holders that came about.
  case compared([Comparison], Answer, built: [Holder])
  /// The copies of the scenario did not come out alike; nothing can be concluded.
  case unstable
  /// portwhy gave no answer at all.
  case noAnswer(String)
}

/// Builds the scenario, asks portwhy's pipeline about it, then makes each bind for real on a fresh copy.
func compare(
  _ scenario: Scenario, in namespace: inout NetworkNamespace, with looking: inout LookingProcess
) throws -> ScenarioResult {
  var scenario = scenario
  // What cannot be said on the command line is not asked: root's programs may, others' may not.
  if looking.onlyAsks { scenario.attempt.mayBindPrivileged = scenario.attempt.uid == 0 }
  if looking.asksAsAProgram(scenario) { return try compareInPlace(scenario, in: &namespace, with: &looking) }
  let copy = try namespace.build(scenario)
  let attempt = scenario.attempt.bindAttempt(
    port: copy.port, interfaces: namespace.interfaces, bindv6only: scenario.isV6onlyByDefault)
  let (answer, refusal) = try looking.judge(attempt)
  guard let answer, answer.outcomes.map(\.options) == ReuseOptions.combinations else { return .noAnswer(refusal) }
  var comparisons: [Comparison] = []
  for outcome in answer.outcomes {
    let trial = try namespace.trial(scenario, outcome.options)
    guard trial.outcomes == copy.outcomes else { return .unstable }
    let comparison = Comparison(options: outcome.options, predicted: outcome, actual: trial.result)
    if comparison.result == .wrong {
      guard try isWrongOnItself(scenario, outcome.options, in: &namespace, with: &looking) else { return .unstable }
    }
    comparisons.append(comparison)
  }
  let built = zip(scenario.holders, copy.outcomes).filter { $0.1.isBuilt }.map(\.0)
  return .compared(comparisons, answer, built: built)
}

/// The same where portwhy is asked as its user asks it, and the binds are made where it looks from.
private func compareInPlace(
  _ scenario: Scenario, in namespace: inout NetworkNamespace, with looking: inout LookingProcess
) throws -> ScenarioResult {
  let copy = try namespace.build(scenario)
  let (answer, refusal) = try looking.ask(PlanLine(scenario.attempt, copy.port), scenario.place)
  guard let answer, answer.outcomes.map(\.options) == ReuseOptions.combinations else { return .noAnswer(refusal) }
  var comparisons: [Comparison] = []
  for outcome in answer.outcomes {
    let other = try namespace.build(scenario)
    guard other.outcomes == copy.outcomes else { return .unstable }
    let actual = try looking.tryBind(PlanLine(scenario.attempt, other.port), outcome.options, scenario.place)
    let comparison = Comparison(options: outcome.options, predicted: outcome, actual: actual)
    if comparison.result == .wrong {
      // Once more on the copy that was looked at, as in `isWrongOnItself`.
      let again = try namespace.build(scenario)
      usleep(20_000)
      let line = PlanLine(scenario.attempt, again.port)
      let said = try looking.ask(line, scenario.place).answer?.outcomes.first { $0.options == outcome.options }
      guard let said else { return .unstable }
      let tried = try looking.tryBind(line, outcome.options, scenario.place)
      guard Comparison(options: outcome.options, predicted: said, actual: tried).result == .wrong else {
        return .unstable
      }
    }
    comparisons.append(comparison)
  }
  let built = zip(scenario.holders, copy.outcomes).filter { $0.1.isBuilt }.map(\.0)
  return .compared(comparisons, answer, built: built)
}

extension Scenario {
  /// `net.ipv6.bindv6only` as the kernel keeps it in a socket: one bit.
  var isV6onlyByDefault: Bool { (settings[.bindv6only] ?? 0) & 1 == 1 }
}

/// Whether an answer is contradicted by the very sockets it was given for, in one of a few copies.
///
/// What is left of a holder that did not come about (a connection that went astray, in TIME_WAIT) may differ between
/// two copies, and an MPTCP socket is taken down by a worker of the kernel after close(2) has returned: only a
/// contradiction on the copy that was looked at, once it has come to rest, is portwhy's.
private func isWrongOnItself(
  _ scenario: Scenario, _ options: ReuseOptions, in namespace: inout NetworkNamespace,
  with looking: inout LookingProcess
) throws -> Bool {
  for _ in 0..<4 {
    let copy = try namespace.build(scenario)
    usleep(20_000)
    let attempt = scenario.attempt.bindAttempt(
      port: copy.port, interfaces: namespace.interfaces, bindv6only: scenario.isV6onlyByDefault)
    guard let outcome = try looking.judge(attempt).answer?.outcomes.first(where: { $0.options == options }) else {
      return true
    }
    let again = Comparison(options: options, predicted: outcome, actual: copy.tryBind(options))
    if again.result == .wrong { return true }
  }
  return false
}
