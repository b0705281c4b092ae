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
