import Linux

/// Where the wanted types of a BTF file are, found in one pass over its more than 100,000 types.
///
/// Nothing is made of the other types but a bookmark every 64, from which a type number is found in a few steps. The
/// pass pauses when everything wanted has been found, halfway through on many kernels, and goes on when a type behind
/// that place is asked for.
struct BTFIndex: Sendable {
  let sections: BTFSections
  /// The type numbers of each wanted name: more than one definition does occur.
  private(set) var structures: [String: [Int]] = [:]
  private(set) var functions: [String: [Int]] = [:]

  private let wantedStructures: WantedNames
  private let wantedFunctions: WantedNames
  private var missingNames: Int
  /// The file offsets of types 1, 65, 129, …
  private var bookmarks: [Int32] = []
  /// Where the pass stands: the file offset of the next type, and how many are behind it. Types are numbered from 1.
  private var position: Int
  private var typeCount = 0

  private static let bookmarkDistance = 64
  /// Of one name; more of them are not looked at.
  private static let mostDefinitions = 8

  /// Finds the structures and functions of these names, which have at least three bytes.
  init(_ bytes: RawSpan, structures: [String], functions: [String]) throws(BPFError) {
    sections = try BTFSections(parsing: bytes)
    wantedStructures = WantedNames(structures)
    wantedFunctions = WantedNames(functions)
    missingNames = structures.count + functions.count
    position = sections.types.lowerBound
    while missingNames > 0, position < sections.types.upperBound { try advance(bytes) }
  }

  /// The file offset of a type; its bytes are inside of the type section.
  mutating func offset(ofType number: Int, _ bytes: RawSpan) throws(BPFError) -> Int {
    while number > typeCount, position < sections.types.upperBound { try advance(bytes) }
    guard number >= 1, number <= typeCount, (number - 1) / Self.bookmarkDistance < bookmarks.count else {
      throw .malformedTypes(offset: sections.types.lowerBound, .typeNumber)
    }
    var offset = Int(bookmarks[(number - 1) / Self.bookmarkDistance])
    for _ in 0..<(number - 1) % Self.bookmarkDistance {
      offset += BTFType(bytes, at: offset).byteCount ?? 0
    }
    return offset
  }

  /// Whether the string at this offset of the string section is `name`, which ends with a zero byte.
  func string(at nameOffset: Int, equals name: [UInt8], _ bytes: RawSpan) -> Bool {
    isString(bytes, sections.strings, at: nameOffset, name)
  }

  /// Passes the types up to the next bookmark, or to the end.
  private mutating func advance(_ bytes: RawSpan) throws(BPFError) {
    let (end, strings) = (sections.types.upperBound, sections.strings)
    // Copies, which are counted once here and not at every name.
    let (wantedStructures, wantedFunctions) = (wantedStructures, wantedFunctions)
    var offset = position
    bookmarks.append(Int32(truncatingIfNeeded: offset))
    for _ in 0..<Self.bookmarkDistance where offset < end {
      guard end - offset >= 12 else { throw .malformedTypes(offset: offset, .truncated) }
      // Inside of the bytes, as the section is.
      let info = bytes.uncheckedWord(at: offset + 4)
      guard let byteCount = BTFType.byteCount(info: info) else { throw .malformedTypes(offset: offset, .kind) }
      guard byteCount <= end - offset else { throw .malformedTypes(offset: offset, .truncated) }
      typeCount += 1
      let kind = BTFType.Kind(rawValue: UInt8(truncatingIfNeeded: info >> 24 & 0x1f))
      if kind == .function {
        if let name = wantedFunctions.match(bytes, strings, at: Int(bytes.uncheckedWord(at: offset))) {
          missingNames -= Self.note(typeCount, in: &functions[name, default: []])
        }
      } else if kind == .structure {
        if let name = wantedStructures.match(bytes, strings, at: Int(bytes.uncheckedWord(at: offset))) {
          missingNames -= Self.note(typeCount, in: &structures[name, default: []])
        }
      }
      offset += byteCount
    }
    position = offset
  }

  /// 1 for the first definition of a name, else 0.
  private static func note(_ number: Int, in numbers: inout [Int]) -> Int {
    if numbers.count < mostDefinitions { numbers.append(number) }
    return numbers.count == 1 ? 1 : 0
  }
}

/// The names looked for, with a filter on their first bytes that lets few others through.
private struct WantedNames {
  private var names: [(text: String, bytes: [UInt8])] = []
  /// Whether a name of fewer than eight bytes begins with four bytes of this hash.
  private var short = [Bool](repeating: false, count: 256)
  private var hasShort = false
  /// Whether a longer name begins with eight bytes of this hash.
  private var long = [Bool](repeating: false, count: 1024)

  init(_ wanted: [String]) {
    for text in wanted where text.utf8.count >= 3 {
      let bytes = Array(text.utf8) + [0]
      let start = bytes.prefix(8).enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64($1.offset * 8) }
      names.append((text, bytes))
      if bytes.count > 8 {
        long[Self.longSlot(start)] = true
      } else {
        short[Self.shortSlot(UInt32(truncatingIfNeeded: start))] = true
        hasShort = true
      }
    }
  }

  private static func shortSlot(_ word: UInt32) -> Int { Int((word &* 0x9e37_79b1) >> 24) }
  private static func longSlot(_ words: UInt64) -> Int { Int((words &* 0x9e37_79b9_7f4a_7c15) >> 54) }

  /// The name at this offset of the string section, if it is one of them.
  @inline(__always)
  func match(_ bytes: RawSpan, _ strings: Range<Int>, at offset: Int) -> String? {
    if strings.count - offset >= 8 {
      let words = UInt64(littleEndian: bytes.doubleword(at: strings.lowerBound + offset))
      guard
        long[Self.longSlot(words)] || (hasShort && short[Self.shortSlot(UInt32(truncatingIfNeeded: words))])
      else { return nil }
    }
    return names.first { isString(bytes, strings, at: offset, $0.bytes) }?.text
  }
}

private func isString(_ bytes: RawSpan, _ strings: Range<Int>, at offset: Int, _ name: [UInt8]) -> Bool {
  guard offset >= 0, strings.count - offset >= name.count else { return false }
  for place in name.indices where bytes.byte(at: strings.lowerBound + offset + place) != name[place] { return false }
  return true
}
