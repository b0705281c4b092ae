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
    /// A connection, or what is left of one, that a listener accepted: one of these that are still there, none for one
    /// that has gone.
    case child(listeners: [Int])
  }

  /// One of them: for a UDP socket the one that bind(2) examines first, for TCP the one that was made last.
  var observation: SocketObservation
  let role: Role
  private let usual: UsualOptions?
  /// IPV6_V6ONLY of the listener that has gone, where the other remains of it tell.
  private let v6onlyOfRemains: Bool?
  private let hostsV6only: Bool
  /// Another socket of the same role receives at its address.
  private let isShared: Bool

  /// The sockets of one transport by kind, in their order.
  static func kinds(
    _ sockets: [SocketObservation], _ snapshot: Snapshot, _ usual: (SocketObservation) -> UsualOptions?
  ) -> [OrdinarySocket] {
    let host = snapshot.host
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
      let parents = socket.state == .listen ? [] : listeners.parents(of: socket).compactMap { placeOfSocket[$0] }
      let role = Role(socket, parents: Set(parents).sorted(), snapshot)
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
    let receivers = Receivers(found.map { ($0.role, SocketFacts($0.socket)) })
    return found.indices.map {
      OrdinarySocket(
        observation: found[$0].socket, role: found[$0].role, usual: found[$0].usual, v6onlyOfRemains: remains,
        hostsV6only: host.bindv6only ?? false, isShared: found[$0].count > 1 || receivers.share($0))
    }
  }

  /// A listener on `::` that served IPv4 too has left IPv4-mapped connections; one beside AF_INET connections had the
  /// port for IPv6 alone.
  private static func v6onlyOfRemains(_ sockets: [SocketObservation]) -> Bool? {
    let remains = sockets.filter { $0.remote != nil }
    let isMapped = remains.contains { $0.family == .ipv6 && $0.local.address.asReceiveAddress.mapped != nil }
    if isMapped { return false }
    return remains.contains { $0.family == .ipv4 } ? true : nil
  }

  /// SSDP, WS-Discovery and mDNS: whoever uses one of them on a host shares it by SO_REUSEADDR with all others.
  private static let sharedPorts: [UInt16] = [1900, 3702, 5353]

  // MARK: - Filling in

  /// Fills in the options that are not known, and the user, but for those of a child whose listener is there.
  mutating func fill(_ attempt: BindAttempt, _ may: (Assumption) -> Bool) {
    if observation.uid == nil, SocketFacts(observation).state != .timeWait, may(.otherUser) {
      observation.uid = attempt.uid ^ 1
    }
    if case .child(let listeners) = role, !listeners.isEmpty { return }
    if role == .udp, Self.sharedPorts.contains(observation.local.port.rawValue) {
      // Whether there is SO_REUSEPORT beside it differs (Avahi: both; systemd-resolved, minidlna: this one).
      if observation.reuseaddr.sure == nil, may(.usualOptions) { observation.reuseaddr = .known(true, .sockDiag) }
      return
    }
    guard let guess else { return }
    if observation.state == .listen, observation.reuseport.sure == nil, isShared {
      // Both could be bound only with SO_REUSEPORT on both.
      if may(.optionsUnchanged) { observation.reuseport = .known(true, .sockDiag) }
    }
    guard observation.lacksOptions, may(guess.because) else { return }
    observation.complete(guess.options)
  }

  /// Fills in the options of a child with those of its listener. Where several listen on the address, which of them
  /// accepted it nothing tells: what they do not have in common stays open.
  mutating func inherit(from all: [OrdinarySocket], _ may: (Assumption) -> Bool) {
    guard case .child(let places) = role, observation.lacksOptions else { return }
    let listeners = places.map { all[$0].observation }
    func shared(_ option: (SocketObservation) -> Bool?) -> Bool? {
      let values = Set(listeners.map(option))
      return values.count == 1 ? values.first.flatMap { $0 } : nil
    }
    let before = observation
    if observation.reuseaddr.sure == nil { observation.reuseaddr.take(shared(\.reuseaddr.sure)) }
    if observation.reuseport.sure == nil { observation.reuseport.take(shared(\.reuseport.sure)) }
    if observation.family == .ipv6, observation.v6only?.sure == nil {
      observation.v6only?.take(shared { $0.v6only?.sure })
    }
    if observation != before, !may(.listenersOptions) { observation = before }
  }

  /// Fills in the layer-3 domain of a TCP socket's bucket.
  mutating func fillDomain(_ host: HostFacts, _ may: (Assumption) -> Bool) {
    guard observation.bucketDomain == nil,
      case .some(let domain) = tcpBucketDomain(of: observation.device, host), may(.devicesUnchanged)
    else { return }
    observation.bucketDomain = domain?.rawValue ?? 0
  }

  /// Fills in the family of the bucket on 0.0.0.0 or ::ffff:0.0.0.0 as the sockets that are there would have made it.
  ///
  /// - Parameter sharers: those on that wildcard.
  mutating func fillBucketFamily(from sharers: [SocketObservation], _ may: (Assumption) -> Bool) {
    guard observation.addressBucketFamily == nil else { return }
    let isMixed = Set(sharers.map(\.family)).count > 1
    guard let first = sharers.min(by: { $0.inode ?? 0 < $1.inode ?? 0 }),
      !isMixed || may(.orderOfInodes), may(.noEarlierSockets)
    else { return }
    observation.addressBucketFamily = first.family
  }

  var isOnIPv4Wildcard: Bool { observation.local.address.asReceiveAddress.mapped == .any }

  private var guess: (options: UsualOptions, because: Assumption)? {
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
      guard !observation.local.address.isMulticast, !isShared else { return nil }
      return (UsualOptions(reuseaddr: false, reuseport: false, v6only: hostsV6only), .usualOptions)
    }
  }
}

