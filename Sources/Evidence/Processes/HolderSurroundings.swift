package import Linux
package import SocketModel

extension ProcessReader {
  /// Fills in what stands around the holders: what started them, the main process of their unit, whether they are a
  /// service manager or an heir, and what the files of a container engine call them. No verdict needs it.
  ///
  /// Of a process group with hundreds of workers the first 256 are told; the others have what `examine` found.
  ///
  /// - Parameters:
  ///   - fileRoot: where /sys, /var and /run are.
  ///   - files: who reads /proc for this look.
  package func readSurroundings(
    _ sockets: inout [SocketObservation], fileRoot: String = "/", _ files: ProcessFiles? = nil
  ) {
    guard sockets.contains(where: { !$0.processes.isEmpty }) else { return }
    let files = files ?? newFiles()
    let root = HostTree(files, root: fileRoot)
    let areMany = sockets.contains { $0.processes.count > ProcessRecord.fewProcesses }
    let groups = areMany ? ProcessGroups(files) : nil
    var surroundings = Surroundings(files, of: sockets, root: root)
    var told: [Int32: ProcessRecord] = [:]
    for index in sockets.indices {
      var processes = sockets[index].processes
      if processes.count > ProcessRecord.fewProcesses { groups?.tell(&processes) }
      let socket = (sockets[index].local, sockets[index].transport)
      for place in processes.indices { surroundings.tell(&processes[place], of: socket) }
      if sockets[index].remote == nil, processes.contains(where: { $0.isParentGone == true }) {
        for place in processes.indices { surroundings.tellUse(&processes[place]) }
      }
      // Hundreds of processes may share thousands of sockets.
      for place in processes.indices {
        if let before = told[processes[place].pid] { processes[place].share(with: before) }
        told[processes[place].pid] = processes[place]
      }
      sockets[index].processes = processes
    }
  }
}

/// Whose group and whose children the holders of a socket are, where they are too many to be named one by one: each process
/// of the host is looked at once.
private struct ProcessGroups {
  private var stats: [Int32: ProcessStat] = [:]
  private let groups: [Int32: Int]
  private let children: [Int32: Int]

  init(_ files: ProcessFiles) {
    let reply = files.ask(ProcessQuestion(.everybody, [.contents("stat")]))
    // A group or a family of which some are not seen is not ended as a whole.
    for process in reply.processes where reply.end == .done && reply.silent.isEmpty {
      stats[process.pid] = process.stat
    }
    groups = Dictionary(grouping: stats.values, by: \.group).mapValues(\.count)
    children = Dictionary(grouping: stats.values, by: \.parent).mapValues(\.count)
  }

  func tell(_ processes: inout [ProcessRecord]) {
    for place in processes.indices {
      guard let stat = stats[processes[place].pid], stat.parent == processes[place].parent else { continue }
      processes[place].group = stat.group
      processes[place].groupSize = groups[stat.group]
      processes[place].siblings = children[stat.parent]
    }
  }
}

/// What was found out about the processes around the holders, each of them looked at once.
private struct Surroundings: ~Copyable {
  private let files: ProcessFiles
  private let root: HostTree
  private var known: [Int32: Relative?] = [:]
  private var members: [String: [Int32]] = [:]
  private var mains: [String: UnitMain?] = [:]
  private var containers: [String: ContainerLabel?] = [:]
  private var told: [Int32: Origin] = [:]
  private var uses: [Int32: String?] = [:]
  private var asked = AskedFiles()
  private var published: [Publication: String]?

  /// How many processes are told.
  private static let most = 256

  init(_ files: ProcessFiles, of sockets: [SocketObservation], root: HostTree) {
    self.files = files
    self.root = root
    for (pid, process) in files.lately { known[pid] = .some(Relative(process)) }
    // All others at once, with what started them.
    var first: [Int32] = []
    var seen: Set<Int32> = []
    for process in sockets.lazy.flatMap(\.processes) where seen.insert(process.pid).inserted {
      if known[process.pid] == nil { first.append(process.pid) }
      if seen.count == Self.most { break }
    }
    if !first.isEmpty { read(.namedAndParents(first)) }
  }

  mutating func tell(_ record: inout ProcessRecord, of socket: (local: Endpoint, transport: TransportProtocol)) {
    guard told.count < Self.most || told[record.pid] != nil, let process = relative(record.pid),
      process.stat.parent == record.parent
    else { return }
    let origin = origin(of: record.pid, process)
    record.parents = origin.parents
    record.isParentGone = origin.isParentGone
    record.isStopped = process.stat.isStopped
    record.ignoresTermination = process.stat.ignoresTermination
    record.tracer = origin.tracer
    if record.container == nil { findContainer(of: &record, process, socket) }
    if record.unit != nil, record.container == nil { record.unitMain = unitMain(record, process.group) }
    if let container = record.container, let label = label(container, record) {
      record.containerName = label.name
      record.image = label.image
    }
  }

