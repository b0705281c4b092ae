package import Linux
import SocketModel

/// A process that holds sockets, or stands around one that does, as its files in /proc show it.
extension ToldProcess {
  /// What is told of a holder. `exe`, `cwd` and what they are mounted on say where its program is.
  static let holderFiles: [FileQuestion] = [
    // A path has at most 4 KiB (PATH_MAX), and cgroup v1 has a line for each of a dozen hierarchies.
    .contents("stat"), .status("."), .contents("comm"), .contents("cgroup", limit: 64 << 10), .link("exe"),
    .link("cwd"),
    .status("fd"), .status("ns/mnt"), .mount("exe"), .mount("cwd"), .mount("root"), .groupLeader,
  ]

  /// What is told of a process that stands around a holder: the first of these.
  static let filesOfParents = 4

  /// `/proc/PID/cgroup`; empty where it cannot be read.
  var controlGroup: ControlGroup {
    ControlGroup(parsing: String(decoding: contents("cgroup") ?? [], as: UTF8.self))
  }

  var stat: ProcessStat? { contents("stat").flatMap { ProcessStat($0) } }

  /// More of its files; nil where it has ended since, though another may have its number by now.
  func more(_ questions: [FileQuestion], from files: ProcessFiles) -> ToldProcess? {
    let reply = files.ask(ProcessQuestion(.named([pid]), questions + [.contents("stat")]))
    guard let again = reply.processes.first, again.stat?.startTicks == stat?.startTicks else { return nil }
    return again
  }

  /// Who it is; nil where it is gone. Of one whose files somebody keeps from being read nothing but its number is told.
  func record(controlGroup: ControlGroup, _ files: ProcessFiles, _ asked: inout AskedFiles) -> ProcessRecord? {
    // Part of the truth would be another truth: of what unit, of which user.
    guard isWhole else { return ProcessRecord(pid: pid, command: "", descriptors: []) }
    guard let command else { return nil }
    var record = ProcessRecord(
      pid: pid, command: command, executable: link("exe"), descriptors: [], unit: controlGroup.unit,
      container: controlGroup.container)
    record.userManager = controlGroup.userManager
    record.containerEngine = controlGroup.engine
    // Anybody may call himself systemd.
    record.isServiceManager =
      pid == 1
      ? command == "systemd"
      : controlGroup.managerOf != nil && effectiveUID(files) == controlGroup.managerOf
    record.forwardsTo = forwardedEndpoint(record, files, &asked)
    // The directory of a process belongs to its effective uid even where its files are root's (`task_dump_owner`).
    record.uid = status(".")?.uid
    record.workingDirectory = link("cwd")
    if let stat {
      record.parent = stat.parent
      record.startedAt = stat.startedAt
      if hasGroupLeaderGone { record.goneLeader = stat.group }
    }
    return record
  }
}

/// A walk through all descriptors of all processes that can be seen below `procRoot`.
///
/// It never stops early, as forked workers share a socket. A process is represented by the descriptor table of
/// its main thread: a thread with a table of its own (unshare(2) CLONE_FILES) and a process whose main thread
/// has ended are not seen, as for every tool that reads `/proc/PID/fd`. About 3 µs for each open descriptor of the host
/// (x86-64, kernel 6.18): 90 ms for 390 processes with 32,000 descriptors, 0.5 ms for 88 idle ones.
struct ProcessWalk {
  /// Processes that could not be looked at; kernel threads may be among them.
  private let refused: [Int32]
  /// Processes that keep who looks at them waiting.
  let silent: [Int32]
  /// Whether /proc hides processes: hidepid=1 is told by EPERM on the directory of a process, not EACCES on its `fd`; with
  /// hidepid=2 they are not listed, and process 1 always exists.
  let hidesProcesses: Bool
  private let files: ProcessFiles

  init(_ reply: ProcessReply, _ files: ProcessFiles) {
    self.files = files
    silent = reply.silent
    // Whatever else fails (EMFILE, ENOMEM) leaves a gap too.
    refused = reply.refused.filter { !$0.error.meansGone }.map(\.pid)
    hidesProcesses = !reply.hasFirst || reply.refused.contains { $0.error == .notPermitted }
  }

  /// How many of the refused processes can have descriptors at all.
  func countUnreadable() -> Int {
    guard !refused.isEmpty else { return 0 }
    let reply = files.ask(ProcessQuestion(.named(refused), [.contents("stat")]))
    let told = reply.processes.count { process in
      process.contents("stat").map(mayHoldDescriptors) ?? !(process.error("stat")?.meansGone ?? false)
    }
    return told + reply.refused.count { !$0.error.meansGone } + reply.silent.count { refused.contains($0) }
  }
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
    if processes.isEmpty { return isKernels ? nil : unknownReason }
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
  /// How many lists of mounts may still be read: a user can make thousands of namespaces, each with thousands of mounts.
  private var left = 16

