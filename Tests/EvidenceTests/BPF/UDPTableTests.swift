import SocketModel
import Testing

@testable import Evidence

extension KernelSuite {
  @Suite struct UDPTable {
    @Test("UDP sockets stand in the order of bind(2)'s chain, the last bound first, IPv4 and IPv6 mixed")
    func order() throws {
      try inPrivateNetwork {
        let addresses = [
          "127.0.0.1", "::1", "127.0.0.2", "::ffff:127.0.0.3", "0.0.0.0", "127.0.0.4", "::", "127.0.0.5",
        ]
        var random: UInt64 = 1
        for round in 0..<8 {
          let port = UInt16(9000 + round)
          var rest = addresses
          var bound: [TestSocket] = []
          while !rest.isEmpty {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bound.append(try boundUDP(rest.remove(at: Int(random >> 33) % rest.count), port, reuseaddr: true))
          }
          let cookies = try bound.map { try $0.cookie() }
          let sockets = try BPFEvidence().udpSockets(ports: port...port)
          #expect(sockets.map(\.cookie) == cookies.reversed())
          #expect(sockets.map(\.chainPosition) == Array(0..<addresses.count))
        }
      }
    }

    @Test("An IPv6 socket with SO_REUSEPORT goes to the end of the chain, an IPv4 one to its start")
    func tail() throws {
      try inPrivateNetwork {
        let first = try boundUDP("127.0.0.1", 9000, reuseaddr: true, reuseport: true)
        let six = try boundUDP("::1", 9000, reuseaddr: true, reuseport: true)
        let second = try boundUDP("127.0.0.2", 9000, reuseaddr: true, reuseport: true)
        let cookies = try [second, first, six].map { try $0.cookie() }
        #expect(try BPFEvidence().udpSockets(ports: 9000...9000).map(\.cookie) == cookies)
      }
    }

    @Test("UDP sockets show flags, state, peer and uid; other ports are not listed")
    func identity() throws {
      try inPrivateNetwork {
        let plain = try boundUDP("127.0.0.1", 9000, reuseaddr: true)
        let connected = try boundUDP("::1", 9000, reuseport: true)
        try connected.connect("::1", 53)
        let other = try boundUDP("127.0.0.1", 9001)
        let sockets = try BPFEvidence().udpSockets(ports: 9000...9000)
        try #require(sockets.count == 2)
        let (four, six) = (sockets.first { $0.family == .ipv4 }, sockets.first { $0.family == .ipv6 })
        #expect(four?.transport == .udp)
        #expect(four?.state == .close)
        #expect(four?.reuseaddr == true)
        #expect(four?.reuseport == false)
        #expect(four?.remote == nil)
        #expect(four?.uid == 0)
        #expect(four?.bucket == nil)
        #expect(six?.state == .established)
        #expect(six?.reuseport == true)
        #expect(six?.remote == Endpoint(address: .v6(.loopback), port: Port(53)))
        _ = (plain, other)
      }
    }

    @Test("The order of many sockets on each of several ports is known")
    func many() throws {
      try inPrivateNetwork {
        var sockets: [TestSocket] = []
        var cookies: [UInt16: [UInt64]] = [:]
        for round in 0..<60 {
          for port: UInt16 in 9000...9002 {
            let socket = try boundUDP(round % 2 == 0 ? "127.0.0.1" : "::1", port, reuseaddr: true)
            cookies[port, default: []].insert(try socket.cookie(), at: 0)
            sockets.append(socket)
          }
        }
        let found = try BPFEvidence().udpSockets(ports: 9000...9002)
        let expected: [UInt64] = cookies.sorted { $0.key < $1.key }.flatMap(\.value)
        #expect(found.compactMap(\.cookie) == expected)
        #expect(found.allSatisfy { $0.chainPosition != nil })
      }
    }
  }
}
