import BindRules
import SocketModel

/// Stopping whoever holds the port, judged with the holder gone and its connections left over.
func stopHolder(_ situation: Situation) -> [Suggestion] {
  let holders = Holders(situation.blockingSockets, situation.snapshot.host)
  guard !holders.pids.isEmpty else { return [] }
  guard holders.isDecisive else {
    return [
      Suggestion(
        kind: "find-holder", certainty: .conditional("you may stop it"), text: "find and stop \(holders.name)",
        command: holders.command)
    ]
  }
  let after = situation.snapshot.withoutProcesses(holders.pids)
  var nothingLeft = after
  nothingLeft.sockets.removeAll { $0.owner == .none }
  let consequence: String
  if situation.verdict(in: after) == .ok {
    consequence = ""
  } else if situation.verdict(situation.planned.union(.reuseaddr), in: after) == .ok {
    consequence = " and set SO_REUSEADDR, as its connections stay on the port for up to a minute"
  } else if situation.verdict(in: nothingLeft) == .ok {
    consequence = " and wait until its connections have left the port, up to a minute"
  } else {
    return []
  }
  return [
    Suggestion(
      kind: "stop-holder",
      certainty: situation.seesEveryHolder ? .checked : .conditional("no process that you cannot see holds it too"),
      text: "stop \(holders.name)\(consequence)", command: holders.command)
  ]
}

extension Collection where Element == SocketObservation {
  /// The short names of the programs that hold them: `nginx`, `nginx and python3`.
  var holderNames: String {
    let names = Set(flatMap(\.processes).map(\.command)).sorted()
    return names.isEmpty ? "the other side" : names.listed()
  }
}
