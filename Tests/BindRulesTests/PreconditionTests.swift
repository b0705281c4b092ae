import BindRules
import SocketModel
import Testing

@Suite("Before the port is looked at")
struct PreconditionTests {
  static func strictHost() -> HostFacts {
    var host = openHost()
    host.ipv4NonlocalBind = false
    host.ipv6NonlocalBind = false
    // Then the table alone counts; see LocalAddressTests.
    host.ipv4RulesAreDefault = false
    host.ipv4LocalRoutes = [
      LocalRoute(destination: IPv4Address(127, 0, 0, 0), prefixLength: 8, type: .local),
      LocalRoute(destination: IPv4Address(10, 0, 0, 5), prefixLength: 32, type: .local),
      LocalRoute(destination: IPv4Address(10, 0, 0, 255), prefixLength: 32, type: .broadcast),
    ]
    let dev2 = InterfaceIndex(rawValue: 2)
    host.ipv6Addresses = [
      InterfaceAddress(address: .v6(.loopback), interface: InterfaceIndex(rawValue: 1), flags: 0x80),
      InterfaceAddress(address: .v6(IPv6Address(high: 0xfd00 << 48, low: 5)), interface: dev2, flags: 0x80),
      InterfaceAddress(address: .v6(IPv6Address(high: 0xfd00 << 48, low: 6)), interface: dev2, flags: 0x40),
      InterfaceAddress(address: .v6(IPv6Address(high: 0xfe80 << 48, low: 7)), interface: dev2, flags: 0x80),
    ]
    return host
  }

  static func bind(
    _ text: String, port: UInt16 = 8080, scope: UInt32 = 0, _ edit: (inout HostFacts) -> Void = { _ in }
  )
    -> String
  {
    var planned = attempt(text)
    planned.port = Port(port)
    planned.scope = InterfaceIndex(kernel: scope)
    var host = strictHost()
    edit(&host)
    let outcome = outcomes(of: planned, in: Snapshot(host: host, sockets: []))[0]
    return switch outcome.bind {
    case .ok: "ok"
    case .fails(let errno): errno.description
    case .undetermined: "? " + outcome.missing.map(\.kind.rawValue).joined(separator: ",")
    }
  }

  @Test("an IPv4 address must be local, broadcast or multicast")
  func ipv4Address() {
    #expect(Self.bind("10.0.0.5") == "ok")
    #expect(Self.bind("127.77.0.1") == "ok")
    #expect(Self.bind("10.0.0.255") == "ok")
    #expect(Self.bind("224.0.0.251") == "ok")
    #expect(Self.bind("255.255.255.255") == "ok")
    #expect(Self.bind("10.0.0.6") == "EADDRNOTAVAIL")
    #expect(Self.bind("10.0.0.6") { $0.ipv4NonlocalBind = true } == "ok")
    #expect(Self.bind("10.0.0.6") { $0.ipv4LocalRoutes = nil } == "? local-addresses")
    #expect(Self.bind("10.0.0.6") { $0.ipv4NonlocalBind = nil } == "? ip_nonlocal_bind")
  }

  @Test("a privileged port needs the capability, after the address for IPv4 and before it for IPv6")
  func order() {
    #expect(Self.bind("10.0.0.6", port: 80) == "EADDRNOTAVAIL")
    #expect(Self.bind("10.0.0.5", port: 80) == "EACCES")
    #expect(Self.bind("fd00::9", port: 80) == "EACCES")
    #expect(Self.bind("fd00::9") == "EADDRNOTAVAIL")
    #expect(Self.bind("0.0.0.0", port: 80) { $0.unprivilegedPortStart = 80 } == "ok")
    #expect(Self.bind("0.0.0.0", port: 80) { $0.unprivilegedPortStart = nil } == "? ip_unprivileged_port_start")
  }

  @Test("an IPv6 address must be on an interface, checked for duplicates, in the right scope")
  func ipv6Address() {
    #expect(Self.bind("fd00::5") == "ok")
    #expect(Self.bind("fd00::6") == "EADDRNOTAVAIL")
    #expect(Self.bind("fd00::9") { $0.ipv6NonlocalBind = true } == "ok")
    #expect(Self.bind("fd00::9") { $0.ipv6NonlocalBind = nil } == "? ip_nonlocal_bind")
    #expect(Self.bind("fd00::5") { $0.interfaces = nil } == "? interfaces")
    #expect(Self.bind("fe80::7") == "EINVAL")
    #expect(Self.bind("fe80::7", scope: 2) == "ok")
    #expect(Self.bind("fe80::7", scope: 3) == "EADDRNOTAVAIL")
    #expect(Self.bind("fe80::7", scope: 77) == "ENODEV")
    #expect(Self.bind("::1 dev=2") == "EADDRNOTAVAIL")
    #expect(Self.bind("fd00::5 dev=3") == "ok")
    #expect(Self.bind("fd00::5", scope: 77) == "ok")
    #expect(Self.bind("ff02::1") == "EINVAL")
    #expect(Self.bind("UDP ff02::1") == "EINVAL")
    #expect(Self.bind("UDP ff02::1", scope: 2) == "ok")
    #expect(Self.bind("UDP ff01::1") == "EINVAL")
    #expect(Self.bind("UDP ff05::1") == "ok")
    #expect(Self.bind("::ffff:10.0.0.6") == "EADDRNOTAVAIL")
    #expect(Self.bind("::ffff:10.0.0.5 V6ONLY") == "EINVAL")
  }

