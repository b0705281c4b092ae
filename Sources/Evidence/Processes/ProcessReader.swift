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
/// It reads /proc and duplicates descriptors (pidfd_getfd(2)); each duplicate is closed before the next is made.
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
    var findings: [UInt64: Finding] = [:]
    for socket in sockets {
      guard let inode = socket.inode else { continue }
      findings[inode, default: Finding()].expect(socket)
    }
    var visibility = ProcessVisibility()
    if !findings.isEmpty { visibility = walk(for: &findings, search) }
    let wantsPaths = controlGroupPaths && sockets.contains { $0.cgroupID != nil && $0.cgroup == nil }
    var paths = wantsPaths ? ControlGroupPaths(procRoot: procRoot) : nil
    for index in sockets.indices {
      let finding = sockets[index].inode.flatMap { findings[$0] }
      sockets[index].settle(finding)
      if let number = sockets[index].cgroupID, sockets[index].cgroup == nil {
        sockets[index].cgroup = paths?.path(of: number, candidates: finding?.controlGroupPaths ?? [])
      }
    }
    return visibility
  }

  private func walk(for findings: inout [UInt64: Finding], _ search: HolderSearch) -> ProcessVisibility {
    do throws(SystemError) {
      var walk = try ProcessWalk(procRoot: procRoot)
      let refusals = RefusalReader(procRoot: procRoot)
      if (walk.countOpenFiles() ?? 0) >= manyFiles, let holders = search(Set(findings.keys)) {
        var found = findings
        let isConfirmed = walk.confirm(holders) { process, hits in note(process, hits, in: &found, refusals) }
        // A socket that nobody seems to hold is looked for everywhere: a subflow of MPTCP has a port of its own.
        if isConfirmed, !found.values.contains(where: \.isWithoutHolder) {
          findings = found
          return visibility(of: findings, walk, refusals)
        }
      }
      walk.run(where: { findings[$0] != nil }) { process, hits in
        note(process, hits, in: &findings, refusals)
      }
      return visibility(of: findings, walk, refusals)
    } catch {
      return ProcessVisibility(reasons: [.noProc])
    }
  }

  private func note(
    _ process: borrowing VisitedProcess, _ hits: [SocketDescriptor], in findings: inout [UInt64: Finding],
    _ refusals: RefusalReader
  ) {
    let group = process.controlGroup()
    guard var record = process.record(descriptors: [], controlGroup: group) else { return }
    var rest = hits.sorted { ($0.inode, $0.number) < ($1.inode, $1.number) }[...]
    while let inode = rest.first?.inode {
      let ofSocket = rest.prefix { $0.inode == inode }
      record.descriptors = ofSocket.map(\.number)
      findings[inode]?.add(record, controlGroup: group.unifiedPath)
      rest = rest[ofSocket.endIndex...]
    }
    // One duplicate for each socket, not one for each of forty workers.
    let wanted = hits.filter { findings[$0.inode]?.lacksFlags ?? false }
    guard !wanted.isEmpty else { return }
    readFlags(of: wanted, process, into: &findings, refusals)
  }

  private func readFlags(
    of hits: [SocketDescriptor], _ process: borrowing VisitedProcess, into findings: inout [UInt64: Finding],
    _ refusals: RefusalReader
  ) {
    let owner = (try? process.directory.status())?.uid
    do throws(SystemError) {
      let handle = try Descriptor(process: process.pid)
      for hit in hits where findings[hit.inode]?.lacksFlags ?? false {
        do throws(SystemError) {
          let duplicate = try Descriptor.duplicate(hit.number, of: handle, inode: hit.inode)
          findings[hit.inode]?.flags = try SocketFlags(of: duplicate)
        } catch {
          findings[hit.inode]?.fail(refusals.reason(error, owner: owner))
        }
      }
    } catch {
      for hit in hits { findings[hit.inode]?.fail(refusals.reason(error, owner: owner)) }
    }
  }

  private func visibility(
    of findings: [UInt64: Finding], _ walk: borrowing ProcessWalk, _ refusals: RefusalReader
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
    return ProcessVisibility(unreadableProcesses: unreadable, reasons: reasons)
  }
}
