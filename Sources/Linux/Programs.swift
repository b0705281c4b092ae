import CLinux
import Glibc
package import SocketModel

/// What a program prints, run by its absolute path with an empty environment and no standard input, for at most two
/// seconds; nil where it is not there, fails, prints nothing, takes longer or prints more than 16 MiB.
package func output(of path: String, _ arguments: [String]) -> String? {
  guard path.hasPrefix("/"), access(path, X_OK) == 0, let (pid, pipe) = spawn(path, arguments) else { return nil }
  defer { close(pipe) }
  let text = readAll(pipe, seconds: 2, limit: 16 << 20)
  // A program that did not finish is stopped; it is our own child and not waited for yet, so the number is its own.
  if text == nil { kill(pid, SIGKILL) }
  var status: Int32 = 0
  // One that has closed its output ends; one that somebody keeps in the kernel (nft by the RTNL) is not waited for.
  while waitpid(pid, &status, text == nil ? WNOHANG : 0) < 0 && errno == EINTR {}
  guard status == 0, let text, !text.isEmpty else { return nil }
  return String(decoding: text, as: UTF8.self)
}

/// posix_spawn(3) with standard output in a pipe, whose other end is returned.
private func spawn(_ path: String, _ arguments: [String]) -> (pid: pid_t, pipe: Int32)? {
  var ends: [Int32] = [-1, -1]
  guard portwhy_pipe(&ends) == 0 else { return nil }
  defer { close(ends[1]) }
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
  // What this program ignores, another need not.
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var signals = sigset_t()
  sigemptyset(&signals)
  for number in [SIGPIPE, SIGXFSZ] { sigaddset(&signals, number) }
  posix_spawnattr_setsigdefault(&attributes, &signals)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
  var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
  defer { for word in words { free(word) } }
  var environment: [UnsafeMutablePointer<CChar>?] = [nil]
  var pid: pid_t = 0
  guard posix_spawn(&pid, path, &actions, &attributes, &words, &environment) == 0 else {
    close(ends[0])
    return nil
  }
  return (pid, ends[0])
}

/// Everything until the end; nil where that takes too long or is too much.
private func readAll(_ descriptor: Int32, seconds: Int32, limit: Int) -> [UInt8]? {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 64 << 10)
  let start = Clock.milliseconds
  while bytes.count <= limit {
    let passed = Int32(clamping: Clock.milliseconds &- start)
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let ready = poll(&wait, 1, max(0, seconds &* 1000 &- passed))
    if ready < 0, errno == EINTR { continue }
    guard ready > 0 else { return nil }
    let length = read(descriptor, &buffer, buffer.count)
    if length < 0, errno == EINTR { continue }
    guard length >= 0 else { return nil }
    if length == 0 { return bytes }
    bytes += buffer[..<length]
  }
  return nil
}

/// The words and the environment that execve(2) gave this program, every byte of them: for a program that this one runs.
package struct ProgramStart: @unchecked Sendable {
  /// Each list ends with a null pointer and is never changed.
  package let words: UnsafePointer<UnsafePointer<CChar>?>?
  package let environment: UnsafePointer<UnsafeMutablePointer<CChar>?>?

  /// Both have to stay as long as the program runs.
  package init(
    words: UnsafePointer<UnsafePointer<CChar>?>?, environment: UnsafePointer<UnsafeMutablePointer<CChar>?>?
  ) {
    self.words = words
    self.environment = environment
  }
}

/// Signals that end a wait in good order instead of killing the program, as long as this value lives.
///
/// A signal that is ignored stays so: nohup(1) and a shell's `&` mean it.
package struct StopSignals: ~Copyable {
  /// Readable when one has come; -1 where none is waited for.
  package let descriptor: Int32
  private var before = sigset_t()

  /// `numbers` as in signal(7); without any, or where there is no signalfd(2), nothing changes.
  package init(_ numbers: [Int32]) {
    descriptor =
      numbers.isEmpty ? -1 : portwhy_signal_descriptor(numbers, Int32(clamping: numbers.count), &before)
  }

  deinit {
    guard descriptor >= 0 else { return }
    var mask = before
    pthread_sigmask(SIG_SETMASK, &mask, nil)
    close(descriptor)
  }

  /// The number of a signal that has come; nil where none has.
  package func received() -> Int32? {
    guard descriptor >= 0 else { return nil }
    let number = portwhy_received_signal(descriptor)
    return number > 0 ? number : nil
  }
}

