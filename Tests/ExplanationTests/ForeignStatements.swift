@testable import BindRules
import KernelLab
import SocketModel

/// What the long texts say of other systems, asked of their rules, and what they say of Linux beside it.
let foreignStatements: [String: Check] = [
  "linux.users": { lab in
    let any = ip("0.0.0.0")
    let theirs = Holder(.bound, .udp, any, options: reuseaddr, uid: 1000)
    return try lab.result([theirs], Attempt(.udp, any, uid: 1001), reuseaddr) == "ok"
      && lab.result([Holder(.bound, .udp, any, options: reuseport, uid: 1000)], Attempt(.udp, any), reuseport)
        == inUse
  },
  "linux.group": { lab in
    let group = ip("239.1.1.1")
    return try lab.result([Holder(.bound, .udp, group, options: reuseport)], Attempt(.udp, group), reuseaddr) == inUse
      && lab.result([Holder(.bound, .udp, group, options: reuseaddr)], Attempt(.udp, group), reuseport) == inUse
  },
  "bsd.new-option": { _ in
    let remains = [old("127.0.0.1", .timeWait), old("127.0.0.1", .established)]
    return remains.allSatisfy {
      answer("127.0.0.1", .reuseaddr, [$0]) == .ok && answer("127.0.0.1", [], [$0]) == inUseThere
    }
  },
  "bsd.exact-address": { _ in
    answer("127.0.0.1", .reuseaddr, [old("0.0.0.0")]) == .ok
      && answer("0.0.0.0", .reuseaddr, [old("127.0.0.1")]) == .ok
  },
  "bsd.udp-reuseaddr": { _ in
    answer("0.0.0.0", .reuseaddr, [old("0.0.0.0", .close, .reuseaddr, .udp)], .udp) == inUseThere
      && answer("0.0.0.0", .reuseport, [old("0.0.0.0", .close, .reuseport, .udp)], .udp) == .ok
  },
  "bsd.newest": { _ in
    [TransportProtocol.tcp, .udp].allSatisfy { transport in
      ["0.0.0.0", "127.0.0.1"].allSatisfy { receiver($0, transport, .freebsd) == .one(.planned) }
        && [BSDSystem.freebsd13, .macos].allSatisfy { receiver("127.0.0.1", transport, $0) == .one(.planned) }
    }
  },
  "bsd.oldest-wildcard": { _ in
    [BSDSystem.freebsd13, .macos].allSatisfy { receiver("0.0.0.0", .tcp, $0) == .one(.socket(0)) }
  },
  "bsd.balanced": { _ in
    if case .hash = receiver("0.0.0.0", .tcp, .freebsd, balanced: true) {
      return receiver("::", .tcp, .freebsd, balanced: true, v6only: false) == .one(.planned)
    }
    return false
  },
  "bsd.v6only": { _ in
    let there = old("::", v6only: true)
    return answer("0.0.0.0", [], [there]) == .ok && BSDSystem.freebsd.isV6onlyByDefault
      && answer("::ffff:127.0.0.1", [], []) == .fails(.addressNotAvailable)
  },
  "bsd.loopback-net": { _ in
    answer("127.0.0.2", [], []) == .fails(.addressNotAvailable) && answer("127.0.0.1", [], []) == .ok
  },
  "bsd.users": { _ in
    let theirs = [old("0.0.0.0", .listen, [.reuseaddr, .reuseport], uid: 5)]
    return ReuseOptions.combinations.allSatisfy { answer("127.0.0.1", $0, theirs) == inUseThere }
      && answer("127.0.0.1", .reuseaddr, theirs, uid: 0) == .ok
      && answer("0.0.0.0", .reuseport, theirs, uid: 0) == .ok
  },
  "bsd.group": { _ in
    let group = "239.1.1.1"
    return answer(group, .reuseaddr, [old(group, .close, .reuseport, .udp, uid: 5)], .udp) == .ok
      && answer(group, .reuseport, [old(group, .close, .reuseaddr, .udp, uid: 5)], .udp) == .ok
  },
  "bsd.joined": { _ in
    let group = ip("239.1.1.1")
    let sockets = [(1, true, false), (2, true, true), (3, false, true), (4, true, true)].compactMap {
      (index, hasJoined, hasOption) in
      PCBFacts(old("239.1.1.1", .close, hasOption ? .reuseaddr : [], .udp), sharing: .reuseport, under: .freebsd).map
      {
        BSDReceivingSocket(member: .socket(index), facts: $0, membership: hasJoined ? .thisGroup : .none)
      }
    }
    // The newest first: the one that did not join gets nothing, and what is older than the one without options neither.
    let table = BSDReceivingTable(sockets: sockets.reversed(), order: .kernelList, system: .freebsd)
    let cut = BSDReceivingTable(sockets: sockets, order: .kernelList, system: .freebsd)
    let packet = BSDPacket(transport: .udp, destination: .address(group))
    return table.receiver(of: packet) == .each([.socket(4), .socket(2), .socket(1)])
      && cut.receiver(of: packet) == .one(.socket(1))
  },
  "bsd.forgiven": { _ in
    let specific = old("127.0.0.1", .listen, .reuseaddr)
    return answer("::", [], [old("0.0.0.0"), specific], v6only: false) == .ok
      && answer("::", [], [specific], v6only: false) == inUseThere
  },
  "bsd.disconnected": { _ in
    var socket = old("::", .close, [], .udp)
    socket.remote = Endpoint(address: ip("::1"), port: Port(0))
    return answer("::", [], [socket], .udp) == .ok && answer("::", [], [socket], .udp, system: .freebsd14) == .ok
      && answer("::", [], [socket], .udp, system: .freebsd13) == inUseThere
  },
  "bsd.tie": { _ in
    let facts = [old("0.0.0.0", uid: 5), old("127.0.0.1", .established, uid: 5)].enumerated().compactMap {
      index, socket in
      PCBFacts(socket, sharing: .reuseport, under: .freebsd).map { (index: index, facts: $0) }
    }
    let table = PCBTable(facts.reversed(), order: .kernelList, plannedUID: 1000)
    let bind = BSDAttempt(plan("127.0.0.1", .tcp, 1000), v6only: nil)
    return bsdOutcome(of: bind, .reuseaddr, among: table, foreignHost, .freebsd)?.bind == .ok
  },
  "bsd.balanced-users": { _ in
    let theirs = Snapshot(host: foreignHost, sockets: [old("0.0.0.0", .listen, .reuseport, uid: 5)])
    let bind = BSDAttempt(plan("0.0.0.0", .tcp, 1000), v6only: nil)
    func answer(_ system: BSDSystem) -> CallResult? {
      bsdOutcomes(of: bind, in: theirs, under: system, sharing: .reuseportLB).first { $0.options == .reuseportLB }?
        .bind
    }
    return answer(.freebsd13) == .ok && answer(.freebsd14) == .ok && answer(.freebsd) == inUseThere
  },
  "bsd.v4-first": { _ in
    answer("::", [], [old("0.0.0.0")], v6only: false) == .ok
      && answer("0.0.0.0", [], [old("::", v6only: false)]) == inUseThere
  },
  "bsd.no-listen-state": { _ in answer("0.0.0.0", .reuseaddr, [old("0.0.0.0", .close, .reuseaddr)]) == inUseThere },
  "mac.users": { _ in
    answer("0.0.0.0", .reuseport, [old("0.0.0.0", .listen, .reuseport, uid: 5)], system: .macos) == .ok
      && answer("127.0.0.1", .reuseport, [old("127.0.0.1", .listen, .reuseport, uid: 5)], system: .macos)
        == inUseThere
  },
  "mac.connections": { _ in
    [SocketState.timeWait, .established].allSatisfy {
      answer("127.0.0.1", .reuseaddr, [old("127.0.0.1", $0, .reuseaddr, uid: 5)], system: .macos) == inUseThere
    }
  },
  "mac.reserved": { _ in
    answer("0.0.0.0", [], [], port: 80, system: .macos) == .ok
      && answer("127.0.0.1", [], [], port: 80, system: .macos) == .fails(.accessDenied)
  },
  "mac.v6only": { _ in
    !BSDSystem.macos.isV6onlyByDefault && answer("::ffff:127.0.0.1", [], [], system: .macos) == .ok
  },
  "mac.group": { _ in
    let group = "239.1.1.1"
    return answer(group, .reuseaddr, [old(group, .close, .reuseport, .udp)], .udp, system: .macos) == .ok
      && answer(group, .reuseport, [old(group, .close, .reuseaddr, .udp)], .udp, system: .macos) == inUseThere
  },
  "mac.oldest": { _ in receiver("0.0.0.0", .udp, .macos) == .one(.socket(0)) },
  "mac.newest": { _ in
    receiver("127.0.0.1", .udp, .macos) == .one(.planned) && BSDSystem.macos.combinations.count == 4
  },
  "mac.silent": { _ in
    let sockets = [old("127.0.0.1", .listen, .reuseport), old("127.0.0.1", .close, .reuseport)]
    return found("127.0.0.1", sockets, .macos) == .silence(.socket(1))
  },
  "mac.inferred": { _ in
    answer("fe80::1", [], [], system: .macos) == .fails(.addressNotAvailable)
      && answer("192.0.2.255", [], [], .udp, system: .macos) == .ok
  },
  "mac.v4-first": { _ in
    answer("::", [], [old("0.0.0.0")], v6only: false, system: .macos) == .ok
      && answer("0.0.0.0", [], [old("::", v6only: false)], system: .macos) == inUseThere
  },
]

