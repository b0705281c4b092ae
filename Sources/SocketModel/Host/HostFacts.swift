/// What the host and the network namespace set that a verdict uses. A fact that was not needed or could not be
/// read is nil; the rules answer "undetermined" where they need one that is nil.
package struct HostFacts: Sendable, Hashable {
  /// The version of the kernel.
  package var kernel: KernelVersion
  /// Whether TCP sockets are in a table by address too (bhash2): told of kernels before 6.1, where a distribution may have
  /// carried it back; nil where that was not seen. From 6.1 on they are.
  package var bindsByAddress: Bool?
  /// What the host calls itself (gethostname(2)), in the reader's UTS namespace; nil in reports of 0.1.
  package var hostname: String?
  /// The inode of the network namespace looked at (namespaces(7)).
  package var networkNamespace: UInt64?
  /// The effective uid of the reader.
  package var uid: UInt32
  /// The user who called sudo(8) (`SUDO_UID`), where there is one.
  package var sudoUID: UInt32?
  /// Whether the reader has CAP_NET_BIND_SERVICE in the user namespace that owns the network namespace.
  package var readerMayBindPrivileged: Bool?
  /// Whether a program of uid 0 of the reader's user namespace gets CAP_NET_BIND_SERVICE in the one that owns the network
  /// namespace: it counts as root there, and the reader's bounding set has it (capabilities(7)).
  package var rootMayBindPrivileged: Bool?
  /// Whether the reader may change the device of a socket that has one, which takes CAP_NET_RAW; nil where that is not known,
  /// and of a saved report.
  package var readerMayChangeDevice: Bool?
  /// The user who holds every capability in the user namespace that owns the network namespace, because he made it or
  /// the one above it that is a child of the reader's (`cap_capable`); nil where it is no descendant of the reader's.
  package var namespaceMaker: UInt32?
  /// The uid that stands for every user who is not mapped into the reader's user namespace
  /// (`kernel.overflowuid`, user_namespaces(7)); nil where all are mapped.
  package var overflowUID: UInt32?
  /// `net.ipv4.ip_unprivileged_port_start`: ports below it need CAP_NET_BIND_SERVICE. 1024 where absent (< 4.11).
  package var unprivilegedPortStart: UInt32?
  /// `net.ipv4.ip_local_port_range`, both ends included.
  package var localPortRange: ClosedRange<UInt16>?
  /// `net.ipv4.ip_local_reserved_ports`.
  package var localReservedPorts: [ClosedRange<UInt16>]?
  /// `net.ipv4.ip_nonlocal_bind`.
  package var ipv4NonlocalBind: Bool?
  /// `net.ipv6.ip_nonlocal_bind`.
  package var ipv6NonlocalBind: Bool?
  /// The IPV6_V6ONLY that a new socket starts with: the lowest bit of `net.ipv6.bindv6only` (`inet6_create`).
  package var bindv6only: Bool?
  /// Whether the network namespace may have, or have had, VRFs: the driver is there.
  package var mayHaveVRFs: Bool?
  /// `net.ipv4.tcp_l3mdev_accept`: one TCP bind table for all VRFs.
  package var tcpL3mdevAccept: Bool?
  /// Whether socket(AF_INET6, …) works; false with `ipv6.disable=1`.
  package var ipv6Available: Bool?
  /// Those of `all` and `lo` whose `net.ipv6.conf.*.disable_ipv6` is 1; nil where it was not read.
  package var ipv6Disabled: [String]?
  /// What sockets have here before anything is set; nil where none were made.
  package var freshSockets: [FreshSocket]?
  /// What a seccomp filter makes of bind(2) and listen(2) here; nil without a filter, and of a saved report that does not
  /// tell.
  package var filteredCalls: FilteredCalls?
  /// Every interface; nil where it was not read.
  package var interfaces: [NetworkInterface]?
  /// The names that were looked for among the alternative ones too (ip-link(8)), in a saved report that lists the others
  /// alone; nil on this host, where every name that was not found is nobody's.
  package var checkedNames: [String]?
  /// The IPv6 addresses of all interfaces; nil where they were not read.
  package var ipv6Addresses: [InterfaceAddress]?
  /// The routes of the table `local`, and those of VRFs; nil where they were not read.
  package var ipv4LocalRoutes: [LocalRoute]?
  /// The tables of those asked for that were never made; nil where the kernel does not tell them from empty ones
  /// (before Linux 5.0).
  package var ipv4AbsentTables: [UInt32]?
  /// Whether the IPv4 routing rules are the three that every namespace starts with (ip-rule(8)).
  package var ipv4RulesAreDefault: Bool?
  /// What the kernel answered for the addresses of the attempts.
  package var ipv4Lookups: [RouteLookup]?
  /// The kernel was asked for interfaces, addresses or routes and did not answer in time: what is nil of these was not
  /// waited for.
  package var routesAreSilent = false
  /// Security modules in force that can refuse a bind and that sock_diag does not show (`/sys/kernel/security/lsm`).
  package var securityModules: [String]?
  /// Those of `securityModules` that the host shows to enforce: SELinux by its switch.
  package var enforcingModules: [String]?
  /// The AppArmor profiles for the planned program; nil where no program was named, or AppArmor is not in force.
  package var appArmorProfiles: [AppArmorProfile]?
  /// Whether the Docker daemon runs, by its pid file and its socket; it is not asked.
  package var dockerRuns: Bool?
  /// Whether a control group program sees the bind(2) of the reader's control group (BPF_CGROUP_INET4_BIND,
  /// systemd's SocketBindDeny=); nil where that may not be asked.
  package var controlGroupBindPrograms: Bool?

  package init(kernel: KernelVersion, uid: UInt32) {
    self.kernel = kernel
    self.uid = uid
  }

  /// The interface of this name; nil where there is none or the interfaces were not read.
  package func interface(named name: String) -> NetworkInterface? {
    // By bytes, as the kernel does: é can be written in two ways.
    interfaces?.first { $0.name.utf8.elementsEqual(name.utf8) }
  }

  /// The interface with this index; nil where there is none or the interfaces were not read.
  package func interface(_ index: InterfaceIndex) -> NetworkInterface? {
    interfaces?.first { $0.index == index }
  }
}

