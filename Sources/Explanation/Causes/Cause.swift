import BindRules
import SocketModel

/// Why an attempt ends as it does; the raw value is the word of the report.
public enum Cause: String, Sendable, Hashable, CaseIterable {
  // MARK: The port is in use

  /// A TCP socket in LISTEN on exactly this address.
  case listener
  /// A TCP socket on exactly this address, which is bound and neither listens nor is connected.
  case boundNotListening = "bound-not-listening"
  /// A UDP socket on exactly this address.
  case udpSocket = "udp-socket"
  /// One of the two addresses is the wildcard of the family of the other.
  case wildcardOverlap = "wildcard-overlap"
  /// An IPv6 wildcard without IPV6_V6ONLY and an IPv4 socket.
  case dualStackOverlap = "dual-stack-overlap"
  /// A listening socket that a child got from its parent, which holds it too or has gone.
  case inheritedDescriptor = "inherited-descriptor"
  /// Sockets in TIME_WAIT.
  case timeWait = "time-wait"
  /// A connection of a server, in any state but TIME_WAIT.
  case leftoverConnection = "leftover-connection"
  /// A connection with an IPv6 address that a dual-stack listener accepted, and a bind to 0.0.0.0.
  case leftoverDualStackConnection = "leftover-dual-stack-connection"
  /// A client that uses the port as its own end.
  case outgoingConnection = "outgoing-connection"
  /// A client that asked for a port below 1024 as its own end, as NFS and RPC clients do.
  case reservedPortClient = "reserved-port-client"
  /// A UDP socket that is connected to one peer.
  case connectedUDP = "connected-udp"
  /// A client connected to itself.
  case selfConnection = "self-connection"
  /// bind(2) works, listen(2) does not.
  case listenOnly = "listen-only"
  /// The planned socket sets SO_REUSEPORT, the one in the way does not.
  case reuseportMissing = "reuseport-missing"
  /// Both sides set SO_REUSEPORT, but belong to different users.
  case reuseportOtherUser = "reuseport-other-user"
  /// UDP sockets of one port that share, but not by the same option.
  case udpMixedOptions = "udp-mixed-options"
  /// What decides is the order of earlier binds.
  case dependsOnOrder = "depends-on-order"
  /// What decides is not visible to the reader.
  case hidden
  /// It works, beside sockets that get traffic of the same port.
  case sharedPort = "shared-port"

  // MARK: The port is not looked at

  /// A port below `net.ipv4.ip_unprivileged_port_start` without CAP_NET_BIND_SERVICE.
  case privilegedPort = "privileged-port"
  /// No interface of the host has the address.
  case addressNotLocal = "address-not-local"
  /// The host has the address, but not on the interface of SO_BINDTODEVICE.
  case addressOnOtherDevice = "address-on-other-device"
  /// Duplicate address detection for the IPv6 address has not finished (RFC 4862).
  case addressTentative = "address-tentative"
  /// The interface of SO_BINDTODEVICE, or of the scope, does not exist.
  case deviceMissing = "device-missing"
  /// The host has no IPv6.
  case familyMissing = "family-missing"
  /// A sysctl has taken the IPv6 addresses from the interface.
  case familyDisabled = "ipv6-disabled"
  /// A TCP socket cannot be bound to an IPv6 multicast address.
  case multicastTCP = "multicast-tcp"
  /// A link-local IPv6 address without an interface.
  case scopeMissing = "scope-missing"
  /// An IPv4-mapped address on an IPV6_V6ONLY socket.
  case mappedOnV6only = "mapped-on-v6only"

  // MARK: The call that was made, beside the port

  /// EACCES or EPERM of a call, from a security module, Landlock or a program of the control group.
  case refusedByPolicy = "refused-by-policy"
  /// The call failed, and what was in its way is gone by now.
  case goneMeanwhile = "gone-meanwhile"
  /// A second bind(2) of one socket.
  case alreadyBound = "already-bound"
}

extension Cause {
  /// Everything that is written about it, in one place.
  var entry: CauseEntry {
    switch self {
    case .listener: .listener
    case .boundNotListening: .boundNotListening
    case .udpSocket: .udpSocket
    case .wildcardOverlap: .wildcardOverlap
    case .dualStackOverlap: .dualStackOverlap
    case .inheritedDescriptor: .inheritedDescriptor
    case .timeWait: .timeWait
    case .leftoverConnection: .leftoverConnection
    case .leftoverDualStackConnection: .leftoverDualStackConnection
    case .outgoingConnection: .outgoingConnection
    case .reservedPortClient: .reservedPortClient
    case .connectedUDP: .connectedUDP
    case .selfConnection: .selfConnection
    case .listenOnly: .listenOnly
    case .reuseportMissing: .reuseportMissing
    case .reuseportOtherUser: .reuseportOtherUser
    case .udpMixedOptions: .udpMixedOptions
    case .dependsOnOrder: .dependsOnOrder
    case .hidden: .hidden
    case .sharedPort: .sharedPort
    case .privilegedPort: .privilegedPort
    case .addressNotLocal: .addressNotLocal
    case .addressOnOtherDevice: .addressOnOtherDevice
    case .addressTentative: .addressTentative
    case .deviceMissing: .deviceMissing
    case .familyMissing: .familyMissing
    case .familyDisabled: .familyDisabled
    case .multicastTCP: .multicastTCP
    case .scopeMissing: .scopeMissing
    case .mappedOnV6only: .mappedOnV6only
    case .refusedByPolicy: .refusedByPolicy
    case .goneMeanwhile: .goneMeanwhile
    case .alreadyBound: .alreadyBound
    }
  }

