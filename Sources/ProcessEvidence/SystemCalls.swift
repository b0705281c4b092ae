// The one file of this target with pointers: each function is one system call, or one loop of two.

import CNetlink
import Glibc
import SocketModel

extension SystemError {
  static let badDescriptor = SystemError(rawValue: EBADF)

  /// The errno the last system call of this thread left.
  static var last: SystemError { SystemError(rawValue: errno) }

  /// The error means that the process, its descriptor or its directory is gone.
  var meansGone: Bool { self == .noEntry || self == .noSuchProcess || self == .badDescriptor }
}

/// A file descriptor of our own that is closed when its owner lets go of it.
struct Descriptor: ~Copyable {
  let number: Int32

  /// Takes over what a system call returned; throws errno where it is negative.
  init(owning number: Int32) throws(SystemError) {
    guard number >= 0 else { throw .last }
    self.number = number
  }

  deinit { close(number) }

  /// open(2) for reading a directory.
  init(directory path: String) throws(SystemError) {
    try self.init(owning: portwhy_open_read(AT_FDCWD, path, O_DIRECTORY))
  }

  /// openat(2) for reading a directory.
  init(directory path: String, in parent: borrowing Descriptor) throws(SystemError) {
    try self.init(owning: portwhy_open_read(parent.number, path, O_DIRECTORY))
  }

  /// pidfd_open(2), Linux 5.3.
  init(process pid: Int32) throws(SystemError) {
    try self.init(owning: portwhy_pidfd_open(pid))
  }

  /// pidfd_getfd(2), Linux 5.6: a close-on-exec duplicate of a descriptor of another process.
  ///
  /// Throws `noSuchProcess` where the number stands for something else than the socket `inode` by now.
  static func duplicate(
    _ descriptor: Int32, of process: borrowing Descriptor, inode: UInt64
  ) throws(SystemError) -> Descriptor {
    let duplicate = try Descriptor(owning: portwhy_pidfd_getfd(process.number, descriptor))
    let status = try fileStatus(of: duplicate)
    guard status.isSocket, status.inode == inode else { throw .noSuchProcess }
    return duplicate
  }

  /// A socket that is never bound or connected, only asked what it belongs to.
  init(unboundSocketOf family: Int32) throws(SystemError) {
    try self.init(owning: socket(family, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
  }

  /// ioctl(2) SIOCGSKNS: the network namespace of a socket. Linux 4.9, needs CAP_NET_ADMIN.
  init(namespaceOf socket: borrowing Descriptor) throws(SystemError) {
    try self.init(owning: portwhy_socket_namespace(socket.number))
  }

  /// open_by_handle_at(2) of a cgroup2 directory by its number. Linux 5.5, needs CAP_DAC_READ_SEARCH.
  init(controlGroup number: UInt64, mount: borrowing Descriptor) throws(SystemError) {
    try self.init(owning: portwhy_open_control_group(mount.number, number))
  }
}

/// What is used of a `struct stat` (stat(2)).
struct FileStatus: Sendable, Hashable {
  var device: UInt64
  var inode: UInt64
  var uid: UInt32
  var isSocket: Bool
  /// Bytes; of a `/proc/PID/fd` the number of open descriptors (Linux 6.2, `proc_fd_getattr`), 0 before.
  var size: Int

  fileprivate init(_ status: stat) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    uid = status.st_uid
    isSocket = status.st_mode & S_IFMT == S_IFSOCK
    size = status.st_size
  }

  func isSameFile(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }
}

/// fstat(2).
func fileStatus(of descriptor: borrowing Descriptor) throws(SystemError) -> FileStatus {
  var status = stat()
  guard fstat(descriptor.number, &status) == 0 else { throw .last }
  return FileStatus(status)
}

/// fstatat(2), symbolic links followed.
func fileStatus(at path: String, in directory: borrowing Descriptor) throws(SystemError) -> FileStatus {
  var status = stat()
  guard fstatat(directory.number, path, &status, 0) == 0 else { throw .last }
  return FileStatus(status)
}

/// CAP_SYS_PTRACE or another capability in the effective set of this thread (capabilities(7)).
func hasCapability(_ number: UInt32) -> Bool { portwhy_has_capability(number) != 0 }

/// getpid(2).
func ownProcess() -> Int32 { getpid() }

// MARK: - Small files and links

/// The whole file below `directory`, up to `limit` bytes. The default is ample for a process's own files, which are
/// far smaller; a list of mounts can be long.
func contents(
  of path: String, in directory: borrowing Descriptor, limit: Int = 16 << 10
) throws(SystemError) -> [UInt8] {
  let file = try Descriptor(owning: portwhy_open_read(directory.number, path, 0))
  var failure: SystemError?
  let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
    while count < buffer.count {
      let got = read(file.number, buffer.baseAddress.map { $0 + count }, buffer.count - count)
      if got < 0 {
        if errno == EINTR { continue }
        failure = .last
      }
      guard got > 0 else { break }
      count += got
    }
  }
  if let failure { throw failure }
  return bytes
}

