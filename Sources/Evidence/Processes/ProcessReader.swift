import Linux
package import SocketModel

/// A descriptor of a process that refers to a socket.
package struct DescriptorHolder: Sendable, Hashable {
  /// In the reader's pid namespace.
  package var pid: Int32
  /// The number of the descriptor.
  package var descriptor: Int32
  /// The inode of the socket.
  package var inode: UInt64

  /// The descriptor of this number of this process.
  package init(pid: Int32, descriptor: Int32, inode: UInt64) {
    self.pid = pid
    self.descriptor = descriptor
    self.inode = inode
  }
}

/// Finds every descriptor of the sockets with these inodes without a walk through /proc; nil where that cannot be done.
package typealias HolderSearch = (_ inodes: Set<UInt64>) -> [DescriptorHolder]?

/// Finds out who holds a socket, and the options that only the holder's descriptor tells.
///
/// It reads /proc, and has descriptors duplicated and asked by a child with a deadline (`Errand`).
package struct ProcessReader: Sendable {
  let procRoot: String
  /// From so many open files on a walk through all descriptors, 3 µs each, takes longer than a search by a BPF iterator,
  /// 4 ms and 0.25 µs each.
  var manyFiles = 4000

  /// - Parameter procRoot: where proc(5) is mounted.
  package init(procRoot: String = "/proc") {
    self.procRoot = procRoot
  }

  /// Fills in `owner`, `processes`, `reuseaddr`, `reuseport`, `v6only` and a missing `uid` of each socket.
  ///
  /// What a socket already knows for sure stays, and so does the owner `.kernel`. A socket without inode has no
  /// owner (`.none`), one whose holder was not found has a hidden one. Without any inode /proc is not touched.
  /// Nothing is thrown: what cannot be read becomes `.unknown` with the reason.
  ///
  /// - Parameters:
  ///   - controlGroupPaths: also fill in `cgroup` from `cgroupID`: one read of `/proc/self/mountinfo`
  ///     (0.1 to 0.3 ms), then a few µs for each different control group.
  ///   - asks: whether a holder's descriptor is asked for the options of a socket.
  ///   - search: asked first where the host has many files open. /proc has to confirm what it finds, else it is walked.
  package func examine(
    _ sockets: inout [SocketObservation], controlGroupPaths: Bool = false,
    asks: (SocketObservation) -> Bool = { _ in true }, search: HolderSearch = { _ in nil }
  ) -> ProcessVisibility {
    var notes = HolderNotes()
    for socket in sockets {
      guard let inode = socket.inode else { continue }
      notes.findings[inode, default: Finding()].expect(socket, asks: asks(socket))
    }
    var visibility = ProcessVisibility()
    if !notes.findings.isEmpty { visibility = walk(&notes, search) }
    let wantsPaths = controlGroupPaths && sockets.contains { $0.cgroupID != nil && $0.cgroup == nil }
    var paths = wantsPaths ? ControlGroupPaths(procRoot: procRoot) : nil
    for index in sockets.indices {
      let finding = sockets[index].inode.flatMap { notes.findings[$0] }
      sockets[index].settle(finding)
      if let number = sockets[index].cgroupID, sockets[index].cgroup == nil {
        sockets[index].cgroup = paths?.path(of: number, candidates: finding?.controlGroupPaths ?? [])
      }
    }
    return visibility
  }

  /// Whether these sockets are as they were seen: their options, which a holder's descriptor told after the dump had told
  /// the rest, are asked once more, each together with what may change beside it, of all sockets several times in turn.
  /// Sockets of which no descriptor told anything are not asked; `all` says whether there are none of those.
  package func confirm(_ sockets: [SocketObservation]) -> (areAsSeen: Bool, all: Bool) {
    var slots: [UInt64: Int] = [:]
    var questions: [SocketQuestion] = []
    var all = true
    for socket in sockets {
      guard let inode = socket.inode else { continue }
      guard socket.isToldByDescriptor else {
        all = false
        continue
      }
      guard slots[inode] == nil else { continue }
      slots[inode] = slots.count
      // The first that may be asked answers.
      for process in socket.processes {
        guard let descriptor = process.descriptors.first else { continue }
        questions.append(
          SocketQuestion(pid: process.pid, descriptor: descriptor, inode: inode, slot: slots.count - 1))
      }
    }
    guard !questions.isEmpty else { return (slots.isEmpty, all) }
    let answers = Errand.ask(questions, slots: slots.count, .again).answers
    for socket in sockets where socket.isToldByDescriptor {
      guard let inode = socket.inode, let slot = slots[inode], case .told(let answer) = answers[slot],
        socket.isStill(answer)
      else { return (false, all) }
    }
    return (true, all)
  }

  /// Whether the reader is in another pid namespace than the first one, whose number is fixed (`PROC_PID_INIT_INO`).
  package var isInPIDNamespace: Bool {
    let first: UInt64 = 0xEFFF_FFFC
    return ((try? FileStatus(ofFile: "\(procRoot)/self/ns/pid"))?.inode).map { $0 != first } ?? false
  }

  private func walk(_ notes: inout HolderNotes, _ search: HolderSearch) -> ProcessVisibility {
    do throws(SystemError) {
      var walk = try ProcessWalk(procRoot: procRoot)
      var wasFound = false
      if (walk.countOpenFiles() ?? 0) >= manyFiles, let holders = search(Set(notes.findings.keys)) {
        var found = notes
        // A socket that nobody seems to hold is looked for everywhere: a subflow of MPTCP has a port of its own.
        if walk.confirm(holders, visit: { found.add($0, $1) }),
          !found.findings.values.contains(where: \.isWithoutHolder)
        {
          notes = found
          wasFound = true
        }
      }
      if !wasFound {
        let inodes = notes.findings
        walk.run(where: { inodes[$0] != nil }) { notes.add($0, $1) }
      }
      let refusals = RefusalReader(procRoot: procRoot)
      let silent = notes.ask(refusals)
      return visibility(of: notes.findings, walk, refusals, silent)
    } catch {
      return ProcessVisibility(reasons: [.noProc])
    }
  }

  private func visibility(
    of findings: [UInt64: Finding], _ walk: borrowing ProcessWalk, _ refusals: RefusalReader, _ silent: SilentSource?
  ) -> ProcessVisibility {
    guard findings.values.contains(where: { $0.isIncomplete }) else { return ProcessVisibility() }
    let missing = Set(findings.values.compactMap { $0.missing })
    let unreadable = findings.values.contains { $0.missing == .hidden } ? walk.countUnreadable() : 0
    let holderIsMissing = findings.values.contains { $0.processes.isEmpty }
    let flagsAreRefused = findings.values.contains { !$0.processes.isEmpty && $0.missing == .hidden }
    var reasons: [VisibilityReason] = []
    let isHidden = holderIsMissing && walk.hidesProcesses
    if !refusals.mayTraceAll, unreadable > 0 || flagsAreRefused || isHidden { reasons.append(.notRoot) }
    if isHidden { reasons.append(.hidepid) }
    if missing.contains(.yama) { reasons.append(.yama) }
    if missing.contains(.oldKernel) { reasons.append(.oldKernel) }
    if missing.contains(.noAnswer) { reasons.append(.noAnswer) }
    return ProcessVisibility(unreadableProcesses: unreadable, reasons: reasons, silent: silent)
  }
}

