package import BindRules
package import SocketModel

// The chain behind the process that holds a socket: what started it, on whose behalf it holds the port, and where
// the port is to be changed.

/// What the reader should know of the owners of the sockets in the way.
func ownershipNotes(_ situation: Situation) -> [Note] {
  let sockets = situation.blockingSockets
  var told: Set<Note> = []
  return (sockets.flatMap(\.ownershipNotes) + forwardingNotes(sockets)).filter { told.insert($0).inserted }
}

/// Where the port is changed, if it is not in the configuration one would look at first.
func whereToChange(_ situation: Situation) -> [Suggestion] {
  var told: Set<Suggestion> = []
  return situation.blockingSockets.compactMap { $0.whereToChange(situation.snapshot.host) }.filter {
    told.insert($0).inserted
  }
}

/// What the holders forward by ssh(1): a sentence for each kind of forwarding, however many hold a socket of it.
private func forwardingNotes(_ sockets: [SocketObservation]) -> [Note] {
  var kinds: [String] = []
  var holders: [String: [ProcessRecord]] = [:]
  var known: [String: Set<Int32>] = [:]
  for socket in sockets {
    for process in socket.processes {
      guard let what = process.forwarding(socket.local), known[what, default: []].insert(process.pid).inserted else {
        continue
      }
      if holders[what] == nil { kinds.append(what) }
      holders[what, default: []].append(process)
    }
  }
  return kinds.map { what in
    let names = holders[what, default: []].map(\.text)
    let (forwards, its) = names.count > 1 ? ("forward", "to end one of them") : ("forwards", "to end it")
    return Note(
      kind: .loginForwarding,
      text: "\(names.listed()) \(forwards) \(what): \(its) ends the whole session")
  }
}

extension SocketObservation {
  fileprivate var ownershipNotes: [Note] {
    var notes: [Note] = []
    if let activation {
      let manager = activation.userManager.map { "systemd of uid \($0)" } ?? "systemd"
      notes.append(
        Note(
          kind: .socketActivation,
          text: "\(manager) holds the port for \(activation.unit) and starts"
            + " \(activation.activates ?? "what that unit names") when needed"))
    }
    for process in processes {
      guard let target = process.forwardsTo else { continue }
      notes.append(
        Note(
          kind: .publishedPort,
          text: "docker-proxy publishes \(target.text) of \(process.containerText ?? "a container") on this port"))
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
    case .parentGone(let heirs):
      let many = heirs.count > 1
      notes.append(
        Note(
          kind: .inheritedDescriptor,
          text:
            "\(heirs.map(\.text).listed()) \(many ? "have" : "has") inherited the socket from a parent that is gone,"
            + " and \(many ? "accept" : "accepts") no connections; SOCK_CLOEXEC in the server would have prevented this"
        ))
    case nil: break
    }
    notes += processes.compactMap(\.supervisorNote).prefix(1)
    notes += processes.compactMap(\.stoppedNote).prefix(1)
    if owner == .hidden, let guess = hiddenGuess { notes.append(guess) }
    return notes
  }

