import SocketModel

/// A socket, or many that the rules cannot tell apart, with what its missing facts ordinarily are.
struct OrdinarySocket {
  /// What somebody made the socket for.
  enum Role: Hashable {
    case listener
    case bound
    case udp
    /// The end of a connection that a program made from here.
    case client
    /// A connection, or what is left of one, that a listener accepted: one that is still there, or nil for one that
    /// has gone.
    case child(listener: Int?)
  }

  /// One of them: for a UDP socket the one that bind(2) examines first, for TCP the one that was made last.
  var observation: SocketObservation
  let role: Role
  private let count: Int
  private let usual: UsualOptions?
  /// IPV6_V6ONLY of the listener that has gone, where the other remains of it tell.
  private let v6onlyOfRemains: Bool?
  private let hostsV6only: Bool

  /// The sockets of one transport by kind, in their order.
  static func kinds(
    _ sockets: [SocketObservation], _ host: HostFacts, _ usual: (SocketObservation) -> UsualOptions?
  ) -> [OrdinarySocket] {
    struct Likeness: Hashable {
      var facts: SocketFacts
      var role: Role
      var isConnected: Bool
      var usual: UsualOptions?
    }
    let listeners = ListenerIndex(sockets)
    var places: [Likeness: Int] = [:]
    var found: [(socket: SocketObservation, role: Role, usual: UsualOptions?, count: Int)] = []
    // A child names its listener by its place here, and the listener may come behind it: so these first.
    let isListener = { (index: Int) in sockets[index].state == .listen }
    let order = sockets.indices.filter(isListener) + sockets.indices.filter { !isListener($0) }
    var placeOfSocket: [Int: Int] = [:]
    for index in order {
      let socket = sockets[index]
      let parent = socket.state == .listen ? nil : listeners.parent(of: socket).flatMap { placeOfSocket[$0] }
      let role = Role(socket, parent: parent, host)
      let isKnown = socket.reuseaddr.sure != nil && socket.reuseport.sure != nil
      let habit = isKnown || socket.transport == .udp ? nil : usual(socket)
      let likeness = Likeness(
        facts: SocketFacts(socket), role: role, isConnected: socket.remote != nil, usual: habit)
      if let place = places[likeness] {
        placeOfSocket[index] = place
        found[place].count += 1
        if socket.transport == .tcp, socket.inode ?? 0 > found[place].socket.inode ?? 0 {
          found[place].socket.inode = socket.inode
        }
      } else {
        places[likeness] = found.count
        placeOfSocket[index] = found.count
        found.append((socket, role, habit, 1))
      }
    }
    let remains = v6onlyOfRemains(found.map(\.socket))
    return found.map {
      OrdinarySocket(
        observation: $0.socket, role: $0.role, count: $0.count, usual: $0.usual, v6onlyOfRemains: remains,
        hostsV6only: host.bindv6only ?? false)
    }
  }

  private init(
    observation: SocketObservation, role: Role, count: Int, usual: UsualOptions?, v6onlyOfRemains: Bool?,
    hostsV6only: Bool
  ) {
    self.observation = observation
    self.role = role
    self.count = count
    self.usual = usual
    self.v6onlyOfRemains = v6onlyOfRemains
    self.hostsV6only = hostsV6only
  }

  /// A listener on `::` that served IPv4 too has left IPv4-mapped connections; one beside AF_INET connections had the
  /// port for IPv6 alone.
  private static func v6onlyOfRemains(_ sockets: [SocketObservation]) -> Bool? {
    let remains = sockets.filter { $0.transport == .tcp && $0.remote != nil }
    let isMapped = remains.contains { $0.family == .ipv6 && $0.local.address.asReceiveAddress.mapped != nil }
    if isMapped { return false }
    return remains.contains { $0.family == .ipv4 } ? true : nil
  }

  // MARK: - Filling in

  /// Fills in the options that are not known, and the user, but for those of a child whose listener is there.
  ///
  /// - Parameter place: where it stands among `all`.
  mutating func fill(
    at place: Int, among all: [OrdinarySocket], _ attempt: BindAttempt, _ may: (Assumption) -> Bool
  ) {
    if observation.uid == nil, SocketFacts(observation).state != .timeWait, may(.otherUser) {
      observation.uid = attempt.uid ^ 1
    }
    if case .child(listener: .some) = role { return }
    guard observation.lacksOptions, let guess = guess(at: place, among: all) else { return }
    if observation.state == .listen, observation.reuseport.sure == nil, shares(at: place, all) {
      // Both could be bound only with SO_REUSEPORT on both.
      if may(.optionsUnchanged) { observation.reuseport = .known(true, .sockDiag) }
    }
    guard observation.lacksOptions, may(guess.because) else { return }
    observation.complete(guess.options)
  }

  /// Fills in the options of a child with those of its listener.
  mutating func inherit(from all: [OrdinarySocket], _ may: (Assumption) -> Bool) {
    guard case .child(let place?) = role, all.indices.contains(place), observation.lacksOptions else { return }
    let listener = all[place].observation
    guard let reuseaddr = listener.reuseaddr.sure, let reuseport = listener.reuseport.sure, may(.listenersOptions)
    else { return }
    observation.complete(
      UsualOptions(reuseaddr: reuseaddr, reuseport: reuseport, v6only: listener.v6only?.sure))
  }