/// What a walk notes: who holds which socket, and whom to ask for what only a descriptor tells.
private struct HolderNotes {
  /// By inode.
  var findings: [UInt64: Finding] = [:]
  private var questions: [SocketQuestion] = []
  /// The owner of the process of each question.
  private var owners: [UInt32?] = []
  private var slots: [UInt64: Int] = [:]
  private var paths = HostPaths()
  private var files = AskedFiles()

  /// Notes a process that holds some of the sockets.
  mutating func add(_ process: borrowing VisitedProcess, _ hits: [SocketDescriptor]) {
    let group = process.controlGroup()
    guard var record = process.record(descriptors: [], controlGroup: group, &files) else { return }
    record.hasHostPaths = paths.have(process)
    var rest = hits.sorted { ($0.inode, $0.number) < ($1.inode, $1.number) }[...]
    while let inode = rest.first?.inode {
      let ofSocket = rest.prefix { $0.inode == inode }
      record.descriptors = ofSocket.map(\.number)
      findings[inode]?.add(record, controlGroup: group.unifiedPath)
      rest = rest[ofSocket.endIndex...]
    }
    let wanted = hits.filter { findings[$0.inode]?.lacksFlags ?? false }
    guard !wanted.isEmpty else { return }
    let owner = (try? process.directory.status())?.uid
    for hit in wanted {
      let slot = slots[hit.inode] ?? slots.count
      slots[hit.inode] = slot
      questions.append(SocketQuestion(pid: process.pid, descriptor: hit.number, inode: hit.inode, slot: slot))
      owners.append(owner)
    }
  }

