import NetlinkTestSupport
import Glibc
import Netlink
import SocketModel
import Testing

@Suite("The sockets of a network namespace")
struct SocketDumpTests {
  let dump = SocketDump()

  @Test("are the listeners, bound sockets, accepted and queued children of a port, and no other port's")
  func tcpStates() throws {
    try inPrivateNamespace { [dump] in
      let listener = try TestSocket()
      try listener.bind("127.0.0.1", 8080)
      try listener.listen()
      let clients = [try TestSocket(), try TestSocket()]
      for client in clients { try client.connect("127.0.0.1", 8080) }
      let accepted = try listener.accept()
      let bound = try TestSocket()
      try bound.bind("127.0.0.2", 8080)
      let neighbour = try TestSocket()
      try neighbour.bind("127.0.0.1", 8081)

      let sockets = try dump.sockets(.tcp, ports: 8080...8080)
      #expect(sockets.count == 4)
      func inodes(_ state: SocketState) -> [UInt64?] { sockets.filter { $0.state == state }.map(\.inode) }
      #expect(inodes(.listen) == [listener.inode] && inodes(.close) == [bound.inode])
      #expect(Set(inodes(.established)) == [accepted.inode, nil])
      #expect(sockets.first { $0.state == .listen }?.receiveQueue == 1)
      #expect(Set(sockets.map(\.cookie)).count == 4 && sockets.allSatisfy { $0.family == .ipv4 })
      #expect(try dump.sockets(.tcp, ports: 8080...8081).count == 5)
      #expect(try dump.sockets(.tcp, ports: 8082...9000).isEmpty)
      #expect(try dump.sockets(.udp, ports: nil).isEmpty)
      let everything = try dump.sockets(.tcp, ports: nil)
      #expect(everything.count == 7, "the clients' ends too")
      withExtendedLifetime((clients, accepted, neighbour)) {}
    }
  }

  @Test("come IPv4 first and with V6ONLY where the kernel tells it")
  func families() throws {
    try inPrivateNamespace { [dump] in
      let six = try TestSocket(AF_INET6)
      try six.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
      try six.bind("::", 8080)
      let four = try TestSocket()
      try four.bind("0.0.0.0", 8080)
      try four.listen()
      let sockets = try dump.sockets(.tcp, ports: 8080...8080)
      #expect(sockets.map(\.inode) == [four.inode, six.inode])
      #expect(sockets.map(\.v6only) == [nil, .known(true, .sockDiag)])
      #expect(sockets.map(\.local.address) == [.v4(.any), .v6(.any)])
    }
  }

  @Test("include TIME_WAIT and FIN_WAIT2 timewait sockets, with the time left")
  func timeWait() throws {
    try inPrivateNamespace { [dump] in
      let listener = try TestSocket()
      try listener.bind("127.0.0.1", 8080)
      try listener.listen()
      let client = try TestSocket()
      try client.connect("127.0.0.1", 8080)
      try client.set(Int32(IPPROTO_TCP), TCP_QUICKACK, 1)
      _ = try listener.accept()
      func leftover() throws -> SocketObservation? {
        for _ in 0..<100 {
          let timewait = try dump.sockets(.tcp, ports: 8080...8080).filter { $0.timer?.kind == .timeWait }
          if let socket = timewait.first { return socket }
          usleep(10_000)
        }
        return nil
      }
      let finWait2 = try #require(try leftover())
      #expect(finWait2.state == .finWait2 && finWait2.owner == .none && finWait2.uid == nil)
      shutdown(client.descriptor, Int32(SHUT_WR))
      usleep(50_000)
      let timeWait = try #require(try leftover())
      #expect(timeWait.state == .timeWait && timeWait.cookie == finWait2.cookie)
      let left = try #require(timeWait.timer?.expires)
      #expect((50_000...60_000).contains(left))
    }
  }

  @Test("of UDP come newest bind first, the order in which bind(2) examines them")
  func udpOrder() throws {
    try inPrivateNamespace { [dump] in
      var sockets: [TestSocket] = []
      for number in 1...5 {
        let socket = try TestSocket(AF_INET, SOCK_DGRAM)
        try socket.bind("127.0.0.\(number)", 53)
        sockets.append(socket)
      }
      let seen = try dump.sockets(.udp, ports: 53...53)
      #expect(seen.map(\.inode) == sockets.reversed().map(\.inode))
      #expect(seen.allSatisfy { $0.transport == .udp && $0.state == .close })
    }
  }

  @Test("show an MPTCP socket as its TCP subflow, which has the inode of its descriptor")
  func mptcp() throws {
    try inPrivateNamespace { [dump] in
      guard let listener = try? TestSocket(AF_INET, SOCK_STREAM, protocol: 262) else {
        sayNotRun("this kernel makes no MPTCP sockets")
        return
      }
      try listener.bind("127.0.0.1", 8080)
      try listener.listen()
      let sockets = try dump.sockets(.tcp, ports: 8080...8080)
      #expect(sockets.map(\.inode) == [listener.inode])
    }
  }

  @Test("that fill many datagrams come each once")
  func many() throws {
    try inPrivateNamespace { [dump] in
      var inodes: Set<UInt64> = []
      var held: [TestSocket] = []
      for number in 0..<900 {
        let socket = try TestSocket(number % 2 == 0 ? AF_INET : AF_INET6)
        if number % 2 == 1 { try socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        try socket.bind(number % 2 == 0 ? "127.0.0.1" : "::1", UInt16(10_000 + number / 2))
        if number % 3 == 0 { try socket.listen() }
        inodes.insert(socket.inode)
        held.append(socket)
      }
      let seen = try dump.sockets(.tcp, ports: nil)
      #expect(seen.count == 900 && Set(seen.compactMap(\.inode)) == inodes)
      #expect(try dump.sockets(.tcp, ports: 10_000...10_009).count == 20)
    }
  }
}
