import BindRules
import SocketModel
import Testing

/// One row: a promise, the sockets that exist, the planned bind, the answers without options, with SO_REUSEADDR,
/// with SO_REUSEPORT, with both.
struct Row: CustomTestStringConvertible, Sendable {
  var promise: String
  var existing: [String]
  var planned: String
  var expected: String

  init(_ promise: String, _ existing: [String], _ planned: String, _ expected: String) {
    self.promise = promise
    self.existing = existing
    self.planned = planned
    self.expected = expected
  }

  var testDescription: String { promise }
}

@Suite("A TCP bind")
struct TCPBindTests {
  static let rows: [Row] = [
    Row("works on a port without sockets", [], "0.0.0.0", "ok ok ok ok"),
    Row(
      "fails beside a plain listener; only the bind bucket could know of an earlier SO_REUSEPORT",
      ["LISTEN 0.0.0.0"], "0.0.0.0", "in-use in-use ? ?"),
    Row(
      "is not helped by SO_REUSEADDR on both sides while one listens",
      ["LISTEN 0.0.0.0 RA"], "0.0.0.0", "in-use in-use ? ?"),
    Row("works beside a bound socket if both set SO_REUSEADDR", ["BOUND 0.0.0.0 RA"], "0.0.0.0", "in-use ok ? ok"),
    Row("fails beside a bound socket without SO_REUSEADDR", ["BOUND 0.0.0.0"], "0.0.0.0", "in-use in-use ? ?"),
    Row("works over TIME_WAIT if both set SO_REUSEADDR", ["TIME_WAIT 10.0.0.1 RA"], "0.0.0.0", "in-use ok ? ok"),
    Row(
      "fails over TIME_WAIT whose own socket had not set SO_REUSEADDR",
      ["TIME_WAIT 10.0.0.1"], "0.0.0.0", "in-use in-use ? ?"),
    Row(
      "over TIME_WAIT with unknown flags is sure only without options",
      ["TIME_WAIT 10.0.0.1 ra? rp?"], "0.0.0.0", "in-use ? ? ?"),
    Row(
      "works beside a listener if both set SO_REUSEPORT and belong to one user",
      ["LISTEN 0.0.0.0 RP"], "0.0.0.0", "in-use in-use ok ok"),
    Row(
      "with SO_REUSEPORT does not pass another user's listener by the pair rule",
      ["LISTEN 0.0.0.0 RP uid=5"], "0.0.0.0", "in-use in-use ? ?"),
    Row(
      "with SO_REUSEPORT passes TIME_WAIT of any user", ["TIME_WAIT 10.0.0.1 RP"], "0.0.0.0", "in-use in-use ok ok"),
    Row(
      "takes a FIN_WAIT2 that is a timewait socket for TIME_WAIT",
      ["FIN_WAIT2 10.0.0.1 RP tw"], "0.0.0.0", "in-use in-use ok ok"),
    Row(
      "takes an orphan in FIN_WAIT2 for a connection of its user",
      ["FIN_WAIT2 10.0.0.1 RP uid=5"], "0.0.0.0", "in-use in-use ? ?"),
    Row("is never hindered by a handshake", ["SYN_RECV 0.0.0.0"], "0.0.0.0", "ok ok ok ok"),
    Row(
      "is hindered by a whole socket in SYN_RECV: TCP Fast Open, SYNs that crossed", ["SYN_RECV 0.0.0.0 uid=1000"],
      "0.0.0.0", "in-use in-use ? ?"),
    Row("on another address works", ["LISTEN 127.0.0.1"], "127.0.0.2", "ok ok ok ok"),
    Row(
      "on a specific address fails beside a wildcard listener",
      ["LISTEN 0.0.0.0"], "127.0.0.1", "in-use in-use ? ?"),
    Row("on different devices works", ["LISTEN 0.0.0.0 dev=2"], "0.0.0.0 dev=3", "ok ok ok ok"),
    Row("on the same device fails", ["LISTEN 0.0.0.0 dev=2"], "0.0.0.0 dev=2", "in-use in-use ? ?"),
    Row("without a device meets a socket that has one", ["LISTEN 0.0.0.0 dev=2"], "0.0.0.0", "in-use in-use ? ?"),
    Row("on 0.0.0.0 fails beside a dual-stack ::", ["LISTEN ::"], "0.0.0.0", "in-use in-use ? ?"),
    Row("on 0.0.0.0 works beside a V6ONLY ::", ["LISTEN :: V6ONLY"], "0.0.0.0", "ok ok ok ok"),
    Row("on 0.0.0.0 beside :: with unknown V6ONLY is undetermined", ["LISTEN :: v6only?"], "0.0.0.0", "? ? ? ?"),
    Row(
      "on 0.0.0.0 fails beside the [::1] connection of a dual-stack listener",
      ["ESTABLISHED ::1"], "0.0.0.0", "in-use in-use ? ?"),
    Row(
      "on 127.0.0.1 works beside the [::1] connection of a dual-stack listener",
      ["ESTABLISHED ::1"], "127.0.0.1", "ok ok ok ok"),
    Row(
      "on ::ffff:0.0.0.0 works beside the [::1] connection of a dual-stack listener",
      ["ESTABLISHED ::1"], "::ffff:0.0.0.0", "ok ok ok ok"),
    Row(
      "on 127.0.0.6, which stands for IPv6 addresses in sk_rcv_saddr, is not confused by that",
      ["ESTABLISHED ::1"], "127.0.0.6", "ok ok ok ok"),
    Row(
      "an unknown flag that cannot change the answer does not spoil it",
      ["LISTEN 0.0.0.0 ra? rp?"], "0.0.0.0", "in-use in-use ? ?"),
    Row(
      "one sure blocker settles what another leaves open",
      ["TIME_WAIT 10.0.0.1 ra? rp?", "LISTEN 0.0.0.0 RA"], "0.0.0.0", "in-use in-use ? ?"),
    Row("with an unknown uid depends on it", ["LISTEN 0.0.0.0 RP uid?"], "0.0.0.0", "in-use in-use ? ?"),
  ]

