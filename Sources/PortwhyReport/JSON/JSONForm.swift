internal import SocketModel

/// One direction of JSON. The fields of an object are listed once, for all of them (`JSONObject.fields`): the writer
/// puts each value under its key, the reader takes it from there.
protocol JSONForm {
  /// `Never` where nothing can go wrong.
  associatedtype Failure: Error
  /// Whether values are taken from a text.
  static var reads: Bool { get }
  var context: JSONContext { get set }

  /// The next key of the object. `fallback` is read where the key is missing, null, or has a word that is not known.
  mutating func field<Value: JSONCoded>(_ key: String, _ value: inout Value, else fallback: Value?) throws(Failure)

  /// The next key of the object; what follows from other fields is written, and skipped when read.
  mutating func derived<Value: JSONCoded>(_ key: String, _ value: @autoclosure () -> Value)

  /// What has to hold of a field that was read, else `problem` is what is wrong with it.
  func expect(_ key: String, _ holds: @autoclosure () -> Bool, _ problem: @autoclosure () -> String) throws(Failure)

  /// Every `SocketID` that was read since the last call is one of this many sockets.
  mutating func expectSocketIDs(below count: Int) throws(Failure)
}

/// What the fields of an object need to know of those before it.
struct JSONContext {
  var host = HostFacts.blank
  /// The names of uids: those to write, or those that were read.
  var users: [UInt32: String] = [:]
  /// Of the target that is written or read.
  var transport = TransportProtocol.tcp
  var port = Port(0)
  var nextSocketID = 0
}

extension JSONForm {
  /// A key that every report has; one whose value may be nil can be missing, as in reports of older versions.
  mutating func field<Value: JSONCoded>(_ key: String, _ value: inout Value) throws(Failure) {
    try field(key, &value, else: Value?.none)
  }

  /// The name of this uid.
  mutating func user(_ uid: UInt32?) throws(Failure) {
    var name = uid.flatMap { context.users[$0] }
    try field("user", &name)
    if Self.reads, let uid, let name { context.users[uid] = name }
  }
}

// MARK: What can be a value

/// What JSON writes and reads as one value.
protocol JSONCoded {
  /// Leaves the reader after the value.
  init(from reader: inout JSONReader) throws(JSONError)
  func write(to writer: inout JSONWriter)
  /// What a key that is missing or null means; nil where neither may be.
  static var absent: Self? { get }
}

extension JSONCoded {
  static var absent: Self? { nil }
}

/// An object, told by its fields.
protocol JSONObject: JSONCoded {
  /// What reading starts from; every part of it that JSON has is replaced.
  static var blank: Self { get }
  /// Every field in the order of the report, none of them under a condition.
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure)
}

extension JSONObject {
  init(from reader: inout JSONReader) throws(JSONError) { self = try reader.object() }
  func write(to writer: inout JSONWriter) { writer.object(self) }
}

/// What stands in the report as a string of a certain form.
///
/// Of the stable words a newer version may add some: an element of an array that has one that is not known is skipped.
protocol JSONWord: JSONCoded {
  init?(word: String)
  var word: String { get }
}

extension JSONWord {
  init(from reader: inout JSONReader) throws(JSONError) {
    guard let value = Self(word: try reader.string()) else { throw .unknownWord }
    self = value
  }
  func write(to writer: inout JSONWriter) { writer.string(word) }
}

extension JSONWord where Self: RawRepresentable<String> {
  init?(word: String) { self.init(rawValue: word) }
  var word: String { rawValue }
}

extension Bool: JSONCoded {
  init(from reader: inout JSONReader) throws(JSONError) { self = try reader.bool() }
  func write(to writer: inout JSONWriter) { writer.literal(self ? "true" : "false") }
}

extension String: JSONCoded {
  init(from reader: inout JSONReader) throws(JSONError) { self = try reader.string() }
  func write(to writer: inout JSONWriter) { writer.string(self) }
}

/// A number with a type of its own.
protocol JSONNumber: JSONCoded, RawRepresentable where RawValue: JSONCoded {
  init(rawValue: RawValue)
}

extension JSONNumber {
  init(from reader: inout JSONReader) throws(JSONError) { self.init(rawValue: try RawValue(from: &reader)) }
  func write(to writer: inout JSONWriter) { rawValue.write(to: &writer) }
}

extension JSONCoded where Self: FixedWidthInteger {
  init(from reader: inout JSONReader) throws(JSONError) { self = try reader.integer() }
  func write(to writer: inout JSONWriter) { writer.literal(String(self)) }
}

extension Int: JSONCoded {}
extension Int32: JSONCoded {}
extension UInt8: JSONCoded {}
extension UInt16: JSONCoded {}
extension UInt32: JSONCoded {}
extension UInt64: JSONCoded {}

extension Optional: JSONCoded where Wrapped: JSONCoded {
  static var absent: Self? { .some(nil) }
  init(from reader: inout JSONReader) throws(JSONError) { self = try Wrapped(from: &reader) }
  func write(to writer: inout JSONWriter) {
    if let self { self.write(to: &writer) } else { writer.literal("null") }
  }
}

extension Array: JSONCoded where Element: JSONCoded {
  init(from reader: inout JSONReader) throws(JSONError) { self = try reader.elements() }
  func write(to writer: inout JSONWriter) { writer.elements(self) }
}

/// The place of a socket in its target; refused where the target has no such socket.
struct SocketID: JSONCoded {
  var index: Int

  init(_ index: Int) { self.index = index }
  init(from reader: inout JSONReader) throws(JSONError) {
    let offset = reader.cursor.position
    index = try reader.integer()
    reader.refers(to: index, at: offset)
  }
  func write(to writer: inout JSONWriter) { index.write(to: &writer) }
}

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
    bytes.append(UInt8(ascii: "{"))
    value.fields(&self)
    bytes.append(UInt8(ascii: "}"))
  }

  mutating func field<Value: JSONCoded>(_ key: String, _ value: inout Value, else fallback: Value?) {
    if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
    // No key needs an escape.
    quoted(key)
    bytes.append(UInt8(ascii: ":"))
    value.write(to: &self)
  }

  mutating func derived<Value: JSONCoded>(_ key: String, _ value: @autoclosure () -> Value) {
    var value = value()
    field(key, &value)
  }

  func expect(_ key: String, _ holds: @autoclosure () -> Bool, _ problem: @autoclosure () -> String) {}
  mutating func expectSocketIDs(below count: Int) {}

  mutating func elements<Element: JSONCoded>(_ values: [Element]) {
    bytes.append(UInt8(ascii: "["))
    for value in values {
      if bytes.last != UInt8(ascii: "[") { bytes.append(UInt8(ascii: ",")) }
      value.write(to: &self)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  // MARK: Tokens

  mutating func literal(_ text: String) { bytes += text.utf8 }

  mutating func string(_ text: String) {
    if text.utf8.allSatisfy({ (0x20..<0x7f).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
      quoted(text)
    } else {
      bytes.append(UInt8(ascii: "\""))
      for scalar in text.unicodeScalars { append(scalar) }
      bytes.append(UInt8(ascii: "\""))
    }
  }

  /// Text as it stands. To append a byte is a twentieth of the work of appending a text of one.
  private mutating func quoted(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    literal(text)
    bytes.append(UInt8(ascii: "\""))
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
