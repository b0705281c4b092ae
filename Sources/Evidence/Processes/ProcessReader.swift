package import Linux
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
/// A child with a deadline reads /proc (`ProcessFiles`), another duplicates descriptors and asks them (`Errand`).
package struct ProcessReader: Sendable {
  let procRoot: String
  /// From so many open files on a walk through all descriptors, 3 µs each, takes longer than a search by a BPF iterator,
  /// 4 ms and 0.25 µs each.
  var manyFiles = 4000
  /// Microseconds of processor time after which a walk is given up: one user can have many millions of descriptors.
  var patience: UInt64 = 10_000_000

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
  ///   - files: who reads /proc for this look.
  ///   - withParents: `readSurroundings` is next, by the same.
  package func examine(
    _ sockets: inout [SocketObservation], controlGroupPaths: Bool = false,
    asks: (SocketObservation) -> Bool = { _ in true }, _ files: ProcessFiles? = nil, withParents: Bool = false,
    search: HolderSearch = { _ in nil }
  ) -> ProcessVisibility {
    var notes = HolderNotes(files ?? newFiles(), parentFiles: withParents ? ToldProcess.filesOfParents : 0)
    for socket in sockets {
      guard let inode = socket.inode else { continue }
      notes.findings[inode, default: Finding()].expect(socket, asks: asks(socket))
    }
    var visibility = ProcessVisibility()
    if !notes.findings.isEmpty { visibility = walk(&notes, search) }
    let wantsPaths = controlGroupPaths && sockets.contains { $0.cgroupID != nil && $0.cgroup == nil }
    var paths = wantsPaths ? ControlGroupPaths(notes.files) : nil
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

  /// Whether the reader is in another pid namespace than the first one, whose number is fixed (pid_namespaces(7)).
  package func isInPIDNamespace(_ files: ProcessFiles) -> Bool {
    pidNamespace(files).map { $0 != Self.firstPIDNamespace } ?? false
  }

  /// Whether /proc shows the first pid namespace, and with it the processes of all others.
  package func seesAllProcesses(_ files: ProcessFiles) -> Bool { pidNamespace(files) == Self.firstPIDNamespace }

  private func pidNamespace(_ files: ProcessFiles) -> String? {
    files.ask(ProcessQuestion(.named([]), [], rootFiles: [.link("self/ns/pid")])).root.link("self/ns/pid")
  }

  /// PROC_PID_INIT_INO, include/linux/proc_ns.h.
  private static let firstPIDNamespace = "pid:[4026531836]"

  /// Reads /proc for one look.
  package func newFiles() -> ProcessFiles { ProcessFiles(procRoot: procRoot) }

  private func walk(_ notes: inout HolderNotes, _ search: HolderSearch) -> ProcessVisibility {
    let files = notes.files
    let inodes = Array(notes.findings.keys)
    func asked(_ whom: ProcessQuestion.Whom, unlessOpen manyFiles: Int? = nil) -> ProcessReply {
      files.ask(
        ProcessQuestion(
          whom, ToldProcess.holderFiles, rootFiles: HostPaths.questions, unlessOpen: manyFiles, within: patience,
          ofParents: notes.parentFiles))
    }
    var reply = asked(.holders(of: inodes), unlessOpen: manyFiles)
    var searched: [DescriptorHolder]?
    var found: HolderNotes?
    if reply.end == .manyFiles {
      searched = search(Set(inodes))
      if let searched {
        reply = asked(.confirmed(searched.byProcess))
        // A socket that nobody seems to hold is looked for everywhere: a subflow of MPTCP has a port of its own.
        var notes = notes
        notes.add(reply)
        if reply.end == .done, !notes.findings.values.contains(where: \.isWithoutHolder) { found = notes }
      }
      if found == nil { reply = asked(.holders(of: inodes)) }
    }
    if let found { notes = found } else { notes.add(reply) }
    switch reply.end {
    case .failed: return ProcessVisibility(reasons: [.noProc])
    case _ where reply.processCount == 0: return ProcessVisibility(reasons: [.noProc])
    default: break
    }
    let limit: SilentSource? = notes.isFull ? .tooManyHolders : reply.end == .givenUp ? .longWalk : nil
    let isUnanswered = reply.end == .noAnswer || !reply.silent.isEmpty || limit != nil
    if isUnanswered {
      // An iterator looks into no directory of /proc.
      notes.add(unread: searched ?? search(Set(inodes)) ?? [])
      notes.missAnswers()
    }
    let silent = notes.ask()
    var visibility = visibility(of: notes.findings, ProcessWalk(reply, files))
    if isUnanswered || silent != nil {
      visibility.silent = silent ?? files.silentSource() ?? limit
      if !visibility.reasons.contains(.noAnswer) { visibility.reasons.append(.noAnswer) }
    }
    return visibility
  }

  private func visibility(
    of findings: [UInt64: Finding], _ walk: ProcessWalk
  ) -> ProcessVisibility {
    guard findings.values.contains(where: { $0.isIncomplete }) else { return ProcessVisibility() }
    let missing = Set(findings.values.compactMap { $0.missing })
    let holderIsMissing = findings.values.contains { $0.isWithoutHolder }
    let flagsAreRefused = findings.values.contains { !$0.processes.isEmpty && $0.missing == .hidden }
    let unreadable = holderIsMissing || flagsAreRefused ? walk.countUnreadable() : 0
    var reasons: [VisibilityReason] = []
    let isHidden = holderIsMissing && walk.hidesProcesses
    if !RefusalReader.mayTraceAll, unreadable > 0 || flagsAreRefused || isHidden { reasons.append(.notRoot) }
    if isHidden { reasons.append(.hidepid) }
    if missing.contains(.yama) { reasons.append(.yama) }
    if missing.contains(.oldKernel) { reasons.append(.oldKernel) }
    if missing.contains(.noAnswer) { reasons.append(.noAnswer) }
    return ProcessVisibility(unreadableProcesses: unreadable, reasons: reasons)
  }
}

extension [DescriptorHolder] {
  /// In the order in which they are confirmed.
  fileprivate var byProcess: [(pid: Int32, descriptor: SocketDescriptor)] {
    sorted { ($0.pid, $0.descriptor) < ($1.pid, $1.descriptor) }.map {
      ($0.pid, SocketDescriptor(number: $0.descriptor, inode: $0.inode))
    }
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
  let files: ProcessFiles
  private var asked = AskedFiles()

  /// So many files of the parents of a holder will be wanted.
  let parentFiles: Int

  /// How often a process holds a socket: one user's 800 processes may hold 15,000 sockets each.
  private var holdings = 0
  private static let mostHoldings = 50_000
  /// Nobody more is noted.
  var isFull: Bool { holdings >= Self.mostHoldings }

  init(_ files: ProcessFiles, parentFiles: Int) {
    self.files = files
    self.parentFiles = parentFiles
  }

  /// Notes the processes that hold some of the sockets.
  mutating func add(_ reply: ProcessReply) {
    var paths = HostPaths(reply.root)
    for process in reply.processes { add(process, &paths) }
  }

  private mutating func add(_ process: ToldProcess, _ paths: inout HostPaths) {
    let group = process.controlGroup
    guard var record = process.record(controlGroup: group, files, &asked) else { return }
    record.hasHostPaths = paths.have(process, files)
    let owner = process.status("fd")?.uid
    add(record, process.descriptors, owner: owner, controlGroup: group.unifiedPath)
  }

  private mutating func add(
    _ record: ProcessRecord, _ hits: [SocketDescriptor], owner: UInt32?, controlGroup: String?
  ) {
    var record = record
    if isFull { return }
    var rest = hits.sorted { ($0.inode, $0.number) < ($1.inode, $1.number) }[...]
    while let inode = rest.first?.inode {
      let ofSocket = rest.prefix { $0.inode == inode }
      record.descriptors = ofSocket.map(\.number)
      findings[inode]?.add(record, controlGroup: controlGroup)
      holdings += 1
      rest = rest[ofSocket.endIndex...]
    }
    for hit in hits where findings[hit.inode]?.lacksFlags ?? false {
      let slot = slots[hit.inode] ?? slots.count
      slots[hit.inode] = slot
      questions.append(SocketQuestion(pid: record.pid, descriptor: hit.number, inode: hit.inode, slot: slot))
      owners.append(owner)
    }
  }

  /// Notes holders that an iterator names and /proc does not show, where their descriptors agree.
  mutating func add(unread holders: [DescriptorHolder]) {
    let missed = holders.filter { findings[$0.inode]?.isWithoutHolder ?? false }
    guard !missed.isEmpty else { return }
    let questions = missed.enumerated().map { slot, holder in
      SocketQuestion(pid: holder.pid, descriptor: holder.descriptor, inode: holder.inode, slot: slot)
    }
    let answers = Errand.ask(questions, slots: questions.count).answers
    for (pid, descriptors) in Dictionary(grouping: zip(missed, answers), by: \.0.pid).sorted(by: { $0.key < $1.key })
    {
      let told = descriptors.compactMap { holder, answer in
        if case .told = answer { SocketDescriptor(number: holder.descriptor, inode: holder.inode) } else { nil }
      }
      if told.isEmpty { continue }
      add(ProcessRecord(pid: pid, command: "", descriptors: []), told, owner: nil, controlGroup: nil)
    }
  }

  /// Notes of each socket without a holder that somebody was not waited for.
  mutating func missAnswers() {
    for inode in findings.keys where findings[inode]?.isWithoutHolder ?? false { findings[inode]?.fail(.noAnswer) }
  }

  /// Has the descriptors asked, one of each socket, and says who kept the answer back.
  mutating func ask() -> SilentSource? {
    guard !questions.isEmpty else { return nil }
    let (answers, silent) = Errand.ask(questions, slots: slots.count, by: files)
    let refusals = RefusalReader(answers, files)
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
  private var files: ProcessFiles?

  /// nil where they cannot be read, and where that is not to be tried; else in their order.
  ///
  /// - Parameter isRoots: it is a process of root's, of which no user makes thousands.
  mutating func contents(
    _ paths: [String], of process: ToldProcess, in procRoot: String, limit: Int, isRoots: Bool = false
  ) -> [[UInt8]]? {
    guard left >= paths.count || isRoots else { return nil }
    if !isRoots { left -= paths.count }
    let files = files ?? ProcessFiles(procRoot: procRoot, .processes)
    self.files = files
    let told = process.more(paths.map { .contents($0, limit: limit) }, from: files)
    let texts = paths.compactMap { told?.contents($0) }
    return texts.count == paths.count ? texts : nil
  }
}

extension ToldProcess {
  /// What a docker-proxy forwards to, from its own arguments; nil for every other program.
  ///
  /// The arguments of no other program are read, and of these nothing else is kept: arguments hold secrets. Anybody may
  /// call a program so: it is believed where root or the user's own engine runs it. Its memory may be kept from being
  /// read, so that is not waited for.
  func forwardedEndpoint(
    _ record: ProcessRecord, _ files: ProcessFiles, _ asked: inout AskedFiles
  ) -> Endpoint? {
    guard let executable = record.executable, executable.split(separator: "/").last == "docker-proxy",
      let owner = effectiveUID(files), owner == 0 || (owner == record.userManager && record.unit == "docker.service"),
      let text = asked.contents(["cmdline"], of: self, in: files.procRoot, limit: 16 << 10, isRoots: owner == 0)?
        .first
    else { return nil }
    return dockerProxyTarget(arguments: text.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
  }

  /// The effective uid of the process, from `/proc/PID/status`: the owner of its files in /proc is root where it has made
  /// itself undumpable.
  func effectiveUID(_ files: ProcessFiles) -> UInt32? {
    guard let text = more([.contents("status")], from: files)?.contents("status") else { return nil }
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
    guard !inodes.isEmpty else { return [:] }
    let whom = ProcessQuestion.Whom.youngestHolders(of: Array(inodes), within: microseconds)
    var names: [UInt64: String] = [:]
    let files = newFiles()
    defer { files.end() }
    for process in files.ask(ProcessQuestion(whom, [.contents("comm")])).processes {
      guard let command = process.command else { continue }
      for held in process.descriptors { names[held.inode] = command }
    }
    return names
  }

  /// What /proc/PID/comm has, of those that are still there.
  package func commands(of pids: [Int32], _ files: ProcessFiles) -> [Int32: String] {
    let told = files.ask(ProcessQuestion(.named(pids), [.contents("comm")])).processes
    return Dictionary(told.compactMap { process in process.command.map { (process.pid, $0) } }) { $1 }
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
  /// What is seen of it may be of two moments: its holder can change its options between the dump and the question, and its
  /// address or its peer with them. What listens is in the way of all that it is told to be.
  package var mayBeTorn: Bool {
    (isToldByDescriptor || owner == .process && isTold(.bpf)) && (transport == .udp || state != .listen)
  }

  /// A reuse option is known from a descriptor.
  fileprivate var isToldByDescriptor: Bool { isTold(.getsockopt) }

  private func isTold(_ source: EvidenceSource) -> Bool {
    if case .known(_, source) = reuseaddr { return inode != nil }
    if case .known(_, source) = reuseport { return inode != nil }
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

  /// Asked of /proc itself.
  static let questions: [FileQuestion] = [.contents("sys/kernel/yama/ptrace_scope")]

  /// Of this thread, now.
  static var mayTraceAll: Bool {
    effectiveUser() == 0 && Capabilities.ofThisThread?.contains(.sysPtrace) == true
  }

  /// Why some of these answers were refused. Yama is asked only where it can be the reason: where a kernel has none, its
  /// name is looked up anew each time, in a directory whose lock any user can hold.
  init(_ answers: [SlotAnswer], _ files: ProcessFiles) {
    let isRefused = answers.contains { answer in
      if case .refused(.notPermitted, _) = answer { true } else { false }
    }
    let root = isRefused ? files.ask(ProcessQuestion(.named([]), [], rootFiles: Self.questions)).root : nil
    let scope = root?.contents("sys/kernel/yama/ptrace_scope") ?? []
    self.init(
      ptraceScope: Int(String(decoding: scope.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 0,
      uid: realUser(), mayTraceAll: Self.mayTraceAll)
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
}
