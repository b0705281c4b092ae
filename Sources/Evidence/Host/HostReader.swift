package import Linux
package import Netlink
package import SocketModel

/// Reads the host's and the network namespace's settings that decide a bind(2).
///
/// Everything is that of the calling thread: after setns(2) on a thread of its own it describes the other network
/// namespace, sysctls included (`net_ctl_header_lookup` takes the namespace of the reading task).
package struct HostReader: Sendable {
  let procRoot: String
  private let sysRoot: String
  private let runRoot: String
  private let etcRoot: String
  private let routes: RouteDump
  private let capabilities: @Sendable () -> Capabilities?
  private let isInBounds: @Sendable () -> Bool?

  /// Reads below these roots, and takes the reader to have these capabilities; tests have some of their own.
  package init(
    procRoot: String = "/proc", sysRoot: String = "/sys", runRoot: String = "/run",
    etcRoot: String = "/etc",
    transport: NetlinkTransport = .kernel,
    capabilities: @autoclosure @escaping @Sendable () -> Capabilities? = .ofThisThread,
    isInBounds: @autoclosure @escaping @Sendable () -> Bool? = Capabilities.boundsHaveNetBindService
  ) {
    self.procRoot = procRoot
    self.sysRoot = sysRoot
    self.runRoot = runRoot
    self.etcRoot = etcRoot
    self.routes = RouteDump(transport: transport)
    self.capabilities = capabilities
    self.isInBounds = isInBounds
  }

  /// The facts asked for; one that cannot be read (unreadable, malformed, no rtnetlink) stays nil. Throws only
  /// what is no lack of a fact but a defect: a malformed reply, a failing system call.
  ///
  /// - Parameters:
  ///   - lookups: the addresses for `HostFacts.ipv4Lookups`.
  ///   - programs: the base names of the planned program, for `HostFacts.appArmorProfiles`.
  ///   - device: that of SO_BINDTODEVICE, which fresh sockets try as well.
  ///   - files: who reads /proc for this look; a child of its own where nobody does.
  package func read(
    _ needs: HostNeeds, lookups: [IPv4Address] = [], programs: [String] = [], device: String? = nil,
    _ files: ProcessFiles? = nil
  ) throws(NetlinkError) -> HostFacts {
    var facts = HostFacts(kernel: kernelVersion(), uid: effectiveUser())
    facts.hostname = SystemCalls.hostName
    let files = files ?? ProcessFiles(procRoot: procRoot)
    if facts.kernel < KernelVersion(major: 6, minor: 1) { facts.bindsByAddress = hasAddressTable(files) }
    let lsm = "\(sysRoot)/kernel/security/lsm"
    let settings = settings(needs.settings(runRoot: runRoot, lsm: lsm), files)
    readIdentity(needs, settings, &facts)
    readSysctls(needs, settings, &facts)
    if needs.contains(.freshSockets) {
      facts.freshSockets = freshSockets(device)
      facts.filteredCalls = filteredCalls()
    }
    if needs.contains(.ipv6Availability) { facts.ipv6Available = canMakeIPv6Socket() }
    if needs.contains(.securityModules), case .text(let text) = settings.text(lsm) {
      facts.securityModules = bindingModules(text)
      facts.enforcingModules = enforcingModules(facts.securityModules ?? [], files)
      if facts.securityModules?.contains("apparmor") == true, !programs.isEmpty {
        facts.appArmorProfiles = appArmorProfiles(for: programs, files)
      }
    }
    if needs.contains(.controlGroupPrograms), case .text(let text) = settings.text("thread-self/cgroup"),
      let group = ControlGroup(parsing: text).reachablePath
    {
      // Beside the hierarchies of version 1 the unified one has a directory of its own (cgroups(7)).
      let paths = ["\(sysRoot)/fs/cgroup", "\(sysRoot)/fs/cgroup/unified"].map { $0 + group }
      let told = self.settings(paths.map(FileQuestion.opened), files)
      let opened = paths.compactMap { told?.file($0) }
      facts.controlGroupBindPrograms = opened.lazy.compactMap { hasBindPrograms(controlGroup: $0) }.first
    }
    if needs.contains(.containerEngines) { facts.dockerRuns = dockerRuns(settings, files) }
    try readNetwork(needs, lookups, &facts)
    return facts
  }

  /// Whether there is a cache for `struct inet_bind2_bucket` (`tcp_init`); nil where the kernel shows none of its caches.
  func hasAddressTable(_ files: ProcessFiles) -> Bool? {
    let caches = ["tcp_bind_bucket", "tcp_bind2_bucket"].map { "\(sysRoot)/kernel/slab/\($0)" }
    let told = settings(caches.map(FileQuestion.status), files)
    guard told?.status(caches[0]) != nil else { return nil }
    return told?.status(caches[1]) != nil ? true : told?.error(caches[1])?.meansAbsent == true ? false : nil
  }

  /// The files that dockerd makes at its start and removes at its end; a pid file that is left over names no process.
  private func dockerRuns(_ settings: ToldProcess?, _ files: ProcessFiles) -> Bool? {
    let socket = "\(runRoot)/docker.sock"
    guard settings?.status(socket) != nil || settings?.error(socket) != nil else { return nil }
    guard settings?.status(socket)?.isSocket == true,
      case .text(let text) = settings.text("\(runRoot)/docker.pid"), let pid: UInt32 = decimal(trimmed(text))
    else { return false }
    return self.settings([.status("\(pid)")], files)?.status("\(pid)") != nil
  }

  /// SELinux has a switch that everybody may read (selinuxfs); the others only refuse what a profile or a label says.
  private func enforcingModules(_ modules: [String], _ files: ProcessFiles) -> [String] {
    let enforce = FileQuestion.contents("\(sysRoot)/fs/selinux/enforce")
    guard modules.contains("selinux"), case .text(let text) = settings([enforce], files).text(enforce.path),
      flag(text) == true
    else { return [] }
    return ["selinux"]
  }

  /// What the kernel enforces, which only root may read, else what is installed and switched neither off nor to
  /// complaints (aa-disable(8), aa-complain(8)).
  private func appArmorProfiles(for programs: [String], _ files: ProcessFiles) -> [AppArmorProfile] {
    let folder = "\(etcRoot)/apparmor.d"
    let tree = HostTree(files, root: folder)
    let names = tree.names(in: "") ?? []
    func file(_ program: String) -> String? {
      names.first { $0 == program || $0.hasSuffix(".\(program)") }
    }
    func isFor(_ program: String, _ profile: Substring) -> Bool {
      // `/usr/sbin/nginx`, `nginx`, `/usr/{bin,sbin}/nginx`; not the `//` of its children.
      profile.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).last.map { Substring($0) }
        == program[...] && profile.place(of: "//") == nil
    }
    let profiles = FileQuestion.contents("\(sysRoot)/kernel/security/apparmor/profiles", limit: 1 << 20 + 1)
    if case .text(let text) = settings([profiles], files).text(profiles.path), text.utf8.count <= 1 << 20 {
      return text.utf8.split(separator: UInt8(ascii: "\n")).flatMap { line -> [AppArmorProfile] in
        let line = Substring(line)
        guard line.hasSuffix(" (enforce)") else { return [] }
        let profile = line.dropLast(" (enforce)".count)
        return programs.filter { isFor($0, profile) }.map { program in
          AppArmorProfile(name: String(profile), file: file(program).map { "\(folder)/\($0)" }, isEnforced: true)
        }
      }
    }
    return programs.compactMap { program in
      guard let name = file(program), tree.isAbsent("disable/\(name)"),
        tree.isAbsent("force-complain/\(name)"), let bytes = tree.contents(of: name, limit: 1 << 20 + 1),
        bytes.count <= 1 << 20, case let text = String(decoding: bytes, as: UTF8.self),
        text[...].place(of: "complain") == nil,
        text[...].place(of: "unconfined") == nil
      else { return nil }
      return AppArmorProfile(name: name, file: "\(folder)/\(name)", isEnforced: false)
    }
  }

  /// Whether there may be VRFs here, or may have been: the driver has sysctls in each network namespace as soon as it is
  /// loaded (`vrf_netns_init_sysctl`, Linux 5.9). True where that cannot be seen.
  package func mayHaveVRFs(_ files: ProcessFiles? = nil) -> Bool {
    mayHaveVRFs(settings(HostNeeds.vrfSettings, files))
  }

  private func mayHaveVRFs(_ settings: ToldProcess?) -> Bool {
    guard let settings, settings.error("sys/net/vrf")?.meansAbsent == true else { return true }
    return kernelVersion() < KernelVersion(major: 5, minor: 9) || settings.status("sys/net/ipv4") == nil
  }

  /// Files read by a child: any user can hold the lock of a directory of sysctls or of this process, and a name that is not
  /// there, or was not looked up for long, has to be looked up in it.
  func settings(_ questions: [FileQuestion], _ files: ProcessFiles?) -> ToldProcess? {
    guard !questions.isEmpty else { return nil }
    return (files ?? ProcessFiles(procRoot: procRoot)).ask(ProcessQuestion(.named([]), [], rootFiles: questions)).root
  }

  private func readIdentity(_ needs: HostNeeds, _ settings: ToldProcess?, _ facts: inout HostFacts) {
    if needs.contains(.networkNamespace) {
      facts.networkNamespace = settings?.status(HostNeeds.ownNetwork)?.inode
    }
    if needs.contains(.sudoUser) {
      facts.sudoUID = sudoUser(environmentVariable("SUDO_UID"), effectiveUser: facts.uid)
    }
    if needs.contains(.capability) { readPrivilege(settings, &facts) }
    if needs.contains(.userMapping) { facts.overflowUID = overflowUser(settings) }
  }

  /// `ns_capable(net->user_ns, CAP_NET_BIND_SERVICE)` for the calling thread, and who else has it.
  private func readPrivilege(_ settings: ToldProcess?, _ facts: inout HostFacts) {
    var relation: NamespaceRelation?
    if let network = settings?.file(HostNeeds.ownNetwork), let user = settings?.status(HostNeeds.ownUser) {
      relation = Linux.relation(ofNetworkNamespace: network, toUserNamespace: user)
    }
    // A program of root gets what the bounding set leaves (capabilities(7)).
    facts.rootMayBindPrivileged = relation.flatMap { $0 == .outside ? false : isInBounds() }
    if case .below(let maker)? = relation { facts.namespaceMaker = maker }
    guard let held = capabilities(), let relation else { return }
    let uid = facts.uid
    let may = { (capability: Capabilities) in
      switch relation {
      case .own: held.contains(capability)
      case .below(let maker): held.contains(capability) || maker == uid
      case .outside: false
      }
    }
    (facts.readerMayBindPrivileged, facts.readerMayChangeDevice) = (may(.netBindService), may(.netRaw))
  }

  /// The uid of everybody who is not mapped; nil where all are. A map that cannot be read counts as one with gaps,
  /// one that is absent beside a /proc that is there as a kernel without user namespaces.
  private func overflowUser(_ settings: ToldProcess?) -> UInt32? {
    switch settings.text("thread-self/uid_map") {
    case .text(let map) where mapsEveryUser(map): return nil
    case .absent where settings.text("thread-self/status") != .absent: return nil
    default: break
    }
    guard case .text(let text) = settings.text("sys/kernel/overflowuid"),
      let uid: UInt32 = decimal(trimmed(text))
    else { return 65534 }
    return uid
  }

  private func readSysctls(_ needs: HostNeeds, _ settings: ToldProcess?, _ facts: inout HostFacts) {
    /// Its default counts only where the kernel's other IPv4 sysctls are there, so that a /proc that is missing or masked is
    /// not taken for an old kernel.
    func sysctl<Value>(_ name: String, whenAbsent: Value? = nil, _ parse: (String) -> Value?) -> Value? {
      switch settings.text("sys/net/" + name) {
      case .text(let text): return parse(text)
      case .unreadable: return nil
      case .absent:
        guard let whenAbsent, case .text = settings.text(HostNeeds.portRange) else { return nil }
        return whenAbsent
      }
    }
    if needs.contains(.unprivilegedPortStart) {
      facts.unprivilegedPortStart = sysctl("ipv4/ip_unprivileged_port_start", whenAbsent: 1024, portStart)
    }
    if needs.contains(.localPortRange) {
      facts.localPortRange = sysctl("ipv4/ip_local_port_range", portRange)
    }
    if needs.contains(.localReservedPorts) {
      facts.localReservedPorts = sysctl("ipv4/ip_local_reserved_ports", reservedPorts)
    }
    if needs.contains(.nonlocalBind) {
      facts.ipv4NonlocalBind = sysctl("ipv4/ip_nonlocal_bind", flag)
      facts.ipv6NonlocalBind = sysctl("ipv6/ip_nonlocal_bind", flag)
    }
    if needs.contains(.ipv6Addresses) {
      let values = ["all", "lo"].map { ($0, sysctl("ipv6/conf/\($0)/disable_ipv6", flag)) }
      facts.ipv6Disabled = values.contains { $0.1 == nil } ? nil : values.filter { $0.1 == true }.map(\.0)
    }
    if needs.contains(.bindv6only) {
      // A socket tells what the kernel makes of the sysctl; files below another root are another host's.
      let isThisHost = procRoot == "/proc"
      facts.bindv6only =
        (isThisHost ? freshSocketIsV6only() : nil) ?? sysctl("ipv6/bindv6only", lowestBit) ?? freshSocketIsV6only()
    }
    if needs.contains(.l3mdevAccept) {
      // Only kernels with CONFIG_NET_L3_MASTER_DEV have it; without it there are no VRFs.
      facts.tcpL3mdevAccept = sysctl("ipv4/tcp_l3mdev_accept", whenAbsent: false, flag)
      facts.mayHaveVRFs = mayHaveVRFs(settings)
    }
  }

  private func readNetwork(
    _ needs: HostNeeds, _ lookups: [IPv4Address], _ facts: inout HostFacts
  ) throws(NetlinkError) {
    var requests: [RouteDumpRequest] = []
    if !needs.isDisjoint(with: [.interfaces, .ipv4LocalRoutes]) { requests.append(.interfaces) }
    if needs.contains(.ipv6Addresses) { requests.append(.ipv6Addresses) }
    if needs.contains(.ipv4LocalRoutes) {
      requests += [.ipv4Routes(table: 255), .ipv4Rules] + lookups.map(RouteDumpRequest.ipv4Lookup)
    }
    let routes = routes.asking(requests)
    var isSilent = false
    if requests.contains(.interfaces) {
      facts.interfaces = try present(&isSilent) { () throws(NetlinkError) in try routes.interfaces() }
    }
    if needs.contains(.ipv6Addresses) {
      facts.ipv6Addresses = try present(&isSilent) { () throws(NetlinkError) in try routes.ipv6Addresses() }
    }
    if needs.contains(.ipv4LocalRoutes), let interfaces = facts.interfaces {
      let tables = [255] + Set(interfaces.compactMap(\.vrfTable)).subtracting([255]).sorted()
      try present(&isSilent) { () throws(NetlinkError) in try readTables(tables, routes, &facts) }
      facts.ipv4RulesAreDefault = try present(&isSilent) { () throws(NetlinkError) in
        try routes.ipv4RulesAreDefault()
      }
      facts.ipv4Lookups = try ipv4Lookups(lookups, routes, &isSilent)
    }
    facts.routesAreSilent = isSilent
  }

  /// The routes to these addresses, for `HostFacts.ipv4Lookups`; nil where the kernel has no rtnetlink for this reader,
  /// or does not answer in time.
  package func ipv4Lookups(
    _ addresses: [IPv4Address], isSilent: inout Bool
  ) throws(NetlinkError) -> [RouteLookup]? {
    try ipv4Lookups(addresses, routes.asking(addresses.map(RouteDumpRequest.ipv4Lookup)), &isSilent)
  }

  private func ipv4Lookups(
    _ addresses: [IPv4Address], _ routes: RouteDump, _ isSilent: inout Bool
  ) throws(NetlinkError) -> [RouteLookup]? {
    try present(&isSilent) { () throws(NetlinkError) in
      var found: [RouteLookup] = []
      for address in addresses { if let route = try routes.ipv4Lookup(address) { found.append(route) } }
      return found
    }
  }

  private func readTables(
    _ tables: [UInt32], _ routes: RouteDump, _ facts: inout HostFacts
  ) throws(NetlinkError) {
    var all: [LocalRoute] = []
    var absent: [UInt32] = []
    for table in tables {
      do throws(NetlinkError) {
        if let found = try routes.ipv4Routes(table: table) { all += found } else { absent.append(table) }
      } catch .interfaceMissing {
        return
      }
    }
    facts.ipv4LocalRoutes = all
    // Older kernels answer for an absent table as for an empty one (`inet_dump_fib`).
    if facts.kernel >= KernelVersion(major: 5, minor: 0) { facts.ipv4AbsentTables = absent }
  }

  /// What `read` gives; nil where the kernel has no rtnetlink for this reader, or does not answer in time.
  private func present<Value>(
    _ isSilent: inout Bool, _ read: () throws(NetlinkError) -> Value
  ) throws(NetlinkError) -> Value? {
    do throws(NetlinkError) {
      return try read()
    } catch .interfaceMissing {
      return nil
    } catch .noAnswer {
      isSilent = true
      return nil
    }
  }
}