/// The running kernel's version, as uname(2) has it.
package struct KernelVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// 6 of 6.12.
  package var major: Int
  /// 12 of 6.12.
  package var minor: Int
  /// The stable release within the series, 117 of 6.12.117; nil where it is not told, as by distributions that stay at
  /// the series' first release (Debian's 6.1.0-56, Ubuntu's 6.8.0-31).
  package var stable: Int?
  /// The whole release text.
  package var release: String
  /// `uname -v`; nil where it was not read, and in reports of 0.1.
  package var build: String?

  /// Reads the leading numbers of a release such as `6.1.0-21-amd64`; nil where there are not two.
  ///
  /// - Parameter version: `uname -v`, which on Debian ends with the version of the package, whose third number is the
  ///   stable release: `#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)`.
  package init?(release: String, version: String? = nil) {
    guard let numbers = Self.numbers(release[...]) else { return nil }
    self.init(major: numbers.major, minor: numbers.minor, stable: numbers.stable, release: release)
    build = version
    if isDebians, stable == nil { stable = debianNumbers?.stable }
  }

  /// Whether Debian built it, from the series that it says.
  package var isDebians: Bool {
    debianNumbers.map { ($0.major, $0.minor) == (major, minor) } ?? false
  }

  private var debianNumbers: (major: Int, minor: Int, stable: Int?)? {
    guard let build, let name = build[...].place(of: " Debian ") else { return nil }
    return Self.numbers(build[name.upperBound...])
  }

  package init(major: Int, minor: Int, stable: Int? = nil, release: String? = nil) {
    self.major = major
    self.minor = minor
    self.stable = stable
    self.release = release ?? "\(major).\(minor)"
  }

  /// The third number is nil where there is none, or 0.
  private static func numbers(_ text: Substring) -> (major: Int, minor: Int, stable: Int?)? {
    let parts = text.split(separator: ".", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1].prefix { $0.isNumber }) else {
      return nil
    }
    // `6.1-rc3.1` has two numbers, and a name of its builder behind them.
    let stable = parts.count > 2 && parts[1].isDecimal ? Int(parts[2].prefix { $0.isNumber }) : nil
    return (major, minor, stable == 0 ? nil : stable)
  }

  /// By major, then by minor.
  package static func < (left: KernelVersion, right: KernelVersion) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }

  /// The release as uname(2) gives it.
  package var description: String { release }
}

