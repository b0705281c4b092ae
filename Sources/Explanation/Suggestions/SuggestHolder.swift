import BindRules
import SocketModel

/// Ending whoever holds the port, judged with the holder gone and its connections left over.
func stopHolder(_ situation: Situation) -> [Suggestion] {
  let holders = Holders(situation.blockingSockets, situation.snapshot.host)
  guard !holders.pids.isEmpty else { return stopSocketUnit(situation) }
  guard holders.isDecisive else {
    return [
      Suggestion(
        kind: .findHolder, certainty: .when(.mayStop), text: "find and \(holders.verb) \(holders.name)",
        command: holders.command)
    ]
  }
  let after = situation.snapshot.withoutProcesses(holders.pids)
  var nothingLeft = after
  nothingLeft.sockets.removeAll { $0.owner == .none }
  let consequence: String
  let its = Set(situation.blockingSockets.flatMap(\.processes).map(\.command)).count > 1 ? "their" : "its"
  if situation.verdict(in: after) == .ok {
    consequence = ""
  } else if situation.verdict(situation.planned.union(.reuseaddr), in: after) == .ok {
    consequence = " and set SO_REUSEADDR, as \(its) connections stay on the port for up to a minute"
  } else if situation.verdict(in: nothingLeft) == .ok {
    consequence = " and wait until \(its) connections have left the port, up to a minute"
  } else {
    return []
  }
  return [
    Suggestion(
      kind: .stopHolder,
      certainty: situation.seesEveryHolder ? .checked : .when(.noHiddenHolder),
      text: "\(holders.verb) \(holders.name)\(consequence)", command: holders.command)
  ]
}

/// Stopping the socket unit and its service where nobody is seen to hold the port, and its control group tells the unit.
private func stopSocketUnit(_ situation: Situation) -> [Suggestion] {
  let activations = Set(situation.blockingSockets.map(\.activation))
  guard activations.count == 1, let activation = activations.first ?? nil, activation.userManager == nil else {
    return []
  }
  var after = situation.snapshot
  after.sockets.removeAll { $0.activation == activation }
  guard situation.verdict(in: after) == .ok else { return [] }
  guard let activates = activation.activates else {
    // Its service may run and have the socket too.
    let command = situation.snapshot.host.lookAtSocketUnit(activation.unit, manager: nil)
    return [
      Suggestion(
        kind: .findHolder, certainty: .when(.mayStop),
        text: "find what \(activation.unit) starts, and stop it with that unit", command: command)
    ]
  }
  let isTemplate = activates.utf8.contains(UInt8(ascii: "@"))
  let units = [activation.unit] + (isTemplate ? [] : [activates])
  guard let command = situation.snapshot.host.systemctl("stop", units, manager: nil) else { return [] }
  return [
    Suggestion(
      kind: .stopHolder, certainty: .when(.mayStop), text: "stop \(units.listed())", command: command)
  ]
}

extension Collection where Element == SocketObservation {
  /// The short names of the programs that hold them: `nginx`, `nginx and python3`.
  var holderNames: String {
    let names = Set(flatMap(\.processes).map { commandText($0.command) }).sorted()
    return names.isEmpty ? "whoever has the port" : names.listed()
  }
}

/// Who would have to go for sockets to go, and the command that does it in the words of whoever manages it.
///
/// A command ends what its line names and nothing else. A unit is stopped where the holder is what the unit is there
/// for: its main process, or another process of the same program. Everything that somebody started from a login, an
/// editor, a scheduler or a runner is ended by itself.
struct Holders {
  /// Every process that holds one of the sockets.
  var pids: Set<Int32>
  /// What is done to it: a process is ended; units and containers are stopped, as their managers call it.
  var verb = "stop"
  /// In a few words.
  var name: String
  /// What ends them, or shows what is to be stopped; nil where no command that is known does.
  var command: Command?
  /// The command does it; false where it only shows what is to be stopped.
  var isDecisive = true

  init(_ sockets: [SocketObservation], _ host: HostFacts) {
    var met: Set<Int32> = []
    let processes = sockets.flatMap(\.processes).filter { met.insert($0.pid).inserted }
    pids = met
    if let named = Self.socketUnit(sockets, processes, host) {
      (name, command) = named
    } else if let unread = processes.first(where: \.isUnread) {
      (verb, name) = ("end", "what pid \(unread.pid) is: somebody keeps who looks at it waiting")
      (command, isDecisive) = (nil, false)
    } else if let passed = Self.passed(sockets) {
      (name, command, isDecisive) = (passed, nil, false)
    } else if let (name, command) = Self.managed(sockets, processes, host) {
      (self.name, self.command, isDecisive) = (name, command, false)
    } else if let named = Self.container(sockets, processes, host) {
      (name, command, isDecisive) = (named.0, named.1, named.1 != nil)
    } else if let named = Self.units(processes, host) {
      (name, command) = named
    } else if let login = processes.first, processes.count == 1, login.servesLogin {
      (verb, name) = (
        "end", "the ssh login that \(login.text) serves, with its shell and all its forwardings"
      )
      command = host.asOwner(of: sockets, ["kill", String(login.pid)])
    } else {
      verb = "end"
      (name, command) = Self.signalled(sockets, processes, host)
      isDecisive = command != nil
    }
  }

