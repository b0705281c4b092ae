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
  ///   - search: asked first where the host has many files open. /proc has to confirm what it finds, else it is walked.
  package func examine(
    _ sockets: inout [SocketObservation], controlGroupPaths: Bool = false, search: HolderSearch = { _ in nil }
  ) -> ProcessVisibility {
    var notes = HolderNotes()
    for socket in sockets {
      guard let inode = socket.inode else { continue }
      notes.findings[inode, default: Finding()].expect(socket)
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

  /// Notes a process that holds some of the sockets.
  mutating func add(_ process: borrowing VisitedProcess, _ hits: [SocketDescriptor]) {
    let group = process.controlGroup()
    guard var record = process.record(descriptors: [], controlGroup: group) else { return }
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
