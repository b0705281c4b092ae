import BindRules
import SocketModel

/// The reason where it is not obvious, in a sentence or two; who stands in the way, the headline says.
func why(_ situation: Situation, _ outcome: BindOutcome, _ cause: Cause?) -> [String] {
  switch outcome.verdict {
  case .ok, .fails(.accessDenied): return []
  case .fails(.addressInUse): return howTheyMeet(situation, cause) + (cause?.entry.reason(situation) ?? [])
  // The first sentence of what comes before the port is the headline.
  case .fails: return Array((cause?.entry.reason(situation) ?? []).dropFirst())
  case .undetermined: return howTheyMeet(situation, cause) + missingFacts(situation, outcome, cause)
  }
}

/// Why a fact is missing, or what hangs on it; the first line names the facts themselves, and the table says why a flag
/// is not known.
private func missingFacts(_ situation: Situation, _ outcome: BindOutcome, _ cause: Cause?) -> [String] {
  let kinds = Set(outcome.missing.map(\.kind))
  var sentences: [String] = []
  if kinds.contains(.bindOrder) {
    if let cause, [.reuseportMissing, .reuseportOtherUser, .udpMixedOptions].contains(cause) {
      sentences += cause.entry.reason(situation)
    }
    sentences.append(orderSentence(situation, cause))
  }
  if kinds.contains(.layer3Domain) {
    sentences.append("it depends on the VRF in which each socket was bound, which BPF iterators may tell root")
  }
  if kinds.contains(.reuseportGroup) {
    sentences.append("32768 sockets share the port by SO_REUSEPORT, and more the kernel lets into no group")
  }
  if kinds.contains(.boundSockets) {
    sentences.append("this kernel lists no sockets that are bound and do not listen, and only root finds them all")
  }
  if kinds.contains(.uid) {
    sentences.append("the user of a socket in the way is not visible from this user namespace")
  }
  return sentences
}

private func orderSentence(_ situation: Situation, _ cause: Cause?) -> String {
  guard situation.attempt.transport == .tcp else {
    return "it depends on the order of earlier binds: the first UDP socket in the kernel's chain decides"
  }
  if cause == .reuseportMissing || cause == .reuseportOtherUser {
    return
      "so it fails, unless an earlier SO_REUSEPORT socket of uid \(situation.attempt.uid) is what the kernel remembers"
      + " of the port"
  }
  return "it depends on the order of earlier binds: the kernel remembers the last SO_REUSEPORT user of a port"
}

/// Why two addresses that are written differently collide; empty where they are the same.
private func howTheyMeet(_ situation: Situation, _ cause: Cause?) -> [String] {
  let attempt = situation.attempt
  let sockets = situation.blockingSockets
  if let meeting = cause?.entry.meeting { return [meeting] }
  let named = sockets.filter { [.listener, .bound, .udp].contains(situation.role($0)) && $0.remote == nil }
  let overlaps = named.map { (socket: $0, kind: AddressOverlap(attempt, $0)) }
  guard !overlaps.contains(where: { $0.kind == .same }) else { return [] }
  // Each sentence is about a socket that meets the attempt in this way, and so of the family it speaks of.
  if let other = overlaps.first(where: { $0.kind == .wildcard })?.socket.local.address.plain {
    let planned = attempt.address.plain
    return [covers(planned.isUnspecified ? planned : other, planned.isUnspecified ? other : planned)]
  }
  guard let other = overlaps.first(where: { $0.kind == .dualStack })?.socket else { return [] }
  if attempt.address.plain.family == .ipv6 {
    return ["binding [\(attempt.address)] with IPV6_V6ONLY off claims the port for IPv4 too"]
  }
  return ["IPV6_V6ONLY is off there, so [\(other.local.address)]:\(attempt.port) has the port for IPv4 too"]
}

/// That the wildcard takes in another address of its family.
private func covers(_ wildcard: IPAddress, _ other: IPAddress) -> String {
  let family = wildcard.family == .ipv4 ? "IPv4" : "IPv6"
  return other.isMulticast
    ? "\(wildcard) stands for whatever \(family) address or group is sent to, the group \(other) included"
    : "\(wildcard) stands for every \(family) address of the host, \(other) included"
}

// MARK: Who is in the way

/// Who stands in the way and what it is doing there, a sentence for each role that a socket can have.
///
/// - Parameter holder: how the holder of a socket is written.
func whoIsInTheWay(
  _ sockets: [SocketObservation], _ situation: Situation, holder: (SocketObservation) -> String
) -> [String] {
  let order: [SocketRole] = [.listener, .bound, .udp, .selfConnection, .client, .serverConnection, .timeWait]
  // What belongs to a listener that is there is not worth a word beside it.
  let listens = sockets.contains { situation.role($0) == .listener }
  return order.compactMap { role in
    if listens, SocketRole.remains.contains(role) { return nil }
    let group = sockets.filter { situation.role($0) == role }
    return group.isEmpty ? nil : sentence(role, group, holder)
  }
}

private func sentence(
  _ role: SocketRole, _ sockets: [SocketObservation], _ holder: (SocketObservation) -> String
) -> String {
  let first = sockets[0]
  let many = sockets.count > 1
  let addresses = Array(Set(sockets.map(\.local.text))).sorted().listed()
  var named: Set<String> = []
  let holders = sockets.map(holder).filter { named.insert($0).inserted }
  let areMany = holders.count > 1 || sockets.contains { $0.activation == nil && $0.processes.count > 1 }
  let holder = holders.listed()
  switch role {
  case .listener where first.isHeldByDifferentPrograms:
    let names = first.processes.map(\.text).listed(atMost: 3)
    return "\(names) hold a socket that listens on \(addresses)"
  case .listener: return "\(holder) \(areMany ? "listen" : "listens") on \(addresses)"
  case .bound: return "\(holder) bound \(addresses) and \(areMany ? "do" : "does") not listen"
  case .udp: return "\(holder) \(areMany ? "have" : "has") \(addresses) bound"
  case .selfConnection: return "\(holder) \(areMany ? "are" : "is") connected to itself on \(first.local.text)"
  case .client:
    let peers = sockets.compactMap { $0.remote?.text }.listed()
    return
      "\(holder) \(areMany ? "use" : "uses") it as the local end of \(many ? "connections" : "a connection") to \(peers)"
  case .serverConnection:
    let states = Array(Set(sockets.map(\.state.description))).sorted().listed()
    let held = sockets.allSatisfy { $0.owner == .none } ? "" : ", held by \(holder)"
    return "\(counted(sockets.count, "connection")) of a server \(many ? "are" : "is") still there (\(states)\(held))"
  case .timeWait:
    let left = sockets.secondsLeft.map { ", \($0) s left" } ?? ""
    return "\(counted(sockets.count, "closed connection")) \(many ? "wait" : "waits") (TIME_WAIT\(left))"
  case .request: return "a handshake is going on"
  }
}