  /// Stopping the service alone would have the next connection start it again.
  private static func socketUnit(
    _ sockets: [SocketObservation], _ processes: [ProcessRecord], _ host: HostFacts
  ) -> (String, Command)? {
    let activations = Set(sockets.map(\.activation))
    guard activations.count == 1, let first = activations.first, let activation = first else { return nil }
    let others = processes.filter { $0.pid != 1 && !$0.isServiceManager }
    let services = Set(others.compactMap(\.unit)).sorted()
    // Whatever else got the socket is not stopped with its unit.
    guard others.allSatisfy({ $0.unit.map(activation.starts) ?? false }) else { return nil }
    let units = [activation.unit] + services.filter { $0 != activation.unit }
    return host.systemctl("stop", units, manager: activation.userManager).map { (units.listed(), $0) }
  }

  /// A socket that a holder neither made nor inherited: somebody handed it on (unix(7), SCM_RIGHTS), and to end that
  /// holder, which may be a service of the system, ends more than the socket.
  ///
  /// A server has its socket from root, from itself or from what started it. In a container the root that gave up its
  /// rights has another number. A connection was made by whoever accepted it, or connected.
  private static func passed(_ sockets: [SocketObservation]) -> String? {
    for socket in sockets {
      guard let maker = socket.uid, maker != 0 else { continue }
      let foreign = socket.processes.first { process in
        guard let uid = process.uid, uid != maker, process.container == nil else { return false }
        return !(process.parents ?? []).contains { $0.uid == maker }
      }
      if let foreign { return "the socket that uid \(maker) made and \(foreign.text) got from somebody" }
    }
    return nil
  }

  /// A holder that is never to be ended by hand: a service manager, a container's first process seen from inside, a
  /// pod, what a supervisor starts again, what holds the port for a container that is not known. The command shows what
  /// is to be done instead.
  private static func managed(
    _ sockets: [SocketObservation], _ processes: [ProcessRecord], _ host: HostFacts
  ) -> (String, Command?)? {
    if let manager = processes.first(where: { $0.isServiceManager || ($0.pid == 1 && $0.program == "systemd") }) {
      let user = manager.pid == 1 ? nil : manager.uid
      let whose = user.map { " of uid \($0)" } ?? ""
      if let unit = sockets.lazy.compactMap(\.activation?.unit).first {
        return ("\(unit)\(whose), and what it starts", host.lookAtSocketUnit(unit, manager: user))
      }
      return (
        "the socket unit for which systemd\(whose) holds the port", host.systemctl(["list-sockets"], manager: user)
      )
    }
    if let first = processes.first(where: { $0.pid == 1 }) {
      return ("what runs \(first.text), the first process of this pid namespace", nil)
    }
    if let pod = processes.first(where: {
      $0.container != nil && $0.containerEngine == "kubernetes" && $0.userManager == nil
    }),
      let container = pod.container
    {
      let short = shortContainer(container)
      return (
        "the pod of container \(pod.containerName ?? short): the kubelet starts a stopped container again",
        host.asRoot(["crictl", "ps"] + option("--id", short))
      )
    }
    if let unknown = publisher(sockets, processes, host) { return unknown }
    guard let supervised = processes.first(where: { $0.supervisor != nil }), let supervisor = supervised.supervisor
    else { return nil }
    let list = supervisor == "supervisord" ? host.asRoot(["supervisorctl", "status"]) : nil
    return ("\(supervised.text) by \(commandText(supervisor)), which starts again what has ended", list)
  }

  private static func container(
    _ sockets: [SocketObservation], _ processes: [ProcessRecord], _ host: HostFacts
  ) -> (String, Command?)? {
    guard let first = processes.first, let engine = first.containerEngine,
      processes.allSatisfy({ $0.containerEngine == engine && $0.userManager == first.userManager })
    else { return nil }
    let ids = Set(processes.compactMap(\.container)).sorted().map(shortContainer)
    guard processes.allSatisfy({ $0.container != nil }), let short = ids.first else { return nil }
    let stop: [String]
    switch engine {
    case "docker", "podman", "nerdctl": stop = [engine, "stop"] + operands(ids)
    case "lxc" where ids.count == 1:
      stop = ["lxc-stop"] + (short.hasPrefix("-") ? ["--name=\(short)"] : ["-n", short])
    default: return nil
    }
    let names = Set(processes.compactMap(\.containerText)).sorted().listed()
    return asked(names, stop, of: first.userManager, host)
  }

