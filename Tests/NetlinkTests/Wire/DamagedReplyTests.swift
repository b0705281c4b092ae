import FixtureTestSupport
import Netlink
import SocketModel
import Testing

/// The fixtures by the parser that reads them.
enum FixtureKind: CaseIterable {
  case socket, link, address, route, end

  var names: [String] {
    switch self {
    case .socket:
      [
        "tcp-listen-ipv4", "tcp-queued-child", "tcp-listen-v6only", "tcp-listen-dual-stack",
        "tcp-established-mapped", "tcp-bound", "tcp-time-wait", "tcp-fin-wait2-timewait", "tcp-syn-recv",
        "tcp-listen-mptcp", "udp-bound-ipv6", "udp-connected-ipv4",
      ]
    case .link: ["link-loopback", "link-veth", "link-vrf"]
    case .address: ["address-loopback", "address-tentative", "address-peer", "address-ipv4"]
    case .route: ["route-loopback", "route-broadcast"]
    case .end: ["done", "error-no-entry"]
    }
  }

  /// Parses every message of a datagram; throws what the parsers throw, returns how many there were.
  @discardableResult
  func parse(_ datagram: [UInt8]) throws(WireError) -> Int {
    let bytes = datagram.span
    var cursor = MessageCursor()
    var count = 0
    while let message = try cursor.next(in: bytes) {
      switch self {
      case .socket:
        _ = try localPort(of: message.payload, in: bytes)
        _ = try SocketObservation(parsing: bytes, message.payload, transport: .tcp)
      case .link: _ = try NetworkInterface(parsing: bytes, message.payload)
      case .address: _ = try InterfaceAddress(parsing: bytes, message.payload)
      case .route: _ = try LocalRoute(parsing: bytes, message.payload)
      case .end: _ = try message.error(in: bytes)
      }
      count += 1
    }
    return count
  }
}

@Suite("A damaged reply")
struct DamagedReplyTests {
  static let fixtures = FixtureKind.allCases.flatMap { kind in kind.names.map { (kind, $0) } }

  @Test("cut off at any length is an error or nothing", arguments: fixtures)
  func truncatedDatagram(_ fixture: (kind: FixtureKind, name: String)) throws {
    let bytes = try hexFixture(fixture.name)
    #expect(try fixture.kind.parse(bytes) == 1)
    #expect(try fixture.kind.parse([]) == 0)
    for length in 1..<bytes.count {
      #expect(throws: WireError.self, "\(length) bytes") { try fixture.kind.parse(Array(bytes.prefix(length))) }
    }
  }

  @Test("cut off together with its stated length never traps", arguments: fixtures)
  func truncatedMessage(_ fixture: (kind: FixtureKind, name: String)) throws {
    let bytes = try hexFixture(fixture.name)
    for length in 16..<bytes.count {
      var short = Array(bytes.prefix(length))
      short[0] = UInt8(truncatingIfNeeded: length)
      short[1] = UInt8(truncatingIfNeeded: length >> 8)
      short[2] = 0
      do { try fixture.kind.parse(short) } catch { #expect(error.offset <= length) }
    }
  }

  @Test("with any byte replaced never traps, and an error lies inside it", arguments: fixtures)
  func replacedByte(_ fixture: (kind: FixtureKind, name: String)) throws {
    let bytes = try hexFixture(fixture.name)
    for offset in bytes.indices {
      for value in [0, 1, 3, 5, 0x7f, 0x80, 0xff] as [UInt8] {
        var changed = bytes
        changed[offset] = value
        do { try fixture.kind.parse(changed) } catch { #expect((0...bytes.count).contains(error.offset)) }
      }
    }
  }

  @Test("of random bytes never traps", arguments: FixtureKind.allCases)
  func randomBytes(_ kind: FixtureKind) throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<3000 {
      let payload = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      let header: [UInt8] = [UInt8(payload.count + 16), 0, 0, 0] + Array(repeating: 0, count: 12)
      do { try kind.parse(header + payload) } catch { #expect(error.offset <= payload.count + 16) }
      do { try kind.parse(payload) } catch { #expect(error.offset <= payload.count) }
    }
  }

  /// A TIME_WAIT reply with its only attribute replaced.
  static func timeWait(attributes: [UInt8]) throws -> [UInt8] {
    var bytes = Array(try hexFixture("tcp-time-wait").prefix(88)) + attributes
    bytes[0] = UInt8(bytes.count)
    return bytes
  }

  @Test(
    "with an attribute length below 4 or beyond its message is an error, not a loop",
    arguments: [[0, 0, 15, 0], [3, 0, 15, 0], [9, 0, 15, 0, 1, 2, 3, 4], [255, 255, 15, 0, 0, 0, 0, 0], [4, 0]])
  func attributeLength(_ attributes: [UInt8]) throws {
    let bytes = try Self.timeWait(attributes: attributes)
    #expect { try FixtureKind.socket.parse(bytes) } throws: { ($0 as? WireError)?.offset == 88 }
  }

  @Test(
    "with an attribute that is too short for its value is an error",
    arguments: [[4, 0, 21, 0], [8, 0, 21, 0, 1, 2, 3, 4]])
  func shortValue(_ attributes: [UInt8]) throws {
    let bytes = try Self.timeWait(attributes: attributes)
    #expect(throws: WireError(offset: 92, expected: "INET_DIAG_CGROUP_ID")) { try FixtureKind.socket.parse(bytes) }
  }

  @Test("with an attribute nobody knows, or an empty one, is read all the same")
  func unknownAttributes() throws {
    let bytes = try Self.timeWait(attributes: [4, 0, 0xfe, 0x3f, 8, 0, 0xfd, 0x7f, 1, 2, 3, 4])
    #expect(try FixtureKind.socket.parse(bytes) == 1)
  }

  @Test("whose message length is below the header or beyond the datagram is an error", arguments: [0, 15, 97, 255])
  func messageLength(_ length: UInt8) throws {
    var bytes = try hexFixture("tcp-time-wait")
    bytes[0] = length
    #expect(throws: WireError(offset: 0, expected: "a message length of 16 to 96")) {
      try FixtureKind.socket.parse(bytes)
    }
  }

  @Test("that ends in an error message gives its errno; the numbers 1 and Int32.min are no errno")
  func errorNumbers() throws {
    var bytes = try hexFixture("error-no-entry")
    func error(_ bytes: [UInt8]) throws -> SystemError? {
      var cursor = MessageCursor()
      return try cursor.next(in: bytes.span)?.error(in: bytes.span)
    }
    #expect(try error(bytes) == .noEntry)
    #expect(try error(try hexFixture("done")) == nil)
    for code in [[1, 0, 0, 0], [0, 0, 0, 0x80]] as [[UInt8]] {
      bytes.replaceSubrange(16..<20, with: code)
      #expect(throws: WireError(offset: 16, expected: "a negative error number")) { try error(bytes) }
    }
  }

  @Test("is walked message by message, each from a multiple of 4")
  func several() throws {
    let one = try hexFixture("tcp-time-wait")
    #expect(try FixtureKind.socket.parse(one + one + one) == 3)
    #expect(throws: WireError(offset: 192, expected: "a message header of 16 bytes")) {
      try FixtureKind.socket.parse(one + one + one.prefix(15))
    }
  }
}