/// Waits until one of the descriptors can be read, or so many milliseconds have passed (poll(2)). Negative descriptors are
/// ignored, an error shows as readable, and a signal may end the wait early.
package func waitToRead(_ descriptors: [Int32], milliseconds: UInt64) {
  var waiting = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
  _ = poll(&waiting, nfds_t(waiting.count), Int32(clamping: milliseconds))
}

/// The clocks of clock_gettime(2) that are read here; 0 from one that cannot be read.
package enum Clock {
  /// CLOCK_MONOTONIC, which only goes forward: what is measured with.
  package static var microseconds: UInt64 { microseconds(CLOCK_MONOTONIC) ?? 0 }

  /// The same in milliseconds.
  package static var milliseconds: UInt64 { microseconds / 1000 }

  /// CLOCK_THREAD_CPUTIME_ID: the processor time of this thread; the end of time where it cannot be read.
  package static var processorMicroseconds: UInt64 { microseconds(CLOCK_THREAD_CPUTIME_ID) ?? .max }

  /// CLOCK_REALTIME: seconds since the epoch.
  package static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// When the host was booted, in seconds since the epoch by today's clock: what the start times of proc_pid_stat(5) count
  /// from (CLOCK_BOOTTIME). Nil where that clock cannot be read.
  package static var boot: Double? { microseconds(CLOCK_BOOTTIME).map { now - Double($0) / 1e6 } }

  /// The unit of these times, sysconf(3): `_SC_CLK_TCK`.
  package static var ticksPerSecond: Double { Double(max(1, sysconf(Int32(_SC_CLK_TCK)))) }

  private static func microseconds(_ clock: clockid_t) -> UInt64? {
    var time = timespec()
    guard clock_gettime(clock, &time) == 0 else { return nil }
    return UInt64(clamping: time.tv_sec) &* 1_000_000 &+ UInt64(clamping: time.tv_nsec / 1000)
  }
}

/// Has to be called first of all: remembers the signals that a command started later is to have.
package func rememberSignals() { portwhy_remember_signals() }

