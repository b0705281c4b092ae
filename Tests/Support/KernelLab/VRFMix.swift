import SocketModel

/// Moves parts of a drawn scenario into `vrf0`, for namespaces that have one: devices, addresses, the sysctl
/// `tcp_l3mdev_accept`, and what changes after the binds. Drawn after all the rest, which stays what its seed and number
/// always meant.
enum VRFMix {
  static let device: Weighted<LabDevice?> = Weighted([
    (30, nil), (30, .vrf0), (25, .dev2), (10, .dev0), (5, .loopback),
  ])
  /// In hundredths: a holder or the attempt moves; its address follows; a client of a wildcard comes from there.
  static let moves = 60
  static let addressMoves = 50
  static let peerMoves = 50
  /// In hundredths: a bound or listening socket changes its device; the sysctl changes between listen(2) and a connection.
  static let change = 20
  static let acceptBetween = 20
  /// In hundredths: the sysctl is set from the start; it changes; `dev2` is released.
  static let accept = 30
  static let laterAccept = 25
  static let released = 10

  static func move(_ scenario: Scenario, _ random: inout SplitMix64) -> Scenario {
    var moved = scenario
    for index in moved.holders.indices { move(&moved.holders[index], &random) }
    if ScenarioGenerator.chance(moves, &random) {
      moved.attempt.device = device.draw(&random) ?? nil
      if let address = addressThere(moved.attempt.address, &random) {
        moved.attempt.address = address
        moved.attempt.scope = address.needsScopeThere ? .dev2 : nil
      }
    }
    let accepts = ScenarioGenerator.chance(accept, &random)
    moved.settings[.tcpL3mdevAccept] = accepts ? 1 : nil
    if ScenarioGenerator.chance(laterAccept, &random) {
      moved.later.append(.setting(.tcpL3mdevAccept, accepts ? 0 : 1))
    }
    if ScenarioGenerator.chance(released, &random) { moved.later.append(.released) }
    return moved
  }

  private static func move(_ holder: inout Holder, _ random: inout SplitMix64) {
    switch holder.kind {
    case .crowd, .spread, .neighbours: return
    default: break
    }
    guard ScenarioGenerator.chance(moves, &random) else { return }
    if holder.kind.hasConnection || holder.kind == .connected {
      // A connection within the VRF, or from there to a listener of no domain.
      guard holder.address.isUnspecified, case .v4 = holder.address else { return }
      let isInside = ScenarioGenerator.chance(50, &random)
      holder.device = isInside ? .vrf0 : nil
      if isInside || ScenarioGenerator.chance(peerMoves, &random) { holder.peer = .v4(IPv4Address(10, 79, 0, 1)) }
      if ScenarioGenerator.chance(acceptBetween, &random) {
        let moment: ChangeMoment = holder.kind.connects ? .afterBind : .afterListen
        holder.changes.append(Change(moment, .l3mdevAccept(ScenarioGenerator.chance(50, &random))))
      }
      return
    }
    holder.device = device.draw(&random) ?? nil
    if let address = addressThere(holder.address, &random) {
      holder.address = address
      holder.scope = address.needsScopeThere ? .dev2 : nil
    }
    guard holder.kind == .bound || holder.kind == .listening, ScenarioGenerator.chance(change, &random) else {
      return
    }
    let moment: ChangeMoment = ScenarioGenerator.chance(50, &random) ? .afterBind : .end
    holder.changes.append(Change(moment, .device(device.draw(&random) ?? nil)))
  }

  /// The address of the same sort on `dev2`; nil for leaving it as it is.
  private static func addressThere(_ address: IPAddress, _ random: inout SplitMix64) -> IPAddress? {
    guard !address.isUnspecified, ScenarioGenerator.chance(addressMoves, &random) else { return nil }
    switch address {
    case .v4: return .v4(IPv4Address(10, 79, 0, 1))
    case .v6(let v6) where v6.mapped != nil: return .v6(IPv6Address(mapping: IPv4Address(10, 79, 0, 1)))
    case .v6(let v6) where v6.isLinkLocal: return .v6(IPv6Address(high: 0xfe80 << 48, low: 0x79))
    case .v6: return .v6(IPv6Address(high: 0xfd79 << 48, low: 1))
    }
  }
}

extension IPAddress {
  fileprivate var needsScopeThere: Bool {
    if case .v6(let address) = self { address.isLinkLocal } else { false }
  }
}
