package import SocketModel

/// What a netlink message is, `nlmsg_type` (netlink(7)): below 16 control, above it the interface's own.
package struct MessageType: RawRepresentable, Sendable, Hashable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// NLMSG_NOOP: to be skipped.
  package static let noOperation = MessageType(rawValue: 1)
  /// NLMSG_ERROR: an error number, or an acknowledgement where it is 0.
  package static let error = MessageType(rawValue: 2)
  /// NLMSG_DONE: the end of a dump, with its error number.
  package static let done = MessageType(rawValue: 3)
  /// RTM_NEWLINK.
  package static let newLink = MessageType(rawValue: 16)
  /// RTM_GETLINK.
  package static let getLink = MessageType(rawValue: 18)
  /// TCPDIAG_GETSOCK: the first form of sock_diag, TCP only, both families in one walk.
  package static let tcpDiag = MessageType(rawValue: 18)
  /// RTM_NEWADDR.
  package static let newAddress = MessageType(rawValue: 20)
  /// SOCK_DIAG_BY_FAMILY.
  package static let sockDiagByFamily = MessageType(rawValue: 20)
  /// RTM_GETADDR.
  package static let getAddress = MessageType(rawValue: 22)
  /// RTM_NEWROUTE.
  package static let newRoute = MessageType(rawValue: 24)
  /// RTM_GETROUTE.
  package static let getRoute = MessageType(rawValue: 26)
  /// RTM_NEWRULE.
  package static let newRule = MessageType(rawValue: 32)
  /// RTM_GETRULE.
  package static let getRule = MessageType(rawValue: 34)
}

/// `nlmsg_flags` (netlink(7)).
package struct MessageFlags: OptionSet, Sendable, Hashable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// NLM_F_REQUEST.
  package static let request = MessageFlags(rawValue: 0x1)
  /// NLM_F_DUMP_INTR: what was dumped changed meanwhile, so the answer may be inconsistent.
  package static let dumpInterrupted = MessageFlags(rawValue: 0x10)
  /// NLM_F_DUMP: NLM_F_ROOT and NLM_F_MATCH.
  package static let dump = MessageFlags(rawValue: 0x300)
}

/// One message of a datagram: the fields of its header and where its payload lies.
package struct NetlinkMessage: Sendable, Hashable {
  /// The size of `struct nlmsghdr`.
  package static let headerSize = 16

  /// What the message is.
  package var type: MessageType
  /// NLM_F_*.
  package var flags: MessageFlags
  /// The number that its request had.
  package var sequence: UInt32
  /// `nlmsg_pid`: in a reply the port id of the socket that asked.
  package var portID: UInt32
  /// In bytes, as the offset of an attribute.
  package var payload: Range<Int>

  package init(type: MessageType, flags: MessageFlags, sequence: UInt32, portID: UInt32, payload: Range<Int>) {
    self.type = type
    self.flags = flags
    self.sequence = sequence
    self.portID = portID
    self.payload = payload
  }

  /// The error number at the start of an NLMSG_ERROR or NLMSG_DONE message; nil for 0, success.
  package func error(in bytes: Span<UInt8>) throws(WireError) -> SystemError? {
    let offset = payload.lowerBound
    let code = Int32(bitPattern: try bytes.uint32(at: offset, in: payload, "an error number"))
    guard code <= 0, code > Int32.min else { throw WireError(offset: offset, expected: "a negative error number") }
    return code == 0 ? nil : SystemError(rawValue: 0 &- code)
  }
}