  /// What tells an heir of the socket from its server.
  mutating func tellUse(_ record: inout ProcessRecord) {
    guard told[record.pid] != nil, let process = relative(record.pid) else { return }
    record.closesOnExec = closesOnExec(record, process)
    guard process.stat.threads == 1 else { return }
    let use = uses[record.pid] ?? sleepsIn(record.pid)
    uses[record.pid] = .some(use)
    record.sleepsIn = use
  }

  // MARK: Where it comes from

  /// What is the same whatever socket a process holds: it may hold thousands.
  private struct Origin {
    var parents: [ParentProcess]
    var isParentGone: Bool?
    var tracer: ParentProcess?
  }

  private mutating func origin(of pid: Int32, _ process: Relative) -> Origin {
    if let known = told[pid] { return known }
    let origin = Origin(
      parents: parents(of: process), isParentGone: isParentGone(pid, process),
      tracer: process.stat.isTraced ? tracer(of: pid) : nil)
    told[pid] = origin
    return origin
  }

  /// Its parent first, up to the service manager.
  private mutating func parents(of process: Relative) -> [ParentProcess] {
    var found: [ParentProcess] = []
    var child = process
    while found.count < 32, child.stat.parent > 0, let parent = relative(child.stat.parent) {
      // The number may be that of a younger process by now.
      guard parent.stat.startTicks ?? 0 <= child.stat.startTicks ?? .max else { break }
      found.append(ParentProcess(pid: child.stat.parent, command: parent.command, uid: parent.uid))
      if parent.isServiceManager(child.stat.parent) { break }
      child = parent
    }
    return found
  }

  /// A child starts in the session of its parent and leaves it only as the leader of another (setsid(2)). One whose parent
  /// is of another session was given to that parent when its own went (`forget_original_parent`); nil where the
  /// parent is not to be seen.
  private mutating func isParentGone(_ pid: Int32, _ process: Relative) -> Bool? {
    guard process.stat.parent > 0, let parent = relative(process.stat.parent) else { return nil }
    return pid != process.stat.session && parent.stat.session != process.stat.session
  }

  /// The one child of the manager in the unit's control group that leads a session of its own, as systemd starts them
  /// (`exec_child`); nil where there are several, and for a daemon that started itself in another way.
  private mutating func unitMain(_ record: ProcessRecord, _ group: ControlGroup) -> UnitMain? {
    guard let (path, own) = group.pathsOfUnit else { return nil }
    if let main = mains[path] { return main }
    let all = Set(processes(in: path) + (own == path ? [] : processes(in: own))).sorted()
    read(.named(all.filter { known[$0] == nil }))
    var leaders: [UnitMain] = []
    for pid in all {
      guard let process = relative(pid), process.stat.session == pid,
        isManager(process.stat.parent, record.userManager)
      else { continue }
      leaders.append(UnitMain(pid: pid, command: process.command, executable: nil))
    }
    var main = leaders.count == 1 ? leaders.first : nil
    if let pid = main?.pid { main?.executable = one(.link("exe"), of: pid)?.link("exe") }
    mains[path] = .some(main)
    return main
  }

  private mutating func isManager(_ pid: Int32, _ user: UInt32?) -> Bool {
    guard let user else { return pid == 1 }
    guard let process = relative(pid) else { return false }
    return process.isServiceManager(pid) && process.uid == user
  }

  private mutating func processes(in path: String) -> [Int32] {
    if let known = members[path] { return known }
    var text: [UInt8] = []
    // Beside the hierarchies of version 1 the unified one has a directory of its own (cgroups(7)); where systemd does not
    // use it, nor mount it in its containers, the processes of a unit are in the one without controllers.
    for mount in ["sys/fs/cgroup", "sys/fs/cgroup/unified", "sys/fs/cgroup/systemd"] where text.isEmpty {
      text = root.contents(of: "\(mount)\(path)/cgroup.procs") ?? []
    }
    let found = text.split(separator: UInt8(ascii: "\n")).prefix(512).compactMap {
      Int32(String(decoding: $0, as: UTF8.self))
    }
    members[path] = found
    return found
  }

