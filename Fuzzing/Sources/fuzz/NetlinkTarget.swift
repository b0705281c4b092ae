@testable import Netlink
@testable import SocketModel

/// A byte for the question, then a recording.
func fuzzNetlink(_ input: inout FuzzInput) {
  let question = input.choice(of: 11)
  let recording = Recording(&input)
  let player = Player(recording)
  switch question {
  case 0: fuzzSockets(player, .udp, 8008...8008)
  case 1: fuzzSockets(player, .tcp, nil)
  case 2: fuzzGlances(player)
  case 3: fuzzInterfaces(player, recording)
  case 4:
    if let addresses = answer(try RouteDump(transport: player.transport).ipv6Addresses()) {
      for entry in addresses { require(entry.address.family == .ipv6, "an IPv6 address") }
    }
  case 5:
    if let routes = answer(try RouteDump(transport: player.transport).ipv4LocalRoutes()) {
      for route in routes { require(route.table == 255 && route.prefixLength <= 32, "a route of table 255") }
    }
  case 6: _ = answer(try RouteDump(transport: player.transport).ipv4RulesAreDefault())
  case 7:
    let address = IPv4Address(bits: 0x0a00_0001)
    if let found = answer(try RouteDump(transport: player.transport).ipv4Lookup(address)) ?? nil {
      require(found.destination == address, "the answer is about what was asked")
    }
  case 8: _ = answer(try KernelPortDump(transport: player.transport).tunnelPorts())
  case 9: _ = answer(try KernelPortDump(transport: player.transport).synchronisationPorts())
  default: fuzzAnnouncements(recording)
  }
  // Two requests for tables and families, five attempts each; for kernel ports three kinds of request.
  require(player.requests <= 40 || question == 8, "it gives up asking")
}

/// What was found; nil for an error, which says in harmless words what went wrong.
private func answer<Answer>(_ ask: @autoclosure () throws(NetlinkError) -> Answer) -> Answer? {
  do throws(NetlinkError) {
    return try ask()
  } catch {
    require(!"\(error)".isEmpty, "an error says something")
    requireHarmless("\(error)", "an error", newlines: false)
    return nil
  }
}

private func fuzzSockets(_ player: Player, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>?) {
  let dump = SocketDump(transport: player.transport)
  guard let sockets = answer(try dump.sockets(transport, ports: ports)) else { return }
  for socket in sockets {
    require(ports?.contains(socket.local.port.rawValue) ?? true, "a socket of the port asked for")
    require(socket.local.address.family == socket.family, "an address of its family")
    require(socket.transport == transport, "a socket of the protocol asked for")
    require(socket.reuseaddr.sure == nil && socket.reuseport.sure == nil, "no reuse flag is made up")
  }
  for family in AddressFamily.allCases {
    let cookies = sockets.filter { $0.family == family }.map(\.cookie)
    require(transport == .tcp || Set(cookies).count == cookies.count, "each socket once")
  }
  let firstSix = sockets.firstIndex { $0.family == .ipv6 } ?? sockets.count
  require(transport == .udp || sockets[firstSix...].allSatisfy { $0.family == .ipv6 }, "IPv4 first")
}

private func fuzzGlances(_ player: Player) {
  let glances = answer(try SocketDump(transport: player.transport).glances(.tcp, .holding, ports: 8000...8010))
  for glance in glances ?? [] { require((8000...8010).contains(glance.port.rawValue), "a port asked for") }
  for transport in TransportProtocol.allCases {
    let holders = answer(try SocketDump(transport: player.transport).holders(transport))
    require((holders ?? []).allSatisfy { $0.transport == transport }, "sockets of the protocol asked for")
  }
}

/// An answer has as many interfaces as the kernel's last dump has messages before its end: nothing left out, nothing of
/// an older or an interrupted dump, nothing of another sender.
private func fuzzInterfaces(_ player: Player, _ recording: Recording) {
  guard let interfaces = answer(try RouteDump(transport: player.transport).interfaces()) else { return }
  let messages = recording.kernelDatagrams(player.requests - 1).flatMap(plainMessages)
  let end = messages.firstIndex { $0.type == MessageType.done.rawValue }
  require(end != nil, "an answer has an end")
  let answer = messages.prefix(upTo: end ?? 0)
  require(answer.allSatisfy { $0.flags & 0x10 == 0 }, "an interrupted dump is no answer")
  require(
    interfaces.count == answer.count { $0.type == MessageType.newLink.rawValue }, "every interface of the answer")
}

private func fuzzAnnouncements(_ recording: Recording) {
  var reads = recording.exchanges.joined().makeIterator()
  var ports = ByTransport<ClosedRange<UInt16>>([.tcp, .udp], 8000...8010)
  require(ports.transports == [.tcp, .udp] && ports.hull == 8000...8010, "the same for both")
  ports[.udp] = nil
  _ = drain(ports) { take in
    switch reads.next() {
    case .datagram(let bytes, _):
      take(bytes.span)
      return .taken
    case .overrun: return .overrun
    case nil: return .empty
    }
  }
}
