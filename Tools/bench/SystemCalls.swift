import CKernelLab
import Glibc
import SocketModel

// The only file of the bench that touches memory through pointers.

struct BenchError: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// A pipe, both ends close-on-exec.
struct PipeEnds: Sendable {
  var read: Int32
  var write: Int32

  func closeReading() { close(read) }
  func closeWriting() { close(write) }
}

/// What a started program gets as a standard stream.
enum Stream: Sendable {
  case descriptor(Int32)
  case null
}

/// What wait4(2) says of a process that has ended.
struct Usage: Sendable {
  /// The exit status, or 128 and the number of the signal that ended it.
  var status: Int32
  /// Microseconds.
  var user: Double
  var system: Double
  /// KiB.
  var peakMemory: Int
}

private func lastError(_ call: String) -> BenchError {
  BenchError("\(call): \(SystemError(rawValue: errno))")
}

enum SystemCalls {
  static func pipe() throws(BenchError) -> PipeEnds {
    var ends: [Int32] = [-1, -1]
    if kernellab_pipe(&ends) != 0 { throw lastError("pipe2") }
    return PipeEnds(read: ends[0], write: ends[1])
  }

  /// posix_spawnp(3), in the network namespace of the calling thread; the process id.
  static func start(
    _ words: [String], input: Stream = .null, output: Stream = .null, errors: Stream? = nil
  ) throws(BenchError) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, stream) in [(Int32(0), input), (1, output), (2, errors)] as [(Int32, Stream?)] {
      switch stream {
      case .descriptor(let descriptor): posix_spawn_file_actions_adddup2(&actions, descriptor, number)
      case .null: posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
      case nil: break
      }
    }
    var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    var process: pid_t = 0
    let failure = posix_spawnp(&process, words[0], &actions, nil, pointers, environ)
    if failure != 0 { throw BenchError("\(words[0]): \(SystemError(rawValue: failure))") }
    return process
  }

  /// fork(2) and exec: unlike after posix_spawn(3), the peak memory is not at least that of this program, whose
  /// memory a vfork'ed child shares (`setmax_mm_hiwater_rss` in `exec_mmap`).
  static func startCopied(_ words: [String]) throws(BenchError) -> Int32 {
    var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    let process = kernellab_fork_and_run(&pointers)
    if process < 0 { throw lastError("fork") }
    return process
  }

  /// wait4(2).
  static func wait(for process: Int32) -> Usage {
    var status: Int32 = 0
    var usage = rusage()
    while wait4(process, &status, 0, &usage) < 0, errno == EINTR {}
    return Usage(
      status: status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f,
      user: Double(usage.ru_utime.tv_sec) * 1e6 + Double(usage.ru_utime.tv_usec),
      system: Double(usage.ru_stime.tv_sec) * 1e6 + Double(usage.ru_stime.tv_usec),
      peakMemory: usage.ru_maxrss)
  }

  /// CLOCK_MONOTONIC in microseconds.
  static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
  }

  /// Today, in UTC, as 2026-01-31 12:00.
  static func date() -> String {
    var seconds = time(nil)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min))"
  }

  /// Raises RLIMIT_NOFILE of this process, where that is needed.
  static func allowDescriptors(_ count: Int) throws(BenchError) {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(7), &limit)
    guard limit.rlim_cur < rlim_t(count) else { return }
    limit.rlim_cur = rlim_t(count)
    limit.rlim_max = max(limit.rlim_max, limit.rlim_cur)
    if setrlimit(__rlimit_resource_t(7), &limit) != 0 { throw lastError("setrlimit") }
  }

  /// Opens /dev/null and never closes it.
  static func openNull() throws(BenchError) {
    if open("/dev/null", O_RDONLY | O_CLOEXEC) < 0 { throw lastError("open") }
  }

  /// One byte on standard output, which is then closed; then waits for the end of standard input.
  static func tellReadyAndWait() {
    var byte: UInt8 = 0x2e
    _ = write(STDOUT_FILENO, &byte, 1)
    close(STDOUT_FILENO)
    while read(STDIN_FILENO, &byte, 1) > 0 || errno == EINTR { errno = 0 }
  }

  static func readToEnd(_ descriptor: Int32) throws(BenchError) -> [UInt8] {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count == 0 { return all }
      if count > 0 { all += buffer.prefix(count) } else if errno != EINTR { throw lastError("read") }
    }
  }

  /// A whole file as text; empty where it cannot be read.
  static func text(ofFile path: String) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { return "" }
    defer { close(descriptor) }
    return String(decoding: (try? readToEnd(descriptor)) ?? [], as: UTF8.self)
  }

  static func replaceFile(_ path: String, _ text: String) throws(BenchError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw lastError(path) }
    defer { close(descriptor) }
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno != EINTR { throw lastError(path) }
      bytes = bytes.dropFirst(max(0, count))
    }
  }

  /// In bytes; 0 where there is none.
  static func size(ofFile path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  static func remove(_ path: String) { unlink(path) }

  static func ownProcess() -> Int32 { getpid() }

  /// The path of this program; `/proc/self/exe` would be another's in a child of a child.
  static func ownProgram() -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Whether the word is a program: a path, or a name in a directory of PATH.
  static func isInstalled(_ word: String) -> Bool {
    if word.contains("/") { return access(word, X_OK) == 0 }
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    return path.split(separator: ":").contains { access("\($0)/\(word)", X_OK) == 0 }
  }

  /// Which processes there are: the numbers in /proc.
  static func processCount() -> Int {
    guard let directory = opendir("/proc") else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
      if (0x30...0x39).contains(entry.pointee.d_name.0) { count += 1 }
    }
    return count
  }
}

/// One line on standard error.
func say(_ line: String) {
  let bytes = Array((line + "\n").utf8)
  _ = write(STDERR_FILENO, bytes, bytes.count)
}
