package import SocketModel

/// The sockets of a dump together with what the kernel itself says of them.
package struct EvidenceMerge: Sendable, Hashable {
  /// The sockets of the dump, less those that vanished, with the flags filled in that were not known.
  ///
  /// Behind them the TCP sockets that are only bound and that no dump shows (before 6.8), with `owner` `.process` and
  /// no processes: who they are is in the holders, by inode. UDP sockets stand in the order in which bind(2) looks at
  /// them, across IPv4 and IPv6, where `udpOrderIsKnown`.
  package var sockets: [SocketObservation]
  /// The bind buckets of the sockets' ports, one for each port and layer-3 domain.
  package var buckets: [BindBucket]
  /// How many sockets without owner were in the dump, but gone when the tables were walked.
  package var vanished: Int
  /// How many sockets that are only bound were found through descriptors alone.
  package var unlisted: Int
  /// Whether the UDP sockets stand in the order of the kernel's chain; true where there is none.
  package var udpOrderIsKnown: Bool
  /// By port, as `Snapshot.wildcardMissesAddresses`.
  package var wildcardMissesAddresses: [Port: Bool] = [:]

  package init(
    sockets: [SocketObservation], buckets: [BindBucket] = [], vanished: Int = 0, unlisted: Int = 0,
    udpOrderIsKnown: Bool = true
  ) {
    self.sockets = sockets
    self.buckets = buckets
    self.vanished = vanished
    self.unlisted = unlisted
    self.udpOrderIsKnown = udpOrderIsKnown
  }
}

/// What iterators said after a dump; nil for one that was not asked or failed. Each covers all ports of the dump.
package struct IteratorEvidence: Sendable, Hashable {
  /// The TCP sockets; nil where that iterator was not asked or failed.
  package var tcp: [BPFSocket]?
  /// The UDP sockets; nil where that iterator was not asked or failed.
  package var udp: [BPFSocket]?
  /// Who holds which socket; nil where that iterator was not asked or failed.
  package var holders: [SocketHolder]?

  package init(tcp: [BPFSocket]? = nil, udp: [BPFSocket]? = nil, holders: [SocketHolder]? = nil) {
    self.tcp = tcp
    self.udp = udp
    self.holders = holders
  }
}

/// Fills in the flags of a dump's sockets from what iterators said after it, matched by cookie. Pure.
///
/// - A socket without inode that is in no table any more has ended: it is left out and counted. One with an inode may
///   have become something that the tables do not show (a listener after shutdown(2) still holds its port), so it stays
///   and its unknown flags are unknown because it vanished.
/// - One that listens by now and did not, or the other way round, has unknown flags too.
/// - Flags that are known already stay as they are.
/// - Holders count only if their socket is of `networkNamespace`, an inode of namespaces(7).
/// - Call it before flags are inferred from relatives: their indices would not fit the result.
package func merge(
  _ dump: [SocketObservation], with evidence: IteratorEvidence, networkNamespace: UInt64?
) -> EvidenceMerge {
  let here = (evidence.holders ?? []).filter { holder in
    networkNamespace != nil && holder.networkNamespace == networkNamespace
  }
  // The socket of an MPTCP descriptor has flags of its own; only its buckets are those of the port.
  let holders = here.filter { !$0.isMPTCP }
  let subflows = Dictionary(
    here.filter(\.isMPTCP).map { ($0.inode, $0.socket) }, uniquingKeysWith: { first, _ in first })
  let found = FoundSockets(evidence, holders)
  var merged = EvidenceMerge(sockets: [], buckets: [], vanished: 0, unlisted: 0, udpOrderIsKnown: true)
  var positions: [Int?] = []
  for socket in dump {
    let match = found.match(socket)
    if match == nil, socket.inode == nil, found.wouldShow(socket) {
      merged.vanished += 1
      continue
    }
    var filled = socket.filled(from: match, vanished: match == nil && found.wouldShow(socket))
    if let inode = socket.inode, let subflow = subflows[inode] {
      filled.bucketDomain = filled.bucketDomain ?? subflow.bucketDomain
      filled.addressBucketFamily = filled.addressBucketFamily ?? subflow.addressBucketFamily
    }
    merged.sockets.append(filled)
    positions.append(match?.chainPosition)
  }
  merged.udpOrderIsKnown = orderUDP(&merged.sockets, positions)
  let unlisted = boundOnly(holders, notIn: dump)
  merged.unlisted = unlisted.count
  merged.sockets += unlisted
  merged.buckets = buckets((evidence.tcp ?? []) + here.map(\.socket))
  merged.wildcardMissesAddresses = wildcardsThatMiss(evidence.udp ?? [])
  return merged
}