  @Test("answers as inet_csk_get_port does", arguments: rows)
  func row(_ row: Row) {
    #expect(line(attempt(row.planned), row.existing.map(socket)) == row.expected)
  }

  @Test("names the socket and the rule that decide")
  func blockers() {
    let sockets = ["TIME_WAIT 10.0.0.1 RA", "LISTEN 0.0.0.0 RA", "BOUND 0.0.0.0 RP uid=5"].map(socket)
    let all = outcomes(of: attempt("0.0.0.0"), in: Snapshot(host: openHost(), sockets: sockets))
    #expect(all[0].blockers.map(\.socket) == [0, 1, 2])
    #expect(all.allSatisfy { $0.source == .rules })
    #expect(all[0].blockers.map(\.rule) == [.tcpReuseaddr, .tcpListener, .tcpReuseaddr])
    #expect(all[1].blockers.map(\.socket) == [1, 2])
    #expect(all[2].blockers.last?.rule == .tcpReuseportUser)
    #expect(all[2].missing.contains(MissingFact(.bindOrder)))
  }

  @Test("has its options by the names of socket(7)")
  func names() {
    let both = ["SO_REUSEADDR", "SO_REUSEPORT"]
    #expect(ReuseOptions.combinations.map(\.socketOptions) == [[], ["SO_REUSEADDR"], ["SO_REUSEPORT"], both])
  }