  /// What `/proc/self` says.
  private let own: (space: FileStatus, root: UInt64?)?

  /// Asked of /proc itself.
  static let questions: [FileQuestion] = [.status("/proc/self/ns/mnt"), .mount("/proc/self/root")]

  init(_ root: ToldProcess) {
    own = root.status("/proc/self/ns/mnt").map { ($0, root.mount("/proc/self/root")) }
  }

  /// nil where /proc does not tell.
  mutating func have(_ process: ToldProcess, _ files: ProcessFiles) -> Bool? {
    guard let space = process.status("ns/mnt"), let program = process.mount("exe"),
      let directory = process.mount("cwd")
    else { return nil }
    let root = process.mount("root")
    // Nearly every process is seen like this: without a list.
    if program == root, directory == root, isOwn(space), root == own?.root { return true }
    let place = Place(device: space.device, inode: space.inode, root: root)
    let mounts = known[place] ?? read(process, space, files)
    known[place] = .some(mounts)
    guard let mounts, mounts.contains(program), mounts.contains(directory) else { return false }
    return isOwn(space) || isHere("exe", process, files) && isHere("cwd", process, files)
  }

  /// Whether the path leads to the same file from here. Programs of root's put a user's files over the host's paths in a mount
  /// namespace of their own (apptainer(1), firejail(1)).
  private func isHere(_ name: String, _ process: ToldProcess, _ files: ProcessFiles) -> Bool {
    guard let there = process.more([.status(name), .link(name)], from: files), let path = there.link(name),
      path.hasPrefix("/"), let file = there.status(name)
    else { return false }
    let here = files.ask(ProcessQuestion(.named([]), [], rootFiles: [.status(path)])).root.status(path)
    return here?.isSameFile(as: file) ?? false
  }

  private func isOwn(_ space: FileStatus) -> Bool { own.map { $0.space.isSameFile(as: space) } ?? false }

  private mutating func read(_ process: ToldProcess, _ space: FileStatus, _ files: ProcessFiles) -> Mounts {
    if !isOwn(space) {
      let own = files.ask(ProcessQuestion(.named([]), [], rootFiles: [.status("/proc/self/ns/user")]))
      guard let owner = process.more([.owner("ns/mnt")], from: files)?.owner("ns/mnt"),
        let own = own.root.status("/proc/self/ns/user"), owner.isSameFile(as: own)
      else { return nil }
    }
    guard left > 0 else { return nil }
    left -= 1
    guard let text = process.more([.contents("mountinfo", limit: 1 << 20)], from: files)?.contents("mountinfo") else {
      return nil
    }
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
  /// A process in it; nil where ip-netns(8) alone keeps it.
  package var process: Int32?
  /// The name that ip-netns(8) gave it.
  package var name: String?
  /// The file of that name.
  package var path: String?

  package init(inode: UInt64, process: Int32? = nil, name: String? = nil, path: String? = nil) {
    self.inode = inode
    self.process = process
    self.name = name
    self.path = path
  }

  package var entrance: NamespaceEntrance { path.map { .files([$0]) } ?? .process(process ?? 0) }
}

extension ProcessReader {
  /// The network namespaces of all processes that may be looked at and those that ip-netns(8) keeps, each once,
  /// without the caller's own, ascending by inode; three system calls a process.
  ///
  /// - Parameter namesDirectory: where ip-netns(8) mounts its namespaces.
  package func otherNetworkNamespaces(
    namesDirectory: String = "/run/netns", _ files: ProcessFiles? = nil
  ) -> [OtherNamespace] {
    let files = files ?? newFiles()
    let reply = files.ask(
      ProcessQuestion(.everybody, [.status("ns/net")], rootFiles: [.status("thread-self/ns/net")]))
    guard let own = reply.root.status("thread-self/ns/net") else { return [] }
    var found: [UInt64: OtherNamespace] = [:]
    for process in reply.processes {
      guard let file = process.status("ns/net"), !file.isSameFile(as: own), found[file.inode] == nil else { continue }
      found[file.inode] = OtherNamespace(inode: file.inode, process: process.pid)
    }
    let directory = HostTree(files, root: namesDirectory)
    for name in (directory.names(in: "") ?? []).sorted() {
      // A name whose namespace was unmounted is a file of another file system.
      guard let file = directory.status(of: name), file.device == own.device, !file.isSameFile(as: own) else {
        continue
      }
      found[file.inode, default: OtherNamespace(inode: file.inode)].name = name
      found[file.inode]?.path = "\(namesDirectory)/\(name)"
    }
    return found.values.sorted { $0.inode < $1.inode }
  }
}
