import Linux
import SocketModel

/// One process during the walk: its open `fd` directory, through which its other files are read.
///
/// `../comm` relative to that directory is safe against a pid that is given to another process meanwhile.
struct VisitedProcess: ~Copyable {
  let pid: Int32
  let directory: Descriptor

  /// Who it is; nil where it is gone.
  func record(descriptors: [Int32], controlGroup: ControlGroup, _ files: inout AskedFiles) -> ProcessRecord? {
    guard let command = commandName(at: "../comm", in: directory) else { return nil }
    var record = ProcessRecord(
      pid: pid, command: command,
      executable: try? directory.linkTarget(of: "../exe"), descriptors: descriptors.sorted(),
      unit: controlGroup.unit, container: controlGroup.container)
    record.userManager = controlGroup.userManager
    record.containerEngine = controlGroup.engine
    // Anybody may call himself systemd.
    record.isServiceManager =
      pid == 1
      ? command == "systemd"
      : controlGroup.managerOf != nil && uid() == controlGroup.managerOf
    record.forwardsTo = forwardedEndpoint(record, &files)
    // The directory of a process belongs to its effective uid even where its files are root's (`task_dump_owner`).
    record.uid = (try? directory.status(of: ".."))?.uid
    record.workingDirectory = try? directory.linkTarget(of: "../cwd")
    readAncestry(into: &record)
    return record
  }

  /// `/proc/PID/cgroup`; empty where it cannot be read.
  func controlGroup() -> ControlGroup {
    // A path has at most 4 KiB (PATH_MAX), and cgroup v1 has a line for each of a dozen hierarchies.
    let text = (try? directory.contents(of: "../cgroup", limit: 64 << 10)) ?? []
    return ControlGroup(parsing: String(decoding: text, as: UTF8.self))
  }
}

/// A walk through all descriptors of all processes that can be seen below `procRoot`.
///
/// It never stops early, as forked workers share a socket. A process is represented by the descriptor table of
/// its main thread: a thread with a table of its own (unshare(2) CLONE_FILES) and a process whose main thread
/// has ended are not seen, as for every tool that reads `/proc/PID/fd`.
struct ProcessWalk: ~Copyable {
  private let proc: Descriptor
  private let buffer: DirectoryBuffer
  /// Processes that could not be looked at; kernel threads may be among them.
  private(set) var refused: [Int32] = []
  /// A refusal that only hidepid=1 gives: EPERM on the directory of the process, not EACCES on its `fd`.
  private(set) var metHiddenDirectory = false
  let processes: [Int32]

  /// Throws where /proc is not there or shows no process.
  init(procRoot: String) throws(SystemError) {
    let proc = try Descriptor(directory: procRoot)
    let buffer = DirectoryBuffer()
    let found = try buffer.processes(in: proc)
    guard !found.isEmpty else { throw .noEntry }
    self.proc = proc
    self.buffer = buffer
    processes = found
  }

  /// Calls `visit` with each process that has descriptors of wanted sockets.
  ///
  /// About 3 µs for each open descriptor of the host (x86-64, kernel 6.18): 90 ms for 390 processes with 32,000
  /// descriptors, 0.5 ms for 88 idle ones.
  mutating func run(
    where isWanted: (UInt64) -> Bool, visit: (borrowing VisitedProcess, [SocketDescriptor]) -> Void
  ) {
    // Where this process seems to have none, sizes say nothing: before 6.2.
    let sizesCount = ((try? proc.status(of: "self/fd"))?.size ?? 0) > 0
    for pid in processes {
      // Most kernel threads have none: on an idle host more than half of all processes.
      if sizesCount, (try? proc.status(of: "\(pid)/fd"))?.size == 0 { continue }
      do throws(SystemError) {
        let process = try visited(pid)
        let hits = try buffer.sockets(in: process.directory, where: isWanted)
        if !hits.isEmpty { visit(process, hits) }
      } catch {
        // Whatever else fails (EMFILE, ENOMEM) leaves a gap too.
        if !error.meansGone { refused.append(pid) }
        if error == .notPermitted { metHiddenDirectory = true }
      }
    }
  }

