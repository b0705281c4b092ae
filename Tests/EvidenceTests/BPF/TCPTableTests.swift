import CBPFTests
import Glibc
import SocketModel
import Testing

@testable import Evidence

extension KernelSuite {
  @Suite struct TCPTable {
    @Test(
      "A TIME_WAIT socket shows the flags its listener had",
      arguments: [(false, false), (true, false), (false, true), (true, true)])
    func timeWait(reuseaddr: Bool, reuseport: Bool) throws {
      try inPrivateNetwork {
        let server = try listener("127.0.0.1", 8080, reuseaddr: reuseaddr, reuseport: reuseport)
        try leaveTimeWait(server, "127.0.0.1", 8080)
        server.close()
        let sockets = try BPFEvidence().tcpSockets(ports: 8080...8080)
        try #require(sockets.count == 1)
        #expect(sockets[0].isTimeWait)
        #expect(sockets[0].state == .timeWait)
        #expect(sockets[0].reuseaddr == reuseaddr)
        #expect(sockets[0].reuseport == reuseport)
        #expect(sockets[0].uid == nil)
        #expect(sockets[0].local == Endpoint(address: .v4(.loopback), port: Port(8080)))
        #expect(sockets[0].remote?.address == .v4(.loopback))
        #expect(sockets[0].holdsPort == true)
        #expect(sockets[0].bucket?.port == Port(8080))
      }
    }

    @Test("A TIME_WAIT socket shows what was set on the connection, not what the listener has")
    func timeWaitOwnFlag() throws {
      try inPrivateNetwork {
        let server = try listener("127.0.0.1", 8080)
        let (own, peer) = try connection(server, "127.0.0.1", 8080)
        try own.set(SOL_SOCKET, SO_REUSEADDR, 1)
        own.close()
        peer.readToEnd()
        peer.close()
        let sockets = try BPFEvidence().tcpSockets(ports: 8080...8080)
        #expect(sockets.first { $0.isTimeWait }?.reuseaddr == true)
        #expect(sockets.first { $0.state == .listen }?.reuseaddr == false)
      }
    }

    @Test("A closed connection whose peer stays open is a TIME_WAIT socket in FIN_WAIT2")
    func finWait2() throws {
      try inPrivateNetwork {
        let server = try listener("127.0.0.1", 8080, reuseaddr: true)
        let (own, peer) = try connection(server, "127.0.0.1", 8080)
        own.close()
        peer.readToEnd()
        let left = try BPFEvidence().tcpSockets(ports: 8080...8080).filter { $0.state != .listen }
        #expect(left.map(\.state) == [.finWait2])
        #expect(left.map(\.isTimeWait) == [true])
        #expect(left.map(\.reuseaddr) == [true])
      }
    }

    @Test("An orphan shows its flags and its bucket")
    func orphan() throws {
      try inPrivateNetwork {
        let server = try listener("127.0.0.1", 8080, reuseaddr: true, reuseport: true)
        let (own, peer) = try connection(server, "127.0.0.1", 8080)
        let cookie = try own.cookie()
        try own.fillWindow()
        own.close()
        let orphan = try BPFEvidence().tcpSockets(ports: 8080...8080).first { $0.cookie == cookie }
        #expect(orphan?.state == .finWait1)
        #expect(orphan?.isTimeWait == false)
        #expect(orphan?.reuseaddr == true)
        #expect(orphan?.reuseport == true)
        #expect(orphan?.bucket?.fastReuseport != nil)
        _ = peer
      }
    }

    @Test("A child that nobody accepted keeps the flags the listener had when it came")
    func queuedChild() throws {
      try inPrivateNetwork {
        let server = try listener("::", 8080, reuseaddr: true, v6only: false)
        let peer = try TestSocket(AF_INET6)
        try peer.connect("::1", 8080)
        try server.setReuse(false, true)
        let sockets = try BPFEvidence().tcpSockets(ports: 8080...8080)
        let child = sockets.first { $0.state == .established }
        #expect(child?.reuseaddr == true)
        #expect(child?.reuseport == false)
        #expect(child?.v6only == false)
        #expect(child?.local.address == .v6(.loopback))
        let parent = sockets.first { $0.state == .listen }
        #expect(parent?.reuseaddr == false)
        #expect(parent?.reuseport == true)
      }
    }

