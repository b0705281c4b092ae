import Netlink
import SocketModel
import Testing

@Suite("An answer that is not as it should be")
struct HostileReplyTests {
  /// How many things the dump finds in these arrivals.
  private func count(_ dump: Dump, _ arrivals: [Arrival]...) throws(NetlinkError) -> Int {
    try dump.count(Recording(arrivals))
  }

  private func whole(_ dump: Dump) -> Int { dump == .tunnels ? 0 : 1 }

  @Test("cut off at any length is an error, in one datagram or in two", arguments: Dump.everyFixture)
  func truncated(_ dump: Dump, _ fixture: String) throws {
    let (message, done) = (try dump.message(fixture), try dump.message("done"))
    #expect(try count(dump, [.kernel(message + done)]) == whole(dump))
    for length in 0..<message.count + done.count {
      #expect(throws: NetlinkError.self, "\(length) bytes") {
        try count(dump, [.kernel(Array((message + done).prefix(length)))])
      }
    }
    for length in 1..<message.count {
      #expect(throws: NetlinkError.self, "\(length) bytes, then the end") {
        try count(dump, [.kernel(Array(message.prefix(length))), .kernel(done)])
      }
    }
  }

  @Test("cut off at any length is an error for a look-up too, whose answer has no end")
  func truncatedLookup() throws {
    let message = try Dump.routes.message("route-loopback")
    func type(_ bytes: [UInt8]) throws -> RouteType? {
      try RouteDump(transport: Recording([[.kernel(bytes)]]).transport).ipv4Lookup(.loopback)?.type
    }
    #expect(try type(message) == RouteType(rawValue: 2))
    for length in 0..<message.count { #expect(throws: NetlinkError.self) { try type(Array(message.prefix(length))) } }
  }

  @Test(
    "with any attribute's length below 4 or beyond its message is an error that says where",
    arguments: Dump.everyFixture.filter { $0.0 != .glances && $0.0 != .tunnels })
  func attributeLengths(_ dump: Dump, _ fixture: String) throws {
    let (message, done) = (try dump.message(fixture), try dump.message("done"))
    let fixed = [.tcp: 72, .interfaces: 16, .addresses: 8, .routes: 12][dump] ?? 0
    let starts = attributes(message, from: 16 + fixed)
    #expect(!starts.isEmpty || fixed == 72)
    for start in starts {
      for length in [0, 1, 2, 3, message.count - start + 1, 0xffff] {
        var damaged = message
        damaged[start] = UInt8(truncatingIfNeeded: length)
        damaged[start + 1] = UInt8(length >> 8)
        #expect("\(length) at \(start)") {
          try count(dump, [.kernel(damaged + done)])
        } throws: { error in
          guard case .malformedReply(let wire)? = error as? NetlinkError else { return false }
          return wire.offset == start
        }
      }
    }
  }

  @Test("with a length that lies inside of an attribute is an error")
  func nestedLengths() throws {
    let (message, done) = (try Dump.interfaces.message("link-vrf"), try Dump.interfaces.message("done"))
    let linkInfo: UInt8 = 18
    let outer = try #require(attributes(message, from: 32).first { message[$0 + 2] == linkInfo })
    for length in [0, 3, 0xff] as [UInt8] {
      var damaged = message
      damaged[outer + 4] = length
      #expect(throws: NetlinkError.self) { try count(.interfaces, [.kernel(damaged + done)]) }
    }
  }

  /// Where the attributes start; `recorded` messages have no wrong lengths.
  private func attributes(_ message: [UInt8], from first: Int) -> [Int] {
    var starts: [Int] = []
    var start = first
    while start + 4 <= message.count {
      starts.append(start)
      start += max(4, ((Int(message[start]) | Int(message[start + 1]) << 8) + 3) & ~3)
    }
    return starts
  }

  @Test(
    "with the sequence number or the port id of another request is malformed, be it a part, the end or an error",
    arguments: Dump.allCases)
  func strangersHeader(_ dump: Dump) throws {
    let message = try dump.message(dump.fixtures[0])
    for (last, offset) in [("done", 8), ("done", 12), ("error-no-entry", 8), ("error-no-entry", 12)] {
      var end = try dump.message(last)
      end[offset] ^= 0x40
      #expect("\(last)") {
        try count(dump, [.kernel(message), .kernel(end)])
      } throws: { error in
        if case .malformedReply? = error as? NetlinkError { true } else { false }
      }
    }
  }

  @Test("that ends with an error is that error, whatever came before", arguments: Dump.allCases)
  func lateError(_ dump: Dump) throws {
    let message = try dump.message(dump.fixtures[0])
    for end in ["error-no-entry", "done"] {
      // ENOENT, with which a kernel without IPv6 or without the table answers at once; ENOMEM.
      for number in [2, 12] as [UInt8] {
        var bytes = try dump.message(end)
        bytes.replaceSubrange(16..<20, with: [0 &- number, 0xff, 0xff, 0xff])
        #expect("\(end) \(number)") {
          try count(dump, [.kernel(message + bytes)])
        } throws: { error in
          if case .refused(_, SystemError(rawValue: Int32(number)))? = error as? NetlinkError { true } else { false }
        }
      }
    }
  }

  @Test("to the second of two requests that breaks off leaves no half of the sockets")
  func secondFamily() throws {
    let four = [Arrival.kernel(try ReplyPolicyTests.message("udp-connected-ipv4"))]
    let six = Arrival.kernel(try ReplyPolicyTests.message("udp-bound-ipv6"))
    let done = Arrival.kernel(try ReplyPolicyTests.message("done"))
    let missing = Arrival.kernel(try ReplyPolicyTests.message("error-no-entry"))
    func sockets(_ second: [Arrival]) throws(NetlinkError) -> Int {
      try SocketDump(transport: Recording([four + [done], second]).transport).sockets(.udp, ports: nil).count
    }
    #expect(try sockets([six, done]) == 2)
    #expect(try sockets([missing]) == 1, "no IPv6")
    #expect(throws: NetlinkError.self, "IPv6 that was there and broke off") { try sockets([six, missing]) }
    #expect(throws: NetlinkError.self) { try sockets([six]) }
  }

  @Test("that is interrupted at any place is thrown away and asked for again", arguments: Dump.allCases)
  func interrupted(_ dump: Dump) throws {
    let names = [dump.fixtures[0], dump.fixtures[1], "done"]
    for marked in names.indices {
      let recording = Recording([
        try names.enumerated().map { .kernel(try dump.message($1, flags: $0 == marked ? 0x12 : nil)) },
        [.kernel(try dump.message(dump.fixtures[0], attempt: 2) + (try dump.message("done", attempt: 2)))],
      ])
      #expect(try dump.count(recording) == whole(dump))
      #expect(recording.sequences == [1, 2])
    }
  }

  @Test("that overruns the socket, after a part or as an error, is asked for again", arguments: Dump.allCases)
  func overrun(_ dump: Dump) throws {
    let message = try dump.message(dump.fixtures[0])
    let again = try dump.message(dump.fixtures[1], attempt: 2) + (try dump.message("done", attempt: 2))
    var ends: [Arrival] = [.overrun]
    for name in ["error-no-entry", "done"] {
      var bytes = try dump.message(name)
      bytes.replaceSubrange(16..<20, with: [0 &- 105, 0xff, 0xff, 0xff])
      ends.append(.kernel(bytes))
    }
    for end in ends {
      let recording = Recording([[.kernel(message), end], [.kernel(again)]])
      #expect(try dump.count(recording) == whole(dump))
      #expect(recording.sequences == [1, 2])
    }
  }

  @Test("that never is whole is given up after five requests", arguments: Dump.allCases)
  func givesUp(_ dump: Dump) throws {
    let interruptions: [[Arrival]] = try (1...5).map { attempt in
      attempt % 2 == 0
        ? [.kernel(try dump.message(dump.fixtures[0], attempt: attempt)), .overrun]
        : [.kernel(try dump.message("done", attempt: attempt, flags: 0x12))]
    }
    let recording = Recording(interruptions)
    #expect {
      try dump.count(recording)
    } throws: { error in
      if case .staysInterrupted? = error as? NetlinkError { true } else { false }
    }
    #expect(recording.sequences == [1, 2, 3, 4, 5])
  }

  @Test("is not changed by what other processes send meanwhile, wherever it comes between", arguments: Dump.allCases)
  func strangers(_ dump: Dump) throws {
    let answer: [Arrival] = try (dump.fixtures + ["done"]).map { .kernel(try dump.message($0)) }
    let expected = try dump.count(Recording([answer]))
    let forged = try [dump.message(dump.fixtures[0]), dump.message("done"), dump.message("error-no-entry"), [], [1]]
    for bytes in forged {
      for place in answer.indices {
        var mixed = answer
        mixed.insert(.stranger(bytes), at: place)
        #expect(try dump.count(Recording([mixed])) == expected)
      }
    }
  }
}
