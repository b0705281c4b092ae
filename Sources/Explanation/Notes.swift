package import BindRules
package import SocketModel

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
  if situation.snapshot.visibility.reasons.contains(.pidNamespace) {
    return Note(
      kind: .hiddenOwner,
      text: "no process that could be looked at holds a socket in the way: this is a container, or another pid"
        + " namespace, from which the processes of the host are not to be seen")
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
    let names = Set(processes.map { commandText($0.command) }).sorted()
    let others = names.count > 2 ? "the others'" : "the other's"
    return Note(
      kind: .unrelatedSharing,
      text: "\(names.listed(atMost: 3)) share \(socket.local.text) by SO_REUSEPORT: each gets a part of \(others)"
        + " traffic")
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
  guard outcome.verdict == .ok else { return nil }
  if let profile = situation.snapshot.host.appArmorProfiles?.first {
    let place = profile.file ?? "/etc/apparmor.d"
    return Note(
      kind: .securityModule,
      text: (profile.isEnforced
        ? "AppArmor enforces the profile \(profile.name), which can still refuse the bind with EACCES:"
        : "AppArmor has a profile for \(situation.runtime?.name ?? "it"), which can still refuse the bind with EACCES:")
        + " the network and capability lines of \(place) say what is allowed,"
        + " `journalctl -k -g apparmor` what was refused")
  }
  guard situation.snapshot.host.enforcingModules?.contains("selinux") == true else { return nil }
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
      text: "\(copy.text) is \(runtime.name) too, run by the same user: perhaps an older copy that was never ended")
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

// Remarks about how the answer was made, what it met on the way, and what was found beside it.

extension Note {
  // MARK: The plan

  /// Nobody said whose the socket is, the port is privileged, and sudo(8) was used.
  package static func judgedAsRoot(insteadOf uid: UInt32, _ host: HostFacts) -> Note {
    Note(
      kind: .privilegedPort,
      text: "judged as root, as by sudo: uid \(uid), who called it, gets EACCES, because ports below"
        + " \(host.unprivilegedPortStart ?? 1024) need CAP_NET_BIND_SERVICE")
  }

  package static let familySkipped = Note(
    kind: .familySkipped, text: "this host has no IPv6, so only 0.0.0.0 is judged")

  /// The planned socket has a device that nobody asked for.
  package static func placeDevice(_ name: String) -> Note {
    Note(
      kind: .placeDevice,
      text:
        "a socket made here is bound to \(name) from the start (a program of the control group, as ip vrf exec has"
        + " one), and so is the planned one")
  }

  // MARK: The look

  /// Sockets that ended between the dump and the walk of the iterators.
  package static func vanished(_ count: Int) -> Note {
    let sockets = count == 1 ? "a socket without owner" : "\(count) sockets without owner"
    return Note(
      kind: .vanished, text: "\(sockets) ended while portwhy looked, and \(count == 1 ? "was" : "were") left out")
  }

  /// What was asked and did not answer in time; nil for what an earlier look asked.
  package static func noAnswer(_ source: SilentSource?) -> Note {
    if let error = source?.error { return unasked(error) }
    let what =
      if let directory = source?.directory {
        if let pid = source?.pid {
          "somebody keeps \(directory) locked, the directory of \(source?.command.map { "\($0)(\(pid))" } ?? "a process")"
        } else {
          "somebody keeps \(directory) locked, and with it "
            + (directory == "/proc"
              ? "the list of all processes" : directory == "/proc/sys" ? "settings of the kernel" : "files below it")
        }
      } else if let pid = source?.pid {
        "\(source?.command ?? "")(\(pid)) keeps whoever looks at its descriptors waiting"
      } else if let iterator = source?.iterator {
        "a process keeps a \(iterator.uppercased()) socket of this network namespace locked, on whatever port"
      } else if source?.netlink != nil {
        "a process keeps the kernel's lock of all interfaces (RTNL), and with it what tells interfaces, addresses and"
          + " routes"
      } else {
        "what an earlier look asked has not answered yet"
      }
    return Note(kind: .noAnswer, text: "\(what): it was not waited for, and what it would have told is not known")
  }

  private static func unasked(_ error: String) -> Note {
    let text =
      switch error {
      case "E2BIG": "so many processes hold sockets here that not all were looked at: there are more than are told"
      case "ETIME": "this host has too many descriptors to look through: there may be more holders than are told"
      default:
        "portwhy could not start the process that looks for it ("
          + (error == "EAGAIN" ? "EAGAIN: too many processes, see ulimit -u and pids.max of cgroups(7)" : error)
          + "), and what it would have told is not known"
      }
    return Note(kind: .noAnswer, text: text)
  }

