/// Writes JSON (RFC 8259) in the order of the calls, on one line.
///
/// Text is made harmless for a terminal too: besides what JSON demands, every character that controls a terminal
/// or the direction of text is written as `\uXXXX`. `/` is not escaped.
struct JSONWriter {
  private var bytes: [UInt8] = []
  private var needsComma = false

  /// What was written so far.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  // MARK: Containers

  /// An object as element or as the whole document.
  mutating func object(_ body: (inout JSONWriter) -> Void) {
    container("{", "}", body)
  }

  /// An object as member; `null` where there is none.
  mutating func object<Value>(_ key: String, _ value: Value?, _ body: (inout JSONWriter, Value) -> Void) {
    self.key(key)
    guard let value else { return literal("null") }
    object { body(&$0, value) }
  }

  /// An array of objects as member.
  mutating func objects<Values: Sequence>(
    _ key: String, _ values: Values, _ body: (inout JSONWriter, Values.Element) -> Void
  ) {
    self.key(key)
    container("[", "]") { writer in
      for value in values { writer.object { body(&$0, value) } }
    }
  }

  /// An array of objects as member; `null` where there is none.
  mutating func optionalObjects<Values: Sequence>(
    _ key: String, _ values: Values?, _ body: (inout JSONWriter, Values.Element) -> Void
  ) {
    if let values { objects(key, values, body) } else { null(key) }
  }

  /// An array of texts as member; `null` where there is none.
  mutating func strings(_ key: String, _ values: [String]?) {
    self.key(key)
    guard let values else { return literal("null") }
    container("[", "]") { writer in
      for value in values { writer.string(value) }
    }
  }

  /// An array of numbers as member; `null` where there is none.
  mutating func numbers(_ key: String, _ values: [some BinaryInteger]?) {
    self.key(key)
    guard let values else { return literal("null") }
    numbers(values)
  }

  /// An array of number pairs as member; `null` where there is none.
  mutating func pairs(_ key: String, _ values: [(some BinaryInteger, some BinaryInteger)]?) {
    self.key(key)
    guard let values else { return literal("null") }
    container("[", "]") { writer in
      for (first, second) in values {
        writer.container("[", "]") { pair in
          pair.literal(String(first))
          pair.literal(String(second))
        }
      }
    }
  }

  private mutating func numbers(_ values: [some BinaryInteger]) {
    container("[", "]") { writer in
      for value in values { writer.literal(String(value)) }
    }
  }

  // MARK: Scalars as members

  mutating func null(_ key: String) {
    self.key(key)
    literal("null")
  }

  mutating func member(_ key: String, _ value: String?) {
    self.key(key)
    if let value { string(value) } else { literal("null") }
  }

  mutating func member(_ key: String, _ value: Bool?) {
    self.key(key)
    literal(value.map { $0 ? "true" : "false" } ?? "null")
  }

  mutating func member(_ key: String, _ value: (some BinaryInteger)?) {
    self.key(key)
    literal(value.map { String($0) } ?? "null")
  }

  // MARK: Tokens

  private mutating func container(_ open: String, _ close: String, _ body: (inout JSONWriter) -> Void) {
    literal(open)
    needsComma = false
    body(&self)
    bytes += close.utf8
    needsComma = true
  }

  private mutating func key(_ name: String) {
    string(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  private mutating func literal(_ text: String) {
    separate()
    bytes += text.utf8
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  private mutating func string(_ value: String) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    for scalar in value.unicodeScalars { append(scalar) }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func append(_ scalar: Unicode.Scalar) {
    switch scalar {
    case "\"": bytes += "\\\"".utf8
    case "\\": bytes += "\\\\".utf8
    case "\n": bytes += "\\n".utf8
    case "\t": bytes += "\\t".utf8
    case "\r": bytes += "\\r".utf8
    case _ where TerminalText.isHarmful(scalar):
      for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter { append(unit) }
    default: bytes += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
    }
  }

  private mutating func append(_ unit: UInt16) {
    let digits = String(unit, radix: 16)
    bytes += "\\u".utf8
    bytes += repeatElement(UInt8(ascii: "0"), count: 4 - digits.utf8.count)
    bytes += digits.utf8
  }
}
