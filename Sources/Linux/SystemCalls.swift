import CLinux
import Glibc
package import SocketModel

/// What a program does with its own descriptors and terminal, and the users of the host.
package enum SystemCalls {
  /// Fills the standard descriptors that are closed, so that no file or socket opened later becomes one of them and
  /// gets what is meant for a reader. Reading and writing there fails as before (O_PATH, open(2)).
  package static func occupyClosedStandardDescriptors() {
    let path: Int32 = 0o10000000
    for number: Int32 in 0...2 where fcntl(number, F_GETFD) < 0 { _ = open("/", path | O_CLOEXEC) }
  }

  /// Makes a closed pipe and a file that may not grow (RLIMIT_FSIZE) errors of write(2), not the end of the program.
  package static func makeWritingFail() {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
  }

  package enum WriteResult: Hashable {
    case written
    /// EPIPE: nobody reads any more.
    case closedPipe
    /// strerror(3) of what happened.
    case failed(String)
  }

  /// Writes everything, write(2).
  package static func write(_ text: String, to descriptor: Int32) -> WriteResult {
    var text = text
    return text.withUTF8 { buffer in
      var rest = UnsafeRawBufferPointer(buffer)
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count >= 0 {
          rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        } else if errno == EAGAIN {
          var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = poll(&waiting, 1, -1)
        } else if errno != EINTR {
          return errno == EPIPE ? .closedPipe : .failed(String(cString: strerror(errno)))
        }
      }
      return .written
    }
  }

  /// Writes a line that a pipe or a terminal takes at once, until a moment of `Clock.microseconds`; false where it does
  /// not: whoever reads may never do so again.
  package static func writeLine(_ text: String, to descriptor: Int32, until moment: UInt64) -> Bool {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    let left = moment - min(moment, Clock.microseconds)
    guard text.utf8.count <= Int(PIPE_BUF), poll(&waiting, 1, Int32(clamping: left / 1000)) > 0,
      waiting.revents & Int16(POLLOUT) != 0
    else { return false }
    return write(text, to: descriptor) == .written
  }

  /// The columns of a terminal (TIOCGWINSZ, ioctl_tty(2)); nil where the descriptor is none or it does not say.
  package static func terminalColumns(_ descriptor: Int32) -> Int? {
    var size = winsize()
    guard isTerminal(descriptor), ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// The lines of a terminal; nil where the descriptor is none or it does not say.
  package static func terminalLines(_ descriptor: Int32) -> Int? {
    var size = winsize()
    guard isTerminal(descriptor), ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return nil }
    return Int(size.ws_row)
  }

  /// Whether a terminal may be written over: a program in the background would write into somebody else's line.
  package static func isForegroundTerminal(_ descriptor: Int32) -> Bool {
    guard isTerminal(descriptor) else { return false }
    let group = tcgetpgrp(descriptor)
    return group < 0 || group == getpgrp()
  }

  /// isatty(3).
  package static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// gethostname(2); nil where it fails.
  package static var hostName: String? {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return nil }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// getenv(3).
  package static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  /// The uid of a user, getpwnam(3); nil where there is none.
  package static func uid(ofUser name: String) -> UInt32? {
    getpwnam(name)?.pointee.pw_uid
  }

  /// The name of a uid; nil where there is none.
  ///
  /// Looked up in passwd(5) first, fgetpwent(3): getpwuid(3) asks nscd and reads nsswitch.conf before it looks there.
  package static func user(_ uid: UInt32) -> String? { users([uid])[uid] }

  /// The names of uids, as far as they have any. Each is looked for once, and of those that passwd(5) does not have a few
  /// hundred alone: the user database may be on the network, and a user may have 65,536 uids of his own (subuid(5)).
  package static func users(_ uids: Set<UInt32>) -> [UInt32: String] {
    var names = localUsers(uids)
    for uid in uids.subtracting(names.keys).sorted().prefix(mostAskedUsers) {
      names[uid] = getpwuid(uid).flatMap { $0.pointee.pw_name }.map { String(cString: $0) }
    }
    return names
  }

  private static let mostAskedUsers = 256

  private static func localUsers(_ uids: Set<UInt32>) -> [UInt32: String] {
    var names: [UInt32: String] = [:]
    guard !uids.isEmpty, let file = fopen("/etc/passwd", "re") else { return names }
    defer { fclose(file) }
    while names.count < uids.count, let entry = fgetpwent(file) {
      let uid = entry.pointee.pw_uid
      // Lines that start with + or - are of compat mode: they name nobody. The first of a uid counts.
      guard uids.contains(uid), names[uid] == nil, let name = entry.pointee.pw_name else { continue }
      if name[0] != CChar(UInt8(ascii: "+")), name[0] != CChar(UInt8(ascii: "-")) {
        names[uid] = String(cString: name)
      }
    }
    return names
  }

  /// Waits until a moment of `Clock.microseconds`; returns early, and false, where nobody reads the descriptor any more.
  package static func pause(until moment: UInt64, whileRead descriptor: Int32) -> Bool {
    while true {
      let now = Clock.microseconds
      guard now < moment else { return true }
      var reader = pollfd(fd: descriptor, events: 0, revents: 0)
      if poll(&reader, 1, Int32(clamping: (moment - now + 999) / 1000)) > 0 { return false }
    }
  }

  /// Erases the line on standard error before one of these signals ends the program, in whatever it does (sigaction(2)).
  package static func eraseLine(at signals: [Int32]) {
    for number in signals { portwhy_erase_line_at(number) }
  }

  /// Gives up every system call but those for memory, for reading what is open, for what is printed and for the end (seccomp(2)): what comes after
  /// reads somebody else's words. False where the kernel has no such filter, and nothing has changed.
  ///
  /// - Parameter readsFiles: files may still be opened to read them.
  @discardableResult
  package static func confine(readsFiles: Bool = false) -> Bool { portwhy_confine(readsFiles ? 1 : 0) == 0 }

  package enum ReadResult: Hashable {
    /// One byte more than the limit where there is more.
    case bytes([UInt8])
    /// The text of an errno (strerror(3)).
    case failed(String)
  }

  /// A whole file, or standard input for `-`, up to one byte more than the limit.
  package static func read(_ path: String, limit: Int) -> ReadResult {
    do throws(SystemError) {
      let file = path == "-" ? try Descriptor(duplicating: 0) : try Descriptor(file: path, waits: true)
      return .bytes(try file.bytes(atMost: limit + 1, expecting: 1 << 18))
    } catch {
      return .failed(String(cString: strerror(error.rawValue)))
    }
  }

  package enum OpenResult: Hashable {
    case opened(Int32)
    /// strerror(3) of what happened.
    case failed(String)
  }

  /// Opens a file to read it, or standard input for `-`; a FIFO is waited for. `Descriptor(owning:)` takes it over.
  ///
  /// - Parameter isListed: it was found in a directory as a regular file. Whoever may write there may have put another in
  ///   its place, which is not waited for.
  package static func openForReading(_ path: String, isListed: Bool = false) -> OpenResult {
    let descriptor =
      path == "-" ? fcntl(0, F_DUPFD_CLOEXEC, 0) : portwhy_open_read(AT_FDCWD, path, isListed ? O_NONBLOCK : 0)
    guard descriptor >= 0 else { return .failed(String(cString: strerror(errno))) }
    var status = stat()
    if isListed, fstat(descriptor, &status) != 0 || status.st_mode & S_IFMT != S_IFREG {
      close(descriptor)
      return .failed("no regular file any more")
    }
    return .opened(descriptor)
  }

  /// Opens a file to write behind what it has; it is made where it is missing. A FIFO that nobody reads is not waited for.
  package static func openForAppending(_ path: String) -> OpenResult {
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0o666)
    if descriptor >= 0 { _ = fcntl(descriptor, F_SETFL, O_APPEND) }
    return descriptor >= 0 ? .opened(descriptor) : .failed(String(cString: strerror(errno)))
  }

  /// strerror(3).
  package static func text(_ error: SystemError) -> String { String(cString: strerror(error.rawValue)) }

  /// A whole small file, at most 1 MiB; nil where it cannot be read.
  package static func contents(of path: String) -> String? {
    guard let bytes = try? Descriptor(file: path).bytes(atMost: 1 << 20) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// The running kernel's version, uname(2); 0.0 where it cannot be read.
package func kernelVersion() -> KernelVersion {
  func text(_ field: UnsafeRawBufferPointer) -> String { String(decoding: field.prefix { $0 != 0 }, as: UTF8.self) }
  var name = utsname()
  let release = uname(&name) == 0 ? withUnsafeBytes(of: name.release, text) : ""
  return KernelVersion(release: release, version: withUnsafeBytes(of: name.version, text))
    ?? KernelVersion(major: 0, minor: 0, release: release)
}

/// An environment variable; nil where it is not set.
package func environmentVariable(_ name: String) -> String? {
  guard let value = getenv(name) else { return nil }
  return String(cString: value)
}

/// geteuid(2).
package func effectiveUser() -> UInt32 { geteuid() }

/// The real uid of this thread, getuid(2).
package func realUser() -> UInt32 { getuid() }

/// getpid(2).
package func ownProcess() -> Int32 { getpid() }

/// Whether programs of BPF_CGROUP_INET4_BIND, BPF_CGROUP_INET4_POST_BIND or their like of IPv6 are in effect for a cgroup2
/// directory; nil where the kernel does not say, as to all who lack CAP_NET_ADMIN.
package func hasBindPrograms(controlGroup directory: OpenFile) -> Bool? {
  let (bind4, bind6, postBind4, postBind6): (UInt32, UInt32, UInt32, UInt32) = (8, 9, 12, 13)
  let counts = [bind4, bind6, postBind4, postBind6].map { portwhy_cgroup_programs(directory.descriptor, $0) }
  return counts.allSatisfy { $0 >= 0 } ? counts.contains { $0 > 0 } : nil
}

extension SystemError {
  /// EBADF.
  package static let badDescriptor = SystemError(rawValue: EBADF)
  /// ENOTDIR.
  package static let notADirectory = SystemError(rawValue: ENOTDIR)
  /// EPROTONOSUPPORT.
  package static let protocolNotSupported = SystemError(rawValue: EPROTONOSUPPORT)
  /// E2BIG.
  package static let argumentTooLong = SystemError(rawValue: E2BIG)
  /// ETIMEDOUT.
  package static let timedOut = SystemError(rawValue: ETIMEDOUT)
  /// EFBIG.
  package static let fileTooLarge = SystemError(rawValue: EFBIG)

  /// The errno that the last system call of this thread left.
  package static var last: SystemError { SystemError(rawValue: errno) }

  /// The error means that the process, its descriptor or its directory is gone.
  package var meansGone: Bool { self == .noEntry || self == .noSuchProcess || self == .badDescriptor }

  /// The error means that there is no file of this name.
  package var meansAbsent: Bool { self == .noEntry || self == .notADirectory }
}

// Loads that trap outside of the bytes: their callers check first. Inlined into their callers' modules: the kernel's types
// take a million of them.
extension RawSpan {
  @inlinable @inline(__always)
  package func byte(at offset: Int) -> UInt8 { unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
  @inlinable @inline(__always)
  package func halfword(at offset: Int) -> UInt16 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self) }
  @inlinable @inline(__always)
  package func word(at offset: Int) -> UInt32 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self) }
  /// A word of which the caller has checked that it lies inside: for the one loop that reads every type of the kernel.
  @inlinable @inline(__always)
  package func uncheckedWord(at offset: Int) -> UInt32 {
    unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self)
  }
  @inlinable @inline(__always)
  package func doubleword(at offset: Int) -> UInt64 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self) }
}

