import SocketModel

/// A socket that may receive: the planned one, or one of the snapshot.
package enum BSDMember: Sendable, Hashable {
  case planned
  /// Index into `Snapshot.sockets`.
  case socket(Int)
}

/// Who gets what is sent to one address and port on a BSD.
package enum BSDReceiver: Sendable, Hashable {
  /// This one alone.
  case one(BSDMember)
  /// One of them for each peer, by a hash (SO_REUSEPORT_LB).
  case hash([BSDMember])
  /// A copy each.
  case each([BSDMember])
  /// The newest socket that is bound there does not listen, so the peer gets a reset.
  case reset(BSDMember)
  /// The same on macOS: the peer gets no answer.
  case silence(BSDMember)
  case nobody
  /// One of them: the order of their binds, a fact of theirs, or what the kernel does is not known.
  case undetermined([BSDMember])
}

/// A datagram, or the SYN of a new connection.
struct BSDPacket {
  enum Destination: Hashable {
    case address(IPAddress)
    /// An address of the host that no socket is bound to by itself.
    case anyOther(AddressFamily)
  }

  var transport: TransportProtocol
  var destination: Destination
  /// nil: a peer that no socket is connected to.
  var source: Endpoint?
}

/// A socket that packets are compared with.
struct BSDReceivingSocket {
  /// What it joined, for a multicast packet.
  enum Membership: Hashable {
    case none
    case thisGroup
    case otherGroup
    case unknown
  }

  var member: BSDMember
  var facts: PCBFacts
  /// Set for a connected socket.
  var remote: Endpoint?
  /// TCP: it listens.
  var isListening = false
  var membership = Membership.unknown
}

/// The sockets of a port, newest first as far as `order` says; the planned one is newer than all and stands before them.
struct BSDReceivingTable {
  var sockets: [BSDReceivingSocket]
  var order: PCBTable.Order
  var system: BSDSystem

  /// Kernel functions `in_pcblookup` and `in6_pcblookup`, `udp_multi_input`: the peer's own socket, then groups of
  /// SO_REUSEPORT_LB, then single sockets; in each the exact address before the wildcard.
  func receiver(of packet: BSDPacket) -> BSDReceiver {
    if packet.transport == .udp, packet.isToMany { return receiversOfMany(packet) }
    if let source = packet.source,
      let connected = sockets.first(where: { $0.remote == source && $0.matches(packet) == .exact })
    {
      return .one(connected.member)
    }
    let unconnected = sockets.filter { $0.remote == nil }
    for match in [Match.exact, .wildcard] {
      let group = unconnected.filter {
        $0.matches(packet) == match && $0.isInBalancingGroup(packet.transport, system)
      }
      if group.count > 1 { return .hash(group.map(\.member)) }
      if let only = group.first { return taken(by: only, packet) }
    }
    for match in [Match.exact, .wildcard] {
      let candidates = unconnected.filter { $0.matches(packet) == match }
      let unsure = unconnected.filter { $0.matches(packet) == .unknown }
      if candidates.isEmpty { continue }
      // One of IPv6 may take IPv4 or not.
      if match == .wildcard && !unsure.isEmpty { return .undetermined((candidates + unsure).map(\.member)) }
      return single(candidates, match, packet)
    }
    let unsure = unconnected.filter { $0.matches(packet) == .unknown }
    return unsure.isEmpty ? .nobody : .undetermined(unsure.map(\.member))
  }

  /// How many unconnected sockets fit as well as the best of them.
  func sharers(of packet: BSDPacket) -> Int {
    let unconnected = sockets.filter { !$0.facts.isConnected }
    let exact = unconnected.filter { $0.matches(packet) == .exact }
    if !exact.isEmpty { return exact.count }
    return unconnected.filter { [.wildcard, .unknown].contains($0.matches(packet)) }.count
  }

  private func single(_ candidates: [BSDReceivingSocket], _ match: Match, _ packet: BSDPacket) -> BSDReceiver {
    var candidates = candidates
    if match == .wildcard {
      let ofIPv4 = candidates.filter { $0.facts.family == .ipv4 }
      if !ofIPv4.isEmpty && ofIPv4.count < candidates.count {
        // The code takes the newest, inet6(4) says the AF_INET socket.
        guard takesOldestWildcard else { return .undetermined(candidates.map(\.member)) }
        candidates = ofIPv4
      }
    }
    let found = match == .wildcard && takesOldestWildcard ? oldest(candidates) : newest(candidates)
    guard found.count == 1, let socket = found.first else { return .undetermined(found.map(\.member)) }
    return taken(by: socket, packet)
  }

  /// A TCP socket is found in any state.
  private func taken(by socket: BSDReceivingSocket, _ packet: BSDPacket) -> BSDReceiver {
    guard packet.transport == .tcp, !socket.isListening else { return .one(socket.member) }
    return system == .macos ? .silence(socket.member) : .reset(socket.member)
  }