  /// How many files the host has open, which the walk looks at once for each descriptor (proc_sys_fs(5), file-nr); nil
  /// where that cannot be read.
  borrowing func countOpenFiles() -> Int? {
    guard let text = try? proc.contents(of: "sys/fs/file-nr") else { return nil }
    return Int(String(decoding: text.prefix { $0 != UInt8(ascii: "\t") }, as: UTF8.self))
  }

  /// Calls `visit` with each process that has descriptors of wanted sockets, as others name them; one that has ended
  /// since is skipped. False where /proc shows something else: then what was visited counts for nothing.
  borrowing func confirm(
    _ holders: [DescriptorHolder], visit: (borrowing VisitedProcess, [SocketDescriptor]) -> Void
  ) -> Bool {
    // A /proc of another pid namespace has other numbers.
    guard (try? proc.linkTarget(of: "self")) == "\(ownProcess())" else { return false }
    for (pid, hits) in Dictionary(grouping: holders, by: \.pid).sorted(by: { $0.key < $1.key }) {
      do throws(SystemError) {
        let process = try visited(pid)
        for hit in hits {
          guard try process.directory.socketInode(ofDescriptor: hit.descriptor) == hit.inode else {
            return false
          }
        }
        let descriptors = hits.map { SocketDescriptor(number: $0.descriptor, inode: $0.inode) }
        visit(process, descriptors.sorted { $0.number < $1.number })
      } catch {
        // A descriptor that is gone from a process that is there: it may have moved.
        guard error.meansGone, (try? visited(pid)) == nil else { return false }
      }
    }
    return true
  }

  private borrowing func visited(_ pid: Int32) throws(SystemError) -> VisitedProcess {
    VisitedProcess(pid: pid, directory: try Descriptor(directory: "\(pid)/fd", in: proc))
  }

  /// The short command name of a process; nil where it is gone.
  borrowing func command(of pid: Int32) -> String? { commandName(at: "\(pid)/comm", in: proc) }

  /// How many of the refused processes can have descriptors at all.
  borrowing func countUnreadable() -> Int {
    refused.count { pid in
      do throws(SystemError) {
        return mayHoldDescriptors(stat: try proc.contents(of: "\(pid)/stat"))
      } catch {
        return !error.meansGone
      }
    }
  }

  /// Whether /proc hides processes: with hidepid=2 they are not listed, and process 1 always exists.
  var hidesProcesses: Bool { metHiddenDirectory || !processes.contains(1) }
}

/// The short command name in a `/proc/PID/comm`, without its newline; nil where the process is gone.
func commandName(at path: String, in directory: borrowing Descriptor) -> String? {
  guard let text = try? directory.contents(of: path) else { return nil }
  return String(decoding: text.last == UInt8(ascii: "\n") ? text.dropLast() : text[...], as: UTF8.self)
}

/// What the walk found out about one inode; MPTCP subflows share theirs, so it can serve several sockets.
struct Finding: Sendable, Hashable {
  /// Ascending by pid, as the walk goes.
  var processes: [ProcessRecord] = []
  /// The first cgroup2 paths of the holders, each once.
  private(set) var controlGroupPaths: [String] = []
  var flags: SocketFlags?
  /// A fact is wanted that only a duplicate tells.
  private var wantsFlags = false
  private var isKernels = false
  private var refusal: UnknownReason?

  /// Notes what this socket wants to know.
  mutating func expect(_ socket: SocketObservation, asks: Bool = true) {
    if asks && socket.lacksFlags { wantsFlags = true }
    if socket.owner == .kernel { isKernels = true }
  }

  /// Notes a holder with the path of its cgroup2 group.
  mutating func add(_ process: ProcessRecord, controlGroup path: String?) {
    processes.append(process)
    if let path, controlGroupPaths.count < 16, !controlGroupPaths.contains(path) { controlGroupPaths.append(path) }
  }

  /// A duplicate is still worth making.
  var lacksFlags: Bool { wantsFlags && flags == nil }

  /// Notes why one holder's descriptor told nothing. That one of them went away says less than any other reason.
  mutating func fail(_ reason: UnknownReason) {
    if refusal == nil || refusal == .vanished { refusal = reason }
  }

  /// Why the flags are not known; without any holder the owner is hidden.
  var unknownReason: UnknownReason { refusal ?? .hidden }

