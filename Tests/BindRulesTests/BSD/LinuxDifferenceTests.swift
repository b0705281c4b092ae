@testable import BindRules
import SocketModel
import Testing

@Suite("Where a BSD answers otherwise than Linux")
struct LinuxDifferenceTests {
  /// The reason by the promise of the pair; the second is macOS' where it is another.
  static let reasons: [String: [BSDDifferenceReason]] = [
    "bound but not listening, both SO_REUSEADDR, same address": [.reuseaddrSharesNothing],
    "both SO_REUSEPORT, two users, 0.0.0.0": [.usersShareWildcard],
    "both SO_REUSEPORT, new is root's, first a user's": [.rootJoins],
    "listener 0.0.0.0 without, new 127.0.0.1 with SO_REUSEADDR": [.exactAddress],
    "listener 127.0.0.1 without, new 0.0.0.0 with SO_REUSEADDR": [.exactAddress],
    "listener 0.0.0.0 and new 127.0.0.1, both SO_REUSEADDR": [.exactAddress],
    "listener 0.0.0.0 of a user, new 127.0.0.1 with SO_REUSEADDR of root": [.exactAddress],
    "TIME_WAIT of a socket without SO_REUSEADDR, new with": [.newOptionSuffices],
    "TIME_WAIT of another user, SO_REUSEADDR on both": [.otherUser],
    "connected socket without SO_REUSEADDR alone on the port, new with": [.newOptionSuffices],
    "0.0.0.0 listener, new :: with v6only off, no options": [.ipv4WildcardStays],
    "IPV6_V6ONLY left alone: 0.0.0.0 listener, new ::, no options": [.ipv4WildcardStays],
    ":: listener with v6only off, new 127.0.0.1 with SO_REUSEADDR": [.exactAddress],
    ":: with v6only off and 0.0.0.0, udp, SO_REUSEADDR on both": [.reuseaddrSharesNothing],
    "::ffff:127.0.0.1 on a v6only socket": [.address],
    "IPV6_V6ONLY left alone: ::ffff:127.0.0.1": [.v6onlyDefault],
    "0.0.0.0 listener of one user, new :: with v6only off of another, no options": [.ipv4WildcardStays],
    "127.0.0.2 (on no interface)": [.address],
    "port 80, a user, 0.0.0.0": [.reservedPort],
    "tcp on 224.0.0.1": [.protocolAddress],
    "tcp on ff02::1": [.protocolAddress],
    "fe80::1 without a scope": [.address],
    "udp on 255.255.255.255": [.address],
    "udp, SO_REUSEADDR on both, same unicast address": [.reuseaddrSharesNothing],
    "udp, SO_REUSEPORT on both, two users, 0.0.0.0": [.usersShareWildcard],
    "udp, SO_REUSEADDR on both, two users, same address": [.otherUser, .reuseaddrSharesNothing],
    "udp 0.0.0.0 without, new 127.0.0.1 with SO_REUSEADDR": [.exactAddress],
    "udp 0.0.0.0 and 127.0.0.1, SO_REUSEADDR on both, two users": [.otherUser],
    "udp connected socket, new same address with SO_REUSEADDR, one user": [.newOptionSuffices],
    "udp connected socket, new same address, two users, SO_REUSEADDR on both": [.otherUser],
    "group: first SO_REUSEADDR, new SO_REUSEPORT": [.multicastOptions],
    "group: first SO_REUSEPORT, new SO_REUSEADDR": [.multicastOptions],
    "group, SO_REUSEPORT on both, two users": [.multicastOptions],
    "udp 0.0.0.0 without options, new group with SO_REUSEADDR": [.exactAddress],
    "0.0.0.0 and 127.0.0.1 of AF_INET there, new :: with v6only off, no options": [.ipv4WildcardStays],
  ]

  /// IPV6_V6ONLY of an existing socket is a fact here, so the one row that leaves it to the system does not differ.
  static let rows = BSDPairs.all.filter {
    $0.expected[0] != "-" && !$0.promise.hasPrefix("IPV6_V6ONLY left alone: :: listener")
  }

