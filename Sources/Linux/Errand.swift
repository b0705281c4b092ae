import CLinux
import Glibc
package import SocketModel

// What may have to wait for another is done by a child process (CLinux/errand.h).

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

/// An errand that cannot be done.
package enum ErrandError: Error, Sendable, Hashable {
  /// It was not back in time, or an earlier one is not back yet.
  case noAnswer
  /// A system call failed.
  case failed(SystemError)
}

package enum Errand {
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
  /// - Parameter place: whether to ask for what tells where the socket is, too.
  /// - Returns: the answers by slot, and the number of the question that was not answered in time.
  package static func ask(
    _ questions: [SocketQuestion], slots: Int, place: Bool = false
  ) -> (answers: [SlotAnswer], silent: Int?) {
    var answers = [SlotAnswer](repeating: .notAsked, count: slots)
    let own = ownProcess()
    let ours = questions.enumerated().filter { $0.element.pid == own }
    for (number, question) in ours {
      if case .told = answers[question.slot] { continue }
      answers[question.slot] = askOwn(question, number, place)
    }
    let others = questions.enumerated().filter { number, question in
      if question.pid == own { return false }
      if case .told = answers[question.slot] { return false }
      return true
    }
    guard !others.isEmpty, let count = UInt32(exactly: others.count), let slotCount = UInt32(exactly: slots) else {
      return (answers, nil)
    }
    let words = others.map { _, question in
      portwhy_socket_question(
        process: question.pid, descriptor: question.descriptor, inode: question.inode, slot: UInt32(question.slot))
    }
    let wants = Int32(place ? PORTWHY_ASK_PLACE : PORTWHY_ASK_FLAGS)
    var errand = portwhy_errand()
    guard portwhy_start_asking(&errand, words, count, slotCount, wants) == 0, let state = errand.state else {
      return (answers, nil)
    }
    defer { portwhy_end_errand(&errand) }
    _ = portwhy_await(&errand, patience)
    let isDone = state.pointee.finished != 0
    let told = UnsafeBufferPointer(start: errand.answers, count: slots)
    for slot in told.indices {
      switch told[slot].error {
      case 0: answers[slot] = .told(SocketAnswer(told[slot]))
      case PORTWHY_NOT_ASKED: break
      case let error:
        let number = Int(told[slot].question)
        guard others.indices.contains(number) else { continue }
        answers[slot] = .refused(SystemError(rawValue: error), question: others[number].offset)
      }
    }
    let step = Int(state.pointee.step)
    return (answers, isDone || !others.indices.contains(step) ? nil : others[step].offset)
  }

  private static func askOwn(_ question: SocketQuestion, _ number: Int, _ place: Bool) -> SlotAnswer {
    do throws(SystemError) {
      let duplicate = try Descriptor(duplicating: question.descriptor)
      var answer = portwhy_socket_answer()
      let wants = Int32(place ? PORTWHY_ASK_PLACE : PORTWHY_ASK_FLAGS)
      let error = portwhy_ask_socket(duplicate.number, question.inode, wants, &answer)
      guard error == 0 else { throw SystemError(rawValue: error) }
      return .told(SocketAnswer(answer))
    } catch {
      return .refused(error, question: number)
    }
  }

  /// Reads a descriptor to its end and hands over its bytes, any number of whole records at a time.
  package static func read(
    _ descriptor: borrowing Descriptor, recordsOf byteCount: Int = 1, atMost limit: UInt64 = .max,
    _ body: (RawSpan) -> Void
  ) throws(ErrandError) {
    var errand = portwhy_errand()
    let error = portwhy_start_copying(&errand, descriptor.number, limit)
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
}
