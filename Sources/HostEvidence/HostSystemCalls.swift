import CNetlink
import Glibc
import Netlink
public import SocketModel

// The only system calls of this target. They read, make a socket that binds nothing, or move a thread of their own.

/// What reading a small file of /proc or /sys gave.
enum FileText: Equatable {
  case text(String)
  /// There is no such file (ENOENT, ENOTDIR).
  case absent
  /// It may not be or could not be read.
  case unreadable
}

/// The whole text of a file; invalid UTF-8 is replaced. One that does not end within 1 MiB is none of /proc or /sys.
func readText(_ path: String) -> FileText {
  let descriptor = openForReading(path)
  guard descriptor >= 0 else { return errno == ENOENT || errno == ENOTDIR ? .absent : .unreadable }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 4096)
  while bytes.count <= 1 << 20 {
    let length = read(descriptor, &chunk, chunk.count)
    if length == 0 { return .text(String(decoding: bytes, as: UTF8.self)) }
    if length < 0, errno != EINTR { return .unreadable }
    bytes += chunk[..<max(length, 0)]
  }
  return .unreadable
}

/// Whether there is such a file or directory, as far as the reader may see (access(2)).
func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// The running kernel's version, uname(2); 0.0 where it cannot be read.
func kernelVersion() -> KernelVersion {
  func text(_ field: UnsafeRawBufferPointer) -> String { String(decoding: field.prefix { $0 != 0 }, as: UTF8.self) }
  var name = utsname()
  let release = uname(&name) == 0 ? withUnsafeBytes(of: name.release, text) : ""
  return KernelVersion(release: release, version: withUnsafeBytes(of: name.version, text))
    ?? KernelVersion(major: 0, minor: 0, release: release)
}

/// An environment variable; nil where it is not set.
func environmentVariable(_ name: String) -> String? {
  guard let value = getenv(name) else { return nil }
  return String(cString: value)
}

