import FixtureTestSupport
import Netlink
import SocketModel
import Testing

@Suite("An rtnetlink reply")
struct RouteReplyTests {
  func link(_ fixture: String) throws -> NetworkInterface {
    try parsed(try hexFixture(fixture)) { (bytes, payload) throws(WireError) in
      try NetworkInterface(parsing: bytes, payload)
    }
  }

  func address(_ fixture: String) throws -> InterfaceAddress? {
    try parsed(try hexFixture(fixture)) { (bytes, payload) throws(WireError) in
      try InterfaceAddress(parsing: bytes, payload)
    }
  }

  func route(_ bytes: [UInt8]) throws -> LocalRoute? {
    try parsed(bytes) { (bytes, payload) throws(WireError) in try LocalRoute(parsing: bytes, payload) }
  }

  @Test("of an interface has index, name, IFF_UP and master")
  func links() throws {
    #expect(
      try link("link-loopback")
        == NetworkInterface(index: InterfaceIndex(rawValue: 1), name: "lo", isUp: true, isRunning: true))
    #expect(
      try link("link-veth")
        == NetworkInterface(
          index: InterfaceIndex(rawValue: 3), name: "pw0", isUp: true, isRunning: true,
          master: InterfaceIndex(rawValue: 4)))
  }

  @Test("of a VRF has its routing table")
  func vrf() throws {
    #expect(
      try link("link-vrf")
        == NetworkInterface(
          index: InterfaceIndex(rawValue: 7), name: "blue", isUp: true, isRunning: false, vrfTable: 1001))
  }

  @Test("of another kind of device with the same attributes has no routing table")
  func notVRF() throws {
    var bytes = try hexFixture("link-vrf")
    let kind = try #require(bytes.indices.first { bytes[$0...].starts(with: Array("vrf".utf8)) })
    bytes[kind] = UInt8(ascii: "x")
    let link = try parsed(bytes) { (bytes, payload) throws(WireError) in
      try NetworkInterface(parsing: bytes, payload)
    }
    #expect(link.name == "blue" && link.vrfTable == nil)
  }

  @Test("of an IPv6 address has interface and flags, and the interface's own address where it has a peer")
  func addresses() throws {
    let loopback = try #require(try address("address-loopback"))
    #expect(loopback.address == .v6(.loopback) && loopback.interface.rawValue == 1 && !loopback.isTentative)
    let tentative = try #require(try address("address-tentative"))
    #expect(tentative.address == IPAddress("2001:db8::1") && tentative.isTentative)
    #expect(try address("address-peer")?.address == IPAddress("2001:db8::a"))
  }

  @Test("of an IPv4 address is left out")
  func ipv4Address() throws {
    #expect(try address("address-ipv4") == nil)
  }

  @Test("of a 32-bit IFA_FLAGS counts before the byte in the header")
  func wideFlags() throws {
    var bytes = try hexFixture("address-loopback")
    bytes[18] = 0x40
    let address = try parsed(bytes) { (bytes, payload) throws(WireError) in
      try InterfaceAddress(parsing: bytes, payload)
    }
    #expect(address?.isTentative == false)
  }

  @Test("of a route has destination, prefix length, type and table")
  func routes() throws {
    #expect(
      try route(try hexFixture("route-loopback"))
        == LocalRoute(
          destination: IPv4Address(127, 0, 0, 0), prefixLength: 8, type: .local, table: 255,
          interface: InterfaceIndex(rawValue: 1)))
    #expect(
      try route(try hexFixture("route-broadcast"))
        == LocalRoute(
          destination: IPv4Address(127, 255, 255, 255), prefixLength: 32, type: .broadcast, table: 255,
          interface: InterfaceIndex(rawValue: 1)))
  }

  @Test("of a cached exception (RTM_F_CLONED) is no route")
  func cloned() throws {
    var bytes = try hexFixture("route-loopback")
    bytes[25] |= 0x02
    #expect(try route(bytes) == nil)
  }

  @Test("of a route with a TOS or a dead next hop, which bind(2) passes over, is left out; a link may be down")
  func passedOver() throws {
    let broadcast = try hexFixture("route-broadcast")
    // The offsets of rtm_tos and of the first byte of rtm_flags.
    for (offset, value) in [(19, 0x10), (24, 0x01), (24, 0x11)] as [(Int, UInt8)] {
      var bytes = broadcast
      bytes[offset] = value
      #expect(try route(bytes) == nil, "\(value) at \(offset)")
    }
    var linkDown = broadcast
    linkDown[24] = 0x10
    let kept = try #require(try route(linkDown))
    #expect(try route(broadcast) == kept)
  }

  @Test("of a route with several next hops, all of them dead, is left out; one that lives is enough")
  func nextHops() throws {
    func hops(_ flags: UInt8...) throws -> LocalRoute? {
      // RTA_MULTIPATH, each next hop with an attribute of 4 bytes behind it.
      let all = flags.flatMap { [12, 0, $0, 0, 5, 0, 0, 0, 4, 0, 0, 0] as [UInt8] }
      return try route(try withAttribute([UInt8(4 + all.count), 0, 9, 0] + all))
    }
    #expect(try hops(0x11, 0x11) == nil)
    #expect(try hops(0x01) == nil)
    let whole = try route(try hexFixture("route-broadcast"))
    #expect(try hops(0x11, 0x10) == whole && whole != nil)
    for length in 0..<8 as Range<UInt8> {
      #expect(throws: WireError.self) { try route(try withAttribute([12, 0, 9, 0, length, 0, 0, 0, 5, 0, 0, 0])) }
      let short = [UInt8](repeating: 8, count: Int(length))
      #expect(throws: WireError.self) { try route(try withAttribute([4 + length, 0, 9, 0] + short)) }
    }
  }

  private func withAttribute(_ attribute: [UInt8]) throws -> [UInt8] {
    var bytes = try hexFixture("route-broadcast")
    bytes += attribute + [UInt8](repeating: 0, count: -attribute.count & 3)
    bytes[0] = UInt8(bytes.count)
    return bytes
  }

  @Test("to a look-up counts where the route is one of `local` or `main`", arguments: [255, 254, 253, 1] as [UInt8])
  func lookUp(_ table: UInt8) throws {
    var bytes = try hexFixture("route-loopback")
    let attribute = try #require(bytes.indices.dropLast(5).first { Array(bytes[$0..<$0 + 5]) == [8, 0, 15, 0, 255] })
    bytes[attribute + 4] = table
    let found = try parsed(bytes) { (bytes, payload) throws(WireError) in
      try RouteLookup(of: .loopback, parsing: bytes, payload)
    }
    #expect(found?.type == (table >= 254 ? .local : nil))
    #expect(found?.source == (table >= 254 ? .loopback : nil), "RTA_PREFSRC")
  }

  @Test("with a prefix longer than 32 is an error")
  func longPrefix() throws {
    var bytes = try hexFixture("route-loopback")
    bytes[17] = 33
    #expect(throws: WireError(offset: 17, expected: "a prefix length of 0 to 32")) { try route(bytes) }
  }
}
