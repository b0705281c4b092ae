/// What the host and the network namespace set that a verdict uses. A fact that was not needed or could not be
/// read is nil; the rules answer "undetermined" where they need one that is nil.
package struct HostFacts: Sendable, Hashable {
  /// The version of the kernel.
  package var kernel: KernelVersion
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
  /// Security modules in force that can refuse a bind and that sock_diag does not show (`/sys/kernel/security/lsm`).
  package var securityModules: [String]?
  /// Those of `securityModules` that the host shows to enforce: SELinux by its switch.
  package var enforcingModules: [String]?
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
