import BindRules
import SocketModel
import Testing

@Suite("A UDP bind")
struct UDPBindTests {
  /// The sockets of a family stand in the order of the dump: newest first.
  static let rows: [Row] = [
    Row("works on a port without sockets", [], "UDP 0.0.0.0", "ok ok ok ok"),
    Row(
      "fails beside a plain socket, whatever it sets", ["UDP 0.0.0.0"], "UDP 0.0.0.0", "in-use in-use in-use in-use"),
    Row("works if both set SO_REUSEADDR", ["UDP 0.0.0.0 RA"], "UDP 0.0.0.0", "in-use ok in-use ok"),
    Row(
      "works if both set SO_REUSEPORT and belong to one user",
      ["UDP 0.0.0.0 RP"], "UDP 0.0.0.0", "in-use in-use ok ok"),
    Row(
      "fails if both set SO_REUSEPORT and belong to two users",
      ["UDP 0.0.0.0 RP uid=5"], "UDP 0.0.0.0", "in-use in-use in-use in-use"),
    Row(
      "fails where one side sets only SO_REUSEADDR and the other only SO_REUSEPORT",
      ["UDP 0.0.0.0 RP"], "UDP 0.0.0.0", "in-use in-use ok ok"),
    Row("on another address works", ["UDP 127.0.0.1"], "UDP 127.0.0.2", "ok ok ok ok"),
    Row("on one address meets 0.0.0.0", ["UDP 0.0.0.0"], "UDP 127.0.0.1", "in-use in-use in-use in-use"),
    Row("on one IPv6 address meets ::", ["UDP ::"], "UDP ::1", "in-use in-use in-use in-use"),
    Row("on one IPv4 address meets ::", ["UDP ::"], "UDP 127.0.0.1", "in-use in-use in-use in-use"),
    Row(
      "on a wildcard is decided by the newest socket alone: one that grants",
      ["UDP 127.0.0.2 RP", "UDP 127.0.0.1"], "UDP 0.0.0.0", "in-use in-use ok ok"),
    Row(
      "on a wildcard is decided by the newest socket alone: one that refuses",
      ["UDP 127.0.0.1", "UDP 127.0.0.2 RP"], "UDP 0.0.0.0", "in-use in-use in-use in-use"),
    Row(
      "on one address among mixed sockets depends on how crowded the chain is",
      ["UDP 127.0.0.1 RA RP", "UDP 0.0.0.0 RA"], "UDP 127.0.0.1", "in-use ok ? ok"),
    Row(
      "on one address is decided by the newest socket there, however crowded the chain is",
      ["UDP ::1 RA RP", "UDP ::1 RA"], "UDP ::1", "in-use ok ok ok"),
    Row(
      "on an address that connect() may have moved a socket to depends on when it did",
      ["UDP-CONNECTED 127.0.0.1 RA RP", "UDP 127.0.0.1 RA"], "UDP 127.0.0.1", "in-use ok ? ok"),
    Row(
      "between the families depends on an order that two dumps do not tell",
      ["UDP 127.0.0.1", "UDP :: RP"], "UDP ::", "in-use in-use ? ?"),
    Row(
      "with an unknown SO_REUSEADDR is sure only without it", ["UDP 0.0.0.0 ra?"], "UDP 0.0.0.0", "in-use ? in-use ?"),
    Row("on different devices works", ["UDP 0.0.0.0 dev=2"], "UDP 0.0.0.0 dev=3", "ok ok ok ok"),
    Row(
      "on 127.0.0.6 meets an IPv6 connection (sk_rcv_saddr) only where the chain of the port is walked",
      ["UDP ::1"], "UDP 127.0.0.6", "? ? ? ?"),
    Row(
      "on 127.0.0.6 meets a connection there, which may have been one of IPv6 (IPV6_ADDRFORM), maybe not",
      ["UDP-CONNECTED 127.0.0.6"], "UDP 127.0.0.6", "? ? ? ?"),
    Row(
      "on 127.0.0.6 surely meets an unconnected socket there",
      ["UDP 127.0.0.6"], "UDP 127.0.0.6", "in-use in-use in-use in-use"),
    Row(
      "on 127.0.0.6 surely meets an IPv6 connection of that very address",
      ["UDP-CONNECTED ::ffff:127.0.0.6"], "UDP 127.0.0.6", "in-use in-use in-use in-use"),
    Row(
      "on 127.0.0.5 meets a connection there", ["UDP-CONNECTED 127.0.0.5"], "UDP 127.0.0.5",
      "in-use in-use in-use in-use"),
    Row("knows no VRF buckets", ["UDP 0.0.0.0 dev=2"], "UDP 0.0.0.0", "in-use in-use in-use in-use"),
  ]

