import Linux
import SocketModel

// The program of the iterator over every descriptor of every process (kernel/bpf/task_iter.c). Its context:
//   struct bpf_iter__task_file { struct bpf_iter_meta *meta; struct task_struct *task; u32 fd; struct file *file; }
// Threads that share their leader's descriptors are left out by the iterator.
//
// What makes a file a socket's: its private data is a struct socket that points back to the file, and its inode's type is
// S_IFSOCK. bpf_sock_from_file() compares the file's operations with those of sockets instead, but exists only since
// 5.11, and the address to compare with is in /proc/kallsyms only, which takes longer to read than everything here;
// the way back from the socket needs nothing but the kernel's types. A descriptor opened with O_PATH has no private
// data, so it counts as none.
//
// A host may have a million descriptors, and each look at another structure misses the cache: so the inode, which every
// file has, is looked at last, and of a socket first its port alone.

/// The program for `bpf_iter_task_file`: writes a record of every descriptor of a TCP, MPTCP or UDP socket whose local
/// port is in the range. Where there are `inodes`, others need not be written; the lower halves of their numbers are
/// compared.
func holderProgram(
  _ layout: KernelLayout, _ ports: ClosedRange<UInt16>, inodes: Set<UInt64>? = nil
) throws(BPFError) -> [UInt64] {
  guard let files = layout.files else { throw .missingFromKernel("struct file with f_inode and private_data") }
  let stack = try ProgramStack(layout, scratchByteCount: files.socketByteRange.count)
  var program = BPFAssembler()
  let leave = program.label()
  program.selectInodes(files, inodes, else: leave)
  program.selectPort(layout, files, ports, stack, else: leave)
  program.selectSocket(layout, files, stack, else: leave)
  program.noteProcess(files, stack)
  if let namespace = layout.common.namespace, let inode = layout.namespaceInode, inode.bitCount == 32 {
    program.emit(.load(.doubleword, .r8, .r10, stack.common(namespace)))
    program.readKernel(to: stack.part(RecordLayout.namespace), count: 4, from: .r8, offset: inode.offset)
  }
  program.noteBucket(layout, files, stack)
  program.writeRecord(stack)
  program.place(leave)
  program.finish()
  return try program.assembled()
}

/// More comparisons than this take longer than looking at the sockets.
private let mostComparedInodes = 64

extension BPFAssembler {
  /// Leaves ctx in r6, the file in r7.
  fileprivate mutating func selectInodes(_ files: KernelLayout.Files, _ inodes: Set<UInt64>?, else leave: Label) {
    emit(.move(.r6, .r1), .load(.doubleword, .r7, .r6, 24))
    jump(if: .r7, .equal, 0, to: leave)
    guard let inodes, inodes.count <= mostComparedInodes else { return }
    let wanted = label()
    emit(
      .load(.doubleword, .r1, .r7, Int16(truncatingIfNeeded: files.fileInode.offset)),
      .load(.doubleword, .r1, .r1, Int16(truncatingIfNeeded: files.inodeNumber.offset)))
    for inode in inodes.sorted() {
      jump(ifLowerHalfOf: .r1, equals: UInt32(truncatingIfNeeded: inode), to: wanted)
    }
    jump(to: leave)
    place(wanted)
  }

  /// Leaves the address of what looks like the file's struct sock, with a port of the range, in r9.
  fileprivate mutating func selectPort(
    _ layout: KernelLayout, _ files: KernelLayout.Files, _ ports: ClosedRange<UInt16>, _ stack: ProgramStack,
    else leave: Label
  ) {
    emit(.load(.doubleword, .r8, .r7, Int16(truncatingIfNeeded: files.filePrivateData.offset)))
    jump(if: .r8, .equal, 0, to: leave)
    let range = files.socketByteRange
    readKernel(to: stack.scratch(0), count: range.count, from: .r8, offset: range.lowerBound)
    jump(if: .r0, .notEqual, 0, to: leave)
    emit(.load(.doubleword, .r1, .r10, stack.scratch(files.socketFile.offset - range.lowerBound)))
    jump(if: .r1, .notEqual, .r7, to: leave)
    emit(.load(.doubleword, .r9, .r10, stack.scratch(files.socketSock.offset - range.lowerBound)))
    jump(if: .r9, .equal, 0, to: leave)
    readKernel(to: stack.scratch(0), count: 2, from: .r9, offset: layout.common.port.offset)
    jump(if: .r0, .notEqual, 0, to: leave)
    emit(.load(.halfword, .r1, .r10, stack.scratch(0)))
    require(.r1, in: ports, else: leave)
  }

