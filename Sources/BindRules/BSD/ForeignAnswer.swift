package import SocketModel

/// What a BSD would answer to an attempt if the sockets of the port stood there, beside what Linux answers.
package struct ForeignAnswer: Sendable, Hashable {
  /// The system.
  package var system: BSDSystem
  /// One for each of `system.combinations`, in that order.
  package var outcomes: [BSDOutcome]
  /// The first of the sockets that the system would itself have refused; nil where they can all stand there.
  package var refusedBefore: BSDRefusal?
  /// Where the answers are other than those of Linux.
  package var differences: [BSDDifference]
  /// Who gets the traffic where the planned bind works and shares its address, for each family that it takes.
  package var receives: [BSDReceipt]
  /// The program leaves IPV6_V6ONLY alone, so the system's default decided.
  package var usesDefaultV6only: Bool
  /// The answers with IPV6_V6ONLY as Linux has it by default, in the order of `outcomes`; nil where the program says
  /// what it is, or that changes no answer.
  package var withV6onlyOfLinux: [BSDOutcome]?
  /// What the system answers if all sockets of the port set SO_REUSEPORT_LB where they now set SO_REUSEPORT, and what
  /// earlier releases of it would; nil where the planned bind does not set SO_REUSEPORT or none of the others does.
  package var ifBalanced: [BSDReleaseAnswer]?
  /// Earlier releases that answer one of Linux' combinations otherwise, the latest first.
  package var earlier: [BSDRelease]
  /// What of the question has no counterpart there and was left out.
  package var leftOut: [BSDOmission]

  /// The outcome of this combination; nil where the system has no such option.
  package func outcome(_ options: BSDOptions) -> BSDOutcome? { outcomes.first { $0.options == options } }
}

/// What a release answers that a later one answers otherwise.
package struct BSDRelease: Sendable, Hashable {
  /// The release.
  package var system: BSDSystem
  /// Its outcomes of the combinations that differ.
  package var outcomes: [BSDOutcome]
}

/// The answer of one release.
package struct BSDReleaseAnswer: Sendable, Hashable {
  /// The release.
  package var system: BSDSystem
  /// What bind(2) answers there.
  package var bind: CallResult
}

/// What of a question on Linux has no counterpart on a BSD; `rawValue` is stable.
package enum BSDOmission: String, Sendable, Hashable, CaseIterable {
  /// SO_BINDTODEVICE of the planned socket or of one on the port, VRFs.
  case device
}

/// Who gets what is sent to the address of the planned bind.
package struct BSDReceipt: Sendable, Hashable {
  /// Of the packets.
  package var family: AddressFamily
  /// Who gets them.
  package var receiver: BSDReceiver
  /// Earlier releases of the system that give them to somebody else.
  package var earlier: [Earlier]

  /// What another release does.
  package struct Earlier: Sendable, Hashable {
    /// The release.
    package var system: BSDSystem
    /// Who gets them there.
    package var receiver: BSDReceiver
  }
}

/// The answer of `system` beside that of Linux.
///
/// - Parameters:
///   - v6only: What the program sets IPV6_V6ONLY to; nil where it leaves it alone.
///   - planned: The options of the planned bind, for who receives.
///   - linux: The outcomes of `attempt` in `snapshot`.
package func foreignAnswer(
  of attempt: BindAttempt, v6only: Bool?, planned: ReuseOptions, linux: [BindOutcome], in snapshot: Snapshot,
  under system: BSDSystem
) -> ForeignAnswer {
  let bind = BSDAttempt(attempt, v6only: v6only)
  let outcomes = bsdOutcomes(of: bind, in: snapshot, under: system)
  var answer = ForeignAnswer(
    system: system, outcomes: outcomes,
    refusedBefore: firstRefused(attempt.transport, in: snapshot, under: system),
    differences: differences(of: attempt, v6only: v6only, linux: linux, in: snapshot, under: system),
    receives: [], usesDefaultV6only: attempt.family == .ipv6 && v6only == nil, withV6onlyOfLinux: nil,
    ifBalanced: nil, earlier: [], leftOut: omissions(attempt, snapshot))
  if attempt.family == .ipv6, attempt.v6only != bind.isV6only(system) {
    var asOnLinux = bind
    asOnLinux.v6only = attempt.v6only
    let others = bsdOutcomes(of: asOnLinux, in: snapshot, under: system)
    if others.map(\.expected) != outcomes.map(\.expected) { answer.withV6onlyOfLinux = others }
  }
  if answer.outcome(BSDOptions(planned))?.expected == .ok {
    answer.receives = receipts(bind, BSDOptions(planned), snapshot, system)
  }
  answer.ifBalanced = answersIfBalanced(bind, planned, snapshot, system)
  answer.earlier = system.earlier.reversed().compactMap { release in
    let differing = zip(bsdOutcomes(of: bind, in: snapshot, under: release), outcomes)
      .filter { $0.options.onLinux != nil && $0.expected != $1.expected }.map(\.0)
    return differing.isEmpty ? nil : BSDRelease(system: release, outcomes: differing)
  }
  return answer
}

