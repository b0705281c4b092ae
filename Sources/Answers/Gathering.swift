import Evidence
import BindRules
import Linux
import Netlink
import Explanation
import SocketModel

/// How the owners of sockets are looked for.
private struct OwnerSearch {
  /// An iterator may be asked where that is quicker.
  var bpf: Bool
  /// Who stands behind a socket without a process is looked for, too.
  var names: Bool
  var detail: OverviewDetail
}

/// Everything that was read for one answer: the host's facts, and the sockets of the ports by transport.
struct Gathering {
  private(set) var host: HostFacts
  private(set) var visibility = Visibility()
  private(set) var sockets = ByTransport<[SocketObservation]>()
  /// The same by port, in their order, with flags guessed from relatives filled in for the reader.
  private var socketsByPort = ByTransport<[Port: [SocketObservation]]>()
  /// How many sockets of the other transport are on ports that were asked for, for the note about them.
  private var otherCounts = ByTransport<[Port: Int]>()
  /// Every socket on the ports just above those asked for, to find a free one to offer.
  private var neighbours = ByTransport<NearbyPorts>()
  private var buckets: [BindBucket] = []
  /// By the inodes of sockets, where an iterator found their holders.
  private var bucketsOfHeld: [UInt64: BindBucket] = [:]
  private var orderedTransports: Set<TransportProtocol> = []
  private var wildcardMissesAddresses: [Port: Bool] = [:]
  /// The transports for which BPF iterators were asked, whatever came of it.
  private var askedTransports: Set<TransportProtocol> = []
  /// Sockets that ended between the dump and the walk of the iterators, and were left out.
  private(set) var vanished = 0
  /// How many connections of a port are not among `sockets`: those of an overview.
  private(set) var unlisted = ByTransport<[Port: Int]>()
  /// How the owners of the sockets are to be looked for; nil once they were.
  private var ownerSearch: OwnerSearch?
  private let ranges: ByTransport<ClosedRange<UInt16>>
  /// Who reads /proc for this look.
  private let files = ProcessReader().newFiles()
  private var needs: HostNeeds
  let evidenceSources: EvidenceSources

  /// Reads the sockets first: their states and timers should be from one moment.
  ///
  /// The ports of a transport are dumped as one range; `wanted` keeps those that were asked for. With `bpf` an iterator
  /// finds the holders on a host with many descriptors; with `verdictOnly` what decides no verdict is not looked at, and
  /// with `ownersMayWait` the owners are left to `settled`.
  init(
    ports: ByTransport<ClosedRange<UInt16>>, needs: HostNeeds, lookups: [IPv4Address] = [],
    programs: [String] = [], device: String? = nil, bpf: Bool = true, verdictOnly: Bool = false,
    ownersMayWait: Bool = false,
    _ evidenceSources: EvidenceSources = EvidenceSources(), detail: OverviewDetail = .everySocket,
    wanted: (TransportProtocol, UInt16) -> Bool = { _, _ in true }
  ) throws(PortwhyError) {
    self.needs = needs
    self.evidenceSources = evidenceSources
    ranges = ports
    do throws(NetlinkError) {
      let dump = SocketDump()
      for transport in ports.transports {
        guard let range = ports[transport] else { continue }
        if detail == .table, evidenceSources.listsBoundSockets(kernelVersion()) {
          let clientPorts = transport == .tcp ? try HostReader().read(.localPortRange, files).localPortRange : nil
          let census = try dump.census(transport, clientPorts: clientPorts, shown: OverviewDetail.clientPortsShown)
          (sockets[transport], unlisted[transport]) = (census.sockets, census.connections)
          continue
        }
        let around = verdictOnly ? range : range.withNeighbours
        let all = try dump.sockets(transport, ports: around)
        sockets[transport] = all.filter { wanted(transport, $0.local.port.rawValue) }
        if around != range {
          let above = (range.upperBound + 1)...around.upperBound
          neighbours[transport] = NearbyPorts(
            ports: above, sockets: all.filter { above.contains($0.local.port.rawValue) })
        }
        guard ports[transport.other] == nil, !verdictOnly else { continue }
        otherCounts[transport.other] = try dump.counts(transport.other, ports: range)
      }
      host = try HostReader().read(
        needs, lookups: lookups, programs: verdictOnly ? [] : programs, device: device, files)
    } catch {
      throw PortwhyError(error)
    }
    noteSilentRoutes()
    try findBoundSockets(ports, bpf, wanted)
    ownerSearch = OwnerSearch(bpf: bpf, names: !verdictOnly, detail: detail)
    if ownersMayWait {
      for transport in sockets.transports {
        sockets[transport] = withoutUnmappedUsers(sockets[transport] ?? [], overflow: host.overflowUID)
      }
    } else {
      findOwners()
    }
    let givesDevices = host.freshSockets?.contains { $0.device != nil } ?? false
    if usesDevices || givesDevices || mayMeetVRFs { try readMore([.interfaces, .l3mdevAccept]) }
    // An overview judges no port.
    if detail == .everySocket { for transport in sockets.transports { sortByPort(transport) } }
  }

