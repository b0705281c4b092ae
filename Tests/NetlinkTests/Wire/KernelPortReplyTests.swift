import Netlink
import SocketModel
import Testing

private func attribute(_ type: UInt8, _ payload: [UInt8]) -> [UInt8] {
  let length = payload.count + 4
  return [UInt8(length & 255), UInt8(length >> 8), type, 0] + payload + Array(repeating: 0, count: -length & 3)
}

/// The payload of an RTM_NEWLINK, put together by hand: the recording kernel has VXLAN alone.
private func link(_ kind: String, data: [UInt8], isUp: Bool = true) -> [UInt8] {
  [0, 0, 1, 0, 7, 0, 0, 0, isUp ? 1 : 0, 0, 0, 0, 0, 0, 0, 0] + attribute(3, Array("tun0".utf8) + [0])
    + attribute(18, attribute(1, Array(kind.utf8) + [0]) + attribute(2, data))
}

private func tunnel(_ bytes: [UInt8]) throws -> TunnelInterface? {
  try TunnelInterface(parsing: bytes.span, 0..<bytes.count)
}

@Suite("What a tunnel interface tells of its port")
struct KernelPortReplyTests {
  @Test(
    "is the port in network byte order, at each kind's own place",
    arguments: [("vxlan", UInt8(15), UInt16(4789)), ("geneve", 5, 6081), ("bareudp", 1, 6635)])
  func port(_ kind: String, _ number: UInt8, _ port: UInt16) throws {
    let decoys = attribute(number == 2 ? 3 : 2, [1, 2])
    let value = attribute(number, [UInt8(port >> 8), UInt8(port & 255)])
    let found = try tunnel(link(kind, data: decoys + value))
    #expect(found?.port == Port(port) && found?.kind == kind && found?.name == "tun0")
  }

  @Test(
    "is the family of its addresses; both where it takes them from each packet, and where it tells none",
    arguments: [
      ("vxlan", [attribute(4, [10, 0, 0, 1])], [.ipv4]),
      ("vxlan", [attribute(16, [UInt8](repeating: 9, count: 16))], [.ipv6]),
      ("vxlan", [attribute(2, [239, 0, 0, 1]), attribute(25, [0])], [.ipv4]),
      ("vxlan", [attribute(2, [239, 0, 0, 1]), attribute(25, [1])], [.ipv4, .ipv6]), ("vxlan", [], [.ipv4, .ipv6]),
      ("geneve", [attribute(2, [10, 0, 0, 1])], [.ipv4]), ("geneve", [attribute(7, [1])], [.ipv6]),
      ("geneve", [attribute(2, [10, 0, 0, 1]), attribute(6, [])], [.ipv4, .ipv6]),
      ("bareudp", [attribute(2, [8, 0])], [.ipv4, .ipv6]),
    ] as [(String, [[UInt8]], Set<AddressFamily>)])
  func families(_ kind: String, _ data: [[UInt8]], _ families: Set<AddressFamily>) throws {
    #expect(try tunnel(link(kind, data: data.flatMap(\.self)))?.families == families)
  }

  @Test("is nothing where it was moved here from the namespace of its socket")
  func moved() throws {
    #expect(try tunnel(link("vxlan", data: attribute(15, [1, 2])) + attribute(37, [0, 0, 0, 0])) == nil)
  }

  @Test("is nothing where it is down, of another kind, or no tunnel at all")
  func none() throws {
    #expect(try tunnel(link("vxlan", data: attribute(15, [1, 2]), isUp: false)) == nil)
    #expect(try tunnel(link("vlan", data: attribute(15, [1, 2]))) == nil)
    #expect(try tunnel([0, 0, 1, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]) == nil)
    #expect(try tunnel(link("vxlan", data: []))?.port == nil)
    #expect(try tunnel(link("wireguard", data: []))?.kind == "wireguard")
  }

  @Test("is an error, not a crash, wherever the message is cut off")
  func cut() throws {
    let whole = link("vxlan", data: attribute(15, [0x12, 0xb5]))
    for length in 0..<whole.count { _ = try? tunnel(Array(whole[..<length])) }
    for index in whole.indices {
      var damaged = whole
      damaged[index] ^= 0xff
      _ = try? tunnel(damaged)
    }
  }

  @Test("for IPVS is the backup daemon's, in host byte order; a master has none")
  func ipvs() throws {
    func daemon(_ state: UInt8, port: [UInt8]?) throws -> (port: Port, interface: String)? {
      let details =
        attribute(1, [state, 0, 0, 0]) + attribute(2, Array("eth0".utf8) + [0])
        + attribute(3, [5, 0, 0, 0]) + (port.map { attribute(7, $0) } ?? [])
      let answer = [11, 1, 0, 0] + attribute(3, details)
      return try GenericRequest.ipvsBackup(parsing: answer.span, 0..<answer.count)
    }
    let backup = try #require(try daemon(2, port: [0x91, 0x22]))
    #expect(backup.port == Port(8849) && backup.interface == "eth0")
    #expect(try daemon(2, port: nil)?.port == Port(8848))
    #expect(try daemon(1, port: [0x91, 0x22]) == nil)
    let request = GenericRequest.ipvsDaemons(family: MessageType(rawValue: 0x23)).encoded(sequence: 4)
    #expect(request == [20, 0, 0, 0, 0x23, 0, 1, 3, 4, 0, 0, 0, 0, 0, 0, 0, 11, 1, 0, 0])
  }

  @Test("for WireGuard comes from its own family, and the key beside it is not looked at")
  func wireguard() throws {
    let family = [3, 1, 0, 0] + attribute(2, Array("wireguard".utf8) + [0]) + attribute(1, [0x22, 0])
    let number = try GenericRequest.familyNumber(of: "wireguard", parsing: family.span, 0..<family.count)
    #expect(number?.rawValue == 0x22)
    #expect(try GenericRequest.familyNumber(of: "nl80211", parsing: family.span, 0..<family.count) == nil)
    let device = [0, 1, 0, 0] + attribute(3, Array(repeating: 9, count: 32)) + attribute(6, [0x6c, 0xca])
    #expect(try GenericRequest.wireguardPort(parsing: device.span, 0..<device.count) == Port(51820))
    let request = GenericRequest.wireguardDevice(
      family: MessageType(rawValue: 0x22), interface: InterfaceIndex(rawValue: 7)
    ).encoded(sequence: 3)
    #expect(
      request == [28, 0, 0, 0, 0x22, 0, 1, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0] + attribute(1, [7, 0, 0, 0]))
  }
}
