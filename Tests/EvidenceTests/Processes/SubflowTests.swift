import SocketModel
import Testing

@testable import Evidence

private func loopback(_ port: UInt16, _ last: UInt8 = 1) -> Endpoint {
  Endpoint(address: .v4(IPv4Address(127, 0, 0, last)), port: Port(port))
}

private func row(
  _ local: Endpoint, _ remote: Endpoint?, _ state: SocketState = .established, inode: UInt64 = 5
) -> SocketObservation {
  var socket = observation(inode: inode, state: state)
  socket.local = local
  socket.remote = remote
  return socket
}

@Suite struct SubflowTests {
  @Test("the first subflow is told from a joined one by its four names, a listener by its state")
  func names() {
    let first = FirstSubflow(local: loopback(80), remote: loopback(4000))
    #expect(first.isSurely(row(loopback(80), loopback(4000))))
    #expect(!first.isSurely(row(loopback(80), loopback(4001))))
    #expect(!first.isSurely(row(loopback(80, 2), loopback(4000))))
    #expect(!first.isSurely(row(loopback(81), loopback(4000))))
    #expect(first.isSurely(row(loopback(81), nil, .listen)))
    #expect(!FirstSubflow(local: loopback(80)).isSurely(row(loopback(80), loopback(4000))), "it may be closed")
    #expect(!FirstSubflow(local: nil).isSurely(row(loopback(80), nil, .close)))
  }

  @Test("before the handshake the local name tells")
  func unconnected() {
    let bound = FirstSubflow(local: loopback(80))
    #expect(bound.isSurely(row(loopback(80), nil, .close)))
    #expect(bound.isSurely(row(Endpoint(address: .v4(.any), port: Port(80)), nil, .close)))
    #expect(!bound.isSurely(row(loopback(80, 2), nil, .close)))
    #expect(!bound.isSurely(row(loopback(80), loopback(4000), .synSent)))
    let connecting = FirstSubflow(local: loopback(80), isConnecting: true)
    #expect(connecting.isSurely(row(loopback(80), loopback(4000), .synSent)))
  }

  @Test("an accepted MPTCP connection is read in full, a joined subflow of its inode is not")
  func accepted() throws {
    let script = """
      my ($s, $c, $n);
      if (socket($s, AF_INET, SOCK_STREAM, 262)) {
        setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1); bind($s, pack_sockaddr_in(0, INADDR_LOOPBACK)) or die;
        listen($s, 1) or die; socket($c, AF_INET, SOCK_STREAM, 262) or die;
        connect($c, getsockname($s)) or die; accept($n, $s) or die; show('n', $n); show('c', $c) }
      """
    try withHelper(script) { helper in
      guard helper.lines.count > 1 else { return print("NOT TESTED: this kernel has no MPTCP") }
      let (server, client) = (try helper.socket("n"), try helper.socket("c"))
      var sockets = [
        row(loopback(server.port), loopback(client.port), inode: server.inode),
        row(loopback(server.port), loopback(client.port, 2), inode: server.inode),
        row(loopback(client.port), loopback(server.port), inode: client.inode),
      ]
      _ = ProcessReader().examine(&sockets)
      #expect(sockets.map(\.processes.count) == [1, 1, 1])
      #expect(sockets.map(\.reuseaddr.sure) == [true, nil, false])
      #expect(sockets[1].reuseaddr == .unknown(.subflow))
      #expect(sockets.map(\.reuseport.sure) == [false, nil, false])
      #expect(sockets.map(\.ulp) == ["mptcp", "mptcp", "mptcp"])
    }
  }

  @Test("the upper layer protocol is what the holder's descriptor says: none, or tls where it was set")
  func upperLayer() throws {
    let script = """
      my ($s, $c, $n);
      socket($s, AF_INET, SOCK_STREAM, 0) or die; bind($s, pack_sockaddr_in(0, INADDR_LOOPBACK)) or die;
      listen($s, 1) or die; socket($c, AF_INET, SOCK_STREAM, 0) or die;
      connect($c, getsockname($s)) or die; accept($n, $s) or die;
      show('s', $s); show('n', $n); show('c', $c) if setsockopt($c, 6, 31, 'tls');
      """
    try withHelper(script) { helper in
      let (listener, server) = (try helper.socket("s"), try helper.socket("n"))
      var sockets = [
        row(loopback(listener.port), nil, .listen, inode: listener.inode),
        row(loopback(server.port), loopback(1), inode: server.inode),
      ]
      _ = ProcessReader().examine(&sockets)
      #expect(sockets.map(\.ulp) == [nil, nil] && sockets.allSatisfy { $0.reuseaddr.sure == false })
      guard helper.lines.contains(where: { $0.first == "c" }) else {
        return print("NOT TESTED: this kernel has no tls")
      }
      let client = try helper.socket("c")
      var encrypted = [row(loopback(client.port), loopback(server.port), inode: client.inode)]
      _ = ProcessReader().examine(&encrypted)
      #expect(encrypted.map(\.ulp) == ["tls"])
    }
  }
}
