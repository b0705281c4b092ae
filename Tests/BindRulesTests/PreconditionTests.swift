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
    #expect(Self.bind("UDP ff05::1") == "ok")
    #expect(Self.bind("::ffff:10.0.0.6") == "EADDRNOTAVAIL")
    #expect(Self.bind("::ffff:10.0.0.5 V6ONLY") == "EINVAL")
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
}
