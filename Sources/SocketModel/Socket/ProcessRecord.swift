/// A process that holds a socket, as /proc shows it (proc(5)).
///
/// Every text here was chosen by somebody else: escape it before it is shown.
public struct ProcessRecord: Sendable, Hashable {
  /// The number of the process in the reader's pid namespace.
  public var pid: Int32
  /// The descriptors that refer to the socket, ascending.
  public var descriptors: [Int32]
  /// One element: what is the same whatever socket it holds stands in memory once, however many records name it.
  private var facts: [Facts]

  private struct Facts: Sendable, Hashable {
    var command: String
    var executable: String?
    var unit: String?
    var container: String?
    var userManager: UInt32?
    var containerEngine: String?
    var forwardsTo: Endpoint?
    var parent: Int32?
    var goneLeader: Int32?
    var uid: UInt32?
    var startedAt: Double?
    var workingDirectory: String?
    var hasHostPaths: Bool?
    var parents: [ParentProcess]?
    var isServiceManager: Bool = false
    var isParentGone: Bool?
    var closesOnExec: Bool?
    var sleepsIn: String?
    var isStopped: Bool?
    var tracer: ParentProcess?
    var ignoresTermination: Bool?
    var group: Int32?
    var groupSize: Int?
    var siblings: Int?
    var unitMain: UnitMain?
    var containerName: String?
    var image: String?
  }

