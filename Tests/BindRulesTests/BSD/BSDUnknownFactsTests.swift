@testable import BindRules
import SocketModel
import Testing

@Suite("A fact that a BSD's rules would need")
struct BSDUnknownFactsTests {
  static let places = [
    "0.0.0.0", "127.0.0.1", ":: dual", ":: v6only", "::1 v6only", "::ffff:0.0.0.0 dual", "127.0.0.1 connected",
    "::1 v6only connected",
  ]
  static let planned = ["0.0.0.0", "127.0.0.1", ":: dual", "::1"]

  /// Every socket over the places, options and users.
  static func sockets(_ transport: String) -> [String] {
    places.flatMap { place in
      ["", "P", "AP"].flatMap { options in [1001, 1002].map { "\(transport) \(place) \(options) uid=\($0)" } }
    }
  }

  private static func outcomes(_ existing: [SocketObservation], _ planned: String, _ system: BSDSystem)
    -> [BSDOutcome]
  {
    bsdOutcomes(
      of: BSDWords(planned).attempt(), in: Snapshot(host: bsdHost(), sockets: existing), under: system)
  }

  @Test(
    "may leave an answer open when it is not known, never turn it into the other",
    arguments: [BSDSystem.freebsd14, .freebsd, .macos])
  func neverTheOtherAnswer(_ system: BSDSystem) {
    var undetermined = 0
    for transport in ["tcp", "udp"] {
      for text in Self.sockets(transport) {
        let known = BSDWords(text).observation(v6only: true)
        for place in Self.planned {
          let sure = Self.outcomes([known], "\(transport) \(place)", system)
          for blanked in UnknownFactsTests.blankings(of: known) {
            let unsure = Self.outcomes([blanked], "\(transport) \(place)", system)
            for (before, after) in zip(sure, unsure) where after.expected != before.expected {
              if after.bind != .undetermined { Issue.record("\(place) beside \(text)") }
              if after.missing.isEmpty { Issue.record("nothing is missing: \(place) beside \(text)") }
              undetermined += 1
            }
          }
        }
      }
    }
    #expect(undetermined > 500)
  }

  /// Rows of existing sockets, the new one, its answer under FreeBSD 14.3, and what is missing of which socket.
  static let rows: [(existing: [String], planned: String, missing: [MissingFact])] = [
    (["tcp 0.0.0.0 P? listen"], "tcp 0.0.0.0 P", [MissingFact(.reuseport, socket: 0)]),
    (["tcp 0.0.0.0 P? listen"], "tcp 0.0.0.0 A", []),
    (["tcp 0.0.0.0 P? listen"], "tcp 0.0.0.0", []),
    (["tcp 0.0.0.0 A? listen"], "tcp 0.0.0.0 P", []),
    (["tcp 0.0.0.0 P uid? listen"], "tcp 0.0.0.0 P", [MissingFact(.uid, socket: 0)]),
    (["tcp 0.0.0.0 P uid? listen"], "tcp 0.0.0.0 P uid=0", []),
    (["tcp 127.0.0.1 A? P? uid? time-wait"], "tcp 0.0.0.0 A", []),
    (["udp 127.0.0.1 uid? connected"], "udp 0.0.0.0 A", [MissingFact(.uid, socket: 0)]),
    (["tcp :: v6only? listen"], "tcp 0.0.0.0", [MissingFact(.v6only, socket: 0)]),
    (["tcp :: v6only? listen"], "tcp ::", []),
    (
      ["udp 239.1.1.1 A? P?"], "udp 239.1.1.1 A",
      [MissingFact(.reuseaddr, socket: 0), MissingFact(.reuseport, socket: 0)]
    ),
    (["tcp 0.0.0.0 P", "tcp 0.0.0.0 A"], "tcp 0.0.0.0 P", [MissingFact(.bindOrder)]),
    // Of sockets that are alike nobody need know which is newer.
    (
      ["tcp 0.0.0.0 P? listen", "tcp 0.0.0.0 P? listen"], "tcp 0.0.0.0 P",
      [MissingFact(.reuseport, socket: 0), MissingFact(.reuseport, socket: 1)]
    ),
    (["udp 0.0.0.0 P", "udp 0.0.0.0 A"], "udp 0.0.0.0 P", []),
    (["tcp 0.0.0.0 listen", "tcp 127.0.0.1 connected"], "tcp 127.0.0.1 A uid=5", [MissingFact(.bindOrder)]),
    (["tcp 0.0.0.0 listen", "tcp 127.0.0.1 listen"], "tcp :: dual", []),
    (["tcp 127.0.0.1 over"], "tcp 127.0.0.1", []),
  ]

