@testable import BindRules
import SocketModel
import Testing

@Suite("Who receives on a BSD")
struct BSDReceiptTests {
  /// A promise, the sockets in the order of their binds, and who gets what 127.0.0.1:50000 (a group: 192.0.2.20:50000)
  /// sends under FreeBSD 13, 14.0, 14.3 and macOS: the index of a socket, `hash`, `all`, `reset`, `silence`, `?`, or `-`
  /// where they cannot stand together or there is no such option.
  struct Row: CustomTestStringConvertible, Sendable {
    var promise: String
    var sockets: [String]
    var expected: [String]

    init(_ promise: String, _ sockets: [String], _ expected: String) {
      self.promise = promise
      self.sockets = sockets
      self.expected = expected.split(separator: " ").map(String.init)
    }
    var testDescription: String { promise }
  }

  static let rows: [Row] = [
    Row("udp: two SO_REUSEPORT sockets on 0.0.0.0", ["udp 0.0.0.0 P", "udp 0.0.0.0 P"], "0 1 1 0"),
    Row("udp: two SO_REUSEPORT sockets on 127.0.0.1", ["udp 127.0.0.1 P", "udp 127.0.0.1 P"], "1 1 1 1"),
    Row("udp: 0.0.0.0 and 127.0.0.1", ["udp 0.0.0.0 A", "udp 127.0.0.1 A"], "1 1 1 1"),
    Row("udp: two SO_REUSEPORT_LB sockets of one address", ["udp 0.0.0.0 L", "udp 0.0.0.0 L"], "hash hash hash -"),
    Row("udp: SO_REUSEPORT_LB on 0.0.0.0 beside 127.0.0.1", ["udp 0.0.0.0 L", "udp 127.0.0.1 A"], "0 0 0 -"),
    Row("tcp: two SO_REUSEPORT sockets on 0.0.0.0", ["tcp 0.0.0.0 P listen", "tcp 0.0.0.0 P listen"], "0 1 1 0"),
    Row(
      "tcp: two SO_REUSEPORT sockets on 127.0.0.1", ["tcp 127.0.0.1 P listen", "tcp 127.0.0.1 P listen"], "1 1 1 1"),
    Row("tcp: 0.0.0.0 and 127.0.0.1", ["tcp 0.0.0.0 A listen", "tcp 127.0.0.1 A listen"], "1 1 1 1"),
    Row(
      "tcp: two SO_REUSEPORT_LB sockets of one address", ["tcp 0.0.0.0 L listen", "tcp 0.0.0.0 L listen"],
      "hash hash hash -"),
    Row(
      "tcp: SO_REUSEPORT_LB on 0.0.0.0 beside 127.0.0.1", ["tcp 0.0.0.0 L listen", "tcp 127.0.0.1 A listen"],
      "0 0 0 -"),
    Row("udp: two SO_REUSEADDR sockets on 0.0.0.0", ["udp 0.0.0.0 A", "udp 0.0.0.0 A"], "- - - -"),
    Row(
      "tcp: 0.0.0.0, then :: without IPV6_V6ONLY: code and manual differ since 14.0",
      ["tcp 0.0.0.0 listen", "tcp :: dual listen"], "0 ? ? 0"),
    Row(
      "udp: a socket connected to the sender beside one that is not",
      ["udp 127.0.0.1 P connected", "udp 127.0.0.1 P"],
      "0 0 0 0"),
    Row(
      "tcp: a listener on 127.0.0.1, then a socket there that does not listen",
      ["tcp 127.0.0.1 P listen", "tcp 127.0.0.1 P"], "reset reset reset silence"),
    Row(
      "tcp: a listener on 0.0.0.0, then a socket there that does not listen",
      ["tcp 0.0.0.0 P listen", "tcp 0.0.0.0 P"], "0 reset reset 0"),
    Row(
      "udp: two members of a group on it", ["udp 239.1.1.1 A joined", "udp 239.1.1.1 A joined"], "all all all all"),
    Row(
      "udp: a member of a group and a stranger on it", ["udp 239.1.1.1 A joined", "udp 239.1.1.1 A stranger"],
      "0 0 0 0"),
  ]

