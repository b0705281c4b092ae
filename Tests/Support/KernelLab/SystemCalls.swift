import CKernelLab
import Glibc
import SocketModel

// The only file of KernelLab that touches memory through pointers.

/// The error number of the system call that just failed.
private func lastError() -> SystemError { SystemError(rawValue: errno) }

/// A socket option: its level and number, with the name to print.
struct SocketOption: Sendable {
  var level: Int32
  var number: Int32

  static let reuseaddr = SocketOption(level: 1, number: 2)
  static let reuseport = SocketOption(level: 1, number: 15)
  static let receiveBuffer = SocketOption(level: 1, number: 8)
  static let sendBuffer = SocketOption(level: 1, number: 7)
  static let bindToDevice = SocketOption(level: 1, number: 25)
  static let linger = SocketOption(level: 1, number: 13)
  static let v6only = SocketOption(level: 41, number: 26)
  /// IP_BIND_ADDRESS_NO_PORT; sockets of AF_INET6 take it too.
  static let bindAddressNoPort = SocketOption(level: 0, number: 24)
  static let tcpInfo = SocketOption(level: 6, number: 11)
  static let tcpLinger2 = SocketOption(level: 6, number: 8)
  static let tcpDeferAccept = SocketOption(level: 6, number: 9)
  static let tcpQuickAck = SocketOption(level: 6, number: 12)
  static let tcpRepair = SocketOption(level: 6, number: 19)
}

enum SystemCalls {
  // MARK: threads, users, capabilities

  /// Runs `body` on a thread of its own and waits for its end (pthread_create(3), pthread_join(3)).
  static func onOwnThread(_ body: () -> Void) throws(SystemError) {
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

  /// unshare(CLONE_NEWNET) of the calling thread.
  static func unshareNetwork() throws(SystemError) {
    if kernellab_unshare_network() != 0 { throw lastError() }
  }

  /// Runs `body` with another file system uid, which sockets made meanwhile get as theirs (setfsuid(2)).
  static func asUser<Result>(_ uid: UInt32, _ body: () throws(SystemError) -> Result) throws(SystemError) -> Result {
    if uid == geteuid() { return try body() }
    let before = kernellab_set_filesystem_uid(uid)
    defer { _ = kernellab_set_filesystem_uid(before) }
    return try body()
  }

  /// Runs `body` with CAP_NET_BIND_SERVICE taken away from the calling thread (capset(2)).
  static func withoutBindCapability<Result>(
    _ body: () throws(SystemError) -> Result
  ) throws(SystemError) -> Result {
    if kernellab_set_bind_capability(0) != 0 { throw lastError() }
    defer { _ = kernellab_set_bind_capability(1) }
    return try body()
  }

  /// Takes every privilege from the calling thread, for good.
  static func becomeNobody() throws(SystemError) {
    if kernellab_become_nobody() != 0 { throw lastError() }
  }

  /// Takes one capability (capability.h) from the calling thread, with `bounds` from what execve(2) may give back too.
  static func dropCapability(_ number: Int32, bounds: Bool) throws(SystemError) {
    if kernellab_drop_capability(number, bounds ? 1 : 0) != 0 { throw lastError() }
  }

  /// uid and gid of the calling thread, for good.
  static func becomeUser(_ uid: UInt32) throws(SystemError) {
    if kernellab_become_user(uid) != 0 { throw lastError() }
  }

  /// socket(2) of this family fails from now on.
  static func forbidFamily(_ number: Int32, _ error: Int32) throws(SystemError) {
    if kernellab_forbid_family(number, error) != 0 { throw lastError() }
  }

  /// This system call fails with this error from now on; with 0 it kills who calls.
  static func forbidCall(_ call: Place.Call, _ error: Int32) throws(SystemError) {
    let number: Int =
      switch call {
      case .bind: Int(SYS_bind)
      case .listen: Int(SYS_listen)
      case .setsockopt: Int(SYS_setsockopt)
      }
    if kernellab_forbid_call(Int32(number), error) != 0 { throw lastError() }
  }

  /// A program of uid 0 gets no capability from now on.
  static func forgetRoot() throws(SystemError) {
    if kernellab_forget_root() != 0 { throw lastError() }
  }

  /// Puts this process into a control group whose sockets get this device.
  static func enterGroup(givingDevice device: UInt32) throws(SystemError) {
    try enterGroup("\(device)") { kernellab_give_device($0, device) }
  }

  /// The same with a control group that spoils setsockopt(2) of an option.
  static func enterGroup(spoiling option: Place.Option, swallows: Bool) throws(SystemError) {
    let number: Int32 =
      switch option {
      case .reuseaddr: SO_REUSEADDR
      case .reuseport: SO_REUSEPORT
      case .device: SO_BINDTODEVICE
      }
    try enterGroup("\(option.rawValue)\(swallows)") { kernellab_spoil_option($0, number, swallows ? 1 : 0) }
  }

  /// Puts this process into a control group of this name below the mounted cgroup2; its parent's other processes share it.
  /// `removeGroups` of the parent takes them away.
  private static func enterGroup(_ name: String, prepare: (Int32) -> Int32) throws(SystemError) {
    guard let root = try groupRoot() else { throw .noEntry }
    let path = "\(root)/\(groupPrefix)\(getppid())-\(name)"
    if mkdir(path, 0o755) == 0 {
      let group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      if group < 0 { throw lastError() }
      defer { close(group) }
      if prepare(group) != 0 { throw lastError() }
    } else if errno != EEXIST {
      throw lastError()
    }
    try writeFile("\(path)/cgroup.procs", "\(getpid())")
  }

  /// Removes the control groups of this process's children that have ended.
  static func removeGroups() {
    guard let root = try? groupRoot() else { return }
    let spoiled = Place.Option.allCases.flatMap { ["\($0.rawValue)true", "\($0.rawValue)false"] }
    for name in (1...64).map(String.init) + spoiled { rmdir("\(root)/\(groupPrefix)\(getpid())-\(name)") }
  }

  private static let groupPrefix = "portwhy-lab-"

  /// Where cgroup2 is mounted; nil where it is not.
  private static func groupRoot() throws(SystemError) -> String? {
    let mounts = String(decoding: try readFile("/proc/self/mounts"), as: UTF8.self)
    for line in mounts.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count > 2, words[2] == "cgroup2" { return String(words[1]) }
    }
    return nil
  }