  /// Has the descriptors asked, one of each socket, and says who kept the answer back.
  mutating func ask(_ refusals: RefusalReader) -> SilentSource? {
    guard !questions.isEmpty else { return nil }
    let (answers, silent) = Errand.ask(questions, slots: slots.count)
    for (inode, slot) in slots {
      switch answers[slot] {
      case .told(let answer): findings[inode]?.flags = SocketFlags(answer)
      case .refused(let error, let question):
        findings[inode]?.fail(refusals.reason(error, owner: owners[question]))
      case .notAsked: findings[inode]?.fail(.noAnswer)
      }
    }
    guard let silent else { return nil }
    let question = questions[silent]
    let record = findings[question.inode]?.processes.first { $0.pid == question.pid }
    return .process(question.pid, command: record?.command ?? "")
  }
}

/// Files of other processes whose reader may have to wait for them. A user may have thousands of such processes, so what a
/// look spends on them has an end: nobody is asked any more once one has kept it waiting, and so many of them in all.
struct AskedFiles {
  private var left = 128
  private var isSilent = false

  /// nil where it cannot be read, and where that is not to be tried.
  ///
  /// - Parameter isRoots: it is a process of root's, of which no user makes thousands.
  mutating func contents(of file: borrowing Descriptor, atMost limit: UInt64, isRoots: Bool = false) -> [UInt8]? {
    guard !isSilent, left > 0 || isRoots else { return nil }
    if !isRoots { left -= 1 }
    do throws(ErrandError) {
      return try Errand.contents(of: file, atMost: limit)
    } catch {
      isSilent = error == .noAnswer
      return nil
    }
  }
}

extension VisitedProcess {
  /// Fills in the parent, when it was started, and the leader of the process group if that has gone while its session lives on.
  func readAncestry(into record: inout ProcessRecord) {
    guard let text = try? directory.contents(of: "../stat"), let stat = ProcessStat(text) else { return }
    record.parent = stat.parent
    record.startedAt = stat.startedAt
    // Where process 1 cannot be seen /proc hides processes, and a leader may only be hidden.
    guard stat.group != pid, stat.group > 0, stat.session > 0, stat.session != stat.group, exists(1),
      !exists(stat.group), exists(stat.session)
    else { return }
    record.goneLeader = stat.group
  }

  private func exists(_ other: Int32) -> Bool {
    (try? directory.status(of: "../../\(other)/stat")) != nil
  }

  /// What a docker-proxy forwards to, from its own arguments; nil for every other program.
  ///
  /// The arguments of no other program are read, and of these nothing else is kept: arguments hold secrets. Anybody may
  /// call a program so: it is believed where root or the user's own engine runs it. Its memory may be kept from being
  /// read, so that is not waited for.
  func forwardedEndpoint(_ record: ProcessRecord, _ files: inout AskedFiles) -> Endpoint? {
    guard let executable = record.executable, executable.split(separator: "/").last == "docker-proxy",
      let owner = uid(), owner == 0 || (owner == record.userManager && record.unit == "docker.service"),
      let file = try? Descriptor(file: "../cmdline", in: directory),
      let text = files.contents(of: file, atMost: 16 << 10, isRoots: owner == 0)
    else { return nil }
    return dockerProxyTarget(arguments: text.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
  }

  /// The effective uid of the process, from `/proc/PID/status`: the owner of its files in /proc is root where it has made
  /// itself undumpable.
  func uid() -> UInt32? {
    guard let text = try? directory.contents(of: "../status") else { return nil }
    // The name comes first, with its newlines escaped (`proc_task_name`).
    for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: "Uid:".utf8) {
      let fields = line.split(separator: UInt8(ascii: "\t"))
      return fields.count > 2 ? UInt32(String(decoding: fields[2], as: UTF8.self)) : nil
    }
    return nil
  }
}