/// The evidence by cookie.
private struct FoundSockets {
  private var byCookie: [UInt64: BPFSocket] = [:]
  private let hasTCP: Bool
  private let hasUDP: Bool

  init(_ evidence: IteratorEvidence, _ holders: [SocketHolder]) {
    hasTCP = Self.canTell(evidence.tcp)
    hasUDP = Self.canTell(evidence.udp)
    for socket in holders.map(\.socket) + (evidence.tcp ?? []) + (evidence.udp ?? []) {
      if let cookie = socket.cookie { byCookie[cookie] = socket }
    }
  }

  /// Whether a socket's absence from a table means anything: not where no socket there shows a cookie.
  private static func canTell(_ table: [BPFSocket]?) -> Bool {
    guard let table else { return false }
    return table.isEmpty || table.contains { $0.cookie != nil }
  }

  func match(_ socket: SocketObservation) -> BPFSocket? {
    guard let found = byCookie[socket.cookie], found.transport == socket.transport, found.family == socket.family,
      found.local.port == socket.local.port
    else { return nil }
    return found
  }

  /// Whether a table that was walked has the socket in it, if it still exists.
  func wouldShow(_ socket: SocketObservation) -> Bool {
    guard socket.cookie != 0 else { return false }
    switch socket.transport {
    case .tcp: return hasTCP && socket.state != .close
    case .udp: return hasUDP
    }
  }
}

extension SocketObservation {
  fileprivate func filled(from evidence: BPFSocket?, vanished: Bool) -> SocketObservation {
    var filled = self
    // An iterator tells state and options of one moment: they do not go with what the socket was in the dump.
    let hasMoved = evidence.map { ($0.state == .listen) != (state == .listen) } ?? false
    let (options, isUnknown) = (hasMoved ? nil : evidence, vanished || hasMoved)
    filled.reuseaddr = reuseaddr.filled(from: options?.reuseaddr, vanished: isUnknown)
    filled.reuseport = reuseport.filled(from: options?.reuseport, vanished: isUnknown)
    filled.v6only = v6only?.filled(from: options?.v6only, vanished: isUnknown)
    filled.bucketDomain = evidence?.bucketDomain ?? bucketDomain
    filled.addressBucketFamily = evidence?.addressBucketFamily ?? addressBucketFamily
    return filled
  }

  /// A socket known through a descriptor alone.
  fileprivate init(_ holder: SocketHolder) {
    let socket = holder.socket
    func knowledge(_ flag: Bool?) -> Knowledge<Bool> { flag.map { .known($0, .bpf) } ?? .unknown(.oldKernel) }
    self.init(
      transport: socket.transport, family: socket.family, local: socket.local, remote: socket.remote,
      state: socket.state, reuseaddr: knowledge(socket.reuseaddr), reuseport: knowledge(socket.reuseport),
      v6only: socket.family == .ipv6 ? knowledge(socket.v6only) : nil, device: socket.device, uid: socket.uid,
      inode: holder.inode, cookie: socket.cookie ?? 0, ulp: holder.isMPTCP ? "mptcp" : nil, owner: .process)
    bucketDomain = socket.bucketDomain
    addressBucketFamily = socket.addressBucketFamily
  }
}

extension BPFSocket {
  /// As in `SocketObservation.bucketDomain`.
  fileprivate var bucketDomain: UInt32? {
    guard let bucket, bucket.port == local.port else { return nil }
    return bucket.layer3Domain?.rawValue ?? 0
  }
}

extension Knowledge<Bool> {
  fileprivate func filled(from evidence: Bool?, vanished: Bool) -> Self {
    guard let reason = unknownReason else { return self }
    if let evidence { return .known(evidence, .bpf) }
    return .unknown(vanished ? .vanished : reason)
  }
}

/// Puts the UDP sockets, which keep the places they have among the others, in the order of their chains; false where
/// that of a port with more than one is not known.
private func orderUDP(_ sockets: inout [SocketObservation], _ positions: [Int?]) -> Bool {
  let places = sockets.indices.filter { sockets[$0].transport == .udp }
  let byPort = Dictionary(grouping: places) { sockets[$0].local.port }
  var isKnown = true
  var ordered = sockets
  for (_, places) in byPort where places.count > 1 {
    let ranked = places.compactMap { place in positions[place].map { (place: place, position: $0) } }
    guard ranked.count == places.count else {
      isKnown = false
      continue
    }
    for (place, source) in zip(places, ranked.sorted { $0.position < $1.position }) {
      ordered[place] = sockets[source.place]
    }
  }
  sockets = ordered
  return isKnown
}