// The commands of bpf(2) that iterators take.

/// What loading a program gave.
package enum BPFLoad: ~Copyable {
  case loaded(Descriptor)
  /// The verifier's own words.
  case refusedByVerifier(String)
  case failed(SystemError)
}

/// BPF_PROG_LOAD of an iterator's program; where it fails, once more with the verifier's log.
///
/// - Parameter function: the BTF number of the function that the program is attached to.
package func loadIterator(_ program: [UInt64], for function: UInt32, license: String) -> BPFLoad {
  let count = UInt32(truncatingIfNeeded: program.count)
  do throws(SystemError) {
    return .loaded(
      try Descriptor(owning: portwhy_bpf_load_iterator(program, count, license, function, nil, 0)))
  } catch {
    guard error != .noSystemCall else { return .failed(error) }
    var again: Int32 = -1
    let log = [UInt8](unsafeUninitializedCapacity: 1 << 18) { buffer, length in
      buffer.initialize(repeating: 0)
      again = buffer.withMemoryRebound(to: CChar.self) { log in
        portwhy_bpf_load_iterator(
          program, count, license, function, log.baseAddress, UInt32(truncatingIfNeeded: log.count))
      }
      length = buffer.firstIndex(of: 0) ?? buffer.count
    }
    if again >= 0, let loaded = try? Descriptor(owning: again) { return .loaded(loaded) }
    return log.isEmpty ? .failed(error) : .refusedByVerifier(String(decoding: log, as: UTF8.self))
  }
}