/// Walks the messages of one datagram.
package struct MessageCursor: Sendable {
  private var offset = 0

  /// At the first message.
  package init() {}

  //  0               2               4
  //  +-------------------------------+
  //  | nlmsg_len, header included    |  the next message starts at the next multiple of 4
  //  +---------------+---------------+
  //  | nlmsg_type    | nlmsg_flags   |
  //  +---------------+---------------+
  //  | nlmsg_seq                     |
  //  +-------------------------------+
  //  | nlmsg_pid                     |
  //  +-------------------------------+
  //  | payload …                     |

  /// The next message; nil after the last. Throws where the header is cut off or its length lies.
  package mutating func next(in bytes: Span<UInt8>) throws(WireError) -> NetlinkMessage? {
    let start = offset
    let datagram = 0..<bytes.count
    guard start < bytes.count else { return nil }
    try bytes.require(NetlinkMessage.headerSize, at: start, in: datagram, "a message header of 16 bytes")
    let stated = try bytes.uint32(at: start, in: datagram, "nlmsg_len")
    guard let length = Int(exactly: stated), length >= NetlinkMessage.headerSize, length <= bytes.count - start
    else { throw WireError(offset: start, expected: "a message length of 16 to \(bytes.count - start)") }
    offset = min(aligned(start + length), bytes.count)
    return NetlinkMessage(
      type: MessageType(rawValue: try bytes.uint16(at: start + 4, in: datagram, "nlmsg_type")),
      flags: MessageFlags(rawValue: try bytes.uint16(at: start + 6, in: datagram, "nlmsg_flags")),
      sequence: try bytes.uint32(at: start + 8, in: datagram, "nlmsg_seq"),
      portID: try bytes.uint32(at: start + 12, in: datagram, "nlmsg_pid"),
      payload: start + NetlinkMessage.headerSize..<start + length)
  }
}

/// A whole request: the header, then what `body` appends.
func message(
  _ type: MessageType, flags: MessageFlags = [.request, .dump], sequence: UInt32, body: [UInt8]
) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(NetlinkMessage.headerSize + body.count)
  bytes.append(host: UInt32(truncatingIfNeeded: NetlinkMessage.headerSize + body.count))
  bytes.append(host: type.rawValue)
  bytes.append(host: flags.rawValue)
  bytes.append(host: sequence)
  bytes.append(host: UInt32(0))
  return bytes + body
}

/// Bytes that are not what the kernel's headers say they must be.
package struct WireError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Where in the datagram, in bytes from its start.
  package var offset: Int
  /// What should have stood there, in words.
  package var expected: String

  package init(offset: Int, expected: String) {
    self.offset = offset
    self.expected = expected
  }

  package var description: String { "expected \(expected) at byte \(offset)" }
}

/// One attribute of a message: its number and where its payload lies.
struct NetlinkAttribute {
  /// `nla_type` without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER.
  var type: UInt16
  /// In bytes from the start of the datagram, padding not included.
  var payload: Range<Int>

  /// NLA_TYPE_MASK.
  fileprivate static let typeMask: UInt16 = 0x3fff
}

/// Walks the attributes in a part of a datagram; what is not known to its caller is to be skipped.
struct AttributeCursor {
  private var rest: Range<Int>

  init(_ bounds: Range<Int>) { rest = bounds }

  /// The attributes that follow a fixed part of `size` bytes at the start of `payload`.
  init(after size: Int, in payload: Range<Int>) throws(WireError) {
    guard payload.count >= size else {
      throw WireError(offset: payload.upperBound, expected: "a fixed part of \(size) bytes")
    }
    rest = payload.lowerBound + size..<payload.upperBound
  }

  //  0               2               4
  //  +---------------+---------------+
  //  | nla_len       | nla_type      |  nla_len counts these four bytes, not the padding to a multiple of 4
  //  +---------------+---------------+
  //  | payload …                     |

  /// The next attribute; nil after the last. Throws where its length is below 4 or beyond its message.
  mutating func next(in bytes: Span<UInt8>) throws(WireError) -> NetlinkAttribute? {
    guard !rest.isEmpty else { return nil }
    let start = rest.lowerBound
    try bytes.require(4, at: start, in: rest, "an attribute header of 4 bytes")
    let length = Int(try bytes.uint16(at: start, in: rest, "nla_len"))
    guard length >= 4, length <= rest.count else {
      throw WireError(offset: start, expected: "an attribute length of 4 to \(rest.count)")
    }
    let type = try bytes.uint16(at: start + 2, in: rest, "nla_type")
    rest = min(aligned(start + length), rest.upperBound)..<rest.upperBound
    return NetlinkAttribute(type: type & NetlinkAttribute.typeMask, payload: start + 4..<start + length)
  }

  /// Where the payload of the first attribute of this number lies; nil where there is none.
  func first(_ type: UInt16, in bytes: Span<UInt8>) throws(WireError) -> Range<Int>? {
    var walk = self
    while let attribute = try walk.next(in: bytes) {
      if attribute.type == type { return attribute.payload }
    }
    return nil
  }
}

