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

// The kernel's own description of its types, BTF (include/uapi/linux/btf.h):
//
//   header    u16 magic 0xeb9f  u8 version  u8 flags  u32 hdr_len  u32 type_off  u32 type_len  u32 str_off  u32 str_len
//   types     one after the other, numbered from 1, without an index:
//             u32 name_off   u32 info (bits 0-15 vlen, 24-28 kind, 31 kind_flag)   u32 size or type
//             and then what the kind adds; struct and union: vlen times { u32 name_off  u32 type  u32 offset }, the
//             offset in bits; with kind_flag its upper 8 bits are the size of a bit field
//   strings   each ends with a zero byte
//
// Section offsets count from the end of the header.

/// Where the two sections of a BTF file lie in it. Both are inside of the file.
struct BTFSections: Sendable, Hashable {
  var types: Range<Int>
  var strings: Range<Int>

  /// More than any kernel has; keeps every offset far from overflow.
  static let largestFile = 1 << 28

  init(parsing bytes: RawSpan) throws(BPFError) {
    guard bytes.byteCount >= 24 else { throw .malformedTypes(offset: 0, .truncated) }
    guard bytes.byteCount <= Self.largestFile else { throw .malformedTypes(offset: 0, .tooLarge) }
    guard bytes.halfword(at: 0) == 0xeb9f, bytes.byte(at: 2) == 1 else { throw .malformedTypes(offset: 0, .header) }
    let headerEnd = Int(bytes.word(at: 4))
    guard headerEnd >= 24 else { throw .malformedTypes(offset: 4, .header) }
    types = try Self.section(bytes, at: 8, after: headerEnd)
    strings = try Self.section(bytes, at: 16, after: headerEnd)
  }

  private static func section(_ bytes: RawSpan, at offset: Int, after headerEnd: Int) throws(BPFError) -> Range<Int> {
    let start = headerEnd + Int(bytes.word(at: offset))
    let end = start + Int(bytes.word(at: offset + 4))
    guard end <= bytes.byteCount else { throw .malformedTypes(offset: offset, .truncated) }
    return start..<end
  }
}

/// The first twelve bytes of a type, `struct btf_type`.
struct BTFType: Sendable, Hashable {
  /// BTF_KIND_*, the ones a look-up of fields meets.
  struct Kind: RawRepresentable, Sendable, Hashable {
    let rawValue: UInt8

    static let integer = Kind(rawValue: 1)
    static let pointer = Kind(rawValue: 2)
    static let array = Kind(rawValue: 3)
    static let structure = Kind(rawValue: 4)
    static let union = Kind(rawValue: 5)
    static let enumeration = Kind(rawValue: 6)
    static let typedef = Kind(rawValue: 8)
    static let volatile = Kind(rawValue: 9)
    static let constant = Kind(rawValue: 10)
    static let restrict = Kind(rawValue: 11)
    static let function = Kind(rawValue: 12)
    static let typeTag = Kind(rawValue: 18)
    static let enumeration64 = Kind(rawValue: 19)

    /// Adds a name or a qualifier to another type, nothing to its layout.
    var isModifier: Bool {
      switch self {
      case .typedef, .volatile, .constant, .restrict, .typeTag: true
      default: false
      }
    }
  }

  var info: UInt32
  /// `size` or `type`, by kind.
  var sizeOrType: UInt32
  var nameOffset: UInt32

  /// `offset` + 12 must lie inside of `bytes`.
  init(_ bytes: RawSpan, at offset: Int) {
    nameOffset = bytes.word(at: offset)
    info = bytes.word(at: offset + 4)
    sizeOrType = bytes.word(at: offset + 8)
  }

  var kind: Kind { Kind(rawValue: UInt8(truncatingIfNeeded: info >> 24 & 0x1f)) }
  /// How many members, parameters or values follow.
  var count: Int { Int(info & 0xffff) }
  /// The members' offsets carry sizes of bit fields.
  var hasBitFields: Bool { info >> 31 == 1 }

  /// The bytes the type takes in the section; nil for a kind that is not known here.
  ///
  /// Looked up in constants of two bits a kind, because a branch on the kind is mispredicted for every second type.
  var byteCount: Int? { Self.byteCount(info: info) }

  /// The same by the word that tells it.
  @inline(__always)
  static func byteCount(info: UInt32) -> Int? {
    let kind = UInt64(info >> 24 & 0x1f)
    guard kind >= 1, kind <= 19 else { return nil }
    let fixed = Int(truncatingIfNeeded: wordsAfter &>> (kind &* 2) & 3)
    let each = Int(truncatingIfNeeded: wordsForEach &>> (kind &* 2) & 3)
    return 12 &+ 4 &* (fixed &+ each &* Int(info & 0xffff))
  }

  /// ARRAY three words; INT, VAR and DECL_TAG one.
  private static let wordsAfter: UInt64 = 3 << 6 | 1 << 2 | 1 << 28 | 1 << 34
  /// STRUCT, UNION, DATASEC and ENUM64 three words; ENUM and FUNC_PROTO two.
  private static let wordsForEach: UInt64 = 3 << 8 | 3 << 10 | 3 << 30 | 3 << 38 | 2 << 12 | 2 << 26
}