  /// No process was found that holds it, though one should be.
  var isWithoutHolder: Bool { processes.isEmpty && !isKernels }

  /// Something is missing that did not just go away.
  var isIncomplete: Bool {
    switch missing {
    case nil, .vanished: false
    default: true
    }
  }

  /// Why a fact is missing; nil where none is, or where it is the kernel's socket, which no process holds.
  var missing: UnknownReason? {
    if processes.isEmpty { return isKernels ? nil : .hidden }
    return lacksFlags ? unknownReason : nil
  }
}

extension SocketObservation {
  /// A fact that getsockopt(2) would tell is not known for sure.
  var lacksFlags: Bool {
    reuseaddr.sure == nil || reuseport.sure == nil || (family == .ipv6 && v6only?.sure == nil)
  }

  /// Takes over what was found; nil for a socket without inode.
  mutating func settle(_ finding: Finding?) {
    var finding = finding
    var reason = UnknownReason.noOwner
    if let flags = finding?.flags, hasMoved(flags) {
      finding?.flags = nil
      finding?.fail(.vanished)
    }
    if let finding {
      processes = finding.processes
      reason = finding.unknownReason
      if !processes.isEmpty {
        owner = .process
      } else if owner == .kernel {
        reason = .kernel
      } else {
        owner = .hidden
      }
      uid = uid ?? finding.flags?.uid
      if transport == .tcp { ulp = ulp ?? finding.flags?.upperLayer }
    } else {
      owner = .none
      processes = []
    }
    if let first = finding?.flags?.firstSubflow, !first.isSurely(self) {
      // getsockopt(2) reaches no subflow but the first.
      reuseaddr = reuseaddr.settled(by: nil, else: .subflow)
      reuseport = reuseport.settled(by: nil, else: .subflow)
    } else {
      reuseaddr = reuseaddr.settled(by: finding?.flags?.reuseaddr, else: reason)
      reuseport = reuseport.settled(by: finding?.flags?.reuseport, else: reason)
    }
    if family == .ipv6 {
      let told = finding?.flags?.v6only
      v6only =
        told == false && finding?.flags?.firstSubflow != nil && mayHaveOwnV6only
        ? (v6only ?? .unknown(.subflow)).settled(by: nil, else: .subflow)
        : (v6only ?? .unknown(reason)).settled(by: told, else: reason)
    }
  }

  /// Options that a socket has while it listens do not go with one that was only bound in the dump, nor the other way round:
  /// a listener has to have SO_REUSEPORT, for what is bound SO_REUSEADDR is enough.
  private func hasMoved(_ flags: SocketFlags) -> Bool {
    if flags.hasChanged { return true }
    // The descriptor of an MPTCP socket tells nothing of its subflows.
    guard transport == .tcp, flags.firstSubflow == nil, let listens = flags.listens else { return false }
    return listens != (state == .listen)
  }

  /// An MPTCP descriptor answers for itself, not for the subflow in the bind table, which bind(2) to one IPv6
  /// address made V6ONLY (`mptcp_bind`, `__inet6_bind`).
  private var mayHaveOwnV6only: Bool {
    guard case .v6(let address) = local.address else { return false }
    return address != .any && address.mapped == nil
  }
}

extension Knowledge where Value == Bool {
  /// What is known for sure stays, then what was read counts, then a guess, then the reason for neither.
  func settled(by value: Bool?, else reason: UnknownReason) -> Self {
    switch self {
    case .known: self
    case .inferred: value.map { .known($0, .getsockopt) } ?? self
    case .unknown: value.map { .known($0, .getsockopt) } ?? .unknown(reason)
    }
  }
}

/// Whether what a process calls its program and its directory are names of this host, or may be a user's own: who is root in
/// a user namespace mounts what he likes where he likes (user_namespaces(7)), and /proc shows his names.
///
/// They are the host's where the mount namespace belongs to the reader's user namespace, so that nobody but root has mounted
/// there, and where program and directory are on mounts of that namespace: what was passed as a descriptor from elsewhere
/// (execveat(2), fchdir(2)) keeps the name that it has there.
struct HostPaths {
  /// The mounts by number; nil where they may be a user's own.
  private typealias Mounts = Set<UInt64>?