  /// The short command name (`/proc/PID/comm`), never the arguments: they hold secrets.
  public var command: String {
    get { facts[0].command }
    set { facts[0].command = newValue }
  }
  /// Somebody kept it from being looked at, so that only its number is known; not one that has emptied its own name (prctl(2)).
  package var isUnread: Bool { command.isEmpty && uid == nil }
  /// The target of `/proc/PID/exe`; nil where it may not be read or there is none.
  public var executable: String? {
    get { facts[0].executable }
    set { facts[0].executable = newValue }
  }
  /// The systemd unit, from `/proc/PID/cgroup`.
  public var unit: String? {
    get { facts[0].unit }
    set { facts[0].unit = newValue }
  }
  /// The container id, from `/proc/PID/cgroup`; of a docker-proxy and a conmon that of the container for which it holds
  /// the port, from the engine's files and from what it started.
  public var container: String? {
    get { facts[0].container }
    set { facts[0].container = newValue }
  }
  /// The uid of the user manager whose unit it is (`user@UID.service`); nil for a unit of the system manager. What is
  /// named below it, a container and its engine too, is that user's, who may name groups as he likes.
  package var userManager: UInt32? {
    get { facts[0].userManager }
    set { facts[0].userManager = newValue }
  }
  /// Who runs the container, as its control group tells: `docker`, `podman`, `kubernetes`, `nerdctl`, `lxc`;
  /// nil where it does not tell.
  package var containerEngine: String? {
    get { facts[0].containerEngine }
    set { facts[0].containerEngine = newValue }
  }
  /// For docker-proxy: the address and port inside the container that it forwards to. Of its arguments this alone
  /// is read.
  package var forwardsTo: Endpoint? {
    get { facts[0].forwardsTo }
    set { facts[0].forwardsTo = newValue }
  }
  /// The parent, 0 for none (`/proc/PID/stat`); nil where it was not read.
  package var parent: Int32? {
    get { facts[0].parent }
    set { facts[0].parent = newValue }
  }
  /// The leader of its process group that has gone while the session it belongs to has not: what a shell started
  /// under that number has ended, this process lives on. Nil where there is none or that cannot be told.
  package var goneLeader: Int32? {
    get { facts[0].goneLeader }
    set { facts[0].goneLeader = newValue }
  }
  /// Its effective uid, as seen from the reader's user namespace; nil where it was not read.
  package var uid: UInt32? {
    get { facts[0].uid }
    set { facts[0].uid = newValue }
  }
  /// When it was started, in whole seconds since the epoch by today's clock; nil where it was not read.
  package var startedAt: Double? {
    get { facts[0].startedAt }
    set { facts[0].startedAt = newValue }
  }
  /// The target of `/proc/PID/cwd`; nil where it may not be read.
  package var workingDirectory: String? {
    get { facts[0].workingDirectory }
    set { facts[0].workingDirectory = newValue }
  }
  /// Whether `executable` and `workingDirectory` are names of this host: false where a user may have mounted there what he
  /// likes, nil where that was not read or cannot be told.
  package var hasHostPaths: Bool? {
    get { facts[0].hasHostPaths }
    set { facts[0].hasHostPaths = newValue }
  }
  /// What started it, its parent first, up to the service manager or as far as it is visible; nil where it was not read.
  package var parents: [ParentProcess]? {
    get { facts[0].parents }
    set { facts[0].parents = newValue }
  }
  /// Whether it is systemd: process 1, or the manager of a user, by its control group and its uid.
  package var isServiceManager: Bool {
    get { facts[0].isServiceManager }
    set { facts[0].isServiceManager = newValue }
  }
  /// Whether its parent has gone, so that it was given to another; nil where that was not read or cannot be told.
  package var isParentGone: Bool? {
    get { facts[0].isParentGone }
    set { facts[0].isParentGone = newValue }
  }
  /// FD_CLOEXEC of its descriptors of the socket, false where one lacks it; read only where the parent of a
  /// holder has gone.
  package var closesOnExec: Bool? {
    get { facts[0].closesOnExec }
    set { facts[0].closesOnExec = newValue }
  }
  /// The kernel function that its only thread sleeps in (`/proc/PID/wchan`); read only where the parent
  /// of a holder has gone.
  package var sleepsIn: String? {
    get { facts[0].sleepsIn }
    set { facts[0].sleepsIn = newValue }
  }
  /// Stopped by a signal, as Ctrl-Z does, not by a debugger; nil where it was not read.
  package var isStopped: Bool? {
    get { facts[0].isStopped }
    set { facts[0].isStopped = newValue }
  }
  /// The debugger or other tracer that holds it stopped (ptrace(2)): until that lets it go on, of all signals only
  /// SIGKILL reaches it. Nil where there is none.
  package var tracer: ParentProcess? {
    get { facts[0].tracer }
    set { facts[0].tracer = newValue }
  }
  /// It ignores SIGTERM; nil where that was not read.
  package var ignoresTermination: Bool? {
    get { facts[0].ignoresTermination }
    set { facts[0].ignoresTermination = newValue }
  }
  /// Its process group, and how many processes that has; read only of a socket that many processes hold.
  package var group: Int32? {
    get { facts[0].group }
    set { facts[0].group = newValue }
  }
  package var groupSize: Int? {
    get { facts[0].groupSize }
    set { facts[0].groupSize = newValue }
  }
  /// How many children its parent has, itself among them; likewise.
  package var siblings: Int? {
    get { facts[0].siblings }
    set { facts[0].siblings = newValue }
  }
  /// The main process of its unit, the one that systemd itself started; nil where that cannot be told.
  package var unitMain: UnitMain? {
    get { facts[0].unitMain }
    set { facts[0].unitMain = newValue }
  }
  /// The name of the container, from the files of its engine; nil where they do not tell or may not be read.
  package var containerName: String? {
    get { facts[0].containerName }
    set { facts[0].containerName = newValue }
  }
  /// The image of the container, from the same files.
  package var image: String? {
    get { facts[0].image }
    set { facts[0].image = newValue }
  }

  /// So many processes can be named one by one, in one line.
  package static let fewProcesses = 32

  package init(
    pid: Int32, command: String, executable: String? = nil, descriptors: [Int32], unit: String? = nil,
    container: String? = nil
  ) {
    self.pid = pid
    self.descriptors = descriptors
    facts = [Facts(command: command, executable: executable, unit: unit, container: container)]
  }

