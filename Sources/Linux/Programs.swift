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
