import Glibc
import Testing

/// A directory that looks like /proc.
struct FakeProc: Sendable {
  let root: String

  init() throws {
    var template = Array("/tmp/process-evidence-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    root = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    chmod(root, 0o755)
  }

  func remove() {
    // Only what this value made is below root, links included; they are not followed.
    var status: Int32 = 0
    var pid: pid_t = 0
    let arguments = ["/bin/rm", "-rf", "--one-file-system", root]
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    if posix_spawn(&pid, "/bin/rm", nil, nil, words, environ) == 0 { waitpid(pid, &status, 0) }
  }

  func directory(_ path: String, mode: mode_t = 0o755) {
    var whole = root
    for word in path.split(separator: "/") {
      whole += "/\(word)"
      mkdir(whole, 0o755)
    }
    chmod(whole, mode)
  }

  func file(_ path: String, _ bytes: some Sequence<UInt8>) {
    let descriptor = open("\(root)/\(path)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    let bytes = Array(bytes)
    write(descriptor, bytes, bytes.count)
    close(descriptor)
  }

  func link(_ path: String, to target: String) {
    #expect(symlink(target, "\(root)/\(path)") == 0, "symlink \(path): errno \(errno)")
  }

  /// A process with these descriptors: number and link target.
  func process(
    _ pid: Int32, _ descriptors: [(String, String)], command: [UInt8] = Array("server\n".utf8),
    executable: String? = "/usr/sbin/server", controlGroup: String = "0::/\n"
  ) {
    directory("\(pid)/fd")
    for (number, target) in descriptors { link("\(pid)/fd/\(number)", to: target) }
    file("\(pid)/comm", command)
    file("\(pid)/cgroup", controlGroup.utf8)
    if let executable { link("\(pid)/exe", to: executable) }
  }

  /// The real process under its real number.
  func realProcess(_ pid: Int32) { link("\(pid)", to: "/proc/\(pid)") }

  func yama(scope: Int) {
    directory("sys/kernel/yama")
    file("sys/kernel/yama/ptrace_scope", "\(scope)\n".utf8)
  }
}

func withFakeProc<Result>(_ body: (FakeProc) throws -> Result) throws -> Result {
  let proc = try FakeProc()
  defer { proc.remove() }
  return try body(proc)
}