  private var takesOldestWildcard: Bool { system == .freebsd13 || system == .macos }

  /// Multicast: every socket that matches, up to the first that has none of the options.
  private func receiversOfMany(_ packet: BSDPacket) -> BSDReceiver {
    let matching = sockets.filter { socket in
      guard let remote = socket.remote else { return socket.matches(packet) != .none }
      return remote == packet.source && socket.matches(packet) != .none
    }
    let answers = matching.map { $0.takesCopy(packet) }
    guard !answers.contains(nil) else { return .undetermined(matching.map(\.member)) }
    let takers = zip(matching, answers).filter { $0.1 == true }.map(\.0)
    guard takers.contains(where: { $0.hasNoOption != false }) else { return .copies(to: takers) }
    guard order == .kernelList, takers.allSatisfy({ $0.hasNoOption != nil }) else {
      return .undetermined(takers.map(\.member))
    }
    let last = takers.firstIndex { $0.hasNoOption == true } ?? takers.endIndex
    return .copies(to: Array(takers.prefix(last + 1)))
  }

  /// Those that no other is known to be newer than.
  private func newest(_ candidates: [BSDReceivingSocket]) -> [BSDReceivingSocket] {
    candidates.enumerated().filter { index, socket in
      !candidates.prefix(index).contains { isNewer($0, than: socket) }
    }.map(\.element)
  }

  private func oldest(_ candidates: [BSDReceivingSocket]) -> [BSDReceivingSocket] {
    candidates.enumerated().filter { index, socket in
      !candidates.dropFirst(index + 1).contains { isNewer(socket, than: $0) }
    }.map(\.element)
  }

  /// Whether `first`, which stands before `second`, is surely newer.
  private func isNewer(_ first: BSDReceivingSocket, than second: BSDReceivingSocket) -> Bool {
    if first.member == .planned { return true }
    return switch order {
    case .kernelList, .newestFirst: true
    case .newestFirstWithinFamily: first.facts.family == second.facts.family
    case .unknown: false
    }
  }
}

/// How the local address of a socket fits a packet.
private enum Match {
  case exact
  case wildcard
  case none
  /// A wildcard of IPv6, whose IPV6_V6ONLY is not known.
  case unknown
}

extension BSDPacket {
  fileprivate var isToMany: Bool {
    guard case .address(let address) = destination else { return false }
    return address.isMulticast
  }
  var family: AddressFamily {
    switch destination {
    case .address(let address): address.family
    case .anyOther(let family): family
    }
  }
}

extension BSDReceivingSocket {
  fileprivate func matches(_ packet: BSDPacket) -> Match {
    let bit: InternetPCB.Families = packet.family == .ipv4 ? .ipv4 : .ipv6
    let worlds = facts.worlds(plannedUID: 0).map(\.pcb)
    let takes = Set(worlds.map { $0.families.contains(bit) })
    guard takes.contains(true) else { return .none }
    let isWildcard = packet.family == .ipv4 ? facts.address4 == .any : facts.address6 == .any
    if takes.count > 1 { return .unknown }
    if isWildcard { return .wildcard }
    guard case .address(let address) = packet.destination else { return .none }
    switch address {
    case .v4(let address): return facts.address4 == address ? .exact : .none
    case .v6(let address): return facts.address6.address == address ? .exact : .none
    }
  }

  /// Joined at bind(2), but for `::` that takes IPv4 too and ::ffff:0.0.0.0, which never join. A TCP socket waits for
  /// listen(2) with its group since 14.3; before, it is picked too, and resets.
  fileprivate func isInBalancingGroup(_ transport: TransportProtocol, _ system: BSDSystem) -> Bool {
    guard facts.reuseportLB == true else { return false }
    let isMapped = facts.family == .ipv6 && facts.local.asReceiveAddress.mapped != nil
    let worlds = facts.worlds(plannedUID: 0)
    if worlds.contains(where: { $0.pcb.families == [.ipv4, .ipv6] }) || (isMapped && facts.address4 == .any) {
      return false
    }
    return transport == .udp || isListening || system != .freebsd
  }

  /// Whether the socket takes a copy of a packet to many; nil where what it joined is not known.
  fileprivate func takesCopy(_ packet: BSDPacket) -> Bool? {
    switch membership {
    case .thisGroup: return true
    case .otherGroup: return false
    case .none: return packet.family == .ipv6
    case .unknown: return nil
    }
  }

  /// nil where an option is not known.
  fileprivate var hasNoOption: Bool? {
    let options = [facts.reuseaddr, facts.reuseport, facts.reuseportLB]
    if options.contains(true) { return false }
    return options.contains(nil) ? nil : true
  }
}

extension BSDReceiver {
  fileprivate static func copies(to sockets: [BSDReceivingSocket]) -> BSDReceiver {
    switch sockets.count {
    case 0: .nobody
    case 1: .one(sockets[0].member)
    default: .each(sockets.map(\.member))
    }
  }
}