  @Test("says which unknown flag of which socket decides")
  func missing() {
    let sockets = ["TIME_WAIT 10.0.0.1 ra? rp?", "SYN_RECV 0.0.0.0 ra? rp?"].map(socket)
    let all = outcomes(of: attempt("0.0.0.0"), in: Snapshot(host: openHost(), sockets: sockets))
    #expect(all[0].missing.isEmpty)
    #expect(all[1].missing == [MissingFact(.reuseaddr, socket: 0)])
    // Where nobody surely is in the way: who may be.
    #expect(all[1].blockers == [Blocker(socket: 0, rule: .tcpReuseaddr)])
    let unknownUser = Snapshot(host: openHost(), sockets: [socket("LISTEN 0.0.0.0 RP uid? domain=0")])
    #expect(
      outcomes(of: attempt("0.0.0.0"), in: unknownUser)[2].missing
        == [MissingFact(.uid, socket: 0), MissingFact(.bindOrder)])
  }

  @Test("is not called free where bound sockets cannot be listed")
  func boundSocketsInvisible() {
    var snapshot = Snapshot(host: openHost(kernel: KernelVersion(major: 6, minor: 1)), sockets: [])
    snapshot.visibility.boundSocketsComplete = false
    let outcome = outcomes(of: attempt("0.0.0.0"), in: snapshot)[0]
    #expect(outcome.bind == .undetermined)
    #expect(outcome.missing == [MissingFact(.boundSockets)])
    // Processes that could not be read hide no bound socket.
    snapshot.visibility = Visibility(unreadableProcesses: 3)
    #expect(outcomes(of: attempt("0.0.0.0"), in: snapshot)[0].bind == .ok)
  }

  /// A host with the VRF `red`, index 9, and its slave, index 8.
  private func hostWithVRF(accept: Bool) -> HostFacts {
    var host = openHost()
    let vrf = InterfaceIndex(rawValue: 9)
    host.interfaces?.append(NetworkInterface(index: vrf, name: "red", isUp: true, vrfTable: 10))
    host.interfaces?.append(
      NetworkInterface(index: InterfaceIndex(rawValue: 8), name: "slave", isUp: true, master: vrf))
    host.tcpL3mdevAccept = accept
    host.mayHaveVRFs = true
    return host
  }

  /// Observed with 6.12: the domain is that of bind(2), whatever device, master and sysctl became (`conformance --vrf`).
  @Test(
    "conflicts only in the VRF in which the other was bound, by its bucket",
    arguments: [
      ("LISTEN 0.0.0.0 dev=8 domain=9", "0.0.0.0", "ok ok ok ok", "ok ok ok ok"),
      ("LISTEN 0.0.0.0 dev=8 domain=0", "0.0.0.0", "in-use in-use ? ?", "in-use in-use ? ?"),
      ("LISTEN 0.0.0.0 dev=9 domain=9", "0.0.0.0 dev=9", "in-use in-use ? ?", "ok ok ok ok"),
      ("LISTEN 0.0.0.0 domain=9", "0.0.0.0", "ok ok ok ok", "ok ok ok ok"),
      ("LISTEN 0.0.0.0 domain=0", "0.0.0.0 dev=9", "ok ok ok ok", "in-use in-use ? ?"),
      ("LISTEN 0.0.0.0 dev=8", "0.0.0.0", "? ? ? ?", "? ? ? ?"),
      ("LISTEN 0.0.0.0", "0.0.0.0", "? ? ? ?", "? ? ? ?"),
      ("LISTEN 0.0.0.0 dev=3", "0.0.0.0 dev=9", "ok ok ok ok", "ok ok ok ok"),
    ])
  func vrf(existing: String, planned: String, apart: String, joined: String) {
    #expect(line(attempt(planned), [socket(existing)], host: hostWithVRF(accept: false)) == apart)
    #expect(line(attempt(planned), [socket(existing)], host: hostWithVRF(accept: true)) == joined)
  }

  @Test("says that the VRF of the bind is what is missing, of which socket")
  func unknownVRF() {
    let snapshot = Snapshot(
      host: hostWithVRF(accept: false), sockets: [socket("LISTEN 0.0.0.0 domain=9"), socket("LISTEN 0.0.0.0")])
    #expect(outcomes(of: attempt("0.0.0.0"), in: snapshot)[0].missing == [MissingFact(.layer3Domain, socket: 1)])
  }

  @Test(
    "beside a socket with a device depends on VRFs that may have gone, where the driver is there",
    arguments: [
      ("LISTEN 0.0.0.0 dev=3", "? ? ? ?"), ("LISTEN 0.0.0.0 dev=77", "? ? ? ?"),
      ("LISTEN 0.0.0.0", "in-use in-use ? ?"), ("LISTEN 0.0.0.0 dev=3 domain=0", "in-use in-use ? ?"),
      ("LISTEN 0.0.0.0 dev=77 domain=77", "ok ok ok ok"), ("LISTEN 0.0.0.0 domain=5", "ok ok ok ok"),
    ])
  func deletedVRF(existing: String, expected: String) {
    var host = openHost()
    host.mayHaveVRFs = true
    #expect(line(attempt("0.0.0.0"), [socket(existing)], host: host) == expected)
    #expect(line(attempt("0.0.0.0"), [socket("LISTEN 0.0.0.0 dev=77")]) == "in-use in-use ? ?", "without the driver")
  }

  @Test("takes a connection's bucket for its VRF only where its device and the sysctl still say so")
  func connectionsDomain() {
    let host = hostWithVRF(accept: false)
    #expect(
      line(attempt("0.0.0.0 dev=9"), [socket("ESTABLISHED 10.79.0.1 dev=9 domain=9")], host: host)
        == "in-use in-use ? ?")
    #expect(line(attempt("0.0.0.0"), [socket("ESTABLISHED 10.79.0.1 dev=9 domain=9")], host: host) == "ok ok ok ok")
    for moved in ["ESTABLISHED 10.79.0.1 dev=9 domain=0", "TIME_WAIT 10.79.0.1 domain=9", "BOUND 10.79.0.1 domain=9"]
    {
      #expect(line(attempt("0.0.0.0"), [socket(moved)], host: host).hasPrefix("?"), "\(moved)")
    }
  }

  @Test("takes a connection's bucket for its VRF without the driver, whatever is known of interfaces")
  func domainWithoutDriver() {
    var host = openHost()
    host.interfaces = nil
    let connection = socket("ESTABLISHED 10.79.0.1 dev=3 domain=0")
    #expect(line(attempt("0.0.0.0"), [connection], host: host) == "in-use in-use ? ?")
    host.mayHaveVRFs = true
    #expect(line(attempt("0.0.0.0"), [connection], host: host) == "? ? ? ?")
  }

  @Test("before 6.8 may pass with SO_REUSEADDR where only the bind bucket knows")
  func reuseaddrShortcut() {
    let old = openHost(kernel: KernelVersion(major: 6, minor: 1))
    #expect(line(attempt("0.0.0.0"), [socket("BOUND 0.0.0.0")], host: old) == "in-use ? ? ?")
  }

  /// Observed: 5.10 refuses the first (its sk_rcv_saddr is 127.0.0.6), 6.1 allows the second. Read in the kernel's
  /// history: the rest. Columns: 5.10, 6.1.0-56, 6.1.50, 6.1.192, 6.2.0-39, 6.5.0, 6.6.30, 6.8.0-31, 6.9.
  @Test(
    "to one address depends on the kernel's version where the table of addresses came or was fixed later",
    arguments: [
      ("ESTABLISHED ::1", "127.0.0.6", "? ok ok ok ok ok ok ok ok"),
      ("LISTEN ::ffff:0.0.0.0", "::ffff:127.0.0.1", "X ? ? o ? ? ? X X"),
      ("LISTEN ::ffff:0.0.0.0", "127.0.0.1", "X ? ? X ? ? X X X"),
      ("LISTEN ::ffff:127.0.0.1", "127.0.0.1", "X ? ? X ? ? X X X"),
      ("LISTEN ::ffff:127.0.0.1", "::ffff:127.0.0.1", "X X X X X X X X X"),
      ("LISTEN 127.0.0.1", "::ffff:127.0.0.1", "X ? ? X ? ? X X X"),
      ("LISTEN 0.0.0.0", "::ffff:127.0.0.1", "X ? ? o ? ? ? X X"),
      ("LISTEN ::ffff:0.0.0.0", "0.0.0.0", "X X X X X X X X X"),
      ("LISTEN 0.0.0.0", "127.0.0.1", "X X X X X X X X X"),
      ("LISTEN ::", "::ffff:127.0.0.1", "X X X X X X X X X"),
      ("LISTEN ::", "127.0.0.1", "X ? X X ? X X X X"),
      ("LISTEN :: V6ONLY", "127.0.0.1", "ok ok ok ok ok ok ok ok ok"),
      ("LISTEN :: V6ONLY", "::ffff:127.0.0.1", "ok ? ? ok ? ? ? ? ok"),
      ("TIME_WAIT 127.0.0.1", "127.0.0.1", "X ? X X X X X X X"),
      ("TIME_WAIT ::1 V6ONLY", "::1", "X ? X X X X X X X"),
      ("TIME_WAIT 127.0.0.1", "0.0.0.0", "X X X X X X X X X"),
      ("LISTEN ::2 V6ONLY", "::1", "ok ok ok ok ok ok ok ok ok"), ("LISTEN ::1 V6ONLY", "::1", "X X X X X X X X X"),
      ("LISTEN 0.0.0.0, LISTEN :: V6ONLY", "127.0.0.1", "X ? ? X ? ? ? ? X"),
      ("LISTEN 0.0.0.0, LISTEN :: V6ONLY", "::1", "X X X X X X X X X"),
      ("LISTEN 0.0.0.0, LISTEN :: V6ONLY", "0.0.0.0", "X X X X X X X X X"),
    ])
  func addressTable(existing: String, planned: String, expected: String) {
    let releases = ["5.10.0-46", "6.1.0-56", "6.1.50", "6.1.192", "6.2.0-39", "6.5.0", "6.6.30", "6.8.0-31", "6.9.0"]
    let sockets = existing.split(separator: ", ").map { socket(String($0)) }
    for (release, mark) in zip(releases, expected.split(separator: " ")) {
      let host = openHost(kernel: KernelVersion(release: release) ?? KernelVersion(major: 0, minor: 0))
      let first = outcomes(of: attempt(planned), in: Snapshot(host: host, sockets: sockets))[0]
      let bind: CallResult = mark == "ok" ? .ok : mark == "X" ? .fails(.addressInUse) : .undetermined
      #expect(first.bind == bind, "\(existing), \(planned), \(release)")
      #expect(first.missing.contains(MissingFact(.kernelVersion)) == (mark == "?"))
      // Who was first on the address.
      #expect((first.missing == [MissingFact(.bindOrder)]) == (mark == "o"))
    }
    // A table that was carried back may lack what that of 6.1.0 lacks; without one every socket of the port counts.
    let marks = expected.split(separator: " ")
    for (isThere, mark) in [(true, marks[1]), (false, marks[0] == "?" ? "X" : marks[0])] {
      var host = openHost(kernel: KernelVersion(major: 5, minor: 10))
      host.bindsByAddress = isThere
      let first = outcomes(of: attempt(planned), in: Snapshot(host: host, sockets: sockets))[0]
      let bind: CallResult = mark == "ok" ? .ok : mark == "X" ? .fails(.addressInUse) : .undetermined
      #expect(first.bind == bind, "\(existing), \(planned), \(isThere)")
    }
  }

  @Test(
    "to an IPv4-mapped address until 6.8 may meet a wildcard with IPV6_V6ONLY, and by their options as any other",
    arguments: [
      ("BOUND :: V6ONLY RA", "? ok ? ok"), ("BOUND :: V6ONLY", "? ? ? ?"), ("BOUND :: V6ONLY RP", "? ? ok ok"),
    ])
  func mappedUnderV6only(existing: String, expected: String) {
    let host = openHost(kernel: KernelVersion(major: 6, minor: 5))
    #expect(line(attempt("::ffff:127.0.0.1"), [socket(existing)], host: host) == expected)
  }

  /// Read in the source of 6.1.192 and observed there: ::ffff:0.0.0.0 and 0.0.0.0 share a bucket, which has the family of the
  /// first of them, and only one of AF_INET covers ::ffff:127.0.0.1.
  @Test(
    "to an IPv4-mapped address on 6.1 is decided by the family of the wildcard's bucket, whoever is in it now",
    arguments: [
      ("LISTEN 0.0.0.0", AddressFamily.ipv4, "::ffff:127.0.0.1", "in-use"),
      ("LISTEN 0.0.0.0", .ipv6, "::ffff:127.0.0.1", "ok"),
      ("LISTEN ::ffff:0.0.0.0", .ipv4, "::ffff:127.0.0.1", "in-use"),
      ("LISTEN ::ffff:0.0.0.0", .ipv6, "::ffff:127.0.0.1", "ok"),
      ("LISTEN ::ffff:0.0.0.0", .ipv6, "127.0.0.1", "in-use"), ("LISTEN 0.0.0.0", .ipv6, "127.0.0.1", "in-use"),
      ("LISTEN 0.0.0.0", .ipv6, "::ffff:0.0.0.0", "in-use"), ("LISTEN ::", .ipv6, "::ffff:127.0.0.1", "in-use"),
    ])
  func addressBucket(existing: String, family: AddressFamily, planned: String, expected: String) {
    var listener = socket(existing)
    listener.addressBucketFamily = family
    let host = openHost(kernel: KernelVersion(major: 6, minor: 1, stable: 192))
    #expect(line(attempt(planned), [listener], host: host).hasPrefix(expected + " "))
  }

  /// With the table which of its mends were carried back, too, is open: as on 6.1 before 6.1.60.
  @Test(
    "before 6.1 is decided by whether the kernel shows a table of addresses",
    arguments: [(true, "ok", "?"), (false, "in-use", "in-use"), (nil, "?", "in-use")] as [(Bool?, String, String)])
  func withAddressTable(bindsByAddress: Bool?, connected: String, mapped: String) {
    var host = openHost(kernel: KernelVersion(major: 5, minor: 10))
    host.bindsByAddress = bindsByAddress
    let (first, second) = (socket("ESTABLISHED ::1"), socket("ESTABLISHED ::2 V6ONLY"))
    #expect(line(attempt("127.0.0.6"), [first], host: host).hasPrefix(connected))
    #expect(line(attempt("127.0.0.6"), [second], host: host).hasPrefix("ok"))
    #expect(line(attempt("127.0.0.1"), [socket("LISTEN ::ffff:127.0.0.1")], host: host).hasPrefix(mapped))
    #expect(line(attempt("127.0.0.1"), [socket("LISTEN 0.0.0.0")], host: host).hasPrefix("in-use"))
    // From 6.1 on there is one, whatever a report says.
    host.kernel = KernelVersion(major: 6, minor: 18)
    #expect(line(attempt("127.0.0.6"), [first], host: host).hasPrefix("ok"))
  }
}

