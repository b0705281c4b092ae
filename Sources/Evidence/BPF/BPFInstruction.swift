/// A register of the BPF machine (Documentation/bpf/standardization/instruction-set.rst).
///
/// r0 is a call's result, r1 to r5 its arguments and lost in it, r6 to r9 survive it, r10 is the end of the stack.
enum BPFRegister: UInt8, Sendable, Hashable {
  case r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10
}

/// The width of a load or store: the bits BPF_W, BPF_H, BPF_B, BPF_DW of its code.
enum BPFWidth: UInt8, Sendable, Hashable {
  case word = 0x00
  case halfword = 0x08
  case byte = 0x10
  case doubleword = 0x18
}

/// When a jump is taken: the operation bits BPF_JEQ, BPF_JGT, … of its code; comparisons are unsigned.
enum BPFCondition: UInt8, Sendable, Hashable {
  case equal = 0x10
  case greater = 0x20
  case greaterOrEqual = 0x30
  case notEqual = 0x50
  case less = 0xa0
}

/// The kernel's functions that the programs call, `enum bpf_func_id`.
enum BPFHelper: Int32, Sendable, Hashable {
  case getCurrentTask = 35
  case probeReadKernel = 113
  case seqWrite = 127
}

/// One instruction, `struct bpf_insn`.
struct BPFInstruction: Sendable, Hashable {
  var code: UInt8
  var destination: BPFRegister = .r0
  var source: BPFRegister = .r0
  var offset: Int16 = 0
  var immediate: Int32 = 0

  /// The eight bytes, in the byte order of the only hosts there are programs for: little-endian.
  var encoded: UInt64 {
    let registers = UInt64(destination.rawValue | source.rawValue << 4)
    return UInt64(code) | registers << 8 | UInt64(UInt16(bitPattern: offset)) << 16
      | UInt64(UInt32(bitPattern: immediate)) << 32
  }

  /// BPF_LDX | BPF_MEM: destination = *(base + offset).
  static func load(_ width: BPFWidth, _ destination: BPFRegister, _ base: BPFRegister, _ offset: Int16) -> Self {
    Self(code: 0x61 | width.rawValue, destination: destination, source: base, offset: offset)
  }

  /// BPF_STX | BPF_MEM: *(base + offset) = source.
  static func store(_ width: BPFWidth, _ base: BPFRegister, _ offset: Int16, _ source: BPFRegister) -> Self {
    Self(code: 0x63 | width.rawValue, destination: base, source: source, offset: offset)
  }

  /// BPF_ST | BPF_MEM: *(base + offset) = constant.
  static func store(_ width: BPFWidth, _ base: BPFRegister, _ offset: Int16, constant: Int32) -> Self {
    Self(code: 0x62 | width.rawValue, destination: base, offset: offset, immediate: constant)
  }

  /// BPF_ALU64 | BPF_MOV.
  static func move(_ destination: BPFRegister, _ source: BPFRegister) -> Self {
    Self(code: 0xbf, destination: destination, source: source)
  }

  static func move(_ destination: BPFRegister, constant: Int32) -> Self {
    Self(code: 0xb7, destination: destination, immediate: constant)
  }

  /// BPF_ALU64 | BPF_ADD.
  static func add(_ destination: BPFRegister, _ source: BPFRegister) -> Self {
    Self(code: 0x0f, destination: destination, source: source)
  }

  static func add(_ destination: BPFRegister, constant: Int32) -> Self {
    Self(code: 0x07, destination: destination, immediate: constant)
  }

  /// BPF_ALU64 | BPF_AND.
  static func and(_ destination: BPFRegister, constant: Int32) -> Self {
    Self(code: 0x57, destination: destination, immediate: constant)
  }

  /// BPF_ALU64 | BPF_MUL.
  static func multiply(_ destination: BPFRegister, constant: Int32) -> Self {
    Self(code: 0x27, destination: destination, immediate: constant)
  }

  static func call(_ helper: BPFHelper) -> Self { Self(code: 0x85, immediate: helper.rawValue) }

  static let exit = Self(code: 0x95)
}