  @Test("is named with its socket", arguments: rows)
  func named(_ row: (existing: [String], planned: String, missing: [MissingFact])) throws {
    let words = BSDWords(row.planned)
    let all = Self.outcomes(row.existing.map { BSDWords($0).observation(v6only: true) }, row.planned, .freebsd)
    let outcome = try #require(all.first { $0.options == words.options })
    #expect(outcome.missing == row.missing, "\(row.existing), then \(row.planned)")
    #expect((outcome.bind == .undetermined) == !row.missing.isEmpty)
  }

  @Test("is which sockets are bound, where the kernel does not list them")
  func unseen() {
    var snapshot = Snapshot(host: bsdHost(), sockets: [BSDWords("tcp 0.0.0.0 listen").observation(v6only: true)])
    snapshot.visibility.boundSocketsComplete = false
    let all = bsdOutcomes(of: BSDWords("tcp 127.0.0.1").attempt(), in: snapshot, under: .freebsd)
    #expect(all[0].bind == .fails(.addressInUse))
    #expect(all[1].bind == .undetermined)
    #expect(all[1].missing == [MissingFact(.boundSockets)])
    let macos = bsdOutcomes(of: BSDWords("tcp 127.0.0.1").attempt(), in: snapshot, under: .macos)
    #expect(macos[0].bind == .fails(.addressInUse))
    #expect(macos[1].bind == .undetermined && macos[1].likely == nil)
    #expect(macos[1].missing == [MissingFact(.filters), MissingFact(.boundSockets)])
    // One that nobody sees may be the newest, with which the new one shares the address.
    let same = bsdOutcomes(of: BSDWords("tcp 0.0.0.0").attempt(), in: snapshot, under: .freebsd)
    #expect(same[0].bind == .fails(.addressInUse) && same[2].missing == [MissingFact(.boundSockets)])
  }

  @Test("is on macOS its filters too, which may refuse what its sockets would not")
  func filters() throws {
    let socket = BSDWords("tcp 0.0.0.0 P? listen").observation(v6only: true)
    let all = Self.outcomes([socket], "tcp 0.0.0.0", .macos)
    #expect(all[0].bind == .fails(.addressInUse) && all[0].missing == [])
    #expect(all[2].bind == .undetermined && all[2].likely == nil)
    #expect(all[2].missing == [MissingFact(.reuseport, socket: 0), MissingFact(.filters)])
  }

  @Test("is the interfaces' addresses, where they were not read")
  func addresses() {
    var host = bsdHost()
    host.ipv4LocalRoutes = nil
    host.ipv6Addresses = nil
    host.interfaces = nil
    func first(_ planned: String) -> BSDOutcome {
      bsdOutcomes(of: BSDWords(planned).attempt(), in: Snapshot(host: host, sockets: []), under: .freebsd)[0]
    }
    #expect(first("tcp 192.0.2.10").missing == [MissingFact(.localAddresses)])
    #expect(first("tcp 2001:db8::10").missing == [MissingFact(.localAddresses)])
    #expect(first("tcp fe80::1 scope=1").missing == [MissingFact(.interfaces), MissingFact(.localAddresses)])
    #expect(first("tcp 127.0.0.1").bind == .ok)
    #expect(first("tcp 127.0.0.2").bind == .fails(.addressNotAvailable))
    #expect(first("tcp ::1").bind == .ok)
    #expect(first("tcp fe80::1").bind == .fails(.addressNotAvailable))
    var zone = BindAttempt(transport: .tcp, address: .v6(.loopback), missingZone: "wlan9", port: port, uid: 1001)
    func bind() -> BSDOutcome {
      bsdOutcomes(of: BSDAttempt(zone, v6only: nil), in: Snapshot(host: host, sockets: []), under: .freebsd)[0]
    }
    #expect(bind().missing == [MissingFact(.interfaces)])
    host.interfaces = []
    #expect(bind().bind == .fails(.noDeviceOrAddress))
    zone.missingZone = nil
    #expect(bind().bind == .ok)
  }

  @Test("is SO_REUSEPORT too where it was only inferred")
  func inferred() {
    var listener = BSDWords("tcp 0.0.0.0 listen").observation(v6only: true)
    listener.reuseport = .inferred(true, from: 0, because: .noOwner)
    #expect(Self.outcomes([listener], "tcp 0.0.0.0", .freebsd)[2].missing == [MissingFact(.reuseport, socket: 0)])
  }