  @Test("is told with its reason, and nowhere else", arguments: rows)
  func reason(_ row: BSDRow) throws {
    let words = BSDWords(row.planned)
    let options = try #require(words.options.onLinux)
    let planned = words.attempt()
    let attempt = BindAttempt(
      transport: planned.transport, address: planned.address, port: planned.port, v6only: planned.v6only ?? false,
      uid: planned.uid, mayBindPrivileged: planned.uid == 0)
    let snapshot = Snapshot(
      host: bsdHost(), sockets: row.existing.reversed().map { BSDWords($0).observation(v6only: false) },
      buckets: [BindBucketTests.bucket(nil)])
    let linux = outcomes(of: attempt, in: snapshot)
    for (system, column) in [(BSDSystem.freebsd, 3), (.macos, 4)] where row.expected[column] != "-" {
      let all = differences(of: attempt, v6only: planned.v6only, linux: linux, in: snapshot, under: system)
      let difference = all.first { $0.options == options }
      if row.expected[0] == row.expected[column] {
        #expect(difference == nil, "\(system)")
      } else {
        let expected = try #require(Self.reasons[row.promise], "\(system): \(String(describing: difference))")
        let reason = try #require(difference, "\(system)").reason
        #expect(reason == (system == .macos ? expected.last : expected.first), "\(system)")
      }
    }
  }

  @Test("is an open connection that is over, a device, another family")
  func others() {
    func reason(_ existing: String, _ planned: String, _ options: ReuseOptions = []) -> BSDDifferenceReason? {
      let attempt = attempt(planned)
      let snapshot = Snapshot(
        host: bsdHost(), sockets: [BSDWords(existing).observation(v6only: false)],
        buckets: [BindBucketTests.bucket(nil)])
      let linux = outcomes(of: attempt, in: snapshot)
      return differences(of: attempt, v6only: nil, linux: linux, in: snapshot, under: .freebsd)
        .first { $0.options == options }?.reason
    }
    #expect(reason("tcp 127.0.0.1 over", "127.0.0.1") == .connectionOver)
    #expect(reason("tcp 0.0.0.0 listen scope=2 uid=1000", "0.0.0.0 dev=3") == .device)
    #expect(reason("tcp ::1 connected", "0.0.0.0") == .familiesApart)
    #expect(reason("tcp :: listen uid=1000", "::", .reuseaddr) == nil)
    #expect(reason("udp 127.0.0.1", "UDP ff02::1") == .address, "Linux wants a scope there")
    // What Linux leaves open is no difference.
    let (same, snapshot) = (
      attempt("127.0.0.1"),
      Snapshot(
        host: bsdHost(), sockets: [BSDWords("tcp 127.0.0.1 listen uid=1000").observation(v6only: false)])
    )
    let linux = outcomes(of: same, in: snapshot)
    #expect(linux[2].bind == .undetermined)
    #expect(differences(of: same, v6only: nil, linux: linux, in: snapshot, under: .freebsd).isEmpty)
  }

  @Test("is one of listen() too: an option of the new socket gets over a connection at bind() alone on an old Linux")
  func listen() {
    let attempt = attempt("127.0.0.1")
    let snapshot = Snapshot(
      host: openHost(kernel: KernelVersion(major: 6, minor: 1)),
      sockets: [BSDWords("tcp 127.0.0.1 connected uid=1000").observation(v6only: false)],
      buckets: [BindBucketTests.bucket(nil, fastReuse: true)])
    let linux = outcomes(of: attempt, in: snapshot)
    #expect(linux[1].bind == .ok && linux[1].listen == .fails(.addressInUse))
    let difference = differences(of: attempt, v6only: nil, linux: linux, in: snapshot, under: .freebsd)
      .first { $0.options == .reuseaddr }
    #expect(difference?.linux == .fails(.addressInUse) && difference?.reason == .newOptionSuffices)
  }

  @Test("is that 0.0.0.0 keeps IPv4 beside a later :: of both families, with an option too")
  func wildcardStays() {
    let attempt = attempt("::")
    for (existing, reason) in [
      ("0.0.0.0", BSDDifferenceReason.ipv4WildcardStays), ("127.0.0.1", .exactAddress),
    ] {
      let snapshot = Snapshot(
        host: bsdHost(), sockets: [BSDWords("tcp \(existing) listen uid=1000").observation(v6only: false)])
      let linux = outcomes(of: attempt, in: snapshot)
      let all = differences(of: attempt, v6only: false, linux: linux, in: snapshot, under: .freebsd)
      #expect(all.first { $0.options == .reuseaddr }?.reason == reason, "\(existing)")
    }
  }

