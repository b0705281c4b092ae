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
  while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
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

/// A set of capabilities(7): bit n is capability n.
package struct Capabilities: OptionSet, Sendable, Hashable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }

  /// CAP_NET_BIND_SERVICE.
  package static let netBindService = Capabilities(rawValue: 1 << 10)
  /// CAP_SYS_PTRACE.
  package static let sysPtrace = Capabilities(rawValue: 1 << 19)
  /// CAP_SYS_ADMIN.
  package static let sysAdmin = Capabilities(rawValue: 1 << 21)
  /// CAP_PERFMON, Linux 5.8.
  package static let perfmon = Capabilities(rawValue: 1 << 38)
  /// CAP_BPF, Linux 5.8.
  package static let bpf = Capabilities(rawValue: 1 << 39)

  /// The effective set of the calling thread, capget(2); nil where a filter forbids to ask.
  package static var ofThisThread: Capabilities? {
    var effective: UInt64 = 0
    return portwhy_effective_capabilities(&effective) == 0 ? Capabilities(rawValue: effective) : nil
  }

  /// Whether CAP_NET_BIND_SERVICE is in the bounding set of the calling thread: what a program of root, or one with file
  /// capabilities, may get at execve(2). prctl(2) PR_CAPBSET_READ; nil where a filter forbids to ask.
  package static var boundsHaveNetBindService: Bool? {
    let answer = portwhy_bounding_capability(10)
    return answer < 0 ? nil : answer == 1
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
