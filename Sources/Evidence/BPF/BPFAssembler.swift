// Why assemble by hand, and not compile with clang or load with libbpf:
// the programs are three, about a hundred instructions each, and all that differs between kernels in them is a dozen
// offsets. Those are known only at run time, from the running kernel's types; a compiled program would bring an ELF
// file, relocations and a library to resolve them (libbpf parses all of BTF, which alone takes longer than this whole
// command may). The few bpf(2) calls are made directly, so nothing new has to be installed.

/// Puts a program together; jumps go to labels that are resolved at the end.
struct BPFAssembler {
  /// A place in the program, used before or after it is known.
  struct Label: Sendable, Hashable {
    fileprivate let number: Int
  }

  private(set) var instructions: [BPFInstruction] = []
  private var places: [Int?] = []
  private var jumps: [(instruction: Int, label: Label)] = []

  mutating func label() -> Label {
    places.append(nil)
    return Label(number: places.count - 1)
  }

  /// The label stands for the next instruction.
  mutating func place(_ label: Label) { places[label.number] = instructions.count }

  mutating func emit(_ instructions: BPFInstruction...) { self.instructions += instructions }

  /// BPF_JMP | BPF_JA.
  mutating func jump(to label: Label) { emit(BPFInstruction(code: 0x05), to: label) }

  /// BPF_JMP, compared with a constant.
  mutating func jump(if register: BPFRegister, _ condition: BPFCondition, _ constant: Int32, to label: Label) {
    emit(BPFInstruction(code: 0x05 | condition.rawValue, destination: register, immediate: constant), to: label)
  }

  /// BPF_JMP32 | BPF_JEQ: the lower half of a register, compared with a constant.
  mutating func jump(ifLowerHalfOf register: BPFRegister, equals constant: UInt32, to label: Label) {
    emit(BPFInstruction(code: 0x16, destination: register, immediate: Int32(bitPattern: constant)), to: label)
  }

  /// BPF_JMP, compared with a register.
  mutating func jump(if register: BPFRegister, _ condition: BPFCondition, _ other: BPFRegister, to label: Label) {
    emit(BPFInstruction(code: 0x0d | condition.rawValue, destination: register, source: other), to: label)
  }

  private mutating func emit(_ instruction: BPFInstruction, to label: Label) {
    jumps.append((instructions.count, label))
    instructions.append(instruction)
  }

  /// The finished program, eight bytes an instruction.
  func assembled() throws(BPFError) -> [UInt64] {
    var finished = instructions
    for jump in jumps {
      guard let place = places[jump.label.number] else {
        throw .invalidProgram("label \(jump.label.number) unplaced")
      }
      guard let distance = Int16(exactly: place - jump.instruction - 1) else {
        throw .invalidProgram("jump from \(jump.instruction) to \(place) too far")
      }
      finished[jump.instruction].offset = distance
    }
    return finished.map(\.encoded)
  }
}

extension BPFAssembler {
  /// Copies kernel memory to the stack: bpf_probe_read_kernel(), which gives zeros where there is nothing to read.
  /// r0 is 0 if it worked; r1 to r5 are lost.
  mutating func readKernel(
    to stack: Int16, count: Int, from base: BPFRegister, offset: Int = 0
  ) {
    if base != .r3 { emit(.move(.r3, base)) }
    if offset != 0 { emit(.add(.r3, constant: Int32(truncatingIfNeeded: offset))) }
    emit(
      .move(.r1, .r10), .add(.r1, constant: Int32(stack)), .move(.r2, constant: Int32(truncatingIfNeeded: count)),
      .call(.probeReadKernel))
  }

  /// Zeroes a range of the stack, a multiple of eight bytes.
  mutating func zero(_ stack: Range<Int16>) {
    for place in stride(from: stack.lowerBound, to: stack.upperBound, by: 8) {
      emit(.store(.doubleword, .r10, place, constant: 0))
    }
  }

