import CProcessTestSupport
import Glibc

/// portwhy while it runs: what it has written so far, and a way to end it.
struct RunningProgram: ~Copyable {
  let pid: pid_t
  private let output: Int32
  private let errors: Int32
  private(set) var written: [UInt8] = []
  private(set) var complaints: [UInt8] = []
  private var ending: Int32?

  /// Starts it from the calling thread, so in its network namespace; one of the two streams may be a terminal.
  init(
    _ arguments: [String], through: [String] = [], outputIsTerminal: Bool = false, errorsAreTerminal: Bool = false
  ) throws {
    let first = try outputIsTerminal ? makeTerminal(80) : makePipeAsTerminal()
    let second = try errorsAreTerminal ? makeTerminal(80) : makePipeAsTerminal()
    let child = try spawn(through + [portwhyBinary] + arguments, output: first.child, errors: second.child)
    pid = child
    output = first.test
    errors = second.test
  }

  deinit {
    if ending == nil {
      kill(pid, SIGKILL)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
    }
    if output >= 0 { close(output) }
    close(errors)
  }

  func send(_ signal: Int32) { kill(pid, signal) }

  /// Reads until the condition holds or half a minute is over; whether it held.
  mutating func read(until isEnough: (_ output: String, _ errors: String) -> Bool) -> Bool {
    let end = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < end {
      if isEnough(text, errorText) { return true }
      take(milliseconds: 50)
    }
    return false
  }

  /// The exit status, or 128 and the number of the signal that killed it, negative for the latter: what a shell
  /// cannot tell apart. Nil after so many seconds.
  mutating func wait(seconds: Int) -> Int32? {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      var status: Int32 = 0
      if waitpid(pid, &status, WNOHANG) == pid {
        ending = status
        take(milliseconds: 0)
        return status & 0x7f == 0 ? status >> 8 & 0xff : -(128 + status & 0x7f)
      }
      take(milliseconds: 5)
    }
    return nil
  }

  var text: String { String(decoding: written, as: UTF8.self) }
  var errorText: String { String(decoding: complaints, as: UTF8.self) }

  /// The fewest descriptors it holds in half a second: those of no look.
  mutating func fewestDescriptors() -> Int {
    (0..<25).map { _ in
      take(milliseconds: 20)
      return descriptors.count
    }.min() ?? 0
  }

  /// The numbers in /proc/PID/fd.
  private var descriptors: [String] {
    guard let directory = opendir("/proc/\(pid)/fd") else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) { tuple in
          tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names.sorted()
  }

  /// Ticks of processor time used, user and system (`/proc/PID/stat`, fields 14 and 15; 100 a second).
  var processorTicks: Int {
    guard let file = fopen("/proc/\(pid)/stat", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 1024)
    guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
    let fields =
      String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      .split(separator: ")").last?.split(separator: " ") ?? []
    return fields.count > 12 ? (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0) : 0
  }

  private mutating func take(milliseconds: Int32) {
    var entries = [
      pollfd(fd: output, events: Int16(POLLIN), revents: 0), pollfd(fd: errors, events: Int16(POLLIN), revents: 0),
    ]
    guard poll(&entries, 2, milliseconds) > 0 else { return }
    var buffer = [UInt8](repeating: 0, count: 65536)
    for (index, entry) in entries.enumerated() where entry.revents != 0 {
      let count = buffer.withUnsafeMutableBytes { Glibc.read(entry.fd, $0.baseAddress, $0.count) }
      if count <= 0 {
        usleep(1000)
      } else if index == 0 {
        written += buffer.prefix(count)
      } else {
        complaints += buffer.prefix(count)
      }
    }
  }
}

private func spawn(_ words: [String], output: Int32, errors: Int32) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_adddup2(&actions, output, 1)
  posix_spawn_file_actions_adddup2(&actions, errors, 2)
  // Swift Testing's threads block signals, and a child inherits that.
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var none = sigset_t()
  sigemptyset(&none)
  posix_spawnattr_setsigmask(&attributes, &none)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
  var child: pid_t = 0
  let error = withWords(words) { arguments in
    withWords(["PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TERM=xterm"]) {
      posix_spawn(&child, words[0], &actions, &attributes, arguments, $0)
    }
  }
  close(output)
  close(errors)
  guard error == 0 else { throw StartError(what: "\(words[0]): \(String(cString: strerror(error)))") }
  return child
}

private func makePipeAsTerminal() throws -> (test: Int32, child: Int32) {
  let ends = try makePipe()
  return (ends.read, ends.write)
}