  /// Leaves in the record the start of the socket in r9, its protocol and uid, if it is one of the internet's.
  fileprivate mutating func selectSocket(
    _ layout: KernelLayout, _ files: KernelLayout.Files, _ stack: ProgramStack, else leave: Label
  ) {
    let (inet, internet) = (label(), label())
    func direct(_ field: BTFField) -> Int16 { Int16(truncatingIfNeeded: field.offset) }
    emit(
      .load(.doubleword, .r1, .r7, direct(files.fileInode)), .load(.halfword, .r1, .r1, direct(files.inodeMode)),
      .and(.r1, constant: KernelNumber.fileType))
    jump(if: .r1, .notEqual, KernelNumber.socketFile, to: leave)
    readKernel(to: stack.part(RecordLayout.common), count: layout.common.byteCount, from: .r9)
    jump(if: .r0, .notEqual, 0, to: leave)
    emit(.load(.halfword, .r1, .r10, stack.common(layout.common.family)))
    jump(if: .r1, .equal, KernelNumber.inet, to: inet)
    jump(if: .r1, .notEqual, KernelNumber.inet6, to: leave)
    place(inet)
    zero(stack.record..<stack.part(RecordLayout.common))
    zero(stack.bucket..<0)
    readKernel(
      to: stack.part(RecordLayout.transport), count: files.sockProtocol.bitCount / 8, from: .r9,
      offset: files.sockProtocol.offset)
    emit(.load(.word, .r1, .r10, stack.part(RecordLayout.transport)))
    for number in [KernelNumber.tcp, KernelNumber.udp, KernelNumber.mptcp] {
      jump(if: .r1, .equal, number, to: internet)
    }
    jump(to: leave)
    place(internet)
    noteUser(files, stack)
    emit(.store(.doubleword, .r10, stack.part(RecordLayout.address), .r9))
  }

  /// Leaves in the record the uid of the socket in r9.
  private mutating func noteUser(_ files: KernelLayout.Files, _ stack: ProgramStack) {
    guard let uid = files.sockUID, uid.bitCount == 32 else { return }
    readKernel(to: stack.part(RecordLayout.uid), count: 4, from: .r9, offset: uid.offset)
  }

  /// Leaves in the record the process, the descriptor and the inode. r8 is lost.
  fileprivate mutating func noteProcess(_ files: KernelLayout.Files, _ stack: ProgramStack) {
    func direct(_ field: BTFField) -> Int16 { Int16(truncatingIfNeeded: field.offset) }
    emit(
      .load(.word, .r1, .r6, 16), .store(.word, .r10, stack.part(RecordLayout.descriptor), .r1),
      .load(.doubleword, .r1, .r7, direct(files.fileInode)),
      .load(.doubleword, .r1, .r1, direct(files.inodeNumber)),
      .store(.doubleword, .r10, stack.part(RecordLayout.inode), .r1))
    let done = label()
    guard let pids = files.pids else {
      emit(.load(.doubleword, .r1, .r6, 8))
      jump(if: .r1, .equal, 0, to: done)
      emit(
        .load(.word, .r1, .r1, direct(files.taskThreadGroup)),
        .store(.word, .r10, stack.part(RecordLayout.pid), .r1))
      place(done)
      return
    }
    func follow(_ field: BTFField, _ place: Int = 0) {
      readKernel(to: stack.scratch(0), count: 8, from: .r3, offset: field.offset + place)
      emit(.load(.doubleword, .r3, .r10, stack.scratch(0)))
    }
    // The level of the reader's pid namespace: that of its own pid (`task_active_pid_ns`).
    emit(.call(.getCurrentTask), .move(.r3, .r0))
    follow(pids.taskThreadPid)
    readKernel(to: stack.scratch(0), count: 4, from: .r3, offset: pids.pidLevel.offset)
    emit(
      .load(.word, .r8, .r10, stack.scratch(0)),
      .multiply(.r8, constant: Int32(truncatingIfNeeded: pids.upidByteCount)))
    // The process's pid, signal->pids[PIDTYPE_TGID], and its number at that level.
    emit(.load(.doubleword, .r3, .r6, 8))
    jump(if: .r3, .equal, 0, to: done)
    follow(pids.taskSignal)
    follow(pids.signalPids, 8)
    emit(.add(.r3, .r8))
    readKernel(
      to: stack.part(RecordLayout.pid), count: 4, from: .r3,
      offset: pids.pidNumbers.offset + pids.upidNumber.offset)
    place(done)
  }