/// Where a field lies in its structure.
struct BTFField: Sendable, Hashable {
  /// From the start of the structure, in bits.
  var bitOffset: Int
  /// In bits: the size of a bit field, else of the whole type.
  var bitCount: Int

  /// The byte in which the field starts.
  var offset: Int { bitOffset / 8 }
  /// The byte after its last.
  var end: Int { (bitOffset + bitCount + 7) / 8 }
}

/// Looks fields up by path in a BTF file. The look-ups together visit a bounded number of members, whatever the file.
struct BTFFieldReader {
  private(set) var index: BTFIndex
  /// Members that may still be visited: a task_struct has 250, all look-ups together take a few thousand.
  private var budget = 500_000

  /// Structures inside of structures; the kernel's own go ten deep.
  private static let deepest = 32

  init(_ index: BTFIndex) { self.index = index }

  /// The field of the structure, through anonymous members and named ones, such as `["__sk_common", "skc_num"]`;
  /// nil where the kernel has no such structure or field. An array at the end stands for its first element.
  mutating func field(_ structure: String, _ path: [String], _ bytes: RawSpan) throws(BPFError) -> BTFField? {
    for number in index.structures[structure] ?? [] {
      if let field = try field(inType: number, path[...], startingAt: 0, depth: 0, bytes) { return field }
    }
    return nil
  }

  /// The size of a structure in bytes; nil where the kernel has none of this name.
  mutating func size(ofStructure name: String, _ bytes: RawSpan) throws(BPFError) -> Int? {
    guard let number = index.structures[name]?.first else { return nil }
    return Int(BTFType(bytes, at: try index.offset(ofType: number, bytes)).sizeOrType)
  }

  private mutating func field(
    inType number: Int, _ path: ArraySlice<String>, startingAt base: Int, depth: Int, _ bytes: RawSpan
  ) throws(BPFError) -> BTFField? {
    guard let name = path.first.map({ Array($0.utf8) + [0] }) else { return nil }
    let offset = try offset(ofBareType: number, bytes)
    guard depth < Self.deepest else { throw .malformedTypes(offset: offset, .tooDeep) }
    let type = BTFType(bytes, at: offset)
    guard type.kind == .structure || type.kind == .union else { return nil }
    for place in 0..<type.count {
      budget -= 1
      guard budget > 0 else { throw .malformedTypes(offset: offset, .tooDeep) }
      let member = Member(bytes, at: offset + 12 + place * 12, hasBitFields: type.hasBitFields)
      guard member.nameOffset < index.sections.strings.count else {
        throw .malformedTypes(offset: offset + 12 + place * 12, .nameOffset)
      }
      let start = base + member.bitOffset
      if member.nameOffset == 0 {
        if let found = try field(inType: member.type, path, startingAt: start, depth: depth + 1, bytes) {
          return found
        }
      } else if index.string(at: member.nameOffset, equals: name, bytes) {
        if path.count > 1 {
          return try field(inType: member.type, path.dropFirst(), startingAt: start, depth: depth + 1, bytes)
        }
        if let size = member.bitFieldSize { return BTFField(bitOffset: start, bitCount: size) }
        return try bitCount(ofType: member.type, bytes).map { BTFField(bitOffset: start, bitCount: $0) }
      }
    }
    return nil
  }

  /// The offset of the type under its typedefs and qualifiers.
  private mutating func offset(ofBareType number: Int, _ bytes: RawSpan) throws(BPFError) -> Int {
    var offset = try index.offset(ofType: number, bytes)
    for _ in 0..<Self.deepest {
      let type = BTFType(bytes, at: offset)
      guard type.kind.isModifier else { return offset }
      offset = try index.offset(ofType: Int(type.sizeOrType), bytes)
    }
    throw .malformedTypes(offset: offset, .tooDeep)
  }

  /// The size of a type, of an array's element; nil for one without size.
  private mutating func bitCount(ofType number: Int, _ bytes: RawSpan) throws(BPFError) -> Int? {
    var offset = try offset(ofBareType: number, bytes)
    for _ in 0..<Self.deepest {
      let type = BTFType(bytes, at: offset)
      switch type.kind {
      case .integer, .structure, .union, .enumeration, .enumeration64:
        // A size no kernel type has is no size: the sum of the offsets stays far from overflow.
        return type.sizeOrType <= 1 << 20 ? Int(type.sizeOrType) * 8 : nil
      case .pointer: return 64
      case .array: offset = try self.offset(ofBareType: Int(bytes.word(at: offset + 12)), bytes)
      default: return nil
      }
    }
    throw .malformedTypes(offset: offset, .tooDeep)
  }
}

/// `struct btf_member`.
private struct Member {
  var nameOffset: Int
  var type: Int
  var bitOffset: Int
  /// nil for a field that is no bit field.
  var bitFieldSize: Int?

  init(_ bytes: RawSpan, at offset: Int, hasBitFields: Bool) {
    nameOffset = Int(bytes.word(at: offset))
    type = Int(bytes.word(at: offset + 4))
    let place = bytes.word(at: offset + 8)
    guard hasBitFields else {
      bitOffset = Int(place)
      return
    }
    bitOffset = Int(place & 0xff_ffff)
    bitFieldSize = place >> 24 == 0 ? nil : Int(place >> 24)
  }
}