  @Test("IPV6_V6ONLY that is not known leaves listen() open where bind() may work with it")
  func listenWithUnknownV6only() {
    var planned = attempt("::")
    planned.isV6onlyKnown = false
    let sockets = ["BOUND ::1 ra?", "LISTEN 127.0.0.1"].map(socket)
    let outcome = outcomes(of: planned, in: Snapshot(host: openHost(), sockets: sockets))[1]
    #expect(outcome.bind == .undetermined && outcome.listen == .undetermined)
    planned.transport = .udp
    let udp = outcomes(of: planned, in: Snapshot(host: openHost(), sockets: [socket("UDP 127.0.0.1")]))[0]
    #expect(udp.bind == .undetermined && udp.listen == nil)
  }

  @Test("IP_FREEBIND lets a socket of either family have any address, as the sysctl does")
  func freebind() {
    for address in ["10.0.0.6", "fd00::9", "::ffff:10.0.0.6"] {
      var planned = attempt(address)
      for (free, result) in [(false, CallResult.fails(.addressNotAvailable)), (true, .ok)] {
        planned.freebind = free
        let all = outcomes(of: planned, in: Snapshot(host: Self.strictHost(), sockets: []))
        #expect(all.allSatisfy { $0.bind == result }, "\(address) \(free)")
      }
    }
  }

  @Test("where it may fail before the port listen() is open too, and UDP has none")
  func openBeforeThePort() {
    for (text, listen) in [("127.0.0.1", CallResult.undetermined), ("UDP 127.0.0.1", nil)] {
      var planned = attempt(text)
      planned.port = Port(80)
      planned.mayBindPrivileged = nil
      let outcome = outcomes(of: planned, in: Snapshot(host: openHost(), sockets: []))[0]
      #expect(outcome.bind == .undetermined && outcome.listen == listen, "\(text)")
    }
  }

  @Test("where the address surely is not local nobody on the port is in the way, whatever else may fail")
  func endsBeforeThePort() {
    var host = openHost()
    host.ipv6NonlocalBind = false
    host.ipv6Addresses = []
    var planned = attempt("fd00::9")
    planned.port = Port(80)
    planned.mayBindPrivileged = nil
    let outcome = outcomes(of: planned, in: Snapshot(host: host, sockets: [socket("LISTEN ::")]))[0]
    #expect(outcome.bind == .undetermined && outcome.missing == [MissingFact(.capability)])
    #expect(outcome.blockers == [])
    // listen(2) is one of TCP alone.
    #expect(outcome.listen == .undetermined)
    planned.transport = .udp
    #expect(outcomes(of: planned, in: Snapshot(host: host, sockets: []))[0].listen == nil)
  }

