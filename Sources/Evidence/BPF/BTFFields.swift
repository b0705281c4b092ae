import Linux

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
