import BindRules
import SocketModel
import Testing

/// `none/RA/RP/both` as one line, sure or likely: `ok`, `in-use`, `+errno` where only listen(2) fails, `?` where there is
/// no guess; a likely one in brackets.
func likelyLine(_ outcomes: [BindOutcome]) -> String {
  outcomes.map { outcome in
    func word(_ bind: CallResult, _ listen: CallResult?) -> String {
      switch (bind, listen) {
      case (.ok, .fails(let errno)): "+\(errno)"
      case (.fails(let errno), _): errno == .addressInUse ? "in-use" : errno.description
      case (.undetermined, _), (_, .undetermined): "?"
      case (.ok, _): "ok"
      }
    }
    guard outcome.verdict == .undetermined else { return word(outcome.bind, outcome.listen) }
    return outcome.likely.map { "(\(word($0.bind, $0.listen)))" } ?? "?"
  }.joined(separator: " ")
}

/// A likely answer with the assumptions of the last combination.
struct LikelyRow: CustomTestStringConvertible, Sendable {
  var promise: String
  var existing: [String]
  var planned: String
  var expected: String
  var assuming: [Assumption]
  var usual: UsualOptions?

  init(
    _ promise: String, _ existing: [String], _ planned: String, _ expected: String, _ assuming: [Assumption],
    usual: UsualOptions? = nil
  ) {
    self.promise = promise
    self.existing = existing
    self.planned = planned
    self.expected = expected
    self.assuming = assuming
    self.usual = usual
  }

  var testDescription: String { promise }
}

@Suite("A likely outcome")
struct LikelyTests {
  static let history: [Assumption] = [.optionsUnchanged, .noEarlierSockets]