  /// What holds the port for a container and does not tell for which: the filter of docker(1) takes a port on any
  /// address, and so shows them and stops none.
  private static func publisher(
    _ sockets: [SocketObservation], _ processes: [ProcessRecord], _ host: HostFacts
  ) -> (String, Command?)? {
    let helper = processes.first { process in
      process.container == nil
        && (process.forwardsTo != nil || ["conmon", "rootlessport", "rootlesskit"].contains(process.program))
    }
    guard let helper, let socket = sockets.first else { return nil }
    let published = "\(socket.local.port)\(socket.transport == .udp ? "/udp" : "")"
    let isDockers = helper.forwardsTo != nil || helper.unit == "docker.service"
    let list: [String]? =
      isDockers
      ? ["docker", "ps", "--filter", "publish=\(published)"]
      : helper.program == "rootlesskit" ? nil : ["podman", "ps"]
    let place = helper.forwardsTo.map { " at \($0.address)" } ?? ""
    let name = "the container\(place) for which \(helper.text) holds the port"
    return list.map { asked(name, $0, of: helper.userManager, host) } ?? (name, nil)
  }

  /// What the engine is asked to do; of one that another user runs for himself it is said whose the container is.
  private static func asked(
    _ name: String, _ words: [String], of user: UInt32?, _ host: HostFacts
  ) -> (String, Command?) {
    let command = host.engine(words, of: user)
    guard command == nil, let user, let program = words.first else { return (name, command) }
    return ("\(name), with \(program) as uid \(user)", nil)
  }

  private static func units(_ processes: [ProcessRecord], _ host: HostFacts) -> (String, Command)? {
    let units = Set(processes.compactMap(\.unit)).sorted()
    let managers = Set(processes.map(\.userManager))
    guard !units.isEmpty, processes.allSatisfy({ $0.unit != nil }), managers.count == 1, let manager = managers.first
    else { return nil }
    let areServed = units.allSatisfy { unit in processes.contains { $0.unit == unit && $0.isWhatUnitIsFor } }
    guard areServed else { return nil }
    let owner = manager.map { " of uid \($0)" } ?? ""
    return host.systemctl("stop", units, manager: manager).map { (units.listed() + owner, $0) }
  }

  /// A signal to processes that nobody manages. What is stopped gets it only when it goes on, and what ignores SIGTERM, as
  /// a shell does where somebody types, ends by SIGKILL.
  private static func signalled(
    _ sockets: [SocketObservation], _ processes: [ProcessRecord], _ host: HostFacts
  ) -> (String, Command?) {
    if let (worker, parent) = hiddenParent(of: processes, host) {
      let name = "\(parent.text), which starts \(worker.text) again"
      return (name, host.asRoot(["kill", String(parent.pid)]))
    }
    let names = sockets.holderNames
    let crowd = ("what started the \(processes.count) processes of \(names)", Command?.none)
    guard let reach = Reach(processes) else { return crowd }
    let deaf = processes.filter(\.isDeaf)
    let isStopped = processes.contains { $0.isStopped == true && !$0.isDeaf }
    // Workers too get the signal: theirs may be stopped as well, and one that is killed takes nobody along.
    let areFew = processes.count <= ProcessRecord.fewProcesses
    guard !deaf.isEmpty || isStopped else {
      return (names + reach.others(of: processes), host.asOwner(of: sockets, reach.words()))
    }
    guard let everybody = areFew ? .numbers(processes.map(\.pid)) : Reach(processes, eachByItself: true) else {
      return crowd
    }
    guard !deaf.isEmpty else {
      // Not `&&`: that one of several has ended meanwhile fails the first kill(1), which the others have got.
      let line = [reach.line(), everybody.line("CONT")].joined(separator: "; ")
      return ("\(names), which has to go on to notice it", host.asOwner(of: sockets, ["sh", "-c", line]))
    }
    let told = processes.filter { !$0.isDeaf }
    let killed = host.asOwner(of: sockets, everybody.words("KILL"))
    if told.isEmpty {
      if let tracer = processes[0].tracer, processes.allSatisfy({ $0.tracer == tracer }) {
        return ("\(names), to which \(tracer.text) lets no SIGTERM through", killed)
      }
      return ("\(names), for which SIGTERM is not enough", killed)
    }
    guard areFew || deaf.count <= ProcessRecord.fewProcesses else {
      let count = "\(deaf.count) of the \(processes.count) processes"
      return ("\(names) by SIGKILL, as SIGTERM does not end \(count)", killed)
    }
    let first = areFew ? Reach.numbers(told.map(\.pid)) : reach
    let woken = isStopped ? [first.line("CONT")] : []
    let signals = [first.line()] + woken + [Reach.numbers(deaf.map(\.pid)).line("KILL")]
    let name = "\(names), of which SIGTERM does not end \(deaf.map(\.text).listed(atMost: 3))"
    return (name, host.asOwner(of: sockets, ["sh", "-c", signals.joined(separator: "; ")]))
  }

