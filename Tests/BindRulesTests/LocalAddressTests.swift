import BindRules
import SocketModel
import Testing

@Suite("Whether an IPv4 address is local")
struct LocalAddressTests {
  private static let address = IPv4Address(127, 0, 0, 6)

  /// What bind(2) to 127.0.0.6 answers with 127.0.0.0/8 in the table `local`.
  private static func bind(_ edit: (inout HostFacts) -> Void) -> String {
    PreconditionTests.bind("127.0.0.6") { host in
      host.ipv4AbsentTables = []
      host.ipv4RulesAreDefault = true
      host.ipv4Lookups = [RouteLookup(destination: address, type: .local)]
      edit(&host)
    }
  }

  @Test("is what table and look-up both say")
  func agreement() {
    #expect(Self.bind { _ in } == "ok")
    #expect(
      Self.bind {
        $0.ipv4LocalRoutes = [LocalRoute(destination: .loopback, prefixLength: 32, type: .local)]
        $0.ipv4Lookups = [RouteLookup(destination: Self.address, type: nil)]
      } == "EADDRNOTAVAIL")
  }

  @Test("is what the look-up says where a route of main hides the local one, as long as the rules are untouched")
  func hidden() {
    let unicast = [RouteLookup(destination: Self.address, type: .unicast)]
    #expect(Self.bind { $0.ipv4Lookups = unicast } == "EADDRNOTAVAIL")
    #expect(
      Self.bind {
        $0.ipv4Lookups = unicast
        $0.ipv4RulesAreDefault = false
      } == "ok")
    #expect(
      Self.bind {
        $0.ipv4Lookups = unicast
        $0.ipv4RulesAreDefault = nil
      } == "? local-addresses")
  }

  @Test("is what the table of the VRF says for a device in one, whatever the look-up without a device has")
  func inVRF() {
    let bind = { (device: String) in
      var attempt = attempt("127.0.0.6" + device)
      attempt.mayBindPrivileged = true
      var host = bsdHost()
      host.interfaces = host.interfaces?.map { interface in
        var interface = interface
        if interface.index.rawValue == 3 { interface.vrfTable = 10 }
        if interface.index.rawValue == 2 { interface.master = InterfaceIndex(rawValue: 3) }
        return interface
      }
      var route = LocalRoute(destination: Self.address, prefixLength: 32, type: .local)
      route.table = 10
      host.ipv4LocalRoutes = [route]
      host.ipv4AbsentTables = []
      host.ipv4RulesAreDefault = true
      host.ipv4Lookups = [RouteLookup(destination: Self.address, type: .unicast)]
      return words([outcomes(of: attempt, in: Snapshot(host: host, sockets: []))[0]])
    }
    #expect(bind(" dev=2") == "ok")
    #expect(bind("") == "EADDRNOTAVAIL")
  }

  @Test("is open where only main has it: whether the tables still share a tree is shown nowhere")
  func onlyInMain() {
    #expect(
      Self.bind { $0.ipv4LocalRoutes = [LocalRoute(destination: .loopback, prefixLength: 32, type: .local)] }
        == "? local-addresses")
  }

  @Test("is open without a look-up, unless the routing rules are somebody's own")
  func noLookup() {
    #expect(Self.bind { $0.ipv4Lookups = nil } == "? local-addresses")
    #expect(
      Self.bind {
        $0.ipv4Lookups = nil
        $0.ipv4RulesAreDefault = false
      } == "ok")
  }

  @Test("is sure without rules and look-up where the table has exactly this address, and only there")
  func ownRoute() {
    func bind(_ routes: [LocalRoute]) -> String {
      Self.bind {
        $0.ipv4LocalRoutes = routes
        $0.ipv4RulesAreDefault = nil
        $0.ipv4Lookups = nil
      }
    }
    let whole = LocalRoute(destination: IPv4Address(127, 0, 0, 0), prefixLength: 8, type: .local)
    #expect(bind([LocalRoute(destination: Self.address, prefixLength: 32, type: .local)]) == "ok")
    #expect(bind([whole]) == "? local-addresses")
    #expect(bind([whole, LocalRoute(destination: .loopback, prefixLength: 32, type: .local)]) == "? local-addresses")
    let pair = LocalRoute(destination: Self.address, prefixLength: 31, type: .local)
    #expect(bind([whole, pair]) == "? local-addresses")
    var elsewhere = LocalRoute(destination: Self.address, prefixLength: 32, type: .local)
    elsewhere.table = 10
    #expect(bind([whole, elsewhere]) == "? local-addresses")
  }

  @Test(
    "is what the longest prefix says, from none to all bits",
    arguments: [
      ("0.0.0.0", 0, "ok"), ("0.0.0.0", 1, "ok"), ("128.0.0.0", 1, "EADDRNOTAVAIL"), ("127.0.0.6", 31, "ok"),
      ("127.0.0.4", 31, "EADDRNOTAVAIL"), ("127.0.0.6", 32, "ok"), ("127.0.0.7", 32, "EADDRNOTAVAIL"),
      ("127.0.0.6", 33, "EADDRNOTAVAIL"),
    ])
  func prefixes(destination: String, length: UInt8, expected: String) throws {
    guard case .v4(let address) = try #require(IPAddress(destination)) else { return }
    let route = LocalRoute(destination: address, prefixLength: length, type: .local)
    let bind = Self.bind {
      $0.ipv4LocalRoutes = [route]
      $0.ipv4RulesAreDefault = false
    }
    #expect(bind == expected)
    // A longer prefix wins, whatever its type.
    let contradiction = Self.bind {
      $0.ipv4LocalRoutes = [route, LocalRoute(destination: Self.address, prefixLength: 32, type: .unicast)]
      $0.ipv4RulesAreDefault = false
    }
    #expect(contradiction == (length == 32 && expected == "ok" ? "? local-addresses" : "EADDRNOTAVAIL"))
  }

  @Test("is true of every address where the table was never made, and open where that cannot be told from empty")
  func absentTable() {
    #expect(
      Self.bind {
        $0.ipv4LocalRoutes = []
        $0.ipv4AbsentTables = [255]
        $0.ipv4Lookups = [RouteLookup(destination: Self.address, type: nil)]
      } == "ok")
    let empty: (inout HostFacts) -> Void = {
      $0.ipv4LocalRoutes = []
      $0.ipv4Lookups = [RouteLookup(destination: Self.address, type: nil)]
    }
    #expect(Self.bind(empty) == "EADDRNOTAVAIL")
    #expect(
      Self.bind {
        empty(&$0)
        $0.ipv4AbsentTables = nil
      } == "? local-addresses")
  }
}