  @Test("an IPv6 address of another VRF is not local, one of the VRF is, whichever of its interfaces has it")
  func vrfOfAddress() {
    let vrf = InterfaceIndex(rawValue: 9)
    func slave(_ host: inout HostFacts) {
      host.interfaces?.append(NetworkInterface(index: vrf, name: "red", isUp: true, vrfTable: 10))
      host.interfaces?[1].master = vrf
    }
    #expect(Self.bind("fd00::5", slave) == "EADDRNOTAVAIL")
    #expect(Self.bind("fd00::5 dev=3", slave) == "EADDRNOTAVAIL")
    #expect(Self.bind("fd00::5 dev=9", slave) == "ok")
    #expect(Self.bind("fd00::5 dev=2", slave) == "ok")
    #expect(Self.bind("fe80::7 dev=9", slave) == "EADDRNOTAVAIL")
    #expect(Self.bind("::1", slave) == "ok")
    #expect(Self.bind("::1 dev=9", slave) == "EADDRNOTAVAIL")
    #expect(
      Self.bind("fd00::5 dev=3") { host in
        slave(&host)
        host.ipv6NonlocalBind = nil
      } == "? ip_nonlocal_bind")
  }

  @Test("a zone that no interface has is looked for before anything else, and only among interfaces that were read")
  func missingZone() {
    var planned = attempt("fe80::7")
    planned.missingZone = "eth9"
    planned.port = Port(80)
    var host = Self.strictHost()
    let first = { outcomes(of: planned, in: Snapshot(host: host, sockets: []))[0] }
    host.ipv6Available = false
    #expect(first().bind == .fails(.noDevice))
    host.interfaces = nil
    host.ipv6Available = true
    #expect(first().bind == .undetermined)
  }

  @Test("a missing family and a missing device come first")
  func socketAndDevice() {
    var planned = attempt("::")
    planned.device = .missing(name: "eth9")
    var host = Self.strictHost()
    let first = { outcomes(of: planned, in: Snapshot(host: host, sockets: []))[0] }
    #expect(first().bind == .fails(.noDevice))
    host.interfaces = nil
    #expect(first().bind == .undetermined && first().missing == [MissingFact(.interfaces)])
    host.ipv6Available = false
    #expect(first().bind == .fails(.addressFamilyNotSupported))
  }

  @Test("what socket() is refused with here comes before everything else, for IPv4 too")
  func refusedFamily() {
    for (address, family) in [("127.0.0.1", AddressFamily.ipv4), ("::1", .ipv6)] {
      for refusal in [SystemError.addressFamilyNotSupported, .notPermitted] {
        var host = openHost()
        host.freshSockets = [FreshSocket(.tcp, family, refusal: refusal), FreshSocket(.udp, family)]
        let all = outcomes(of: attempt(address), in: Snapshot(host: host, sockets: [socket("LISTEN 127.0.0.1")]))
        #expect(all.allSatisfy { $0.bind == .fails(refusal) })
        let udp = outcomes(of: attempt("UDP \(address)"), in: Snapshot(host: host, sockets: []))
        #expect(udp.allSatisfy { $0.bind == .ok }, "of UDP one was made")
      }
    }
  }

  @Test("of two options that are refused the one that is set first says why, the reuse options before all others")
  func refusalsInOrder() {
    var fresh = FreshSocket(.tcp, .ipv6)
    fresh.oddOptions = [
      OddOption(.reuseport, refusal: .notPermitted, initially: false, afterwards: false),
      OddOption(.device, refusal: .accessDenied, initially: false, afterwards: false),
    ]
    var host = openHost()
    host.freshSockets = [fresh]
    var planned = attempt("::")
    func errors() -> [CallResult] {
      outcomes(of: planned, in: Snapshot(host: host, sockets: [])).map(\.bind)
    }
    let refused = CallResult.fails(.notPermitted)
    #expect(errors() == [.ok, .ok, refused, refused])
    planned.device = .interface(InterfaceIndex(rawValue: 2), name: "dev0")
    #expect(errors() == [.fails(.accessDenied), .fails(.accessDenied), refused, refused])
    planned.device = .missing(name: "nodev0")
    #expect(errors() == [.fails(.accessDenied), .fails(.accessDenied), refused, refused])
    host.freshSockets?[0].oddOptions.removeLast()
    #expect(errors() == [.fails(.noDevice), .fails(.noDevice), refused, refused])
    planned.v6onlyRefusal = .invalidArgument
    #expect(errors() == [.fails(.invalidArgument), .fails(.invalidArgument), refused, refused])
    // One that is swallowed before it is no refusal.
    host.freshSockets?[0].oddOptions.insert(
      OddOption(.reuseaddr, refusal: nil, initially: false, afterwards: false), at: 0)
    #expect(errors()[3] == refused)
  }

  @Test("SO_REUSEADDR that every socket has there is as if it were planned; one that is refused says so")
  func oddReuseaddr() {
    func all(_ odd: OddOption) -> [BindOutcome] {
      var (host, fresh) = (openHost(), FreshSocket(.tcp, .ipv4))
      fresh.oddOptions = [odd]
      host.freshSockets = [fresh]
      let sockets = [socket("TIME_WAIT 127.0.0.1 RA remote=50000")]
      return outcomes(of: attempt("127.0.0.1"), in: Snapshot(host: host, sockets: sockets))
    }
    let there = all(OddOption(.reuseaddr, refusal: nil, initially: true, afterwards: true))
    #expect(there[0].bind == .ok && there[1].bind == .ok)
    let refused = all(OddOption(.reuseaddr, refusal: .notPermitted, initially: false, afterwards: false))
    #expect(refused[0].bind == .fails(.addressInUse) && refused[1].bind == .fails(.notPermitted))
  }

  @Test("where no socket could be made for want of descriptors, the family is open, for IPv4 too")
  func unmadeSocket() {
    var host = openHost()
    host.freshSockets = []
    let all = outcomes(of: attempt("127.0.0.1"), in: Snapshot(host: host, sockets: []))
    #expect(all.allSatisfy { $0.bind == .undetermined && $0.missing == [MissingFact(.addressFamily)] })
    // A report of a version that made none.
    host.freshSockets = nil
    #expect(outcomes(of: attempt("127.0.0.1"), in: Snapshot(host: host, sockets: []))[0].bind == .ok)
  }

  @Test("a mapped address is looked for on the socket's device, which must be there, in both families alike")
  func mappedOnMissingDevice() {
    var planned = attempt("::ffff:127.0.0.1 v6only=0")
    planned.device = .interface(InterfaceIndex(rawValue: 999), name: "index 999")
    let all = outcomes(of: planned, in: Snapshot(host: openHost(), sockets: []))
    #expect(all.allSatisfy { $0.bind == .fails(.noDevice) }, "\(all)")
  }

  @Test("a socket that has a device from the start changes it with CAP_NET_RAW alone, which root may lack")
  func givenDevice() {
    var host = openHost()
    host.freshSockets = [FreshSocket(.tcp, .ipv4, device: InterfaceIndex(rawValue: 2))]
    func bind(_ planned: String) -> BindOutcome {
      outcomes(of: attempt(planned), in: Snapshot(host: host, sockets: []))[0]
    }
    #expect(bind("0.0.0.0 dev=3").missing == [MissingFact(.capability)])
    #expect(bind("0.0.0.0 dev=3 uid=0").missing == [MissingFact(.capability)], "of a root that is not asking")
    #expect(bind("0.0.0.0 dev=2").bind == .ok)
    for (may, result) in [(true, CallResult.ok), (false, .fails(.notPermitted))] {
      (host.uid, host.readerMayChangeDevice) = (0, may)
      #expect(bind("0.0.0.0 dev=3 uid=0").bind == result && bind("0.0.0.0 dev=3").bind == .undetermined)
    }
  }

  @Test("an interface is missing for sure only if its name was looked for among the alternative ones")
  func alternativeNames() {
    var (host, planned) = (openHost(), attempt("0.0.0.0"))
    planned.device = .missing(name: "alt0")
    #expect(outcomes(of: planned, in: Snapshot(host: host, sockets: []))[0].bind == .fails(.noDevice))
    host.checkedNames = ["other"]
    #expect(outcomes(of: planned, in: Snapshot(host: host, sockets: []))[0].missing == [MissingFact(.interfaces)])
    host.checkedNames = ["alt0"]
    #expect(outcomes(of: planned, in: Snapshot(host: host, sockets: []))[0].bind == .fails(.noDevice))
  }

  @Test("IPV6_V6ONLY that is not known makes undetermined what depends on it, and nothing else")
  func unknownV6only() {
    var planned = attempt("::")
    planned.isV6onlyKnown = false
    func first(_ existing: String) -> BindOutcome {
      outcomes(of: planned, in: Snapshot(host: openHost(), sockets: [socket(existing)]))[0]
    }
    #expect(first("LISTEN 0.0.0.0").missing == [MissingFact(.v6only)])
    #expect(first("LISTEN 0.0.0.0").bind == .undetermined && first("LISTEN 0.0.0.0").listen == .undetermined)
    #expect(first("LISTEN ::").bind == .fails(.addressInUse) && first("LISTEN ::").missing.isEmpty)
    planned = attempt("::ffff:127.0.0.1")
    planned.isV6onlyKnown = false
    #expect(first("LISTEN 0.0.0.0").missing == [MissingFact(.v6only)], "EINVAL or EADDRINUSE")
    #expect(first("LISTEN 0.0.0.0").listen == nil, "neither comes to listen()")
    // Where both fail at listen() alone, that is sure.
    planned = attempt("::")
    planned.isV6onlyKnown = false
    let old = Snapshot(
      host: openHost(kernel: KernelVersion(major: 6, minor: 1)), sockets: [socket("BOUND ::")],
      buckets: [BindBucketTests.bucket(nil, fastReuse: true)])
    let both = outcomes(of: planned, in: old)[1]
    #expect(both.bind == .ok && both.listen == .fails(.addressInUse))
  }

  @Test("a route of the table local to the very address decides where the look-up answers EINVAL")
  func refusedLookUp() {
    for (type, expected) in [
      (RouteType(rawValue: 6), CallResult.fails(.addressNotAvailable)), (.broadcast, .ok), (.multicast, .ok),
      (.local, .ok),
    ] {
      var host = openHost()
      host.ipv4NonlocalBind = false
      host.ipv4AbsentTables = []
      host.ipv4RulesAreDefault = true
      host.ipv4LocalRoutes = [LocalRoute(destination: IPv4Address(127, 5, 0, 255), prefixLength: 32, type: type)]
      host.ipv4Lookups = []
      let all = outcomes(of: attempt("127.5.0.255"), in: Snapshot(host: host, sockets: []))
      #expect(all[0].bind == expected)
    }
  }
}