extension ProcessReader {
  /// The short command names of the processes that hold these sockets, as far as they are found in time: for those
  /// who would rather know less than wait.
  ///
  /// The newest processes come first: a port that somebody is about to type often belongs to what was started last.
  /// - Parameter microseconds: processor time after which it gives up; a holder that was not met by then has no entry.
  /// - Returns: for each inode one name of one holder.
  package func commandNames(of inodes: Set<UInt64>, within microseconds: UInt64) -> [UInt64: String] {
    var names: [UInt64: String] = [:]
    guard !inodes.isEmpty, let proc = try? Descriptor(directory: procRoot) else { return names }
    let end = Clock.processorMicroseconds &+ microseconds
    let buffer = DirectoryBuffer()
    var looked = 0
    var isLate = false
    var found = Set<UInt64>()
    // The clock is asked now and then, as reading it costs a hundredth of a look.
    let isOver = {
      looked &+= 1
      if looked % 64 == 0 { isLate = isLate || Clock.processorMicroseconds >= end }
      return isLate || found.count == inodes.count
    }
    for pid in ((try? buffer.processes(in: proc)) ?? []).reversed() {
      if isOver() { break }
      guard let directory = try? Descriptor(directory: "\(pid)/fd", in: proc) else { continue }
      let isWanted: (UInt64) -> Bool = { inode in
        inodes.contains(inode) && found.insert(inode).inserted
      }
      guard let hits = try? buffer.sockets(in: directory, where: isWanted, isOver: isOver), !hits.isEmpty,
        let command = commandName(at: "../comm", in: directory)
      else { continue }
      for hit in hits { names[hit.inode] = command }
    }
    return names
  }

  /// What /proc/PID/comm has; nil where the process is gone.
  package func command(of pid: Int32) -> String? {
    guard let proc = try? Descriptor(directory: procRoot) else { return nil }
    return commandName(at: "\(pid)/comm", in: proc)
  }
}

/// What the walk of /proc could not look at, as far as an answer lacks something for it.
///
/// `0` and `[]` mean: each socket that has an inode has a holder and known flags, or everything was readable and
/// there is nothing more to see. Unreadable processes that cost no fact are not counted, else no answer without
/// root would ever be complete. So it does not mean that nobody else holds the same sockets: a reader without
/// root sees the workers of its own uid, not the master of another.
package struct ProcessVisibility: Sendable, Hashable {
  /// Processes whose descriptors could not be listed (EACCES, EPERM). Kernel threads and zombies, which have
  /// none, do not count, nor do processes that hidepid=2 keeps out of /proc altogether.
  package var unreadableProcesses: Int
  /// Why, each at most once.
  package var reasons: [VisibilityReason]

  /// Who did not answer in time.
  package var silent: SilentSource?

  package init(unreadableProcesses: Int = 0, reasons: [VisibilityReason] = [], silent: SilentSource? = nil) {
    self.unreadableProcesses = unreadableProcesses
    self.reasons = reasons
    self.silent = silent
  }

  /// Whether nothing was kept from the reader.
  package var isComplete: Bool { unreadableProcesses == 0 && reasons.isEmpty }
}

extension SocketObservation {
  /// A reuse option is known from a descriptor.
  fileprivate var isToldByDescriptor: Bool {
    if case .known(_, .getsockopt) = reuseaddr { return inode != nil }
    if case .known(_, .getsockopt) = reuseport { return inode != nil }
    return false
  }

  fileprivate func isStill(_ answer: SocketAnswer) -> Bool {
    guard !answer.hasChanged, reuseaddr.sure ?? answer.reuseaddr == answer.reuseaddr,
      reuseport.sure == nil || reuseport.sure == answer.reuseport
    else { return false }
    // The descriptor of an MPTCP socket tells nothing else of its subflows.
    if answer.protocolNumber == ProtocolNumber.mptcp { return true }
    return device == answer.device && uid ?? answer.uid == answer.uid
      && (transport == .udp || answer.listens == (state == .listen))
  }
}

/// What getsockopt(2) and fstat(2) tell of a socket, read from a duplicate of a holder's descriptor.
struct SocketFlags: Sendable, Hashable {
  var reuseaddr: Bool
  /// Nil where the kernel has no such option for this socket.
  var reuseport: Bool?
  /// Nil for a socket that is not AF_INET6.
  var v6only: Bool?
  /// The uid of the inode.
  var uid: UInt32
  /// Of an MPTCP socket, whose options are those of its first subflow alone; nil for any other.
  var firstSubflow: FirstSubflow?
  /// The upper layer protocol of a TCP socket: `mptcp`, `tls`, …; nil for none.
  var upperLayer: String?
  /// SO_ACCEPTCONN, read beside the options.
  var listens: Bool?
  /// They were not the same at each of several readings.
  var hasChanged = false