/// The sockets of one or more ports and the facts of their host, at one moment.
///
/// The sockets of each transport and family stand in the order of the kernel's dump: for UDP that is the order
/// in which bind(2) examines them (kernel function `udp_lib_lport_inuse`).
package struct Snapshot: Sendable, Hashable {
  /// The facts of the host.
  package var host: HostFacts
  /// What could be seen.
  package var visibility: Visibility
  /// The sockets of one port.
  package var sockets: [SocketObservation]
  /// The bind buckets of the port that were read, at most one for each layer-3 domain; empty where none could be.
  package var buckets: [BindBucket]
  /// Whether UDP sockets of both families stand in the one order in which bind(2) examines them.
  package var isChainOrdered: Bool
  /// Whether bind(2) of a UDP wildcard, on a kernel whose wildcards may look by address, would look at the sockets on wildcards
  /// alone, as the slots are filled; nil where that was not seen.
  package var wildcardMissesAddresses: Bool?
  /// Ports on which somebody here listens; read where a likely answer needs them.
  package var localServers: Set<Port> = []

  package init(
    host: HostFacts, visibility: Visibility = Visibility(), sockets: [SocketObservation], buckets: [BindBucket] = [],
    isChainOrdered: Bool = false, wildcardMissesAddresses: Bool? = nil
  ) {
    self.host = host
    self.visibility = visibility
    self.sockets = sockets
    self.buckets = buckets
    self.isChainOrdered = isChainOrdered
    self.wildcardMissesAddresses = wildcardMissesAddresses
  }
}

extension HostFacts {
  /// Whether connect(2) and bind(2) to port 0 pick such a port.
  package func isClients(_ port: Port) -> Bool { (localPortRange ?? 32768...60999).contains(port.rawValue) }
}

/// The number of a network interface, 1 and up (if_nametoindex(3)); 0 never occurs here.
package struct InterfaceIndex: RawRepresentable, Sendable, Hashable {
  /// The kernel's number.
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Nil for 0, which the kernel uses for "no interface".
  package init?(kernel number: UInt32) {
    guard number != 0 else { return nil }
    rawValue = number
  }
}

/// A network interface (rtnetlink(7), RTM_NEWLINK).
package struct NetworkInterface: Sendable, Hashable {
  /// The number of the interface.
  package var index: InterfaceIndex
  /// The name, such as `eth0`.
  package var name: String
  /// IFF_UP.
  package var isUp: Bool
  /// IFF_RUNNING (netdevice(7)): false for a bridge without a port that is up, and without a cable; nil where it was not
  /// read.
  package var isRunning: Bool?
  /// The interface this one is enslaved to (`IFLA_MASTER`).
  package var master: InterfaceIndex?
  /// The routing table of a VRF device (`IFLA_VRF_TABLE`); nil for every other kind.
  package var vrfTable: UInt32?

  package init(
    index: InterfaceIndex, name: String, isUp: Bool, isRunning: Bool? = nil, master: InterfaceIndex? = nil,
    vrfTable: UInt32? = nil
  ) {
    self.index = index
    self.name = name
    self.isUp = isUp
    self.isRunning = isRunning
    self.master = master
    self.vrfTable = vrfTable
  }
}

/// An IPv6 address of an interface (rtnetlink(7), RTM_NEWADDR).
package struct InterfaceAddress: Sendable, Hashable {
  /// The address.
  package var address: IPAddress
  /// The interface that has it.
  package var interface: InterfaceIndex
  /// `IFA_FLAGS` (`linux/if_addr.h`).
  package var flags: UInt32

  package init(address: IPAddress, interface: InterfaceIndex, flags: UInt32) {
    self.address = address
    self.interface = interface
    self.flags = flags
  }

  /// IFA_F_TENTATIVE without IFA_F_OPTIMISTIC: duplicate address detection has not finished (RFC 4862).
  package var isTentative: Bool { flags & 0x40 != 0 && flags & 0x04 == 0 }

  /// IFA_F_TEMPORARY or IFA_F_DEPRECATED: another takes its place, or has.
  package var isTemporary: Bool { flags & 0x21 != 0 }
}

