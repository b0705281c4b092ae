package import BindRules
package import SocketModel

/// Random scenarios, the same for the same seed and number on every machine.
package enum ScenarioGenerator {
  /// The scenario of this seed and number; each number stands for itself, none needs its predecessors.
  ///
  /// - Parameter vrf: with sockets in `vrf0`, for namespaces that have it.
  package static func scenario(seed: UInt64, number: UInt64, vrf: Bool = false) -> Scenario {
    var random = generator(seed, number)
    let drawn = scenario(&random)
    return vrf ? VRFMix.move(drawn, &random) : PlaceMix.move(drawn, &random)
  }

  /// A scenario of sockets as servers and clients make them, of which these options are usual.
  package static func ordinary(seed: UInt64, number: UInt64, servers: [UsualOptions]) -> Scenario {
    var random = generator(seed, number)
    return OrdinaryMix.scenario(servers, &random)
  }

  private static func generator(_ seed: UInt64, _ number: UInt64) -> SplitMix64 {
    var seeder = SplitMix64(seed: seed)
    return SplitMix64(seed: seeder.next() ^ number &* 0xd134_2543_de82_ef95)
  }

  /// The weights, a line for each table.
  package static var mix: String {
    func line<Value>(_ name: String, _ table: Weighted<Value>) -> String {
      "\(name): " + table.entries.map { "\(text($0.value))=\($0.weight)" }.joined(separator: " ")
    }
    return [
      line("holders", ScenarioMix.holderCount), line("transport", ScenarioMix.transport),
      "in 100: other transport=\(ScenarioMix.otherTransport) mptcp=\(ScenarioMix.mptcp) "
        + "privileged port=\(ScenarioMix.privilegedPort) without capability there="
        + "\(ScenarioMix.unprivilegedAttempt) elsewhere=\(ScenarioMix.unprivilegedElsewhere) "
        + "unusual address=\(ScenarioMix.unusualAddress) in udp=\(ScenarioMix.unusualAddressUDP) "
        + "sysctl=\(ScenarioMix.setting) change=\(ScenarioMix.change) second change=\(ScenarioMix.secondChange)",
      line("tcp", ScenarioMix.tcpKinds), line("udp", ScenarioMix.udpKinds), line("mptcp", ScenarioMix.mptcpKinds),
      line("port of clients", ScenarioMix.clientPort), line("port of others", ScenarioMix.boundPort),
      line("address", ScenarioMix.addresses), line("unusual address", ScenarioMix.unusualAddresses),
      line("peer of 0.0.0.0", ScenarioMix.ipv4Peers), line("peer of [::]", ScenarioMix.dualPeers),
      line("peer of [::] v6only", ScenarioMix.ipv6Peers), line("v6only", ScenarioMix.v6only),
      line("options (1 RA, 2 RP)", ScenarioMix.options), line("uid", ScenarioMix.uid),
      line("device", ScenarioMix.device), line("change", ScenarioMix.changeActions),
      line("sysctl", ScenarioMix.settings),
      "in 100: odd sysctl=\(PlaceMix.oddSetting) place=\(PlaceMix.share)", line("odd sysctl", PlaceMix.oddSettings),
      line("place", PlaceMix.places),
      "in 100: further place=\(PlaceMix.newShare)", line("further place", PlaceMix.newPlaces),
    ].joined(separator: "\n")
  }

  private static func text(_ value: Any) -> String {
    switch value {
    case let device as LabDevice: device.rawValue
    case let port as PortChoice: port.rawValue
    case let transport as TransportProtocol: transport.rawValue
    case let action as ChangeAction: String(Change(.end, action).description.dropFirst("end:".count))
    case let optional as any OptionalText: optional.text
    default: "\(value)"
    }
  }

  private static func scenario(_ random: inout SplitMix64) -> Scenario {
    let transport = ScenarioMix.transport.draw(&random) ?? .tcp
    let count = ScenarioMix.holderCount.draw(&random) ?? 1
    var holders: [Holder] = []
    for _ in 0..<count {
      let other = chance(ScenarioMix.otherTransport, &random)
      holders.append(holder(other ? transport.other : transport, &random))
    }
    let privileged = chance(ScenarioMix.privilegedPort, &random)
    let attempt = attempt(transport, privileged: privileged, &random)
    return Scenario(
      holders, attempt, port: privileged ? .privileged : .ordinary, settings: settings(&random))
  }

  private static func settings(_ random: inout SplitMix64) -> [HostSetting: Int] {
    guard chance(ScenarioMix.setting, &random) else { return [:] }
    var settings: [HostSetting: Int] = [:]
    repeat {
      guard let choice = ScenarioMix.settings.draw(&random) else { break }
      settings[choice.setting] = choice.value
    } while chance(30, &random)
    return settings
  }

  /// The weights of the ordinary mix, a line for each table.
  package static var ordinaryMix: String {
    func line<Value>(_ name: String, _ table: Weighted<Value>) -> String {
      "\(name): " + table.entries.map { "\(text($0.value))=\($0.weight)" }.joined(separator: " ")
    }
    return [
      line("holders", OrdinaryMix.count), line("tcp", OrdinaryMix.tcpKinds), line("udp", OrdinaryMix.udpKinds),
      line("address", OrdinaryMix.addresses), line("address of clients", OrdinaryMix.clientAddresses),
      line("uid", OrdinaryMix.uid), line("udp options (1 RA, 2 RP)", OrdinaryMix.udpOptions),
      "in 100: udp=\(OrdinaryMix.udp) privileged=\(OrdinaryMix.privileged) second worker with RP=\(OrdinaryMix.worker)",
    ].joined(separator: "\n")
  }

  /// Every kind of holder that the mix can draw, each once, in the order of its tables.
  package static var kinds: [(transport: HolderProtocol, kind: HolderKind)] {
    ScenarioMix.tcpKinds.entries.map { (.tcp, $0.value) } + ScenarioMix.mptcpKinds.entries.map { (.mptcp, $0.value) }
      + ScenarioMix.udpKinds.entries.map { (.udp, $0.value) }
  }

  /// Every address that the mix can draw for an attempt.
  package static var addresses: [IPAddress] {
    (ScenarioMix.addresses.entries + ScenarioMix.unusualAddresses.entries).map(\.value)
  }

  static func chance(_ hundredths: Int, _ random: inout SplitMix64) -> Bool {
    Int(random.next() % 100) < hundredths
  }

  // MARK: the attempt

  private static func attempt(
    _ transport: TransportProtocol, privileged: Bool, _ random: inout SplitMix64
  ) -> Attempt {
    let address = address(&random, transport, unusual: true)
    let v6only = address.family == .ipv6 ? ScenarioMix.v6only.draw(&random) ?? nil : nil
    let device = ScenarioMix.device.draw(&random) ?? nil
    let uid = ScenarioMix.uid.draw(&random) ?? 0
    let share = privileged ? ScenarioMix.unprivilegedAttempt : ScenarioMix.unprivilegedElsewhere
    let denied = chance(share, &random)
    return Attempt(
      transport, address, v6only: v6only, device: device, scope: scope(address, &random), uid: uid,
      mayBindPrivileged: !denied)
  }

  private static func address(
    _ random: inout SplitMix64, _ transport: TransportProtocol, unusual: Bool
  ) -> IPAddress {
    let share = transport == .udp ? ScenarioMix.unusualAddressUDP : ScenarioMix.unusualAddress
    let table = unusual && chance(share, &random) ? ScenarioMix.unusualAddresses : ScenarioMix.addresses
    return table.draw(&random) ?? .v4(.any)
  }

  /// Link-local addresses mostly come with their interface.
  private static func scope(_ address: IPAddress, _ random: inout SplitMix64) -> LabDevice? {
    guard case .v6(let v6) = address, v6.isLinkLocal || v6.high >> 48 == 0xff02 else { return nil }
    let draw = random.next() % 10
    return draw < 8 ? .dev0 : draw == 8 ? .dev1 : nil
  }

  // MARK: a holder

  private static func holder(_ transport: TransportProtocol, _ random: inout SplitMix64) -> Holder {
    let isMPTCP = transport == .tcp && chance(ScenarioMix.mptcp, &random)
    let proto: HolderProtocol = transport == .udp ? .udp : isMPTCP ? .mptcp : .tcp
    let table =
      switch proto {
      case .tcp: ScenarioMix.tcpKinds
      case .udp: ScenarioMix.udpKinds
      case .mptcp: ScenarioMix.mptcpKinds
      }
    let kind = table.draw(&random) ?? .bound
    let address = address(&random, transport, unusual: [.bound, .listening, .visitor].contains(kind))
    var holder = Holder(kind, proto, address)
    holder.scope = scope(address, &random)
    holder.options = ReuseOptions(rawValue: ScenarioMix.options.draw(&random) ?? 0)
    if address.family == .ipv6 { holder.v6only = ScenarioMix.v6only.draw(&random) ?? nil }
    holder.uid = ScenarioMix.uid.draw(&random) ?? 0
    holder.acceptUID = chance(70, &random) ? holder.uid : ScenarioMix.uid.draw(&random) ?? 0
    if chance(10, &random) { holder.owner = ScenarioMix.uid.draw(&random) ?? 0 }
    holder.port = (kind.connects ? ScenarioMix.clientPort : ScenarioMix.boundPort).draw(&random) ?? .explicit
    let device = ScenarioMix.device.draw(&random) ?? nil
    holder.device = device.flatMap { kind.hasConnection && !carries(address, $0) ? .loopback : $0 }
    holder.peer = peer(holder, &random)
    addChanges(to: &holder, &random)
    return holder
  }

  /// Whether packets to this address can come in by this interface.
  private static func carries(_ address: IPAddress, _ device: LabDevice) -> Bool {
    switch (device, address.description) {
    case (.dev0, "0.0.0.0"), (.dev0, "10.77.0.1"), (.dev1, "0.0.0.0"), (.dev1, "10.78.0.1"): true
    case (.dev0, _), (.dev1, _): false
    default: true
    }
  }

  private static func peer(_ holder: Holder, _ random: inout SplitMix64) -> IPAddress? {
    guard holder.device != .dev0, holder.device != .dev1 else { return nil }
    switch holder.address.description {
    case "0.0.0.0", "::ffff:0.0.0.0": return ScenarioMix.ipv4Peers.draw(&random)
    case "::" where holder.v6only == true: return ScenarioMix.ipv6Peers.draw(&random)
    case "::": return ScenarioMix.dualPeers.draw(&random)
    default: return nil
    }
  }

  private static func addChanges(to holder: inout Holder, _ random: inout SplitMix64) {
    guard chance(ScenarioMix.change, &random) else { return }
    repeat {
      let moments = ChangeMoment.allCases
      let moment = moments[Int(random.next() % UInt64(moments.count))]
      guard let action = ScenarioMix.changeActions.draw(&random) else { return }
      // Moving a socket with connections to another device cuts them off: only what is bound or listens moves.
      if case .device = action, holder.kind.hasConnection { continue }
      // TCP_REPAIR is refused in LISTEN, and changes how a connection ends.
      if case .repair = action, holder.kind != .bound || holder.transport != .tcp { continue }
      holder.changes.append(Change(moment, action))
    } while chance(ScenarioMix.secondChange, &random) && holder.changes.count < 2
  }
}

extension HolderKind {
  /// Whether the main socket calls connect(2).
  var connects: Bool {
    switch self {
    case .client, .synSent, .disconnected, .refused, .selfConnected, .connected: true
    default: false
    }
  }

  /// Whether packets have to get through.
  var hasConnection: Bool {
    switch self {
    case .bound, .listening, .shutDownListener, .crowd, .spread, .neighbours, .visitor, .connected: false
    default: true
    }
  }
}

/// Prints what an optional holds, and `-` for nil.
private protocol OptionalText { var text: String { get } }
extension Optional: OptionalText {
  fileprivate var text: String {
    guard let self else { return "-" }
    return if let device = self as? LabDevice { device.rawValue } else { "\(self)" }
  }
}