@Suite("What a real bind says")
struct ProbedOutcomeTests {
  private let open = BindOutcome(
    options: .reuseaddr, bind: .undetermined, listen: .undetermined,
    blockers: [Blocker(socket: 0, rule: .tcpReuseaddr)], missing: [MissingFact(.reuseaddr, socket: 0)])
  private let new = KernelVersion(major: 6, minor: 8)

  @Test("settles listen too from Linux 6.8 on")
  func worked() {
    let settled = open.settled(by: .ok, on: new)
    #expect(settled == BindOutcome(options: .reuseaddr, bind: .ok, listen: .ok, source: .probe))
  }

  @Test("leaves listen open before 6.8 where SO_REUSEADDR may have been a shortcut")
  func shortcut() {
    let old = KernelVersion(major: 6, minor: 1)
    let settled = open.settled(by: .ok, on: old)
    #expect(settled.bind == .ok && settled.listen == .undetermined && settled.missing == [MissingFact(.bindOrder)])
    var reuseport = open
    reuseport.options = .reuseport
    #expect(reuseport.settled(by: .ok, on: old).verdict == .ok)
  }

  @Test("keeps who may be in the way if the port is taken, and nobody for another error")
  func failed() {
    let taken = open.settled(by: .fails(.addressInUse), on: new)
    #expect(taken.bind == .fails(.addressInUse) && taken.listen == nil && taken.missing.isEmpty)
    #expect(taken.blockers == open.blockers && taken.source == .probe)
    #expect(open.settled(by: .fails(.addressNotAvailable), on: new).blockers.isEmpty)
  }
}
