// The program of the iterator over every descriptor of every process (kernel/bpf/task_iter.c). Its context:
//   struct bpf_iter__task_file { struct bpf_iter_meta *meta; struct task_struct *task; u32 fd; struct file *file; }
// Threads that share their leader's descriptors are left out by the iterator.
//
// What makes a file a socket's: its inode's type is S_IFSOCK, its private data is a struct socket, and that points back
// to the file. bpf_sock_from_file() compares the file's operations with those of sockets instead, but exists only since
// 5.11, and the address to compare with is in /proc/kallsyms only, which takes longer to read than everything here;
// the way back from the socket needs nothing but the kernel's types. A descriptor opened with O_PATH has no private
// data, so it counts as none.

/// The program for `bpf_iter_task_file`: writes a record of every descriptor of a TCP, MPTCP or UDP socket whose local
/// port is in the range.
func holderProgram(_ layout: KernelLayout, _ ports: ClosedRange<UInt16>) throws(BPFError) -> [UInt64] {
  guard let files = layout.files else { throw .missingFromKernel("struct file with f_inode and private_data") }
  let stack = try ProgramStack(layout, scratchByteCount: max(files.socketSock.end, files.socketFile.end))
  var program = BPFAssembler()
  let leave = program.label()
  program.selectSocketFile(files, stack, else: leave)
  program.selectSocket(layout, files, ports, stack, else: leave)
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

extension BPFAssembler {
  /// Leaves ctx in r6, the file in r7, the address of its struct sock in r9.
  fileprivate mutating func selectSocketFile(_ files: KernelLayout.Files, _ stack: ProgramStack, else leave: Label) {
    func direct(_ field: BTFField) -> Int16 { Int16(truncatingIfNeeded: field.offset) }
    emit(.move(.r6, .r1), .load(.doubleword, .r7, .r6, 24))
    jump(if: .r7, .equal, 0, to: leave)
    emit(
      .load(.doubleword, .r1, .r7, direct(files.fileInode)), .load(.halfword, .r1, .r1, direct(files.inodeMode)),
      .and(.r1, constant: 0o170000))
    jump(if: .r1, .notEqual, 0o140000, to: leave)  // S_IFSOCK
    emit(.load(.doubleword, .r8, .r7, direct(files.filePrivateData)))
    jump(if: .r8, .equal, 0, to: leave)
    readKernel(to: stack.scratch(0), count: max(files.socketSock.end, files.socketFile.end), from: .r8)
    jump(if: .r0, .notEqual, 0, to: leave)
    emit(.load(.doubleword, .r1, .r10, stack.scratch(files.socketFile.offset)))
    jump(if: .r1, .notEqual, .r7, to: leave)
    emit(.load(.doubleword, .r9, .r10, stack.scratch(files.socketSock.offset)))
    jump(if: .r9, .equal, 0, to: leave)
  }

  /// Leaves in the record the start of the socket in r9, its protocol and uid. r8 is lost.
  fileprivate mutating func selectSocket(
    _ layout: KernelLayout, _ files: KernelLayout.Files, _ ports: ClosedRange<UInt16>, _ stack: ProgramStack,
    else leave: Label
  ) {
    let (inet, internet) = (label(), label())
    readKernel(to: stack.part(RecordLayout.common), count: layout.common.byteCount, from: .r9)
    jump(if: .r0, .notEqual, 0, to: leave)
    emit(.load(.halfword, .r1, .r10, stack.common(layout.common.family)))
    jump(if: .r1, .equal, 2, to: inet)  // AF_INET
    jump(if: .r1, .notEqual, 10, to: leave)  // AF_INET6
    place(inet)
    emit(.load(.halfword, .r1, .r10, stack.common(layout.common.port)))
    require(.r1, in: ports, else: leave)
    zero(stack.record..<stack.part(RecordLayout.common))
    zero(stack.bucket..<0)
    readKernel(
      to: stack.part(RecordLayout.transport), count: files.sockProtocol.bitCount / 8, from: .r9,
      offset: files.sockProtocol.offset)
    emit(.load(.word, .r1, .r10, stack.part(RecordLayout.transport)))
    for number: Int32 in [6, 17, 262] { jump(if: .r1, .equal, number, to: internet) }
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

  /// Leaves in the record the bucket of a TCP socket. The socket of an MPTCP descriptor has none of its own.
  fileprivate mutating func noteBucket(_ layout: KernelLayout, _ stack: ProgramStack) {
    guard let pointer = layout.bindHash else { return }
    let done = label()
    emit(.load(.word, .r1, .r10, stack.part(RecordLayout.transport)))
    jump(if: .r1, .notEqual, 6, to: done)  // IPPROTO_TCP
    readBucket(.r9, pointer, stack, layout)
    place(done)
  }
}
