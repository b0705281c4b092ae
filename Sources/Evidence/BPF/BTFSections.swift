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

import Linux

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