  /// Fills in the layer-3 domain of a TCP socket's bucket.
  mutating func fillDomain(_ host: HostFacts, _ may: (Assumption) -> Bool) {
    guard observation.bucketDomain == nil,
      case .some(let domain) = tcpBucketDomain(of: observation.device, host), may(.devicesUnchanged)
    else { return }
    observation.bucketDomain = domain?.rawValue ?? 0
  }

  /// Fills in the family of the bucket on 0.0.0.0 or ::ffff:0.0.0.0 as the sockets that are there would have made it.
  mutating func fillBucketFamily(from all: [OrdinarySocket], _ may: (Assumption) -> Bool) {
    guard observation.addressBucketFamily == nil else { return }
    let sharers = all.filter(\.isOnIPv4Wildcard).map(\.observation)
    let isMixed = Set(sharers.map(\.family)).count > 1
    guard let first = sharers.min(by: { $0.inode ?? 0 < $1.inode ?? 0 }),
      !isMixed || may(.orderOfInodes), may(.noEarlierSockets)
    else { return }
    observation.addressBucketFamily = first.family
  }

  private var isOnIPv4Wildcard: Bool { observation.local.address.asReceiveAddress.mapped == .any }

  private func guess(at place: Int, among all: [OrdinarySocket]) -> (options: UsualOptions, because: Assumption)? {
    if let usual, role != .client {
      var options = usual
      options.v6only = usual.v6only ?? hostsV6only
      return (options, .runtimesOptions)
    }
    switch role {
    case .listener, .bound: return (UsualOptions(reuseaddr: true, reuseport: false, v6only: nil), .usualOptions)
    case .child:
      return (UsualOptions(reuseaddr: true, reuseport: false, v6only: v6onlyOfRemains), .usualOptions)
    case .client: return (UsualOptions(reuseaddr: false, reuseport: false, v6only: hostsV6only), .usualOptions)
    case .udp:
      // Who shares a port by which option nothing tells.
      guard !observation.local.address.isMulticast, !shares(at: place, all) else { return nil }
      return (UsualOptions(reuseaddr: false, reuseport: false, v6only: hostsV6only), .usualOptions)
    }
  }

  /// Whether another socket of the same role receives at its address.
  private func shares(at place: Int, _ all: [OrdinarySocket]) -> Bool {
    count > 1 || all.indices.contains { $0 != place && all[$0].role == role && overlaps(all[$0]) }
  }

  /// Whether both receive at one address, whatever is not known of them.
  private func overlaps(_ other: OrdinarySocket) -> Bool {
    let (mine, theirs) = (SocketFacts(observation), SocketFacts(other.observation))
    if let device = mine.boundDevice, let device2 = theirs.boundDevice, device != device2 { return false }
    return overPossibleWorlds(of: mine, plannedUID: 0) { sk in
      overPossibleWorlds(of: theirs, plannedUID: 0) { inetReceiveAddressesEqual(sk, $0) }.sure == true
    }.sure == true
  }
}

extension OrdinarySocket.Role {
  /// - Parameter parent: the place of the listener that covers the socket's address.
  fileprivate init(_ socket: SocketObservation, parent: Int?, _ host: HostFacts) {
    switch socket.state {
    case _ where socket.transport == .udp: self = .udp
    case .listen: self = .listener
    case .close: self = .bound
    case .synSent: self = .client
    case _ where socket.remote == socket.local: self = .client
    case _ where parent != nil: self = .child(listener: parent)
    default: self = Self.looksOutgoing(socket, host) ? .client : .child(listener: nil)
    }
  }

  /// The port is one that connect(2) picks, and the peer's is not.
  private static func looksOutgoing(_ socket: SocketObservation, _ host: HostFacts) -> Bool {
    guard let peer = socket.remote?.port.rawValue else { return false }
    let range = host.localPortRange ?? 32768...60999
    return range.contains(socket.local.port.rawValue) && !range.contains(peer)
  }
}

extension SocketObservation {
  /// Whether an option that the rules look at is not known.
  fileprivate var lacksOptions: Bool {
    reuseaddr.sure == nil || reuseport.sure == nil || (family == .ipv6 && v6only?.sure == nil)
  }

  /// Fills in what is not known; what is known stays.
  fileprivate mutating func complete(_ options: UsualOptions) {
    if reuseaddr.sure == nil { reuseaddr = .known(options.reuseaddr, .sockDiag) }
    if reuseport.sure == nil { reuseport = .known(options.reuseport, .sockDiag) }
    if family == .ipv6, v6only?.sure == nil, let option = options.v6only { v6only = .known(option, .sockDiag) }
  }
}

/// The TCP listeners of a port by address.
private struct ListenerIndex {
  private struct Place: Hashable {
    var family: AddressFamily
    var address: IPv6Address
  }

  private var places: [Place: Int] = [:]

  init(_ sockets: [SocketObservation]) {
    for (index, socket) in sockets.enumerated() where socket.transport == .tcp && socket.state == .listen {
      places[Place(family: socket.family, address: socket.local.address.asReceiveAddress)] = index
    }
  }

  /// The listener that covers the address of a connection: on the very address, else on a wildcard.
  func parent(of socket: SocketObservation) -> Int? {
    guard !places.isEmpty, socket.transport == .tcp, socket.remote != nil else { return nil }
    let address = socket.local.address.asReceiveAddress
    let wildcards: [IPv6Address] =
      socket.family == .ipv6 && address.mapped == nil ? [.any] : [IPv6Address(mapping: .any), .any]
    for candidate in [address] + wildcards {
      if let place = places[Place(family: socket.family, address: candidate)] { return place }
    }
    return nil
  }
}

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
  for socket in snapshot.sockets {
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
