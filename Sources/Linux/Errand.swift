import CLinux
import Glibc
package import SocketModel

/// A descriptor of a process that should be the socket `inode`.
package struct SocketQuestion: Sendable, Hashable {
  package var pid: Int32
  package var descriptor: Int32
  package var inode: UInt64
  /// Which socket it is: of all questions with one slot the first that is answered counts.
  package var slot: Int

  package init(pid: Int32, descriptor: Int32, inode: UInt64, slot: Int) {
    self.pid = pid
    self.descriptor = descriptor
    self.inode = inode
    self.slot = slot
  }
}

/// What came of one slot.
package enum SlotAnswer: Sendable, Hashable {
  case told(SocketAnswer)
  /// The errno of a refusal, and the question that met it.
  case refused(SystemError, question: Int)
  /// Nobody got there: an errand before it, or this one, was not back in time.
  case notAsked
}

/// What a socket is asked besides its reuse options.
package enum SocketWants: Sendable {
  case flags
  /// Where it is.
  case place
  /// All sockets several times in turn, by questions that wait for nobody: whether they stay as they are.
  case again

  fileprivate var number: Int32 {
    switch self {
    case .flags: Int32(PORTWHY_ASK_FLAGS)
    case .place: Int32(PORTWHY_ASK_PLACE)
    case .again: Int32(PORTWHY_ASK_AGAIN)
    }
  }
}

/// An errand that cannot be done.
package enum ErrandError: Error, Sendable, Hashable {
  /// It was not back in time, or an earlier one is not back yet.
  case noAnswer
  /// A system call failed.
  case failed(SystemError)
}

