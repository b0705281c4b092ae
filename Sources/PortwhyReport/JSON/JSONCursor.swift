/// Why a value could not be read.
enum JSONError: Error {
  /// At this byte.
  case wrong(Int, String)
  /// It has a word that a newer version may have added.
  case unknownWord
}

/// A place in JSON (RFC 8259) that moves forward over what stands there and checks it strictly.
struct JSONCursor {
  /// A report is nine levels deep; what it may hold in keys that are not known here can be a little deeper.
  static let maximumDepth = 32

  let bytes: [UInt8]
  var position = 0

  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  var isNumber: Bool { next == UInt8(ascii: "-") || decimalDigit(next) != nil }

  func expected(_ what: String) -> JSONError {
    .wrong(position, next == nil ? "cut off, expected \(what)" : "expected \(what)")
  }

  mutating func skipBlanks() {
    while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  // MARK: Any value

  mutating func skip(depth: Int = 0) throws(JSONError) {
    guard depth < Self.maximumDepth else { throw .wrong(position, "more than \(Self.maximumDepth) levels deep") }
    switch next {
    case let open? where open == UInt8(ascii: "{") || open == UInt8(ascii: "["):
      guard try begin() else { return }
      repeat {
        if open == UInt8(ascii: "{") { _ = try key() }
        try skip(depth: depth + 1)
      } while try more(after: open)
    case UInt8(ascii: "\""): _ = try text()
    case UInt8(ascii: "t"): try literal("true")
    case UInt8(ascii: "f"): try literal("false")
    case UInt8(ascii: "n"): try literal("null")
    case _ where isNumber: try number()
    default: throw expected("a value")
    }
  }

  /// Into an object or array; false where it is empty, with the cursor after it.
  mutating func begin() throws(JSONError) -> Bool {
    // In ASCII the closing bracket comes two after the opening one.
    let end = bytes[position] + 2
    position += 1
    skipBlanks()
    guard next == end else { return true }
    position += 1
    return false
  }

  /// To the next member or element; false where there is none, with the cursor after the container.
  mutating func more(after open: UInt8) throws(JSONError) -> Bool {
    skipBlanks()
    if next == UInt8(ascii: ",") {
      position += 1
      skipBlanks()
      return true
    }
    guard next == open + 2 else { throw expected(open == UInt8(ascii: "{") ? "\",\" or \"}\"" : "\",\" or \"]\"") }
    position += 1
    return false
  }

  /// With its colon.
  mutating func key() throws(JSONError) -> Text {
    guard next == UInt8(ascii: "\"") else { throw expected("a key") }
    let key = try text()
    skipBlanks()
    guard next == UInt8(ascii: ":") else { throw expected("\":\"") }
    position += 1
    skipBlanks()
    return key
  }

  private mutating func literal(_ word: String) throws(JSONError) {
    guard bytes[position...].starts(with: word.utf8) else { throw expected("\"\(word)\"") }
    position += word.utf8.count
  }

  mutating func number() throws(JSONError) {
    if next == UInt8(ascii: "-") { position += 1 }
    if next == UInt8(ascii: "0") { position += 1 } else { try digits() }
    if next == UInt8(ascii: ".") {
      position += 1
      try digits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      try digits()
    }
  }

  private mutating func digits() throws(JSONError) {
    let start = position
    while decimalDigit(next) != nil { position += 1 }
    if position == start { throw expected("a digit") }
  }

  // MARK: Strings

  /// What stands between two quotes.
  struct Text {
    var inside: Range<Int>
    var isEscaped = false
  }

  mutating func text() throws(JSONError) -> Text {
    position += 1
    var text = Text(inside: position..<position)
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        text.inside = text.inside.lowerBound..<position
        position += 1
        return text
      case UInt8(ascii: "\\"):
        text.isEscaped = true
        _ = try escape()
      case ..<0x20: throw .wrong(position, "a control character in a string")
      default: position += 1
      }
    }
    throw expected("the end of a string")
  }

  /// What a text means, as UTF-8.
  func content(_ text: Text) -> ArraySlice<UInt8> {
    guard text.isEscaped else { return bytes[text.inside] }
    var result: [UInt8] = []
    var cursor = JSONCursor(bytes: bytes, position: text.inside.lowerBound)
    while cursor.position < text.inside.upperBound {
      let byte = bytes[cursor.position]
      if byte == UInt8(ascii: "\\"), let scalar = try? cursor.escape() {
        result += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
      } else {
        result.append(byte)
        cursor.position += 1
      }
    }
    return result[...]
  }

  private mutating func escape() throws(JSONError) -> Unicode.Scalar {
    let start = position
    position += 2
    switch position > bytes.count ? 0 : bytes[position - 1] {
    case UInt8(ascii: "u"):
      let unit = try hexUnit()
      if let scalar = Unicode.Scalar(unit) { return scalar }
      if UTF16.isLeadSurrogate(unit), bytes[position...].starts(with: "\\u".utf8) {
        position += 2
        let trail = try hexUnit()
        let value = 0x10000 + (UInt32(unit) & 0x3ff) << 10 + UInt32(trail) & 0x3ff
        if UTF16.isTrailSurrogate(trail), let scalar = Unicode.Scalar(value) { return scalar }
      }
      throw .wrong(start, "half a surrogate pair")
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case let byte where "\"\\/".utf8.contains(byte): return Unicode.Scalar(byte)
    default:
      position = start + 1
      throw expected("an escape sequence")
    }
  }

  private mutating func hexUnit() throws(JSONError) -> UInt16 {
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = next.flatMap(hexDigit) else { throw expected("four hexadecimal digits") }
      unit = unit << 4 | UInt16(digit)
      position += 1
    }
    return unit
  }

  // MARK: Where a byte is

  /// The keys that lead from the value at the cursor to the one with this byte.
  func path(to offset: Int) -> String {
    var cursor = self
    var path = ""
    while let step = try? cursor.descend(to: offset) { path += step }
    return path.hasPrefix(".") ? String(path.dropFirst()) : path
  }

  /// From a container to its member or element with this byte; nil where none has it.
  private mutating func descend(to offset: Int) throws(JSONError) -> String? {
    guard let open = next, "{[".utf8.contains(open), try begin() else { return nil }
    var index = 0
    repeat {
      let step = open == UInt8(ascii: "[") ? "[\(index)]" : "." + String(decoding: content(try key()), as: UTF8.self)
      let start = position
      let isWhole: Void? = try? skip()
      if offset >= start, isWhole == nil || offset < position {
        position = start
        return step
      }
      index += 1
    } while try more(after: open)
    return nil
  }
}

private func decimalDigit(_ byte: UInt8?) -> UInt8? {
  guard let byte, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
  return byte - UInt8(ascii: "0")
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
  decimalDigit(byte) ?? ((UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20) ? (byte | 0x20) - 87 : nil)
}