  private static func table(_ texts: [String], _ system: BSDSystem, _ order: PCBTable.Order) -> BSDReceivingTable {
    let sockets = texts.enumerated().compactMap { index, text -> BSDReceivingSocket? in
      let words = BSDWords(text)
      return words.facts(system).map {
        BSDReceivingSocket(
          member: words.has("planned") ? .planned : .socket(index), facts: $0,
          remote: words.observation(v6only: true).remote, isListening: words.has("listen"),
          membership: words.has("joined")
            ? .thisGroup : words.has("elsewhere") ? .otherGroup : words.has("stranger") ? .none : .unknown)
      }
    }
    return BSDReceivingTable(sockets: sockets.reversed(), order: order, system: system)
  }

  private static func packet(_ texts: [String]) -> BSDPacket {
    let words = BSDWords(texts[0])
    let group = IPAddress("239.1.1.1") ?? .v4(.any)
    let isGroup = words.address == group
    let source = isGroup ? IPv4Address(192, 0, 2, 20) : .loopback
    return BSDPacket(
      transport: words.transport, destination: .address(isGroup ? group : .v4(.loopback)),
      source: Endpoint(address: .v4(source), port: Port(50_000)))
  }

  private static func word(_ receiver: BSDReceiver) -> String {
    switch receiver {
    case .one(.socket(let index)): String(index)
    case .one(.planned): "planned"
    case .hash: "hash"
    case .each: "all"
    case .reset: "reset"
    case .silence: "silence"
    case .nobody: "nobody"
    case .undetermined: "?"
    }
  }

  @Test("is told as the kernels find it", arguments: rows)
  func receivers(_ row: Row) {
    for (system, expected) in zip(BSDSystem.allCases, row.expected) where expected != "-" {
      let receiver = Self.table(row.sockets, system, .kernelList).receiver(of: Self.packet(row.sockets))
      #expect(Self.word(receiver) == expected, "\(system.description)")
    }
  }

