import BPFEvidence
import BindRules
import HostEvidence
import Netlink
import Explanation
import ProcessEvidence
import SocketModel

/// What attempts on one port come to, with the snapshot they were judged in.
struct Judgement {
  let attempts: [BindAttempt]
  let snapshot: Snapshot
  /// Of each attempt, in their order: the four outcomes of `outcomes(of:in:)`.
  let outcomes: [[BindOutcome]]

  init(of attempts: [BindAttempt], in snapshot: Snapshot) {
    self.attempts = attempts
    self.snapshot = snapshot
    outcomes = attempts.map { BindRules.outcomes(of: $0, in: snapshot) }
  }
}

/// Everything that was read for one answer: the host's facts, and the sockets of the ports by transport.
struct Scene {
  private(set) var host: HostFacts
  private(set) var visibility = Visibility()
  private(set) var sockets = ByTransport<[SocketObservation]>()
  /// The same by port, in their order, with flags guessed from relatives filled in for the reader.
  private var socketsByPort = ByTransport<[Port: [SocketObservation]]>()
  /// How many sockets of the other transport are on ports that were asked for, for the note about them.
  private var otherCounts = ByTransport<[Port: Int]>()
  /// Every socket on the ports just above those asked for, to find a free one to offer.
  private var neighbours = ByTransport<Nearby>()
  private var buckets: [BindBucket] = []
  private var orderedTransports: Set<TransportProtocol> = []
  /// The transports for which BPF iterators were asked, whatever came of it.
  private var askedTransports: Set<TransportProtocol> = []
  /// Sockets that ended between the dump and the walk of the iterators, and were left out.
  private var vanished = 0
  private let ranges: ByTransport<ClosedRange<UInt16>>
  private var needs: HostNeeds
  private var lookups: [IPv4Address]
  let instruments: Instruments

