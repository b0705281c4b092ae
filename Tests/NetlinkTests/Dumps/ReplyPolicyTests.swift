import FixtureTestSupport
import Netlink
import SocketModel
import Synchronization
import Testing

/// What one exchange answers: datagrams with their senders, or an error.
struct Answer: Sendable {
  var datagrams: [[UInt8]] = []
  var sender: UInt32 = 0
  var failure: NetlinkError?
}

/// A transport that answers each exchange with the next answer, addressed to the port id of the fixtures; the last
/// one stays.
func replaying(_ answers: [Answer], port: UInt32) -> NetlinkTransport {
  let asked = Mutex(0)
  return NetlinkTransport { (_, handler) throws(NetlinkError) in
    let turn = asked.withLock { count in
      defer { count += 1 }
      return min(count, answers.count - 1)
    }
    if let failure = answers[turn].failure { throw failure }
    for datagram in answers[turn].datagrams {
      if try handler(datagram.span, DatagramOrigin(sender: answers[turn].sender, receiver: port)) == .complete {
        return
      }
    }
  }
}

@Suite("The answer to a dump")
struct ReplyPolicyTests {
  static let port = UInt32(0x1234)

  /// A fixture as an answer to the `attempt`-th request of this transport.
  static func message(_ fixture: String, attempt: UInt8 = 1, flags: UInt8? = nil) throws -> [UInt8] {
    var bytes = try hexFixture(fixture)
    bytes.replaceSubrange(8..<16, with: [attempt, 0, 0, 0, 0x34, 0x12, 0, 0])
    if let flags { bytes[6] = flags }
    return bytes
  }

  func sockets(_ answers: [Answer]) throws(NetlinkError) -> [SocketObservation] {
    try SocketDump(transport: replaying(answers, port: Self.port)).sockets(.udp, ports: 8008...8008)
  }

  func interfaces(_ answers: [Answer]) throws(NetlinkError) -> [NetworkInterface] {
    try RouteDump(transport: replaying(answers, port: Self.port)).interfaces()
  }

  @Test("is taken up to its NLMSG_DONE, in one datagram or several, other ports left out, repetitions too")
  func wholeAnswer() throws {
    let (socket, other) = (try Self.message("udp-bound-ipv6"), try Self.message("udp-connected-ipv4"))
    let done = try Self.message("done")
    let empty = Answer(datagrams: [done])
    for datagrams in [[socket, other, done], [socket + other + done], [other + socket, socket + done]] {
      #expect(try sockets([Answer(datagrams: datagrams), empty]).map(\.local.port) == [Port(8008)])
    }
  }

  @Test("without NLMSG_DONE is malformed, not short")
  func missingEnd() throws {
    let socket = try Self.message("udp-bound-ipv6")
    let expected = NetlinkError.malformedReply(
      WireError(offset: socket.count, expected: "the end of the dump, NLMSG_DONE"))
    #expect(throws: expected) { try sockets([Answer(datagrams: [socket])]) }
    #expect(throws: NetlinkError.self) { try sockets([Answer(datagrams: [])]) }
  }

