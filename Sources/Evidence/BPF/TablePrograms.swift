// The programs of the iterators that walk the tables of sockets. Their context is (include/net/tcp.h, udp.h):
//   struct bpf_iter__tcp { struct bpf_iter_meta *meta; struct sock_common *sk_common; uid_t uid; }
//   struct bpf_iter__udp { struct bpf_iter_meta *meta; struct udp_sock *udp_sk; uid_t uid; int bucket; }
// The pointer is null at the end of the walk. Fields of the structure it points to may be loaded directly, which is
// all that happens to a socket of another port; bpf_probe_read_kernel() reads the rest.

/// The program for `bpf_iter_tcp`: writes a record of every socket whose local port is in the range.
func tcpProgram(_ layout: KernelLayout, _ ports: ClosedRange<UInt16>) throws(BPFError) -> [UInt64] {
  let stack = try ProgramStack(layout, scratchByteCount: 8)
  var program = BPFAssembler()
  let (leave, write, timeWait) = (program.label(), program.label(), program.label())
  program.selectSocket(layout, ports, stack, else: leave)
  program.emit(.load(.byte, .r1, .r10, stack.common(layout.common.state)))
  program.jump(if: .r1, .equal, KernelNumber.timeWait, to: timeWait)
  program.jump(if: .r1, .equal, KernelNumber.newSynReceived, to: write)  // in no bucket
  if let pointer = layout.bindHash { program.readBucket(.r7, pointer, stack, layout) }
  program.jump(to: write)
  program.place(timeWait)
  if let substate = layout.timeWaitSubstate {
    program.readKernel(to: stack.part(RecordLayout.substate), count: 1, from: .r7, offset: substate.offset)
  }
  if let pointer = layout.timeWaitBucket { program.readBucket(.r7, pointer, stack, layout) }
  program.place(write)
  program.writeRecord(stack)
  program.place(leave)
  program.finish()
  return try program.assembled()
}

/// The program for `bpf_iter_udp`: the same, and if asked for, which socket of the same port and namespace comes next.
///
/// Since 6.6 the iterator walks the table of addresses, whose order bind(2) does not follow, so each record says which
/// socket comes next in the table of ports. The chain is followed without its lock: it may be torn, which the reader
/// of the records notices, and bpf_probe_read_kernel() does not fault. nil where the kernel's types do not tell how.
func udpProgram(
  _ layout: KernelLayout, _ ports: ClosedRange<UInt16>, linked: Bool
) throws(BPFError) -> [UInt64]? {
  var link: ChainLink?
  if linked {
    guard let node = layout.common.node, let namespace = layout.common.namespace else { return nil }
    link = ChainLink(port: layout.common.port, node: node, namespace: namespace)
  }
  let stack = try ProgramStack(layout, scratchByteCount: link?.byteCount ?? 0)
  var program = BPFAssembler()
  let (leave, write) = (program.label(), program.label())
  program.selectSocket(layout, ports, stack, else: leave)
  if let link { program.findNext(link, stack, then: write) }
  program.place(write)
  program.writeRecord(stack)
  program.place(leave)
  program.finish()
  return try program.assembled()
}

/// What it takes to follow the chain.
private struct ChainLink {
  var port: BTFField
  var node: BTFField
  var namespace: BTFField

  /// From the start of a socket to the last of these.
  var byteCount: Int { max(port.end, node.end, namespace.end) }
}

/// How many sockets of other ports and namespaces may stand between two of one port. The verifier goes through every
/// step, so this is what a program costs to load.
private let farthestNext = 32

extension BPFAssembler {
  /// Leaves ctx in r6, the socket in r7, and in the record its start, uid and address.
  fileprivate mutating func selectSocket(
    _ layout: KernelLayout, _ ports: ClosedRange<UInt16>, _ stack: ProgramStack, else leave: Label
  ) {
    emit(.move(.r6, .r1), .load(.doubleword, .r7, .r6, 8))
    jump(if: .r7, .equal, 0, to: leave)
    emit(.load(.halfword, .r1, .r7, Int16(truncatingIfNeeded: layout.common.port.offset)))
    require(.r1, in: ports, else: leave)
    zero(stack.record..<0)
    emit(
      .load(.word, .r1, .r6, 16), .store(.word, .r10, stack.part(RecordLayout.uid), .r1),
      .store(.doubleword, .r10, stack.part(RecordLayout.address), .r7))
    readKernel(to: stack.part(RecordLayout.common), count: layout.common.byteCount, from: .r7)
    jump(if: .r0, .notEqual, 0, to: leave)
  }

  /// Follows the chain from the socket in r7 to the next of its port and namespace. r8 is lost.
  ///
  /// Not a loop: the verifier compares every round of one with all rounds before, which takes it 14 ms for 128.
  fileprivate mutating func findNext(
    _ link: ChainLink, _ stack: ProgramStack, then done: Label
  ) {
    let known = label()
    readKernel(to: stack.scratch(0), count: 8, from: .r7, offset: link.node.offset)
    jump(if: .r0, .notEqual, 0, to: done)
    emit(.load(.doubleword, .r8, .r10, stack.scratch(0)))
    for _ in 0..<farthestNext {
      let pass = label()
      jump(if: .r8, .equal, 0, to: known)
      emit(.add(.r8, constant: Int32(-link.node.offset)))
      readKernel(to: stack.scratch(0), count: link.byteCount, from: .r8)
      jump(if: .r0, .notEqual, 0, to: done)
      emit(
        .load(.halfword, .r1, .r10, stack.scratch(link.port.offset)),
        .load(.halfword, .r2, .r10, stack.common(link.port)))
      jump(if: .r1, .notEqual, .r2, to: pass)
      emit(
        .load(.doubleword, .r1, .r10, stack.scratch(link.namespace.offset)),
        .load(.doubleword, .r2, .r10, stack.common(link.namespace)))
      jump(if: .r1, .equal, .r2, to: known)
      place(pass)
      emit(.load(.doubleword, .r8, .r10, stack.scratch(link.node.offset)))
    }
    jump(if: .r8, .notEqual, 0, to: done)
    place(known)
    emit(
      .store(.doubleword, .r10, stack.part(RecordLayout.next), .r8),
      .store(.word, .r10, stack.part(RecordLayout.chain), constant: 1))
  }
}