  static let rows: [LikelyRow] = [
    LikelyRow(
      "of SO_REUSEPORT beside one's own listener without it: EADDRINUSE, as always", ["LISTEN 0.0.0.0 RA"], "0.0.0.0",
      "in-use in-use (in-use) (in-use)", history),
    LikelyRow(
      "beside another user's listener of which nothing is known", ["LISTEN 0.0.0.0 ra? rp? uid=5"], "0.0.0.0",
      "in-use in-use (in-use) (in-use)", history),
    LikelyRow(
      "beside a hidden listener of one's own user takes it for a server without SO_REUSEPORT",
      ["LISTEN 0.0.0.0 ra? rp?"], "0.0.0.0", "in-use in-use (in-use) (in-use)", [.usualOptions] + history),
    LikelyRow(
      "beside two hidden listeners on one address: both have SO_REUSEPORT",
      ["LISTEN 0.0.0.0 ra? rp?", "LISTEN 0.0.0.0 ra? rp?"], "0.0.0.0", "in-use in-use (ok) (ok)",
      [.optionsUnchanged]),
    LikelyRow(
      "over TIME_WAIT of a server that has gone: a server sets SO_REUSEADDR", ["TIME_WAIT 10.0.0.1 ra? rp?"],
      "0.0.0.0", "in-use (ok) (in-use) (ok)", [.usualOptions]),
    LikelyRow(
      "over a connection takes the options of the listener that it came from",
      ["ESTABLISHED 10.0.0.1 ra? rp? remote=40000", "LISTEN 10.0.0.1 RA RP"], "10.0.0.1", "in-use in-use (ok) (ok)",
      [.listenersOptions]),
    LikelyRow(
      "over a connection that the host made: a client sets nothing",
      ["ESTABLISHED 10.0.0.1 ra? rp? port=40000 remote=443"], "0.0.0.0", "in-use (in-use) (in-use) (in-use)",
      [.usualOptions] + history),
    LikelyRow(
      "over a program whose runtime sets SO_REUSEPORT", ["LISTEN 0.0.0.0 ra? rp?"], "0.0.0.0",
      "in-use in-use (ok) (ok)", [.runtimesOptions],
      usual: UsualOptions(reuseaddr: true, reuseport: true, v6only: nil)),
    LikelyRow(
      "of 0.0.0.0 over the remains of a [::1] connection has no ground: half of the servers set IPV6_V6ONLY",
      ["TIME_WAIT ::1 ra? rp? v6only?"], "0.0.0.0", "? (ok) ? (ok)", [.usualOptions]),
    LikelyRow(
      "of the same has ground where a connection came over IPv4 to the same listener",
      ["TIME_WAIT ::1 ra? rp? v6only?", "TIME_WAIT ::ffff:10.0.0.1 RA"], "0.0.0.0", "in-use (ok) (in-use) (ok)",
      [.usualOptions]),
    LikelyRow(
      "of the same beside one of IPv4 to an IPv4 socket: the listener had the port for IPv6 alone",
      ["TIME_WAIT ::1 ra? rp? v6only? remote=40000", "TIME_WAIT 10.0.0.1 RA dev=2 remote=40000"], "0.0.0.0 dev=3",
      "(ok) (ok) (ok) (ok)", [.usualOptions]),
    LikelyRow(
      "of the same beside one of IPv4 to an IPv6 socket: the listener took both",
      ["TIME_WAIT ::1 ra? rp? v6only? remote=40000", "TIME_WAIT ::ffff:10.0.0.1 RA dev=2 remote=40000"],
      "0.0.0.0 dev=3", "(in-use) (ok) (in-use) (ok)", [.usualOptions]),
    LikelyRow(
      "over a [::1] connection that one of two listeners accepted, one of them of IPv6 alone, has no ground",
      ["LISTEN :: RP V6ONLY", "LISTEN :: RP", "ESTABLISHED ::1 v6only? remote=40000"], "0.0.0.0",
      "in-use in-use ? ?", []),
    LikelyRow(
      "of the same takes what both listeners have",
      ["LISTEN :: RP", "LISTEN :: RA RP", "ESTABLISHED ::ffff:127.0.0.1 rp? remote=40000"], "0.0.0.0",
      "in-use in-use (ok) (ok)", [.listenersOptions]),
    LikelyRow(
      "of UDP beside a hidden socket: a UDP server sets nothing", ["UDP 0.0.0.0 ra? rp?"], "UDP 0.0.0.0",
      "in-use (in-use) (in-use) (in-use)", [.usualOptions]),
    LikelyRow(
      "of UDP beside two that share the port by an option that nothing tells has no ground",
      ["UDP 0.0.0.0 ra? rp?", "UDP 0.0.0.0 ra? rp?"], "UDP 0.0.0.0", "in-use ? ? ?", []),
    LikelyRow(
      "of UDP on one address among mixed sockets walks the chain of the port",
      ["UDP 127.0.0.1 RA RP", "UDP 0.0.0.0 RA"], "UDP 127.0.0.1", "in-use ok (ok) ok", [.chainOfThePort]),
    LikelyRow(
      "of UDP on a port that all who use it share: with SO_REUSEADDR, and whether with SO_REUSEPORT nothing tells",
      ["UDP 0.0.0.0 ra? rp? port=5353", "UDP 0.0.0.0 ra? rp? port=5353"], "UDP 0.0.0.0", "in-use (ok) ? (ok)",
      [.usualOptions]),
    LikelyRow(
      "beside a socket whose port was chosen for a client: it sets nothing", ["BOUND 0.0.0.0 ra? rp? port=40000"],
      "0.0.0.0", "in-use (in-use) (in-use) (in-use)", [.usualOptions] + history),
    LikelyRow(
      "of UDP between the families takes the newer inode for the newer socket",
      ["UDP 127.0.0.1 RP inode=7", "UDP :: inode=5"], "UDP ::", "in-use in-use (ok) (ok)",
      [.orderOfInodes]),
    LikelyRow(
      "of UDP between the families: an IPv6 socket with SO_REUSEPORT stands at the end of the chain",
      ["UDP 127.0.0.1 inode=5", "UDP :: RP inode=7"], "UDP ::", "in-use in-use (in-use) (in-use)", [.orderOfInodes]),
    LikelyRow(
      "behind sockets of mixed options depends on who was bound last: one with SO_REUSEPORT",
      ["BOUND 127.0.0.1 inode=5", "BOUND 127.0.0.2 RP inode=7", "LISTEN 127.0.0.2 RP uid=5 inode=6"], "127.0.0.2",
      "in-use in-use (ok) (ok)", history + [.orderOfInodes]),
    LikelyRow(
      "behind sockets of mixed options depends on who was bound last: one without",
      ["BOUND 127.0.0.1 inode=8", "BOUND 127.0.0.2 RP inode=7", "LISTEN 127.0.0.2 RP uid=5 inode=6"], "127.0.0.2",
      "in-use in-use (in-use) (in-use)", history + [.orderOfInodes]),
    LikelyRow(
      "behind sockets of mixed options has no ground where one of them has no inode",
      ["BOUND 127.0.0.1", "BOUND 127.0.0.2 RP inode=7", "LISTEN 127.0.0.2 RP uid=5 inode=6"], "127.0.0.2",
      "in-use in-use ? ?", []),
    LikelyRow(
      "behind sockets of mixed options depends on who was bound last: the newest of those that are alike",
      ["BOUND 127.0.0.1 inode=5", "BOUND 127.0.0.2 RP inode=7", "BOUND 127.0.0.2 RP inode=4"]
        + ["LISTEN 127.0.0.2 RP uid=5 inode=6"], "127.0.0.2", "in-use in-use (ok) (ok)", history + [.orderOfInodes]),
    LikelyRow(
      "behind sockets of mixed options looks past connections, which their listener explains",
      [
        "BOUND 127.0.0.1 RA inode=4", "LISTEN 0.0.0.0 RA RP inode=5",
        "ESTABLISHED 10.0.0.1 RA RP remote=40000 inode=6",
      ],
      "0.0.0.0", "in-use in-use (ok) ok", history + [.orderOfInodes]),
    LikelyRow(
      "beside two listeners on one address that are known to have no SO_REUSEPORT now: EADDRINUSE",
      ["LISTEN 0.0.0.0 ra?", "LISTEN 0.0.0.0 ra?"], "0.0.0.0", "in-use in-use (in-use) (in-use)", history),
    LikelyRow(
      "keeps an IPV6_V6ONLY that is known, whatever the runtime sets", ["LISTEN :: ra? rp?"], "0.0.0.0",
      "in-use in-use (in-use) (in-use)", [.runtimesOptions] + history,
      usual: UsualOptions(reuseaddr: true, reuseport: false, v6only: true)),
    LikelyRow(
      "over a connection takes the options of the listener on the wildcard",
      ["ESTABLISHED 10.0.0.1 ra? rp? remote=40000", "LISTEN 0.0.0.0 RA RP"], "10.0.0.1", "in-use in-use (ok) (ok)",
      [.listenersOptions]),
    LikelyRow(
      "over an IPv6 connection takes the options of the listener on ::",
      ["ESTABLISHED ::1 ra? rp? remote=40000", "LISTEN :: RA RP"], "::1", "in-use in-use (ok) (ok)",
      [.listenersOptions]),
    LikelyRow(
      "over an IPv4 connection to an IPv6 socket takes the options of the listener on ::",
      ["ESTABLISHED ::ffff:10.0.0.1 ra? rp? remote=40000", "LISTEN :: RA RP"], "10.0.0.1", "in-use in-use (ok) (ok)",
      [.listenersOptions]),
    LikelyRow(
      "over an IPv4 connection to an IPv6 socket takes the options of the listener on ::ffff:0.0.0.0",
      ["ESTABLISHED ::ffff:10.0.0.1 ra? rp? remote=40000", "LISTEN ::ffff:0.0.0.0 RA RP"], "10.0.0.1",
      "in-use in-use (ok) (ok)", [.listenersOptions]),
    LikelyRow(
      "over an IPv6 connection takes nothing from a listener of IPv4",
      ["ESTABLISHED ::1 ra? rp? remote=40000", "LISTEN 0.0.0.0 RA RP"], "::1", "in-use (ok) (in-use) (ok)",
      [.usualOptions]),
    LikelyRow(
      "behind the last bind of an unknown user with SO_REUSEPORT rests on that being another user's",
      ["BOUND 127.0.0.2 RP uid? inode=7", "BOUND 127.0.0.1 RP inode=5", "LISTEN 127.0.0.2 RP uid=5 inode=4"],
      "127.0.0.2", "in-use in-use (in-use) (in-use)",
      [.optionsUnchanged, .otherUser, .noEarlierSockets, .orderOfInodes]),
    LikelyRow(
      "of UDP beside a hidden member of a multicast group has no ground", ["UDP 239.1.1.1 ra? rp?"], "UDP 239.1.1.1",
      "in-use ? ? ?", []),
    LikelyRow(
      "beside a listener and a bound socket does not take them for sharers of one address",
      ["LISTEN 0.0.0.0 RA rp?", "BOUND 0.0.0.0 RA rp? dev=2"], "0.0.0.0 dev=3", "in-use in-use (in-use) (in-use)",
      [.usualOptions] + history),
    LikelyRow(
      "beside a socket of which one option is known takes the other from its runtime: SO_REUSEADDR",
      ["BOUND 0.0.0.0 ra?"],
      "0.0.0.0", "in-use (in-use) (in-use) (in-use)", [.runtimesOptions] + history,
      usual: UsualOptions(reuseaddr: false, reuseport: false, v6only: nil)),
    LikelyRow(
      "beside a socket of which one option is known takes the other from its runtime: SO_REUSEPORT",
      ["BOUND 0.0.0.0 RA rp?"], "0.0.0.0", "in-use ok (ok) ok", [.runtimesOptions],
      usual: UsualOptions(reuseaddr: true, reuseport: true, v6only: nil)),
    LikelyRow(
      "behind a connection with SO_REUSEPORT has no ground where its listener has gone, from where nobody knows",
      ["ESTABLISHED 10.0.0.1 RP remote=443 inode=4", "BOUND 10.0.0.1 uid=5 inode=3"], "0.0.0.0", "in-use in-use ? ?",
      []),
    LikelyRow(
      "beside hidden listeners on 0.0.0.0 and on one address: both have SO_REUSEPORT",
      ["LISTEN 0.0.0.0 RA rp?", "LISTEN 127.0.0.1 RA rp?"], "127.0.0.1", "in-use in-use (ok) (ok)",
      [.optionsUnchanged]),
    LikelyRow(
      "of TCP remembers nothing of a UDP socket", ["LISTEN 0.0.0.0 RA inode=5", "UDP 0.0.0.0 RP inode=7"], "0.0.0.0",
      "in-use in-use (in-use) (in-use)", history),
    LikelyRow(
      "behind a last bind of IPv6 alone lets nothing of IPv4 pass",
      ["LISTEN :: V6ONLY RP inode=7", "LISTEN 0.0.0.0 RP uid=5 inode=5"], "127.0.0.1",
      "in-use in-use (in-use) (in-use)", history + [.orderOfInodes]),
    LikelyRow(
      "behind the last bind with SO_REUSEPORT has no ground where its IPV6_V6ONLY is not known",
      ["LISTEN :: RP v6only? inode=7", "BOUND 127.0.0.2 RP uid=5 inode=6"], "0.0.0.0", "in-use in-use ? ?", []),
  ]