  @Test("is nothing of what is left of a connection, whatever its peer was")
  func timeWait() {
    let all = bsdOutcomes(
      of: BSDWords("tcp 127.0.0.1").attempt(),
      in: Snapshot(host: bsdHost(), sockets: [socket("TIME_WAIT 127.0.0.1")]), under: .freebsd)
    #expect(all[0].bind == .fails(.addressInUse) && all[1].bind == .ok && all[2].bind == .ok)
  }

  @Test("is which of two families was bound first, where the dumps do not tell")
  func orderOfFamilies() {
    // 0.0.0.0 and `::` of both families are one address to IPv4: the newest of them decides.
    let texts = ["udp 0.0.0.0 P", "udp :: dual"]
    for (sockets, ordered, expected) in [
      (texts, true, "ok"), (texts.reversed(), true, "in-use"), (texts, false, "?"), (texts.reversed(), false, "?"),
    ] {
      let snapshot = Snapshot(
        host: bsdHost(), sockets: sockets.map { BSDWords($0).observation(v6only: false) }, isChainOrdered: ordered)
      let all = bsdOutcomes(of: BSDWords("udp 0.0.0.0").attempt(), in: snapshot, under: .freebsd)
      #expect(word(all[2].bind) == expected, "\(sockets) \(ordered)")
      #expect(all[2].missing == (expected == "?" ? [MissingFact(.bindOrder)] : []))
    }
  }

  @Test("is when duplicate address detection ends")
  func tentative() throws {
    var host = bsdHost()
    let address = try #require(IPAddress("2001:db8::11"))
    host.ipv6Addresses?.append(
      InterfaceAddress(address: address, interface: InterfaceIndex(rawValue: 1), flags: 0x40))
    let snapshot = Snapshot(host: host, sockets: [])
    let outcome = bsdOutcomes(of: BSDWords("udp 2001:db8::11").attempt(), in: snapshot, under: .freebsd)[0]
    #expect(outcome.missing == [MissingFact(.localAddresses)])
  }

  @Test("is none about an address that has other flags (IFA_F_TEMPORARY), nor about a route that is no address")
  func otherFlags() throws {
    var host = bsdHost()
    let address = try #require(IPAddress("2001:db8::12"))
    host.ipv6Addresses?.append(
      InterfaceAddress(address: address, interface: InterfaceIndex(rawValue: 1), flags: 0x01))
    let anycast = IPv4Address(192, 0, 2, 77)
    host.ipv4LocalRoutes?.append(LocalRoute(destination: anycast, prefixLength: 32, type: RouteType(rawValue: 4)))
    let snapshot = Snapshot(host: host, sockets: [])
    func first(_ text: String) -> BSDOutcome {
      bsdOutcomes(of: BSDWords(text).attempt(), in: snapshot, under: .freebsd)[0]
    }
    #expect(first("udp 2001:db8::12").bind == .ok)
    #expect(first("udp 192.0.2.77").bind == .fails(.addressNotAvailable))
  }

  @Test("is one that only another socket tells, too")
  func toldByAnother() {
    var known = BSDWords("udp :: v6only uid=1001").observation(v6only: true)
    #expect(Self.outcomes([known], "udp 0.0.0.0", .freebsd)[0].bind == .ok)
    known.v6only = .inferred(true, from: 1, because: .noOwner)
    #expect(Self.outcomes([known], "udp 0.0.0.0", .freebsd)[0].missing == [MissingFact(.v6only, socket: 0)])
    var member = BSDWords("udp 239.1.1.1 A uid=1001").observation(v6only: true)
    #expect(Self.outcomes([member], "udp 239.1.1.1", .freebsd)[1].bind == .ok)
    member.reuseaddr = .inferred(true, from: 1, because: .noOwner)
    #expect(Self.outcomes([member], "udp 239.1.1.1", .freebsd)[1].missing == [MissingFact(.reuseaddr, socket: 0)])
  }