  /// Sockets of the other transport on the port.
  package static func otherProtocol(_ sockets: Int, of transport: TransportProtocol, _ command: Command) -> Note {
    Note(
      kind: .otherProtocol,
      text:
        "\(counted(sockets, "\(transport.name) socket")) on this port: never in the way of \(transport.other.name)"
        + " (\(command.text))")
  }

  // MARK: What has a say besides

  /// A firewall rule of this chain sends what comes for the port elsewhere.
  package static func redirected(chain: String, to target: String?) -> Note {
    Note(
      kind: .redirected,
      text: "a firewall rule in \(chain) sends traffic for this port\(target.map { " to \($0)" } ?? " elsewhere"),"
        + " before a socket sees it: a bind works, but what the rule matches never arrives")
  }

  /// The port in a network namespace that has a name, or this inode.
  package static func otherNamespace(_ sockets: [SocketObservation], name: String?, inode: UInt64) -> Note {
    let processes = sockets.flatMap(\.processes)
    let container = processes.lazy.compactMap(\.container).first
    let holder = processes.first?.text ?? hiddenText(nil)
    let place = name ?? container.map { "container \(shortContainer($0))" } ?? "net:[\(inode)]"
    return Note(
      kind: .otherNamespace,
      text: "\(holder) has the port in another network namespace (\(place)), which does not block this one")
  }

  /// More network namespaces than are entered.
  package static func namespacesLeftOut(_ count: Int) -> Note {
    Note(kind: .otherNamespace, text: "\(counted(count, "more network namespace")) not looked at: there are too many")
  }

  // MARK: Real binds

  package static func probed(_ combinations: [ReuseOptions]) -> Note {
    let names = combinations.map { $0.isEmpty ? "no option" : $0.names }
    return Note(kind: .probed, text: "settled by a real bind: \(names.joined(separator: ", "))")
  }

  package static let probeMemory = Note(
    kind: .probeMemory,
    text:
      "the bind bucket of the port remembers the real bind with SO_REUSEPORT: as long as one of the port's sockets is"
      + " left, binds with SO_REUSEPORT of that user and address pass")

  package static func probeRefused(_ reason: String) -> Note {
    Note(kind: .probeRefused, text: "not probed: \(reason)")
  }

  package static let probeChanged = Note(
    kind: .probeChanged, text: "the sockets of the port changed while it was probed: ask again")

  package static func probeOutside(_ errno: SystemError) -> Note {
    Note(
      kind: .probeOutside,
      text: "a real bind fails with \(errno) before the port is looked at: a security module or a control group"
        + " program refuses it to portwhy, which says nothing about the planned program")
  }

  package static func probeContradiction(_ outcome: BindOutcome, _ answer: CallResult) -> Note {
    let options = outcome.options.isEmpty ? "no option" : outcome.options.names
    return Note(
      kind: .probeContradiction,
      text: "a bug of portwhy: \(options), the rules said \(outcome.bind), a real bind says \(answer)")
  }
}

extension Diagnosis {
  /// Adds what a program can say of its own failed bind: that it would work now, or which descriptors of the program
  /// itself are in the way.
  package mutating func addOwnProgram(_ descriptors: [Int32]?, wouldWork: Bool) {
    if wouldWork {
      notes.append(
        Note(kind: .goneMeanwhile, text: "what made it fail is not there any more: the same bind would work now"))
    }
    guard let descriptors else { return }
    notes.removeAll { $0.kind == .olderCopy }
    let numbers = descriptors.sorted().map(String.init).joined(separator: ", ")
    notes.append(
      Note(
        kind: .ownProgram,
        text: "this program itself is in its own way, with descriptor\(descriptors.count == 1 ? "" : "s") \(numbers):"
          + " does it bind twice?"))
    suggestions.removeAll { $0.kind == .stopHolder || $0.kind == .findHolder }
    suggestions.insert(
      Suggestion(
        kind: .closeOwn, certainty: .when(.notNeeded),
        text: "close what has the port before this bind, or bind once and use the one socket"), at: 0)
  }
}

extension TransportProtocol {
  fileprivate var name: String { rawValue.uppercased() }
}