  init(_ answer: SocketAnswer) {
    (listens, hasChanged) = (answer.listens, answer.hasChanged)
    reuseaddr = answer.reuseaddr
    reuseport = answer.reuseport
    v6only = answer.v6only
    uid = answer.uid
    firstSubflow = FirstSubflow(answer)
    upperLayer = firstSubflow == nil ? answer.upperLayer : "mptcp"
  }
}

/// The subflow that an MPTCP socket began with, as the socket's own names tell it (`mptcp_copy_inaddrs`).
///
/// It shares SO_REUSEADDR and SO_REUSEPORT with the socket. A subflow that joined later has the socket's inode, but
/// reuse options of its own: those of a new socket or of a listener (`sync_socket_options` copies neither).
struct FirstSubflow: Sendable, Hashable {
  /// getsockname(2).
  var local: Endpoint?
  /// getpeername(2); nil before the handshake is done and after the connection.
  var remote: Endpoint?
  /// It is in SYN_SENT (TCP_INFO asks the first subflow): no other can have joined yet.
  var isConnecting = false

  /// Nil for a socket that is not MPTCP's.
  init?(_ answer: SocketAnswer) {
    guard answer.protocolNumber == ProtocolNumber.mptcp else { return nil }
    local = answer.local?.endpoint
    remote = answer.peer?.endpoint
    isConnecting = answer.info?.state == .synSent
  }

  init(local: Endpoint?, remote: Endpoint? = nil, isConnecting: Bool = false) {
    self.local = local
    self.remote = remote
    self.isConnecting = isConnecting
  }

  /// Whether a socket of the dump is this subflow for sure; a joined one differs in an address or a port.
  func isSurely(_ socket: SocketObservation) -> Bool {
    if socket.state == .listen { return true }
    guard let local, socket.local.port == local.port else { return false }
    guard let peer = socket.remote else {
      // After a failed connect(2) the subflow is back at the wildcard; none joins from there with the same port.
      return socket.local.address == local.address || socket.local.address.isUnspecified
    }
    guard socket.local.address == local.address else { return false }
    return remote.map { $0 == peer } ?? (socket.state == .synSent && isConnecting)
  }
}

/// Says why a descriptor could not be duplicated or asked.
struct RefusalReader: Sendable {
  /// `kernel.yama.ptrace_scope`; 0 where the kernel has no Yama.
  var ptraceScope: Int
  /// The real uid of this thread, which PTRACE_MODE_ATTACH_REALCREDS compares (ptrace(2)).
  var uid: UInt32
  /// The reader is root and has CAP_SYS_PTRACE.
  var mayTraceAll: Bool

  init(ptraceScope: Int, uid: UInt32, mayTraceAll: Bool) {
    self.ptraceScope = ptraceScope
    self.uid = uid
    self.mayTraceAll = mayTraceAll
  }

  /// Of this thread, now.
  init(procRoot: String) {
    self.init(
      ptraceScope: Self.ptraceScope(procRoot: procRoot), uid: realUser(),
      mayTraceAll: effectiveUser() == 0 && Capabilities.ofThisThread?.contains(.sysPtrace) == true)
  }

  /// - Parameter owner: the uid that owns the process's `fd` directory: its effective uid, or root where it is
  ///   not dumpable (proc(5), "/proc/pid"), which is refused without Yama's help.
  func reason(_ error: SystemError, owner: UInt32?) -> UnknownReason {
    switch error {
    case .noSystemCall: .oldKernel
    case _ where error.meansGone: .vanished
    case .notPermitted: isYamas(owner: owner) ? .yama : .hidden
    default: .hidden
    }
  }

  /// Scope 1 and 2 refuse one's own processes without CAP_SYS_PTRACE, scope 3 refuses everybody (Yama.rst).
  private func isYamas(owner: UInt32?) -> Bool {
    mayTraceAll ? ptraceScope >= 3 : ptraceScope > 0 && uid != 0 && owner == uid
  }

  private static func ptraceScope(procRoot: String) -> Int {
    guard let proc = try? Descriptor(directory: procRoot),
      let text = try? proc.contents(of: "sys/kernel/yama/ptrace_scope")
    else { return 0 }
    return Int(String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 0
  }
}
