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
      "of UDP beside a hidden socket: a UDP server sets nothing", ["UDP 0.0.0.0 ra? rp?"], "UDP 0.0.0.0",
      "in-use (in-use) (in-use) (in-use)", [.usualOptions]),
    LikelyRow(
      "of UDP beside two that share the port by an option that nothing tells has no ground",
      ["UDP 0.0.0.0 ra? rp?", "UDP 0.0.0.0 ra? rp?"], "UDP 0.0.0.0", "in-use ? ? ?", []),
    LikelyRow(
      "of UDP on one address among mixed sockets walks the chain of the port",
      ["UDP 127.0.0.1 RA RP", "UDP 0.0.0.0 RA"], "UDP 127.0.0.1", "in-use ok (ok) ok", [.chainOfThePort]),
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
      "behind the last bind of an unknown user with SO_REUSEPORT rests on that being another user's",
      ["BOUND 127.0.0.2 RP uid? inode=7", "BOUND 127.0.0.1 RP inode=5", "LISTEN 127.0.0.2 RP uid=5 inode=4"],
      "127.0.0.2", "in-use in-use (in-use) (in-use)",
      [.optionsUnchanged, .otherUser, .noEarlierSockets, .orderOfInodes]),
    LikelyRow(
      "behind the last bind with SO_REUSEPORT has no ground where its IPV6_V6ONLY is not known",
      ["LISTEN :: RP v6only? inode=7", "BOUND 127.0.0.2 RP uid=5 inode=6"], "0.0.0.0", "in-use in-use ? ?", []),
  ]

  @Test("is the rules' answer in the ordinary world, and names what it rests on", arguments: rows)
  func row(_ row: LikelyRow) {
    let snapshot = Snapshot(host: openHost(), sockets: row.existing.map(socket))
    let planned = attempt(row.planned)
    let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot) { _ in row.usual }
    #expect(likelyLine(all) == row.expected)
    #expect(all.last { $0.likely != nil }?.likely?.assuming ?? [] == row.assuming)
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
    let cases: [(String, String, [Assumption])] = [
      ("127.0.0.1", "(ok) (ok) (ok) (ok)", [.defaultSettings]), ("::1", "(ok) (ok) (ok) (ok)", [.defaultSettings]),
      ("0.0.0.0", "(ok) (ok) (ok) (ok)", [.defaultSettings]), ("10.0.0.1", "? ? ? ?", []),
    ]
    for (address, expected, assuming) in cases {
      let snapshot = Snapshot(host: host, sockets: [])
      let planned = attempt(address)
      let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
      #expect(likelyLine(all) == expected, "\(address)")
      #expect(all[0].likely?.assuming ?? [] == assuming)
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
    (0..<16).map { mask in
      var whole = blanked
      if blanked.reuseaddr.sure == nil { whole.reuseaddr = .known(mask & 1 != 0, .sockDiag) }
      if blanked.reuseport.sure == nil { whole.reuseport = .known(mask & 2 != 0, .sockDiag) }
      if blanked.family == .ipv6, blanked.v6only?.sure == nil { whole.v6only = .known(mask & 4 != 0, .sockDiag) }
      if blanked.uid == nil { whole.uid = mask & 8 != 0 ? 1000 : 5 }
      return whole
    }
  }
}

@Suite("A SO_REUSEPORT group")
struct GroupHistoryTests {
  private static func answers(_ members: [SocketObservation], _ transport: String) -> [BindOutcome] {
    let planned = attempt(transport + "127.0.0.1")
    let snapshot = Snapshot(host: openHost(), sockets: members)
    return withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
  }

  private static func members(_ count: Int, _ text: String) -> [SocketObservation] {
    let one = socket(text)
    return (0..<count).map { number in
      var member = one
      member.inode = UInt64(number + 1)
      member.cookie = UInt64(number + 1)
      return member
    }
  }

  @Test(
    "that may be full keeps members that have cleared the option, changed their owner or their device since",
    arguments: ["UDP ", "LISTEN "])
  func byHistory(_ state: String) {
    let transport = state == "UDP " ? state : ""
    for changed in ["", " RP uid=5", " RP dev=2"] {
      let members = Self.members(32_767, state + "127.0.0.1 RP") + [socket(state + "127.0.0.1" + changed)]
      let outcome = Self.answers(members, transport)[2]
      #expect(outcome.verdict != .ok, "\(state) \(changed)")
    }
    let full = Self.answers(Self.members(32_768, state + "127.0.0.1 RP"), transport)[2]
    #expect(full.missing == [MissingFact(.reuseportGroup)])
    #expect(full.likely?.assuming == [.optionsUnchanged])
    #expect(full.likely?.bind == (transport.isEmpty ? .ok : .fails(.addressInUse)))
    #expect(full.likely?.listen == (transport.isEmpty ? .fails(.outOfMemory) : nil))
    #expect(Self.answers(Self.members(32_767, state + "127.0.0.1 RP"), transport)[2].verdict == .ok)
  }
}