  /// Goes to `label` unless the register is in the range. Constants are sign-extended, so the ends are 16 bits wide.
  mutating func require(_ register: BPFRegister, in range: ClosedRange<UInt16>, else label: Label) {
    jump(if: register, .less, Int32(range.lowerBound), to: label)
    jump(if: register, .greater, Int32(range.upperBound), to: label)
  }
}

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

  /// BPF_ALU, which works on the lower halves of registers and clears the upper ones.
  private static func half(_ code: UInt8, _ destination: BPFRegister, _ source: BPFRegister) -> Self {
    Self(code: code, destination: destination, source: source)
  }

  static func halfMove(_ destination: BPFRegister, _ source: BPFRegister) -> Self { half(0xbc, destination, source) }
  static func halfSubtract(_ destination: BPFRegister, _ source: BPFRegister) -> Self {
    half(0x1c, destination, source)
  }
  static func halfOr(_ destination: BPFRegister, _ source: BPFRegister) -> Self { half(0x4c, destination, source) }
  static func halfAnd(_ destination: BPFRegister, _ source: BPFRegister) -> Self { half(0x5c, destination, source) }
  static func halfExclusiveOr(_ destination: BPFRegister, _ source: BPFRegister) -> Self {
    half(0xac, destination, source)
  }

  static func halfAdd(_ destination: BPFRegister, constant: Int32) -> Self {
    Self(code: 0x04, destination: destination, immediate: constant)
  }

  static func halfShiftLeft(_ destination: BPFRegister, _ bits: Int32) -> Self {
    Self(code: 0x64, destination: destination, immediate: bits)
  }

  static func halfShiftRight(_ destination: BPFRegister, _ bits: Int32) -> Self {
    Self(code: 0x74, destination: destination, immediate: bits)
  }

  static func call(_ helper: BPFHelper) -> Self { Self(code: 0x85, immediate: helper.rawValue) }

  static let exit = Self(code: 0x95)
}

/// Where a program keeps things below r10, the end of its 512 bytes of stack: the record, and below it scratch space.
struct ProgramStack: Sendable, Hashable {
  /// BPF_MAX_BPF_STACK, include/linux/filter.h.
  static let limit = 512

  let record: Int16
  let recordByteCount: Int
  let bucket: Int16
  let scratch: Int16

  init(_ layout: KernelLayout, scratchByteCount: Int) throws(BPFError) {
    let places = RecordLayout(layout)
    let scratchSize = roundedUp(scratchByteCount)
    guard places.byteCount + scratchSize <= Self.limit, layout.common.byteCount > 0 else {
      throw .invalidProgram("a record of \(places.byteCount) bytes does not fit")
    }
    recordByteCount = places.byteCount
    record = Int16(-places.byteCount)
    bucket = Int16(places.bucket - places.byteCount)
    scratch = Int16(-places.byteCount - scratchSize)
  }

  /// A part of the record, by its place in `RecordLayout`.
  func part(_ place: Int) -> Int16 { record + Int16(truncatingIfNeeded: place) }
  /// A field of the copy of `struct sock_common`.
  func common(_ field: BTFField) -> Int16 { part(RecordLayout.common + field.offset) }
  /// A place in the scratch space.
  func scratch(_ place: Int) -> Int16 { scratch + Int16(truncatingIfNeeded: place) }
}

extension BPFAssembler {
  /// Copies the bucket that a pointer at `base` + `pointer` leads to into the record, and says what became of it.
  /// r8 is lost.
  mutating func readBucket(_ base: BPFRegister, _ pointer: BTFField, _ stack: ProgramStack, _ layout: KernelLayout) {
    guard let bucket = layout.bucket, pointer.bitCount == 64 else { return }
    let done = label()
    let state = stack.part(RecordLayout.bucketState)
    func note(_ value: BucketState) -> BPFInstruction {
      .store(.word, .r10, state, constant: Int32(bitPattern: value.rawValue))
    }
    readKernel(to: stack.scratch(0), count: 8, from: base, offset: pointer.offset)
    jump(if: .r0, .notEqual, 0, to: done)
    emit(note(.none), .load(.doubleword, .r8, .r10, stack.scratch(0)))
    jump(if: .r8, .equal, 0, to: done)
    emit(note(.unreadable))
    readKernel(to: stack.bucket, count: bucket.byteCount, from: .r8)
    jump(if: .r0, .notEqual, 0, to: done)
    emit(note(.read))
    place(done)
  }

  /// Leaves in the record the family of the bucket by address that a pointer at `base` + `pointer` leads to. r8 is lost.
  mutating func readAddressBucket(
    _ base: BPFRegister, _ pointer: BTFField, _ bucket: KernelLayout.AddressBucket, _ stack: ProgramStack
  ) {
    let done = label()
    readKernel(to: stack.scratch(0), count: 8, from: base, offset: pointer.offset)
    emit(.load(.doubleword, .r8, .r10, stack.scratch(0)))
    jump(if: .r8, .equal, 0, to: done)
    readKernel(
      to: stack.part(RecordLayout.addressBucketFamily), count: 2, from: .r8, offset: bucket.family.offset)
    place(done)
  }

  /// Hands the record over: bpf_seq_write(ctx->meta->seq, record, size). ctx is in r6.
  mutating func writeRecord(_ stack: ProgramStack) {
    emit(
      .load(.doubleword, .r1, .r6, 0), .load(.doubleword, .r1, .r1, 0), .move(.r2, .r10),
      .add(.r2, constant: Int32(stack.record)), .move(.r3, constant: Int32(stack.recordByteCount)), .call(.seqWrite))
  }

  /// Goes on to the next object: an iterator's program returns 0 (1 would mean: once more).
  mutating func finish() { emit(.move(.r0, constant: 0), .exit) }
}
