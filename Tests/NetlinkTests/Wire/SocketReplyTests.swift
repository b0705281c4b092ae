import FixtureTestSupport
import Netlink
import SocketModel
import Testing

/// The one message of a fixture and what a parser makes of its payload.
func parsed<Value>(
  _ bytes: [UInt8], _ parse: (Span<UInt8>, Range<Int>) throws(WireError) -> Value
) throws -> Value {
  var cursor = MessageCursor()
  let message = try #require(try cursor.next(in: bytes.span))
  return try parse(bytes.span, message.payload)
}

@Suite("A sock_diag reply")
struct SocketReplyTests {
  func socket(_ fixture: String, _ transport: TransportProtocol = .tcp) throws -> SocketObservation {
    try parsed(try hexFixture(fixture)) { (bytes, payload) throws(WireError) in
      try SocketObservation(parsing: bytes, payload, transport: transport)
    }
  }

  @Test("of an IPv4 listener has everything the kernel tells, and no V6ONLY")
  func listener() throws {
    let socket = try socket("tcp-listen-ipv4")
    #expect(
      socket
        == SocketObservation(
          transport: .tcp, family: .ipv4, local: Endpoint(address: .v4(.loopback), port: Port(8001)), state: .listen,
          reuseaddr: .unknown(.hidden), reuseport: .unknown(.hidden), uid: 0, inode: socket.inode,
          cookie: socket.cookie, cgroupID: 1, receiveQueue: 2, owner: .hidden))
    #expect(socket.inode != nil && socket.cookie != 0)
  }

  @Test("of a queued child has no inode, so nobody owns it, but a user and a peer")
  func queuedChild() throws {
    let socket = try socket("tcp-queued-child")
    #expect(socket.state == .established && socket.inode == nil && socket.owner == .none)
    #expect(socket.uid == 0 && socket.remote?.address == .v4(.loopback))
  }

  @Test("of an AF_INET6 listener says whether it is V6ONLY")
  func v6only() throws {
    #expect(try socket("tcp-listen-v6only").v6only == .known(true, .sockDiag))
    let dualStack = try socket("tcp-listen-dual-stack")
    #expect(dualStack.v6only == .known(false, .sockDiag) && dualStack.local.address == .v6(.any))
  }

  @Test("of an AF_INET6 connection keeps its IPv4-mapped addresses and does not know V6ONLY")
  func mapped() throws {
    let socket = try socket("tcp-established-mapped")
    let loopback = IPAddress.v6(IPv6Address(mapping: .loopback))
    #expect(socket.family == .ipv6 && socket.local.address == loopback && socket.remote?.address == loopback)
    #expect(socket.v6only == .unknown(.hidden) && socket.owner == .hidden)
  }

  @Test("of a bound TCP socket has the state CLOSE, its device and no peer")
  func bound() throws {
    let socket = try socket("tcp-bound")
    #expect(socket.state == .close && socket.device == InterfaceIndex(rawValue: 1) && socket.remote == nil)
    #expect(socket.local == Endpoint(address: .v4(IPv4Address(127, 0, 0, 2)), port: Port(8004)))
  }

  @Test("of TIME_WAIT has the time left, no user and no owner")
  func timeWait() throws {
    let socket = try socket("tcp-time-wait")
    #expect(socket.state == .timeWait && socket.timer == SocketTimer(kind: .timeWait, expires: 59900))
    #expect(socket.uid == nil && socket.inode == nil && socket.owner == .none && socket.cgroupID == nil)
  }

  @Test("of a timewait socket in FIN_WAIT2 keeps both: the state and the timewait timer")
  func finWait2() throws {
    let socket = try socket("tcp-fin-wait2-timewait")
    #expect(socket.state == .finWait2 && socket.timer?.kind == .timeWait && socket.uid == nil)
  }

  @Test("of a connection request has no user")
  func synRecv() throws {
    let socket = try socket("tcp-syn-recv")
    #expect(socket.state == .synRecv && socket.uid == nil && socket.inode == nil && socket.owner == .none)
    #expect(socket.isRequest)
  }

  /// What TCP Fast Open leaves in the accept queue before the handshake is finished.
  @Test("of a whole socket in SYN_RECV, queued or with a descriptor, is no request", arguments: [0, 5])
  func wholeSynRecv(inode: UInt8) throws {
    var bytes = try hexFixture("tcp-queued-child")
    (bytes[17], bytes[16 + 68]) = (SocketState.synRecv.rawValue, inode)
    let socket = try parsed(bytes) { (bytes, payload) throws(WireError) in
      try SocketObservation(parsing: bytes, payload, transport: .tcp)
    }
    #expect(socket.state == .synRecv && socket.uid != nil && !socket.isRequest)
  }

  @Test("with attributes that were not asked for, such as INET_DIAG_ULP_INFO, is read without them")
  func mptcp() throws {
    let listener = try socket("tcp-listen-mptcp")
    #expect(listener.state == .listen && listener.inode == 49343 && listener.ulp == nil)
  }

  @Test("of UDP tells an unconnected socket from a connected one, and its user")
  func udp() throws {
    let bound = try socket("udp-bound-ipv6", .udp)
    #expect(bound.state == .close && bound.remote == nil && bound.v6only == .known(false, .sockDiag))
    let connected = try socket("udp-connected-ipv4", .udp)
    #expect(connected.state == .established && connected.uid == 1000 && connected.transport == .udp)
    #expect(connected.remote == Endpoint(address: .v4(.loopback), port: Port(9)))
  }

  @Test("of another family is an error, with its place")
  func otherFamily() throws {
    var bytes = try hexFixture("tcp-listen-ipv4")
    bytes[16] = 1
    #expect(throws: WireError(offset: 16, expected: "AF_INET or AF_INET6")) {
      try parsed(bytes) { (bytes, payload) throws(WireError) in
        try SocketObservation(parsing: bytes, payload, transport: .tcp)
      }
    }
  }
}
