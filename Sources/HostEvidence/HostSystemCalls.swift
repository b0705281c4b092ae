import CNetlink
import Glibc
import SocketModel

// The only system calls of this target. They read, make a socket that binds nothing, or move a thread of their own.

/// What reading a small file of /proc or /sys gave.
enum FileText: Equatable {
  case text(String)
  /// There is no such file (ENOENT, ENOTDIR).
  case absent
  /// It may not be or could not be read.
  case unreadable
}

/// The whole text of a file; invalid UTF-8 is replaced.
func readText(_ path: String) -> FileText {
  let descriptor = openForReading(path)
  guard descriptor >= 0 else { return errno == ENOENT || errno == ENOTDIR ? .absent : .unreadable }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  while true {
    let start = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: 4096))
    let length = bytes.withUnsafeMutableBytes { buffer in
      read(descriptor, buffer.baseAddress?.advanced(by: start), buffer.count - start)
    }
    bytes.removeLast(bytes.count - start - max(length, 0))
    if length == 0 { return .text(String(decoding: bytes, as: UTF8.self)) }
    if length < 0, errno != EINTR { return .unreadable }
  }
}

/// The running kernel's release, uname(2).
func kernelRelease() -> String? {
  var name = utsname()
  guard uname(&name) == 0 else { return nil }
  return withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

/// An environment variable; nil where it is not set.
func environmentVariable(_ name: String) -> String? {
  guard let value = getenv(name) else { return nil }
  return String(cString: value)
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
  /// It is the reader's own, or a descendant of it: the reader's capabilities count there.
  case within
  /// A descendant that the reader's effective uid made: every capability is held there (user_namespaces(7)).
  case madeByReader
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
    if identity == own { return isBelow && owner == geteuid() ? .madeByReader : .within }
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