  /// Keeps in memory what `other` has where it says the same of the same process.
  package mutating func share(with other: ProcessRecord) {
    if facts == other.facts { facts = other.facts }
  }
}

/// A process that started another, directly or through others.
package struct ParentProcess: Sendable, Hashable {
  /// In the reader's pid namespace.
  package var pid: Int32
  /// The short command name, never the arguments.
  package var command: String
  /// Its effective uid, as seen from the reader's user namespace; nil in reports of an earlier version.
  package var uid: UInt32?

  /// A process of this number and name.
  package init(pid: Int32, command: String, uid: UInt32? = nil) {
    self.pid = pid
    self.command = command
    self.uid = uid
  }
}

/// The main process of a unit (systemd.service(5), MAINPID).
package struct UnitMain: Sendable, Hashable {
  /// In the reader's pid namespace.
  package var pid: Int32
  /// As `ProcessRecord.command`.
  package var command: String
  /// The target of `/proc/PID/exe`; nil where it may not be read.
  package var executable: String?

  /// A parent with what is known of it.
  package init(pid: Int32, command: String, executable: String?) {
    self.pid = pid
    self.command = command
    self.executable = executable
  }
}

/// Who stands behind a socket.
public enum SocketOwner: String, Sendable, Hashable, CaseIterable {
  /// At least one process holds a descriptor of it.
  case process
  /// The kernel itself, on positive evidence only.
  case kernel
  /// Nobody: TIME_WAIT, an orphan, a queued child.
  case none
  /// Somebody that cannot be seen: not permitted, another pid namespace, a descriptor in flight, io_uring.
  case hidden
}

/// The systemd socket unit that a port belongs to (systemd.socket(5)).
package struct SocketActivation: Sendable, Hashable {
  /// The unit, such as `ssh.socket`.
  package var unit: String
  /// What it starts, such as `ssh.service`; an instance of a template is written `NAME@.service`. Nil where the files
  /// of the unit could not be read.
  package var activates: String?
  /// The uid of the user manager that holds it; nil for the system manager, process 1.
  package var userManager: UInt32?

  package init(unit: String, activates: String?, userManager: UInt32? = nil) {
    self.unit = unit
    self.activates = activates
    self.userManager = userManager
  }
}

/// The part of the kernel that a socket belongs to.
package struct KernelOwner: Sendable, Hashable {
  /// What of the kernel binds ports by itself; the kinds of interfaces are those of rtnetlink(7).
  package enum Kind: String, Sendable, Hashable, CaseIterable {
    case vxlan
    case geneve
    case bareudp
    case wireguard
    /// The connection synchronisation of IPVS.
    case ipvs
    /// The NFS server.
    case nfsd
    /// The NFS lock manager.
    case lockd
  }

  /// Which part, in the word of the report.
  package var word: OpenWord<Kind>
  /// The network interface that the socket serves; nil where there is none.
  package var interface: String?

  /// A part of the kernel, as the report or rtnetlink(7) names it.
  package init(word: OpenWord<Kind>, interface: String? = nil) {
    self.word = word
    self.interface = interface
  }

  /// A part of the kernel of a known kind.
  package init(kind: Kind, interface: String? = nil) { self.init(word: .known(kind), interface: interface) }

  package var kind: Kind? { word.known }
}

/// A port that the kernel itself says it uses.
package struct KernelPort: Sendable, Hashable {
  /// TCP or UDP.
  package var transport: TransportProtocol
  /// The port.
  package var port: Port
  /// What in the kernel has it.
  package var owner: KernelOwner
  /// The families its sockets may be of.
  package var families: Set<AddressFamily>

  package init(
    transport: TransportProtocol, port: Port, owner: KernelOwner, families: Set<AddressFamily> = [.ipv4, .ipv6]
  ) {
    self.transport = transport
    self.port = port
    self.owner = owner
    self.families = families
  }
}
