import Testing

@testable import Evidence

@Suite struct AssemblerTests {
  @Test(
    "Instructions have the bytes of the instruction set's specification",
    arguments: [
      (BPFInstruction.load(.doubleword, .r7, .r6, 8), UInt64(0x0000_0000_0008_6779)),
      (.load(.halfword, .r1, .r7, 14), 0x0000_0000_000e_7169),
      (.load(.byte, .r1, .r10, -2), 0x0000_0000_fffe_a171),
      (.store(.word, .r10, -8, .r1), 0x0000_0000_fff8_1a63),
      (.store(.doubleword, .r10, -16, constant: 0), 0x0000_0000_fff0_0a7a),
      (.move(.r1, .r10), 0x0000_0000_0000_a1bf), (.move(.r0, constant: 0), 0x0000_0000_0000_00b7),
      (.add(.r1, constant: -8), 0xffff_fff8_0000_0107), (.and(.r1, constant: 0o170000), 0x0000_f000_0000_0157),
      (.call(.probeReadKernel), 0x0000_0071_0000_0085), (.exit, 0x0000_0000_0000_0095),
    ])
  func encoding(instruction: BPFInstruction, bytes: UInt64) {
    #expect(instruction.encoded == bytes)
  }

  @Test("A jump counts from the instruction after it, forwards and backwards")
  func jumps() throws {
    var program = BPFAssembler()
    let (start, end) = (program.label(), program.label())
    program.place(start)
    program.jump(if: .r1, .equal, 7, to: end)
    program.emit(.exit)
    program.jump(to: start)
    program.place(end)
    program.emit(.exit)
    let words = try program.assembled()
    #expect(words[0] == 0x0000_0007_0002_0115)
    #expect(words[2] == 0x0000_0000_fffd_0005)
  }

  @Test("A label without a place and a jump too far are errors")
  func errors() {
    var unplaced = BPFAssembler()
    unplaced.jump(to: unplaced.label())
    #expect(throws: BPFError.invalidProgram("label 0 unplaced")) { try unplaced.assembled() }
    var far = BPFAssembler()
    let end = far.label()
    far.jump(to: end)
    for _ in 0..<40_000 { far.emit(.exit) }
    far.place(end)
    #expect(throws: BPFError.invalidProgram("jump from 0 to 40001 too far")) { try far.assembled() }
  }

  @Test("A record that does not fit on the stack is an error")
  func stack() throws {
    let file = BTFBuilder.smallKernel().file()
    var layout = try KernelLayout(parsing: file.span.bytes)
    layout.common.cookie = BTFField(bitOffset: 8 * 400, bitCount: 64)
    #expect(throws: BPFError.self) { try udpProgram(layout, 80...80, linked: true) }
  }
}