/// Which facts of the host are to be read: what a verdict does not use is not worth its time.
package struct HostNeeds: OptionSet, Sendable, Hashable {
  /// One bit for each fact.
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// `HostFacts.networkNamespace`.
  package static let networkNamespace = HostNeeds(rawValue: 1 << 0)
  /// `HostFacts.sudoUID`.
  package static let sudoUser = HostNeeds(rawValue: 1 << 1)
  /// `HostFacts.readerMayBindPrivileged`, `rootMayBindPrivileged` and `namespaceMaker`.
  package static let capability = HostNeeds(rawValue: 1 << 2)
  /// `HostFacts.unprivilegedPortStart`.
  package static let unprivilegedPortStart = HostNeeds(rawValue: 1 << 3)
  /// `HostFacts.localPortRange`.
  package static let localPortRange = HostNeeds(rawValue: 1 << 4)
  /// `HostFacts.localReservedPorts`.
  package static let localReservedPorts = HostNeeds(rawValue: 1 << 5)
  /// `HostFacts.ipv4NonlocalBind` and `ipv6NonlocalBind`.
  package static let nonlocalBind = HostNeeds(rawValue: 1 << 6)
  /// `HostFacts.bindv6only`.
  package static let bindv6only = HostNeeds(rawValue: 1 << 7)
  /// `HostFacts.tcpL3mdevAccept` and `HostFacts.mayHaveVRFs`.
  package static let l3mdevAccept = HostNeeds(rawValue: 1 << 8)
  /// `HostFacts.ipv6Available`.
  package static let ipv6Availability = HostNeeds(rawValue: 1 << 9)
  /// `HostFacts.interfaces`.
  package static let interfaces = HostNeeds(rawValue: 1 << 10)
  /// `HostFacts.ipv6Addresses` and `ipv6Disabled`.
  package static let ipv6Addresses = HostNeeds(rawValue: 1 << 11)
  /// `HostFacts.ipv4LocalRoutes`, `ipv4AbsentTables`, `ipv4RulesAreDefault` and `ipv4Lookups`; reads the interfaces
  /// too, for the tables of VRFs.
  package static let ipv4LocalRoutes = HostNeeds(rawValue: 1 << 12)
  /// `HostFacts.securityModules` and `enforcingModules`.
  package static let securityModules = HostNeeds(rawValue: 1 << 13)
  /// `HostFacts.overflowUID`.
  package static let userMapping = HostNeeds(rawValue: 1 << 14)
  /// `HostFacts.controlGroupBindPrograms`.
  package static let controlGroupPrograms = HostNeeds(rawValue: 1 << 15)
  /// `HostFacts.dockerRuns`.
  package static let containerEngines = HostNeeds(rawValue: 1 << 17)

  /// `HostFacts.freshSockets` and `filteredCalls`.
  package static let freshSockets = HostNeeds(rawValue: 1 << 16)

  /// All that can be read.
  package static let everything = HostNeeds(rawValue: (1 << 18) - 1)

  fileprivate static let portRange = "sys/net/ipv4/ip_local_port_range"
  fileprivate static let vrfSettings: [FileQuestion] = [.status("sys/net/vrf"), .status("sys/net/ipv4")]

  fileprivate static let ownNetwork = "thread-self/ns/net"
  fileprivate static let ownUser = "thread-self/ns/user"

  /// The files, most of them below /proc, that these facts are read from. What stands behind one that somebody keeps from
  /// being read is not read either: those that decide least come last.
  fileprivate func settings(runRoot: String, lsm: String) -> [FileQuestion] {
    func files(_ need: HostNeeds, _ names: [String]) -> [FileQuestion] {
      contains(need) ? names.map { .contents("sys/net/" + $0, limit: 256 << 10) } : []
    }
    let hasDefault: HostNeeds = [.unprivilegedPortStart, .localPortRange, .l3mdevAccept]
    return (contains(.networkNamespace) ? [.status(Self.ownNetwork)] : [])
      + (contains(.capability) ? [.opened(Self.ownNetwork), .status(Self.ownUser)] : [])
      + (contains(.controlGroupPrograms) ? [.contents("thread-self/cgroup", limit: 64 << 10)] : [])
      + (contains(.userMapping) ? [.contents("thread-self/uid_map"), .contents("thread-self/status")] : [])
      + files(.unprivilegedPortStart, ["ipv4/ip_unprivileged_port_start"])
      + (isDisjoint(with: hasDefault) ? [] : [.contents(Self.portRange)])
      + files(.localReservedPorts, ["ipv4/ip_local_reserved_ports"])
      + files(.nonlocalBind, ["ipv4/ip_nonlocal_bind", "ipv6/ip_nonlocal_bind"])
      + files(.ipv6Addresses, ["ipv6/conf/all/disable_ipv6", "ipv6/conf/lo/disable_ipv6"])
      + files(.bindv6only, ["ipv6/bindv6only"]) + files(.l3mdevAccept, ["ipv4/tcp_l3mdev_accept"])
      + (contains(.l3mdevAccept) ? Self.vrfSettings : [])
      + (contains(.userMapping) ? [.contents("sys/kernel/overflowuid")] : [])
      + (contains(.securityModules) ? [.contents(lsm)] : [])
      + (contains(.containerEngines) ? [.status("\(runRoot)/docker.sock"), .contents("\(runRoot)/docker.pid")] : [])
  }
}

