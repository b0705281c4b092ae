import CProcessTestSupport
import Glibc

/// How the program is started: what a shell, a service manager or a careless parent would do.
struct Start {
  /// What one of the three standard descriptors is.
  enum Stream {
    /// Read to its end by the test.
    case pipe
    case closed
    /// A pipe that nobody reads any more.
    case closedPipe
    case file(String)
    /// A terminal of so many columns, read by the test; at most one.
    case terminal(columns: UInt16)
  }

  /// The words before the program's own, such as setpriv(1) with its options.
  var through: [String] = []
  var environment = ["PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"] + sanitizerOptions
  var input = Stream.file("/dev/null")
  var output = Stream.pipe
  var errors = Stream.pipe

  /// setpriv(1): the user nobody, with no privilege.
  static let asNobody = Start(
    through: ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
}

/// What became of a run.
struct Ending: Sendable, Hashable {
  /// The exit status, or 128 and the signal's number as a shell says it.
  var status: Int32
  var output: String
  var errors: String

  /// What was printed, but for how long ago a process was started, and for where the lines break: the width of that time
  /// moves it.
  var untimed: String { output.untimed.replacing(/\s+/, with: " ") }

  /// The first two lines, each with what hangs below it.
  var headline: String {
    let sections = ["why ", "bind ", "gets ", "rule ", "note ", "do ", "more "]
    let lines = lines.prefix { line in !line.isEmpty && !sections.contains { line.hasPrefix($0) } }
    return lines.map { $0.drop { $0 == " " } }.joined(separator: " ")
  }
  var lines: [Substring] { output.split(separator: "\n", omittingEmptySubsequences: false) }
}

extension String {
  /// The text without how long ago a process was started, in whatever unit: of two looks, one is the later.
  var untimed: String { replacing(/since \d+ (second|minute|hour|day)s?/, with: "since then") }
}

struct StartError: Error { var what: String }

/// Where SwiftPM put the running test bundle, and beside it every program of the package.
let testDirectory: String = {
  var buffer = [CChar](repeating: 0, count: 4096)
  let count = readlink("/proc/self/exe", &buffer, buffer.count)
  let path = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
}()

/// The binary that SwiftPM built, or another one that PORTWHY_BINARY names.
let portwhyBinary = getenv("PORTWHY_BINARY").map { String(cString: $0) } ?? testDirectory + "/portwhy"

/// Runs the built portwhy from the calling thread, so in its network namespace and under its filters, to its end.
func portwhy(_ arguments: [String], _ start: Start = Start()) throws -> Ending {
  try run(start.through + [portwhyBinary] + arguments, start)
}

func run(_ words: [String], _ start: Start) throws -> Ending {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  var readers: [Int32: Int32] = [:]
  var childEnds: [Int32] = []
  for (number, stream) in [(Int32(0), start.input), (1, start.output), (2, start.errors)] {
    switch stream {
    case .closed: posix_spawn_file_actions_addclose(&actions, number)
    case .file(let path): posix_spawn_file_actions_addopen(&actions, number, path, O_RDWR, 0)
    case .pipe, .closedPipe:
      let ends = try makePipe()
      posix_spawn_file_actions_adddup2(&actions, ends.write, number)
      childEnds.append(ends.write)
      if case .pipe = stream { readers[number] = ends.read } else { close(ends.read) }
    case .terminal(let columns):
      let ends = try makeTerminal(columns)
      posix_spawn_file_actions_adddup2(&actions, ends.child, number)
      childEnds.append(ends.child)
      readers[number] = ends.test
    }
  }
  // Swift Testing's threads block signals, and a child inherits that: a shell would wait for ever.
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var none = sigset_t()
  sigemptyset(&none)
  posix_spawnattr_setsigmask(&attributes, &none)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
  var pid: pid_t = 0
  let error = withWords(words) { arguments in
    withWords(start.environment) { posix_spawn(&pid, words[0], &actions, &attributes, arguments, $0) }
  }
  for end in childEnds { close(end) }
  defer { for reader in readers.values { close(reader) } }
  if error != 0 { throw StartError(what: "\(words[0]): \(String(cString: strerror(error)))") }
  let texts = readAll(readers, orKill: pid)
  var status: Int32 = 0
  waitpid(pid, &status, 0)
  return Ending(
    status: status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f,
    output: String(decoding: texts[1] ?? [], as: UTF8.self),
    errors: String(decoding: texts[2] ?? [], as: UTF8.self))
}

/// Reads all to their ends; after two minutes the child is killed, so that a test fails and does not hang.
private func readAll(_ readers: [Int32: Int32], orKill pid: pid_t) -> [Int32: [UInt8]] {
  var open = readers
  var texts: [Int32: [UInt8]] = [:]
  var buffer = [UInt8](repeating: 0, count: 65536)
  let end = ContinuousClock.now + .seconds(120)
  while !open.isEmpty {
    let numbers = Array(open.keys)
    var entries = numbers.map { pollfd(fd: open[$0] ?? -1, events: Int16(POLLIN), revents: 0) }
    _ = poll(&entries, nfds_t(entries.count), 500)
    if ContinuousClock.now > end { kill(pid, SIGKILL) }
    for (number, entry) in zip(numbers, entries) where entry.revents != 0 {
      let count = buffer.withUnsafeMutableBytes { read(entry.fd, $0.baseAddress, $0.count) }
      // A terminal whose other end is closed gives EIO.
      if count > 0 { texts[number, default: []] += buffer.prefix(count) } else { open[number] = nil }
    }
  }
  return texts
}

func makePipe() throws -> (read: Int32, write: Int32) {
  var ends: [Int32] = [0, 0]
  guard test_pipe(&ends) == 0 else { throw StartError(what: "pipe2") }
  return (ends[0], ends[1])
}

func makeTerminal(_ columns: UInt16) throws -> (test: Int32, child: Int32) {
  var ends: [Int32] = [0, 0]
  guard test_terminal(columns, &ends) == 0 else { throw StartError(what: "no pseudo-terminal") }
  return (ends[0], ends[1])
}

/// The words as execve(2) wants them.
func withWords<Result>(
  _ words: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
) rethrows -> Result {
  let copies = words.map { strdup($0) }
  defer { for copy in copies { free(copy) } }
  return try body(copies + [nil])
}
