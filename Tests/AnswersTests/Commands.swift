import Glibc
import SocketModel

/// Says on standard error what did not run, and why; in CI (environment variable CI) that is a failure.
func notRun(_ reason: String) throws {
  if getenv("CI") != nil { throw CommandError(words: [reason], status: -1) }
  let line = "NOT RUN: \(reason)\n"
  _ = line.withCString { write(2, $0, line.utf8.count) }
}

struct CommandError: Error {
  var words: [String]
  var status: Int32
}

/// Starts a command in the namespaces of the calling thread; `output` becomes its standard output.
func start(_ words: [String], output: Int32? = nil) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  if let output { posix_spawn_file_actions_adddup2(&actions, output, 1) }
  let arguments = words.map { (word: String) in strdup(word) }
  defer { arguments.forEach { free($0) } }
  var path = strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
  defer { free(path) }
  var pid = pid_t()
  let error = posix_spawnp(&pid, words[0], &actions, nil, arguments + [nil], [path, nil])
  path = path.map { $0 }
  guard error == 0 else { throw CommandError(words: words, status: error) }
  return pid
}

/// Runs a command to its end, which must be a success.
func run(_ words: String...) throws {
  let pid = try start(words)
  var status: Int32 = 0
  waitpid(pid, &status, 0)
  guard status == 0 else { throw CommandError(words: words, status: status) }
}

/// What a command prints, whatever its exit status.
func output(of words: [String]) throws -> String {
  var ends: [Int32] = [0, 0]
  guard pipe(&ends) == 0 else { throw SystemError(rawValue: errno) }
  let pid = try start(words, output: ends[1])
  close(ends[1])
  defer { close(ends[0]) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 4096)
  while true {
    let count = read(ends[0], &chunk, chunk.count)
    if count < 0 && errno == EINTR { continue }
    if count <= 0 { break }
    bytes += chunk[..<count]
  }
  waitpid(pid, nil, 0)
  return String(decoding: bytes, as: UTF8.self)
}

/// The program that was built beside these tests.
var program: String {
  var path = [CChar](repeating: 0, count: Int(PATH_MAX))
  let length = max(readlink("/proc/self/exe", &path, path.count - 1), 0)
  let tests = String(decoding: path[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return "/" + tests.split(separator: "/").dropLast().joined(separator: "/") + "/portwhy"
}

/// The inode of the network namespace behind a file.
func inode(_ path: String) -> UInt64? {
  var status = stat()
  return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
}

/// A TCP listener on 127.0.0.1 of some user.
func listener(_ port: Port, uid: UInt32 = 0, options: [Int32] = []) -> Int32 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  if uid != 0 { fchown(descriptor, uid, gid_t.max) }
  var on: Int32 = 1
  for option in options { setsockopt(descriptor, SOL_SOCKET, option, &on, 4) }
  var name = sockaddr_in()
  name.sin_family = sa_family_t(AF_INET)
  name.sin_port = port.rawValue.bigEndian
  name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  withUnsafeBytes(of: &name) { _ = bind(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, 16) }
  listen(descriptor, 1)
  return descriptor
}