  /// The long text, `--explain`.
  package var topic: Topic { Topic(self, entry.text) }
}

/// Everything that is written about one cause.
struct CauseEntry: Sendable {
  typealias Reason = @Sendable (Situation) -> [String]
  typealias Remedies = @Sendable (Situation) -> [Suggestion]

  /// What it is in one line, the line of the manual page, and the long text.
  var text: TopicText
  /// Why the addresses collide, where the cause says it; nil where the addresses themselves tell.
  var meeting: String?
  /// Why the planned bind fails, once it is said who is in the way; empty where that is all.
  var reason: Reason
  /// What helps against it in particular; what helps against any socket in the way is not repeated.
  var remedies: Remedies

  init(
    _ title: String, summary: String, what: [Statement], signs: [Statement], helps: [Statement],
    ineffective: [Statement] = [], references: [String], meeting: String? = nil, reason: @escaping Reason,
    remedies: @escaping Remedies
  ) {
    text = TopicText(
      title: title, summary: summary, what: what, signs: signs, helps: helps, ineffective: ineffective,
      references: references)
    self.meeting = meeting
    self.reason = reason
    self.remedies = remedies
  }

  // MARK: What several causes share

  static let noReason: Reason = { _ in [] }
  static let noRemedies: Remedies = { _ in [] }

  /// SO_REUSEADDR, which takes two sides to help.
  static let reuseaddrOnOneSide: Reason = { situation in
    let sockets = situation.blockingSockets
    guard !sockets.isEmpty else { return [] }
    let isPlanned = situation.planned.contains(.reuseaddr)
    if sockets.contains(where: { $0.reuseaddr.sure == false }) {
      return isPlanned || situation.attempt.transport == .tcp
        ? [
          "SO_REUSEADDR has to be set on both sides, and \(sockets.filter { $0.reuseaddr.sure == false }.makers)"
            + " did not set it"
        ] : []
    }
    return !isPlanned && sockets.allSatisfy { $0.reuseaddr.sure == true }
      ? ["\(sockets.makers) had set SO_REUSEADDR; yours has to set it too"] : []
  }

  /// The same beside sockets that need not listen.
  static let unlessItListens: Reason = { situation in
    guard situation.blockingSockets.contains(where: { $0.state == .listen }) else {
      return reuseaddrOnOneSide(situation)
    }
    return situation.planned.contains(.reuseaddr) ? ["SO_REUSEADDR never helps against a listening socket"] : []
  }
}

extension Collection where Element == SocketObservation {
  /// Who set their options, or did not: the program that has them, or the server that they were left by.
  fileprivate var makers: String {
    guard allSatisfy({ $0.owner == .none }) else { return holderNames }
    return "the server that left the \(count == 1 ? "connection" : "connections")"
  }
}

/// The one cause of what the planned bind meets.
func primaryCause(_ situation: Situation) -> Cause? {
  situation.outcome(situation.planned).flatMap { primaryCause(situation, $0, deliveries(situation, $0)) }
}

/// The one cause of this outcome; nil where everything works and nothing surprises.
func primaryCause(_ situation: Situation, _ outcome: BindOutcome, _ deliveries: [Delivery]) -> Cause? {
  if let refused = situation.refusedCall, outcome.verdict == .fails(refused.errno), outcome.blockers.isEmpty,
    refused.errno != .addressFamilyNotSupported, (outcome.bind == .ok) == (refused.name == "listen()")
  {
    return .refusedByPolicy
  }
  return switch outcome.verdict {
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

/// A sentence or two of a long text. What it says of Linux is shown by a real socket in the tests, what it says of another
/// system by the rules of that one.
package struct Statement: Sendable, Hashable, ExpressibleByStringLiteral {
  /// The name under which the tests show it; nil for advice, history and definitions.
  package var id: String?
  /// The sentence.
  package var text: String

  /// A literal is its own text.
  package init(stringLiteral value: String) {
    id = nil
    text = value
  }

  private init(id: String, text: String) {
    self.id = id
    self.text = text
  }

  /// A statement about Linux, or another system.
  static func shown(_ id: String, _ text: String) -> Statement { Statement(id: id, text: text) }
}

/// The parts of a long text.
package struct TopicText: Sendable, Hashable {
  /// One line, lower case, without a full stop.
  package var title: String
  /// The short form, of the manual page.
  package var summary: String
  /// What it is.
  package var what: [Statement]
  /// How to recognise it.
  package var signs: [Statement]
  /// What helps.
  package var helps: [Statement]
  /// What does not help, and why people think it does.
  package var ineffective: [Statement]
  /// What of it is not known for sure.
  package var doubts: [Statement] = []
  /// Manual pages, as `tcp(7)`.
  package var references: [String]

  /// The paragraphs, each with its heading: none for the first.
  package var sections: [(heading: String, statements: [Statement])] {
    [
      ("", what), ("how to recognise it", signs), ("what helps", helps), ("what does not help", ineffective),
      ("what is in doubt", doubts),
      ("see also", [Statement(stringLiteral: references.joined(separator: ", "))]),
    ].filter { !$0.1.isEmpty }
  }

  /// Everything it says.
  package var statements: [Statement] { what + signs + helps + ineffective + doubts }
}
