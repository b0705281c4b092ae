import BindRules
import SocketModel

/// The reason in at most three sentences: who stands in the way, then the fact that decides.
func why(_ situation: Situation, _ outcome: BindOutcome, _ cause: Cause?) -> [String] {
  let reason = cause?.entry.reason(situation) ?? []
  switch outcome.verdict {
  case .ok: return sharing(situation)
  case .fails(.addressInUse): return whoIsInTheWay(situation) + howTheyMeet(situation, cause) + reason
  case .fails: return reason
  case .undetermined:
    return whoIsInTheWay(situation) + howTheyMeet(situation, cause) + missingFacts(situation, outcome, cause)
  }
}

/// Why a bind works although the port is in use; empty where it is simply free.
private func sharing(_ situation: Situation) -> [String] {
  let inUse = (situation.outcome([])?.blockers ?? []).map(situation.socket)
  guard !inUse.isEmpty, !situation.planned.isEmpty else { return [] }
  let who = whoIsInTheWay(inUse, situation).joined(separator: "; ")
  let optionOf = { (socket: SocketObservation) in socket.sureOptions.intersection(situation.planned) }
  let isByReuseport = inUse.allSatisfy { optionOf($0) == .reuseport }
  return ["\(who), and both sides set \(isByReuseport ? "SO_REUSEPORT" : "SO_REUSEADDR")"]
}

private func whoIsInTheWay(_ situation: Situation) -> [String] { whoIsInTheWay(situation.blockingSockets, situation) }

private func whoIsInTheWay(_ sockets: [SocketObservation], _ situation: Situation) -> [String] {
  let order: [SocketRole] = [.listener, .bound, .udp, .selfConnection, .client, .serverConnection, .timeWait]
  return order.compactMap { role in
    let group = sockets.filter { situation.role($0) == role }
    return group.isEmpty ? nil : sentence(role, group)
  }
}

private func sentence(_ role: SocketRole, _ sockets: [SocketObservation]) -> String {
  let first = sockets[0]
  let many = sockets.count > 1
  let addresses = Array(Set(sockets.map(\.local.text))).sorted().listed()
  var named: Set<String> = []
  let holders = sockets.map(\.holderText).filter { named.insert($0).inserted }
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
      "\(holder) \(areMany ? "use" : "uses") the port as the local end of \(many ? "connections" : "a connection") to \(peers)"
  case .serverConnection:
    return "\(counted(sockets.count, "connection")) on the port \(many ? "are" : "is") still there"
      + " (\(Array(Set(sockets.map(\.state.description))).sorted().listed()); held by \(holder))"
  case .timeWait:
    let left = sockets.secondsLeft.map { ", \($0) s left" } ?? ""
    return "\(counted(sockets.count, "closed connection")) of the port \(many ? "are" : "is") in TIME_WAIT\(left)"
  case .request: return "a handshake is going on"
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
  let overlaps = Set(named.map { AddressOverlap(attempt, $0) })
  guard !overlaps.contains(.same), let first = named.first else { return [] }
  if overlaps.contains(.wildcard) {
    let (wildcard, other) =
      attempt.address.plain.isUnspecified
      ? (attempt.address, first.local.address) : (first.local.address, attempt.address)
    let family = wildcard.plain.family == .ipv4 ? "IPv4" : "IPv6"
    return ["\(wildcard) stands for every \(family) address of the host, \(other) included"]
  }
  if overlaps.contains(.dualStack), attempt.address.plain.family == .ipv6 {
    return ["binding [\(attempt.address)] with IPV6_V6ONLY off claims the port for IPv4 too"]
  }
  if overlaps.contains(.dualStack) {
    return ["IPV6_V6ONLY is off there, so [\(first.local.address)]:\(attempt.port) has the port for IPv4 too"]
  }
  return []
}