private let inUseThere = CallResult.fails(.addressInUse)

private let foreignHost: HostFacts = {
  var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 0)
  host.ipv4LocalRoutes = [
    LocalRoute(destination: IPv4Address(127, 0, 0, 0), prefixLength: 8, type: .local),
    LocalRoute(destination: .loopback, prefixLength: 32, type: .local),
    LocalRoute(destination: IPv4Address(192, 0, 2, 255), prefixLength: 32, type: .broadcast),
  ]
  host.ipv6Addresses = []
  host.interfaces = []
  return host
}()

private func old(
  _ address: String, _ state: SocketState = .listen, _ options: ReuseOptions = [],
  _ transport: TransportProtocol = .tcp,
  uid: UInt32 = 1000, v6only: Bool = true
) -> SocketObservation {
  let address = ip(address)
  return SocketObservation(
    transport: transport, family: address.family, local: Endpoint(address: address, port: Port(8080)),
    remote: [.established, .timeWait].contains(state) ? Endpoint(address: address, port: Port(50_000)) : nil,
    state: state, reuseaddr: .known(options.contains(.reuseaddr), .bpf),
    reuseport: .known(options.contains(.reuseport), .bpf),
    v6only: address.family == .ipv6 ? .known(v6only, .sockDiag) : nil, uid: uid)
}