@Suite("The stable releases of 6.1")
struct LongtermReleaseTests {
  /// What is the last release without the fix, and the first with it.
  @Test(
    "are sure from the release on that brought the fix",
    arguments: [
      ("LISTEN ::", "127.0.0.1", "6.1.20", "6.1.21"), ("TIME_WAIT 127.0.0.1", "127.0.0.1", "6.1.20", "6.1.21"),
      ("LISTEN 127.0.0.1", "::ffff:127.0.0.1", "6.1.59", "6.1.60"),
      ("LISTEN ::ffff:127.0.0.1", "127.0.0.1", "6.1.59", "6.1.60"),
    ])
  func mended(existing: String, planned: String, last: String, first: String) throws {
    for (release, bind) in [(last, CallResult.undetermined), (first, .fails(.addressInUse))] {
      let host = openHost(kernel: try #require(KernelVersion(release: release)))
      let outcome = outcomes(of: attempt(planned), in: Snapshot(host: host, sockets: [socket(existing)]))[0]
      #expect(outcome.bind == bind, "\(existing), \(planned), \(release)")
    }
  }
}

@Suite("Receive addresses")
struct ReceiveAddressTests {
  /// kernel-side columns: existing sockets; `6u*` is an IPv6 address without IPV6_V6ONLY (a child, a client).
  static let columns: [(name: String, socket: String)] = [
    ("4any", "BOUND 0.0.0.0"), ("4a", "BOUND 127.0.0.1"), ("4b", "BOUND 127.0.0.2"), ("6any", "BOUND ::"),
    ("6any!", "BOUND :: V6ONLY"), ("6u", "BOUND ::1 V6ONLY"), ("6u*", "BOUND ::1"), ("6mAny", "BOUND ::ffff:0.0.0.0"),
    ("6ma", "BOUND ::ffff:127.0.0.1"),
  ]
  static let table: [(planned: String, overlaps: String)] = [
    ("0.0.0.0", "XXXX..XXX"), ("127.0.0.1", "XX.X...XX"), ("127.0.0.2", "X.XX...X."), ("::", "XXXXXXXXX"),
    (":: V6ONLY", "...XXXX.."), ("::1", "...XXXX.."), ("::2", "...XX...."), ("::ffff:0.0.0.0", "XXXX...XX"),
    ("::ffff:127.0.0.1", "XX.X...XX"),
  ]

  @Test("overlap as the kernel's table says", arguments: table)
  func overlap(row: (planned: String, overlaps: String)) {
    for (column, mark) in zip(Self.columns, row.overlaps) {
      let answer = line(attempt(row.planned), [socket(column.socket)])
      #expect(answer == (mark == "X" ? "in-use in-use ? ?" : "ok ok ok ok"), "\(row.planned) beside \(column.name)")
    }
  }
}
