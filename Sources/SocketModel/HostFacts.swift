/// The running kernel's version, as uname(2) has it.
public struct KernelVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// 6 of 6.12.
  public var major: Int
  /// 12 of 6.12.
  public var minor: Int
  /// The stable release within the series, 117 of 6.12.117; nil where it is not told, as by distributions that stay at
  /// the series' first release (Debian's 6.1.0-56, Ubuntu's 6.8.0-31).
  public var stable: Int?
  /// The whole release text.
  public var release: String

  /// Reads the leading numbers of a release such as `6.1.0-21-amd64`; nil where there are not two.
  ///
  /// - Parameter version: `uname -v`, which on Debian ends with the version of the package, whose third number is the
  ///   stable release: `#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)`.
  public init?(release: String, version: String = "") {
    guard let numbers = Self.numbers(release[...]) else { return nil }
    self.init(major: numbers.major, minor: numbers.minor, stable: numbers.stable, release: release)
    guard stable == nil, let package = version.split(separator: " Debian ", maxSplits: 1).dropFirst().first,
      let numbers = Self.numbers(package), (numbers.major, numbers.minor) == (major, minor)
    else { return }
    stable = numbers.stable
  }

  /// One with these parts, each as its property says.
  public init(major: Int, minor: Int, stable: Int? = nil, release: String? = nil) {
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
    let stable = parts.count > 2 ? Int(parts[2].prefix { $0.isNumber }) : nil
    return (major, minor, stable == 0 ? nil : stable)
  }

  /// By major, then by minor.
  public static func < (left: KernelVersion, right: KernelVersion) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }

  /// The release as uname(2) gives it.
  public var description: String { release }
}

/// A network interface (rtnetlink(7), RTM_NEWLINK).
public struct NetworkInterface: Sendable, Hashable {
  /// The number of the interface.
  public var index: InterfaceIndex
  /// The name, such as `eth0`.
  public var name: String
  /// IFF_UP.
  public var isUp: Bool
  /// The interface this one is enslaved to (`IFLA_MASTER`).
  public var master: InterfaceIndex?
  /// The routing table of a VRF device (`IFLA_VRF_TABLE`); nil for every other kind.
  public var vrfTable: UInt32?

  /// One with these parts, each as its property says.
  public init(
    index: InterfaceIndex, name: String, isUp: Bool, master: InterfaceIndex? = nil, vrfTable: UInt32? = nil
  ) {
    self.index = index
    self.name = name
    self.isUp = isUp
    self.master = master
    self.vrfTable = vrfTable
  }
}

/// An IPv6 address of an interface (rtnetlink(7), RTM_NEWADDR).
public struct InterfaceAddress: Sendable, Hashable {
  /// The address.
  public var address: IPAddress
  /// The interface that has it.
  public var interface: InterfaceIndex
  /// `IFA_FLAGS` (`linux/if_addr.h`).
  public var flags: UInt32

  /// One with these parts, each as its property says.
  public init(address: IPAddress, interface: InterfaceIndex, flags: UInt32) {
    self.address = address
    self.interface = interface
    self.flags = flags
  }

  /// IFA_F_TENTATIVE without IFA_F_OPTIMISTIC: duplicate address detection has not finished (RFC 4862).
  public var isTentative: Bool { flags & 0x40 != 0 && flags & 0x04 == 0 }
}

/// How the IPv4 routing tables classify an address, `rtm_type` (`inet_addr_type_table()`).
public struct RouteType: RawRepresentable, Sendable, Hashable {
  /// RTN_* (`linux/rtnetlink.h`).
  public let rawValue: UInt8
  /// Takes any value, known or not.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// RTN_UNICAST.
  public static let unicast = RouteType(rawValue: 1)
  /// RTN_LOCAL: the address is the host's own.
  public static let local = RouteType(rawValue: 2)
  /// RTN_BROADCAST.
  public static let broadcast = RouteType(rawValue: 3)
  /// RTN_MULTICAST.
  public static let multicast = RouteType(rawValue: 5)
}

