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
