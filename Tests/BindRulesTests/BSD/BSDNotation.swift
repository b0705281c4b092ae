@testable import BindRules
import SocketModel

// The notation of the tables of BSD: `tcp 0.0.0.0 AP dual uid=5 listen`. Words: the protocol, the address, the letters of
// SO_REUSEADDR, SO_REUSEPORT and SO_REUSEPORT_LB, `v6only` or `dual` where IPV6_V6ONLY is set or cleared, the state
// (nothing for a bound socket; `disconnected` for one of UDP whose peer connect(2) took again, with `peer4` an IPv4
// one), `uid=`, `port=`, `scope=`. `A?`, `P?`, `v6only?` and `uid?` are facts that are not known.

struct BSDWords {
  var words: [String]

  init(_ text: String) { words = text.split(separator: " ").map(String.init) }

  var transport: TransportProtocol { words[0] == "udp" ? .udp : .tcp }
  var address: IPAddress { IPAddress(words[1]) ?? .v4(.any) }
  var options: BSDOptions {
    guard words.count > 2, let letters = words.dropFirst(2).first(where: { $0.allSatisfy("APL".contains) }) else {
      return []
    }
    var options: BSDOptions = []
    if letters.contains("A") { options.insert(.reuseaddr) }
    if letters.contains("P") { options.insert(.reuseport) }
    if letters.contains("L") { options.insert(.reuseportLB) }
    return options
  }
  var v6only: Bool? { has("v6only") ? true : has("dual") ? false : nil }

  func has(_ word: String) -> Bool { words.contains(word) }
  func number(_ name: String) -> UInt32? {
    words.first { $0.hasPrefix(name + "=") }.flatMap { UInt32($0.dropFirst(name.count + 1)) }
  }

  func attempt(_ port: Port = port) -> BSDAttempt {
    let plan = BindAttempt(
      transport: transport, address: address, scope: number("scope").flatMap(InterfaceIndex.init(kernel:)),
      port: number("port").map { Port(UInt16($0)) } ?? port, v6only: v6only ?? false, uid: number("uid") ?? 1001)
    return BSDAttempt(plan, v6only: v6only)
  }

  /// - Parameter v6only: What IPV6_V6ONLY is where the text leaves it to the system.
  func observation(v6only isDefault: Bool) -> SocketObservation {
    let state: SocketState =
      switch true {
      case has("listen"): .listen
      case has("connected"): .established
      case has("time-wait"): .timeWait
      case has("over"): .close
      default: .close
      }
    let isOver = has("over") || has("disconnected")
    let isConnected = has("connected") || has("time-wait") || isOver
    let isV6only = v6only ?? isDefault
    let peer: IPAddress =
      has("peer4") ? .v6(IPv6Address(mapping: .loopback)) : has("disconnected") ? .v6(.loopback) : address
    return SocketObservation(
      transport: transport, family: address.family, local: Endpoint(address: address, port: port),
      remote: isConnected ? Endpoint(address: peer, port: Port(isOver ? 0 : 50_000)) : nil, state: state,
      reuseaddr: has("A?") ? .unknown(.hidden) : .known(options.contains(.reuseaddr), .getsockopt),
      reuseport: has("P?") ? .unknown(.hidden) : .known(options.contains(.reuseport), .getsockopt),
      v6only: address.family == .ipv4 ? nil : has("v6only?") ? .unknown(.hidden) : .known(isV6only, .sockDiag),
      device: number("scope").flatMap(InterfaceIndex.init(kernel:)),
      uid: has("uid?") ? nil : number("uid") ?? 1001, inode: has("time-wait") ? nil : 1)
  }

  func facts(_ system: BSDSystem) -> PCBFacts? {
    var facts = PCBFacts(observation(v6only: system.isV6onlyByDefault), sharing: .reuseport, under: system)
    facts?.reuseportLB = options.contains(.reuseportLB)
    return facts
  }
}

/// Sockets bound in this order, the oldest first.
func bsdTable(_ texts: [String], _ system: BSDSystem, plannedUID: UInt32) -> PCBTable {
  let sockets = texts.enumerated().compactMap { index, text in
    BSDWords(text).facts(system).map { (index: index, facts: $0) }
  }
  return PCBTable(sockets.reversed(), order: .kernelList, plannedUID: plannedUID)
}

/// The host of the tables: 127.0.0.1/8, 192.0.2.10/24, ::1, 2001:db8::10 and fe80::1 on interface 1.
func bsdHost() -> HostFacts {
  var host = openHost()
  host.ipv4NonlocalBind = false
  host.ipv6NonlocalBind = false
  func route(_ address: IPv4Address, _ length: UInt8, _ type: RouteType) -> LocalRoute {
    LocalRoute(destination: address, prefixLength: length, type: type)
  }
  host.ipv4LocalRoutes = [
    route(IPv4Address(127, 0, 0, 0), 8, .local), route(.loopback, 32, .local),
    route(IPv4Address(127, 255, 255, 255), 32, .broadcast), route(IPv4Address(192, 0, 2, 10), 32, .local),
    route(IPv4Address(192, 0, 2, 0), 32, .broadcast), route(IPv4Address(192, 0, 2, 255), 32, .broadcast),
  ]
  host.ipv4AbsentTables = []
  host.ipv4RulesAreDefault = false
  host.ipv6Addresses = ["::1", "2001:db8::10", "fe80::1"].compactMap { text in
    IPAddress(text).map { InterfaceAddress(address: $0, interface: InterfaceIndex(rawValue: 1), flags: 0x80) }
  }
  return host
}

/// `ok`, `in-use`, the errno, or `?`.
func word(_ result: CallResult) -> String {
  switch result {
  case .ok: "ok"
  case .fails(let errno): errno == .addressInUse ? "in-use" : errno.description
  case .undetermined: "?"
  }
}

/// What a row's bind is answered on `system`.
func bsdOutcome(_ existing: [String], _ planned: String, _ system: BSDSystem) -> BSDOutcome? {
  let words = BSDWords(planned)
  let attempt = words.attempt()
  return bsdOutcome(
    of: attempt, words.options, among: bsdTable(existing, system, plannedUID: attempt.uid), bsdHost(), system)
}