  private mutating func sortByPort(_ transport: TransportProtocol) {
    guard let all = sockets[transport], let first = all.first else {
      socketsByPort[transport] = nil
      return
    }
    if ranges[transport]?.count == 1 {
      socketsByPort[transport] = [first.local.port: withInferredFlags(all)]
    } else {
      socketsByPort[transport] = Dictionary(grouping: all) { $0.local.port }.mapValues(withInferredFlags)
    }
  }

  func isUsed(_ transport: TransportProtocol, _ port: Port) -> Bool { socketsByPort[transport]?[port] != nil }

  /// Those of one port, with everything a rule looks at.
  func snapshot(_ transport: TransportProtocol, _ port: Port) -> Snapshot {
    Snapshot(
      host: host, visibility: visibility, sockets: socketsByPort[transport]?[port] ?? [],
      buckets: buckets.filter { transport == .tcp && $0.port == port },
      isChainOrdered: orderedTransports.contains(transport),
      wildcardMissesAddresses: transport == .udp ? wildcardMissesAddresses[port] : nil)
  }

  /// What these attempts on a port come to, with what BPF iterators tell where they depend on it; nil for not asking
  /// them.
  mutating func settled(
    _ transport: TransportProtocol, _ port: Port, _ attempts: [BindAttempt], planned: ReuseOptions,
    _ evidenceScope: EvidenceScope?
  ) throws(PortwhyError) -> Judgement {
    // The dump alone may be enough: who holds the sockets, and with which options, costs more than everything else.
    if ownerSearch != nil {
      let glance = Judgement(of: attempts, in: snapshot(transport, port))
      if glance.isSettled(planned) { return glance }
      findOwners()
      for transport in sockets.transports { sortByPort(transport) }
    }
    guard let evidenceScope, !askedTransports.contains(transport), let range = ranges[transport] else {
      return Judgement(of: attempts, in: snapshot(transport, port))
    }
    // Where the bucket is sure to be missed, it is read before anything is judged: worlds with unknown flags are many.
    let isForeseen = evidenceScope == .everything && missesBucket(transport, attempts)
    if isForeseen { _ = readBucket(transport, port, range) }
    var first = Judgement(of: attempts, in: snapshot(transport, port))
    // Without a socket on the port there is nothing to tell.
    func isWanted() -> Bool {
      !first.snapshot.sockets.isEmpty
        && first.outcomes.contains { evidenceScope.wantsKernelEvidence($0, planned: planned) }
    }
    guard isWanted() else { return first }
    if !isForeseen, readBucket(transport, port, range) {
      first = Judgement(of: attempts, in: snapshot(transport, port))
      guard isWanted() else { return first }
    }
    askedTransports.insert(transport)
    try readMore(.networkNamespace)
    var use = visibility.bpf ?? BPFUse()
    var silent: SilentSource?
    let evidence = evidenceSources.evidence(transport, range, sockets[transport] ?? [], host, &use, &silent, files)
    visibility.bpf = use
    guard let evidence else {
      guard let silent else { return Judgement(of: attempts, in: snapshot(transport, port)) }
      visibility.silent = visibility.silent ?? silent
      visibility.add(.noAnswer)
      for index in sockets[transport]?.indices ?? 0..<0 { sockets[transport]?[index].noteSilence() }
      sortByPort(transport)
      return Judgement(of: attempts, in: snapshot(transport, port))
    }
    sockets[transport] = evidence.sockets
    if !evidence.buckets.isEmpty { buckets = evidence.buckets }
    if evidence.udpOrderIsKnown { orderedTransports.insert(transport) }
    if transport == .udp { wildcardMissesAddresses = evidence.wildcardMissesAddresses }
    vanished += evidence.vanished
    sortByPort(transport)
    return Judgement(of: attempts, in: snapshot(transport, port))
  }

