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

  /// Hands the record over: bpf_seq_write(ctx->meta->seq, record, size). ctx is in r6.
  mutating func writeRecord(_ stack: ProgramStack) {
    emit(
      .load(.doubleword, .r1, .r6, 0), .load(.doubleword, .r1, .r1, 0), .move(.r2, .r10),
      .add(.r2, constant: Int32(stack.record)), .move(.r3, constant: Int32(stack.recordByteCount)), .call(.seqWrite))
  }

  /// Goes on to the next object: an iterator's program returns 0 (1 would mean: once more).
  mutating func finish() { emit(.move(.r0, constant: 0), .exit) }
}