  @Test("of two sockets that fit equally well is also which of them is newer")
  func twoThatFit() {
    let outcomes = Self.outcomes(
      ["tcp 127.0.0.1 P? listen", "tcp 127.0.0.1 A P? uid=1001"].map { BSDWords($0).observation(v6only: true) },
      "tcp 127.0.0.1 P", .freebsd)
    #expect(
      outcomes[2].missing == [
        MissingFact(.reuseport, socket: 0), MissingFact(.reuseport, socket: 1), MissingFact(.bindOrder),
      ])
  }

  @Test(
    "about scope and errno is told in the words of the system",
    arguments: [
      ("tcp fe80::1 scope=1", "ok", "ok"), ("tcp fe80::1 scope=2", "EADDRNOTAVAIL", "EADDRNOTAVAIL"),
      ("tcp fe80::1 scope=77", "ENXIO", "EINVAL"),
      ("tcp 2001:db8::10 scope=77", "ok", "ok"), ("udp ff02::1 scope=77", "ENXIO", "EINVAL"),
      ("udp ff02::1", "ok", "ok"), ("tcp ::1 port=80", "EACCES", "EACCES"), ("tcp :: port=80", "EACCES", "ok"),
      ("tcp :: port=80 uid=0", "ok", "ok"), ("tcp 192.0.2.0", "EADDRNOTAVAIL", "EADDRNOTAVAIL"),
      ("udp 127.255.255.255", "EADDRNOTAVAIL", "EADDRNOTAVAIL"),
      ("tcp ::127.0.0.1", "EADDRNOTAVAIL", "EADDRNOTAVAIL"),
      ("tcp ::224.0.0.1", "EADDRNOTAVAIL", "EAFNOSUPPORT"),
      // No IPv4 address is in these, whatever their last 32 bits are.
      ("tcp 2001:db8::e000:1", "EADDRNOTAVAIL", "EADDRNOTAVAIL"),
      ("tcp ::1:e000:1", "EADDRNOTAVAIL", "EADDRNOTAVAIL"),
      ("tcp ::1:0:e000:1", "EADDRNOTAVAIL", "EADDRNOTAVAIL"), ("tcp ::1", "ok", "ok"),
      ("tcp ::ffff:224.0.0.1 v6only", "EADDRNOTAVAIL", "EAFNOSUPPORT"),
    ])
  func beforeThePort(planned: String, freebsd: String, macos: String) throws {
    #expect(word(try #require(bsdOutcome([], planned, .freebsd)).expected) == freebsd)
    #expect(word(try #require(bsdOutcome([], planned, .macos)).expected) == macos)
  }

  @Test("that decides carries the name of the kernel's function, by system, family and release")
  func functions() throws {
    func rule(_ planned: String, _ system: BSDSystem, _ existing: [String] = ["tcp 0.0.0.0 listen uid=5"]) throws
      -> String
    {
      try #require(bsdOutcome(existing, planned, system)).rule.description
    }
    #expect(try rule("tcp 0.0.0.0 A", .freebsd) == "in_pcbbind_avail.user")
    #expect(try rule("tcp 0.0.0.0 A", .freebsd14) == "in_pcbbind_setup.user")
    #expect(try rule("tcp 0.0.0.0 A", .macos) == "in_pcbbind.same-address")
    // What another user has on the same wildcard: macOS lets it be of 0.0.0.0, and of `::` with SO_REUSEPORT alone.
    let wildcard = ["tcp :: v6only listen uid=5"]
    #expect(try rule("tcp :: v6only A", .macos, wildcard) == "in6_pcbbind.user")
    #expect(try rule("tcp :: v6only A", .macos, ["tcp :: v6only P listen uid=5"]) == "in6_pcbbind.same-address")
    #expect(try rule("tcp :: dual A", .macos, ["tcp ::ffff:0.0.0.0 dual uid=5"]) == "in6_pcbbind.user")
    #expect(try rule("tcp :: dual A", .macos, ["tcp 127.0.0.1 uid=5"]) == "in6_pcbbind.user")
    #expect(try rule("tcp :: dual", .macos, ["tcp 127.0.0.1 P uid=5"]) == "in6_pcbbind.overlap")
    #expect(try rule("tcp :: v6only", .freebsd) == "in6_pcbbind_avail.overlap")
    #expect(try rule("tcp ::1 A", .freebsd13) == "in6_pcbbind.same-address")
    #expect(try rule("tcp 224.0.0.1", .freebsd) == "tcp_usr_bind.address-family")
    #expect(try rule("tcp ff02::1", .macos) == "tcp6_usr_bind.address-family")
    #expect(try rule("tcp fe80::1 scope=77", .freebsd) == "in6_pcbbind.scope")
    #expect(try rule("tcp 127.0.0.2", .freebsd) == "in_pcbbind_avail.address")
    #expect(try rule("tcp 0.0.0.0 port=22", .freebsd) == "in_pcbbind_avail.reserved-port")
    let zone = BindAttempt(transport: .tcp, address: .v6(.loopback), missingZone: "wlan9", port: port, uid: 0)
    let outcome = bsdOutcomes(
      of: BSDAttempt(zone, v6only: nil), in: Snapshot(host: bsdHost(), sockets: []), under: .macos)
    #expect(outcome[0].rule.description == "if_nametoindex.scope")
  }
}
