/// Why a value could not be read.
enum JSONError: Error {
  /// At this byte.
  case wrong(Int, String)
  /// It has a word that a newer version may have added.
  case unknownWord
}

/// Reads JSON (RFC 8259), strictly: a cursor over the bytes of one or more documents.
///
/// A report may come from anywhere. Size and depth are bounded, nothing is kept of a key that is not known, and each byte
/// is passed a few times whatever it is: once when its document is scanned, and once for each known object around it.
struct JSONReader {
  /// In bytes; a report of 100,000 sockets has about 80 MiB.
  static let maximumSize = 128 << 20
  /// A report is nine levels deep; what it may hold in keys that are not known here can be a little deeper.
  static let maximumDepth = 32
  /// Of all arrays together: an element takes more memory than its two bytes in the text.
  static let maximumElements = 16 << 20

  let bytes: [UInt8]
  var position = 0
  var context = JSONContext()
  private var elementsLeft = Self.maximumElements
  /// The objects that are being read, the innermost last.
  private var frames: [Frame] = []
  /// The offsets of the values of `frames`' keys; nil where one is missing.
  private var places: [Int?] = []
  private var tables: [ObjectIdentifier: [[UInt8]]] = [:]
  private var highestSocketID = (index: -1, offset: 0)

  private struct Frame {
    /// The keys of its type, in their order.
    let keys: [[UInt8]]
    let start: Int
    var end: Int
    let firstPlace: Int
    /// The key whose turn it is.
    var next = 0
  }

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  // MARK: Documents

  /// Checks the document that starts here.
  mutating func passDocument() throws(JSONError) { try skip() }

  mutating func passLine() {
    while let byte = next, byte != UInt8(ascii: "\n") { position += 1 }
  }

  /// The document that starts at this byte and was passed, with the user names in it.
  mutating func document<Value: JSONObject>(at start: Int) throws(JSONError) -> (value: Value, users: [UInt32: String]) {
    let end = position
    frames = []
    places = []
    highestSocketID = (-1, 0)
    context = JSONContext()
    elementsLeft = Self.maximumElements
    defer { position = end }
    position = start
    return (try object(), context.users)
  }

  /// The keys that lead from the document's start to the value with this byte.
  func path(from start: Int, to offset: Int) -> String {
    var reader = JSONReader(bytes)
    reader.position = start
    var path = ""
    while let step = reader.descend(to: offset) { path += step }
    return path.hasPrefix(".") ? String(path.dropFirst()) : path
  }

  /// From the start of a container to that of its member or element with this byte; nil where none has it.
  private mutating func descend(to offset: Int) -> String? {
    guard position < offset, let open = next, open == UInt8(ascii: "{") || open == UInt8(ascii: "[") else { return nil }
    do throws(JSONError) {
      var count = 0
      guard try begin() else { return nil }
      repeat {
        let name = open == UInt8(ascii: "{") ? "." + String(decoding: content(try key()).prefix(40), as: UTF8.self) : "[\(count)]"
        let start = position
        guard start <= offset else { return nil }
        let ended: Void? = try? skip()
        if ended == nil || position > offset {
          position = start
          return name
        }
        count += 1
      } while try more(after: open)
    } catch {}
    return nil
  }

  // MARK: Values

  mutating func string() throws(JSONError) -> String {
    let start = position
    guard next == UInt8(ascii: "\"") else { throw .wrong(start, "expected a string") }
    guard let text = String(validating: content(try text()), as: UTF8.self) else {
      throw .wrong(start, "a string that is not UTF-8")
    }
    return text
  }

  /// nil where it is anything else.
  mutating func stringIfAny() throws(JSONError) -> String? {
    guard next == UInt8(ascii: "\"") else {
      try skip()
      return nil
    }
    return String(validating: content(try text()), as: UTF8.self)
  }

  /// nil of `parse` is a word that is not known.
  mutating func word<Value>(_ parse: (String) -> Value?) throws(JSONError) -> Value {
    guard let value = parse(try string()) else { throw .unknownWord }
    return value
  }

  /// A string with something in it; `what` is what it has to be.
  mutating func string<Value>(with what: String, _ parse: (String) -> Value?) throws(JSONError) -> Value {
    let start = position
    guard let value = parse(try string()) else { throw .wrong(start, "expected \(what)") }
    return value
  }

  mutating func bool() throws(JSONError) -> Bool {
    guard next == UInt8(ascii: "t") || next == UInt8(ascii: "f") else {
      throw .wrong(position, "expected true or false")
    }
    let value = next == UInt8(ascii: "t")
    try skip()
    return value
  }

