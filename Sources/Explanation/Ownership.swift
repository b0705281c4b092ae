import BindRules
import SocketModel

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
          kind: "socket-activation",
          text: "\(manager) holds the port for \(activation.unit) and starts \(activation.activates) when needed"))
    }
    for process in processes {
      guard let target = process.forwardsTo else { continue }
      notes.append(
        Note(kind: "published-port", text: "docker-proxy publishes \(target.text) of a container on this port"))
    }
    switch inheritance {
    case .otherPrograms(let creator, let heirs):
      let names = heirs.map(\.text).listed()
      let from = creator.map { " from \($0.text)" } ?? ""
      notes.append(
        Note(
          kind: "inherited-descriptor",
          text: "\(names) inherited the socket\(from): the port is free only when all of them have gone;"
            + " SOCK_CLOEXEC prevents this"))
    case .leaderGone(let heir, let leader):
      notes.append(
        Note(
          kind: "inherited-descriptor",
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
    return Note(kind: "hidden-guess", text: "\(local.port) is the usual port of \(name), which no process holds")
  }

  fileprivate func whereToChange(_ host: HostFacts) -> Suggestion? {
    if let activation {
      let key = transport == .tcp ? "ListenStream=" : "ListenDatagram="
      return Suggestion(
        kind: "change-socket-unit", certainty: .conditional("you want to move it"),
        text: "change \(key) in \(activation.unit), not the port in the configuration of \(activation.activates)",
        command: host.systemctl("edit \(shellWord(activation.unit))", manager: activation.userManager))
    }
    guard owner == .kernel, let kernelOwner else { return nil }
    switch kernelOwner.kind {
    case "vxlan", "geneve", "bareudp":
      return Suggestion(
        kind: "change-interface", certainty: .conditional("its peers change too"),
        text: "create \(kernelOwner) with another destination port (ip link: dstport)")
    case "wireguard":
      guard let interface = kernelOwner.interface else { return nil }
      return Suggestion(
        kind: "change-interface", certainty: .conditional("its peers change their endpoint"),
        text: "give \(kernelOwner) another port",
        command: host.asRoot("wg set \(shellWord(interface)) listen-port PORT"))
    case "ipvs":
      return Suggestion(
        kind: "stop-holder", certainty: .conditional("this host need not take over connections"),
        text: "stop the backup daemon", command: host.asRoot("ipvsadm --stop-daemon backup"))
    case "nfsd":
      return Suggestion(
        kind: "stop-holder", certainty: .conditional("nobody needs the exports"), text: "stop the NFS server",
        command: host.systemctl("stop nfs-server.service", manager: nil))
    default: return nil
    }
  }
}