/// The TCP sockets of a network namespace that hold a port without being connected or listening, MPTCP's first subflows
/// among them; each once. nil where one of the holders does not tell.
package func boundOnly(_ holders: [SocketHolder], networkNamespace: UInt64?) -> [SocketObservation]? {
  guard let networkNamespace else { return nil }
  let candidates = holders.filter { $0.socket.transport == .tcp && $0.socket.state == .close }
  guard candidates.allSatisfy({ $0.networkNamespace != nil && $0.socket.holdsPort != nil }) else { return nil }
  return boundOnly(candidates.filter { $0.networkNamespace == networkNamespace }, notIn: [])
}

/// Those that the dump lacks.
private func boundOnly(_ holders: [SocketHolder], notIn dump: [SocketObservation]) -> [SocketObservation] {
  var inodes = Set(dump.compactMap(\.inode))
  return holders.compactMap { holder in
    guard holder.socket.transport == .tcp, holder.socket.state == .close, holder.socket.holdsPort == true,
      inodes.insert(holder.inode).inserted
    else { return nil }
    return SocketObservation(holder)
  }
}

/// For each port what its sockets say of a bind(2) of a wildcard with the address table (`udp_lib_get_port` before "udp: Fix
/// wildcard bind conflict check when using hash2"); no entry where that is not sure.
private func wildcardsThatMiss(_ sockets: [BPFSocket]) -> [Port: Bool] {
  Dictionary(grouping: sockets) { $0.local.port }.compactMapValues { sockets in
    let slots = sockets.compactMap(\.slots)
    guard slots.count == sockets.count else { return nil }
    let isCrowded = slots.map { $0.ofPort > 10 && $0.ofPort >= $0.ofWildcard }
    guard isCrowded.contains(true) else { return false }
    // One address may share the wildcard's slot by chance, and a crowd may have come while they were read.
    let isPlain = sockets.allSatisfy { $0.slots?.isWithWildcard == $0.isOnWildcard }
    return isPlain && !isCrowded.contains(false) ? true : nil
  }
}

extension BPFSocket {
  /// On one of the addresses that have the hash of 0.0.0.0.
  fileprivate var isOnWildcard: Bool {
    switch local.address {
    case .v4(let address): address == .any
    case .v6(let address): address == .any || address.mapped == .any
    }
  }
}

/// One bucket for each port and layer-3 domain; the last that was read is the newest. One of another port was reached
/// through a socket that ended meanwhile.
private func buckets(_ sockets: [BPFSocket]) -> [BindBucket] {
  struct Key: Hashable {
    var port: Port
    var domain: InterfaceIndex?
  }
  var places: [Key: Int] = [:]
  var buckets: [BindBucket] = []
  for socket in sockets {
    guard let bucket = socket.bucket, bucket.port == socket.local.port else { continue }
    let key = Key(port: bucket.port, domain: bucket.layer3Domain)
    if let place = places[key] {
      buckets[place] = bucket
    } else {
      places[key] = buckets.count
      buckets.append(bucket)
    }
  }
  return buckets
}

/// The sockets by port, and each port's in the order of the chain, where the links among them make one chain.
///
/// The links were read one by one while sockets came and went, so they may contradict each other: then the sockets
/// stay in the order they were read, without a position.
func inChainOrder(_ records: [SocketRecord]) -> [BPFSocket] {
  let byPort = Dictionary(grouping: records, by: \.socket.local.port)
  return byPort.sorted { $0.key < $1.key }.flatMap { _, records in
    guard let chain = records.count == 1 ? records : chain(of: records) else { return records.map(\.socket) }
    return chain.enumerated().map { position, record in
      var socket = record.socket
      socket.chainPosition = position
      return socket
    }
  }
}

/// The records, each followed by the one it links to; nil unless that is one chain with a start, an end and all of them.
private func chain(of records: [SocketRecord]) -> [SocketRecord]? {
  var byAddress: [UInt64: SocketRecord] = [:]
  var starts = Set(records.map(\.address))
  for record in records {
    guard byAddress.updateValue(record, forKey: record.address) == nil, let next = record.next else { return nil }
    if next != 0, starts.remove(next) == nil { return nil }
  }
  guard starts.count == 1, var address = starts.first else { return nil }
  var chain: [SocketRecord] = []
  while address != 0 {
    guard let record = byAddress.removeValue(forKey: address), let next = record.next else { return nil }
    chain.append(record)
    address = next
  }
  return byAddress.isEmpty ? chain : nil
}