  /// `TracerPid:` of proc_pid_status(5); nil for a tracer outside of the reader's pid namespace, which is written 0.
  private mutating func tracer(of pid: Int32) -> ParentProcess? {
    guard let text = one(.contents("status"), of: pid)?.contents("status") else { return nil }
    for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: "TracerPid:".utf8) {
      guard let digits = line.split(separator: UInt8(ascii: "\t")).last,
        let tracer = Int32(String(decoding: digits, as: UTF8.self)), tracer > 0, tracer != ownProcess(),
        let process = relative(tracer)
      else { return nil }
      return ParentProcess(pid: tracer, command: process.command, uid: process.uid)
    }
    return nil
  }

  // MARK: The container behind a published port

  /// The container for which an engine's helper holds a port: docker's proxy is told only where to send what comes,
  /// which the files of dockerd say of one running container; podman's conmon(8) has the container as its child.
  ///
  /// Anybody may call a program conmon, and have one run as root (set-user-ID): it is believed where its executable is conmon,
  /// a file of this host, and the container belongs to the same manager.
  private mutating func findContainer(
    of record: inout ProcessRecord, _ process: Relative, _ socket: (local: Endpoint, transport: TransportProtocol)
  ) {
    if let target = record.forwardsTo {
      guard record.userManager == nil else { return }
      let publication = Publication(target: target, port: socket.local.port, transport: socket.transport)
      if published == nil { published = Publication.all(in: root) }
      guard let container = published?[publication] else { return }
      (record.container, record.containerEngine) = (container, "docker")
    } else if record.executable?.split(separator: "/").last == "conmon", record.hasHostPaths == true,
      process.uid == 0 || record.userManager == process.uid
    {
      let list = "task/\(record.pid)/children"
      let children = one(.contents(list), of: record.pid)?.contents(list) ?? []
      for word in children.split(separator: UInt8(ascii: " ")) {
        guard let pid = Int32(String(decoding: word, as: UTF8.self)), let child = relative(pid),
          child.stat.parent == record.pid, child.group.userManager == record.userManager,
          let container = child.group.container
        else { continue }
        (record.container, record.containerEngine) = (container, child.group.engine)
        return
      }
    }
  }

  // MARK: Whether it uses the socket

  /// FD_CLOEXEC of its descriptors of the socket (proc_pid_fdinfo(5)): false where one of them has it not; nil for more
  /// of them than are worth the time, here and in all.
  ///
  /// The number may mean another file by now, whose own function (`show_fdinfo`) takes locks that its holder can keep.
  private mutating func closesOnExec(_ record: ProcessRecord, _ process: Relative) -> Bool? {
    guard !record.descriptors.isEmpty, record.descriptors.count <= 64,
      let texts = asked.contents(
        record.descriptors.map { "fdinfo/\($0)" }, of: process.told, in: files.procRoot, limit: 4 << 10)
    else { return nil }
    for text in texts {
      let line = text.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "flags:".utf8) }
      guard let digits = line?.split(separator: UInt8(ascii: "\t")).last,
        let flags = UInt32(String(decoding: digits, as: UTF8.self), radix: 8)
      else { return nil }
      if flags & 0o2000000 == 0 { return false }  // O_CLOEXEC
    }
    return true
  }

  /// The kernel function it sleeps in (proc_pid_wchan(5)); nil where it runs or that may not be known.
  private func sleepsIn(_ pid: Int32) -> String? {
    guard let text = one(.contents("wchan"), of: pid)?.contents("wchan"), let first = text.first,
      first != UInt8(ascii: "0")
    else { return nil }
    return String(decoding: text, as: UTF8.self)
  }

  private mutating func label(_ container: String, _ record: ProcessRecord) -> ContainerLabel? {
    if let known = containers[container] { return known }
    // What a user says of his containers is read by that user alone: his files may keep others waiting.
    let label =
      record.userManager == nil ? ContainerLabel(of: container, engine: record.containerEngine, in: root) : nil
    containers[container] = .some(label)
    return label
  }

  private mutating func relative(_ pid: Int32) -> Relative? {
    if known[pid] == nil { read(.namedAndParents([pid])) }
    if let found = known[pid] { return found }
    known[pid] = .some(nil)
    return nil
  }

  private mutating func read(_ whom: ProcessQuestion.Whom) {
    for process in files.ask(ProcessQuestion(whom, Relative.files)).processes where known[process.pid] == nil {
      known[process.pid] = .some(Relative(process))
    }
  }

  private func one(_ question: FileQuestion, of pid: Int32) -> ToldProcess? {
    files.ask(ProcessQuestion(.named([pid]), [question])).processes.first
  }
}

/// A process as its files in /proc show it.
private struct Relative {
  var command: String
  var stat: ProcessStat
  var group: ControlGroup
  /// The effective uid: the directory of a process belongs to it even where its files are root's (`task_dump_owner`).
  var uid: UInt32

  var told: ToldProcess

  static let files = Array(ToldProcess.holderFiles.prefix(ToldProcess.filesOfParents))

  init?(_ told: ToldProcess) {
    guard let uid = told.status(".")?.uid, let stat = told.stat, let command = told.command else { return nil }
    self.told = told
    self.command = command
    self.stat = stat
    self.uid = uid
    group = told.controlGroup
  }

