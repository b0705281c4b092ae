/// Writes JSON (RFC 8259) on one line, each key as its turn comes.
///
/// Text is made harmless for a terminal too: besides what JSON demands, every character that controls a terminal
/// or the direction of text is written as `\uXXXX`. `/` is not escaped.
struct JSONWriter: JSONForm {
  static var reads: Bool { false }
  var context: JSONContext
  private var bytes: [UInt8] = []

  init(context: JSONContext = JSONContext()) { self.context = context }

  /// What was written so far.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  // MARK: Objects and arrays

  mutating func object<Value: JSONObject>(_ value: Value) {
    var value = value
    literal("{")
    value.fields(&self)
    literal("}")
  }

  mutating func field<Value: JSONCoded>(_ key: String, _ value: inout Value, else fallback: Value?) {
    if bytes.last != UInt8(ascii: "{") { literal(",") }
    string(key)
    literal(":")
    value.write(to: &self)
  }

  mutating func derived<Value: JSONCoded>(_ key: String, _ value: @autoclosure () -> Value) {
    var value = value()
    field(key, &value)
  }

  func expect(_ key: String, _ holds: @autoclosure () -> Bool, _ problem: @autoclosure () -> String) {}
  mutating func expectSocketIDs(below count: Int) {}

  mutating func elements<Element: JSONCoded>(_ values: [Element]) {
    literal("[")
    for value in values {
      if bytes.last != UInt8(ascii: "[") { literal(",") }
      value.write(to: &self)
    }
    literal("]")
  }

  // MARK: Tokens

  mutating func literal(_ text: String) { bytes += text.utf8 }

  mutating func string(_ text: String) {
    literal("\"")
    if text.utf8.allSatisfy({ (0x20..<0x7f).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
      literal(text)
    } else {
      for scalar in text.unicodeScalars { append(scalar) }
    }
    literal("\"")
  }

  private mutating func append(_ scalar: Unicode.Scalar) {
    switch scalar {
    case "\"", "\\": literal("\\\(scalar)")
    case "\n": literal("\\n")
    case "\t": literal("\\t")
    case "\r": literal("\\r")
    case _ where TerminalText.isHarmful(scalar):
      for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
        let digits = String(unit, radix: 16)
        literal("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits)
      }
    default: bytes += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
    }
  }
}
