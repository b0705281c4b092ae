/// One attribute of a message: its number and where its payload lies.
struct NetlinkAttribute {
  /// `nla_type` without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER.
  var type: UInt16
  /// In bytes from the start of the datagram, padding not included.
  var payload: Range<Int>
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
    rest = min(start + (length + 3) & ~3, rest.upperBound)..<rest.upperBound
    return NetlinkAttribute(type: type & 0x3fff, payload: start + 4..<start + length)
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

/// Appends an attribute, padded to a multiple of 4.
func appendAttribute(_ type: UInt16, _ payload: [UInt8], to bytes: inout [UInt8]) {
  bytes.append(host: UInt16(truncatingIfNeeded: 4 + payload.count))
  bytes.append(host: type)
  bytes.append(contentsOf: payload)
  bytes.append(zeros: (4 - payload.count & 3) & 3)
}