  @Test("is IPV6_V6ONLY too where Linux has it on by default and macOS has not")
  func v6onlyOnLinux() {
    let attempt = attempt(":: V6ONLY")
    let snapshot = Snapshot(
      host: bsdHost(), sockets: [BSDWords("tcp 127.0.0.1 listen uid=1000").observation(v6only: false)])
    let linux = outcomes(of: attempt, in: snapshot)
    let all = differences(of: attempt, v6only: nil, linux: linux, in: snapshot, under: .macos)
    #expect(all.map(\.options) == [[]] && all.map(\.reason) == [.v6onlyDefault])
  }

  @Test("is that ports below 1024 are root's there, whatever Linux allows")
  func reservedPort() {
    var attempt = attempt("127.0.0.1")
    attempt.port = Port(80)
    attempt.mayBindPrivileged = true
    let snapshot = Snapshot(host: bsdHost(), sockets: [])
    let linux = outcomes(of: attempt, in: snapshot)
    for system in BSDSystem.allCases {
      let all = differences(of: attempt, v6only: nil, linux: linux, in: snapshot, under: system)
      #expect(all.map(\.reason) == Array(repeating: .reservedPort, count: 4), "\(system)")
    }
  }

  @Test("is the errno where Linux alone refuses listen() and both would refuse something")
  func refusedListen() {
    let attempt = attempt("127.0.0.1")
    var host = bsdHost()
    host.filteredCalls = FilteredCalls(areKnown: true, listen: .notPermitted)
    let snapshot = Snapshot(
      host: host, sockets: [BSDWords("tcp 127.0.0.1 bound A uid=1000").observation(v6only: false)],
      buckets: [BindBucketTests.bucket(nil)])
    let linux = outcomes(of: attempt, in: snapshot)
    #expect(linux[1].bind == .ok && linux[1].listen == .fails(.notPermitted))
    let difference = differences(of: attempt, v6only: nil, linux: linux, in: snapshot, under: .freebsd)
      .first { $0.options == .reuseaddr }
    #expect(difference?.linux == .fails(.notPermitted) && difference?.bsd.bind == .fails(.addressInUse))
    #expect(difference?.reason == .errno)
  }

  @Test("is not made up where Linux alone refuses, for what is no matter of the port")
  func refusedHereAlone() {
    func reasons(_ words: String, _ change: (inout BindAttempt, inout HostFacts) -> Void) -> Set<BSDDifferenceReason?>
    {
      var (attempt, host) = (attempt(words), bsdHost())
      change(&attempt, &host)
      let snapshot = Snapshot(host: host, sockets: [])
      let linux = outcomes(of: attempt, in: snapshot)
      return Set(
        differences(of: attempt, v6only: nil, linux: linux, in: snapshot, under: .freebsd).map(\.reason))
    }
    #expect(reasons("0.0.0.0") { attempt, _ in attempt.device = .missing(name: "eth7") } == [.device])
    #expect(
      reasons("0.0.0.0") { _, host in host.freshSockets = [FreshSocket(.tcp, .ipv4, refusal: .accessDenied)] }
        == [nil])
    #expect(reasons("::") { _, host in host.ipv6Available = false } == [nil])
  }

  @Test("is that either option goes with the other on a group, IPv4-mapped or not")
  func groups() {
    for group in ["239.1.1.1", "::ffff:239.1.1.1", "ff05::1"] {
      let attempt = attempt("UDP " + group)
      let snapshot = Snapshot(
        host: bsdHost(), sockets: [BSDWords("udp \(group) A uid=1000").observation(v6only: false)])
      let linux = outcomes(of: attempt, in: snapshot)
      let all = differences(of: attempt, v6only: false, linux: linux, in: snapshot, under: .freebsd)
      #expect(all.map(\.options) == [.reuseport], "\(group)")
      #expect(all.map(\.reason) == [.multicastOptions], "\(group)")
    }
  }
}

