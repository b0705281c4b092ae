/// One value of a JSON document, and what it must be to be used.
struct JSONValue {
  let text: JSONText
  let index: Int

  private var place: JSONText.Place { text.places[index] }
  private var isString: Bool { place.kind == .string || place.kind == .escapedString }

  var isNull: Bool { place.kind == .null }
  /// In bytes from the start of the document.
  var offset: Int { Int(place.start) }

  // MARK: What it is

  func string() throws(ReportReadError) -> String {
    guard isString else { throw error("expected a string") }
    let inside = text.bytes[Int(place.start) + 1..<Int(place.end) - 1]
    let decoded =
      place.kind == .string
      ? String(validating: inside, as: UTF8.self) : String(validating: unescaped(inside), as: UTF8.self)
    guard let decoded else { throw error("a string that is not UTF-8") }
    return decoded
  }

  func bool() throws(ReportReadError) -> Bool {
    switch place.kind {
    case .yes: true
    case .no: false
    default: throw error("expected true or false")
    }
  }

  /// A whole number in this range, written without fraction and exponent.
  func integer<Number: FixedWidthInteger>(_ range: ClosedRange<Number>) throws(ReportReadError) -> Number {
    guard place.kind == .number else { throw error("expected a number") }
    let digits = String(decoding: text.bytes[Int(place.start)..<Int(place.end)], as: UTF8.self)
    guard let number = Number(digits), range.contains(number) else {
      throw error("expected a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func elements() throws(ReportReadError) -> [JSONValue] {
    guard place.kind == .array else { throw error("expected an array") }
    return children()
  }

  /// What this key stands for; nil where the object has no such key. A key given twice is an error.
  func member(_ key: String) throws(ReportReadError) -> JSONValue? {
    guard place.kind == .object else { throw error("expected an object") }
    var found: JSONValue?
    var at = index + 1
    while at < Int(place.next) {
      let name = JSONValue(text: text, index: at)
      if name.isKey(key) {
        if found != nil { throw name.error("\"\(key)\" for the second time") }
        found = JSONValue(text: text, index: at + 1)
      }
      at = Int(text.places[at + 1].next)
    }
    return found
  }

  func error(_ problem: String) -> ReportReadError { ReportReadError(offset: offset, problem: problem) }

  // MARK: Inside

  private func children() -> [JSONValue] {
    var values: [JSONValue] = []
    var at = index + 1
    while at < Int(place.next) {
      values.append(JSONValue(text: text, index: at))
      at = Int(text.places[at].next)
    }
    return values
  }

  private func isKey(_ key: String) -> Bool {
    let inside = text.bytes[Int(place.start) + 1..<Int(place.end) - 1]
    guard place.kind == .string else { return unescaped(inside).elementsEqual(key.utf8) }
    return inside.count == key.utf8.count && inside.elementsEqual(key.utf8)
  }

  /// The scanner has seen that every escape is whole and every surrogate has its other half.
  private func unescaped(_ raw: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var rest = raw
    var lead: UInt16?
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
        let unit = rest.prefix(4).reduce(0) { $0 << 4 | UInt16(hexDigit($1) ?? 0) }
        rest = rest.dropFirst(4)
        if UTF16.isLeadSurrogate(unit) {
          lead = unit
        } else {
          let units = lead.map { [$0, unit] } ?? [unit]
          lead = nil
          result += String(decoding: units, as: UTF16.self).utf8
        }
      default: result.append(letter)
      }
    }
    return result
  }
}

// MARK: Members that must be there, and those that may be null or missing

extension JSONValue {
  /// A key that every version of the report has.
  func required(_ key: String) throws(ReportReadError) -> JSONValue {
    guard let value = try member(key) else { throw error("an object without \"\(key)\"") }
    return value
  }

  /// nil where it is null, and in a report of a version that did not have the key yet.
  func optional(_ key: String) throws(ReportReadError) -> JSONValue? {
    guard let value = try member(key), !value.isNull else { return nil }
    return value
  }

  func string(_ key: String) throws(ReportReadError) -> String { try required(key).string() }
  func bool(_ key: String) throws(ReportReadError) -> Bool { try required(key).bool() }
  func elements(_ key: String) throws(ReportReadError) -> [JSONValue] { try required(key).elements() }

  func integer<Number: FixedWidthInteger>(
    _ key: String, _ range: ClosedRange<Number> = Number.min...Number.max
  ) throws(ReportReadError) -> Number {
    try required(key).integer(range)
  }

  func optionalString(_ key: String) throws(ReportReadError) -> String? { try optional(key)?.string() }
  func optionalBool(_ key: String) throws(ReportReadError) -> Bool? { try optional(key)?.bool() }
  func optionalElements(_ key: String) throws(ReportReadError) -> [JSONValue]? { try optional(key)?.elements() }

  func optionalInteger<Number: FixedWidthInteger>(
    _ key: String, _ range: ClosedRange<Number> = Number.min...Number.max
  ) throws(ReportReadError) -> Number? {
    try optional(key)?.integer(range)
  }

  /// One of the stable words of an enumeration.
  func word<Word: RawRepresentable>(_ key: String, _ type: Word.Type) throws(ReportReadError) -> Word
  where Word.RawValue == String {
    let value = try required(key)
    let text = try value.string()
    guard let word = Word(rawValue: text) else { throw value.error("unknown \(key) \"\(text.prefix(40))\"") }
    return word
  }

  func optionalWord<Word: RawRepresentable>(_ key: String, _ type: Word.Type) throws(ReportReadError) -> Word?
  where Word.RawValue == String {
    try optional(key) == nil ? nil : try word(key, type)
  }
}