/// IPV6_V6ONLY of a new socket, which is net.ipv6.bindv6only where /proc does not show it; nil without IPv6.
func freshSocketIsV6only() -> Bool? {
  let descriptor = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  let ipv6Level: Int32 = 41  // IPPROTO_IPV6
  var (value, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
  guard getsockopt(descriptor, ipv6Level, IPV6_V6ONLY, &value, &length) == 0 else { return nil }
  return value != 0
}

/// Whether socket(2) makes AF_INET6 sockets; nil where it fails for a reason that says nothing about that.
func canMakeIPv6Socket() -> Bool? {
  let descriptor = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  guard descriptor >= 0 else { return errno == EAFNOSUPPORT ? false : nil }
  close(descriptor)
  return true
}

/// A namespace, told apart from others by device and inode (namespaces(7)).
struct NamespaceID: Hashable {
  var device: UInt64
  var inode: UInt64
}

/// The namespace behind a /proc/PID/ns file; nil where it cannot be looked at.
func namespaceID(_ path: String) -> NamespaceID? {
  var status = stat()
  guard stat(path, &status) == 0 else { return nil }
  return NamespaceID(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
}

private func namespaceID(descriptor: Int32) -> NamespaceID? {
  var status = stat()
  guard fstat(descriptor, &status) == 0 else { return nil }
  return NamespaceID(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
}

/// How the reader stands to the user namespace that owns a network namespace.
enum NamespaceRelation: Equatable {
  /// It is the reader's own: the reader's capabilities count there.
  case own
  /// It is a descendant: the reader's capabilities count there. The effective uid that made the descendant that is the
  /// reader's child, be it this one or one between, holds every capability there (user_namespaces(7)).
  case below(maker: UInt32)
  /// It is not below the reader's own: no capability counts there.
  case outside
}

/// Follows what `ns_capable()` follows: from the owner of the network namespace up to the reader's own.
func relation(ofNetworkNamespace networkPath: String, toUserNamespace userPath: String) -> NamespaceRelation? {
  guard let own = namespaceID(userPath) else { return nil }
  let network = openForReading(networkPath)
  guard network >= 0 else { return nil }
  defer { close(network) }
  var current = portwhy_ns_get_userns(network)
  // EPERM: the owner lies outside of what the reader's user namespace contains (ns_get_owner).
  guard current >= 0 else { return errno == EPERM ? .outside : nil }
  defer { close(current) }
  var isBelow = false
  var owner: uid_t = 0
  while let identity = namespaceID(descriptor: current) {
    if identity == own { return isBelow ? .below(maker: owner) : .own }
    guard portwhy_ns_get_owner_uid(current, &owner) == 0 else { return nil }
    isBelow = true
    let parent = portwhy_ns_get_parent(current)
    guard parent >= 0 else { return errno == EPERM ? .outside : nil }
    close(current)
    current = parent
  }
  return nil
}

private func openForReading(_ path: String) -> Int32 { open(path, O_RDONLY | O_CLOEXEC) }

/// if_nametoindex(3), which knows the alternative names of interfaces too (ip-link(8), `property add`); nil for none.
public func interfaceIndex(named name: String) -> InterfaceIndex? { InterfaceIndex(kernel: if_nametoindex(name)) }

/// geteuid(2).
func effectiveUser() -> UInt32 { geteuid() }

/// Whether programs of BPF_CGROUP_INET4_BIND or BPF_CGROUP_INET6_BIND are in effect for a cgroup2 directory; nil
/// where the kernel does not say, as to all who lack CAP_NET_ADMIN.
func hasBindPrograms(controlGroup path: String) -> Bool? {
  let directory = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
  guard directory >= 0 else { return nil }
  defer { close(directory) }
  let counts = [UInt32(8), 9].map { portwhy_cgroup_programs(directory, $0) }
  return counts.allSatisfy { $0 >= 0 } ? counts.contains { $0 > 0 } : nil
}

// MARK: - Another network namespace

/// An open file of nsfs that is a network namespace.
struct NamespaceFile: ~Copyable {
  private let descriptor: Int32

  /// Opens the first of the paths that exists. Without O_NONBLOCK a FIFO would wait for a writer.
  init(_ paths: [String]) throws(NamespaceEntryError) {
    var opened: Int32 = -1
    for path in paths where opened < 0 {
      opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
      if opened < 0 && errno != ENOENT && errno != ENOTDIR && errno != ESRCH { break }
    }
    guard opened >= 0 else {
      let error = SystemError(rawValue: errno)
      switch error.rawValue {
      case ENOENT, ENOTDIR, ESRCH: throw .absent
      case EACCES, EPERM: throw .mayNotOpen(error)
      case ENXIO, ELOOP, ENAMETOOLONG: throw .noNetworkNamespace
      default: throw .failed("open", error)
      }
    }
    guard portwhy_is_network_namespace(opened) != 0 else {
      close(opened)
      throw .noNetworkNamespace
    }
    descriptor = opened
  }

  deinit { close(descriptor) }

  /// setns(2) of the calling thread.
  borrowing func enter() throws(NamespaceEntryError) {
    guard portwhy_setns_network(descriptor) != 0 else { return }
    let error = SystemError(rawValue: errno)
    throw error == .notPermitted ? .mayNotEnter : .failed("setns", error)
  }
}

/// Runs `body` on a thread of its own and waits for its end (pthread_create(3), pthread_join(3)).
func onOwnThread(_ body: () -> Void) throws(SystemError) {
  var failure: Int32 = 0
  withoutActuallyEscaping(body) { body in
    var work = body
    withUnsafeMutablePointer(to: &work) { pointer in
      var thread = pthread_t()
      failure = pthread_create(
        &thread, nil,
        { raw in
          raw?.assumingMemoryBound(to: (() -> Void).self).pointee()
          return nil
        }, pointer)
      if failure == 0 { pthread_join(thread, nil) }
    }
  }
  if failure != 0 { throw SystemError(rawValue: failure) }
}

/// What a program prints, run by its absolute path with an empty environment and no standard input, for at most two
/// seconds; nil where it is not there, fails, prints nothing, takes longer or prints more than 16 MiB.
func output(of path: String, _ arguments: [String]) -> String? {
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
  let start = MonotonicClock.milliseconds
  while bytes.count <= limit {
    let passed = Int32(clamping: MonotonicClock.milliseconds &- start)
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
