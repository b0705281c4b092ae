import CLinux
import Glibc

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
  /// usleep(3).
  package static func pause(microseconds: UInt32) { usleep(microseconds) }

  /// CLOCK_MONOTONIC, which only goes forward: what is measured with.
  package static var microseconds: UInt64 { microseconds(CLOCK_MONOTONIC) ?? 0 }

  /// The same in milliseconds.
  package static var milliseconds: UInt64 { microseconds / 1000 }

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
