package import SocketModel

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
  /// What bind(2) answers there, on macOS as far as the rules of the sockets go.
  package var bsd: CallResult
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
    return BSDDifference(
      options: options, linux: linux.verdict, bsd: bsd.expected, reason: difference.reason)
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
    case (.fails(.accessDenied), .ok): .reservedPort
    case (.fails, .ok): .address
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

  private var hasDevice: Bool {
    attempt.device != nil || bsd.blockers.contains { snapshot.sockets[$0].device != nil }
  }

  private var whyNotInUse: BSDDifferenceReason? {
    if sameFamilies.expected == .fails(.addressInUse) { return .v6onlyDefault }
    let blockers = linux.blockers.map { snapshot.sockets[$0.socket] }
    let facts = blockers.compactMap { PCBFacts($0, sharing: .reuseport) }
    if facts.isEmpty { return .connectionOver }
    if linux.options.isEmpty {
      return attempt.address == .v6(.any) && facts.contains { $0.local == .v4(.any) }
        ? .ipv4WildcardStays : .familiesApart
    }
    let open = facts.filter { !$0.isConnected }
    if open.isEmpty { return .newOptionSuffices }
    let onAddress = open.filter { $0.local.asReceiveAddress == attempt.address.asReceiveAddress }
    if onAddress.isEmpty {
      let isDual = attempt.address == .v6(.any) && open.allSatisfy { $0.local == .v4(.any) }
      return isDual ? .ipv4WildcardStays : .exactAddress
    }
    if attempt.address.asReceiveAddress.isMulticast || attempt.address.isMulticast { return .multicastOptions }
    if attempt.uid == 0 { return .rootJoins }
    if system == .macos, onAddress.contains(where: { $0.uid != attempt.uid }) { return .usersShareWildcard }
    return nil
  }
}