  /// Whether a socket in the way has no SO_REUSEPORT now: whether it had when it was bound, only its bucket tells.
  private func missesBucket(_ transport: TransportProtocol, _ attempts: [BindAttempt]) -> Bool {
    guard transport == .tcp else { return false }
    return sockets.tcp?.contains { socket in
      guard socket.reuseport.sure == false, !socket.processes.isEmpty else { return false }
      return attempts.contains {
        $0.address.isUnspecified || socket.local.address.isUnspecified || $0.address == socket.local.address
      }
    } ?? false
  }

  /// Reads the bind bucket of a TCP port through a descriptor of one holder, where there is one and no VRF, which may have a
  /// bucket of its own. That costs no walk of a table, and with it the flags of sockets that nobody holds seldom matter.
  private mutating func readBucket(
    _ transport: TransportProtocol, _ port: Port, _ range: ClosedRange<UInt16>
  ) -> Bool {
    guard transport == .tcp, range.count == 1, let sockets = sockets.tcp, !evidenceSources.mayHaveVRFs(files),
      let held = sockets.first(where: { !$0.processes.isEmpty && $0.inode != nil && $0.ulp != "mptcp" }),
      let pid = held.processes.first?.pid, let inode = held.inode
    else { return false }
    if let bucket = bucketsOfHeld[inode], bucket.port == port {
      buckets.append(bucket)
      return true
    }
    var use = visibility.bpf ?? BPFUse()
    let bucket = evidenceSources.bucket(pid, inode, port, &use, files)
    visibility.bpf = use
    if let bucket { buckets.append(bucket) }
    return bucket != nil
  }

  /// The ports on which somebody listens, where one of these connections may have been made to one.
  func localServers(_ sockets: [SocketObservation]) -> Set<Port> {
    let isOfInterest = sockets.contains { socket in
      socket.transport == .tcp && socket.remote?.address == socket.local.address && host.isClients(socket.local.port)
    }
    guard isOfInterest, let listeners = try? SocketDump().glances(.tcp, .listening, ports: nil) else { return [] }
    return Set(listeners.map(\.port))
  }

  /// Where the kernel counts the sockets of this network namespace.
  func socketCounts() -> SocketCounts? { SocketCounts(files) }

  /// The ports above those asked for; nil where there are none or too much was asked.
  func nearby(_ transport: TransportProtocol) -> NearbyPorts? { neighbours[transport] }

  /// Reads which of these ports belong to a service of that name; only for an answer that may offer one.
  mutating func readServices(_ transport: TransportProtocol) {
    guard let ports = neighbours[transport]?.ports else { return }
    neighbours[transport]?.named = servicePorts(transport, ports)
  }

  /// The other transport's sockets on the port, which are never in the way.
  func notes(_ transport: TransportProtocol, _ port: Port, _ question: Question) -> [Note] {
    guard let count = otherCounts[transport.other]?[port], count > 0 else { return [] }
    let words = ["portwhy"] + question.commandOptions + ["\(port)/\(transport.other.rawValue)"]
    return [.otherProtocol(count, of: transport.other, host.asNow(words))]
  }

  /// Leaves out what this place does to a program that is started here: the planned socket is there already.
  mutating func forgetPlace() {
    for index in host.freshSockets?.indices ?? 0..<0 { host.freshSockets?[index].oddOptions = [] }
    host.filteredCalls = nil
  }

  /// Leaves out the socket with this inode.
  mutating func forget(_ inode: UInt64) {
    for transport in sockets.transports {
      sockets[transport]?.removeAll { $0.inode == inode }
      sortByPort(transport)
    }
  }

  private var usesDevices: Bool {
    TransportProtocol.allCases.contains { sockets[$0]?.contains { $0.device != nil } ?? false }
  }

  /// Whether a TCP socket may have been bound in a VRF, which its device of today need not show.
  private var mayMeetVRFs: Bool {
    sockets.tcp?.isEmpty == false && evidenceSources.mayHaveVRFs(files)
  }

