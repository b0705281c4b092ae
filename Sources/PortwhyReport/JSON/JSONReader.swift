/// Reads the objects of one or more documents of JSON.
///
/// A report may come from anywhere. Size and depth are bounded, nothing is kept of a key that is not known, and each byte
/// is passed a few times whatever it is: once when its document is checked, and once for each known object around it.
struct JSONReader {
  /// In bytes; a report of 100,000 sockets has about 80 MiB.
  static let maximumSize = 128 << 20
  /// Of all arrays together: an element takes more memory than its two bytes in the text.
  static let maximumElements = 16 << 20

  var cursor: JSONCursor
  var context = JSONContext()
  private var elementsLeft = Self.maximumElements
  /// The objects that are being read, the innermost last.
  private var frames: [Frame] = []
  /// The offsets of the values of their keys; nil where a key is missing.
  private var places: [Int?] = []
  /// The keys of the types that were met.
  private var tables: [ObjectIdentifier: [[UInt8]]] = [:]
  /// Those of a type that is met for the first time, while its fields name them.
  private var listed: [[UInt8]]?
  private var highestSocketID = (index: -1, offset: 0)

  private struct Frame {
    /// The keys of its type, in their order.
    let keys: [[UInt8]]
    let start: Int
    let firstPlace: Int
    /// The key whose turn it is.
    var next = 0
  }

  init(_ cursor: JSONCursor) { self.cursor = cursor }

  // MARK: Values

  mutating func string() throws(JSONError) -> String {
    let start = cursor.position
    guard cursor.next == UInt8(ascii: "\"") else { throw cursor.expected("a string") }
    guard let text = String(validating: cursor.content(try cursor.text()), as: UTF8.self) else {
      throw .wrong(start, "a string that is not UTF-8")
    }
    return text
  }

  mutating func bool() throws(JSONError) -> Bool {
    let first = cursor.next
    guard first == UInt8(ascii: "t") || first == UInt8(ascii: "f") else {
      throw cursor.expected("true or false")
    }
    try cursor.skip()
    return first == UInt8(ascii: "t")
  }

  /// Written without sign, fraction and exponent: no fact of a report has any of them.
  mutating func integer<Number: FixedWidthInteger>() throws(JSONError) -> Number {
    let start = cursor.position
    guard cursor.isNumber else { throw cursor.expected("a number") }
    try cursor.number()
    let digits = String(decoding: cursor.bytes[start..<cursor.position], as: UTF8.self)
    guard let number = Number(digits), number >= 0 else {
      throw .wrong(start, "expected a whole number from 0 to \(Number.max)")
    }
    return number
  }

  /// Without those that have a word that is not known.
  mutating func elements<Element: JSONCoded>() throws(JSONError) -> [Element] {
    guard cursor.next == UInt8(ascii: "[") else { throw cursor.expected("an array") }
    var elements: [Element] = []
    guard try cursor.begin() else { return elements }
    let depth = frames.count
    repeat {
      guard elementsLeft > 0 else { throw .wrong(cursor.position, "more than \(Self.maximumElements) elements") }
      elementsLeft -= 1
      let start = cursor.position
      do {
        elements.append(try Element(from: &self))
      } catch .unknownWord {
        leave(downTo: depth)
        cursor.position = start
        try cursor.skip()
      }
    } while try cursor.more(after: UInt8(ascii: "["))
    return elements
  }

  // MARK: Objects

  mutating func object<Value: JSONObject>() throws(JSONError) -> Value {
    guard cursor.next == UInt8(ascii: "{") else { throw cursor.expected("an object") }
    try enter(try keys(of: Value.self))
    let end = cursor.position
    var value = Value.blank
    try value.fields(&self)
    cursor.position = end
    leave(downTo: frames.count - 1)
    return value
  }

  private mutating func keys<Value: JSONObject>(of type: Value.Type) throws(JSONError) -> [[UInt8]] {
    let name = ObjectIdentifier(type)
    if let keys = tables[name] { return keys }
    var value = Value.blank
    listed = []
    try value.fields(&self)
    defer { listed = nil }
    tables[name] = listed
    return listed ?? []
  }

