/// One JSON document (RFC 8259), read strictly: the bytes, and where in them each value stands.
///
/// A report may come from anywhere, so nothing here trusts it: size, depth and number of values are bounded, and no
/// value costs more than its place until somebody asks for it.
struct JSONText: Sendable {
  /// In bytes; a report of 100,000 sockets has about 80 MiB.
  static let maximumSize = 128 << 20
  /// A report is nine levels deep; what it may hold in keys that are not known here can be a little deeper.
  static let maximumDepth = 32
  static let maximumValues = 16 << 20

  enum Kind: UInt8, Sendable {
    case null
    case yes
    case no
    case number
    case string
    /// A string with at least one backslash.
    case escapedString
    case array
    case object
  }

  /// A value in the order of the text; the members of an object are key, value, key, value.
  struct Place: Sendable {
    var kind: Kind
    /// The first byte; of a string the opening quote.
    var start: UInt32
    /// The byte after the last.
    var end: UInt32
    /// The place after this value and all that is in it.
    var next: UInt32
  }

  let bytes: [UInt8]
  let places: [Place]

  init(parsing bytes: [UInt8]) throws(ReportReadError) {
    guard bytes.count <= Self.maximumSize else {
      throw ReportReadError(offset: Self.maximumSize, problem: "longer than \(Self.maximumSize >> 20) MiB")
    }
    var scanner = JSONScanner(bytes: bytes)
    try scanner.document()
    self.bytes = bytes
    places = scanner.places
  }

  /// The whole document.
  var root: JSONValue { JSONValue(text: self, index: 0) }
}

/// Finds the places of the values; recursion is bounded by `JSONText.maximumDepth`.
private struct JSONScanner {
  let bytes: [UInt8]
  var position = 0
  var places: [JSONText.Place] = []

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func document() throws(ReportReadError) {
    skipBlanks()
    guard next != nil else { throw ReportReadError(offset: position, problem: "empty") }
    try value(depth: 0)
    skipBlanks()
    guard let byte = next else { return }
    throw byte == UInt8(ascii: "{")
      ? ReportReadError(offset: position, problem: "a second report starts here; give one, as in tail -n 1")
      : expected("the end of the report")
  }

  // MARK: Values

  private mutating func value(depth: Int) throws(ReportReadError) {
    guard depth < JSONText.maximumDepth else {
      throw ReportReadError(offset: position, problem: "more than \(JSONText.maximumDepth) levels deep")
    }
    switch next {
    case UInt8(ascii: "{"): try container(.object, end: UInt8(ascii: "}"), depth: depth)
    case UInt8(ascii: "["): try container(.array, end: UInt8(ascii: "]"), depth: depth)
    case UInt8(ascii: "\""): try string()
    case UInt8(ascii: "t"): try word("true", .yes)
    case UInt8(ascii: "f"): try word("false", .no)
    case UInt8(ascii: "n"): try word("null", .null)
    case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): try number()
    default: throw expected("a value")
    }
  }

  private mutating func container(_ kind: JSONText.Kind, end: UInt8, depth: Int) throws(ReportReadError) {
    let index = try open(kind)
    position += 1
    skipBlanks()
    if next == end {
      position += 1
      return close(index)
    }
    while true {
      if kind == .object {
        guard next == UInt8(ascii: "\"") else { throw expected("a key") }
        try string()
        skipBlanks()
        guard next == UInt8(ascii: ":") else { throw expected("\":\"") }
        position += 1
        skipBlanks()
      }
      try value(depth: depth + 1)
      skipBlanks()
      if next == UInt8(ascii: ",") {
        position += 1
        skipBlanks()
      } else if next == end {
        position += 1
        return close(index)
      } else {
        throw expected(kind == .object ? "\",\" or \"}\"" : "\",\" or \"]\"")
      }
    }
  }

  private mutating func word(_ word: StaticString, _ kind: JSONText.Kind) throws(ReportReadError) {
    let letters = Array(word.description.utf8)
    guard bytes[position...].starts(with: letters) else { throw expected("\"\(word)\"") }
    let index = try open(kind)
    position += letters.count
    close(index)
  }

  private mutating func number() throws(ReportReadError) {
    let index = try open(.number)
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
    close(index)
  }

  private mutating func digits() throws(ReportReadError) {
    let start = position
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    if position == start { throw expected("a digit") }
  }

  // MARK: Strings

  private mutating func string() throws(ReportReadError) {
    let index = try open(.string)
    position += 1
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return close(index)
      case UInt8(ascii: "\\"):
        places[index].kind = .escapedString
        try escape()
      case ..<0x20: throw ReportReadError(offset: position, problem: "a control character in a string")
      default: position += 1
      }
    }
    throw expected("the end of a string")
  }

  private mutating func escape() throws(ReportReadError) {
    let start = position
    position += 1
    switch next {
    case UInt8(ascii: "u"):
      let unit = try hexUnit()
      if UTF16.isTrailSurrogate(unit) { throw ReportReadError(offset: start, problem: "half a surrogate pair") }
      guard UTF16.isLeadSurrogate(unit) else { return }
      guard next == UInt8(ascii: "\\"), position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "u") else {
        throw ReportReadError(offset: start, problem: "half a surrogate pair")
      }
      position += 1
      guard UTF16.isTrailSurrogate(try hexUnit()) else {
        throw ReportReadError(offset: start, problem: "half a surrogate pair")
      }
    case .some(let byte) where "\"\\/bfnrt".utf8.contains(byte): position += 1
    default: throw expected("an escape sequence")
    }
  }

  /// From the `u` on.
  private mutating func hexUnit() throws(ReportReadError) -> UInt16 {
    position += 1
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = hexDigit(byte) else { throw expected("four hexadecimal digits") }
      unit = unit << 4 | UInt16(digit)
      position += 1
    }
    return unit
  }

  // MARK: Places

  private mutating func open(_ kind: JSONText.Kind) throws(ReportReadError) -> Int {
    guard places.count < JSONText.maximumValues else {
      throw ReportReadError(offset: position, problem: "more than \(JSONText.maximumValues) values")
    }
    places.append(JSONText.Place(kind: kind, start: UInt32(truncatingIfNeeded: position), end: 0, next: 0))
    return places.count - 1
  }

  private mutating func close(_ index: Int) {
    places[index].end = UInt32(truncatingIfNeeded: position)
    places[index].next = UInt32(truncatingIfNeeded: places.count)
  }

  private mutating func skipBlanks() {
    while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  private func expected(_ what: String) -> ReportReadError {
    ReportReadError(offset: position, problem: next == nil ? "cut off, expected \(what)" : "expected \(what)")
  }
}

/// The value of one hexadecimal digit, ASCII; nil for every other byte.
func hexDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