extension Optional<ToldProcess> {
  /// What a file of it gave; unreadable where nobody asked or answered.
  func text(_ path: String) -> FileText {
    guard let told = self else { return .unreadable }
    if let bytes = told.contents(path) { return .text(String(decoding: bytes, as: UTF8.self)) }
    return told.error(path)?.meansAbsent == true ? .absent : .unreadable
  }
}

/// A socket of each kind, made, read and closed: what the place of the calling thread makes of socket(2). Those of which
/// a failure says nothing (no descriptor or memory left) are left out.
func freshSockets(_ device: String? = nil) -> [FreshSocket] {
  [AddressFamily.ipv4, .ipv6].flatMap { family in
    TransportProtocol.allCases.compactMap { freshSocket($0, family, device) }
  }
}

/// nil where socket(2) fails for a reason that is no answer about the place.
private func freshSocket(_ transport: TransportProtocol, _ family: AddressFamily, _ device: String?) -> FreshSocket? {
  var fresh = FreshSocket(transport, family)
  do throws(SystemError) {
    let socket = try Descriptor(newSocketOf: family, transport)
    fresh.device = (try? socket.option(.boundInterface)).flatMap { InterfaceIndex(kernel: UInt32(bitPattern: $0)) }
    if family == .ipv6 { fresh.v6only = (try? socket.option(.v6only)).map { $0 != 0 } }
    fresh.oddOptions = [
      socket.tried(.reuseaddr, .reuseaddr), socket.tried(.reuseport, .reuseport),
      family == .ipv6 ? socket.tried(.v6only, .v6only) : nil, device.flatMap { socket.tried(device: $0) },
    ].compactMap { $0 }
    return fresh
  } catch {
    // By the protocol family, a seccomp filter, which may say anything, a control group program or a security module.
    let shortages = ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"]
    guard SystemError(name: error.description) != nil, !shortages.contains(error.description) else { return nil }
    fresh.refusal = error
    return fresh
  }
}