private func plan(_ address: String, _ transport: TransportProtocol, _ uid: UInt32, port: UInt16 = 8080)
  -> BindAttempt
{
  BindAttempt(transport: transport, address: ip(address), port: Port(port), uid: uid)
}

private func answer(
  _ address: String, _ options: ReuseOptions, _ sockets: [SocketObservation], _ transport: TransportProtocol = .tcp,
  uid: UInt32 = 1000, v6only: Bool? = nil, port: UInt16 = 8080, system: BSDSystem = .freebsd
) -> CallResult? {
  bsdOutcomes(
    of: BSDAttempt(plan(address, transport, uid, port: port), v6only: v6only),
    in: Snapshot(host: foreignHost, sockets: sockets), under: system
  ).first { $0.options == BSDOptions(options) }?.expected
}

/// Who gets what is sent to the address, where one socket with SO_REUSEPORT (or SO_REUSEPORT_LB) is there and another comes.
private func receiver(
  _ address: String, _ transport: TransportProtocol, _ system: BSDSystem, balanced: Bool = false, v6only: Bool = true
) -> BSDReceiver {
  let there = old(address, transport == .tcp ? .listen : .close, .reuseport, transport, v6only: v6only)
  let options: BSDOptions = balanced ? .reuseportLB : .reuseport
  let bind = BSDAttempt(plan(address, transport, 1000), v6only: v6only)
  var table = BSDReceivingTable(bind, options, Snapshot(host: foreignHost, sockets: [there]), system)
  if balanced {
    for index in table.sockets.indices { table.sockets[index].facts.reuseportLB = true }
  }
  let isWildcard = ip(address).isUnspecified
  let destination: BSDPacket.Destination = isWildcard ? .anyOther(ip(address).family) : .address(ip(address))
  return table.receiver(of: BSDPacket(transport: transport, destination: destination))
}

/// The same among sockets bound in this order.
private func found(_ address: String, _ sockets: [SocketObservation], _ system: BSDSystem) -> BSDReceiver {
  let receiving = sockets.enumerated().compactMap { index, socket in
    PCBFacts(socket, sharing: .reuseport, under: system).map {
      BSDReceivingSocket(member: .socket(index), facts: $0, isListening: socket.state == .listen)
    }
  }
  let table = BSDReceivingTable(sockets: receiving.reversed(), order: .kernelList, system: system)
  return table.receiver(of: BSDPacket(transport: .tcp, destination: .address(ip(address))))
}