@Suite("The answer of a BSD")
struct ForeignAnswerTests {
  /// - Parameter v6only: what the program sets.
  private func answer(
    _ existing: [String], _ planned: String, _ options: ReuseOptions, v6only: Bool? = nil,
    _ system: BSDSystem = .freebsd
  ) -> ForeignAnswer {
    let attempt = attempt(planned + " uid=1001")
    let snapshot = Snapshot(
      host: bsdHost(), sockets: existing.reversed().map { BSDWords($0).observation(v6only: false) })
    return foreignAnswer(
      of: attempt, v6only: v6only, planned: options, linux: outcomes(of: attempt, in: snapshot), in: snapshot,
      under: system)
  }

  @Test("tells of SO_REUSEPORT_LB where the system has it and both sides set SO_REUSEPORT")
  func balanced() {
    let found = answer(["udp 0.0.0.0 P"], "UDP 0.0.0.0", .reuseport).ifBalanced
    #expect(found?.map(\.system) == [.freebsd, .freebsd14, .freebsd13])
    #expect(found?.map(\.bind) == [.ok, .ok, .ok])
    let others = answer(["udp 0.0.0.0 P uid=5"], "UDP 0.0.0.0", [.reuseaddr, .reuseport]).ifBalanced
    #expect(others?.map(\.bind) == [.fails(.addressInUse), .ok, .ok])
    for (existing, planned, options, system) in [
      ("udp 0.0.0.0 P", "UDP 0.0.0.0", [], .freebsd), ("udp 0.0.0.0 P", "UDP 0.0.0.0", .reuseaddr, .freebsd),
      ("udp 0.0.0.0 P", "UDP 0.0.0.0", .reuseport, .macos), ("udp 0.0.0.0 A", "UDP 0.0.0.0", .reuseport, .freebsd),
      ("tcp 127.0.0.1 P listen", "UDP 127.0.0.1", .reuseport, .freebsd),
      ("tcp 127.0.0.1 P connected", "127.0.0.1", .reuseport, .freebsd),
    ] as [(String, String, ReuseOptions, BSDSystem)] {
      #expect(answer([existing], planned, options, system).ifBalanced == nil, "\(existing) \(options) \(system)")
    }
  }

  @Test("tells of an earlier release what that answers otherwise, and of no other option")
  func earlier() {
    let found = answer(["udp 127.0.0.1 P disconnected"], "UDP 127.0.0.1", []).earlier
    #expect(found.map(\.system) == [.freebsd13])
    #expect(found.first?.outcomes.map(\.options) == [[], .reuseaddr])
    #expect(found.first?.outcomes.map(\.bind) == [.fails(.addressInUse), .fails(.addressInUse)])
    #expect(answer(["udp 127.0.0.1 P"], "UDP 127.0.0.1", []).earlier == [])
    // What one of the others sets may be open.
    let open = answer(["udp 127.0.0.1 P", "udp 0.0.0.0 P?"], "UDP 0.0.0.0", .reuseport).ifBalanced
    #expect(open?.map(\.bind) == [.undetermined, .undetermined, .undetermined])
  }

  @Test("is given for every combination that the system has, by the names of its manual")
  func combinations() {
    let linux = ["", "SO_REUSEADDR", "SO_REUSEPORT", "SO_REUSEADDR SO_REUSEPORT"]
    let balancing = ["SO_REUSEPORT_LB", "SO_REUSEADDR SO_REUSEPORT_LB", "SO_REUSEPORT SO_REUSEPORT_LB"]
    #expect(BSDSystem.allCases.map(\.earlier) == [[], [.freebsd13], [.freebsd13, .freebsd14], []])
    for system in BSDSystem.allCases {
      let names = system.combinations.map { $0.socketOptions.joined(separator: " ") }
      #expect(names == (system == .macos ? linux : linux + balancing), "\(system)")
    }
  }

  @Test("tells of Linux' IPV6_V6ONLY only where the program leaves it alone and it changes an answer")
  func v6only() {
    let open = answer([], "::ffff:127.0.0.1", [])
    #expect(open.usesDefaultV6only)
    #expect(open.outcomes[0].bind == .fails(.addressNotAvailable))
    #expect(open.withV6onlyOfLinux?[0].bind == .ok)
    let same = answer([], "::ffff:127.0.0.1", [], .macos)
    #expect(same.usesDefaultV6only && same.withV6onlyOfLinux == nil && same.outcomes[0].expected == .ok)
    #expect(answer(["udp 127.0.0.1"], "UDP ::1", []).withV6onlyOfLinux == nil)
    #expect(answer([], "UDP 0.0.0.0", []).usesDefaultV6only == false)
    let set = answer([], "::ffff:127.0.0.1", [], v6only: false)
    #expect(set.usesDefaultV6only == false && set.withV6onlyOfLinux == nil)
  }

