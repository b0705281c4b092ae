import BindRules
package import SocketModel

/// Who gets a part of the port's traffic once the planned socket shares the port.
public struct Delivery: Sendable, Hashable {
  /// What is received.
  package enum Traffic: String, Sendable, Hashable, CaseIterable {
    /// New TCP connections.
    case connections
    /// UDP datagrams to one address of the host.
    case unicast
    /// UDP datagrams to a multicast or broadcast address.
    case multicast
  }

  /// Who receives it.
  package enum Receiver: String, Sendable, Hashable, CaseIterable {
    /// The planned socket alone.
    case this
    /// One of the other sockets.
    case others
    /// Each connection or peer goes to one of them, the planned socket included.
    case split
    /// Each of them gets a copy.
    case each
  }

  /// Why; `rawValue` is stable and in the report.
  package enum Rule: String, Sendable, Hashable, CaseIterable {
    /// A connected UDP socket gets what its peer sends.
    case connectedFirst = "connected-first"
    /// A socket bound to exactly the address goes before one bound to the wildcard.
    case specificFirst = "specific-first"
    /// A socket bound to a device goes before one that is not.
    case deviceFirst = "device-first"
    /// IPv4 traffic goes to an AF_INET socket before an AF_INET6 one.
    case ipv4First = "ipv4-first"
    /// Of equal UDP sockets the last bound one is found first, of TCP listeners the last to listen.
    case lastBound = "last-bound"
    /// Sockets of AF_INET6 with SO_REUSEPORT are found after all equal ones.
    case reuseportLast = "reuseport-last"
    /// A group with SO_REUSEPORT: a hash of addresses and ports picks one.
    case reuseportHash = "reuseport-hash"
    /// Every socket that joined the multicast group gets a copy.
    case multicastCopy = "multicast-copy"
  }

  /// What is received.
  package var traffic: Traffic
  /// The family of the packets; nil for both.
  package var family: AddressFamily?
  /// Who receives it.
  package var receiver: Receiver
  /// The rule by which it does.
  package var rule: Rule
  /// The other sockets it is about (indices into `Snapshot.sockets`), ascending.
  package var sockets: [Int]
  /// One sentence, lower case, without a full stop.
  public var text: String

  /// What `sockets` receive or lose.
  package init(
    traffic: Traffic, family: AddressFamily?, receiver: Receiver, rule: Rule, sockets: [Int], text: String
  ) {
    self.traffic = traffic
    self.family = family
    self.receiver = receiver
    self.rule = rule
    self.sockets = sockets
    self.text = text
  }

  /// Whether traffic moves from or to sockets that others hold: what nobody notices, for no call fails.
  package var concernsOthers: Bool { rule != .connectedFirst }
}

/// Who gets the traffic where the planned bind works beside other sockets.
///
/// Kernel functions `inet_lhash2_lookup` (TCP), `udp4_lib_lookup2` and `__udp4_lib_mcast_deliver` and their IPv6
/// twins. Which sockets joined a multicast group cannot be seen per socket.
func deliveriesBesideOthers(_ situation: Situation, _ outcome: BindOutcome) -> [Delivery] {
  let planned = ReceivingSocket(situation.attempt, outcome.options)
  let others = situation.snapshot.sockets.indices.compactMap {
    ReceivingSocket(situation.snapshot.sockets[$0], index: $0)
  }
  .filter { $0.hasDeviceInCommon(with: planned) }
  var deliveries: [Delivery] = []
  for family in AddressFamily.allCases {
    for share in shares(planned, others, family, situation.attempt.transport) {
      if let index = deliveries.firstIndex(where: { $0.isSame(as: share) }) {
        deliveries[index].family = nil
      } else {
        deliveries.append(share.delivery(family, situation, planned))
      }
    }
  }
  return deliveries
}

/// A socket as the look-up of an incoming packet sees it.
private struct ReceivingSocket {
  /// nil for the planned one.
  var index: Int?
  var family: AddressFamily
  /// IPv4-mapped addresses as IPv4.
  var address: IPAddress
  var takesIPv4: Bool
  var v6only: Bool
  var device: InterfaceIndex?
  var reuseport: Bool
  var uid: UInt32?
  var isConnected: Bool

  init(_ attempt: BindAttempt, _ options: ReuseOptions) {
    family = attempt.family
    address = attempt.address.plain
    // A bind to one IPv6 address sets the option (`__inet6_bind`).
    v6only = attempt.v6only || (address.family == .ipv6 && !address.isUnspecified)
    takesIPv4 = address.family == .ipv4 || (address.isUnspecified && !attempt.v6only)
    if case .interface(let index, _) = attempt.device { device = index } else { device = attempt.scope }
    reuseport = options.contains(.reuseport)
    uid = attempt.uid
    isConnected = false
  }

  /// nil for a socket that gets no new traffic: of TCP only listeners do.
  init?(_ socket: SocketObservation, index: Int) {
    guard socket.transport == .udp || socket.state == .listen else { return nil }
    self.index = index
    family = socket.family
    address = socket.local.address.plain
    v6only = socket.v6only?.sure ?? false
    takesIPv4 = address.family == .ipv4 || (address.isUnspecified && !v6only)
    device = socket.device
    reuseport = socket.reuseport.sure ?? false
    uid = socket.uid
    isConnected = socket.remote != nil
  }

  /// Wildcards of either family stand for the same.
  func hasSameAddress(as other: ReceivingSocket) -> Bool {
    address == other.address || (address.isUnspecified && other.address.isUnspecified)
  }

  func takes(_ traffic: AddressFamily) -> Bool { traffic == .ipv4 ? takesIPv4 : address.family == .ipv6 }

  func hasDeviceInCommon(with other: ReceivingSocket) -> Bool {
    device == nil || other.device == nil || device == other.device
  }