  @Test("answers as udp_lib_get_port does", arguments: rows)
  func row(_ row: Row) {
    #expect(line(attempt(row.planned), row.existing.map(socket)) == row.expected)
  }

  /// A wildcard beside one address, on kernels of which the number says that they are repaired, and others.
  @Test(
    "on a wildcard may miss specific sockets where the kernel is not known to be repaired",
    arguments: [
      ("6.18.44", "in-use"), ("6.18.43", "?"), ("6.12.117+deb13-amd64", "in-use"), ("6.12.9", "?"),
      ("6.1.0-56-amd64", "?"), ("6.19.3", "?"), ("7.0.0", "in-use"), ("6.18", "?"),
      ("6.1.192", "in-use"), ("6.1.191", "?"), ("5.10.262", "?"),
    ])
  func wildcardFix(release: String, expected: String) {
    let host = openHost(kernel: KernelVersion(release: release) ?? KernelVersion(major: 0, minor: 0))
    let answer = outcomes(
      of: attempt("UDP 0.0.0.0"), in: Snapshot(host: host, sockets: [socket("UDP 127.0.0.53")]))[0]
    #expect((answer.bind == .undetermined ? "?" : "in-use") == expected)
    #expect(answer.missing == (expected == "?" ? [MissingFact(.kernelVersion)] : []))
    // Beside the wildcard itself every kernel sees the conflict.
    #expect(line(attempt("UDP 0.0.0.0"), [socket("UDP 0.0.0.0")], host: host).hasPrefix("in-use"))
  }