/// getopt_long(3), over words and rows as values.
package enum LongOptions {
  /// has_arg of getopt_long(3).
  package enum Argument: Int32, Sendable, Hashable {
    case none = 0
    case required = 1
    case optional = 2
  }

  /// What one call answered.
  package struct Step: Sendable, Hashable {
    /// What it returned: a letter, `firstCode` and the number of the row of a long option, 1 for an operand, `?` or `:` for
    /// what is wrong, -1 at the end.
    package var code: Int32
    /// optopt.
    package var option: Int32
    /// optarg.
    package var value: String?
    /// optind: the number of the next word, that of the program's name being 0.
    package var next: Int
  }

  /// Long options have the codes from here on, letters their own.
  package static let firstCode: Int32 = 256

  /// Every answer in the order typed, the last with code -1.
  ///
  /// - Parameters:
  ///   - names: the long option of each row and its argument; nil for a row with a letter alone.
  ///   - letters: the option string of getopt(3).
  package static func steps(
    of words: [String], names rows: [(name: String, argument: Argument)?], letters string: String
  ) -> [Step] {
    var bytes: [CChar] = []
    func append(_ text: String) -> Int {
      let start = bytes.count
      for byte in text.utf8 { bytes.append(CChar(bitPattern: byte)) }
      bytes.append(0)
      return start
    }
    let program = append("portwhy")
    let starts = words.map(append)
    let names = rows.map { row in row.map { append($0.name) } }
    let letters = append(string)
    return unsafe bytes.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return [] }
      var arguments: [UnsafeMutablePointer<CChar>?] = unsafe [base + program]
      for start in starts { unsafe arguments.append(base + start) }
      unsafe arguments.append(nil)
      var options: [option] = unsafe []
      for (number, name) in names.enumerated() {
        guard let name, let row = rows[number] else { continue }
        unsafe options.append(
          option(name: base + name, has_arg: row.argument.rawValue, flag: nil, val: firstCode + Int32(number)))
      }
      unsafe options.append(option())
      portwhy_getopt_begin()
      defer { portwhy_getopt_end() }
      var steps: [Step] = []
      while true {
        let step = unsafe portwhy_getopt_next(Int32(words.count + 1), arguments, base + letters, options)
        let value = unsafe step.value.map { unsafe String(cString: $0) }
        unsafe steps.append(Step(code: step.code, option: step.option, value: value, next: Int(step.next)))
        if unsafe step.code == -1 { return steps }
      }
    }
  }
}

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
  /// - Parameter wants: what is asked besides the reuse options.
  /// - Returns: the answers by slot, and the number of the question that was not answered in time.
  package static func ask(
    _ questions: [SocketQuestion], slots: Int, _ wants: SocketWants = .flags
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
    var silent = askOthers(others, &answers, wants, by: portwhy_start_asking)
    let refused = others.filter { _, question in
      guard case .refused(.notPermitted, _) = answers[question.slot] else { return false }
      return portwhy_descends(question.pid) != 0
    }
    if !refused.isEmpty {
      // Yama lets an ancestor look at a process, and none of its other children.
      silent = askOthers(refused, &answers, wants, by: portwhy_start_asking_here) ?? silent
    }
    return (answers, silent)
  }

  private typealias StartAsking = (
    UnsafeMutablePointer<portwhy_errand>, UnsafePointer<portwhy_socket_question>, UInt32, UInt32, Int32
  ) -> Int32

  /// Has the questions asked with a deadline, and notes what comes of them; the number of one that is not answered.
  private static func askOthers(
    _ questions: [(offset: Int, element: SocketQuestion)], _ answers: inout [SlotAnswer], _ wants: SocketWants,
    by start: StartAsking
  ) -> Int? {
    guard !questions.isEmpty, let count = UInt32(exactly: questions.count),
      let slotCount = UInt32(exactly: answers.count)
    else { return nil }
    let words = questions.map { _, question in
      portwhy_socket_question(
        process: question.pid, descriptor: question.descriptor, inode: question.inode, slot: UInt32(question.slot))
    }
    var errand = portwhy_errand()
    guard start(&errand, words, count, slotCount, wants.number) == 0, let state = errand.state else { return nil }
    defer { portwhy_end_errand(&errand) }
    _ = portwhy_await(&errand, patience)
    let isDone = state.pointee.finished != 0
    let told = UnsafeBufferPointer(start: errand.answers, count: answers.count)
    for slot in told.indices {
      switch told[slot].error {
      case 0: answers[slot] = .told(SocketAnswer(told[slot]))
      case PORTWHY_NOT_ASKED: break
      case let error:
        let number = Int(told[slot].question)
        guard questions.indices.contains(number) else { continue }
        answers[slot] = .refused(SystemError(rawValue: error), question: questions[number].offset)
      }
    }
    let step = Int(state.pointee.step)
    return isDone || !questions.indices.contains(step) ? nil : questions[step].offset
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
    let error = portwhy_start_copying(&errand, Int32(PORTWHY_ERRAND_SOCKETS), descriptor.number, .max)
    try collect(&errand, error, recordsOf: byteCount, body)
  }

  /// The first bytes of a file of /proc that calls what belongs to another process: its memory, its descriptors.
  package static func contents(of file: borrowing Descriptor, atMost limit: UInt64) throws(ErrandError) -> [UInt8] {
    var errand = portwhy_errand()
    let error = portwhy_start_copying(&errand, Int32(PORTWHY_ERRAND_FILES), file.number, limit)
    var text: [UInt8] = []
    try collect(&errand, error) { bytes in bytes.withUnsafeBytes { text.append(contentsOf: $0) } }
    return text
  }

  /// Hands over what a child that was started with this error writes into its pipe, and ends it.
  private static func collect(
    _ errand: inout portwhy_errand, _ error: Int32, recordsOf byteCount: Int = 1, _ body: (RawSpan) -> Void
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