  @Test("are the rows of seventeen cases; one of them is Linux' alone")
  func count() { #expect(Self.rows.count == 17) }

  /// Under FreeBSD 13, 14.3 and macOS.
  @Test(
    "depends on the order of the binds only where that decides",
    arguments: [
      (["udp 0.0.0.0 P", "udp 0.0.0.0 P", "udp 0.0.0.0 P planned"], "? planned ?"),
      (["udp 0.0.0.0 P", "udp 0.0.0.0 P planned"], "0 planned 0"),
      (["udp 127.0.0.1 P", "udp 127.0.0.1 P", "udp 127.0.0.1 P planned"], "planned planned planned"),
      (["tcp 0.0.0.0 P listen", "tcp 0.0.0.0 P listen"], "? ? ?"),
      (["tcp 0.0.0.0 listen", "tcp 127.0.0.1 A listen planned"], "planned planned planned"),
      (["tcp 127.0.0.1 listen", "tcp 0.0.0.0 A listen planned"], "0 0 0"),
      (["tcp :: v6only? listen", "tcp 0.0.0.0 A listen planned"], "? ? ?"),
      (["tcp :: v6only listen", "tcp 0.0.0.0 A listen planned"], "planned planned planned"),
      (["udp 239.1.1.1 A", "udp 239.1.1.1 A planned"], "? ? ?"),
      (["udp 239.1.1.1 A joined", "udp 239.1.1.1 A joined planned"], "all all all"),
      (["tcp 192.0.2.10 listen"], "nobody nobody nobody"),
      (["tcp :: dual L listen", "tcp :: dual L listen planned"], "0 planned 0"),
    ])
  func order(sockets: [String], expected: String) {
    for (system, word) in zip([BSDSystem.freebsd13, .freebsd, .macos], expected.split(separator: " ")) {
      let receiver = Self.table(sockets, system, .unknown).receiver(of: Self.packet(sockets))
      #expect(Self.word(receiver) == word, "\(system): \(sockets)")
    }
  }

  /// The sockets in the order of their binds, what is sent to which address (`4`, `6`: one of the host's that no socket is
  /// bound to by itself), and who gets it under FreeBSD 13, 14.0, 14.3 and macOS.
  static let more: [(sockets: [String], to: String, expected: String)] = [
    // A group of SO_REUSEPORT_LB, of either family; IPv4-mapped addresses are those of IPv4.
    (["udp ::1 v6only L", "udp ::1 v6only L"], "::1", "hash hash hash -"),
    (["udp :: v6only L", "udp :: v6only L"], "::1", "hash hash hash -"),
    (["udp ::ffff:127.0.0.1 dual L", "udp ::ffff:127.0.0.1 dual L"], "127.0.0.1", "hash hash hash -"),
    (["udp ::1 v6only L", "udp :: v6only L", "udp :: v6only L"], "::1", "0 0 0 -"),
    // ::ffff:0.0.0.0 and :: with both families never join one.
    (["udp ::ffff:0.0.0.0 dual L", "udp ::ffff:0.0.0.0 dual L"], "127.0.0.1", "0 1 1 -"),
    (["udp :: dual L", "udp :: dual L"], "127.0.0.1", "0 1 1 -"),
    (["udp :: dual L", "udp :: dual L"], "::1", "0 1 1 -"),
    // Who does not listen yet is picked until 14.2, and waits outside its group since 14.3.
    (["tcp 127.0.0.1 L listen", "tcp 127.0.0.1 L"], "127.0.0.1", "hash hash 0 -"),
    (["tcp ::1 v6only L listen", "tcp ::1 v6only L"], "::1", "hash hash 0 -"),
    // The wildcard: the oldest in 13 and on macOS, else the newest.
    (["udp 0.0.0.0 P", "udp 0.0.0.0 P", "udp 0.0.0.0 P"], "127.0.0.1", "0 2 2 0"),
    (["udp :: v6only P", "udp :: v6only P"], "::1", "0 1 1 0"),
    (["udp ::1 v6only P", "udp ::1 v6only P"], "::1", "1 1 1 1"),
    // AF_INET before AF_INET6 for IPv4; code and manual differ since 14.0.
    (["tcp :: dual listen", "tcp 0.0.0.0 listen"], "127.0.0.1", "1 ? ? 1"),
    // The specific address before the wildcard, whatever came first.
    (["udp ::1 v6only A", "udp :: v6only A"], "::1", "0 0 0 0"),
    (["udp 127.0.0.1 A", "udp :: dual A"], "127.0.0.1", "0 0 0 0"),
    (["udp 127.0.0.1 A", "udp 0.0.0.0 A"], "4", "1 1 1 1"), (["udp 127.0.0.1"], "4", "nobody nobody nobody nobody"),
    (["udp ::1 v6only A", "udp :: v6only A"], "6", "1 1 1 1"), (["udp :: dual"], "4", "0 0 0 0"),
    // A connection is one socket's, whatever address it is to.
    (["tcp 0.0.0.0 P listen", "tcp 0.0.0.0 P listen"], "239.1.1.1", "0 1 1 0"),
    // Whether it takes IPv4 is not known.
    (["udp :: v6only?"], "4", "? ? ? ?"), (["udp :: v6only?"], "6", "0 0 0 0"),
    // A copy for each, up to the first without any of the options; which one that is may be open.
    (["udp 0.0.0.0 P joined", "udp 239.1.1.1 P joined"], "239.1.1.1", "all all all all"),
    (["udp 0.0.0.0 L joined", "udp 239.1.1.1 L joined"], "239.1.1.1", "all all all -"),
    (["udp 0.0.0.0 A joined", "udp 239.1.1.1 joined"], "239.1.1.1", "1 1 1 1"),
    (["udp 0.0.0.0 A joined", "udp 239.1.1.1 P? joined"], "239.1.1.1", "? ? ? ?"),
    (["udp 0.0.0.0 A joined", "udp 239.1.1.1 A? joined"], "239.1.1.1", "? ? ? ?"),
    // Another family, another address.
    (["udp :: v6only"], "127.0.0.1", "nobody nobody nobody nobody"),
    (["udp 0.0.0.0"], "::1", "nobody nobody nobody nobody"),
    (["udp ::1 v6only"], "2001:db8::10", "nobody nobody nobody nobody"),
    (["udp ::ffff:127.0.0.1 dual"], "::1", "nobody nobody nobody nobody"),
    // A connected socket receives from its peer alone; the packets of these rows come from another.
    (["udp 127.0.0.1 P", "udp 127.0.0.1 P connected"], "127.0.0.1", "0 0 0 0"),
    (["udp 127.0.0.1 connected"], "127.0.0.1", "nobody nobody nobody nobody"),
    // A socket that is found and does not listen: FreeBSD resets, macOS says nothing.
    (["tcp :: v6only P listen", "tcp ::1 v6only P"], "::1", "reset reset reset silence"),
    // Of a group of IPv6 whoever joined nothing gets a copy, and who joined only others gets none.
    (["udp ff05::1 A stranger", "udp ff05::1 A joined"], "ff05::1", "all all all all"),
    (["udp ff05::1 A elsewhere", "udp ff05::1 A joined"], "ff05::1", "1 1 1 1"),
    (["udp 0.0.0.0 A elsewhere", "udp 239.1.1.1 A joined"], "239.1.1.1", "1 1 1 1"),
    (["udp 239.1.1.1 A stranger", "udp 239.1.1.1 A elsewhere"], "239.1.1.1", "nobody nobody nobody nobody"),
    (["udp 239.1.1.1 A", "udp 239.1.1.1 A joined"], "239.1.1.1", "? ? ? ?"),
    (["udp 239.1.1.2 A joined", "udp 0.0.0.0 A joined"], "239.1.1.1", "1 1 1 1"),
  ]

  @Test("hangs on the address that the packet is for", arguments: more)
  func destinations(_ row: (sockets: [String], to: String, expected: String)) {
    let destination: BSDPacket.Destination =
      switch row.to {
      case "4": .anyOther(.ipv4)
      case "6": .anyOther(.ipv6)
      default: .address(IPAddress(row.to) ?? .v4(.any))
      }
    let packet = BSDPacket(
      transport: BSDWords(row.sockets[0]).transport, destination: destination,
      source: Endpoint(address: .v4(IPv4Address(192, 0, 2, 20)), port: Port(50_001)))
    for (system, expected) in zip(BSDSystem.allCases, row.expected.split(separator: " ")) where expected != "-" {
      let receiver = Self.table(row.sockets, system, .kernelList).receiver(of: packet)
      #expect(Self.word(receiver) == expected, "\(system.description): \(row.sockets) \(row.to)")
    }
  }

  @Test("is the newer of two families only where their order is known")
  func newerFamily() {
    let packet = BSDPacket(transport: .udp, destination: .address(.v4(.loopback)), source: nil)
    for (second, order, expected) in [
      ("udp ::ffff:127.0.0.1 dual P", PCBTable.Order.newestFirstWithinFamily, "?"),
      ("udp ::ffff:127.0.0.1 dual P", .newestFirst, "1"), ("udp 127.0.0.1 P", .newestFirstWithinFamily, "1"),
      ("udp 127.0.0.1 P", .unknown, "?"),
    ] {
      let receiver = Self.table(["udp 127.0.0.1 P", second], .freebsd, order).receiver(of: packet)
      #expect(Self.word(receiver) == expected, "\(second) \(order)")
    }
  }

  @Test("is not a socket that is connected to the sender from another address")
  func connectedElsewhere() {
    let packet = BSDPacket(
      transport: .udp, destination: .address(.v4(IPv4Address(192, 0, 2, 10))),
      source: Endpoint(address: .v4(.loopback), port: Port(50_000)))
    let sockets = ["udp 127.0.0.1 connected", "udp 0.0.0.0"]
    #expect(Self.word(Self.table(sockets, .freebsd, .kernelList).receiver(of: packet)) == "1")
  }

  @Test("of a group is the socket that is connected to the sender, and none that is to another")
  func connectedMember() {
    for (address, sender, expected) in [
      ("239.1.1.1", IPAddress("239.1.1.1"), "all"), ("239.1.1.1", IPAddress("192.0.2.20"), "1"),
      ("239.1.1.2", IPAddress("239.1.1.2"), "1"),
    ] {
      let sockets = ["udp \(address) A joined connected", "udp 239.1.1.1 A joined"]
      let packet = BSDPacket(
        transport: .udp, destination: .address(.v4(IPv4Address(239, 1, 1, 1))),
        source: sender.map { Endpoint(address: $0, port: Port(50_000)) })
      #expect(Self.word(Self.table(sockets, .freebsd, .kernelList).receiver(of: packet)) == expected)
    }
  }

  @Test("of a group stops at the first socket that has no option")
  func stopsAtTheFirst() {
    let sockets = ["udp 0.0.0.0 joined", "udp 239.1.1.1 joined", "udp 239.1.1.1 A joined"]
    let receiver = Self.table(sockets, .freebsd, .kernelList).receiver(of: Self.packet(["udp 239.1.1.1"]))
    #expect(receiver == .each([.socket(2), .socket(1)]))
    let unordered = Self.table(sockets, .freebsd, .unknown).receiver(of: Self.packet(["udp 239.1.1.1"]))
    #expect(Self.word(unordered) == "?")
  }
}