  /// What moves the forwardings of logins, or ends those of dead ones (sshd_config(5)).
  private var forwardingSetting: Suggestion {
    if local.isX11Display {
      return Suggestion(
        kind: .changeSetting, certainty: .when(.wantsToMove),
        text: "move the X11 forwarding of all logins by X11DisplayOffset in sshd_config (10 by default)")
    }
    return Suggestion(
      kind: .changeSetting, certainty: .when(.loginIsDead),
      text: "let sshd end such logins by itself: ClientAliveInterval and ClientAliveCountMax in sshd_config")
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
      let manager = activation.userManager
      return Suggestion(
        kind: .changeSocketUnit, certainty: .when(.wantsToMove),
        text: "change \(key) in \(activation.unit)\(manager.map { " of uid \($0)" } ?? ""), not the port in the"
          + " configuration of \(activation.activates ?? "what it starts")",
        command: host.edit(activation.unit, manager: manager))
    }
    if processes.contains(where: \.servesLogin) { return forwardingSetting }
    guard owner == .kernel, let kernelOwner else { return nil }
    switch kernelOwner.kind {
    case .vxlan, .geneve, .bareudp:
      return Suggestion(
        kind: .changeInterface, certainty: .when(.peersChange),
        text: "create \(kernelOwner.text) with another destination port (ip link: dstport)")
    case .wireguard:
      return Suggestion(
        kind: .changeInterface, certainty: .when(.peersChangeEndpoint),
        text: "give \(kernelOwner.text) another ListenPort (wg(8), or the file that configures it)")
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
  /// Nobody is left but heirs: their parent has gone, no descriptor of theirs is closed by execve(2), and each of them
  /// sleeps in a call that waits for something else than a connection.
  case parentGone(heirs: [ProcessRecord])
}

extension SocketObservation {
  /// How the socket came to its holders by inheritance; nil where nothing speaks for that.
  ///
  /// A manager that hands sockets over on purpose is no such case: systemd, and the helpers of container engines.
  package var inheritance: Inheritance? {
    guard owner == .process, activation == nil, remote == nil, !processes.isEmpty else { return nil }
    let managers: Set<String> = ["systemd", "docker-proxy", "dockerd", "conmon", "rootlessport", "containerd"]
    guard !processes.contains(where: { $0.pid == 1 || $0.isServiceManager || managers.contains($0.command) }) else {
      return nil
    }
    let programs = Set(processes.map { $0.executable ?? "" })
    if programs.count > 1, !programs.contains("") { return .of(processes) }
    let isLeft = processes.contains { $0.isParentGone == true }
    return isLeft && processes.allSatisfy(\.isIdleHeir) ? .parentGone(heirs: processes) : nil
  }
}

extension Inheritance {
  fileprivate static func of(_ processes: [ProcessRecord]) -> Inheritance {
    // By parent: to compare each with each takes minutes where thousands hold it.
    var programs: [Int32: Set<String?>] = [:]
    for process in processes {
      if let parent = process.parent { programs[parent, default: []].insert(process.executable) }
    }
    let creator = processes.first { candidate in
      programs[candidate.pid]?.contains { $0 != candidate.executable } ?? false
    }
    let heirs = processes.filter { $0.executable != creator?.executable }
    return .otherPrograms(creator: creator, heirs: heirs)
  }
}

extension ProcessRecord {
  /// Has the socket from before its program was started, and waits for something else than a connection.
  fileprivate var isIdleHeir: Bool {
    let elsewhere: Set<String> = [
      "hrtimer_nanosleep", "do_nanosleep", "do_wait", "kernel_wait4", "pipe_read", "anon_pipe_read", "pipe_wait",
      "__do_sys_pause", "sigsuspend", "do_sigtimedwait", "n_tty_read",
    ]
    return closesOnExec == false && sleepsIn.map(elsewhere.contains) == true
  }

  /// Whether it is the sshd(8) of one login, which the daemon started, and not the daemon.
  package var servesLogin: Bool {
    guard Self.loginServers.contains(program) else { return false }
    if let unit, unit.hasPrefix("ssh@") || unit.hasPrefix("sshd@") { return true }
    return parents?.contains { Self.loginServers.contains($0.command) } == true
  }

  private static let loginServers: [String] = ["sshd", "sshd-session", "dropbear"]

  /// What it is for, where that is a forwarding of ssh(1).
  fileprivate func forwarding(_ local: Endpoint) -> String? {
    guard servesLogin else { return program == "ssh" ? "the port to another host (ssh -L or -D)" : nil }
    return local.isX11Display
      ? "X11 for an ssh login (ssh -X, display :\(local.port.rawValue - 6000))" : "the port for an ssh login (ssh -R)"
  }

  /// The program: the base name of its executable, else its short name.
  var program: String {
    guard let executable else { return command }
    let end = executable.utf8.lastIndex(of: UInt8(ascii: "/")).map { executable.utf8.index(after: $0) }
    let base = executable[(end ?? executable.startIndex)...]
    return String(base.hasSuffix(" (deleted)") ? base.dropLast(10) : base)
  }

  /// What starts it again when it ends, by the name of one of its parents.
  var supervisor: String? {
    parents?.lazy.map(\.command).first { Self.supervisors.contains($0) || $0.hasPrefix("PM2 ") }
  }

  private static let supervisors: Set<String> = [
    "supervisord", "runsv", "s6-supervise", "monit", "circusd", "nodemon", "forever",
  ]

  fileprivate var supervisorNote: Note? {
    supervisor.map {
      Note(kind: .supervised, text: "\(text) runs under \(commandText($0)), which starts it again when it ends")
    }
  }
}

extension ProcessRecord {
  /// Suspended and not stopped: on the same screen units and containers are stopped.
  fileprivate var stoppedNote: Note? {
    if let tracer {
      return Note(
        kind: .stopped,
        text: "\(text) is held by \(tracer.text), as by a debugger: it keeps the port and answers nobody until that"
          + " lets it go")
    }
    guard isStopped == true else { return nil }
    return Note(
      kind: .stopped,
      text:
        "\(text) is suspended, as by Ctrl-Z: it keeps the port and answers nobody; kill -CONT, or fg in its shell,"
        + " lets it go on")
  }