/// A route of the table `local` (or a VRF's), which decides whether an IPv4 address may be bound.
public struct LocalRoute: Sendable, Hashable {
  /// The address, or the network's first one.
  public var destination: IPv4Address
  /// 0...32.
  public var prefixLength: UInt8
  /// What the kernel does with such an address.
  public var type: RouteType
  /// The routing table, 255 (`local`) unless a VRF's.
  public var table: UInt32

  /// One with these parts, each as its property says.
  public init(destination: IPv4Address, prefixLength: UInt8, type: RouteType, table: UInt32 = 255) {
    self.destination = destination
    self.prefixLength = prefixLength
    self.type = type
    self.table = table
  }
}

/// What the kernel answers when it is asked for the route to one IPv4 address (rtnetlink(7), RTM_GETROUTE).
public struct RouteLookup: Sendable, Hashable {
  /// The address, or the network's first one.
  public var destination: IPv4Address
  /// The type of the route that was found; nil where neither `local` nor `main` has one.
  public var type: RouteType?

  /// One with these parts, each as its property says.
  public init(destination: IPv4Address, type: RouteType?) {
    self.destination = destination
    self.type = type
  }
}

/// What the host and the network namespace set that a verdict uses. A fact that was not needed or could not be
/// read is nil; the rules answer "undetermined" where they need one that is nil.
public struct HostFacts: Sendable, Hashable {
  /// The version of the kernel.
  public var kernel: KernelVersion
  /// The inode of the network namespace looked at (namespaces(7)).
  public var networkNamespace: UInt64?
  /// The effective uid of the reader.
  public var uid: UInt32
  /// The user who called sudo(8) (`SUDO_UID`), where there is one.
  public var sudoUID: UInt32?
  /// Whether the reader has CAP_NET_BIND_SERVICE in the user namespace that owns the network namespace.
  public var readerMayBindPrivileged: Bool?
  /// Whether uid 0 of the reader's user namespace counts as root in the one that owns the network namespace.
  public var rootMayBindPrivileged: Bool?
  /// The user who holds every capability in the user namespace that owns the network namespace, because he made it or
  /// the one above it that is a child of the reader's (`cap_capable`); nil where it is no descendant of the reader's.
  public var namespaceMaker: UInt32?
  /// The uid that stands for every user who is not mapped into the reader's user namespace
  /// (`kernel.overflowuid`, user_namespaces(7)); nil where all are mapped.
  public var overflowUID: UInt32?
  /// `net.ipv4.ip_unprivileged_port_start`: ports below it need CAP_NET_BIND_SERVICE. 1024 where absent (< 4.11).
  public var unprivilegedPortStart: UInt32?
  /// `net.ipv4.ip_local_port_range`, both ends included.
  public var localPortRange: ClosedRange<UInt16>?
  /// `net.ipv4.ip_local_reserved_ports`.
  public var localReservedPorts: [ClosedRange<UInt16>]?
  /// `net.ipv4.ip_nonlocal_bind`.
  public var ipv4NonlocalBind: Bool?
  /// `net.ipv6.ip_nonlocal_bind`.
  public var ipv6NonlocalBind: Bool?
  /// The IPV6_V6ONLY that a new socket starts with: the lowest bit of `net.ipv6.bindv6only` (`inet6_create`).
  public var bindv6only: Bool?
  /// Whether the network namespace may have, or have had, VRFs: the driver is there.
  public var mayHaveVRFs: Bool?
  /// `net.ipv4.tcp_l3mdev_accept`: one TCP bind table for all VRFs.
  public var tcpL3mdevAccept: Bool?
  /// Whether socket(AF_INET6, …) works; false with `ipv6.disable=1`.
  public var ipv6Available: Bool?
  /// What sockets have here before anything is set; nil where none were made.
  public var freshSockets: [FreshSocket]?
  /// Every interface; nil where it was not read.
  public var interfaces: [NetworkInterface]?
  /// The names that were looked for among the alternative ones too (ip-link(8)), in a saved report that lists the others
  /// alone; nil on this host, where every name that was not found is nobody's.
  package var checkedNames: [String]?
  /// The IPv6 addresses of all interfaces; nil where they were not read.
  public var ipv6Addresses: [InterfaceAddress]?
  /// The routes of the table `local`, and those of VRFs; nil where they were not read.
  public var ipv4LocalRoutes: [LocalRoute]?
  /// The tables of those asked for that were never made; nil where the kernel does not tell them from empty ones
  /// (before Linux 5.0).
  public var ipv4AbsentTables: [UInt32]?
  /// Whether the IPv4 routing rules are the three that every namespace starts with (ip-rule(8)).
  public var ipv4RulesAreDefault: Bool?
  /// What the kernel answered for the addresses of the attempts.
  public var ipv4Lookups: [RouteLookup]?
  /// Security modules in force that can refuse a bind and that sock_diag does not show (`/sys/kernel/security/lsm`).
  public var securityModules: [String]?
  /// Whether a control group program sees the bind(2) of the reader's control group (BPF_CGROUP_INET4_BIND,
  /// systemd's SocketBindDeny=); nil where that may not be asked.
  public var controlGroupBindPrograms: Bool?

