/// A JSON document read strictly (RFC 8259), the order of keys kept.
package indirect enum JSONDocument: Hashable, Sendable {
  case null
  case bool(Bool)
  case number(Double, text: String)
  case string(String)
  case array([JSONDocument])
  case object([Member])

  package struct Member: Hashable, Sendable {
    package var key: String
    package var value: JSONDocument
  }

  package subscript(key: String) -> JSONDocument? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  package var elements: [JSONDocument] { if case .array(let elements) = self { elements } else { [] } }
  package var keys: [String] { if case .object(let members) = self { members.map(\.key) } else { [] } }
  package var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
  /// Nil for a fraction, too.
  package var integer: Int? { if case .number(_, let text) = self { Int(text) } else { nil } }
  package var text: String? { if case .string(let text) = self { text } else { nil } }

  package init(parsing text: String) throws {
    var reader = Reader(bytes: Array(text.utf8))
    self = try reader.document()
    guard reader.position == reader.bytes.count else { throw Malformed(position: reader.position) }
  }

  package struct Malformed: Error { var position: Int }

  private struct Reader {
    var bytes: [UInt8]
    var position = 0

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func document() throws -> JSONDocument {
      skipBlanks()
      defer { skipBlanks() }
      switch next {
      case UInt8(ascii: "{"): return .object(try list("{", "}") { try $0.member() })
      case UInt8(ascii: "["): return .array(try list("[", "]") { try $0.document() })
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "t"): return try literal("true", .bool(true))
      case UInt8(ascii: "f"): return try literal("false", .bool(false))
      case UInt8(ascii: "n"): return try literal("null", .null)
      default: return try number()
      }
    }

    mutating func list<Element>(
      _ open: Character, _ close: Character, _ element: (inout Reader) throws -> Element
    ) throws -> [Element] {
      try expect(open)
      skipBlanks()
      var elements: [Element] = []
      if next == close.asciiValue { position += 1; return elements }
      while true {
        elements.append(try element(&self))
        skipBlanks()
        if next == close.asciiValue { position += 1; return elements }
        try expect(",")
      }
    }

    mutating func member() throws -> Member {
      skipBlanks()
      let key = try string()
      skipBlanks()
      try expect(":")
      return Member(key: key, value: try document())
    }

    mutating func string() throws -> String {
      try expect("\"")
      var units: [UInt16] = []
      var run: [UInt8] = []
      func flush() { units += Array(String(decoding: run, as: UTF8.self).utf16); run = [] }
      while let byte = next {
        position += 1
        switch byte {
        case UInt8(ascii: "\""):
          flush()
          return String(decoding: units, as: UTF16.self)
        case UInt8(ascii: "\\"):
          flush()
          units.append(try escape())
        case 0..<0x20: throw Malformed(position: position)
        default: run.append(byte)
        }
      }
      throw Malformed(position: position)
    }

    mutating func escape() throws -> UInt16 {
      guard let byte = next else { throw Malformed(position: position) }
      position += 1
      let simple: [Character: UInt16] = [
        "\"": 0x22, "\\": 0x5c, "/": 0x2f, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9,
      ]
      let character = Character(Unicode.Scalar(byte))
      if let unit = simple[character] { return unit }
      guard character == "u", position + 4 <= bytes.count,
        let unit = UInt16(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
      else { throw Malformed(position: position) }
      position += 4
      return unit
    }

    mutating func number() throws -> JSONDocument {
      let start = position
      while let byte = next, "+-.eE0123456789".utf8.contains(byte) { position += 1 }
      let text = String(decoding: bytes[start..<position], as: UTF8.self)
      guard let value = Double(text), !text.hasPrefix("+") else { throw Malformed(position: start) }
      return .number(value, text: text)
    }

    mutating func literal(_ word: String, _ value: JSONDocument) throws -> JSONDocument {
      for character in word { try expect(character) }
      return value
    }

    mutating func expect(_ character: Character) throws {
      guard next == character.asciiValue else { throw Malformed(position: position) }
      position += 1
    }

    mutating func skipBlanks() {
      while let byte = next, " \t\r\n".utf8.contains(byte) { position += 1 }
    }
  }
}