package enum Errand {
  /// Waits for the children that nothing more is asked of, at the end of a look.
  package static func reap() { portwhy_reap_children() }

  /// Why this thread could not start a child since it was asked last; nil where it could (clone(2), pipe(2), mmap(2)).
  package static func takeRefusal() -> SystemError? {
    let error = portwhy_take_refused_child()
    return error == 0 ? nil : SystemError(rawValue: error)
  }

  /// How long a child may sleep for others, in milliseconds, before an answer is given without it. The time in which it
  /// runs, or would run if a processor were free, does not count: a crowded or busy host is no reason.
  ///
  /// A socket's lock is held while bytes are copied from or to a process's memory. If a page of it has to come from a disk
  /// that takes 10 ms, up to 16 pages of 4 KiB come one after the other, 160 ms; what takes three times as long is
  /// not a host at work, and a person who waits for an answer sees half a second as the limit of "at once".
  package static let patience: UInt32 = 500

  /// Duplicates each descriptor (pidfd_getfd(2), Linux 5.6), one at a time, and asks it.
  ///
  /// Descriptors of this very process are asked without a child, which might not look at its parent (Yama).
  /// - Parameters:
  ///   - wants: what is asked besides the reuse options.
  ///   - files: who has read the files of the processes for this look, if anybody, and need not be started.
  /// - Returns: the answers by slot, and the number of the question that was not answered in time.
  package static func ask(
    _ questions: [SocketQuestion], slots: Int, _ wants: SocketWants = .flags, by files: ProcessFiles? = nil
  ) -> (answers: [SlotAnswer], silent: Int?) {
    var answers = [SlotAnswer](repeating: .notAsked, count: slots)
    let own = ownProcess()
    let ours = questions.enumerated().filter { $0.element.pid == own }
    for (number, question) in ours {
      if case .told = answers[question.slot] { continue }
      answers[question.slot] = askOwn(question, number, wants)
    }
    for _ in 0..<(wants == .again ? 10 : 0) {
      for (number, question) in ours {
        if case .told(var answer) = answers[question.slot], askOwn(question, number, wants) != .told(answer) {
          answer.hasChanged = true
          answers[question.slot] = .told(answer)
        }
      }
    }
    let others = questions.enumerated().filter { number, question in
      if question.pid == own { return false }
      if case .told = answers[question.slot] { return false }
      return true
    }
    var (silent, ownSlots) = askOthers(others, &answers, wants, by: portwhy_start_asking, files)
    let refused = others.filter { _, question in ownSlots.contains(question.slot) }
    if !refused.isEmpty {
      silent = askOthers(refused, &answers, wants, by: portwhy_start_asking_here).silent ?? silent
    }
    return (answers, silent)
  }

  private typealias StartAsking = (
    UnsafeMutablePointer<portwhy_errand>, UnsafePointer<portwhy_socket_question>, UInt32, UInt32, Int32
  ) -> Int32

  /// Has the questions asked with a deadline, and notes what comes of them.
  /// - Returns: the number of one that is not answered, and the slots which Yama keeps from all but this process: it lets an
  ///   ancestor look at a process, and none of its other children.
  private static func askOthers(
    _ questions: [(offset: Int, element: SocketQuestion)], _ answers: inout [SlotAnswer], _ wants: SocketWants,
    by start: StartAsking, _ files: ProcessFiles? = nil
  ) -> (silent: Int?, ownSlots: Set<Int>) {
    guard !questions.isEmpty, UInt32(exactly: questions.count) != nil,
      let slotCount = UInt32(exactly: answers.count)
    else { return (nil, []) }
    let words = questions.map { _, question in
      portwhy_socket_question(
        process: question.pid, descriptor: question.descriptor, inode: question.inode, slot: UInt32(question.slot))
    }
    let came =
      files?.ask(words, slots: answers.count, wants.number) ?? asked(words, slots: slotCount, wants, by: start)
    guard let (told, step) = came else { return (nil, []) }
    var ownSlots: Set<Int> = []
    for slot in told.indices {
      if told[slot].error != 0, told[slot].may_ask_itself != 0 { ownSlots.insert(slot) }
      switch told[slot].error {
      case 0: answers[slot] = .told(SocketAnswer(told[slot]))
      case PORTWHY_NOT_ASKED: break
      case let error:
        let number = Int(told[slot].question)
        guard questions.indices.contains(number) else { continue }
        answers[slot] = .refused(SystemError(rawValue: error), question: questions[number].offset)
      }
    }
    guard let step, questions.indices.contains(step) else { return (nil, ownSlots) }
    return (questions[step].offset, ownSlots)
  }

  /// Starts somebody who asks, and waits for him; nil where that cannot be done.
  private static func asked(
    _ words: [portwhy_socket_question], slots: UInt32, _ wants: SocketWants, by start: StartAsking
  ) -> (answers: [portwhy_socket_answer], silent: Int?)? {
    var errand = portwhy_errand()
    guard start(&errand, words, UInt32(words.count), slots, wants.number) == 0, let state = errand.state else {
      return nil
    }
    defer { portwhy_end_errand(&errand) }
    _ = portwhy_await(&errand, patience)
    let isDone = state.pointee.finished != 0
    let answers = Array(UnsafeBufferPointer(start: errand.answers, count: Int(slots)))
    return (answers, isDone ? nil : Int(state.pointee.step))
  }

  /// Has bind(2) and listen(2) tried with a descriptor that there is not.
  static func filteredCalls() -> FilteredCalls {
    var errand = portwhy_errand()
    guard portwhy_start_calling(&errand) == 0, let state = errand.state else { return FilteredCalls(areKnown: false) }
    defer { portwhy_end_errand(&errand) }
    _ = portwhy_await(&errand, patience)
    guard state.pointee.finished != 0 else { return FilteredCalls(areKnown: false) }
    let told = UnsafeBufferPointer(start: errand.answers, count: 2).map { SystemError(rawValue: $0.error) }
    return FilteredCalls(
      areKnown: true, bind: told[0] == .badDescriptor ? nil : told[0],
      listen: told[1] == .badDescriptor ? nil : told[1])
  }

  private static func askOwn(_ question: SocketQuestion, _ number: Int, _ wants: SocketWants) -> SlotAnswer {
    do throws(SystemError) {
      let duplicate = try Descriptor(duplicating: question.descriptor)
      var answer = portwhy_socket_answer()
      let error = portwhy_ask_socket(duplicate.number, question.inode, wants.number, &answer)
      guard error == 0 else { throw SystemError(rawValue: error) }
      return .told(SocketAnswer(answer))
    } catch {
      return .refused(error, question: number)
    }
  }

  /// Reads a descriptor to its end and hands over its bytes, any number of whole records at a time.
  package static func read(
    _ descriptor: borrowing Descriptor, recordsOf byteCount: Int = 1, _ body: (RawSpan) -> Void
  ) throws(ErrandError) {
    var errand = portwhy_errand()
    let error = portwhy_start_copying(&errand, descriptor.number)
    try collect(&errand, error, recordsOf: byteCount, body)
  }

  /// The memory of a thread, process_vm_readv(2), at most 128 bytes and as many as can be read at once.
  package static func memory(
    of thread: Int32, at address: UInt64, count: Int, within patience: UInt32
  ) throws(ErrandError) -> [UInt8] {
    var errand = portwhy_errand()
    var bytes: [UInt8] = []
    let error = portwhy_start_remembering(&errand, thread, address, UInt32(clamping: count))
    try collect(&errand, error, within: patience) { read in
      read.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }
    return bytes
  }

  /// Hands over what a child that was started with this error writes into its pipe, and ends it.
  private static func collect(
    _ errand: inout portwhy_errand, _ error: Int32, recordsOf byteCount: Int = 1, within patience: UInt32 = patience,
    _ body: (RawSpan) -> Void
  ) throws(ErrandError) {
    guard error == 0, let state = errand.state else {
      throw error == EBUSY ? .noAnswer : .failed(SystemError(rawValue: error))
    }
    defer { portwhy_end_errand(&errand) }
    let size = max(1 << 16, byteCount)
    var isSilent = false
    _ = [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
      initialized = 0
      var kept = 0
      while true {
        guard portwhy_await(&errand, patience) == 1 else {
          isSilent = true
          return
        }
        let got = Glibc.read(errand.pipe, buffer.baseAddress.map { $0 + kept }, size - kept)
        if got < 0, errno == EINTR { continue }
        if got <= 0 { return }
        let (end, whole) = (kept + got, (kept + got) / byteCount * byteCount)
        body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<whole]).bytes)
        kept = end - whole
        if kept > 0, let start = buffer.baseAddress { memmove(start, start + whole, kept) }
      }
    }
    if isSilent || state.pointee.finished == 0 { throw .noAnswer }
    if state.pointee.error != 0 { throw .failed(SystemError(rawValue: state.pointee.error)) }
  }

  /// Asks the kernel over netlink(7), from the calling thread's network namespace.
  /// - Returns: the answer to each request, in their order; nil where it did not come in time.
  package static func converse(_ requests: [NetlinkMessageToKernel]) throws(ErrandError) -> [NetlinkConversation?] {
    // The messages one after the other, at a place that stays.
    let bytes = requests.flatMap(\.bytes)
    var received: [UInt8] = []
    var failure: ErrandError?
    bytes.withUnsafeBytes { all in
      var place = 0
      let words = requests.map { request in
        defer { place += request.bytes.count }
        return portwhy_netlink_request(
          bus: request.bus, is_strict: request.isStrict ? 1 : 0, bytes: all.baseAddress.map { $0 + place },
          length: UInt32(clamping: request.bytes.count))
      }
      var errand = portwhy_errand()
      let error = portwhy_start_netlink(&errand, words, UInt32(clamping: words.count))
      do throws(ErrandError) {
        try collect(&errand, error) { bytes in bytes.withUnsafeBytes { received.append(contentsOf: $0) } }
      } catch {
        failure = error
      }
    }
    if let failure, failure != .noAnswer { throw failure }
    return conversations(in: received, count: requests.count)
  }

  /// Takes apart what `ask_kernel_all` writes.
  private static func conversations(in bytes: [UInt8], count: Int) -> [NetlinkConversation?] {
    var whole = [NetlinkConversation?](repeating: nil, count: count)
    var current = NetlinkConversation()
    let size = MemoryLayout<portwhy_netlink_frame>.size
    bytes.withUnsafeBytes { all in
      var place = 0
      while all.count - place >= size {
        let frame = all.loadUnaligned(fromByteOffset: place, as: portwhy_netlink_frame.self)
        place += size
        current.port = frame.port
        let length = Int(frame.length)
        if length > 0, all.count - place >= length {
          current.datagrams.append([UInt8](all[place..<place + length]))
          place += length
        } else if length == 0, whole.indices.contains(Int(frame.request)) {
          if frame.error != 0 {
            current.failure = (.init(frame.step), SystemError(rawValue: frame.error))
          }
          whole[Int(frame.request)] = current
          current = NetlinkConversation()
        } else {
          return
        }
      }
    }
    return whole
  }
}

/// A message for the kernel, and how it is sent.
package struct NetlinkMessageToKernel: Sendable {
  /// The netlink family of socket(2).
  package var bus: Int32
  /// NETLINK_GET_STRICT_CHK.
  package var isStrict: Bool
  package var bytes: [UInt8]

  package init(bus: Int32, isStrict: Bool, bytes: [UInt8]) {
    self.bus = bus
    self.isStrict = isStrict
    self.bytes = bytes
  }
}

/// What the kernel answered to one message.
package struct NetlinkConversation: Sendable {
  /// A system call that failed.
  package enum Step: Sendable {
    case socket, connect, send, receive

    init(_ number: Int32) {
      switch number {
      case Int32(PORTWHY_NETLINK_SOCKET): self = .socket
      case Int32(PORTWHY_NETLINK_CONNECT): self = .connect
      case Int32(PORTWHY_NETLINK_SEND): self = .send
      default: self = .receive
      }
    }
  }

  /// In the order in which they came.
  package var datagrams: [[UInt8]] = []
  /// Who asked, by the number of its port.
  package var port: UInt32 = 0
  /// What ended it early; nil where nothing did.
  package var failure: (step: Step, error: SystemError)?
}