  private struct Place: Hashable {
    var device: UInt64
    var inode: UInt64
    /// The mount of the root directory: a list of mounts shows what is below it.
    var root: UInt64?
  }

  private var known: [Place: Mounts] = [:]

  /// nil where /proc does not tell.
  mutating func have(_ process: borrowing VisitedProcess) -> Bool? {
    guard let space = try? process.directory.status(of: "../ns/mnt"),
      let program = process.directory.mount(of: "../exe"), let directory = process.directory.mount(of: "../cwd")
    else { return nil }
    let root = process.directory.mount(of: "../root")
    // Nearly every process is seen like this: without a list.
    if program == root, directory == root, isOwn(space), root == ownRoot { return true }
    let place = Place(device: space.device, inode: space.inode, root: root)
    let mounts = known[place] ?? read(process, space)
    known[place] = .some(mounts)
    guard let mounts else { return false }
    return mounts.contains(program) && mounts.contains(directory)
  }

  private lazy var own: (space: FileStatus, root: UInt64?)? = {
    guard let here = try? Descriptor(directory: "/proc/thread-self"),
      let space = try? here.status(of: "ns/mnt")
    else { return nil }
    return (space, here.mount(of: "root"))
  }()

  private var ownRoot: UInt64? { mutating get { own?.root } }

  private mutating func isOwn(_ space: FileStatus) -> Bool { own.map { $0.space.isSameFile(as: space) } ?? false }

  private mutating func read(_ process: borrowing VisitedProcess, _ space: FileStatus) -> Mounts {
    if !isOwn(space) {
      guard let file = try? Descriptor(file: "../ns/mnt", in: process.directory),
        let owner = try? file.owningUserNamespace(), let own = try? FileStatus(ofFile: "/proc/thread-self/ns/user"),
        owner.isSameFile(as: own)
      else { return nil }
    }
    guard let text = try? process.directory.contents(of: "../mountinfo", limit: 1 << 20) else { return nil }
    return Set(
      text.split(separator: UInt8(ascii: "\n")).compactMap { line in
        UInt64(String(decoding: line.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self))
      })
  }
}

/// A network namespace other than the reader's own, and processes that live in it.
package struct OtherNamespace: Sendable, Hashable {
  /// The inode of the namespace (namespaces(7)).
  package var inode: UInt64
  /// A path that setns(2) takes: `/proc/PID/ns/net`, or a file of ip-netns(8).
  package var path: String
  /// The name that ip-netns(8) gave it.
  package var name: String?

  package init(inode: UInt64, path: String, name: String? = nil) {
    self.inode = inode
    self.path = path
    self.name = name
  }
}

extension ProcessReader {
  /// The network namespaces of all processes that may be looked at and those that ip-netns(8) keeps, each once,
  /// without the caller's own, ascending by inode; two system calls a process.
  ///
  /// - Parameter namesDirectory: where ip-netns(8) mounts its namespaces.
  package func otherNetworkNamespaces(namesDirectory: String = "/run/netns") -> [OtherNamespace] {
    guard let proc = try? Descriptor(directory: procRoot),
      let own = try? proc.status(of: "thread-self/ns/net")
    else { return [] }
    let buffer = DirectoryBuffer()
    var found: [UInt64: OtherNamespace] = [:]
    for pid in (try? buffer.processes(in: proc)) ?? [] {
      guard let file = try? proc.status(of: "\(pid)/ns/net"), !file.isSameFile(as: own),
        found[file.inode] == nil
      else { continue }
      found[file.inode] = OtherNamespace(inode: file.inode, path: "\(procRoot)/\(pid)/ns/net")
    }
    if let directory = try? Descriptor(directory: namesDirectory) {
      for name in ((try? buffer.names(in: directory)) ?? []).sorted() {
        // A name whose namespace was unmounted is a file of another file system.
        guard let file = try? directory.status(of: name), file.device == own.device,
          !file.isSameFile(as: own)
        else { continue }
        found[file.inode, default: OtherNamespace(inode: file.inode, path: "\(namesDirectory)/\(name)")].name = name
      }
    }
    return found.values.sorted { $0.inode < $1.inode }
  }
}
