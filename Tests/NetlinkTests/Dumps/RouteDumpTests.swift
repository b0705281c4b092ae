import Linux
import NetlinkTestSupport
import Glibc
import Netlink
import SocketModel
import Testing

@Suite("The interfaces, addresses and routes of a network namespace")
struct RouteDumpTests {
  let dump = RouteDump()

  @Test("are those of the calling thread's namespace")
  func devices() throws {
    try inPrivateNamespace { [dump] in
      #expect(try dump.interfaces().filter(\.isUp).map(\.name) == ["lo"])
      try change(.newLink, veth("pw0", index: 9))
      let down = try #require(try dump.interfaces().first { $0.name == "pw0" })
      #expect(down.index.rawValue == 9 && !down.isUp && down.master == nil && down.vrfTable == nil)
      try change(.setLink, up(9))
      #expect(try dump.interfaces().first { $0.name == "pw0" }?.isUp == true)
      let address: [UInt8] = [0x20, 1, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [1]
      try change(.newAddress, [10, 64, 0, 0, 9, 0, 0, 0] + attribute(2, address))
      let addresses = try dump.ipv6Addresses()
      #expect(addresses.contains { $0.address == .v6(.loopback) && $0.interface.rawValue == 1 })
      let own = try #require(addresses.first { $0.address == IPAddress("2001:db8::1") })
      #expect(own.interface.rawValue == 9 && own.isTentative, "the peer is down, detection cannot finish")
    }
  }

  @Test("have the local table alone, and nothing for a table that does not exist")
  func routes() throws {
    try inPrivateNamespace { [dump] in
      try change(.newAddress, [2, 24, 0, 0, 1, 0, 0, 0] + attribute(2, [192, 0, 2, 1]))
      let local = try dump.ipv4LocalRoutes(table: 255)
      let expected = [
        LocalRoute(destination: IPv4Address(127, 0, 0, 0), prefixLength: 8, type: .local),
        LocalRoute(destination: IPv4Address(127, 0, 0, 1), prefixLength: 32, type: .local),
        LocalRoute(destination: IPv4Address(127, 255, 255, 255), prefixLength: 32, type: .broadcast),
        // All of a network is local on lo, and its last address a broadcast (`fib_add_ifaddr`).
        LocalRoute(destination: IPv4Address(192, 0, 2, 0), prefixLength: 24, type: .local),
        LocalRoute(destination: IPv4Address(192, 0, 2, 1), prefixLength: 32, type: .local),
        LocalRoute(destination: IPv4Address(192, 0, 2, 255), prefixLength: 32, type: .broadcast),
      ]
      let shown = local.map { LocalRoute(destination: $0.destination, prefixLength: $0.prefixLength, type: $0.type) }
      #expect(local.count == expected.count && Set(shown) == Set(expected))
      #expect(local.allSatisfy { $0.interface?.rawValue == 1 })
      let main = try dump.ipv4LocalRoutes(table: 254)
      #expect(main.allSatisfy { $0.table == 254 && $0.type == .unicast })
      #expect(try dump.ipv4LocalRoutes(table: 4711).isEmpty)
    }
  }
}

@Suite("The kernel's own ports")
struct KernelPortDumpTests {
  @Test("are those of the tunnels that are up, with the interface, and the kernel's socket is really there")
  func vxlan() throws {
    try inPrivateNamespace {
      let identifier = attribute(1, [5, 0, 0, 0])  // IFLA_VXLAN_ID
      let destination = attribute(15, [0x12, 0xb5])  // IFLA_VXLAN_PORT 4789
      let info = attribute(1, Array("vxlan".utf8) + [0]) + attribute(2, identifier + destination)
      let link = [UInt8](repeating: 0, count: 16) + attribute(3, Array("vx0".utf8) + [0]) + attribute(18, info)
      do {
        try change(.newLink, link)
      } catch {
        sayNotRun("no VXLAN in this kernel: \(error)")
        return
      }
      #expect(try KernelPortDump().tunnelPorts().isEmpty, "it is down")
      let index = try #require(try RouteDump().interfaces().first { $0.name == "vx0" }?.index.rawValue)
      try change(.setLink, up(UInt8(truncatingIfNeeded: index)))
      let owner = KernelOwner(kind: .vxlan, interface: "vx0")
      #expect(
        try KernelPortDump().tunnelPorts() == [KernelPort(transport: .udp, port: Port(4789), owner: owner)])
      #expect(try SocketDump().sockets(.udp, ports: 4789...4789).contains { $0.uid == 0 && $0.remote == nil })
    }
  }
}

@Suite("Another network namespace")
struct NamespaceThreadTests {
  @Test("shows an interface whose message is longer than 32 KiB: one with hundreds of alternative names")
  func alternativeNames() throws {
    try inPrivateNamespace {
      try change(.newLink, veth("pw8", index: 9))
      for number in 100..<400 {
        let name = Array("pw8-\(number)-".utf8) + Array(repeating: UInt8(ascii: "y"), count: 112)
        // IFLA_PROP_LIST, NLA_F_NESTED; IFLA_ALT_IFNAME
        let list = attribute(52, attribute(53, name + [0]), flags: 0x80)
        try change(.newLinkProperty, [0, 0, 0, 0, 9, 0, 0, 0] + Array(repeating: 0, count: 8) + list)
      }
      #expect(try RouteDump().interfaces().contains { $0.name == "pw8" && $0.index.rawValue == 9 })
      #expect(try KernelPortDump().tunnelPorts().isEmpty)
    }
  }

  @Test("is entered by a thread of its own: the caller stays where it is")
  func entered() throws {
    try inPrivateNamespace {
      let own = try RouteDump().interfaces().map(\.name)
      #expect(own == ["lo"] || own.contains("lo"))
      try change(.newLink, veth("pw7", index: 9))
      let outside = try? inNetworkNamespace(at: .files(["/proc/self/ns/net"])) {
        (try? RouteDump().interfaces().map(\.name)) ?? []
      }
      #expect(outside?.contains("pw7") == false)
      #expect(try RouteDump().interfaces().contains { $0.name == "pw7" })
      #expect((try? inNetworkNamespace(at: .files(["/nonexistent"])) { 1 }) == nil)
      #expect((try? inNetworkNamespace(at: .files(["/proc/self/ns/mnt"])) { 1 }) == nil, "not a network namespace")
    }
  }
}
