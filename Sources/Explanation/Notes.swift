import BindRules
import SocketModel

/// Remarks that do not decide, but that a reader of the verdict should know.
func notes(_ situation: Situation, outcome: BindOutcome) -> [Note] {
  [
    hiddenOwner(situation), olderCopy(situation), containerEngine(situation, outcome), optionSetLate(situation),
    listenRace(situation, outcome), unrelatedSharing(situation),
    ephemeralRange(situation, outcome), securityModule(situation, outcome), controlGroupProgram(situation, outcome),
  ].compactMap { $0 }
}

/// What is worth knowing of the servers that have the port.
func holderRemarks(_ situation: Situation) -> [Note] {
  let executables = situation.blockingSockets.flatMap(\.processes).map(\.executable)
  let remarks = executables.compactMap { Runtime(executable: $0)?.remark }
  return Set(remarks).sorted().map { Note(kind: .holderRemark, text: $0) }
}

private func hiddenOwner(_ situation: Situation) -> Note? {
  guard situation.blockingSockets.contains(where: { $0.owner == .hidden }) else { return nil }
  guard situation.snapshot.visibility.reasons.contains(.noHolder) else {
    return Note(kind: .hiddenOwner, text: "the process behind a socket in the way is not visible to you")
  }
  return Note(
    kind: .hiddenOwner,
    text: "no process that could be looked at holds a socket in the way: one of another pid or user namespace does,"
      + " a thread with descriptors of its own, a message to another process, or it has just been closed")
}

/// A connection keeps the options its listener had when it came in (`sk_clone_lock`).
private func optionSetLate(_ situation: Situation) -> Note? {
  let listens = situation.snapshot.sockets.contains { $0.state == .listen && $0.reuseaddr.sure == true }
  let without = situation.snapshot.sockets.contains { socket in
    SocketRole.remains.contains(situation.role(socket)) && socket.reuseaddr.sure == false
  }
  guard listens, without else { return nil }
  return Note(
    kind: .optionSetLate,
    text: "the listener has SO_REUSEADDR, but connections of the port do not: it was set after they came in,"
      + " or they belong to an earlier server")
}

/// Sockets that share a TCP port with SO_REUSEADDR may both be bound, but one alone can listen.
private func listenRace(_ situation: Situation, _ outcome: BindOutcome) -> Note? {
  guard situation.attempt.transport == .tcp, outcome.verdict == .ok, outcome.options.contains(.reuseaddr) else {
    return nil
  }
  let bound = (situation.outcome([])?.blockers ?? []).map(situation.socket).filter { situation.role($0) == .bound }
  guard let first = bound.first else { return nil }
  return Note(
    kind: .listenRace,
    text: "\(first.holderText) has the port bound too: whoever calls listen() first wins, the other's listen() fails")
}

/// Different programs in one SO_REUSEPORT group: each gets a part of the other's clients.
private func unrelatedSharing(_ situation: Situation) -> Note? {
  let receiving = situation.snapshot.sockets.filter {
    ($0.transport == .udp || $0.state == .listen) && $0.reuseport.sure == true && $0.remote == nil
  }
  struct Group: Hashable {
    var local: Endpoint
    var uid: UInt32?
    var device: InterfaceIndex?

    init(_ socket: SocketObservation) { (local, uid, device) = (socket.local, socket.uid, socket.device) }
  }
  var groups = Dictionary(grouping: receiving, by: Group.init)
  for socket in receiving {
    // The first of a group stands for all.
    guard let group = groups.removeValue(forKey: Group(socket)) else { continue }
    let processes = group.flatMap(\.processes)
    guard group.count > 1, Set(processes.compactMap(\.executable)).count > 1 else { continue }
    let names = Array(Set(processes.map(\.command))).sorted().listed(atMost: 3)
    return Note(
      kind: .unrelatedSharing,
      text: "\(names) share \(socket.local.text) by SO_REUSEPORT: each gets a part of the other's traffic")
  }
  return nil
}

/// The port is one that connect(2) may pick as the local end of any connection.
private func ephemeralRange(_ situation: Situation, _ outcome: BindOutcome) -> Note? {
  let (host, port) = (situation.snapshot.host, situation.attempt.port.rawValue)
  guard outcome.verdict == .ok, let range = host.localPortRange, range.contains(port),
    let reserved = host.localReservedPorts, !reserved.contains(where: { $0.contains(port) })
  else { return nil }
  return Note(
    kind: .ephemeralPort,
    text: "the kernel gives ports \(range.lowerBound)-\(range.upperBound) to clients, so one may hold this port when"
      + " the server starts; net.ipv4.ip_local_reserved_ports keeps it out")
}

/// A module that the host shows to enforce, and where it says what it allows. One that is only there says nothing of the
/// planned program, and Landlock's rules are each program's own.
private func securityModule(_ situation: Situation, _ outcome: BindOutcome) -> Note? {
  guard let enforcing = situation.snapshot.host.enforcingModules, enforcing.contains("selinux"),
    outcome.verdict == .ok
  else { return nil }
  return Note(
    kind: .securityModule,
    text: "SELinux enforces here and can still refuse the bind with EACCES: `semanage port -l` shows which ports a"
      + " confined program may have, `ausearch -m avc -ts recent` what was refused")
}

private func controlGroupProgram(_ situation: Situation, _ outcome: BindOutcome) -> Note? {
  guard situation.snapshot.host.controlGroupBindPrograms == true, outcome.verdict == .ok else { return nil }
  return Note(
    kind: .controlGroupProgram,
    text: "a control group program is asked at every bind() here (systemd: SocketBindDeny=): it can refuse it with"
      + " EPERM, and is not looked at")
}

/// The planned server's own program has the port already, as the same user.
private func olderCopy(_ situation: Situation) -> Note? {
  guard let runtime = situation.runtime, !runtime.executables.isEmpty else { return nil }
  let holders = situation.blockingSockets.filter { $0.state == .listen }.flatMap(\.processes)
  let copy = holders.first { process in
    process.uid == situation.attempt.uid && process.container == nil
      && Runtime(executable: process.executable)?.name == runtime.name
  }
  return copy.map { copy in
    Note(
      kind: .olderCopy,
      text: "\(copy.text) is \(runtime.name) too, run by the same user: perhaps an older copy that was never stopped")
  }
}

/// dockerd keeps a list of its own of the ports it gave away, beside the kernel's.
private func containerEngine(_ situation: Situation, _ outcome: BindOutcome) -> Note? {
  let (host, attempt) = (situation.snapshot.host, situation.attempt)
  guard host.dockerRuns == true, outcome.verdict == .ok, situation.snapshot.sockets.isEmpty else { return nil }
  let port = "\(attempt.port)\(attempt.transport == .udp ? "/udp" : "")"
  return Note(
    kind: .containerEngine,
    text: "dockerd refuses with \"port is already allocated\" what it has given to a container, bound or not:"
      + " `docker ps --filter publish=\(port)` shows that")
}
