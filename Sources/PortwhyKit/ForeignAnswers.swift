package import BindRules
package import SocketModel

extension TargetReport {
  /// What each of `systems` would answer to the attempt, beside Linux' own answer, from the facts of the report alone: so a
  /// saved one is answered as well.
  package func foreignAnswers(
    _ attempt: AttemptReport, under systems: [BSDSystem], host: HostFacts, visibility: Visibility
  ) -> [ForeignAnswer] {
    guard !systems.isEmpty else { return [] }
    let snapshot = Snapshot(
      host: host, visibility: visibility, sockets: sockets, buckets: buckets, isChainOrdered: isChainOrdered)
    return systems.map { system in
      foreignAnswer(
        of: attempt.attempt, v6only: plan.v6only, planned: plan.options, linux: attempt.outcomes, in: snapshot,
        under: system)
    }
  }
}