  /// Written without fraction and exponent.
  mutating func integer<Number: FixedWidthInteger>() throws(JSONError) -> Number {
    let start = position
    let isNegative = next == UInt8(ascii: "-")
    guard isNegative || decimalDigit(next) != nil else { throw .wrong(start, "expected a number") }
    try number()
    var magnitude: UInt64 = 0
    var fits = true
    for byte in bytes[(isNegative ? start + 1 : start)..<position] {
      guard let digit = decimalDigit(byte) else {
        fits = false
        break
      }
      let (tens, overflows) = magnitude.multipliedReportingOverflow(by: 10)
      let (sum, overflowsToo) = tens.addingReportingOverflow(UInt64(digit))
      if overflows || overflowsToo { fits = false }
      magnitude = sum
    }
    let value = isNegative ? Int64(exactly: magnitude).flatMap { Number(exactly: -$0) } : Number(exactly: magnitude)
    guard fits, let value else {
      throw .wrong(start, "expected a whole number from \(Number.min) to \(Number.max)")
    }
    return value
  }

  /// Without those that have a word that is not known.
  mutating func elements<Element: JSONCoded>() throws(JSONError) -> [Element] {
    guard next == UInt8(ascii: "[") else { throw .wrong(position, "expected an array") }
    var elements: [Element] = []
    guard try begin() else { return elements }
    let depth = frames.count
    repeat {
      guard elementsLeft > 0 else { throw .wrong(position, "more than \(Self.maximumElements) elements") }
      elementsLeft -= 1
      let start = position
      do {
        elements.append(try Element(from: &self))
      } catch .unknownWord {
        leave(downTo: depth)
        position = start
        try skip()
      }
    } while try more(after: UInt8(ascii: "["))
    return elements
  }

  mutating func object<Value: JSONObject>() throws(JSONError) -> Value {
    try enter(Value.self)
    var value = Value.blank
    try value.fields(&self)
    position = frames[frames.count - 1].end
    leave(downTo: frames.count - 1)
    return value
  }

  // MARK: Objects

  /// Finds the values of the known keys; one that is given twice is an error.
  private mutating func enter<Value: JSONObject>(_ type: Value.Type) throws(JSONError) {
    guard next == UInt8(ascii: "{") else { throw .wrong(position, "expected an object") }
    let keys = table(of: type)
    var frame = Frame(keys: keys, start: position, end: 0, firstPlace: places.count)
    places += repeatElement(nil, count: keys.count)
    if try begin() {
      var expected = 0
      repeat {
        let start = position
        if let found = index(of: try key(), in: keys, expected: expected) {
          guard places[frame.firstPlace + found] == nil else {
            throw .wrong(start, "\"\(String(decoding: keys[found], as: UTF8.self))\" for the second time")
          }
          places[frame.firstPlace + found] = position
          expected = found + 1
        }
        try skip()
      } while try more(after: UInt8(ascii: "{"))
    }
    frame.end = position
    frames.append(frame)
  }

  private mutating func leave(downTo depth: Int) {
    guard depth < frames.count else { return }
    places.removeLast(places.count - frames[depth].firstPlace)
    frames.removeLast(frames.count - depth)
  }

  private mutating func table<Value: JSONObject>(of type: Value.Type) -> [[UInt8]] {
    let name = ObjectIdentifier(type)
    if let keys = tables[name] { return keys }
    let keys = JSONKeys(of: type).keys
    tables[name] = keys
    return keys
  }

  /// Most keys come in their order.
  private func index(of key: Text, in keys: [[UInt8]], expected: Int) -> Int? {
    let name = content(key)
    if expected < keys.count, name.elementsEqual(keys[expected]) { return expected }
    return keys.firstIndex { $0.count == name.count && name.elementsEqual($0) }
  }

  // MARK: Syntax

  /// What stands between two quotes.
  private struct Text {
    var start: Int
    var end: Int
    var isEscaped: Bool
  }

  /// Any value, checked and passed over.
  private mutating func skip(depth: Int = 0) throws(JSONError) {
    guard depth < Self.maximumDepth else { throw .wrong(position, "more than \(Self.maximumDepth) levels deep") }
    switch next {
    case UInt8(ascii: "{"):
      guard try begin() else { return }
      repeat {
        _ = try key()
        try skip(depth: depth + 1)
      } while try more(after: UInt8(ascii: "{"))
    case UInt8(ascii: "["):
      guard try begin() else { return }
      repeat { try skip(depth: depth + 1) } while try more(after: UInt8(ascii: "["))
    case UInt8(ascii: "\""): _ = try text()
    case UInt8(ascii: "t"): try literal("true")
    case UInt8(ascii: "f"): try literal("false")
    case UInt8(ascii: "n"): try literal("null")
    case UInt8(ascii: "-"): try number()
    case let byte where decimalDigit(byte) != nil: try number()
    default: throw expected("a value")
    }
  }

  /// Into an object or array; false where it is empty, with the cursor after it.
  private mutating func begin() throws(JSONError) -> Bool {
    // In ASCII the closing bracket comes two after the opening one.
    let end = bytes[position] + 2
    position += 1
    skipBlanks()
    guard next == end else { return true }
    position += 1
    return false
  }

