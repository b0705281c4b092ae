import BindRules
import SocketModel

/// The one cause of what the planned bind meets.
func primaryCause(_ situation: Situation) -> Cause? {
  situation.outcome(situation.planned).flatMap { primaryCause(situation, $0, deliveries(situation, $0)) }
}

/// The one cause of this outcome; nil where everything works and nothing surprises.
func primaryCause(_ situation: Situation, _ outcome: BindOutcome, _ deliveries: [Delivery]) -> Cause? {
  switch outcome.verdict {
  case .ok: deliveries.contains { $0.concernsOthers } ? .sharedPort : nil
  case .fails(.addressInUse):
    outcome.bind == .ok ? .listenOnly : inTheWay(situation, outcome.blockers)
  case .fails(let error): beforeThePort(error, situation)
  case .undetermined: undetermined(situation, outcome)
  }
}

private func inTheWay(_ situation: Situation, _ blockers: [Blocker]) -> Cause {
  // A probe met a socket that is not visible.
  if blockers.isEmpty { return .hidden }
  if let cause = reuseCause(situation, blockers) { return cause }
  let sockets = blockers.map(situation.socket)
  guard let role = SocketRole.allCases.first(where: { role in sockets.contains { situation.role($0) == role } })
  else {
    return .listener
  }
  let ofRole = sockets.filter { situation.role($0) == role }
  switch role {
  case .listener where ofRole.contains(where: \.isInherited): return .inheritedDescriptor
  case .listener, .bound, .udp: return overlapCause(situation, role, ofRole)
  case .serverConnection, .timeWait:
    let meetsOnlyDualStack = ofRole.allSatisfy { AddressOverlap(situation.attempt, $0) == .dualStack }
    return meetsOnlyDualStack && situation.attempt.family == .ipv4 ? .leftoverDualStackConnection : role.cause
  case .client where situation.attempt.port.rawValue < 1024: return .reservedPortClient
  case .selfConnection, .client, .request: return role.cause
  }
}

/// A cause that lies in who sets which reuse option; nil where the sockets themselves are the cause.
private func reuseCause(_ situation: Situation, _ blockers: [Blocker]) -> Cause? {
  guard !blockers.isEmpty, !situation.planned.isEmpty else { return nil }
  if blockers.allSatisfy({ $0.rule == .tcpReuseportUser || $0.rule == .udpReuseportUser }) {
    return .reuseportOtherUser
  }
  let sockets = blockers.map(situation.socket)
  if situation.attempt.transport == .udp {
    let shareOtherwise = sockets.contains { socket in
      let theirs = socket.sureOptions
      return !theirs.isEmpty && theirs.isDisjoint(with: situation.planned)
    }
    if shareOtherwise { return .udpMixedOptions }
  }
  let others = sockets.filter { situation.role($0) == .listener || situation.role($0) == .udp }
  if situation.planned.contains(.reuseport), others.contains(where: { $0.reuseport.sure == false }) {
    return .reuseportMissing
  }
  return nil
}

private func overlapCause(_ situation: Situation, _ role: SocketRole, _ sockets: [SocketObservation]) -> Cause {
  if role == .udp, sockets.allSatisfy({ $0.remote != nil }) { return .connectedUDP }
  let overlaps = sockets.map { AddressOverlap(situation.attempt, $0) }
  if overlaps.contains(.same) || sockets.contains(where: { $0.remote != nil }) { return role.cause }
  return overlaps.contains(.wildcard) ? .wildcardOverlap : .dualStackOverlap
}

private func beforeThePort(_ error: SystemError, _ situation: Situation) -> Cause {
  let (attempt, host) = (situation.attempt, situation.snapshot.host)
  switch error {
  case .accessDenied: return .privilegedPort
  case .addressNotAvailable:
    let own = host.ipv6Addresses?.filter { $0.address == attempt.address } ?? []
    if own.contains(where: \.isTentative) { return .addressTentative }
    if own.isEmpty, situation.disabledIPv6 != nil { return .familyDisabled }
    return own.isEmpty ? .addressNotLocal : .addressOnOtherDevice
  case .noDevice: return .deviceMissing
  case .addressFamilyNotSupported: return .familyMissing
  default:
    if attempt.address.isMulticast && attempt.transport == .tcp { return .multicastTCP }
    return attempt.address.plain.family == .ipv4 ? .mappedOnV6only : .scopeMissing
  }
}

private func undetermined(_ situation: Situation, _ outcome: BindOutcome) -> Cause {
  let kinds = Set(outcome.missing.map(\.kind))
  if kinds == [.bindOrder] {
    let cause = reuseCause(situation, outcome.blockers)
    return cause ?? (situation.attempt.transport == .udp ? .udpMixedOptions : .dependsOnOrder)
  }
  let aboutSockets = outcome.missing.compactMap(\.socket).map { situation.snapshot.sockets[$0] }
  guard !aboutSockets.isEmpty, kinds.isSubset(of: [.reuseaddr, .reuseport, .v6only, .bindOrder, .layer3Domain]) else {
    return .hidden
  }
  let nobodyKnows = aboutSockets.allSatisfy { $0.inode == nil || $0.owner == .kernel }
  return nobodyKnows ? inTheWay(situation, outcome.blockers) : .hidden
}

extension SocketObservation {
  /// The reuse options it surely has.
  var sureOptions: ReuseOptions {
    var options: ReuseOptions = []
    if reuseaddr.sure == true { options.insert(.reuseaddr) }
    if reuseport.sure == true { options.insert(.reuseport) }
    return options
  }
}