extension Descriptor {
  /// What is odd about an option of a fresh socket; nil where it is off and can be set, and where it cannot be read.
  fileprivate borrowing func tried(_ name: OddOption.Name, _ option: SocketOption<Int32>) -> OddOption? {
    guard let initially = (try? self.option(option)).map({ $0 != 0 }) else { return nil }
    var refusal: SystemError?
    do throws(SystemError) { try set(option, !initially) } catch { refusal = error }
    guard let afterwards = (try? self.option(option)).map({ $0 != 0 }) else { return nil }
    // IPV6_V6ONLY has a sysctl for what it is at first.
    if refusal == nil, initially != afterwards, !initially || name == .v6only { return nil }
    return OddOption(name, refusal: refusal, initially: initially, afterwards: afterwards)
  }

  /// The same of SO_BINDTODEVICE; that there is no such device is nothing odd.
  fileprivate borrowing func tried(device name: String) -> OddOption? {
    do throws(SystemError) { try bind(toDevice: name) } catch {
      return error == .noDevice ? nil : OddOption(.device, refusal: error, initially: false, afterwards: false)
    }
    let index = (try? interfaceIndex(named: name)).map { Int32(bitPattern: $0.rawValue) }
    guard let device = try? self.option(.boundInterface), device != index else { return nil }
    return OddOption(.device, refusal: nil, initially: false, afterwards: false)
  }
}

extension HostReader {
  /// The DNAT and redirect rules of the calling thread's network namespace that name a port.
  ///
  /// `/usr/sbin/nft` is asked, and where that is missing, not permitted or shows none `/usr/sbin/iptables-save`; by
  /// absolute path and with an empty environment. Empty where neither answers. Rules that name their ports by a set
  /// or a map are not understood and left out.
  package func portRedirects() -> [PortRedirect] {
    var found: [PortRedirect] = []
    if let text = output(of: "/usr/sbin/nft", ["-nn", "list", "ruleset"]) { found = nftRedirects(text) }
    if found.isEmpty, let text = output(of: "/usr/sbin/iptables-save", ["-t", "nat"]) {
      found = iptablesRedirects(text)
    }
    return found
  }
}