  /// Enters interfaces once more under an alternative name that the question calls them by.
  mutating func findAlternativeNames(_ names: [String]) {
    for name in names where host.interfaces != nil && host.interface(named: name) == nil {
      guard let index = try? interfaceIndex(named: name), var alias = host.interface(index) else { continue }
      alias.name = name
      host.interfaces?.append(alias)
    }
  }

  /// Reads host facts that turned out to be needed, and none once more.
  mutating func readMore(_ more: HostNeeds) throws(PortwhyError) {
    let lacking = more.subtracting(needs)
    guard !lacking.isEmpty else { return }
    needs.formUnion(lacking)
    do throws(NetlinkError) {
      let later = try HostReader().read(lacking, files)
      host.fill(from: later)
      host.routesAreSilent = later.routesAreSilent
    } catch {
      throw PortwhyError(error)
    }
    noteSilentRoutes()
  }

  /// Adds who kept whoever reads files for this look waiting, since the owners were looked for too.
  mutating func addSilentFiles() {
    if let silent = files.silentSource() { visibility.add(silent: silent) }
  }

  /// Adds that something else did not answer in time.
  mutating func add(silent source: SilentSource) { visibility.add(silent: source) }

  private mutating func noteSilentRoutes() {
    if host.routesAreSilent { visibility.add(silent: .routes) }
  }

  /// Reads which addresses the host has, each looked up as bind(2) does, and which it shows to others, to offer one
  /// instead of a wildcard.
  mutating func readAddresses() throws(PortwhyError) {
    guard !needs.isSuperset(of: [.ipv4LocalRoutes, .ipv6Addresses, .nonlocalBind]) else { return }
    try readMore([.ipv4LocalRoutes, .ipv6Addresses, .nonlocalBind])
    let own = host.ownAddresses.compactMap { address -> IPv4Address? in
      if case .v4(let address) = address { address } else { nil }
    }
    let known = Set(host.ipv4Lookups?.map(\.destination) ?? [])
    do throws(NetlinkError) {
      let asked = [RouteLookup.elsewhere] + own.prefix(8).filter { !known.contains($0) }
      let found = try HostReader().ipv4Lookups(asked, isSilent: &host.routesAreSilent)
      host.ipv4Lookups = found.map { (host.ipv4Lookups ?? []) + $0 } ?? host.ipv4Lookups
      noteSilentRoutes()
    } catch {
      throw PortwhyError(error)
    }
  }

  private mutating func findOwners() {
    guard let search = ownerSearch else { return }
    ownerSearch = nil
    var all = (sockets.tcp ?? []) + (sockets.udp ?? [])
    let reader = ProcessReader()
    let ports = ranges.hull ?? 0...0
    let holders = evidenceSources.holders
    var use = visibility.bpf
    let detail = search.detail
    let isAsked = detail == .everySocket ? { _ in true } : detail.isAsked(all, host)
    var found: KernelEvidence.FoundHolders?
    let seen = reader.examine(&all, asks: isAsked, files, withParents: search.names) { inodes in
      found = search.bpf ? holders(ports, inodes, &use, files) : nil
      return found?.descriptors
    }
    visibility.bpf = use
    bucketsOfHeld = found?.buckets ?? [:]
    if search.names {
      reader.readSurroundings(&all, files)
      reader.findActivations(&all, files)
      if let silent = findKernelOwners(&all, files) { visibility.add(silent: silent) }
    }
    all = withoutUnmappedUsers(all, overflow: host.overflowUID)
    for transport in sockets.transports { sockets[transport] = all.filter { $0.transport == transport } }
    visibility.unreadableProcesses = seen.unreadableProcesses
    visibility.silent = visibility.silent ?? seen.silent
    for reason in seen.reasons { visibility.add(reason) }
    if let silent = files.silentSource() { visibility.add(silent: silent) }
    // Who holds a socket is not asked over rtnetlink.
    let isExplained = visibility.reasons.contains { $0 != .noAnswer || visibility.silent?.netlink == nil }
    if !isExplained, all.contains(where: { $0.owner == .hidden }) {
      visibility.add(.noHolder)
      if reader.isInPIDNamespace(files) { visibility.add(.pidNamespace) }
    }
  }