  /// Reads the sockets first: their states and timers should be from one moment.
  ///
  /// The ports of a transport are dumped as one range; `wanted` keeps those that were asked for. With `bpf` an iterator
  /// finds the holders on a host with many descriptors.
  init(
    ports: ByTransport<ClosedRange<UInt16>>, needs: HostNeeds, lookups: [IPv4Address] = [], bpf: Bool = true,
    _ instruments: Instruments = Instruments(),
    wanted: (TransportProtocol, UInt16) -> Bool = { _, _ in true }
  ) throws(PortwhyError) {
    self.needs = needs
    self.lookups = lookups
    self.instruments = instruments
    ranges = ports
    do throws(NetlinkError) {
      let dump = SocketDump()
      for transport in ports.transports {
        guard let range = ports[transport] else { continue }
        let around = range.withNeighbours
        let all = try dump.sockets(transport, ports: around)
        sockets[transport] = all.filter { wanted(transport, $0.local.port.rawValue) }
        if around != range {
          let above = (range.upperBound + 1)...around.upperBound
          neighbours[transport] = Nearby(
            ports: above, sockets: all.filter { above.contains($0.local.port.rawValue) })
        }
        guard ports[transport.other] == nil else { continue }
        otherCounts[transport.other] = try dump.sockets(transport.other, ports: range).reduce(into: [:]) {
          $0[$1.local.port, default: 0] += 1
        }
      }
      host = try HostReader().read(needs, lookups: lookups)
    } catch {
      throw PortwhyError(error)
    }
    findBoundSockets(ports, wanted)
    findOwners(bpf)
    if usesDevices || mayMeetVRFs { try readMore([.interfaces, .l3mdevAccept]) }
    for transport in sockets.transports { sortByPort(transport) }
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

  /// The sockets of one port.
  func snapshot(_ transport: TransportProtocol, _ port: Port) -> Snapshot {
    Snapshot(
      host: host, visibility: visibility, sockets: socketsByPort[transport]?[port] ?? [],
      buckets: buckets.filter { transport == .tcp && $0.port == port },
      isChainOrdered: orderedTransports.contains(transport))
  }

  /// What these attempts on a port come to, with what BPF iterators tell where they depend on it; nil for not asking
  /// them.
  mutating func settled(
    _ transport: TransportProtocol, _ port: Port, _ attempts: [BindAttempt], planned: ReuseOptions,
    _ thoroughness: Thoroughness?
  ) throws(PortwhyError) -> Judgement {
    let first = Judgement(of: attempts, in: snapshot(transport, port))
    guard let thoroughness, !askedTransports.contains(transport), let range = ranges[transport] else { return first }
    // Without a socket on the port there is nothing to tell.
    let isWanted =
      !first.snapshot.sockets.isEmpty
      && first.outcomes.contains { thoroughness.wantsKernelEvidence($0, planned: planned) }
    guard isWanted else { return first }
    askedTransports.insert(transport)
    try readMore(.networkNamespace)
    var use = visibility.bpf ?? BPFUse()
    let evidence = instruments.evidence(transport, range, sockets[transport] ?? [], host, &use)
    visibility.bpf = use
    guard let evidence else { return Judgement(of: attempts, in: snapshot(transport, port)) }
    sockets[transport] = evidence.sockets
    buckets += evidence.buckets
    if evidence.udpOrderIsKnown { orderedTransports.insert(transport) }
    vanished += evidence.vanished
    sortByPort(transport)
    return Judgement(of: attempts, in: snapshot(transport, port))
  }

  /// The combinations that an iterator might settle, where none was asked: what the headline says did not need it.
  func leftOpen(_ transport: TransportProtocol, _ outcomes: [BindOutcome], _ question: Question) -> Set<ReuseOptions>
  {
    guard question.thoroughness == .headline, !askedTransports.contains(transport) else { return [] }
    let open = outcomes.filter(\.maySettle)
    return open.isEmpty || !instruments.mayGiveEvidence() ? [] : Set(open.map(\.options))
  }

  /// The ports above those asked for; nil where there are none or too much was asked.
  func nearby(_ transport: TransportProtocol) -> Nearby? { neighbours[transport] }

  /// What ended meanwhile, and the other transport's sockets on the port, which are never in the way.
  func notes(_ transport: TransportProtocol, _ port: Port, _ question: Question) -> [Note] {
    let count = otherCounts[transport.other]?[port] ?? 0
    let other = transport.other.rawValue.uppercased()
    var notes: [Note] = []
    if vanished > 0 {
      let sockets = vanished == 1 ? "a socket without owner ended" : "\(vanished) sockets without owner ended"
      notes.append(Note(kind: "vanished", text: "\(sockets) while portwhy looked, and was left out"))
    }
    guard count > 0 else { return notes }
    return notes + [
      Note(
        kind: "other-protocol",
        text: "\(count) \(other) socket\(count == 1 ? "" : "s") on this port: never in the way of "
          + "\(transport.rawValue.uppercased()) (\(question.command("\(port)/\(transport.other.rawValue)")))")
    ]
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
    sockets.tcp?.isEmpty == false && instruments.mayHaveVRFs()
  }

  /// Enters interfaces once more under an alternative name that the question calls them by.
  mutating func findAlternativeNames(_ names: [String]) {
    for name in names where host.interfaces != nil && host.interface(named: name) == nil {
      guard let index = interfaceIndex(named: name), var alias = host.interface(index) else { continue }
      alias.name = name
      host.interfaces?.append(alias)
    }
  }

  /// Reads host facts that turned out to be needed.
  mutating func readMore(_ more: HostNeeds) throws(PortwhyError) {
    guard !needs.isSuperset(of: more) else { return }
    needs.formUnion(more)
    do throws(NetlinkError) { host = try HostReader().read(needs, lookups: lookups) } catch {
      throw PortwhyError(error)
    }
  }

  /// Reads which addresses the host has, each looked up as bind(2) does, to offer one instead of a wildcard.
  mutating func readAddresses() throws(PortwhyError) {
    guard !needs.isSuperset(of: [.ipv4LocalRoutes, .ipv6Addresses, .nonlocalBind]) else { return }
    try readMore([.ipv4LocalRoutes, .ipv6Addresses, .nonlocalBind])
    let own = host.ownAddresses.compactMap { address -> IPv4Address? in
      if case .v4(let address) = address { address } else { nil }
    }
    lookups += own.prefix(8).filter { !lookups.contains($0) }
    do throws(NetlinkError) { host = try HostReader().read(needs, lookups: lookups) } catch {
      throw PortwhyError(error)
    }
  }

  private mutating func findOwners(_ bpf: Bool) {
    var all = (sockets.tcp ?? []) + (sockets.udp ?? [])
    let reader = ProcessReader()
    let ports = ranges.hull ?? 0...0
    let holders = instruments.holders
    var use = visibility.bpf
    let seen = reader.examine(&all, search: { bpf ? holders(ports, $0, &use) : nil })
    visibility.bpf = use
    reader.findActivations(&all)
    findKernelOwners(&all)
    all = withoutUnmappedUsers(all, overflow: host.overflowUID)
    for transport in sockets.transports { sockets[transport] = all.filter { $0.transport == transport } }
    visibility.unreadableProcesses = seen.unreadableProcesses
    visibility.reasons += seen.reasons.filter { !visibility.reasons.contains($0) }
    if visibility.reasons.isEmpty, all.contains(where: { $0.owner == .hidden }) {
      visibility.reasons.append("no-holder")
    }
  }

  /// Kernels before 6.8 list no sockets that are bound and neither listen nor are connected.
  private mutating func findBoundSockets(
    _ ports: ByTransport<ClosedRange<UInt16>>, _ wanted: (TransportProtocol, UInt16) -> Bool
  ) {
    guard let range = ports[.tcp], !instruments.listsBoundSockets(host.kernel) else { return }
    let shown = Set(((sockets[.tcp] ?? []) + (neighbours[.tcp]?.sockets ?? [])).compactMap(\.inode))
    let found = instruments.boundSockets(range.withNeighbours, shown)
    sockets.tcp = (sockets.tcp ?? []) + found.sockets.filter { wanted(.tcp, $0.local.port.rawValue) }
    if let above = neighbours[.tcp]?.ports {
      neighbours[.tcp]?.sockets += found.sockets.filter { above.contains($0.local.port.rawValue) }
    }
    visibility.boundSocketsComplete = found.complete
    if !found.complete { visibility.reasons.append("old-kernel") }
  }
}

extension ClosedRange<UInt16> {
  /// With the 16 ports above, where one port was asked for: they come with the same dump.
  fileprivate var withNeighbours: ClosedRange<UInt16> {
    guard count == 1, upperBound <= .max - 16 else { return self }
    return lowerBound...(upperBound + 16)
  }
}