  /// The parent of a worker that another user runs, which would start the worker again: whether it holds the socket too is
  /// not to be seen. Of servers that are known to work so alone: what an interpreter has started is no worker of its.
  private static func hiddenParent(
    of processes: [ProcessRecord], _ host: HostFacts
  ) -> (worker: ProcessRecord, parent: ParentProcess)? {
    guard host.uid != 0 else { return nil }
    for worker in processes where worker.endsWithParent {
      guard let parent = worker.parents?.first, parent.pid > 1, parent.command == worker.command,
        let user = parent.uid, user != host.uid, !processes.contains(where: { $0.pid == parent.pid })
      else { continue }
      return (worker, parent)
    }
    return nil
  }
}

extension SocketActivation {
  /// Whether the unit is what it starts, or an instance of that (systemd.socket(5), `Accept=`).
  fileprivate func starts(_ unit: String) -> Bool {
    guard let activates else { return false }
    guard let at = activates.utf8.firstIndex(of: UInt8(ascii: "@")) else { return unit == activates }
    return unit.hasPrefix(activates[...at]) && unit.hasSuffix(".service")
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

// Where a client has the port: it did nothing wrong, so its end comes last.

extension Situation {
  /// Whether the end of the holder is the end of somebody's login.
  var isHeldByLogin: Bool { blockingSockets.contains { $0.processes.contains(where: \.servesLogin) } }

  /// Whether all that is in the way are clients.
  var isHeldByClients: Bool {
    let sockets = blockingSockets
    return !sockets.isEmpty && sockets.allSatisfy { [.client, .selfConnection].contains(role($0)) }
  }
}

/// Closing the connections instead of ending their clients, ss(8) `-K`.
///
/// The kernel frees the port then if it had chosen it (`tcp_set_state`); one that was asked for by bind(2) stays with
/// the socket until its program closes it.
func closeConnections(_ situation: Situation) -> [Suggestion] {
  let sockets = situation.blockingSockets
  let range = situation.snapshot.host.localPortRange
  guard situation.isHeldByClients, sockets.count <= 4, range?.contains(situation.attempt.port.rawValue) == true else {
    return []
  }
  var after = situation.snapshot
  after.sockets.removeAll { sockets.contains($0) }
  guard situation.verdict(in: after) == .ok else { return [] }
  var filter: [String] = []
  for socket in sockets {
    guard let remote = socket.remote else { return [] }
    let words = ["src", socket.local.text, "dst", remote.text]
    filter += (filter.isEmpty ? [] : ["or"]) + (sockets.count > 1 ? ["("] + words + [")"] : words)
  }
  let transport = situation.attempt.transport == .tcp ? "-t" : "-u"
  let them = sockets.count == 1 ? "the connection" : "the \(sockets.count) connections"
  return [
    Suggestion(
      kind: .closeConnection, certainty: .when(.portWasChosen),
      text: "close \(them) without ending \(sockets.holderNames)",
      command: situation.snapshot.host.asRoot(["ss", "-K", transport] + filter))
  ]
}

extension CauseEntry {
  /// Keeping the clients that ask for a reserved port off this one.
  static let keepReservedPort: Remedies = { situation in
    let port = situation.attempt.port
    let isKernels = situation.blockingSockets.contains { $0.owner != .process }
    let clients = isKernels ? "the NFS mounts" : situation.blockingSockets.holderNames
    let setting =
      isKernels
      ? "keep NFS mounts off the port: raise sunrpc.min_resvport above \(port), or mount with noresvport"
      : "keep such clients off the port: add \(port) to /etc/bindresvport.blacklist"
    return [
      Suggestion(
        kind: .changeSetting, certainty: .when(.startsAtBoot),
        text: "start the server before \(clients)"),
      Suggestion(kind: .changeSetting, certainty: .when(.happensAgain), text: setting),
    ]
  }
}
