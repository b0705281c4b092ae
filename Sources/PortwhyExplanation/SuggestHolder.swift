import BindRules
import SocketModel

/// Stopping whoever holds the port, judged with the holder gone and its connections left over.
func stopHolder(_ case: Case) -> [Suggestion] {
  let holders = Holders(`case`.blockingSockets)
  guard !holders.pids.isEmpty else { return [] }
  guard holders.isDecisive else {
    return [
      Suggestion(
        kind: "find-holder", certainty: .conditional("you may stop it"), text: "find and stop \(holders.name)",
        command: holders.command)
    ]
  }
  let after = `case`.snapshot.withoutProcesses(holders.pids)
  var nothingLeft = after
  nothingLeft.sockets.removeAll { $0.owner == .none }
  let consequence: String
  if `case`.verdict(in: after) == .ok {
    consequence = ""
  } else if `case`.verdict(`case`.planned.union(.reuseaddr), in: after) == .ok {
    consequence = " and set SO_REUSEADDR, as its connections stay on the port for up to a minute"
  } else if `case`.verdict(in: nothingLeft) == .ok {
    consequence = " and wait until its connections have left the port, up to a minute"
  } else {
    return []
  }
  return [
    Suggestion(
      kind: "stop-holder",
      certainty: `case`.seesEveryHolder ? .checked : .conditional("no process that you cannot see holds it too"),
      text: "stop \(holders.name)\(consequence)", command: asWhoeverMay(holders.command, `case`))
  ]
}

/// The command with sudo(8) before it where the sockets are another user's.
private func asWhoeverMay(_ command: String, _ case: Case) -> String {
  let uid = `case`.snapshot.host.uid
  let isOthers = `case`.blockingSockets.contains { $0.uid != uid }
  return uid != 0 && isOthers && !command.hasPrefix("systemctl --user") ? "sudo \(command)" : command
}

extension Collection where Element == SocketObservation {
  /// The short names of the programs that hold them: `nginx`, `nginx and python3`.
  var holderNames: String {
    let names = Set(flatMap(\.processes).map(\.command)).sorted()
    return names.isEmpty ? "the other side" : names.listed()
  }
}