  @Test("with another sequence number or another port id is malformed")
  func strangerHeader() throws {
    let done = try Self.message("done")
    for (offset, expected) in [(8, "the sequence number 1"), (12, "the port id 4660")] {
      var socket = try Self.message("udp-bound-ipv6")
      socket[offset] ^= 0x80
      #expect(throws: NetlinkError.malformedReply(WireError(offset: 0, expected: expected))) {
        try sockets([Answer(datagrams: [socket, done])])
      }
    }
  }

  @Test("with messages of another type is malformed")
  func strangerType() throws {
    let link = try Self.message("link-loopback")
    #expect(throws: NetlinkError.malformedReply(WireError(offset: 0, expected: "a message of type 20"))) {
      try sockets([Answer(datagrams: [link])])
    }
  }

  @Test("from another process than the kernel is ignored")
  func foreignSender() throws {
    let socket = try Self.message("udp-bound-ipv6")
    let done = try Self.message("done")
    let forged = Answer(datagrams: [socket, done], sender: 77)
    #expect(throws: NetlinkError.malformedReply(WireError(offset: 0, expected: "the end of the dump, NLMSG_DONE"))) {
      try sockets([forged])
    }
  }

  @Test("cut off anywhere is malformed")
  func truncated() throws {
    let bytes = try Self.message("udp-bound-ipv6") + (try Self.message("done"))
    for length in 0..<bytes.count {
      #expect(throws: NetlinkError.self) { try sockets([Answer(datagrams: [Array(bytes.prefix(length))])]) }
    }
  }

  @Test(
    "that is an error says whether the interface is missing or the request was refused",
    arguments: [(2, true), (1, true), (13, true), (93, true), (38, true), (22, false), (12, false)])
  func errors(_ number: UInt8, _ isMissing: Bool) throws {
    let error = SystemError(rawValue: Int32(number))
    for fixture in ["error-no-entry", "done"] {
      var bytes = try Self.message(fixture)
      bytes.replaceSubrange(16..<20, with: [0 &- number, 0xff, 0xff, 0xff])
      let expected: NetlinkError = isMissing ? .interfaceMissing(.sockDiag, error) : .refused(.sockDiag, error)
      #expect(throws: expected) { try sockets([Answer(datagrams: [bytes])]) }
    }
  }

  @Test("for IPv6 that says ENOENT after IPv4 was answered leaves IPv4 alone")
  func withoutIPv6() throws {
    let four = try Self.message("udp-connected-ipv4") + (try Self.message("done"))
    let transport = replaying(
      [Answer(datagrams: [four]), Answer(datagrams: [try Self.message("error-no-entry")])], port: Self.port)
    #expect(try SocketDump(transport: transport).sockets(.udp, ports: nil).map(\.family) == [.ipv4])
  }

  @Test("to the two-family form of TCP that says EINVAL is replaced by one dump for each family")
  func withoutFirstForm() throws {
    var invalid = try Self.message("error-no-entry")
    invalid[16] = 0 &- 22
    let done = try Self.message("done")
    let answers = [
      Answer(datagrams: [invalid]), Answer(datagrams: [try Self.message("tcp-bound"), done]),
      Answer(datagrams: [try Self.message("tcp-listen-v6only"), done]),
    ]
    let sockets = try SocketDump(transport: replaying(answers, port: Self.port)).sockets(.tcp, ports: nil)
    #expect(sockets.map(\.local.port) == [Port(8004), Port(8002)])
  }

  @Test("that the kernel marks as interrupted is thrown away and asked for again")
  func interrupted() throws {
    let first = Answer(datagrams: [try Self.message("link-loopback", flags: 0x12), try Self.message("done")])
    let atTheEnd = Answer(datagrams: [
      try Self.message("link-loopback", attempt: 2), try Self.message("done", attempt: 2, flags: 0x12),
    ])
    let whole = Answer(datagrams: [try Self.message("link-vrf", attempt: 3), try Self.message("done", attempt: 3)])
    #expect(try interfaces([first, atTheEnd, whole]).map(\.name) == ["blue"])
  }

  @Test("that overran the socket is asked for again, but not for ever")
  func overrun() throws {
    let overrun = Answer(failure: .systemCall("recvfrom", .noBufferSpace))
    let whole = Answer(datagrams: [try Self.message("link-vrf", attempt: 2), try Self.message("done", attempt: 2)])
    #expect(try interfaces([overrun, whole]).count == 1)
    #expect(throws: NetlinkError.staysInterrupted(.route)) { try interfaces([overrun]) }
    let denied = NetlinkError.interfaceMissing(.route, .accessDenied)
    #expect(throws: denied) { try interfaces([Answer(failure: denied)]) }
  }
}