/// readlinkat(2); invalid UTF-8 is repaired.
func linkTarget(of path: String, in directory: borrowing Descriptor) throws(SystemError) -> String {
  let bytes = [UInt8](unsafeUninitializedCapacity: Int(PATH_MAX)) { buffer, count in
    let got = buffer.withMemoryRebound(to: CChar.self) { text -> Int in
      guard let start = text.baseAddress else { return 0 }
      return readlinkat(directory.number, path, start, text.count)
    }
    count = max(got, 0)
  }
  guard !bytes.isEmpty else { throw .last }
  return String(decoding: bytes, as: UTF8.self)
}

// MARK: - Directories of numbers

/// A descriptor of a process and the socket it refers to.
struct SocketDescriptor: Sendable, Hashable {
  var number: Int32
  var inode: UInt64
}

/// The memory getdents64(2) writes into, used again for each directory.
struct DirectoryBuffer: ~Copyable {
  fileprivate let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 8)

  deinit { bytes.deallocate() }

  /// The entries of /proc that are process numbers, ascending.
  borrowing func processes(in proc: borrowing Descriptor) throws(SystemError) -> [Int32] {
    var found: [Int32] = []
    try forEachNumber(in: proc) { number, _ in
      found.append(number)
      return true
    }
    return found.sorted()
  }

  /// The descriptors in a process's `fd` directory whose target is `socket:[INODE]` with a wanted inode.
  ///
  /// Raw bytes all the way, as this runs for every open file of the host. Throws what getdents64(2) or
  /// readlinkat(2) said where the process may not be looked at; a descriptor closed meanwhile is skipped.
  ///
  /// Listed by the kernel, which shows every descriptor that stays open: asking for the numbers up to their count
  /// misses some beside others that come and go.
  ///
  /// - Parameter isOver: asked before each descriptor; the rest is left out once it says so.
  borrowing func sockets(
    in directory: borrowing Descriptor, where isWanted: (UInt64) -> Bool, isOver: (() -> Bool)? = nil
  ) throws(SystemError) -> [SocketDescriptor] {
    var found: [SocketDescriptor] = []
    var refusal: SystemError?
    try forEachNumber(in: directory) { number, name in
      if let isOver, isOver() { return false }
      do throws(SystemError) {
        if let inode = try socketInode(ofLink: name, in: directory), isWanted(inode) {
          found.append(SocketDescriptor(number: number, inode: inode))
        }
      } catch {
        // A descriptor closed meanwhile is no gap.
        if !error.meansGone { refusal = error }
      }
      return refusal == nil
    }
    if let refusal { throw refusal }
    return found
  }

  /// The names of all entries but `.` and `..`, unsorted; a name that is no UTF-8 is left out.
  borrowing func names(in directory: borrowing Descriptor) throws(SystemError) -> [String] {
    var found: [String] = []
    try forEachEntry(in: directory) { name in
      let text = String(validating: name.prefix { $0 != 0 }, as: UTF8.self)
      if let text, text != ".", text != ".." { found.append(text) }
      return true
    }
    return found
  }

  /// Calls `body` with each entry whose name is a decimal number, until it returns false.
  private borrowing func forEachNumber(
    in directory: borrowing Descriptor, _ body: (Int32, UnsafePointer<CChar>) -> Bool
  ) throws(SystemError) {
    try forEachEntry(in: directory) { name in
      guard let number = leadingNumber(name, endedBy: 0), let number = Int32(exactly: number),
        let start = name.baseAddress
      else { return true }
      return body(number, start.assumingMemoryBound(to: CChar.self))
    }
  }

  /// Calls `body` with the bytes of each entry's name, its NUL and padding included, until it returns false.
  private borrowing func forEachEntry(
    in directory: borrowing Descriptor, _ body: (UnsafeRawBufferPointer) -> Bool
  ) throws(SystemError) {
    guard let start = bytes.baseAddress else { return }
    while true {
      let filled = portwhy_getdents64(directory.number, start, bytes.count)
      guard filled >= 0 else { throw .last }
      guard filled > 0 else { return }
      // struct linux_dirent64: u64 d_ino, s64 d_off, u16 d_reclen, u8 d_type, NUL-terminated d_name at 19
      var offset = 0
      while offset + 20 <= filled {
        let length = Int((start + offset + 16).loadUnaligned(as: UInt16.self))
        guard length >= 20, offset + length <= filled else { throw .last }
        guard body(UnsafeRawBufferPointer(start: start + offset + 19, count: length - 19)) else { return }
        offset += length
      }
    }
  }
}