  /// To the next member or element; false where there is none, with the cursor after the container.
  private mutating func more(after open: UInt8) throws(JSONError) -> Bool {
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
  private mutating func key() throws(JSONError) -> Text {
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

  private mutating func number() throws(JSONError) {
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

  private mutating func text() throws(JSONError) -> Text {
    position += 1
    var text = Text(start: position, end: position, isEscaped: false)
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        text.end = position
        position += 1
        return text
      case UInt8(ascii: "\\"):
        text.isEscaped = true
        try escape()
      case ..<0x20: throw .wrong(position, "a control character in a string")
      default: position += 1
      }
    }
    throw expected("the end of a string")
  }

  private mutating func escape() throws(JSONError) {
    let start = position
    position += 1
    switch next {
    case UInt8(ascii: "u"):
      let unit = try hexUnit()
      guard UTF16.isLeadSurrogate(unit) || UTF16.isTrailSurrogate(unit) else { return }
      guard UTF16.isLeadSurrogate(unit), bytes[position...].starts(with: "\\u".utf8) else {
        throw .wrong(start, "half a surrogate pair")
      }
      position += 1
      guard UTF16.isTrailSurrogate(try hexUnit()) else { throw .wrong(start, "half a surrogate pair") }
    case .some(let byte) where "\"\\/bfnrt".utf8.contains(byte): position += 1
    default: throw expected("an escape sequence")
    }
  }

  /// From the `u` on.
  private mutating func hexUnit() throws(JSONError) -> UInt16 {
    position += 1
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = next.flatMap(hexDigit) else { throw expected("four hexadecimal digits") }
      unit = unit << 4 | UInt16(digit)
      position += 1
    }
    return unit
  }

  /// What a text that was passed over means, as UTF-8.
  private func content(_ text: Text) -> ArraySlice<UInt8> {
    var rest = bytes[text.start..<text.end]
    guard text.isEscaped else { return rest }
    var result: [UInt8] = []
    var lead: UInt32?
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let letter = rest.popFirst() else {
        result.append(byte)
        continue
      }
      switch letter {
      case UInt8(ascii: "b"): result.append(8)
      case UInt8(ascii: "f"): result.append(12)
      case UInt8(ascii: "n"): result.append(10)
      case UInt8(ascii: "r"): result.append(13)
      case UInt8(ascii: "t"): result.append(9)
      case UInt8(ascii: "u"):
        var unit = rest.prefix(4).reduce(0) { $0 << 4 | UInt32(hexDigit($1) ?? 0) }
        rest = rest.dropFirst(4)
        if let high = lead {
          unit = 0x10000 + (high & 0x3ff) << 10 + unit & 0x3ff
          lead = nil
        } else if unit & 0xfc00 == 0xd800 {
          lead = unit
          continue
        }
        result += Unicode.Scalar(unit).flatMap { UTF8.encode($0) } ?? UTF8.encodedReplacementCharacter
      default: result.append(letter)
      }
    }
    return result[...]
  }

  mutating func skipBlanks() {
    while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  func expected(_ what: String) -> JSONError {
    .wrong(position, next == nil ? "cut off, expected \(what)" : "expected \(what)")
  }
}

extension JSONReader: JSONForm {
  static var reads: Bool { true }

  mutating func field<Value: JSONCoded>(_ key: String, _ value: inout Value, else fallback: Value?) throws(JSONError) {
    let depth = frames.count
    let place = nextPlace(key)
    guard let place, bytes[place] != UInt8(ascii: "n") || (fallback ?? Value.absent) == nil else {
      guard let absent = fallback ?? Value.absent else {
        throw .wrong(frames[depth - 1].start, "an object without \"\(key)\"")
      }
      value = absent
      return
    }
    position = place
    do {
      value = try Value(from: &self)
    } catch {
      guard case .unknownWord = error, let fallback else { throw error }
      leave(downTo: depth)
      value = fallback
    }
  }

  mutating func derived<Value: JSONCoded>(_ key: String, _ value: @autoclosure () -> Value) { _ = nextPlace(key) }

  private mutating func nextPlace(_ key: String) -> Int? {
    let frame = frames[frames.count - 1]
    assert(frame.keys[frame.next].elementsEqual(key.utf8), "the fields of an object come in one order")
    frames[frames.count - 1].next += 1
    return places[frame.firstPlace + frame.next]
  }

  func expect(
    _ key: String, _ holds: @autoclosure () -> Bool, _ problem: @autoclosure () -> String
  ) throws(JSONError) {
    guard !holds() else { return }
    let frame = frames[frames.count - 1]
    let place = frame.keys.firstIndex { $0.elementsEqual(key.utf8) }.flatMap { places[frame.firstPlace + $0] }
    throw .wrong(place ?? frame.start, problem())
  }

  // MARK: References

  /// Sockets are counted when all are read, so the highest one is kept until then.
  mutating func refers(to index: Int, at offset: Int) {
    if index > highestSocketID.index { highestSocketID = (index, offset) }
  }

  mutating func expectSocketIDs(below count: Int) throws(JSONError) {
    defer { highestSocketID = (-1, 0) }
    guard highestSocketID.index >= count else { return }
    throw .wrong(highestSocketID.offset, "there is no socket \(highestSocketID.index)")
  }
}

private func decimalDigit(_ byte: UInt8?) -> UInt8? {
  guard let byte, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
  return byte - UInt8(ascii: "0")
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