  @Test("of listeners that never receive the same is that each is alone: no SO_REUSEPORT is guessed")
  func apart() {
    let planned = attempt("0.0.0.0")
    for other in [":: V6ONLY", "::1"] {
      let sockets = [socket("LISTEN 0.0.0.0 ra? rp?"), socket("LISTEN \(other) ra? rp?")]
      for existing in [sockets, sockets.reversed()] {
        let snapshot = Snapshot(host: openHost(), sockets: existing)
        let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot) { _ in nil }
        #expect(!likelyLine(all).contains("(ok)"), "\(other): \(likelyLine(all))")
      }
    }
  }

  @Test("is the rules' answer in the ordinary world, and names what it rests on", arguments: rows)
  func row(_ row: LikelyRow) {
    let snapshot = Snapshot(host: openHost(), sockets: row.existing.map(socket))
    let planned = attempt(row.planned)
    let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot) { _ in row.usual }
    #expect(likelyLine(all) == row.expected)
    #expect(all.last { $0.likely != nil }?.likely?.assuming ?? [] == row.assuming)
  }

  /// A port that connect(2) picks, and a peer's that it does not: 32768 to 60999 where the range was not read.
  @Test(
    "over a connection takes it for the host's own by the two ports",
    arguments: [
      (32768, 443, nil, true), (32767, 443, nil, false), (60999, 443, nil, true), (61000, 443, nil, false),
      (40000, 32767, nil, true), (40000, 32768, nil, false), (40000, 60999, nil, false), (40000, 61000, nil, true),
      (40000, 443, 50000...50010, false), (50000, 443, 50000...50010, true), (50010, 40000, 50000...50010, true),
      (50011, 443, 50000...50010, false),
    ] as [(Int, Int, ClosedRange<UInt16>?, Bool)])
  func clients(own: Int, peer: Int, range: ClosedRange<UInt16>?, isClient: Bool) {
    var host = openHost()
    host.localPortRange = range
    let planned = attempt("0.0.0.0")
    let snapshot = Snapshot(
      host: host, sockets: [socket("ESTABLISHED 10.0.0.1 ra? rp? port=\(own) remote=\(peer)")])
    let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
    // A client sets nothing; a server set SO_REUSEADDR.
    #expect(likelyLine(all) == (isClient ? "in-use (in-use) (in-use) (in-use)" : "in-use (ok) (in-use) (ok)"))
  }

  @Test(
    "over a connection between two ports of clients takes it for the host's own where the peer's is a server's",
    arguments: [([UInt16(50051)], "10.0.0.1", true), ([50052], "10.0.0.1", false), ([50051], "10.0.0.2", false)])
  func localServer(servers: [UInt16], address: String, isClient: Bool) throws {
    let planned = attempt("0.0.0.0")
    var connection = socket("ESTABLISHED 10.0.0.1 ra? rp? port=40000 remote=50051")
    connection.remote?.address = try #require(IPAddress(address))
    var snapshot = Snapshot(host: openHost(), sockets: [connection])
    snapshot.localServers = Set(servers.map { Port($0) })
    let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
    #expect(likelyLine(all) == (isClient ? "in-use (in-use) (in-use) (in-use)" : "in-use (ok) (in-use) (ok)"))
  }

  /// What `inet_csk_update_fastreuse` keeps: until 6.7 the first socket of a bucket is remembered for every address (ANY),
  /// and SO_REUSEADDR as long as all who bound had it; from 6.8 on for its own address (STRICT), and SO_REUSEADDR never.
  @Test(
    "behind the memory of the bucket hangs on the kernel, and on who was first",
    arguments: [
      (["BOUND 127.0.0.2 RP inode=7", "ESTABLISHED 10.0.0.1 port=40000 remote=443"], 7, "in-use (in-use) (ok) (ok)"),
      (
        ["BOUND 127.0.0.2 RP inode=7", "ESTABLISHED 10.0.0.1 port=40000 remote=443"], 8,
        "in-use in-use (in-use) (in-use)"
      ),
      (["BOUND 127.0.0.2 RP inode=7", "TIME_WAIT 10.0.0.1 RA remote=443"], 7, "in-use (in-use) (in-use) ok"),
      (
        ["BOUND 127.0.0.2 RA inode=7", "ESTABLISHED 10.0.0.1 port=40000 remote=443"], 7,
        "in-use (+EADDRINUSE) (in-use) (ok)"
      ),
      (
        ["BOUND 127.0.0.2 RA inode=7", "ESTABLISHED 10.0.0.1 port=40000 remote=443"], 8,
        "in-use in-use (in-use) (in-use)"
      ),
      (["BOUND 127.0.0.2 RA inode=7", "LISTEN 127.0.0.3 RA inode=8"], 7, "in-use (in-use) (in-use) (in-use)"),
      (["BOUND 127.0.0.2 RA inode=7", "LISTEN 127.0.0.3 RA inode=6"], 7, "in-use (in-use) (in-use) (in-use)"),
      // A listener that has gone listened, after which no SO_REUSEADDR is remembered.
      (
        [
          "TIME_WAIT 10.0.0.1 RA remote=443", "BOUND 127.0.0.2 RA inode=7",
          "ESTABLISHED 10.0.0.2 port=40000 remote=443",
        ], 7, "in-use (in-use) (in-use) (in-use)"
      ),
      (["BOUND 127.0.0.1 RA inode=5", "BOUND 127.0.0.2 inode=6"], 7, "in-use (in-use) (in-use) (in-use)"),
      (["BOUND 127.0.0.1 RA inode=6", "BOUND 127.0.0.2 inode=5"], 7, "in-use (in-use) (in-use) (in-use)"),
    ])
  func memory(existing: [String], minor: Int, expected: String) {
    let planned = attempt("0.0.0.0")
    let snapshot = Snapshot(
      host: openHost(kernel: KernelVersion(major: 6, minor: minor)), sockets: existing.map(socket))
    let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
    #expect(likelyLine(all) == expected, "\(existing) on 6.\(minor)")
  }

  /// In a bucket of another layer-3 domain a socket is in nobody's way; which one it was bound in, the dump does not say.
  @Test("where VRFs may be takes a socket for one of the VRF that its device is in now")
  func domains() {
    struct Case {
      var socket: String
      var vrfs: Bool?
      var hasInterfaces = true
      var accept: Bool? = false
      var expected: String
    }
    let cases = [
      Case(socket: "LISTEN 0.0.0.0", vrfs: true, expected: "(in-use)"),
      Case(socket: "LISTEN 0.0.0.0 dev=8", vrfs: true, expected: "(ok)"),
      Case(socket: "LISTEN 0.0.0.0 dev=9", vrfs: true, expected: "(ok)"),
      Case(socket: "LISTEN 0.0.0.0 dev=2", vrfs: true, expected: "(in-use)"),
      Case(socket: "LISTEN 0.0.0.0 dev=8", vrfs: true, accept: true, expected: "(in-use)"),
      Case(socket: "LISTEN 0.0.0.0", vrfs: true, hasInterfaces: false, expected: "(in-use)"),
      Case(socket: "LISTEN 0.0.0.0 dev=8", vrfs: nil, hasInterfaces: false, accept: true, expected: "(in-use)"),
      Case(socket: "LISTEN 0.0.0.0 dev=8", vrfs: true, hasInterfaces: false, expected: "?"),
      Case(socket: "LISTEN 0.0.0.0", vrfs: nil, hasInterfaces: false, expected: "in-use"),
      Case(socket: "LISTEN 0.0.0.0", vrfs: nil, expected: "(in-use)"),
      Case(socket: "LISTEN 0.0.0.0 dev=8", vrfs: nil, expected: "(ok)"),
    ]
    for one in cases {
      var host = openHost()
      let vrf = InterfaceIndex(rawValue: 9)
      host.interfaces?.append(NetworkInterface(index: vrf, name: "red", isUp: true, vrfTable: 10))
      host.interfaces?.append(
        NetworkInterface(index: InterfaceIndex(rawValue: 8), name: "slave", isUp: true, master: vrf))
      if !one.hasInterfaces { host.interfaces = nil }
      host.tcpL3mdevAccept = one.accept
      host.mayHaveVRFs = one.vrfs
      let planned = attempt("0.0.0.0")
      let snapshot = Snapshot(host: host, sockets: [socket(one.socket)])
      let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
      #expect(likelyLine([all[0]]) == one.expected, "\(one)")
      #expect(all[0].likely.map(\.assuming) ?? [.devicesUnchanged] == [.devicesUnchanged], "\(one)")
    }
  }

  @Test("of UDP on one address is none the less sure on a kernel whose binds to a wildcard may miss sockets")
  func addressOnOldKernel() {
    let host = openHost(kernel: KernelVersion(major: 6, minor: 12, stable: 9, release: "6.12.9"))
    let planned = attempt("UDP 127.0.0.1")
    let snapshot = Snapshot(host: host, sockets: ["UDP 127.0.0.1 RA RP", "UDP 0.0.0.0 RA"].map(socket))
    let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
    #expect(likelyLine(all) == "in-use ok (ok) ok")
    #expect(all[2].likely?.assuming == [.chainOfThePort])
  }

  /// What each series was released with, and later mended: in 6.1 ::ffff:0.0.0.0 goes on covering no ::ffff:127.0.0.1.
  @Test(
    "takes the kernel for one of its version, and the wildcard's bucket for one that the sockets of now made",
    arguments: [
      ("5.10.0-46", ["ESTABLISHED ::1"], "127.0.0.6", "(in-use)", [.kernelOfItsVersion]),
      ("6.1.50", ["LISTEN 127.0.0.1"], "::ffff:127.0.0.1", "(in-use)", [.kernelOfItsVersion]),
      ("6.5.0", ["LISTEN :: V6ONLY"], "::ffff:127.0.0.1", "(ok)", [.kernelOfItsVersion]),
      ("6.8.0-31", ["LISTEN :: V6ONLY"], "::ffff:127.0.0.1", "(ok)", [.kernelOfItsVersion]),
      ("6.1.50", ["LISTEN ::ffff:0.0.0.0"], "::ffff:127.0.0.1", "(ok)", [.noEarlierSockets, .kernelOfItsVersion]),
      ("6.6.30", ["LISTEN ::ffff:0.0.0.0"], "::ffff:127.0.0.1", "(ok)", [.noEarlierSockets, .kernelOfItsVersion]),
      ("6.1.50", ["LISTEN 0.0.0.0"], "::ffff:127.0.0.1", "(in-use)", [.noEarlierSockets, .kernelOfItsVersion]),
      ("6.1.192", ["LISTEN ::ffff:0.0.0.0"], "::ffff:127.0.0.1", "(ok)", [.noEarlierSockets]),
      ("6.1.192", ["LISTEN 0.0.0.0"], "::ffff:127.0.0.1", "(in-use)", [.noEarlierSockets]),
      (
        "6.1.192", ["LISTEN 0.0.0.0 dev=2 inode=5", "LISTEN ::ffff:0.0.0.0 dev=3 inode=6"], "::ffff:127.0.0.1",
        "(in-use)", [.noEarlierSockets, .orderOfInodes]
      ),
      (
        "6.1.192", ["LISTEN 0.0.0.0 dev=2 inode=7", "LISTEN ::ffff:0.0.0.0 dev=3 inode=6"], "::ffff:127.0.0.1",
        "(ok)", [.noEarlierSockets, .orderOfInodes]
      ),
    ] as [(String, [String], String, String, [Assumption])])
  func released(release: String, existing: [String], planned: String, expected: String, assuming: [Assumption]) throws
  {
    let host = openHost(kernel: try #require(KernelVersion(release: release)))
    let planned = attempt(planned)
    let snapshot = Snapshot(host: host, sockets: existing.map(socket))
    let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
    #expect(likelyLine([all[0]]) == expected, "\(existing) on \(release)")
    #expect(all[0].likely?.assuming == assuming, "\(existing) on \(release)")
  }

  @Test("of a UDP wildcard on an old kernel takes a chain for short that the port alone does not fill")
  func chainOfThePort() {
    let host = openHost(kernel: KernelVersion(major: 6, minor: 12, stable: 9, release: "6.12.9"))
    let planned = attempt("UDP 0.0.0.0")
    for (count, expected) in [(1, "(in-use)"), (10, "(in-use)"), (11, "?")] {
      let snapshot = Snapshot(host: host, sockets: Array(repeating: socket("UDP 127.0.0.53"), count: count))
      let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
      #expect(likelyLine([all[0]]) == expected, "\(count)")
    }
  }

  @Test("of a socket whose IPV6_V6ONLY nobody set takes what the host starts a socket with")
  func hostsV6only() {
    for existing in ["LISTEN ::", "UDP ::", "SYN_SENT ::1"] {
      for (setting, expected) in [(true, "(ok)"), (false, "(in-use)"), (nil, "(in-use)")] {
        var host = openHost()
        host.bindv6only = setting
        let planned = attempt((existing.hasPrefix("UDP") ? "UDP " : "") + "0.0.0.0")
        let peer = existing.hasPrefix("SYN") ? " remote=443" : ""
        let snapshot = Snapshot(host: host, sockets: [socket(existing + " ra? rp? v6only?" + peer)])
        let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot) { _ in
          UsualOptions(reuseaddr: true, reuseport: false, v6only: nil)
        }
        #expect(likelyLine([all[0]]) == expected, "\(existing) \(String(describing: setting))")
      }
    }
  }

  @Test("where nobody could read whether listeners serve all VRFs takes them for apart")
  func acceptOfVRFs() {
    for (existing, expected) in [("LISTEN 0.0.0.0 domain=9", "(in-use)"), ("LISTEN 0.0.0.0 domain=0", "(ok)")] {
      var host = openHost()
      let vrf = InterfaceIndex(rawValue: 9)
      host.interfaces?.append(NetworkInterface(index: vrf, name: "red", isUp: true, vrfTable: 10))
      (host.mayHaveVRFs, host.tcpL3mdevAccept) = (true, nil)
      let planned = attempt("0.0.0.0 dev=9")
      let snapshot = Snapshot(host: host, sockets: [socket(existing)])
      let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
      #expect(likelyLine([all[0]]) == expected, "\(existing)")
      #expect(all[0].likely?.assuming == [.defaultSettings], "\(existing)")
    }
  }

  @Test("does not rest on an option that was only inferred: that is one that is not known")
  func inferredOptions() {
    let planned = attempt("0.0.0.0")
    for (habit, expected) in [(true, "in-use (ok) (ok) (ok)"), (false, "in-use (in-use) (in-use) (in-use)")] {
      var bound = socket("BOUND 0.0.0.0")
      bound.reuseaddr = .inferred(!habit, from: 0, because: .noOwner)
      bound.reuseport = .inferred(!habit, from: 0, because: .noOwner)
      let snapshot = Snapshot(host: openHost(), sockets: [bound])
      let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot) { _ in
        UsualOptions(reuseaddr: habit, reuseport: habit, v6only: nil)
      }
      #expect(likelyLine(all) == expected)
      #expect(all[1].likely?.assuming == [.runtimesOptions])
    }
    // Known of one option, and of two listeners on one address: both can be bound only with SO_REUSEPORT.
    for (text, count) in [("BOUND 0.0.0.0 RA", 1), ("LISTEN 0.0.0.0 RA", 2)] {
      var one = socket(text)
      one.reuseport = .inferred(false, from: 0, because: .noOwner)
      let snapshot = Snapshot(host: openHost(), sockets: Array(repeating: one, count: count))
      let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot) { _ in
        UsualOptions(reuseaddr: true, reuseport: count == 1, v6only: nil)
      }
      #expect(likelyLine([all[2]]) == "(ok)", "\(text)")
    }
    var wildcard = socket("UDP ::")
    wildcard.v6only = .inferred(true, from: 0, because: .noOwner)
    let (udp, snapshot) = (attempt("UDP 0.0.0.0"), Snapshot(host: openHost(), sockets: [wildcard]))
    let all = withLikelyOutcomes(outcomes(of: udp, in: snapshot), of: udp, in: snapshot)
    #expect(likelyLine(all) == "(in-use) (in-use) (in-use) (in-use)")
    #expect(all[0].likely?.assuming == [.usualOptions])
  }

  @Test("of UDP keeps the order of the chain that was read, whatever the inodes say")
  func orderThatWasRead() {
    let sockets = ["UDP 127.0.0.1 RP uid=0 inode=5", "UDP :: uid=0 inode=7"].map(socket)
    let snapshot = Snapshot(host: openHost(), sockets: sockets, isChainOrdered: true)
    var planned = attempt("UDP :: uid=0")
    (planned.port, planned.mayBindPrivileged) = (Port(80), nil)
    let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
    #expect(likelyLine(all) == "(in-use) (in-use) (ok) (ok)")
    #expect(all[3].likely?.assuming == [.usualCapabilities])
    // One with SO_REUSEPORT, which stands at the end, is in the way as any other.
    let apart = ["UDP 127.0.0.1 dev=2 inode=5", "UDP :: RP uid=5 inode=7"].map(socket)
    planned.device = .interface(InterfaceIndex(rawValue: 3), name: "dev3")
    let unordered = Snapshot(host: openHost(), sockets: apart)
    let others = withLikelyOutcomes(outcomes(of: planned, in: unordered), of: planned, in: unordered)
    #expect(likelyLine(others) == "(in-use) (in-use) (in-use) (in-use)")
  }

  @Test("where bound sockets cannot be listed takes the port for free")
  func hiddenSockets() {
    var snapshot = Snapshot(host: openHost(kernel: KernelVersion(major: 6, minor: 1)), sockets: [])
    snapshot.visibility.boundSocketsComplete = false
    let planned = attempt("0.0.0.0")
    let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
    #expect(likelyLine(all) == "(ok) (ok) (ok) (ok)")
    #expect(all[0].likely?.assuming == [.noHiddenSockets])
  }

  @Test("of a host of which nothing was read rests on what a kernel starts with")
  func settings() {
    var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 1000)
    host.mayHaveVRFs = false
    host.ipv4Lookups = [
      RouteLookup(destination: IPv4Address(10, 0, 0, 2), type: .local),
      RouteLookup(destination: IPv4Address(10, 0, 0, 3), type: RouteType(rawValue: 1)),
    ]
    let cases: [(String, String, [Assumption])] = [
      ("127.0.0.1", "(ok) (ok) (ok) (ok)", [.defaultSettings]), ("::1", "(ok) (ok) (ok) (ok)", [.defaultSettings]),
      ("0.0.0.0", "(ok) (ok) (ok) (ok)", [.defaultSettings]), ("10.0.0.1", "? ? ? ?", []),
      ("::1 dev=1", "(ok) (ok) (ok) (ok)", [.defaultSettings]),
      ("::ffff:127.0.0.1", "(ok) (ok) (ok) (ok)", [.defaultSettings]), ("fd00::1", "? ? ? ?", []),
      // The look-up was read.
      ("10.0.0.2", "(ok) (ok) (ok) (ok)", [.defaultSettings]), ("10.0.0.3", "? ? ? ?", []),
    ]
    for (address, expected, assuming) in cases {
      let snapshot = Snapshot(host: host, sockets: [])
      let planned = attempt(address)
      let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
      #expect(likelyLine(all) == expected, "\(address)")
      #expect(all[0].likely?.assuming ?? [] == assuming)
    }
    // Whether an address may be bound that is not local is a setting too.
    var elsewhere = host
    elsewhere.ipv4LocalRoutes = [LocalRoute(destination: .loopback, prefixLength: 32, type: .local)]
    elsewhere.ipv4AbsentTables = []
    elsewhere.ipv4RulesAreDefault = false
    elsewhere.interfaces = []
    let strange = attempt("10.0.0.3")
    let foreign = Snapshot(host: elsewhere, sockets: [])
    let refused = withLikelyOutcomes(outcomes(of: strange, in: foreign), of: strange, in: foreign)
    #expect(refused[0].missing.map(\.kind).contains(.nonlocalBind))
    #expect(refused[0].likely?.bind == .fails(.addressNotAvailable))
    // A table that was read stays as it is, though it be empty.
    host.ipv4LocalRoutes = []
    let snapshot = Snapshot(host: host, sockets: [])
    let planned = attempt("127.0.0.1")
    let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
    #expect(likelyLine(all) == "? ? ? ?")
    // Without a look-up nothing says that another address is local.
    (host.ipv4LocalRoutes, host.ipv4Lookups) = (nil, nil)
    let unread = Snapshot(host: host, sockets: [])
    for (address, expected) in [("10.0.0.2", "?"), ("127.0.0.1", "(ok)")] {
      let planned = attempt(address)
      let all = withLikelyOutcomes(outcomes(of: planned, in: unread), of: planned, in: unread)
      #expect(likelyLine([all[0]]) == expected, "\(address)")
    }
  }

  @Test("of a privileged port takes what is known of the user's capability before what is usual")
  func privilegedPort() {
    // Whether the user may, whether the limit was read, and whether it is root: what is likely, and why.
    let cases: [(may: Bool?, limit: UInt32?, uid: UInt32, isOk: Bool, assuming: [Assumption])] = [
      (false, nil, 0, false, [.defaultSettings]), (nil, nil, 0, true, [.defaultSettings]),
      (nil, nil, 1000, false, [.defaultSettings]), (nil, 1024, 1000, false, [.usualCapabilities]),
      (nil, 1024, 0, true, [.usualCapabilities]),
    ]
    for (may, limit, uid, isOk, assuming) in cases {
      var host = openHost()
      host.unprivilegedPortStart = limit
      var planned = attempt("127.0.0.1 uid=\(uid)")
      planned.port = Port(80)
      planned.mayBindPrivileged = may
      let snapshot = Snapshot(host: host, sockets: [])
      let likely = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)[0].likely
      #expect(likely?.bind == (isOk ? .ok : .fails(.accessDenied)), "\(planned)")
      #expect(likely?.assuming == assuming, "\(planned)")
    }
  }

  @Test("is there for undetermined outcomes alone, and names at least one assumption")
  func onlyWhereUndetermined() {
    for known in UnknownFactsTests.sockets {
      let planned = attempt((known.transport == .udp ? "UDP " : "") + "0.0.0.0")
      for existing in UnknownFactsTests.blankings(of: known) + [known] {
        let snapshot = Snapshot(host: openHost(), sockets: [existing])
        for outcome in withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot) {
          guard let likely = outcome.likely else { continue }
          let isOne = outcome.verdict == .undetermined && !likely.assuming.isEmpty
          let isSure = likely.bind != .undetermined && likely.listen != .undetermined
          if !isOne || !isSure { Issue.record("\(planned) beside \(existing)") }
        }
      }
    }
  }

  /// Every completion of the unknown facts is asked with every bucket that could be: the guess must be the answer of one.
  @Test("is an answer that the facts can come to: never one that all of them rule out")
  func neverImpossible() {
    var guesses = 0
    for known in UnknownFactsTests.sockets {
      let transport = known.transport == .udp ? "UDP " : ""
      for address in ["0.0.0.0", "::1"] {
        let planned = attempt(transport + address)
        for blanked in UnknownFactsTests.blankings(of: known) {
          let snapshot = Snapshot(host: openHost(), sockets: [blanked])
          let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
          guard all.contains(where: { $0.likely != nil }) else { continue }
          let completions = Self.completions(of: blanked).map {
            outcomes(of: planned, in: Snapshot(host: openHost(), sockets: [$0]))
          }
          for index in all.indices {
            guard let likely = all[index].likely else { continue }
            guesses += 1
            let isPossible = completions.contains { completion in
              completion[index].bind == .undetermined
                || completion[index].bind == likely.bind && completion[index].listen == likely.listen
            }
            if !isPossible { Issue.record("\(planned) beside \(blanked)") }
          }
        }
      }
    }
    #expect(guesses > 2000)
  }

  /// The socket with each value in the place of each fact that is not known.
  private static func completions(of blanked: SocketObservation) -> [SocketObservation] {
    let unknown =
      (blanked.reuseaddr.sure == nil ? 1 : 0) + (blanked.reuseport.sure == nil ? 2 : 0)
      + (blanked.family == .ipv6 && blanked.v6only?.sure == nil ? 4 : 0) + (blanked.uid == nil ? 8 : 0)
    return (0..<16).filter { $0 & ~unknown == 0 }.map { mask in
      var whole = blanked
      if unknown & 1 != 0 { whole.reuseaddr = .known(mask & 1 != 0, .sockDiag) }
      if unknown & 2 != 0 { whole.reuseport = .known(mask & 2 != 0, .sockDiag) }
      if unknown & 4 != 0 { whole.v6only = .known(mask & 4 != 0, .sockDiag) }
      if unknown & 8 != 0 { whole.uid = mask & 8 != 0 ? 1000 : 5 }
      return whole
    }
  }
}