  /// Whether it runs beside its container, on the host, and holds the port for it.
  var publishesForContainer: Bool { forwardsTo != nil || program == "conmon" }

  /// The container by its name, where that is known, and its id; nil without one.
  var containerText: String? {
    container.map { id in
      containerName.map { "container \($0) (\(shortContainer(id)))" } ?? "container \(shortContainer(id))"
    }
  }
}

extension ParentProcess {
  /// As `ProcessRecord.text`.
  var text: String { "\(commandText(command)) (pid \(pid))" }
}

extension Endpoint {
  /// One of the ports that sshd takes for X11 on loopback: 6000 and the number of the display, from 10 up.
  var isX11Display: Bool {
    (6010...6999).contains(port.rawValue) && (address == .v4(.loopback) || address == .v6(.loopback))
  }
}

/// What a socket is to somebody who wants its port.
package enum SocketRole: Sendable, Hashable, CaseIterable {
  case listener
  case bound
  case udp
  case selfConnection
  /// A connection that was made from this host: no listener can have accepted it.
  case client
  /// A connection that a listener accepted, or one whose listener has gone; also the FIN_WAIT2 of which a timewait
  /// socket is left.
  case serverConnection
  case timeWait
  /// A handshake that is not finished; never in the way.
  case request

  /// What the socket is to the port, or to an attempt.
  package init(_ socket: SocketObservation, in snapshot: Snapshot) {
    self.init(socket, host: snapshot.host, listeners: Listeners(snapshot.sockets))
  }

  /// The same, for many sockets of one snapshot.
  init(_ socket: SocketObservation, host: HostFacts, listeners: Listeners) {
    switch socket.state {
    case _ where socket.transport == .udp: self = .udp
    case .listen: self = .listener
    case .close: self = .bound
    case _ where socket.isRequest: self = .request
    case .timeWait: self = .timeWait
    case .synSent: self = .client
    case _ where socket.remote == socket.local: self = .selfConnection
    default:
      let isAccepted = listeners.first(of: socket) != nil
      self = !isAccepted && SocketRole.looksOutgoing(socket, host) ? .client : .serverConnection
    }
  }

  /// The port is one that connect(2) picks, or the peer's is that of a service: a guess for the wording, no more.
  private static func looksOutgoing(_ socket: SocketObservation, _ host: HostFacts) -> Bool {
    guard socket.owner != .none, let peer = socket.remote?.port.rawValue else { return false }
    let port = socket.local.port.rawValue
    if host.localPortRange?.contains(port) == true { return true }
    // bindresvport(3) takes 512...1023, and so do the clients of a server that asks for such ports.
    let services: Set<UInt16> = [636, 853, 993, 995, 2049]
    return port >= 512 && port != 2049 && (peer < 512 || services.contains(peer))
  }

  /// What a server that has gone may leave behind.
  static let remains: Set<SocketRole> = [.serverConnection, .timeWait]

  /// The cause where a socket of this role on exactly this address is in the way.
  var cause: Cause {
    switch self {
    case .listener, .request: .listener
    case .bound: .boundNotListening
    case .udp: .udpSocket
    case .selfConnection: .selfConnection
    case .client: .outgoingConnection
    case .serverConnection: .leftoverConnection
    case .timeWait: .timeWait
    }
  }
}

/// How the address of a socket and that of a planned one, known to collide, meet.
package enum AddressOverlap: Sendable, Hashable {
  /// The same address, IPv4-mapped counting as IPv4.
  case same
  /// One of them is the wildcard of the other's family.
  case wildcard
  /// One is IPv4, the other an IPv6 address.
  case dualStack

  package init(_ attempt: BindAttempt, _ socket: SocketObservation) {
    let (mine, theirs) = (attempt.address.plain, socket.local.address.plain)
    if mine.family != theirs.family {
      self = .dualStack
    } else {
      self = mine == theirs ? .same : .wildcard
    }
  }
}

extension IPAddress {
  /// The address with an IPv4-mapped one as IPv4: what the traffic to it is.
  var plain: IPAddress {
    if case .v6(let address) = self, let mapped = address.mapped { return .v4(mapped) }
    return self
  }
}

extension SocketObservation {
  /// Whether several programs hold this one listening socket, which one of them made and the others inherited.
  var isHeldByDifferentPrograms: Bool {
    if state == .listen, case .otherPrograms = inheritance { true } else { false }
  }

  /// Whether a holder of this listening socket has it from another program, which may have gone.
  var isInherited: Bool { state == .listen && inheritance != nil }
}
