/// An input of the fuzzer, taken apart from its start.
struct FuzzInput {
  private var bytes: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

  var isEmpty: Bool { bytes.isEmpty }

  /// The next byte; 0 where nothing is left.
  mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }

  /// One of `count` ways to go on.
  mutating func choice(of count: Int) -> Int { Int(byte()) % count }

  /// A part with its length in front, two bytes, low first; what is left where it is longer.
  mutating func part() -> [UInt8] {
    let length = Int(byte()) | Int(byte()) << 8
    defer { bytes = bytes.dropFirst(length) }
    return Array(bytes.prefix(length))
  }

  /// A part with its length in one byte.
  mutating func shortPart() -> [UInt8] {
    let length = Int(byte())
    defer { bytes = bytes.dropFirst(length) }
    return Array(bytes.prefix(length))
  }

  /// All that is left.
  mutating func rest() -> [UInt8] {
    defer { bytes = [] }
    return Array(bytes)
  }

  /// All that is left, as parsers get a file: invalid UTF-8 replaced.
  mutating func text() -> String { String(decoding: rest(), as: UTF8.self) }
}