/// How the IPv4 routing tables classify an address, `rtm_type` (`inet_addr_type_table()`).
package struct RouteType: RawRepresentable, Sendable, Hashable {
  /// RTN_* (`linux/rtnetlink.h`).
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// RTN_UNICAST.
  package static let unicast = RouteType(rawValue: 1)
  /// RTN_LOCAL: the address is the host's own.
  package static let local = RouteType(rawValue: 2)
  /// RTN_BROADCAST.
  package static let broadcast = RouteType(rawValue: 3)
  /// RTN_MULTICAST.
  package static let multicast = RouteType(rawValue: 5)
}

/// A route of the table `local` (or a VRF's), which decides whether an IPv4 address may be bound.
package struct LocalRoute: Sendable, Hashable {
  /// The address, or the network's first one.
  package var destination: IPv4Address
  /// 0...32.
  package var prefixLength: UInt8
  /// What the kernel does with such an address.
  package var type: RouteType
  /// The routing table, 255 (`local`) unless a VRF's.
  package var table: UInt32
  /// RTA_OIF: the interface that has the address; nil where it was not read.
  package var interface: InterfaceIndex?

  package init(
    destination: IPv4Address, prefixLength: UInt8, type: RouteType, table: UInt32 = 255,
    interface: InterfaceIndex? = nil
  ) {
    self.interface = interface
    self.destination = destination
    self.prefixLength = prefixLength
    self.type = type
    self.table = table
  }
}

/// What the kernel answers when it is asked for the route to one IPv4 address (rtnetlink(7), RTM_GETROUTE).
package struct RouteLookup: Sendable, Hashable {
  /// What was looked up.
  package var destination: IPv4Address
  /// The type of the route that was found; nil where neither `local` nor `main` has one.
  package var type: RouteType?
  /// RTA_PREFSRC: the address of this host that a packet there would be sent from.
  package var source: IPv4Address?

  package init(destination: IPv4Address, type: RouteType?, source: IPv4Address? = nil) {
    self.destination = destination
    self.type = type
    self.source = source
  }

  /// An address that is nobody's (RFC 5737), so that the route to it is the one to everywhere.
  package static let elsewhere = IPv4Address(bits: 0xC000_0201)
}

/// What the reader could not look at, and why.
public struct Visibility: Sendable, Hashable {
  /// Processes whose descriptors could not be listed.
  package var unreadableProcesses: Int
  /// Whether sockets that are bound but not listening are in the snapshot, those of other users included.
  package var boundSocketsComplete: Bool
  /// Why not everything could be looked at, as the report names it, each at most once.
  package var reasonWords: [OpenWord<VisibilityReason>]
  /// Who did not answer in time; nil where everybody did.
  package var silent: SilentSource?
  /// The BPF iterators that were asked; nil where none was wanted.
  package var bpf: BPFUse?

  /// Without arguments everything could be looked at.
  package init(unreadableProcesses: Int = 0, boundSocketsComplete: Bool = true, reasons: [VisibilityReason] = []) {
    self.unreadableProcesses = unreadableProcesses
    self.boundSocketsComplete = boundSocketsComplete
    self.reasonWords = reasons.map(OpenWord.known)
  }

  /// The reasons that this version knows.
  package var reasons: [VisibilityReason] { reasonWords.compactMap(\.known) }

  /// Adds a reason that is not there yet.
  package mutating func add(_ reason: VisibilityReason) {
    if !reasons.contains(reason) { reasonWords.append(.known(reason)) }
  }

  /// Adds that something did not answer in time: the first is named.
  package mutating func add(silent source: SilentSource) {
    silent = silent ?? source
    add(.noAnswer)
  }

  /// Whether everything that was looked for could be looked at.
  public var isComplete: Bool { unreadableProcesses == 0 && boundSocketsComplete && reasonWords.isEmpty }
}

