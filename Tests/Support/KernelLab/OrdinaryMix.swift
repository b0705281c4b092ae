import BindRules
import SocketModel

/// Sockets as servers and clients really make them: no option is changed after bind(2), servers have what their runtime
/// sets, clients nothing, neither an option nor an address, and the port of a client is one that connect(2) takes.
enum OrdinaryMix {
  static let count = Weighted([(6, 1), (3, 2), (1, 3)])
  /// In hundredths.
  static let udp = 20
  static let privileged = 15
  static let tcpKinds: Weighted<HolderKind> = Weighted([
    (40, .listening), (14, .child(.established, listenerStays: true)), (10, .child(.timeWait, listenerStays: true)),
    (12, .child(.timeWait, listenerStays: false)), (3, .child(.established, listenerStays: false)),
    (3, .child(.finWait2TimeWait, listenerStays: false)), (3, .child(.closeWait, listenerStays: true)),
    (3, .queuedChild), (2, .bound), (8, .client(.established)), (4, .client(.timeWait)),
  ])
  static let udpKinds: Weighted<HolderKind> = Weighted([(80, .bound), (20, .connected)])
  static let addresses: Weighted<IPAddress> = Weighted(
    [(34, "0.0.0.0"), (20, "127.0.0.1"), (26, "::"), (6, "::1"), (9, "10.77.0.1"), (5, "fd77::1")]
      .compactMap { weight, text in IPAddress(text).map { (weight, $0) } })
  static let uid = Weighted([(60, UInt32(0)), (30, 1000), (10, 1001)])
  static let udpOptions = Weighted([(94, UInt8(0)), (3, 1), (3, 2)])
  static let clientAddresses: Weighted<IPAddress> = Weighted([(3, .v4(.any)), (2, .v6(.any))])
  /// In hundredths: a server with SO_REUSEPORT has a second socket, for a second worker.
  static let worker = 60

  static func scenario(_ servers: [UsualOptions], _ random: inout SplitMix64) -> Scenario {
    let isUDP = ScenarioGenerator.chance(udp, &random)
    let count = count.draw(&random) ?? 1
    let all = (0..<count).flatMap { _ in holders(isUDP, servers, &random) }
    let isPrivileged = ScenarioGenerator.chance(privileged, &random)
    let hasClient = all.contains { $0.kind.connects && $0.transport == .tcp }
    let address = addresses.draw(&random) ?? .v4(.any)
    let uid = uid.draw(&random) ?? 0
    let v6only = server(servers, &random)?.v6only
    let attempt = Attempt(
      isUDP ? .udp : .tcp, address, v6only: address.family == .ipv6 && !isUDP ? v6only : nil, uid: uid,
      mayBindPrivileged: uid == 0)
    return Scenario(all, attempt, port: hasClient ? .ephemeral : isPrivileged ? .privileged : .ordinary)
  }

  /// One socket, or those of a server with two workers.
  private static func holders(_ isUDP: Bool, _ servers: [UsualOptions], _ random: inout SplitMix64) -> [Holder] {
    let first = holder(isUDP, servers, &random)
    guard first.options.contains(.reuseport), !first.kind.connects, ScenarioGenerator.chance(worker, &random) else {
      return [first]
    }
    var second = first
    second.kind = isUDP ? .bound : .listening
    return [first, second]
  }

  private static func holder(_ isUDP: Bool, _ servers: [UsualOptions], _ random: inout SplitMix64) -> Holder {
    let kind = (isUDP ? udpKinds : tcpKinds).draw(&random) ?? .bound
    let address = (kind.connects ? clientAddresses : addresses).draw(&random) ?? .v4(.any)
    var holder = Holder(kind, isUDP ? .udp : .tcp, address)
    holder.uid = uid.draw(&random) ?? 0
    holder.acceptUID = holder.uid
    let server = server(servers, &random)
    if isUDP {
      holder.options = ReuseOptions(rawValue: udpOptions.draw(&random) ?? 0)
    } else if !kind.connects, let server {
      if server.reuseaddr { holder.options.insert(.reuseaddr) }
      if server.reuseport { holder.options.insert(.reuseport) }
      if holder.address.family == .ipv6 { holder.v6only = server.v6only }
    }
    return holder
  }

  private static func server(_ servers: [UsualOptions], _ random: inout SplitMix64) -> UsualOptions? {
    servers.isEmpty ? nil : servers[Int(random.next() % UInt64(servers.count))]
  }
}