private func omissions(_ attempt: BindAttempt, _ snapshot: Snapshot) -> [BSDOmission] {
  let hasDevice = snapshot.sockets.contains { socket in
    guard socket.device != nil else { return false }
    if case .v6(let address) = socket.local.address { return !needsScope(address) }
    return true
  }
  return attempt.device != nil || hasDevice ? [.device] : []
}

private func answersIfBalanced(
  _ bind: BSDAttempt, _ planned: ReuseOptions, _ snapshot: Snapshot, _ system: BSDSystem
) -> [BSDReleaseAnswer]? {
  guard planned.contains(.reuseport), system.combinations.contains(.reuseportLB) else { return nil }
  let others = snapshot.sockets.contains {
    $0.transport == bind.transport && $0.remote == nil && $0.reuseport.sure == true
  }
  guard others else { return nil }
  // SO_REUSEADDR beside it changes no answer.
  return ([system] + system.earlier.reversed()).compactMap { release in
    let outcomes = bsdOutcomes(of: bind, in: snapshot, under: release, sharing: .reuseportLB)
    return outcomes.first { $0.options == .reuseportLB }.map { BSDReleaseAnswer(system: release, bind: $0.bind) }
  }
}

/// Only where several unconnected sockets have the address that packets to the planned one are for: else nothing of Linux
/// is different. What is sent to a multicast address depends on who joined, which is shown nowhere for one socket; of what
/// is sent to a broadcast address each of them gets a copy, as on Linux (`udp_multi_input`).
private func receipts(
  _ bind: BSDAttempt, _ options: BSDOptions, _ snapshot: Snapshot, _ system: BSDSystem
) -> [BSDReceipt] {
  guard !bind.address.isOrMapsMulticast else { return [] }
  if bind.transport == .udp, isBroadcast(bind.address, snapshot.host) { return [] }
  func receiver(_ destination: BSDPacket.Destination, _ system: BSDSystem) -> BSDReceiver {
    BSDReceivingTable(bind, options, snapshot, system)
      .receiver(of: BSDPacket(transport: bind.transport, destination: destination))
  }
  return bind.destinations(system).compactMap { destination in
    let table = BSDReceivingTable(bind, options, snapshot, system)
    let packet = BSDPacket(transport: bind.transport, destination: destination)
    guard table.sharers(of: packet) > 1 else { return nil }
    let found = table.receiver(of: packet)
    let earlier = system.earlier.compactMap { release -> BSDReceipt.Earlier? in
      let other = receiver(destination, release)
      return other == found ? nil : BSDReceipt.Earlier(system: release, receiver: other)
    }
    return BSDReceipt(family: packet.family, receiver: found, earlier: earlier)
  }
}

extension BSDAttempt {
  /// What packets to the planned address are for.
  fileprivate func destinations(_ system: BSDSystem) -> [BSDPacket.Destination] {
    switch address {
    case .v4(.any): return [.anyOther(.ipv4)]
    case .v4: return [.address(address)]
    case .v6(let ipv6):
      if ipv6 == .any { return isV6only(system) ? [.anyOther(.ipv6)] : [.anyOther(.ipv4), .anyOther(.ipv6)] }
      guard let mapped = ipv6.mapped else { return [.address(address)] }
      return [mapped == .any ? .anyOther(.ipv4) : .address(.v4(mapped))]
    }
  }
}

