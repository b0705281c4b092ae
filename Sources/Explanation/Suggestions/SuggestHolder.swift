import BindRules
import SocketModel

/// Stopping whoever holds the port, judged with the holder gone and its connections left over.
func stopHolder(_ situation: Situation) -> [Suggestion] {
  let holders = Holders(situation.blockingSockets, situation.snapshot.host)
  guard !holders.pids.isEmpty else { return [] }
  guard holders.isDecisive else {
    return [
      Suggestion(
        kind: .findHolder, certainty: .when(.mayStop), text: "find and stop \(holders.name)",
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
      kind: .stopHolder,
      certainty: situation.seesEveryHolder ? .checked : .when(.noHiddenHolder),
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

/// Who would have to go for sockets to go, and the command that does it in the words of whoever manages it.
struct Holders {
  /// Every process that holds one of the sockets.
  var pids: Set<Int32>
  /// In a few words.
  var name: String
  /// What ends them.
  var command: Command
  /// The command does it; false where it only shows what is to be stopped.
  var isDecisive = true

  init(_ sockets: [SocketObservation], _ host: HostFacts) {
    let processes = sockets.flatMap(\.processes)
    pids = Set(processes.map(\.pid))
    if let named = Self.socketUnit(sockets, host) {
      (name, command) = named
    } else if processes.contains(where: { $0.pid == 1 && $0.command == "systemd" }) {
      name = "the socket unit for which systemd holds the port"
      command = Command(["systemctl", "list-sockets"])
      isDecisive = false
    } else if let named = Self.container(sockets, host) ?? Self.units(processes, host) {
      (name, command) = named
    } else {
      name = sockets.holderNames
      command = host.asOwner(of: sockets, ["kill"] + pids.sorted().map(String.init))
    }
  }

  /// Stopping the service alone would have the next connection start it again.
  private static func socketUnit(_ sockets: [SocketObservation], _ host: HostFacts) -> (String, Command)? {
    let activations = Set(sockets.map(\.activation))
    guard activations.count == 1, let first = activations.first, let activation = first else { return nil }
    let others = sockets.flatMap(\.processes).filter { $0.pid != 1 && $0.command != "systemd" }
    let services = Set(others.compactMap(\.unit)).sorted()
    let units = [activation.unit] + services.filter { $0 != activation.unit }
    return host.systemctl("stop", units, manager: activation.userManager).map { (units.listed(), $0) }
  }

  private static func container(_ sockets: [SocketObservation], _ host: HostFacts) -> (String, Command)? {
    let processes = sockets.flatMap(\.processes)
    let forwards = Set(processes.map(\.forwardsTo))
    if let first = forwards.first, let target = first, !forwards.contains(nil), let port = sockets.first?.local.port {
      let others = forwards.count > 1 ? " and \(forwards.count - 1) more" : ""
      // One command's output is the other's operands, which takes a shell; the port is a number.
      let stop = ["sh", "-c", "docker stop $(docker ps -q --filter publish=\(port))"]
      return ("the container at \(target.address)\(others)", host.asOwner(of: sockets, stop))
    }
    guard let first = processes.first, let container = first.container, let engine = first.containerEngine,
      processes.allSatisfy({ $0.container == container })
    else { return nil }
    let short = shortContainer(container)
    let stop: [String]
    switch engine {
    case "docker", "podman", "nerdctl": stop = [engine, "stop"] + operands([short])
    case "kubernetes": stop = ["crictl", "stop"] + operands([short])
    case "lxc": stop = ["lxc-stop"] + (short.hasPrefix("-") ? ["--name=\(short)"] : ["-n", short])
    default: return nil
    }
    return ("container \(short)", host.asOwner(of: sockets, stop))
  }

  private static func units(_ processes: [ProcessRecord], _ host: HostFacts) -> (String, Command)? {
    let units = Set(processes.compactMap(\.unit)).sorted()
    let managers = Set(processes.map(\.userManager))
    guard !units.isEmpty, processes.allSatisfy({ $0.unit != nil }), managers.count == 1, let manager = managers.first
    else { return nil }
    let owner = manager.map { " of uid \($0)" } ?? ""
    return host.systemctl("stop", units, manager: manager).map { (units.listed() + owner, $0) }
  }
}

extension Snapshot {
  /// The sockets as they would be once these processes have gone.
  ///
  /// Listening, bound and UDP sockets go with their last holder. Connections do not: they become orphans in a closing
  /// state and then TIME_WAIT, with the flags they had (tcp(7), kernel function `tcp_close`); a queued child goes
  /// with its listener.
  func withoutProcesses(_ pids: Set<Int32>) -> Snapshot {
    var after = self
    let listenerStays = sockets.contains { socket in
      socket.state == .listen && !socket.processes.allSatisfy { pids.contains($0.pid) }
    }
    after.sockets = sockets.compactMap { socket in
      if socket.isQueuedChild && !listenerStays { return nil }
      guard socket.owner == .process, socket.processes.allSatisfy({ pids.contains($0.pid) }) else { return socket }
      guard socket.transport == .tcp, socket.state != .listen, socket.state != .close, socket.state != .synSent else {
        return nil
      }
      var orphan = socket
      orphan.processes = []
      orphan.owner = .none
      orphan.inode = nil
      orphan.state = .finWait1
      return orphan
    }
    return after
  }
}
