import BindRules
import SocketModel
import Testing

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
      let members =
        Self.members(32_767, state + "127.0.0.1 RP")
        + [socket(state + "127.0.0.1" + changed), socket(state + "127.0.0.9 RP")]
      let outcome = Self.answers(members, transport)[2]
      #expect(outcome.verdict != .ok, "\(state) \(changed)")
      if changed.contains("dev"), !transport.isEmpty {
        #expect(outcome.likely?.bind == .ok && outcome.likely?.assuming == [.optionsUnchanged])
      }
    }
    // Nobody of another device's group lets it in.
    let device = Self.members(32_768, state + "127.0.0.1 RP dev=2")
    let other = outcomes(of: attempt(transport + "127.0.0.1 dev=3"), in: Snapshot(host: openHost(), sockets: device))
    #expect(other[2].verdict == .ok)
    let full = Self.answers(Self.members(32_768, state + "127.0.0.1 RP"), transport)[2]
    #expect(full.missing == [MissingFact(.reuseportGroup)])
    #expect(full.likely?.assuming == [.optionsUnchanged])
    #expect(full.likely?.bind == (transport.isEmpty ? .ok : .fails(.addressInUse)))
    #expect(full.likely?.listen == (transport.isEmpty ? .fails(.outOfMemory) : nil))
    #expect(Self.answers(Self.members(32_767, state + "127.0.0.1 RP"), transport)[2].verdict == .ok)
  }

  @Test("of another user takes nobody in whom the bind bucket lets pass")
  func ofAnotherUser() {
    for (user, missing) in [("uid=5", []), ("uid=1000", [MissingFact(.reuseportGroup)])] {
      let snapshot = Snapshot(
        host: openHost(), sockets: Self.members(32_768, "LISTEN 127.0.0.1 RP \(user)"),
        buckets: [BindBucketTests.bucket(.any)])
      #expect(outcomes(of: attempt("127.0.0.1"), in: snapshot)[2].missing == missing, "\(user)")
    }
  }

  /// `inet_reuseport_add_sock` and `udp_reuseport_add_sock` look for a socket of the same family, address and
  /// IPV6_V6ONLY; that of TCP among listeners alone.
  @Test(
    "is not that of a socket of another family, address or IPV6_V6ONLY, nor of a connection",
    arguments: [
      ("LISTEN 127.0.0.1 RP", "ESTABLISHED 127.0.0.1 RP", "127.0.0.1"),
      ("LISTEN 127.0.0.1 RP", "LISTEN ::ffff:127.0.0.1 RP", "127.0.0.1"),
      ("LISTEN 127.0.0.1 RP", "LISTEN 0.0.0.0 RP", "127.0.0.1"), ("LISTEN :: RP", "LISTEN :: V6ONLY RP", "::"),
      ("UDP 127.0.0.1 RP", "UDP 127.0.0.2 RP", "UDP 127.0.0.1"),
      ("UDP :: RP", "UDP :: V6ONLY RP", "UDP ::"), ("UDP 127.0.0.1 RP", "LISTEN 127.0.0.1 RP", "UDP 127.0.0.1"),
    ])
  func others(member: String, other: String, planned: String) {
    let plan = attempt(planned)
    func outcome(_ sockets: [SocketObservation]) -> BindOutcome {
      outcomes(of: plan, in: Snapshot(host: openHost(), sockets: sockets))[2]
    }
    let members = Self.members(32_767, member)
    #expect(outcome(members + [socket(other)]).missing == [])
    #expect(outcome(members + [socket(member)]).missing == [MissingFact(.reuseportGroup)])
  }

  @Test("takes nobody in who has no SO_REUSEPORT, and of TCP nobody who cannot listen")
  func outside() {
    let udp = Snapshot(host: openHost(), sockets: Self.members(32_768, "UDP 127.0.0.1 RA RP"))
    #expect(outcomes(of: attempt("UDP 127.0.0.1"), in: udp).map(\.verdict)[1] == .ok)
    var host = openHost()
    host.filteredCalls = FilteredCalls(areKnown: true, listen: .notPermitted)
    let tcp = Snapshot(host: host, sockets: Self.members(32_768, "LISTEN 127.0.0.1 RP"))
    let outcome = outcomes(of: attempt("127.0.0.1"), in: tcp)[2]
    #expect(outcome.bind == .ok && outcome.listen == .fails(.notPermitted) && outcome.missing == [])
  }

  @Test("may be that of members of whose IPV6_V6ONLY nothing is known")
  func unknownV6only() {
    let members = Self.members(32_768, "UDP :: RP v6only?")
    for planned in ["UDP :: V6ONLY", "UDP ::"] {
      let snapshot = Snapshot(host: openHost(), sockets: members)
      #expect(outcomes(of: attempt(planned), in: snapshot)[2].missing == [MissingFact(.reuseportGroup)], "\(planned)")
    }
  }
}