/// The inode of the socket that a descriptor of a process refers to; nil for what is no socket.
func socketInode(ofDescriptor number: Int32, in directory: borrowing Descriptor) throws(SystemError) -> UInt64? {
  // Ten digits and a NUL, written from the end.
  var name: (UInt64, UInt64) = (0, 0)
  return try withUnsafeMutableBytes(of: &name) { (bytes) throws(SystemError) -> UInt64? in
    var (rest, place) = (UInt32(bitPattern: number), bytes.count - 1)
    repeat {
      place -= 1
      bytes[place] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
    } while rest > 0
    guard let start = bytes.baseAddress else { return nil }
    return try socketInode(ofLink: (start + place).assumingMemoryBound(to: CChar.self), in: directory)
  }
}

/// The same by the name of the link, readlinkat(2).
private func socketInode(
  ofLink name: UnsafePointer<CChar>, in directory: borrowing Descriptor
) throws(SystemError) -> UInt64? {
  var target: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
  return try withUnsafeMutableBytes(of: &target) { (bytes) throws(SystemError) -> UInt64? in
    guard let start = bytes.baseAddress else { return nil }
    let length = readlinkat(directory.number, name, start.assumingMemoryBound(to: CChar.self), bytes.count)
    guard length >= 0 else { throw .last }
    return socketInode(in: UnsafeRawBufferPointer(start: start, count: length))
  }
}

/// The inode of a link target `socket:[INODE]` (kernel function `sockfs_dname`).
private func socketInode(in target: UnsafeRawBufferPointer) -> UInt64? {
  // "socket:[" as the eight bytes stand in memory.
  guard target.count > 8,
    UInt64(bigEndian: target.loadUnaligned(as: UInt64.self)) == 0x736f_636b_6574_3a5b
  else { return nil }
  return leadingNumber(UnsafeRawBufferPointer(rebasing: target[8...]), endedBy: UInt8(ascii: "]"))
}

