import SocketModel

/// Who would have to go for sockets to go, and the command that does it in the words of whoever manages it.
struct Holders {
  /// Every process that holds one of the sockets.
  var pids: Set<Int32>
  /// In a few words.
  var name: String
  /// A command line for whoever reads the answer, sudo(8) included where it is needed.
  var command: String
  /// The command does it; false where it only shows what is to be stopped.
  var isDecisive = true

  init(_ sockets: [SocketObservation], _ host: HostFacts) {
    let processes = sockets.flatMap(\.processes)
    pids = Set(processes.map(\.pid))
    let activations = Set(sockets.compactMap(\.activation))
    if let activation = activations.first, activations.count == 1, sockets.allSatisfy({ $0.activation != nil }) {
      (name, command) = Self.socketUnit(activation, processes, host)
    } else if processes.contains(where: { $0.pid == 1 && $0.command == "systemd" }) {
      name = "the socket unit for which systemd holds the port"
      command = "systemctl list-sockets"
      isDecisive = false
    } else if let container = Self.container(processes, sockets, host) {
      (name, command) = container
    } else if let units = Self.units(processes, host) {
      (name, command) = units
    } else {
      name = sockets.holderNames
      let numbers = pids.sorted()
      let sudo = host.prefix(forOwnerOf: sockets)
      command = "\(sudo)kill \(numbers.map(String.init).joined(separator: " "))"
    }
  }

  /// Stopping the service alone would have the next connection start it again.
  private static func socketUnit(
    _ activation: SocketActivation, _ processes: [ProcessRecord], _ host: HostFacts
  ) -> (String, String) {
    let services = Set(processes.filter { $0.pid != 1 && $0.command != "systemd" }.compactMap(\.unit)).sorted()
    let units = [activation.unit] + services.filter { $0 != activation.unit }
    let words = units.map(shellWord).joined(separator: " ")
    return (units.listed(), host.systemctl("stop \(words)", manager: activation.userManager))
  }

  private static func container(
    _ processes: [ProcessRecord], _ sockets: [SocketObservation], _ host: HostFacts
  ) -> (String, String)? {
    let sudo = host.prefix(forOwnerOf: sockets)
    let forwards = Set(processes.map(\.forwardsTo))
    if let first = forwards.first, let target = first, !forwards.contains(nil), let port = sockets.first?.local.port {
      let others = forwards.count > 1 ? " and \(forwards.count - 1) more" : ""
      return (
        "the container at \(target.address)\(others)",
        "\(sudo)docker stop $(\(sudo)docker ps -q --filter publish=\(port))"
      )
    }
    guard let first = processes.first, let container = first.container, let engine = first.containerEngine,
      processes.allSatisfy({ $0.container == container })
    else { return nil }
    let short = container.count == 64 ? String(container.prefix(12)) : container
    let stop = [
      "docker": "docker stop", "podman": "podman stop", "nerdctl": "nerdctl stop", "lxc": "lxc-stop -n",
      "kubernetes": "crictl stop",
    ]
    return stop[engine].map { ("container \(short)", "\(sudo)\($0) \(shellWord(short))") }
  }

  private static func units(_ processes: [ProcessRecord], _ host: HostFacts) -> (String, String)? {
    let units = Set(processes.compactMap(\.unit)).sorted()
    let managers = Set(processes.map(\.userManager))
    guard !units.isEmpty, processes.allSatisfy({ $0.unit != nil }), managers.count == 1, let manager = managers.first
    else { return nil }
    let words = units.map(shellWord).joined(separator: " ")
    let owner = manager.map { " of uid \($0)" } ?? ""
    return (units.listed() + owner, host.systemctl("stop \(words)", manager: manager))
  }
}