extension IPAddress {
  fileprivate var isOrMapsMulticast: Bool { isMulticast || asReceiveAddress.mapped?.isMulticast == true }
}

/// Whether an interface has this as its broadcast address.
private func isBroadcast(_ address: IPAddress, _ host: HostFacts) -> Bool {
  guard let ipv4 = address.asReceiveAddress.mapped, let routes = host.ipv4LocalRoutes else { return false }
  return routes.contains { $0.destination == ipv4 && $0.prefixLength == 32 && $0.type == .broadcast }
}

extension BSDReceivingTable {
  /// The sockets of the port with the planned one in front, the newest.
  init(_ bind: BSDAttempt, _ options: BSDOptions, _ snapshot: Snapshot, _ system: BSDSystem) {
    let planned = BSDReceivingSocket(
      member: .planned, facts: PCBFacts(bind, options, system), isListening: true)
    let others = snapshot.sockets.enumerated().compactMap { index, socket -> BSDReceivingSocket? in
      guard socket.transport == bind.transport else { return nil }
      return PCBFacts(socket, sharing: .reuseport, under: system).map {
        BSDReceivingSocket(
          member: .socket(index), facts: $0, remote: $0.isConnected ? socket.remote : nil,
          isListening: socket.state == .listen)
      }
    }
    self.init(sockets: [planned] + others, order: PCBTable.order(snapshot, bind.transport), system: system)
  }
}

/// Why a BSD answers a bind otherwise than Linux; `rawValue` is stable.
package enum BSDDifferenceReason: String, Sendable, Hashable, CaseIterable {
  /// Against connections and TIME_WAIT a reuse option of the new socket is enough; Linux asks both sides.
  case newOptionSuffices = "new-option-suffices"
  /// With a reuse option only sockets on exactly the address count; on Linux all that overlap.
  case exactAddress = "exact-address"
  /// SO_REUSEADDR on both sides shares no unicast address; on Linux UDP sockets and TCP sockets that do not listen.
  case reuseaddrSharesNothing = "reuseaddr-shares-nothing"
  /// The best fitting socket is another user's, whatever the options.
  case otherUser = "other-user"
  /// Root may join the address of any user; on Linux both sockets need one user.
  case rootJoins = "root-joins"
  /// Two users may share a wildcard (macOS).
  case usersShareWildcard = "users-share-wildcard"
  /// IPV6_V6ONLY is on where the program leaves it alone (FreeBSD), so `::` and 0.0.0.0 do not meet.
  case v6onlyDefault = "v6only-default"
  /// `::` without IPV6_V6ONLY may come after 0.0.0.0, which keeps the IPv4 packets.
  case ipv4WildcardStays = "ipv4-wildcard-stays"
  /// A socket of one family does not meet one of the other; Linux compares wildcards of IPv4 with connections of IPv6.
  case familiesApart = "families-apart"
  /// SO_REUSEADDR and SO_REUSEPORT stand for each other on a multicast address, for all users.
  case multicastOptions = "multicast-options"
  /// No interface has the address, or it is none that may be bound: of 127.0.0.0/8 only 127.0.0.1 is there.
  case address
  /// TCP may not be bound to it.
  case protocolAddress = "protocol-address"
  /// Ports below 1024 are root's alone; on macOS everybody's on a wildcard.
  case reservedPort = "reserved-port"
  /// A connection that is over gives up its port; on Linux it keeps it until close(2).
  case connectionOver = "connection-over"
  /// SO_BINDTODEVICE or a VRF, which keep sockets apart on Linux, have no counterpart.
  case device
  /// Both fail, but the errno is another.
  case errno
}

/// A combination of options that a BSD answers otherwise than Linux.
package struct BSDDifference: Sendable, Hashable {
  /// The combination, which both have.
  package var options: ReuseOptions
  /// What bind(2) or listen(2) answers on Linux.
  package var linux: CallResult
  /// What bind(2) answers there.
  package var bsd: BSDOutcome
  /// Why; nil where none of the known reasons is one.
  package var reason: BSDDifferenceReason?
}