  /// Finds the values of the keys and passes the object; a known key that is given twice is an error.
  private mutating func enter(_ keys: [[UInt8]]) throws(JSONError) {
    let frame = Frame(keys: keys, start: cursor.position, firstPlace: places.count)
    frames.append(frame)
    places += repeatElement(nil, count: keys.count)
    guard try cursor.begin() else { return }
    // Most keys come in their order.
    var expected = 0
    repeat {
      let start = cursor.position
      let key = cursor.content(try cursor.key())
      let isExpected = expected < keys.count && key.elementsEqual(keys[expected])
      if let found = isExpected ? expected : keys.firstIndex(where: { key.elementsEqual($0) }) {
        guard places[frame.firstPlace + found] == nil else {
          throw .wrong(start, "\"\(String(decoding: key, as: UTF8.self))\" for the second time")
        }
        places[frame.firstPlace + found] = cursor.position
        expected = found + 1
      }
      try cursor.skip()
    } while try cursor.more(after: UInt8(ascii: "{"))
  }

  private mutating func leave(downTo depth: Int) {
    guard depth < frames.count else { return }
    places.removeLast(places.count - frames[depth].firstPlace)
    frames.removeLast(frames.count - depth)
  }

  /// Sockets are counted when all are read, so the highest one that anything refers to is kept until then.
  mutating func refers(to index: Int, at offset: Int) {
    if index > highestSocketID.index { highestSocketID = (index, offset) }
  }
}

extension JSONReader: JSONForm {
  static var reads: Bool { true }

  mutating func field<Value: JSONCoded>(
    _ key: String, _ value: inout Value, else fallback: Value?
  ) throws(JSONError) {
    guard listed == nil else {
      listed?.append(Array(key.utf8))
      return
    }
    let depth = frames.count
    let place = nextPlace(key)
    guard let place, cursor.bytes[place] != UInt8(ascii: "n") || (fallback ?? Value.absent) == nil else {
      if let absent = fallback ?? Value.absent { return value = absent }
      throw .wrong(frames[depth - 1].start, "an object without \"\(key)\"")
    }
    cursor.position = place
    do {
      value = try Value(from: &self)
    } catch {
      guard case .unknownWord = error, let fallback else { throw error }
      leave(downTo: depth)
      value = fallback
    }
  }

  mutating func derived<Value: JSONCoded>(_ key: String, _ value: @autoclosure () -> Value) {
    if listed == nil { _ = nextPlace(key) } else { listed?.append(Array(key.utf8)) }
  }

  private mutating func nextPlace(_ key: String) -> Int? {
    let frame = frames[frames.count - 1]
    assert(frame.keys[frame.next].elementsEqual(key.utf8), "the fields of an object come in one order")
    frames[frames.count - 1].next += 1
    return places[frame.firstPlace + frame.next]
  }

  func expect(
    _ key: String, _ holds: @autoclosure () -> Bool, _ problem: @autoclosure () -> String
  ) throws(JSONError) {
    guard listed == nil, !holds() else { return }
    let frame = frames[frames.count - 1]
    let place = frame.keys.firstIndex { $0.elementsEqual(key.utf8) }.flatMap { places[frame.firstPlace + $0] }
    throw .wrong(place ?? frame.start, problem())
  }

  mutating func expectSocketIDs(below count: Int) throws(JSONError) {
    defer { highestSocketID = (-1, 0) }
    guard highestSocketID.index >= count else { return }
    throw .wrong(highestSocketID.offset, "there is no socket \(highestSocketID.index)")
  }
}

/// What is wrong with a report that was to be read back, and where.
package struct ReportReadError: Error, Sendable, Hashable, CustomStringConvertible {
  /// In bytes from the start of the text.
  package var offset: Int
  /// The keys that lead there, such as `targets[0].sockets[3].local_port`; empty for the report as a whole.
  package var path: String
  /// Lower case, one line; like `path` it may repeat a few words of the report, so escape it before it is shown.
  package var problem: String

  /// One for this byte, whose keys may be left out.
  package init(offset: Int, path: String = "", problem: String) {
    self.offset = offset
    self.path = path
    self.problem = problem
  }

  /// `byte 17, targets[0].port: expected a number`.
  package var description: String { "byte \(offset)\(path.isEmpty ? "" : ", " + path): \(problem)" }
}