  /// 5.10.262 as its source has it: more than ten sockets in the slot of the port, and it looks at wildcards alone.
  @Test(
    "on a wildcard is sure on kernels without the fix too, where the slots were seen",
    arguments: [
      ("5.10.0-46-amd64", "#1 SMP Debian 5.10.262-1 (2026-07-31)", nil, "? ? ? ?", .bindOrder),
      ("5.10.0-46-amd64", "#1 SMP Debian 5.10.262-1 (2026-07-31)", true, "ok ok ok ok", nil),
      ("5.10.0-46-amd64", "#1 SMP Debian 5.10.262-1 (2026-07-31)", false, "in-use in-use in-use in-use", nil),
      ("5.10.0-47-amd64", "#1 SMP Debian 5.10.263-1 (2026-12-01)", true, "? ? ? ?", .kernelVersion),
      ("5.10.0-46-amd64", "#1 SMP Debian", true, "? ? ? ?", .kernelVersion),
      ("5.10.250", "#1 SMP", true, "? ? ? ?", .kernelVersion),
      ("5.10.250", "#1 SMP", false, "in-use in-use in-use in-use", nil),
      ("6.1.192", "#1 SMP", true, "in-use in-use in-use in-use", nil),
    ] as [(String, String, Bool?, String, MissingFact.Kind?)])
  func wildcardBySlots(
    release: String, build: String, misses: Bool?, expected: String, missing: MissingFact.Kind?
  ) throws {
    let host = openHost(kernel: try #require(KernelVersion(release: release, version: build)))
    for planned in ["UDP 0.0.0.0", "UDP ::", "UDP ::ffff:0.0.0.0"] {
      let snapshot = Snapshot(
        host: host, sockets: [socket("UDP 127.0.0.53")], isChainOrdered: true, wildcardMissesAddresses: misses)
      let all = outcomes(of: attempt(planned), in: snapshot)
      #expect(words(all) == expected, "\(planned) on \(release)")
      #expect(all[0].missing.map(\.kind) == (missing.map { [$0] } ?? []))
    }
    // Beside a wildcard it makes no difference.
    let snapshot = Snapshot(
      host: host, sockets: [socket("UDP 0.0.0.0")], isChainOrdered: true, wildcardMissesAddresses: misses)
    #expect(words(outcomes(of: attempt("UDP ::"), in: snapshot)) == "in-use in-use in-use in-use")
  }

  @Test("of a wildcard that misses addresses depends on the wildcards' options, and on nothing else")
  func openWildcard() throws {
    let kernel = KernelVersion(release: "5.10.0-46-amd64", version: "#1 SMP Debian 5.10.262-1 (2026-07-31)")
    let snapshot = Snapshot(
      host: openHost(kernel: try #require(kernel)), sockets: [socket("UDP 0.0.0.0 ra?"), socket("UDP 127.0.0.1")],
      isChainOrdered: true, wildcardMissesAddresses: true)
    let outcome = outcomes(of: attempt("UDP 0.0.0.0"), in: snapshot)[1]
    #expect(outcome.bind == .undetermined && outcome.missing == [MissingFact(.reuseaddr, socket: 0)])
  }

  @Test("that surely fails names the sockets that surely are in the way, and no other")
  func blockers() {
    let sockets = ["UDP 0.0.0.0 ra?", "UDP 127.0.0.1 RP uid=5", "UDP 0.0.0.0", "UDP 127.0.0.2 RA"].map(socket)
    let all = outcomes(of: attempt("UDP 0.0.0.0"), in: Snapshot(host: openHost(), sockets: sockets))
    #expect(all.map(\.bind) == Array(repeating: .fails(.addressInUse), count: 4))
    #expect(all.map { $0.blockers.map(\.socket) } == [[0, 1, 2, 3], [1, 2], [0, 1, 2, 3], [1, 2]])
    #expect(all[0].blockers.map(\.rule) == Array(repeating: .udpReuseaddr, count: 4))
    #expect(all[2].blockers.map(\.rule) == [.udpReuseaddr, .udpReuseportUser, .udpReuseaddr, .udpReuseaddr])
  }

  @Test("that may fail names who may be in the way, and of whom which option is missing")
  func openBlockers() {
    let sockets = ["UDP 127.0.0.1 RA", "UDP 0.0.0.0 ra?"].map(socket)
    let all = outcomes(of: attempt("UDP 0.0.0.0"), in: Snapshot(host: openHost(), sockets: sockets))
    #expect(all[1].bind == .undetermined)
    #expect(all[1].blockers == [Blocker(socket: 1, rule: .udpReuseaddr)])
    #expect(all[1].missing == [MissingFact(.reuseaddr, socket: 1)])
  }

  @Test("that depends on the order alone says so")
  func openOrder() {
    let sockets = ["UDP 127.0.0.1", "UDP :: RP"].map(socket)
    let all = outcomes(of: attempt("UDP ::"), in: Snapshot(host: openHost(), sockets: sockets))
    #expect(all.map(\.missing) == [[], [], [MissingFact(.bindOrder)], [MissingFact(.bindOrder)]])
    #expect(all.map { $0.blockers.map(\.socket) } == [[0, 1], [0, 1], [0], [0]])
  }

  @Test("has no listen()")
  func listen() {
    let all = outcomes(of: attempt("UDP 0.0.0.0"), in: Snapshot(host: openHost(), sockets: []))
    #expect(all.allSatisfy { $0.listen == nil })
  }
}