  /// Kernels before 6.8 list no sockets that are bound and neither listen nor are connected.
  private mutating func findBoundSockets(
    _ ports: ByTransport<ClosedRange<UInt16>>, _ bpf: Bool, _ wanted: (TransportProtocol, UInt16) -> Bool
  ) throws(PortwhyError) {
    guard let range = ports[.tcp], !evidenceSources.listsBoundSockets(host.kernel) else { return }
    let shown = Set(((sockets[.tcp] ?? []) + (neighbours[.tcp]?.sockets ?? [])).compactMap(\.inode))
    var found = evidenceSources.boundSockets(range.withNeighbours, shown)
    if !found.complete, bpf {
      try readMore(.networkNamespace)
      if let all = evidenceSources.allBoundSockets(range.withNeighbours, host, &visibility.bpf, files) {
        found = FoundBoundSockets(
          sockets: found.sockets.filter { $0.state != .close } + all.filter { !shown.contains($0.inode ?? 0) },
          complete: true)
      }
    }
    sockets.tcp = (sockets.tcp ?? []) + found.sockets.filter { wanted(.tcp, $0.local.port.rawValue) }
    if let above = neighbours[.tcp]?.ports {
      neighbours[.tcp]?.sockets += found.sockets.filter { above.contains($0.local.port.rawValue) }
    }
    visibility.boundSocketsComplete = found.complete
    if !found.complete { visibility.add(.oldKernel) }
    if let silent = found.silent {
      visibility.silent = silent
      visibility.add(.noAnswer)
    }
  }
}

extension SocketDump {
  /// How many sockets each of these ports has.
  fileprivate func counts(
    _ transport: TransportProtocol, ports: ClosedRange<UInt16>
  ) throws(NetlinkError) -> [Port: Int] {
    try glances(transport, .all, ports: ports).reduce(into: [:]) { $0[$1.port, default: 0] += 1 }
  }
}

extension HostFacts {
  /// Takes over the facts that are not there yet.
  fileprivate mutating func fill(from later: HostFacts) {
    networkNamespace = networkNamespace ?? later.networkNamespace
    sudoUID = sudoUID ?? later.sudoUID
    readerMayChangeDevice = readerMayChangeDevice ?? later.readerMayChangeDevice
    readerMayBindPrivileged = readerMayBindPrivileged ?? later.readerMayBindPrivileged
    rootMayBindPrivileged = rootMayBindPrivileged ?? later.rootMayBindPrivileged
    namespaceMaker = namespaceMaker ?? later.namespaceMaker
    overflowUID = overflowUID ?? later.overflowUID
    filteredCalls = filteredCalls ?? later.filteredCalls
    unprivilegedPortStart = unprivilegedPortStart ?? later.unprivilegedPortStart
    localPortRange = localPortRange ?? later.localPortRange
    localReservedPorts = localReservedPorts ?? later.localReservedPorts
    ipv4NonlocalBind = ipv4NonlocalBind ?? later.ipv4NonlocalBind
    ipv6NonlocalBind = ipv6NonlocalBind ?? later.ipv6NonlocalBind
    bindv6only = bindv6only ?? later.bindv6only
    mayHaveVRFs = mayHaveVRFs ?? later.mayHaveVRFs
    tcpL3mdevAccept = tcpL3mdevAccept ?? later.tcpL3mdevAccept
    ipv6Available = ipv6Available ?? later.ipv6Available
    ipv6Disabled = ipv6Disabled ?? later.ipv6Disabled
    interfaces = interfaces ?? later.interfaces
    ipv6Addresses = ipv6Addresses ?? later.ipv6Addresses
    ipv4LocalRoutes = ipv4LocalRoutes ?? later.ipv4LocalRoutes
    ipv4AbsentTables = ipv4AbsentTables ?? later.ipv4AbsentTables
    ipv4RulesAreDefault = ipv4RulesAreDefault ?? later.ipv4RulesAreDefault
    ipv4Lookups = ipv4Lookups ?? later.ipv4Lookups
    securityModules = securityModules ?? later.securityModules
    enforcingModules = enforcingModules ?? later.enforcingModules
    appArmorProfiles = appArmorProfiles ?? later.appArmorProfiles
    controlGroupBindPrograms = controlGroupBindPrograms ?? later.controlGroupBindPrograms
    dockerRuns = dockerRuns ?? later.dockerRuns
  }
}

extension ClosedRange<UInt16> {
  /// With the 16 ports above, where one port was asked for: they come with the same dump.
  fileprivate var withNeighbours: ClosedRange<UInt16> {
    guard count == 1, upperBound <= .max - 16 else { return self }
    return lowerBound...(upperBound + 16)
  }
}