/// Where the answers of `system` differ from those of Linux. What either leaves undetermined is not compared.
///
/// - Parameters:
///   - v6only: What the program sets IPV6_V6ONLY to; nil where it leaves it alone.
///   - linux: The outcomes of `attempt` in `snapshot`.
package func differences(
  of attempt: BindAttempt, v6only: Bool?, linux: [BindOutcome], in snapshot: Snapshot, under system: BSDSystem
) -> [BSDDifference] {
  let planned = BSDAttempt(attempt, v6only: v6only)
  let answers = bsdOutcomes(of: planned, in: snapshot, under: system)
  var asOnLinux = planned
  asOnLinux.v6only = attempt.family == .ipv6 ? attempt.v6only : nil
  let withLinuxDefault = asOnLinux == planned ? answers : bsdOutcomes(of: asOnLinux, in: snapshot, under: system)
  return zip(answers, withLinuxDefault).compactMap { bsd, sameFamilies in
    guard let options = bsd.options.onLinux, let linux = linux.first(where: { $0.options == options }) else {
      return nil
    }
    guard linux.verdict != .undetermined, bsd.expected != .undetermined, linux.verdict != bsd.expected else {
      return nil
    }
    let difference = DifferenceFinder(
      attempt: attempt, linux: linux, bsd: bsd, sameFamilies: sameFamilies, snapshot: snapshot, system: system)
    return BSDDifference(options: options, linux: linux.verdict, bsd: bsd, reason: difference.reason)
  }
}

private struct DifferenceFinder {
  var attempt: BindAttempt
  var linux: BindOutcome
  var bsd: BSDOutcome
  /// The same as `bsd` with Linux' IPV6_V6ONLY.
  var sameFamilies: BSDOutcome
  var snapshot: Snapshot
  var system: BSDSystem

  var reason: BSDDifferenceReason? {
    switch (linux.verdict, bsd.expected) {
    case (_, .fails): whyRefused
    case (.fails(.addressInUse), .ok): whyNotInUse
    case (.fails(.accessDenied), .ok) where isPrivileged: .reservedPort
    case (.fails, .ok) where attempt.device != nil: .device
    case (.fails(.invalidArgument), .ok): .address
    default: nil
    }
  }

  private var whyRefused: BSDDifferenceReason? {
    switch bsd.rule.check {
    case .protocolAddress: return .protocolAddress
    case .address where sameFamilies.expected == linux.verdict: return .v6onlyDefault
    case .scope, .address: return .address
    case .reservedPort: return .reservedPort
    case .otherUser where linux.verdict == .ok: return .otherUser
    case .overlap where linux.verdict == .ok, .sameAddress where linux.verdict == .ok:
      if sameFamilies.expected == .ok { return .v6onlyDefault }
      if hasDevice { return .device }
      return linux.options.contains(.reuseaddr) ? .reuseaddrSharesNothing : nil
    default: return .errno
    }
  }

  private var isPrivileged: Bool {
    UInt32(attempt.port.rawValue) < snapshot.host.unprivilegedPortStart ?? 1024
  }

  private var hasDevice: Bool {
    attempt.device != nil || bsd.blockers.contains { snapshot.sockets[$0].device != nil }
  }

  private var whyNotInUse: BSDDifferenceReason? {
    if sameFamilies.expected == .fails(.addressInUse) { return .v6onlyDefault }
    let blockers = linux.blockers.map { snapshot.sockets[$0.socket] }
    let facts = blockers.compactMap { PCBFacts($0, sharing: .reuseport, under: system) }
    if facts.isEmpty { return .connectionOver }
    if linux.options.isEmpty {
      // `::` of both families meets every socket, and nothing else is forgiven.
      return attempt.address == .v6(.any) ? .ipv4WildcardStays : .familiesApart
    }
    let open = facts.filter { !$0.isConnected }
    if open.isEmpty { return .newOptionSuffices }
    let onAddress = open.filter { $0.local.asReceiveAddress == attempt.address.asReceiveAddress }
    if onAddress.isEmpty {
      let isDual = attempt.address == .v6(.any) && open.allSatisfy { $0.local == .v4(.any) }
      return isDual ? .ipv4WildcardStays : .exactAddress
    }
    if attempt.address.isOrMapsMulticast { return .multicastOptions }
    if attempt.uid == 0 { return .rootJoins }
    return system == .macos ? .usersShareWildcard : nil
  }
}