/// Why a reader could not look at something that an answer needs.
package enum VisibilityReason: String, Sendable, Hashable, CaseIterable {
  /// The reader is not root, or root without CAP_SYS_PTRACE, and something was refused for that.
  case notRoot = "not-root"
  /// /proc is not mounted or shows no process.
  case noProc = "no-proc"
  /// /proc is mounted with hidepid (proc(5)) and the reader is not exempt.
  case hidepid
  /// `kernel.yama.ptrace_scope` forbids to read the flags of a process of one's own.
  case yama
  /// No pidfd_getfd(2), Linux 5.6; or no sockets that are bound and do not listen in dumps, Linux 6.8.
  case oldKernel = "old-kernel"
  /// Nothing of these is in the way and still no process that could be looked at shows a socket: its holder is in
  /// another pid or user namespace, a thread with descriptors of its own, a message (unix(7), SCM_RIGHTS), or gone.
  case noHolder = "no-holder"
  /// The same, and the reader is in a pid namespace below the first one, as in a container: who is outside has no number.
  case pidNamespace = "pid-namespace"
  /// Another process keeps a lock or a file waiting that had to be asked: it was not waited for.
  case noAnswer = "no-answer"
}

/// What did not answer in time, and was not waited for.
package struct SilentSource: Sendable, Hashable {
  /// The process whose descriptor or directory it was; nil for an iterator.
  package var pid: Int32?
  /// The short command name of that process, which was chosen by somebody else: escape it before it is shown.
  package var command: String?
  /// The BPF iterator that it was, `tcp` or `udp`: it locks every socket of the network namespace in its turn, and somebody
  /// keeps one locked; nil for a process.
  package var iterator: String?
  /// The kernel's interface that it was, `rtnetlink` or `generic netlink`, whose lock somebody holds; nil for a process
  /// or an iterator.
  package var netlink: String?
  /// The directory whose lock somebody holds, or one above it: that of a process in /proc, whose number is then `pid`; /proc
  /// itself where no process can be listed; /proc/sys for one of the sysctls; else one below `/`, such as /sys. nil for all
  /// others.
  package var directory: String?
  /// The errno's name where nobody was sent to ask, or the reader gave up: ETIME after so much processor time, E2BIG beside so
  /// many holders; nil where somebody was asked.
  package var error: String?

  /// A descriptor of this process.
  package static func process(_ pid: Int32, command: String) -> Self { Self(pid: pid, command: command) }

  /// A BPF iterator.
  package static func iterator(_ name: String) -> Self { Self(iterator: name) }

  /// What the kernel tells of interfaces, addresses and routes.
  package static let routes = Self(netlink: "rtnetlink")

  /// Nobody could be sent to ask (clone(2), pipe(2), mmap(2)).
  package static func unstarted(_ error: SystemError) -> Self { Self(error: error.description) }

  /// The walk through /proc took longer than the reader has patience.
  package static let longWalk = Self(error: "ETIME")

  /// So many processes hold so many sockets that the rest was left out.
  package static let tooManyHolders = Self(error: "E2BIG")

  /// A directory of /proc, with the process that it is of and the name of that one where it can be read.
  package static func directory(_ path: String, of pid: Int32?, command: String?) -> Self {
    Self(pid: pid, command: command, directory: path)
  }

  init(
    pid: Int32? = nil, command: String? = nil, iterator: String? = nil, netlink: String? = nil,
    directory: String? = nil, error: String? = nil
  ) {
    self.directory = directory
    self.error = error
    self.pid = pid
    self.command = command
    self.iterator = iterator
    self.netlink = netlink
  }

  /// Nothing in particular: what a reader fills in.
  package static let blank = Self()
}

/// What BPF iterators were asked for one answer, and what stood in the way.
package struct BPFUse: Sendable, Hashable {
  /// The iterators that answered: `tcp`, `udp`, `task_file`.
  package var iterators: [String]
  /// The time it took, kernel types included.
  package var microseconds: UInt64
  /// Why one of them did not answer, in words for `-v`; nil where all did.
  package var problem: String?

  package init(iterators: [String] = [], microseconds: UInt64 = 0, problem: String? = nil) {
    self.iterators = iterators
    self.microseconds = microseconds
    self.problem = problem
  }
}

/// An AppArmor profile that attaches to a program (apparmor.d(5)).
package struct AppArmorProfile: Sendable, Hashable {
  /// As the kernel calls it where it enforces it, such as `/usr/sbin/nginx`; else the name of its file.
  package var name: String
  /// Its file in /etc/apparmor.d; nil where none was found.
  package var file: String?
  /// Whether the kernel said that it enforces it; else its file alone is there, neither disabled nor in complain mode.
  package var isEnforced: Bool

  package init(name: String, file: String?, isEnforced: Bool) {
    self.name = name
    self.file = file
    self.isEnforced = isEnforced
  }
}