  /// Leaves in the record the bucket of a TCP socket. The socket of an MPTCP descriptor has none of its own, but its
  /// first subflow, which is what bind(2) bound, has one: then the record is that of the subflow. r9 is lost.
  fileprivate mutating func noteBucket(_ layout: KernelLayout, _ files: KernelLayout.Files, _ stack: ProgramStack) {
    guard let pointer = layout.bindHash else { return }
    let (isTCP, done) = (label(), label())
    emit(.load(.word, .r1, .r10, stack.part(RecordLayout.transport)))
    jump(if: .r1, .equal, KernelNumber.tcp, to: isTCP)
    if let subflow = layout.firstSubflow, subflow.bitCount == 64 {
      jump(if: .r1, .notEqual, KernelNumber.mptcp, to: done)
      readKernel(to: stack.scratch(0), count: 8, from: .r9, offset: subflow.offset)
      jump(if: .r0, .notEqual, 0, to: done)
      emit(.load(.doubleword, .r9, .r10, stack.scratch(0)))
      jump(if: .r9, .equal, 0, to: done)
      readKernel(to: stack.part(RecordLayout.common), count: layout.common.byteCount, from: .r9)
      jump(if: .r0, .notEqual, 0, to: done)
      noteUser(files, stack)
    } else {
      jump(to: done)
    }
    place(isTCP)
    readBucket(.r9, pointer, stack, layout)
    if let bucket = layout.addressBucket { readAddressBucket(.r9, bucket.ofSocket, bucket, stack) }
    place(done)
  }
}

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
  if let bucket = layout.addressBucket { program.readAddressBucket(.r7, bucket.ofSocket, bucket, stack) }
  program.jump(to: write)
  program.place(timeWait)
  if let substate = layout.timeWaitSubstate {
    program.readKernel(to: stack.part(RecordLayout.substate), count: 1, from: .r7, offset: substate.offset)
  }
  if let pointer = layout.timeWaitBucket { program.readBucket(.r7, pointer, stack, layout) }
  if let bucket = layout.addressBucket, let pointer = bucket.ofTimeWait {
    program.readAddressBucket(.r7, pointer, bucket, stack)
  }
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
///
/// Where the layout has the table of UDP, each record also says how long the lists are in which a wildcard looks.
func udpProgram(
  _ layout: KernelLayout, _ ports: ClosedRange<UInt16>, linked: Bool
) throws(BPFError) -> [UInt64]? {
  var link: ChainLink?
  if linked {
    guard let node = layout.common.node, let namespace = layout.common.namespace else { return nil }
    link = ChainLink(port: layout.common.port, node: node, namespace: namespace)
  }
  let slots = SlotReading(layout)
  let stack = try ProgramStack(layout, scratchByteCount: max(link?.byteCount ?? 0, slots?.byteCount ?? 0))
  var program = BPFAssembler()
  let (leave, write) = (program.label(), program.label())
  program.selectSocket(layout, ports, stack, else: leave)
  if let slots { program.noteSlots(slots, layout, stack) }
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

/// What it takes to look into the slots of UDP.
private struct SlotReading {
  var table: KernelLayout.UDPTable
  var namespace: BTFField

  init?(_ layout: KernelLayout) {
    guard let table = layout.udpTable, let namespace = layout.common.namespace else { return nil }
    (self.table, self.namespace) = (table, namespace)
  }

  /// The copy of `struct udp_table`, and behind it of `net.hash_mix`.
  var byteCount: Int { mix + 4 }
  var mix: Int { roundedUp(max(table.byPort.end, table.byAddress.end, table.mask.end)) }
  /// The hash of an address is the second of the two.
  var addressHash: BTFField { BTFField(bitOffset: table.hashes.bitOffset + 16, bitCount: 16) }
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

  /// Leaves in the record how many sockets are in the slots that a bind(2) of a wildcard to the port of the socket in r7 would
  /// look into: that of the port (`udp_hashfn`) and that of the wildcard's address (`ipv4_portaddr_hash`). r8, r9 are lost.
  fileprivate mutating func noteSlots(_ slots: SlotReading, _ layout: KernelLayout, _ stack: ProgramStack) {
    let (done, same) = (label(), label())
    let table = slots.table
    readKernel(to: stack.scratch(0), count: 8, from: .r7, offset: table.ofSocket.offset)
    emit(.load(.doubleword, .r3, .r10, stack.scratch(0)))
    readKernel(to: stack.scratch(0), count: 8, from: .r3, offset: table.ofProtocol.offset)
    jump(if: .r0, .notEqual, 0, to: done)
    emit(.load(.doubleword, .r3, .r10, stack.scratch(0)))
    jump(if: .r3, .equal, 0, to: done)
    readKernel(to: stack.scratch(0), count: slots.mix, from: .r3)
    jump(if: .r0, .notEqual, 0, to: done)
    emit(.load(.doubleword, .r3, .r10, stack.common(slots.namespace)))
    readKernel(to: stack.scratch(slots.mix), count: 4, from: .r3, offset: table.hashMix.offset)
    jump(if: .r0, .notEqual, 0, to: done)
    emit(
      .load(.halfword, .r9, .r10, stack.common(layout.common.port)),
      .load(.word, .r8, .r10, stack.scratch(slots.mix)), .add(.r8, .r9))
    readSlot(.r8, table.byPort, to: RecordLayout.slotCount, slots, stack)
    jump(if: .r0, .notEqual, 0, to: done)
    emit(.load(.word, .r1, .r10, stack.scratch(slots.mix)))
    hashZero()
    emit(.halfExclusiveOr(.r3, .r9), .move(.r9, .r3), .move(.r8, .r3))
    readSlot(.r8, table.byAddress, to: RecordLayout.wildcardSlotCount, slots, stack)
    jump(if: .r0, .notEqual, 0, to: done)
    let state = stack.part(RecordLayout.slotState)
    emit(
      .store(.word, .r10, state, constant: Int32(SlotState.withWildcard.rawValue)),
      .load(.halfword, .r1, .r10, stack.common(slots.addressHash)), .halfExclusiveOr(.r1, .r9),
      .load(.word, .r2, .r10, stack.scratch(table.mask.offset)), .halfAnd(.r1, .r2))
    jump(if: .r1, .equal, 0, to: same)
    emit(.store(.word, .r10, state, constant: Int32(SlotState.elsewhere.rawValue)))
    place(same)
    place(done)
  }

  /// Reads how many sockets are in the slot for the hash in a register, which is lost. r0 is 0 if it worked.
  private mutating func readSlot(
    _ hash: BPFRegister, _ array: BTFField, to place: Int, _ slots: SlotReading, _ stack: ProgramStack
  ) {
    emit(
      .load(.word, .r1, .r10, stack.scratch(slots.table.mask.offset)), .halfAnd(hash, .r1),
      .multiply(hash, constant: Int32(truncatingIfNeeded: slots.table.slotByteCount)),
      .load(.doubleword, .r3, .r10, stack.scratch(array.offset)), .add(.r3, hash))
    readKernel(to: stack.part(place), count: 4, from: .r3, offset: slots.table.count.offset)
  }

  /// `jhash_1word(0, r1)`, include/linux/jhash.h, into r3. r1 to r5 are lost.
  private mutating func hashZero() {
    let (a, b, c): (BPFRegister, BPFRegister, BPFRegister) = (.r1, .r2, .r3)
    let start = Int32(bitPattern: 0xdead_beef &+ 4)
    emit(.halfAdd(a, constant: start), .move(b, a), .move(c, a))
    let rounds: [(BPFRegister, BPFRegister, Int32)] = [
      (c, b, 14), (a, c, 11), (b, a, 25), (c, b, 16), (a, c, 4), (b, a, 14), (c, b, 24),
    ]
    for (target, source, bits) in rounds {
      emit(
        .halfExclusiveOr(target, source), .halfMove(.r4, source), .halfShiftLeft(.r4, bits),
        .halfMove(.r5, source), .halfShiftRight(.r5, 32 - bits), .halfOr(.r4, .r5), .halfSubtract(target, .r4))
    }
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

// The calls of `Linux` with what their errors mean for evidence.

extension BPFEvidence {
  /// Hands over the bytes of the kernel's types, which are gone afterwards.
  static func withTypes<Result>(
    _ path: String, mayMap: Bool = true, atMost limit: Int, _ body: (RawSpan) throws(BPFError) -> Result
  ) throws(BPFError) -> Result {
    let opened = try types(at: path)
    let file: WholeFile
    do throws(SystemError) {
      file = try WholeFile(opened, atMost: limit, mayMap: mayMap)
    } catch {
      throw error == .fileTooLarge ? .malformedTypes(offset: 0, .tooLarge) : .noTypes(path: path, error)
    }
    return try file.withBytes(body)
  }

  /// Loads a program and opens its iterator.
  ///
  /// - Parameter pid: the process whose descriptors alone `task_file` walks, Linux 6.1.
  static func open(_ program: [UInt64], for function: UInt32, of pid: Int32? = nil) throws(BPFError) -> Descriptor {
    let loaded = try load(program, for: function)
    let link: Descriptor
    do throws(SystemError) { link = try Descriptor(linking: loaded, of: pid) } catch {
      // E2BIG: the older kernel does not know the number of a process there.
      throw error == .argumentTooLong
        ? .unsupported(call: "BPF_LINK_CREATE of a process", error) : BPFError(call: "BPF_LINK_CREATE", error)
    }
    do throws(SystemError) { return try Descriptor(iterating: link) } catch {
      throw BPFError(call: "BPF_ITER_CREATE", error)
    }
  }

  /// The kernel lets only programs under a GPL-compatible licence read its structures (`license_is_gpl_compatible`).
  private static let license = "Dual MIT/GPL"

  private static func load(_ program: [UInt64], for function: UInt32) throws(BPFError) -> Descriptor {
    switch loadIterator(program, for: function, license: license) {
    case .loaded(let loaded): return loaded
    case .refusedByVerifier(let log): throw .verifierRefused(log: log)
    case .failed(.noSystemCall): throw .unsupported(call: "bpf(2)", .noSystemCall)
    case .failed(let error): throw BPFError(call: "BPF_PROG_LOAD", error)
    }
  }
}

extension BPFError {
  /// What an error of bpf(2) means.
  fileprivate init(call: String, _ error: SystemError) {
    switch error {
    case .notPermitted, .accessDenied: self = .notPermitted(missing: missingCapabilities())
    case .invalidArgument, .noSystemCall: self = .unsupported(call: call, error)
    default: self = .failed(call: call, error)
    }
  }
}

/// The names of the capabilities that the calling thread lacks: CAP_SYS_ADMIN stands for both.
func missingCapabilities() -> [String] {
  guard let effective = Capabilities.ofThisThread, !effective.contains(.sysAdmin) else { return [] }
  return [("CAP_BPF", Capabilities.bpf), ("CAP_PERFMON", .perfmon)].filter { !effective.contains($0.1) }.map(\.0)
}
