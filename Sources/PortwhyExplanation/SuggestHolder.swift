import BindRules
import SocketModel

/// Stopping whoever holds the port, judged with the holder gone and its connections left over.
func stopHolder(_ case: Case) -> [Suggestion] {
  guard let holders = Holders(`case`.blockingSockets, host: `case`.snapshot.host) else { return [] }
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
      text: "stop \(holders.name)\(consequence)", command: holders.command)
  ]
}

/// The processes to stop, and the command that does it.
private struct Holders {
  var pids: Set<Int32>
  var name: String
  var command: String

  /// nil where no holder of a socket in the way is known.
  init?(_ sockets: [SocketObservation], host: HostFacts) {
    let processes = sockets.flatMap(\.processes)
    guard !processes.isEmpty else { return nil }
    pids = Set(processes.map(\.pid))
    name = sockets.holderNames
    let isOthers = sockets.contains { $0.uid != host.uid }
    let sudo = host.uid != 0 && isOthers ? "sudo " : ""
    let units = Set(processes.compactMap(\.unit)).sorted()
    if pids.contains(1) {
      // systemd holds it for a .socket unit; killing pid 1 is never an answer.
      name = "the .socket unit that \(name) holds it for"
      command = "systemctl list-sockets"
    } else if !units.isEmpty, processes.allSatisfy({ $0.unit?.hasSuffix(".service") ?? false }) {
      command = "\(sudo)systemctl stop \(units.map(shellWord).joined(separator: " "))"
    } else {
      let numbers = pids.sorted()
      command =
        "\(sudo)kill \(numbers.prefix(8).map(String.init).joined(separator: " "))\(numbers.count > 8 ? " …" : "")"
    }
  }
}

extension Collection where Element == SocketObservation {
  /// The short names of the programs that hold them: `nginx`, `nginx and python3`.
  var holderNames: String {
    let names = Set(flatMap(\.processes).map(\.command)).sorted()
    return names.isEmpty ? "the other side" : names.listed()
  }
}