/// The decimal number the bytes start with, where it is followed by `end`.
private func leadingNumber(_ bytes: UnsafeRawBufferPointer, endedBy end: UInt8) -> UInt64? {
  var number: UInt64 = 0
  for (index, byte) in bytes.enumerated() {
    let digit = byte &- UInt8(ascii: "0")
    guard digit < 10 else { return byte == end && index > 0 ? number : nil }
    let (scaled, tooBig) = number.multipliedReportingOverflow(by: 10)
    let (sum, carry) = scaled.addingReportingOverflow(UInt64(digit))
    guard !tooBig, !carry else { return nil }
    number = sum
  }
  return nil
}

// MARK: - Socket options and names

/// getsockopt(2) of an `int` option.
func option(_ level: Int32, _ name: Int32, of socket: borrowing Descriptor) throws(SystemError) -> Int32 {
  try optionValue(level, name, of: socket, initial: Int32(0))
}

/// getsockopt(2) of a `u64` option such as SO_COOKIE.
func wideOption(_ level: Int32, _ name: Int32, of socket: borrowing Descriptor) throws(SystemError) -> UInt64 {
  try optionValue(level, name, of: socket, initial: UInt64(0))
}

/// getsockopt(2) TCP_INFO; what an old kernel does not fill stays 0.
func tcpInfo(of socket: borrowing Descriptor) throws(SystemError) -> tcp_info {
  try optionValue(SocketOption.tcpLevel, TCP_INFO, of: socket, initial: tcp_info())
}

private func optionValue<Value>(
  _ level: Int32, _ name: Int32, of socket: borrowing Descriptor, initial: Value
) throws(SystemError) -> Value {
  var value = initial
  var length = socklen_t(MemoryLayout<Value>.size)
  let result = withUnsafeMutableBytes(of: &value) {
    getsockopt(socket.number, level, name, $0.baseAddress, &length)
  }
  guard result == 0 else { throw .last }
  return value
}

/// getsockname(2).
func localName(of socket: borrowing Descriptor) throws(SystemError) -> SocketName? {
  try socketName { getsockname(socket.number, $0, $1) }
}

/// getpeername(2).
func peerName(of socket: borrowing Descriptor) throws(SystemError) -> SocketName? {
  try socketName { getpeername(socket.number, $0, $1) }
}

/// A sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)).
struct SocketName: Sendable, Hashable {
  var family: AddressFamily
  var endpoint: Endpoint
}

private func socketName(
  _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
) throws(SystemError) -> SocketName? {
  var storage = sockaddr_in6()
  var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
  let result = withUnsafeMutablePointer(to: &storage) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, &length) }
  }
  guard result == 0 else { throw .last }
  return withUnsafeBytes(of: storage) { bytes in
    let port = Port(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
    switch (Int32(storage.sin6_family), Int(length)) {
    case (AF_INET, 16...):
      let bits = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
      return SocketName(
        family: .ipv4, endpoint: Endpoint(address: .v4(IPv4Address(bits: bits)), port: port))
    case (AF_INET6, 28...):
      let high = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      let low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
      return SocketName(
        family: .ipv6, endpoint: Endpoint(address: .v6(IPv6Address(high: high, low: low)), port: port))
    default: return nil
    }
  }
}

/// getsockopt(2) SO_BINDTODEVICE; nil where the socket is bound to no interface (socket(7)).
func boundDevice(of socket: borrowing Descriptor) throws(SystemError) -> String? {
  // IFNAMSIZ bytes.
  let name = try optionValue(SOL_SOCKET, SO_BINDTODEVICE, of: socket, initial: (UInt64(0), UInt64(0)))
  let text = withUnsafeBytes(of: name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  return text.isEmpty ? nil : text
}

extension Descriptor {
  /// fcntl(2) F_DUPFD_CLOEXEC of a descriptor of this process.
  init(duplicating number: Int32) throws(SystemError) {
    try self.init(owning: fcntl(number, F_DUPFD_CLOEXEC, 0))
  }
}