extension Descriptor {
  /// BPF_LINK_CREATE: attaches a loaded program to the iterator it was loaded for.
  ///
  /// - Parameter pid: the process whose descriptors alone `task_file` walks; Linux 6.1, E2BIG before.
  package init(linking program: borrowing Descriptor, of pid: Int32? = nil) throws(SystemError) {
    try self.init(owning: portwhy_bpf_link_iterator(program.number, UInt32(bitPattern: pid ?? 0)))
  }

  /// BPF_ITER_CREATE: what read(2) gives is of the namespaces of this thread.
  package init(iterating link: borrowing Descriptor) throws(SystemError) {
    try self.init(owning: portwhy_bpf_open_iterator(link.number))
  }
}

// MARK: - Who owns a namespace

/// How the reader stands to the user namespace that owns a network namespace.
package enum NamespaceRelation: Equatable {
  /// It is the reader's own: the reader's capabilities count there.
  case own
  /// It is a descendant: the reader's capabilities count there. The effective uid that made the descendant that is the
  /// reader's child, be it this one or one between, holds every capability there (user_namespaces(7)).
  case below(maker: UInt32)
  /// It is not below the reader's own: no capability counts there.
  case outside
}

/// Follows what `ns_capable()` follows: from the owner of the network namespace up to the reader's own. nil where
/// that cannot be told.
package func relation(
  ofNetworkNamespace network: OpenFile, toUserNamespace own: FileStatus
) -> NamespaceRelation? {
  do throws(SystemError) {
    var current = try Descriptor(owning: portwhy_ns_get_userns(network.descriptor))
    var isBelow = false
    var owner: uid_t = 0
    while let identity = try? current.status() {
      if identity.isSameFile(as: own) { return isBelow ? .below(maker: owner) : .own }
      guard portwhy_ns_get_owner_uid(current.number, &owner) == 0 else { return nil }
      isBelow = true
      current = try Descriptor(owning: portwhy_ns_get_parent(current.number))
    }
    return nil
  } catch {
    // EPERM: the owner lies outside of what the reader's user namespace contains (ns_get_owner).
    return error == .notPermitted ? .outside : nil
  }
}

/// A set of capabilities(7): bit n is capability n.
package struct Capabilities: OptionSet, Sendable, Hashable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }

  /// CAP_NET_BIND_SERVICE.
  package static let netBindService = Capabilities(rawValue: 1 << 10)
  /// CAP_NET_RAW.
  package static let netRaw = Capabilities(rawValue: 1 << 13)
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

  /// Gives up what this program may do to a port by its own file capabilities alone (setcap(8)), as what its user starts
  /// does not get it; for a program of one thread.
  package static func giveUpOwn() { portwhy_give_up_own_capabilities() }

  /// Whether CAP_NET_BIND_SERVICE is in the bounding set of the calling thread: what a program of root, or one with file
  /// capabilities, may get at execve(2). prctl(2) PR_CAPBSET_READ; nil where a filter forbids to ask, and where uid 0 is
  /// like any other (SECBIT_NOROOT), so that only the latter gets it.
  package static var boundsHaveNetBindService: Bool? {
    let (answer, bits) = (portwhy_bounding_capability(10), portwhy_secure_bits())
    return answer < 0 ? nil : answer == 0 ? false : bits < 0 || bits & 1 != 0 ? nil : true
  }
}