    @Test("Flags changed after bind are seen as they are now")
    func live() throws {
      try inPrivateNetwork {
        let evidence = try BPFEvidence()
        let server = try listener("0.0.0.0", 8080)
        for (reuseaddr, reuseport) in [(true, false), (true, true), (false, true), (false, false)] {
          try server.setReuse(reuseaddr, reuseport)
          let now = try evidence.tcpSockets(ports: 8080...8080).first
          #expect(now?.reuseaddr == reuseaddr)
          #expect(now?.reuseport == reuseport)
        }
      }
    }

    @Test("A listener shows its cookie, addresses, device, uid and IPV6_V6ONLY")
    func identity() throws {
      try inPrivateNetwork {
        bpftests_set_socket_owner(1000)
        let six = try listener("::", 8080, v6only: true)
        let four = try TestSocket(AF_INET)
        bpftests_set_socket_owner(0)
        try call("SO_BINDTODEVICE", setsockopt(four.descriptor, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2))
        try four.bind("0.0.0.0", 8080)
        try four.listen()
        let evidence = try BPFEvidence()
        let before = try evidence.tcpSockets(ports: 8080...8080)
        #expect(before.map(\.cookie) == [nil, nil], "nobody asked for the cookies yet")
        let cookies = [try six.cookie(), try four.cookie()]
        let sockets = try evidence.tcpSockets(ports: 8080...8080)
        #expect(Set(sockets.compactMap(\.cookie)) == Set(cookies))
        let (wide, narrow) = (sockets.first { $0.family == .ipv6 }, sockets.first { $0.family == .ipv4 })
        #expect(wide?.local == Endpoint(address: .v6(.any), port: Port(8080)))
        #expect(wide?.v6only == true)
        #expect(wide?.device == nil)
        #expect(wide?.uid == 1000)
        #expect(wide?.remote == nil)
        #expect(narrow?.local == Endpoint(address: .v4(.any), port: Port(8080)))
        #expect(narrow?.v6only == nil)
        #expect(narrow?.device == InterfaceIndex(rawValue: 1))
      }
    }

    @Test("A request in SYN_RECV shows no flags: it has none, and is in no bucket")
    func request() throws {
      try inPrivateNetwork {
        let server = try listener("127.0.0.1", 8080, reuseaddr: true, reuseport: true)
        try server.set(Int32(IPPROTO_TCP), TCP_DEFER_ACCEPT, 30)
        let peer = try TestSocket(AF_INET)
        try peer.connect("127.0.0.1", 8080)
        let request = try BPFEvidence().tcpSockets(ports: 8080...8080).first { $0.state == .synRecv }
        try #require(request != nil)
        #expect(request?.reuseaddr == nil)
        #expect(request?.reuseport == nil)
        #expect(request?.uid == nil)
        #expect(request?.holdsPort == nil)
        #expect(request?.bucket == nil)
      }
    }

    @Test("Only ports of the range are listed, both ends included")
    func range() throws {
      try inPrivateNetwork {
        let servers = try [1, 79, 80, 81, 32768, 65535].map { try listener("127.0.0.1", $0) }
        let evidence = try BPFEvidence()
        func ports(_ range: ClosedRange<UInt16>) throws -> [UInt16] {
          try evidence.tcpSockets(ports: range).map(\.local.port.rawValue).sorted()
        }
        #expect(try ports(79...80) == [79, 80])
        #expect(try ports(80...80) == [80])
        #expect(try ports(82...65535) == [32768, 65535])
        #expect(try ports(0...65535) == [1, 79, 80, 81, 32768, 65535])
        #expect(try ports(2...78) == [])
        _ = servers
      }
    }

    @Test("Sockets of another network namespace are not listed")
    func otherNamespace() throws {
      try inPrivateNetwork {
        let server = try listener("127.0.0.1", 8080)
        try inPrivateNetwork {
          let sockets = try BPFEvidence().tcpSockets(ports: 8080...8080)
          #expect(sockets.isEmpty)
        }
        #expect(try BPFEvidence().tcpSockets(ports: 8080...8080).count == 1)
        _ = server
      }
    }

    @Test("More sockets than fit into the kernel's buffer are all listed, each once")
    func many() throws {
      try inPrivateNetwork {
        let server = try listener("127.0.0.1", 8080)
        var connections: [(TestSocket, TestSocket)] = []
        for _ in 0..<400 { connections.append(try connection(server, "127.0.0.1", 8080)) }
        let cookies = Set(try connections.map { try $0.0.cookie() } + [try server.cookie()])
        let sockets = try BPFEvidence().tcpSockets(ports: 8080...8080)
        #expect(sockets.count == 401)
        #expect(Set(sockets.compactMap(\.cookie)) == cookies)
      }
    }
  }
}