/// The sockets that receive, each role's by address and device: to compare each with each would take hours where one user
/// has thousands of them.
private struct Receivers {
  /// Nil for whatever address, and whatever device.
  private struct Key: Hashable {
    var role: OrdinarySocket.Role
    var address: IPv6Address?
    var device: InterfaceIndex??
  }

  /// What the comparison of addresses looks at besides the address itself.
  private struct Kind: Hashable {
    var family: AddressFamily
    var ipv6only: Bool?
    var isMapped: Bool
    var isWildcard: Bool
  }

  private let sockets: [(role: OrdinarySocket.Role, facts: SocketFacts)]
  /// Two of each kind stand for all of it: one of them is not the socket that is asked about.
  private var samples: [Key: [Kind: [Int]]] = [:]

  init(_ sockets: [(role: OrdinarySocket.Role, facts: SocketFacts)]) {
    self.sockets = sockets
    for (index, socket) in sockets.enumerated() {
      let (address, device) = (socket.facts.receiveAddress, socket.facts.boundDevice)
      let kind = Kind(
        family: socket.facts.family, ipv6only: socket.facts.ipv6only, isMapped: address.mapped != nil,
        isWildcard: socket.facts.isWildcard)
      for address in [address, nil] {
        for device in [.some(device), nil] as [InterfaceIndex??] {
          let key = Key(role: socket.role, address: address, device: device)
          if samples[key, default: [:]][kind, default: []].count < 2 {
            samples[key, default: [:]][kind, default: []].append(index)
          }
        }
      }
    }
  }

  /// Whether another one of its role receives at the address of this one, whatever is not known of them.
  func share(_ index: Int) -> Bool {
    let (role, mine) = sockets[index]
    let addresses: [IPv6Address?] =
      mine.isWildcard ? [nil] : [mine.receiveAddress, .any, IPv6Address(mapping: .any)]
    let devices: [InterfaceIndex??] = mine.boundDevice == nil ? [nil] : [.some(mine.boundDevice), .some(nil)]
    return addresses.contains { address in
      devices.contains { device in
        samples[Key(role: role, address: address, device: device)]?.values.contains {
          $0.contains { $0 != index && overlap(mine, sockets[$0].facts) }
        } ?? false
      }
    }
  }

  /// By their addresses: of another device is none of the samples.
  private func overlap(_ mine: SocketFacts, _ theirs: SocketFacts) -> Bool {
    overPossibleWorlds(of: mine.address, plannedUID: 0) { sk in
      overPossibleWorlds(of: theirs.address, plannedUID: 0) { inetReceiveAddressesEqual(sk, $0) }.sure == true
    }.sure == true
  }
}

extension SocketFacts {
  fileprivate var isWildcard: Bool { receiveAddress == .any || receiveAddress.mapped == .any }

  /// With what no comparison of addresses looks at as if it were known.
  fileprivate var address: SocketFacts {
    var facts = self
    (facts.reuse, facts.reuseport, facts.uid) = (false, false, 0)
    return facts
  }
}

extension OrdinarySocket.Role {
  /// - Parameter parents: the places of the listeners that cover the socket's address.
  fileprivate init(_ socket: SocketObservation, parents: [Int], _ snapshot: Snapshot) {
    switch socket.state {
    case _ where socket.transport == .udp: self = .udp
    case .listen: self = .listener
    // A server asks for its port; who gets one of these by bind(2) to port 0 is going to connect.
    case .close: self = snapshot.host.isClients(socket.local.port) ? .client : .bound
    case .synSent: self = .client
    case _ where socket.remote == socket.local: self = .client
    case _ where !parents.isEmpty: self = .child(listeners: parents)
    default: self = Self.looksOutgoing(socket, snapshot) ? .client : .child(listeners: [])
    }
  }

  /// The port is one that connect(2) picks, and the peer's is not, or belongs to a server that is here.
  private static func looksOutgoing(_ socket: SocketObservation, _ snapshot: Snapshot) -> Bool {
    guard let peer = socket.remote, snapshot.host.isClients(socket.local.port) else { return false }
    return !snapshot.host.isClients(peer.port)
      || (peer.address == socket.local.address && snapshot.localServers.contains(peer.port))
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

extension Knowledge where Value == Bool {
  /// This value from now on, where there is one.
  fileprivate mutating func take(_ value: Bool?) {
    if let value { self = .known(value, .sockDiag) }
  }
}

/// The TCP listeners of a port by address.
private struct ListenerIndex {
  private struct Place: Hashable {
    var family: AddressFamily
    var address: IPv6Address
  }

  private var places: [Place: [Int]] = [:]

  init(_ sockets: [SocketObservation]) {
    for (index, socket) in sockets.enumerated() where socket.transport == .tcp && socket.state == .listen {
      places[Place(family: socket.family, address: socket.local.address.asReceiveAddress), default: []].append(index)
    }
  }

  /// The listeners that cover the address of a connection: those on the very address, else on a wildcard.
  func parents(of socket: SocketObservation) -> [Int] {
    guard socket.transport == .tcp, socket.remote != nil else { return [] }
    let address = socket.local.address.asReceiveAddress
    let wildcards: [IPv6Address] =
      socket.family == .ipv6 && address.mapped == nil ? [.any] : [IPv6Address(mapping: .any), .any]
    for candidate in [address] + wildcards {
      if let places = places[Place(family: socket.family, address: candidate)] { return places }
    }
    return []
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
