import BindRules
import SocketModel

/// The reason in at most three sentences: who stands in the way, then the fact that decides.
func why(_ situation: Situation, outcome: BindOutcome, cause: Cause?) -> [String] {
  switch outcome.verdict {
  case .ok: return sharing(situation)
  case .fails(.addressInUse):
    return whoIsInTheWay(situation) + howTheyMeet(situation, cause) + decidingFact(situation, outcome, cause)
  case .fails: return beforeThePort(situation, cause)
  case .undetermined:
    if let cause, [.privilegedPort, .addressNotLocal].contains(cause) { return beforeThePort(situation, cause) }
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
    return "\(count(sockets.count, "connection")) on the port \(many ? "are" : "is") still there"
      + " (\(Array(Set(sockets.map(\.state.description))).sorted().listed()); held by \(holder))"
  case .timeWait:
    let left = sockets.secondsLeft.map { ", \($0) s left" } ?? ""
    return "\(count(sockets.count, "closed connection")) of the port \(many ? "are" : "is") in TIME_WAIT\(left)"
  case .request: return "a handshake is going on"
  }
}

/// The flag that decided, once who is in the way is said.
private func decidingFact(_ situation: Situation, _ outcome: BindOutcome, _ cause: Cause?) -> [String] {
  let sockets = situation.blockingSockets
  switch cause {
  case .reuseportOtherUser:
    let owners = Set(sockets.compactMap(\.uid)).sorted().map(String.init).listed()
    return [
      "both sides set SO_REUSEPORT, but the sockets belong to uid \(owners), this one to uid \(situation.attempt.uid)"
    ]
  case .reuseportMissing: return ["SO_REUSEPORT has to be set on both sides, and the other side did not set it"]
  case .udpMixedOptions: return ["both sides mean to share, but not by the same option"]
  case .listenOnly: return ["sockets may share a bound port with SO_REUSEADDR, but only one of them may listen"]
  case .listener, .inheritedDescriptor, .wildcardOverlap, .dualStackOverlap:
    let listens = sockets.contains { $0.state == .listen }
    if listens {
      return situation.planned.contains(.reuseaddr) ? ["SO_REUSEADDR never helps against a listening socket"] : []
    }
  default: break
  }
  guard !sockets.isEmpty else { return [] }
  if sockets.contains(where: { $0.reuseaddr.sure == false }) {
    return situation.planned.contains(.reuseaddr) || situation.attempt.transport == .tcp
      ? ["SO_REUSEADDR has to be set on both sides, and the other side did not set it"] : []
  }
  if !situation.planned.contains(.reuseaddr), sockets.allSatisfy({ $0.reuseaddr.sure == true }) {
    return ["the other side set SO_REUSEADDR, this one does not"]
  }
  return []
}

private func missingFacts(_ situation: Situation, _ outcome: BindOutcome, _ cause: Cause?) -> [String] {
  let kinds = Set(outcome.missing.map(\.kind))
  var sentences: [String] = []
  let flags = [(MissingFact.Kind.reuseaddr, "SO_REUSEADDR"), (.reuseport, "SO_REUSEPORT"), (.v6only, "IPV6_V6ONLY")]
    .filter { kinds.contains($0.0) }.map(\.1)
  if !flags.isEmpty {
    let reasons = Set(outcome.missing.compactMap { $0.socket }.compactMap { reason(situation.snapshot.sockets[$0]) })
    let because = reasons.isEmpty ? "" : ": \(reasons.sorted().listed())"
    sentences.append("it depends on whether \(flags.listed(atMost: 3)) is set there, which is not visible\(because)")
  }
  if kinds.contains(.bindOrder) {
    if cause == .reuseportMissing || cause == .reuseportOtherUser || cause == .udpMixedOptions {
      sentences += decidingFact(situation, outcome, cause)
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
    sentences.append(
      "nothing visible is in the way, but this kernel lists no sockets that are bound and do not listen")
  }
  if kinds.contains(.uid) {
    sentences.append("the user of a socket in the way is not visible from this user namespace")
  }
  let host: [MissingFact.Kind] = [
    .capability, .unprivilegedPortStart, .localAddresses, .nonlocalBind, .interfaces, .addressFamily, .l3mdevAccept,
    .kernelVersion,
  ]
  let unread = host.filter(kinds.contains).map(\.rawValue)
  if !unread.isEmpty { sentences.append("not known of this host: \(unread.listed(atMost: 4))") }
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

private func reason(_ socket: SocketObservation) -> String? {
  switch socket.reuseaddr.unknownReason ?? socket.reuseport.unknownReason ?? socket.v6only?.unknownReason {
  case .hidden: "its owner could not be looked at"
  case .yama: "the Yama security module forbids it"
  case .noOwner: "no process has it any more"
  case .kernel: "the kernel holds it"
  case .vanished: "it was gone when it was looked at"
  case .subflow: "its descriptor tells of the first subflow of the MPTCP connection alone"
  case .oldKernel: "this kernel has no pidfd_getfd"
  case nil: nil
  }
}

/// Errors that come before the port is looked at.
private func beforeThePort(_ situation: Situation, _ cause: Cause?) -> [String] {
  let attempt = situation.attempt
  switch cause {
  case .privilegedPort:
    let start = situation.snapshot.host.unprivilegedPortStart.map(String.init) ?? "1024"
    return ["ports below \(start) need CAP_NET_BIND_SERVICE, which uid \(attempt.uid) does not have"]
  case .addressNotLocal: return ["no interface of this host has the address \(attempt.address)"]
  case .addressOnOtherDevice:
    return ["this host has the address \(attempt.address), but not on the interface the socket is bound to"]
  case .addressTentative:
    return [
      "the address \(attempt.address) is still being checked for duplicates (tentative), which takes a second or two"
    ]
  case .multicastTCP: return ["a TCP socket cannot be bound to an IPv6 multicast address"]
  case .scopeMissing: return ["the link-local address \(attempt.address) means nothing without an interface"]
  case .mappedOnV6only: return ["an IPv4-mapped address contradicts IPV6_V6ONLY"]
  case .deviceMissing:
    if let name = attempt.missingZone { return ["this host has no interface \(name)"] }
    if case .missing(let name) = attempt.device { return ["this host has no interface \(name)"] }
    return ["the interface of the address's scope does not exist"]
  case .familyMissing: return ["this host has no IPv6: socket() fails"]
  default: return []
  }
}