  /// Process 1 where it is systemd, and the manager of a user: it runs as the uid that its control group names, in the group that systemd made for
  /// the manager itself. Any program may call itself systemd.
  func isServiceManager(_ pid: Int32) -> Bool {
    if pid == 1 { return command == "systemd" }
    return group.isUserManagersOwn && group.userManager == uid
  }
}

extension ProcessReader {
  /// Fills in `activation` of the sockets that systemd holds, from the unit files; systemd itself is not asked.
  ///
  /// Only where one unit alone fits. No file is read unless a listening or unconnected socket is held by a service manager
  /// whose own the socket is, or is hidden and was made in systemd's own control group. The unit files below a user's own
  /// directories are read by that user alone: they could keep others waiting. For everybody else a unit of a user's
  /// manager has to be one that starts by itself.
  ///
  /// - Parameters:
  ///   - fileRoot: where /etc, /run, /usr and /sys are.
  ///   - files: who reads files for this look.
  package func findActivations(
    _ sockets: inout [SocketObservation], fileRoot: String = "/", _ files: ProcessFiles? = nil
  ) {
    let tree = HostTree(files ?? newFiles(), root: fileRoot)
    var units: [Bool: [SocketUnit]] = [:]
    var groups: ManagersGroups?
    for index in sockets.indices {
      let socket = sockets[index]
      guard socket.remote == nil, socket.state == .listen || socket.transport == .udp else { continue }
      let manager = socket.processes.first { process in
        guard process.isServiceManager else { return false }
        guard process.pid == 1 else { return socket.uid == process.userManager }
        // What a service has put into its store (sd_pid_notify_with_fds(3)) is of that service's making.
        return socket.uid == nil || socket.uid == 0 || socket.uid == process.uid
      }
      guard manager != nil || socket.owner == .hidden else { continue }
      let isUsers = manager.map { $0.pid != 1 } ?? false
      let origin = isUsers ? nil : (groups ?? ManagersGroups(tree)).origin(of: socket, &groups)
      guard manager != nil || origin != nil else { continue }
      let isOwn = isUsers && manager?.userManager == effectiveUser()
      let home = isOwn ? environmentVariable("HOME") : nil
      let own = isOwn ? [home.map { "\($0)/.config" }, "/run/user/\(effectiveUser())"].compactMap { $0 } : []
      let known = units[isUsers] ?? SocketUnitFiles(tree, isUsers: isUsers, own: own, home: home).units()
      units[isUsers] = known
      let seen = isUsers && !isOwn ? known.filter(\.isEnabled) : known
      guard let unit = Self.unit(of: socket, in: seen, made: origin) else { continue }
      sockets[index].activation = SocketActivation(
        unit: unit.name, activates: unit.isWhole ? unit.activates : nil,
        userManager: isUsers ? manager?.userManager : nil)
    }
  }

  private static func unit(
    of socket: SocketObservation, in units: [SocketUnit], made origin: ManagersGroups.Origin?
  ) -> SocketUnit? {
    // Where systemd says by the control group which unit it is, no other that names the port counts.
    if case .unit(let name) = origin {
      if let known = units.first(where: { $0.name == name }) { return known }
      var unread = SocketUnit(name: name)
      unread.isWhole = false
      return unread
    }
    let fitting = units.filter { unit in
      (socket.transport == .tcp ? unit.streams : unit.datagrams).contains { $0.covers(socket.local) }
    }
    let enabled = fitting.filter(\.isEnabled)
    let best = enabled.isEmpty ? fitting : enabled
    return best.count == 1 ? best.first : nil
  }

}

/// The control groups in which process 1 makes sockets for its socket units: since systemd 243 that of the unit, by a helper
/// process (`socket_address_listen_in_cgroup`), where the kernel lets it; else its own. Nobody else is ever in there.
private struct ManagersGroups {
  enum Origin: Hashable {
    /// Made for this unit.
    case unit(String)
    /// Made by systemd, for some unit.
    case own
  }

  private var own: UInt64?
  private var units: [UInt64: String] = [:]

  init(_ tree: HostTree) {
    // Beside the hierarchies of version 1 the unified one has a directory of its own (cgroups(7)).
    for mount in ["sys/fs/cgroup", "sys/fs/cgroup/unified"] {
      let slice = "\(mount)/system.slice"
      own = own ?? tree.status(of: "\(mount)/init.scope")?.inode
      for name in tree.names(in: slice) ?? [] where name.hasSuffix(".socket") {
        guard let inode = tree.status(of: "\(slice)/\(name)")?.inode else { continue }
        units[inode] = name
      }
    }
  }

  /// Who made the socket; nil where it was not systemd, as far as can be told.
  func origin(of socket: SocketObservation, _ kept: inout ManagersGroups?) -> Origin? {
    kept = self
    guard let group = socket.cgroupID else { return nil }
    return units[group].map(Origin.unit) ?? (group == own ? .own : nil)
  }
}