/// To the next multiple of four, at which messages, attributes and next hops start (NLMSG_ALIGN, NLA_ALIGN, RTNH_ALIGN).
func aligned(_ offset: Int) -> Int { (offset + 3) & ~3 }

/// Appends an attribute, padded to a multiple of 4.
func appendAttribute(_ type: UInt16, _ payload: [UInt8], to bytes: inout [UInt8]) {
  bytes.append(host: UInt16(truncatingIfNeeded: 4 + payload.count))
  bytes.append(host: type)
  bytes.append(contentsOf: payload)
  bytes.append(zeros: aligned(payload.count) - payload.count)
}

// MARK: - Fields

// Span traps out of bounds, so every field is checked against its message first: a datagram that lies is an
// error, not a crash. Netlink fields are in host byte order; addresses and ports in network byte order.
extension Span<UInt8> {
  /// Throws unless `count` bytes from `offset` lie inside `bounds` and inside the datagram.
  func require(_ count: Int, at offset: Int, in bounds: Range<Int>, _ expected: StaticString) throws(WireError) {
    guard offset >= bounds.lowerBound, offset >= 0, bounds.upperBound <= self.count,
      offset <= bounds.upperBound, count <= bounds.upperBound - offset
    else { throw WireError(offset: min(offset, bounds.upperBound, self.count), expected: expected.description) }
  }

  func uint8(at offset: Int, in bounds: Range<Int>, _ name: StaticString) throws(WireError) -> UInt8 {
    try require(1, at: offset, in: bounds, name)
    return self[offset]
  }

  func uint16(at offset: Int, in bounds: Range<Int>, _ name: StaticString) throws(WireError) -> UInt16 {
    try require(2, at: offset, in: bounds, name)
    return UInt16(littleEndian: UInt16(self[offset]) | UInt16(self[offset + 1]) << 8)
  }

  func uint32(at offset: Int, in bounds: Range<Int>, _ name: StaticString) throws(WireError) -> UInt32 {
    UInt32(littleEndian: try networkUInt32(at: offset, in: bounds, name).byteSwapped)
  }

  func uint64(at offset: Int, in bounds: Range<Int>, _ name: StaticString) throws(WireError) -> UInt64 {
    try require(8, at: offset, in: bounds, name)
    var value: UInt64 = 0
    for index in 0..<8 { value |= UInt64(self[offset + index]) << UInt64(index * 8) }
    return UInt64(littleEndian: value)
  }

  func networkUInt16(at offset: Int, in bounds: Range<Int>, _ name: StaticString) throws(WireError) -> UInt16 {
    try require(2, at: offset, in: bounds, name)
    return UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
  }

  func networkUInt32(at offset: Int, in bounds: Range<Int>, _ name: StaticString) throws(WireError) -> UInt32 {
    try require(4, at: offset, in: bounds, name)
    return UInt32(self[offset]) << 24 | UInt32(self[offset + 1]) << 16 | UInt32(self[offset + 2]) << 8
      | UInt32(self[offset + 3])
  }

  func networkUInt64(at offset: Int, in bounds: Range<Int>, _ name: StaticString) throws(WireError) -> UInt64 {
    UInt64(try networkUInt32(at: offset, in: bounds, name)) << 32
      | UInt64(try networkUInt32(at: offset + 4, in: bounds, name))
  }

  /// The text up to the first NUL, invalid UTF-8 replaced; names of interfaces and upper layer protocols.
  func text(in bounds: Range<Int>, _ name: StaticString) throws(WireError) -> String {
    try require(bounds.count, at: bounds.lowerBound, in: bounds, name)
    var units: [UInt8] = []
    for offset in bounds {
      if self[offset] == 0 { break }
      units.append(self[offset])
    }
    return String(decoding: units, as: UTF8.self)
  }
}

extension [UInt8] {
  mutating func append(host value: UInt16) {
    append(bytesOf: value.littleEndian)
  }

  mutating func append(host value: UInt32) {
    append(bytesOf: value.littleEndian)
  }

  private mutating func append(bytesOf value: some FixedWidthInteger & UnsignedInteger) {
    var rest = value
    for _ in 0..<(value.bitWidth / 8) {
      append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }

  mutating func append(zeros count: Int) {
    append(contentsOf: repeatElement(0, count: count))
  }
}
