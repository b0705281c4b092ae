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
