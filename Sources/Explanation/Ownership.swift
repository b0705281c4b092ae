import BindRules
package import SocketModel

// The chain behind the process that holds a socket: what started it, on whose behalf it holds the port, and where
// the port is to be changed.

/// What the reader should know of the owners of the sockets in the way.
func ownershipNotes(_ situation: Situation) -> [Note] {
  var notes: [Note] = []
  for socket in situation.blockingSockets {
    for note in socket.ownershipNotes where !notes.contains(note) { notes.append(note) }
  }
  return notes
}

/// Where the port is changed, if it is not in the configuration one would look at first.
func whereToChange(_ situation: Situation) -> [Suggestion] {
  var suggestions: [Suggestion] = []
  for socket in situation.blockingSockets {
    guard let suggestion = socket.whereToChange(situation.snapshot.host), !suggestions.contains(suggestion) else {
      continue
    }
    suggestions.append(suggestion)
  }
  return suggestions
}

extension SocketObservation {
  fileprivate var ownershipNotes: [Note] {
    var notes: [Note] = []
    if let activation {
      let manager = activation.userManager.map { "systemd of uid \($0)" } ?? "systemd"
      notes.append(
        Note(
          kind: .socketActivation,
          text: "\(manager) holds the port for \(activation.unit) and starts \(activation.activates) when needed"))
    }
    for process in processes {
      guard let target = process.forwardsTo else { continue }
      notes.append(
        Note(kind: .publishedPort, text: "docker-proxy publishes \(target.text) of a container on this port"))
    }
    switch inheritance {
    case .otherPrograms(let creator, let heirs):
      let names = heirs.map(\.text).listed()
      let from = creator.map { " from \($0.text)" } ?? ""
      notes.append(
        Note(
          kind: .inheritedDescriptor,
          text: "\(names) inherited the socket\(from): the port is free only when all of them have gone;"
            + " SOCK_CLOEXEC prevents this"))
    case .leaderGone(let heir, let leader):
      notes.append(
        Note(
          kind: .inheritedDescriptor,
          text:
            "\(heir.text) is of the process group of pid \(leader), which has gone: it may have"
            + " inherited the socket, which SOCK_CLOEXEC prevents"))
    case nil: break
    }
    if owner == .hidden, let guess = hiddenGuess { notes.append(guess) }
    return notes
  }

  /// What holds a socket that no process is seen to hold, without evidence: as a note, never as an owner.
  private var hiddenGuess: Note? {
    let known: [UInt16: String] = [
      2049: "the kernel's NFS server (nfsd)", 4789: "a VXLAN interface", 6081: "a GENEVE interface",
      8472: "a VXLAN interface", 51820: "a WireGuard interface", 8848: "the connection synchronisation of IPVS",
    ]
    guard let name = known[local.port.rawValue] else { return nil }
    return Note(kind: .hiddenGuess, text: "\(local.port) is the usual port of \(name), which no process holds")
  }

  fileprivate func whereToChange(_ host: HostFacts) -> Suggestion? {
    if let activation {
      let key = transport == .tcp ? "ListenStream=" : "ListenDatagram="
      return Suggestion(
        kind: .changeSocketUnit, certainty: .when(.wantsToMove),
        text: "change \(key) in \(activation.unit), not the port in the configuration of \(activation.activates)",
        command: host.systemctl("edit", [activation.unit], manager: activation.userManager))
    }
    guard owner == .kernel, let kernelOwner else { return nil }
    switch kernelOwner.kind {
    case .vxlan, .geneve, .bareudp:
      return Suggestion(
        kind: .changeInterface, certainty: .when(.peersChange),
        text: "create \(kernelOwner.text) with another destination port (ip link: dstport)")
    case .wireguard:
      guard let interface = kernelOwner.interface else { return nil }
      return Suggestion(
        kind: .changeInterface, certainty: .when(.peersChangeEndpoint),
        text: "give \(kernelOwner.text) another port",
        // wg(8) reads its words one by one and knows no `--`.
        command: interface.hasPrefix("-") ? nil : host.asRoot(["wg", "set", interface, "listen-port", "PORT"]))
    case .ipvs:
      return Suggestion(
        kind: .stopHolder, certainty: .when(.noTakeover),
        text: "stop the backup daemon", command: host.asRoot(["ipvsadm", "--stop-daemon", "backup"]))
    case .nfsd:
      return Suggestion(
        kind: .stopHolder, certainty: .when(.exportsUnneeded), text: "stop the NFS server",
        command: host.systemctl("stop", ["nfs-server.service"], manager: nil))
    case .lockd, nil: return nil
    }
  }
}

/// What can be seen of a descriptor that a child process inherited (fork(2) and execve(2) without SOCK_CLOEXEC).
///
/// The kernel does not say who made a socket, so this is a conclusion from who holds it, for the wording only.
package enum Inheritance: Sendable, Hashable {
  /// Different programs hold the socket. `creator` is the one of them that is the parent of another; nil where none
  /// is: it may have gone.
  case otherPrograms(creator: ProcessRecord?, heirs: [ProcessRecord])
  /// One program alone holds it, but what was started as the leader of its process group has gone.
  case leaderGone(heir: ProcessRecord, leader: Int32)
}

extension SocketObservation {
  /// How the socket came to its holders by inheritance; nil where nothing speaks for that.
  ///
  /// A manager that hands sockets over on purpose is no such case: systemd, and the helpers of container engines.
  package var inheritance: Inheritance? {
    guard owner == .process, activation == nil, remote == nil, let first = processes.first else { return nil }
    let managers: Set<String> = ["systemd", "docker-proxy", "dockerd", "conmon", "rootlessport", "containerd"]
    guard !processes.contains(where: { $0.pid == 1 || managers.contains($0.command) }) else { return nil }
    let programs = Set(processes.map { $0.executable ?? "" })
    if programs.count > 1, !programs.contains("") { return .of(processes) }
    let leaders = Set(processes.map(\.goneLeader))
    if leaders.count == 1, let leader = first.goneLeader { return .leaderGone(heir: first, leader: leader) }
    return nil
  }
}

extension Inheritance {
  fileprivate static func of(_ processes: [ProcessRecord]) -> Inheritance {
    let creator = processes.first { candidate in
      processes.contains { $0.parent == candidate.pid && $0.executable != candidate.executable }
    }
    let heirs = processes.filter { $0.executable != creator?.executable }
    return .otherPrograms(creator: creator, heirs: heirs)
  }
}
