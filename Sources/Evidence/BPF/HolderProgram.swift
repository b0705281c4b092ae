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
  program.noteBucket(layout, stack)
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
    if let uid = files.sockUID, uid.bitCount == 32 {
      readKernel(to: stack.part(RecordLayout.uid), count: 4, from: .r9, offset: uid.offset)
    }
    emit(.store(.doubleword, .r10, stack.part(RecordLayout.address), .r9))
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
  /// first subflow, which is what bind(2) bound, has one. r9 is lost.
  fileprivate mutating func noteBucket(_ layout: KernelLayout, _ stack: ProgramStack) {
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
    } else {
      jump(to: done)
    }
    place(isTCP)
    readBucket(.r9, pointer, stack, layout)
    place(done)
  }
}