  /// One with these parts, each as its property says.
  public init(kernel: KernelVersion, uid: UInt32) {
    self.kernel = kernel
    self.uid = uid
  }

  /// The interface of this name; nil where there is none or the interfaces were not read.
  public func interface(named name: String) -> NetworkInterface? {
    // By bytes, as the kernel does: é can be written in two ways.
    interfaces?.first { $0.name.utf8.elementsEqual(name.utf8) }
  }

  /// The interface with this index; nil where there is none or the interfaces were not read.
  public func interface(_ index: InterfaceIndex) -> NetworkInterface? {
    interfaces?.first { $0.index == index }
  }
}

/// What the reader could not look at, and why.
public struct Visibility: Sendable, Hashable {
  /// Processes whose descriptors could not be listed.
  public var unreadableProcesses: Int
  /// Whether sockets that are bound but not listening are in the snapshot, those of other users included.
  public var boundSocketsComplete: Bool
  /// Stable words: `not-root`, `no-proc`, `hidepid`, `yama`, `old-kernel`; `no-holder` where nothing of these is
  /// in the way and still no process that could be looked at shows a socket: its holder is in another pid or user
  /// namespace, a thread with descriptors of its own, a message (unix(7), SCM_RIGHTS), or gone by now.
  public var reasons: [String]
  /// The BPF iterators that were asked; nil where none was wanted.
  public var bpf: BPFUse?

  /// One with these parts, each as its property says.
  public init(unreadableProcesses: Int = 0, boundSocketsComplete: Bool = true, reasons: [String] = []) {
    self.unreadableProcesses = unreadableProcesses
    self.boundSocketsComplete = boundSocketsComplete
    self.reasons = reasons
  }

  /// Whether everything that was looked for could be looked at.
  public var isComplete: Bool { unreadableProcesses == 0 && boundSocketsComplete && reasons.isEmpty }
}

/// The sockets of one or more ports and the facts of their host, at one moment.
///
/// The sockets of each transport and family stand in the order of the kernel's dump: for UDP that is the order
/// in which bind(2) examines them (kernel function `udp_lib_lport_inuse`).
public struct Snapshot: Sendable, Hashable {
  /// The facts of the host.
  public var host: HostFacts
  /// What could be seen.
  public var visibility: Visibility
  /// The sockets of one port.
  public var sockets: [SocketObservation]
  /// The bind buckets of the port that were read, at most one for each layer-3 domain; empty where none could be.
  public var buckets: [BindBucket]
  /// Whether UDP sockets of both families stand in the one order in which bind(2) examines them.
  public var isChainOrdered: Bool

  /// One with these parts, each as its property says.
  public init(
    host: HostFacts, visibility: Visibility = Visibility(), sockets: [SocketObservation], buckets: [BindBucket] = [],
    isChainOrdered: Bool = false
  ) {
    self.host = host
    self.visibility = visibility
    self.sockets = sockets
    self.buckets = buckets
    self.isChainOrdered = isChainOrdered
  }
}