  var isAppended: Bool { family == .ipv6 && reuseport }

  /// Whether both are in one SO_REUSEPORT group (`reuseport_add_sock`, `udp_reuseport_add_sock`).
  func sharesGroup(with other: ReceivingSocket) -> Bool {
    reuseport && other.reuseport && uid == other.uid && family == other.family && v6only == other.v6only
      && device == other.device && address == other.address
  }
}

/// How the planned socket and some others split the traffic of one family.
private struct Share {
  var traffic: Delivery.Traffic
  var receiver: Delivery.Receiver
  var rule: Delivery.Rule
  var sockets: [Int]
}

private func shares(
  _ planned: ReceivingSocket, _ others: [ReceivingSocket], _ traffic: AddressFamily, _ transport: TransportProtocol
) -> [Share] {
  guard planned.takes(traffic) else { return [] }
  let rivals = others.filter { other in
    other.takes(traffic)
      && (other.address == planned.address || other.address.isUnspecified || planned.address.isUnspecified)
  }
  var shares: [Share] = []
  if !planned.address.isMulticast {
    let kind: Delivery.Traffic = transport == .tcp ? .connections : .unicast
    let single = rivals.filter { !$0.address.isMulticast }
    // In the hash chain of an address, new sockets stand first, but those of AF_INET6 with SO_REUSEPORT last.
    let comesAfter = single.contains { rival in
      planned.isAppended && rival.address == planned.address && rival.family == .ipv6 && !rival.isConnected
        && !rival.reuseport
    }
    shares = grouped(single.map { other in (other.index, order(planned, other, traffic, comesAfter)) }, kind)
  }
  let mayBeMulticast = planned.address.isMulticast || planned.address.isUnspecified
  let members = rivals.filter { !$0.isConnected && ($0.address.isUnspecified || $0.address.isMulticast) }
  if transport == .udp, mayBeMulticast, !members.isEmpty {
    shares.append(
      Share(traffic: .multicast, receiver: .each, rule: .multicastCopy, sockets: members.compactMap(\.index)))
  }
  return shares
}

private func grouped(
  _ pairs: [(Int?, (receiver: Delivery.Receiver, rule: Delivery.Rule))], _ traffic: Delivery.Traffic
) -> [Share] {
  var shares: [Share] = []
  for (index, order) in pairs {
    guard let index else { continue }
    if let place = shares.firstIndex(where: { $0.rule == order.rule && $0.receiver == order.receiver }) {
      shares[place].sockets.append(index)
    } else {
      shares.append(Share(traffic: traffic, receiver: order.receiver, rule: order.rule, sockets: [index]))
    }
  }
  return shares
}

/// Which of two sockets that both match a packet gets it; `comesAfter` says that a socket without SO_REUSEPORT stands
/// before the planned one.
private func order(
  _ planned: ReceivingSocket, _ other: ReceivingSocket, _ traffic: AddressFamily, _ comesAfter: Bool
) -> (receiver: Delivery.Receiver, rule: Delivery.Rule) {
  if other.isConnected { return (.others, .connectedFirst) }
  if !planned.hasSameAddress(as: other) { return (planned.address.isUnspecified ? .others : .this, .specificFirst) }
  if traffic == .ipv4, planned.family != other.family {
    return (planned.family == .ipv4 ? .this : .others, .ipv4First)
  }
  if planned.device != other.device { return (planned.device == nil ? .others : .this, .deviceFirst) }
  if planned.sharesGroup(with: other) { return comesAfter ? (.others, .reuseportLast) : (.split, .reuseportHash) }
  return planned.isAppended ? (.others, .reuseportLast) : (.this, .lastBound)
}

extension Delivery {
  fileprivate func isSame(as share: Share) -> Bool {
    traffic == share.traffic && receiver == share.receiver && rule == share.rule && sockets == share.sockets
  }
}

extension Share {
  fileprivate func delivery(_ family: AddressFamily, _ situation: Situation, _ planned: ReceivingSocket) -> Delivery {
    let holders = sockets.map { situation.snapshot.sockets[$0].holderText }.reduce(into: [String]()) {
      if !$0.contains($1) { $0.append($1) }
    }.listed()
    let what = traffic == .connections ? "new connections" : "datagrams"
    let ofIPv4 = traffic == .connections ? "new IPv4 connections" : "IPv4 datagrams"
    let text: String
    switch (rule, receiver) {
    case (.connectedFirst, _): text = "what the peers of connected sockets send goes to them (\(holders))"
    case (.specificFirst, .this):
      text = "takes the \(what) to \(planned.address) away from \(holders), and nobody is told"
    case (.specificFirst, _): text = "\(what) to the addresses that \(holders) bound still go there"
    case (.deviceFirst, .this): text = "takes the \(what) of its device away from \(holders)"
    case (.deviceFirst, _): text = "\(what) of their devices still go to \(holders)"
    case (.ipv4First, .this): text = "takes the \(ofIPv4) away from \(holders)"
    case (.ipv4First, _): text = "\(ofIPv4) still go to \(holders)"
    case (.lastBound, _) where traffic == .connections:
      text = "takes all new connections away from \(holders): the socket that listens last gets them"
    case (.lastBound, _): text = "takes all unicast datagrams away from \(holders): the last bound socket gets them"
    case (.reuseportLast, _): text = "\(traffic == .connections ? what : "unicast datagrams") still go to \(holders)"
    case (.reuseportHash, _): text = "\(what) are split between this socket and \(holders), and nobody is told"
    case (.multicastCopy, _):
      text = "each socket that joined a multicast group gets a copy; who joined cannot be seen per socket"
    }
    return Delivery(
      traffic: traffic, family: family, receiver: receiver, rule: rule, sockets: sockets, text: text)
  }
}