  /// Moves the calling thread into a network namespace of its own; the path by which the one it left stays reachable.
  static func leaveNetwork() throws(SystemError) -> String {
    let own = open("/proc/thread-self/ns/net", O_RDONLY)
    if own < 0 { throw lastError() }
    try unshareNetwork()
    return "/proc/self/fd/\(own)"
  }

  // MARK: sockets

  /// socket(2), non-blocking and close-on-exec.
  static func socket(family: Int32, type: Int32, protocol number: Int32 = 0) throws(SystemError) -> Int32 {
    let descriptor = Glibc.socket(family, type | 0x800 | 0x80000, number)
    if descriptor < 0 { throw lastError() }
    return descriptor
  }

  static func bind(_ descriptor: Int32, _ address: SocketAddress) throws(SystemError) {
    let result = address.bytes.withUnsafeBytes { bytes in
      Glibc.bind(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    if result != 0 { throw lastError() }
  }

  static func connect(_ descriptor: Int32, _ address: SocketAddress) throws(SystemError) {
    let result = address.bytes.withUnsafeBytes { bytes in
      Glibc.connect(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    if result != 0 { throw lastError() }
  }

  static func listen(_ descriptor: Int32, backlog: Int32) throws(SystemError) {
    if Glibc.listen(descriptor, backlog) != 0 { throw lastError() }
  }

  /// accept4(2), non-blocking and close-on-exec.
  static func accept(_ descriptor: Int32) throws(SystemError) -> Int32 {
    let accepted = kernellab_accept(descriptor)
    if accepted < 0 { throw lastError() }
    return accepted
  }

  /// shutdown(2): 0 for reading, 1 for writing, 2 for both.
  static func shutdown(_ descriptor: Int32, how: Int32) throws(SystemError) {
    if Glibc.shutdown(descriptor, how) != 0 { throw lastError() }
  }

  static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

  /// fchown(2): gives a socket another uid (kernel function `sockfs_setattr`).
  static func changeOwner(_ descriptor: Int32, uid: UInt32) throws(SystemError) {
    if fchown(descriptor, uid, gid_t.max) != 0 { throw lastError() }
  }

  static func setOption(_ descriptor: Int32, _ option: SocketOption, _ value: Int32) throws(SystemError) {
    var value = value
    let size = socklen_t(MemoryLayout<Int32>.size)
    if setsockopt(descriptor, option.level, option.number, &value, size) != 0 { throw lastError() }
  }

  static func setOption(_ descriptor: Int32, _ option: SocketOption, bytes: [UInt8]) throws(SystemError) {
    let result = bytes.withUnsafeBytes { bytes in
      setsockopt(descriptor, option.level, option.number, bytes.baseAddress, socklen_t(bytes.count))
    }
    if result != 0 { throw lastError() }
  }

  /// getsockopt(2), at most `size` bytes.
  static func option(_ descriptor: Int32, _ option: SocketOption, size: Int = 4) throws(SystemError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: size)
    var length = socklen_t(size)
    let result = bytes.withUnsafeMutableBytes { bytes in
      getsockopt(descriptor, option.level, option.number, bytes.baseAddress, &length)
    }
    if result != 0 { throw lastError() }
    return Array(bytes.prefix(Int(length)))
  }

  /// getsockname(2).
  static func localAddress(_ descriptor: Int32) throws(SystemError) -> SocketAddress {
    var bytes = [UInt8](repeating: 0, count: 128)
    var length = socklen_t(bytes.count)
    let result = bytes.withUnsafeMutableBytes { bytes in
      getsockname(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
    }
    if result != 0 { throw lastError() }
    return SocketAddress(bytes: Array(bytes.prefix(Int(length))))
  }

  /// send(2) without SIGPIPE; the number of bytes taken.
  static func send(_ descriptor: Int32, _ bytes: [UInt8]) throws(SystemError) -> Int {
    let sent = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0x4000) }
    if sent < 0 { throw lastError() }
    return sent
  }

  /// recv(2).
  static func receive(_ descriptor: Int32, atMost count: Int) throws(SystemError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let received = bytes.withUnsafeMutableBytes { Glibc.recv(descriptor, $0.baseAddress, $0.count, 0) }
    if received < 0 { throw lastError() }
    return Array(bytes.prefix(received))
  }

  /// poll(2) of one descriptor: whether one of `events` or an error came within `milliseconds`.
  static func poll(_ descriptor: Int32, events: Int16, milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: events, revents: 0)
    return Glibc.poll(&entry, 1, milliseconds) > 0
  }

  /// Between two looks at a state that normally settles within microseconds: lets others run, and from the 500th
  /// round on sleeps half a millisecond (or what the kernel's clock makes of it, up to 10).
  static func pause(round: Int) {
    if round < 500 { sched_yield() } else { usleep(500) }
  }

  // MARK: processes

  /// Two connected sockets of AF_UNIX, blocking and close-on-exec (socketpair(2)).
  static func socketPair() throws(SystemError) -> (Int32, Int32) {
    var pair: [Int32] = [-1, -1]
    if socketpair(1, 1 | 0x80000, 0, &pair) != 0 { throw lastError() }
    return (pair[0], pair[1])
  }

  /// Starts this program again with other arguments, in the network namespace of the calling thread and with
  /// `channel` as standard input and output (posix_spawn(3)); the process id.
  static func spawnSelf(_ arguments: [String], channel: Int32) throws(SystemError) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, channel, 0)
    posix_spawn_file_actions_adddup2(&actions, channel, 1)
    var words: [UnsafeMutablePointer<CChar>?] = (["conformance"] + arguments).map { strdup($0) }
    defer { for word in words { free(word) } }
    words.append(nil)
    let nothing: [UnsafeMutablePointer<CChar>?] = [nil]
    var process: pid_t = 0
    let failure = posix_spawn(&process, "/proc/self/exe", &actions, nil, words, nothing)
    if failure != 0 { throw SystemError(rawValue: failure) }
    return process
  }

  /// waitpid(2): waits for the end of a process.
  static func wait(for process: Int32) {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
  }

  // MARK: environment and files

  static func hasEnvironment(_ name: String) -> Bool { getenv(name) != nil }

  /// The interface number of a name in the calling thread's namespace.
  static func interfaceIndex(_ name: String) -> UInt32 { if_nametoindex(name) }

  static func readFile(_ path: String) throws(SystemError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw lastError() }
    defer { close(descriptor) }
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 { throw lastError() }
      if count == 0 { return all }
      all += buffer.prefix(count)
    }
  }

  /// Writes `text` in one write(2), as /proc/sys wants it.
  static func writeFile(_ path: String, _ text: String) throws(SystemError) {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    if descriptor < 0 { throw lastError() }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    if bytes.withUnsafeBytes({ write(descriptor, $0.baseAddress, $0.count) }) < 0 { throw lastError() }
  }
}