  @Test(
    "tells who receives where the bind works beside others of its address, and what of the question it leaves out")
  func receives() {
    let shared = answer(["udp 0.0.0.0 P"], "UDP 0.0.0.0", .reuseport).receives
    #expect(shared.map(\.family) == [.ipv4])
    #expect(shared.map(\.receiver) == [.one(.planned)])
    #expect(shared[0].earlier.map(\.system) == [.freebsd13])
    #expect(shared[0].earlier.map(\.receiver) == [.one(.socket(0))])
    #expect(answer(["udp 0.0.0.0 P"], "UDP 0.0.0.0", []).receives == [])
    #expect(answer(["udp 127.0.0.1 P"], "UDP 0.0.0.0", .reuseport).receives == [])
    for group in ["239.1.1.1", "ff05::1"] {
      #expect(answer(["udp \(group) P"], "UDP \(group)", .reuseport).receives == [])
    }
    let mapped = answer(["udp ::ffff:239.1.1.1 P"], "UDP ::ffff:239.1.1.1", .reuseport, v6only: false)
    #expect(mapped.outcomes[2].bind == .ok && mapped.receives == [])
    // To a broadcast address each socket gets a copy, as on Linux; a TCP listener there gets connections.
    #expect(answer(["udp 192.0.2.255 P"], "UDP 192.0.2.255", .reuseport).receives == [])
    #expect(answer(["tcp 192.0.2.255 P listen"], "192.0.2.255", .reuseport).receives.map(\.family) == [.ipv4])
    // `::` without IPV6_V6ONLY takes both families, with it one.
    let both = answer(["udp :: dual P"], "UDP ::", .reuseport, v6only: false).receives
    #expect(both.map(\.family) == [.ipv4, .ipv6] && both.map(\.receiver) == [.one(.planned), .one(.planned)])
    #expect(answer(["udp :: v6only P"], "UDP ::", .reuseport, v6only: true).receives.map(\.family) == [.ipv6])
    let one = answer(["udp ::ffff:127.0.0.1 dual P"], "UDP ::ffff:127.0.0.1", .reuseport, v6only: false).receives
    #expect(one.map(\.family) == [.ipv4] && one.map(\.receiver) == [.one(.planned)])
    let wildcard = answer(["udp 0.0.0.0 P"], "UDP ::ffff:0.0.0.0", .reuseport, v6only: false).receives
    #expect(wildcard.map(\.family) == [.ipv4])
    #expect(answer(["udp ::1 v6only P"], "UDP ::1", .reuseport).receives.map(\.family) == [.ipv6])
    // The oldest on a wildcard on macOS, which has to listen.
    for (state, receiver) in [("listen", BSDReceiver.one(.socket(0))), ("bound", .silence(.socket(0)))] {
      let first = answer(["tcp 0.0.0.0 P \(state)"], "0.0.0.0", .reuseport, .macos).receives
      #expect(first.map(\.receiver) == [receiver], "\(state)")
      #expect(
        answer(["tcp 0.0.0.0 P \(state)"], "0.0.0.0", .reuseport).receives.map(\.receiver) == [.one(.planned)])
    }
    let open = answer(["tcp :: v6only? P listen"], "0.0.0.0", .reuseport).receives
    #expect(open.map(\.receiver) == [.undetermined([.planned, .socket(0)])])
    #expect(answer(["tcp 127.0.0.1 listen"], "127.0.0.1", []).leftOut == [])
    #expect(answer([], "127.0.0.1 dev=2", []).leftOut == [.device])
    #expect(answer(["tcp 127.0.0.1 listen scope=2"], "127.0.0.1", []).leftOut == [.device])
    #expect(answer(["tcp fe80::1 listen scope=2"], "127.0.0.1", []).leftOut == [])
  }
}
