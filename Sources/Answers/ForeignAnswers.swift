package import BindRules
import Explanation
package import SocketModel

/// What another system would answer to one attempt, and how that is said.
package struct ForeignReport: Sendable, Hashable {
  /// The answer.
  package var answer: ForeignAnswer
  /// Where it differs from Linux' own, and why.
  package var sentences: [String]
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

extension TargetReport {
  /// What each of `systems` would answer to the attempt, beside Linux' own answer.
  package func foreignReports(
    _ attempt: AttemptReport, under systems: [BSDSystem], host: HostFacts, visibility: Visibility
  ) -> [ForeignReport] {
    let snapshot = Snapshot(
      host: host, visibility: visibility, sockets: sockets, buckets: buckets, isChainOrdered: isChainOrdered)
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
