import SocketModel

/// The bind bucket that `sk` meets as the sockets which are there now would have left it, with the assumptions in it; nil
/// where a fact for that is missing or an assumption may not be made.
func ordinaryBucket(
  for sk: KernelSocket, _ snapshot: Snapshot, _ traits: KernelTraits, _ allowed: Set<Assumption>
) -> (bucket: BindBucket, made: Set<Assumption>)? {
  guard allowed.isSuperset(of: [.optionsUnchanged, .noEarlierSockets]),
    case .some(let domain) = tcpBucketDomain(of: sk.boundDevice, snapshot.host),
    let binds = binds(snapshot, domain, sk, traits)
  else { return nil }
  func remembered(_ binds: [PastBind]) -> BindBucket {
    var memory = BucketMemory(traits)
    for bind in binds { memory.bind(bind) }
    return memory.bucket(snapshot, domain)
  }
  let inOrder = binds.sorted { ($0.inode ?? 0) < ($1.inode ?? 0) }
  let bucket = remembered(inOrder)
  let areAlike = Set(binds.map(\.socket.reuseport)).count < 2
  if areAlike, bucket == remembered(inOrder.reversed()) { return (bucket, [.optionsUnchanged, .noEarlierSockets]) }
  guard allowed.contains(.orderOfInodes), binds.allSatisfy({ $0.inode != nil }) else { return nil }
  return (bucket, [.optionsUnchanged, .noEarlierSockets, .orderOfInodes])
}

/// A bind(2), and maybe the listen(2) after it, that a socket of now made.
private struct PastBind {
  var socket: KernelSocket
  var listens: Bool
  /// 0 for a listener that has gone: its children are older than who could come after it.
  var inode: UInt64?
}

/// The binds in the bucket of this domain; nil where one of them is not known well enough.
private func binds(
  _ snapshot: Snapshot, _ domain: InterfaceIndex?, _ sk: KernelSocket, _ traits: KernelTraits
) -> [PastBind]? {
  let hasListener = snapshot.sockets.contains { $0.state == .listen }
  var binds: [PastBind] = []
  for socket in snapshot.sockets where socket.transport == .tcp && !socket.isRequest {
    let facts = SocketFacts(socket)
    guard case .some(let itsDomain) = tcpBucketDomain(of: facts, snapshot.host) else { return nil }
    guard itsDomain == domain else { continue }
    // A child of a listener that is there and a client that connect(2) gave its port leave no trace.
    let isConnection = socket.remote != nil
    if isConnection, hasListener || facts.reuse == false && facts.reuseport == false { continue }
    // Another user's SO_REUSEPORT is to `sk` as none: either way nothing is remembered that lets it pass.
    let isOthers = facts.uid.map { $0 != sk.uid } ?? false
    guard let reuse = facts.reuse ?? (traits.hasReuseaddrShortcut ? nil : false),
      let reuseport = isOthers ? false : facts.reuseport
    else { return nil }
    // What a listener that has gone was bound to is not known: only without SO_REUSEPORT it does not matter.
    if isConnection, reuseport { return nil }
    guard !reuseport || (facts.uid != nil && facts.ipv6only != nil) else { return nil }
    binds.append(
      PastBind(
        socket: KernelSocket(
          family: facts.family, receiveAddress: facts.receiveAddress, ipv6only: facts.ipv6only ?? false, reuse: reuse,
          reuseport: reuseport, uid: facts.uid ?? 0, boundDevice: facts.boundDevice, state: .other),
        listens: socket.state == .listen || isConnection, inode: isConnection ? 0 : socket.inode))
  }
  return binds
}

/// What `inet_csk_update_fastreuse` keeps of each bind and listen.
private struct BucketMemory {
  private var fastReuse = false
  private var fastReuseport: BindBucket.FastReuseport?
  private var remembered: KernelSocket?
  private var isEmpty: Bool
  private let traits: KernelTraits

  /// From 6.8 on the bucket is never empty when the first socket is entered, so nothing of it counts as the first.
  init(_ traits: KernelTraits) {
    self.traits = traits
    isEmpty = traits.hasReuseaddrShortcut
  }

  mutating func bind(_ past: PastBind) {
    enter(past.socket, isListening: false)
    if past.listens { enter(past.socket, isListening: true) }
  }

  private mutating func enter(_ socket: KernelSocket, isListening: Bool) {
    let reuse = socket.reuse && !isListening
    if isEmpty {
      isEmpty = false
      fastReuse = reuse
      fastReuseport = socket.reuseport ? .any : nil
      remembered = socket.reuseport ? socket : nil
      return
    }
    if !reuse { fastReuse = false }
    guard socket.reuseport else {
      fastReuseport = nil
      return
    }
    if let bucket = asBucket(Port(0), nil), reuseportMatch(bucket, socket) { return }
    fastReuseport = .strict
    remembered = socket
  }

  func bucket(_ snapshot: Snapshot, _ domain: InterfaceIndex?) -> BindBucket {
    let port = snapshot.sockets.first?.local.port ?? Port(0)
    return asBucket(port, domain)
      ?? BindBucket(
        port: port, layer3Domain: domain, fastReuse: fastReuse, fastReuseport: nil, fastUID: 0, fastFamily: .ipv4,
        fastAddress: .any, fastAddress4: .any, fastIPv6only: false)
  }

  /// nil where no socket with SO_REUSEPORT is remembered.
  private func asBucket(_ port: Port, _ domain: InterfaceIndex?) -> BindBucket? {
    guard let remembered, let fastReuseport else { return nil }
    return BindBucket(
      port: port, layer3Domain: domain, fastReuse: fastReuse, fastReuseport: fastReuseport, fastUID: remembered.uid,
      fastFamily: remembered.family, fastAddress: remembered.receiveAddress,
      fastAddress4: remembered.receiveAddress4, fastIPv6only: remembered.ipv6only)
  }
}
