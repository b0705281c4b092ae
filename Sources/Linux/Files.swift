import CLinux
import Glibc
package import SocketModel

// A file is read to its end in one way; what differs is how it is opened and what is said of one that is too long.

extension Descriptor {
  /// Everything from here to the end of the file, but no more than `limit` bytes: ask for one more than may be there, and
  /// a file that is too long shows.
  ///
  /// - Parameters:
  ///   - size: how many bytes are expected; the read that finds the end right behind them takes no more memory.
  ///   - fromStart: of the whole file, wherever its offset is, which stays (pread(2)).
  package borrowing func bytes(
    atMost limit: Int, expecting size: Int = 4095, fromStart: Bool = false
  ) throws(SystemError) -> [UInt8] {
    let descriptor = number
    var bytes: [UInt8] = []
    var capacity = min(size, limit - 1) + 1
    while true {
      let (old, room) = (bytes, capacity)
      var failure: SystemError?
      bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        count = old.withUnsafeBytes { old in
          UnsafeMutableRawBufferPointer(buffer).copyMemory(from: old)
          return old.count
        }
        while count < room {
          let place = buffer.baseAddress.map { $0 + count }
          let got =
            fromStart
            ? pread(descriptor, place, room - count, count) : Glibc.read(descriptor, place, room - count)
          if got < 0, errno == EINTR { continue }
          if got < 0 { failure = .last }
          if got <= 0 { return }
          count += got
        }
      }
      if let failure { throw failure }
      if bytes.count < room || room == limit { return bytes }
      capacity = min(room * 2, limit)
    }
  }
}

/// What reading a small file gave.
package enum FileText: Equatable {
  case text(String)
  /// There is no such file (ENOENT, ENOTDIR).
  case absent
  /// It may not be or could not be read.
  case unreadable
}

/// The whole text of a file; invalid UTF-8 is replaced. One that does not end within 1 MiB is unreadable.
package func readText(_ path: String) -> FileText {
  let limit = 1 << 20
  do throws(SystemError) {
    let file = try Descriptor(file: path)
    do throws(SystemError) {
      let bytes = try file.bytes(atMost: limit + 1)
      return bytes.count > limit ? .unreadable : .text(String(decoding: bytes, as: UTF8.self))
    } catch {
      return .unreadable
    }
  } catch {
    return error.meansAbsent ? .absent : .unreadable
  }
}

/// Files below a directory of the host, read by a child: whoever may list a directory may hold its lock.
package struct HostTree {
  private let files: ProcessFiles
  private let root: String

  /// - Parameter files: who reads files for this look.
  package init(_ files: ProcessFiles, root: String = "/") {
    self.files = files
    self.root = root.hasSuffix("/") ? root : root + "/"
  }

  private func ask<Value>(_ question: FileQuestion, _ answer: (ToldProcess, String) -> Value?) -> Value? {
    answer(files.ask(ProcessQuestion(.named([]), [], rootFiles: [question])).root, question.path)
  }

  /// The whole file, up to `limit` bytes; nil where it cannot be read, as with the others.
  package func contents(of path: String, limit: Int = 16 << 10) -> [UInt8]? {
    ask(.contents(root + path, limit: limit)) { $0.contents($1) }
  }

  /// Symbolic links followed.
  package func status(of path: String) -> FileStatus? { ask(.status(root + path)) { $0.status($1) } }

  /// Sure to be missing; what cannot be asked for may be there.
  package func isAbsent(_ path: String) -> Bool { ask(.status(root + path)) { $0.error($1)?.meansAbsent } ?? false }

  /// The names of all entries but `.` and `..`, unsorted.
  package func names(in directory: String) -> [String]? { ask(.names(root + directory)) { $0.names($1) } }
}

/// The bytes of a whole file, gone with this value. A file of sysfs is mapped where the kernel can (BTF: 6.16), because
/// read(2) gives a page at a time there; no other file is, because one that shrinks would kill the reader.
package struct WholeFile: ~Copyable {
  private let mapped: UnsafeRawBufferPointer?
  private let copied: [UInt8]

  private static let sysfs = 0x6265_6572  // SYSFS_MAGIC, linux/magic.h

  /// Throws `fileTooLarge` where there are more than `limit` bytes.
  package init(_ opened: OpenFile, atMost limit: Int, mayMap: Bool = true) throws(SystemError) {
    let file = try Descriptor(duplicating: opened.descriptor)
    let size = try file.status().size
    guard size <= limit else { throw .fileTooLarge }
    let mapped = mayMap ? Self.mapped(file, size) : nil
    // Others may read the same open file, and its offset is theirs as well.
    let copied = mapped == nil ? try file.bytes(atMost: limit + 1, expecting: size, fromStart: true) : []
    guard copied.count <= limit else { throw .fileTooLarge }
    self.mapped = mapped
    self.copied = copied
  }

  private static func mapped(_ file: borrowing Descriptor, _ size: Int) -> UnsafeRawBufferPointer? {
    var system = statfs()
    guard size > 0, fstatfs(file.number, &system) == 0, system.f_type == sysfs,
      let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, file.number, 0), start != MAP_FAILED
    else { return nil }
    return UnsafeRawBufferPointer(start: start, count: size)
  }

  deinit {
    if let mapped { munmap(UnsafeMutableRawPointer(mutating: mapped.baseAddress), mapped.count) }
  }

  package borrowing func withBytes<Result, Failure>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    if let mapped { return try body(mapped.bytes) }
    return try body(copied.span.bytes)
  }
}

/// A file descriptor of our own that is closed when its owner lets go of it. All are close-on-exec.
package struct Descriptor: ~Copyable {
  package let number: Int32

  /// Takes over what a system call returned; throws errno where it is negative.
  package init(owning number: Int32) throws(SystemError) {
    guard number >= 0 else { throw .last }
    self.number = number
  }

  deinit { close(number) }

  /// fcntl(2) F_DUPFD_CLOEXEC of a descriptor of this process.
  package init(duplicating number: Int32) throws(SystemError) {
    try self.init(owning: fcntl(number, F_DUPFD_CLOEXEC, 0))
  }

  // MARK: Files

  /// open(2) for reading. Where a file is expected and a FIFO lies, nothing waits for its writer, unless that is wanted.
  package init(file path: String, waits: Bool = false) throws(SystemError) {
    try self.init(owning: portwhy_open_read(AT_FDCWD, path, waits ? 0 : O_NONBLOCK))
  }

  /// open(2) for reading a directory.
  package init(directory path: String) throws(SystemError) {
    try self.init(owning: portwhy_open_read(AT_FDCWD, path, O_DIRECTORY))
  }
}

/// What is used of a `struct stat` (stat(2)).
package struct FileStatus: Sendable, Hashable {
  package var device: UInt64
  package var inode: UInt64
  package var uid: UInt32
  package var isSocket: Bool
  package var isRegular: Bool
  /// Bytes; of a `/proc/PID/fd` the number of open descriptors (Linux 6.2, `proc_fd_getattr`), 0 before.
  package var size: Int

  init(_ status: portwhy_file_status) {
    (device, inode, uid) = (status.device, status.inode, status.uid)
    isSocket = status.mode & S_IFMT == S_IFSOCK
    isRegular = status.mode & S_IFMT == S_IFREG
    size = Int(clamping: status.size)
  }

  fileprivate init(_ status: stat) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    uid = status.st_uid
    isSocket = status.st_mode & S_IFMT == S_IFSOCK
    isRegular = status.st_mode & S_IFMT == S_IFREG
    size = status.st_size
  }

  /// stat(2), symbolic links followed.
  package init(ofFile path: String) throws(SystemError) {
    var status = Glibc.stat()
    guard stat(path, &status) == 0 else { throw .last }
    self.init(status)
  }

  /// By device and inode, which tell namespaces apart too (namespaces(7)).
  package func isSameFile(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }
}

extension Descriptor {
  /// fstat(2).
  package borrowing func status() throws(SystemError) -> FileStatus {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw .last }
    return FileStatus(status)
  }

  /// fstatat(2) of what lies below this directory, symbolic links followed.
  package borrowing func status(of path: String) throws(SystemError) -> FileStatus {
    var status = stat()
    guard fstatat(number, path, &status, 0) == 0 else { throw .last }
    return FileStatus(status)
  }
}

/// The names of the regular files in a directory, sorted, hidden ones left out; nil where it is none or cannot be read.
package func namesOfFiles(inDirectory path: String) -> [String]? {
  guard let directory = try? Descriptor(directory: path), let names = try? DirectoryBuffer().names(in: directory)
  else {
    return nil
  }
  return names.filter { name in
    // A FIFO that nobody writes to would never be opened.
    !name.hasPrefix(".") && ((try? directory.status(of: name))?.isRegular ?? false)
  }.sorted()
}

extension SystemError {
  /// strerror(3).
  package var message: String { String(cString: strerror(rawValue)) }
}

/// A descriptor of a process and the socket it refers to.
package struct SocketDescriptor: Sendable, Hashable {
  package var number: Int32
  package var inode: UInt64

  package init(number: Int32, inode: UInt64) {
    self.number = number
    self.inode = inode
  }
}

/// The memory getdents64(2) writes into, used again for each directory.
package struct DirectoryBuffer: ~Copyable {
  fileprivate let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 8)

  package init() {}

  deinit { bytes.deallocate() }

  /// The names of all entries but `.` and `..`, unsorted; a name that is no UTF-8 is left out.
  package borrowing func names(in directory: borrowing Descriptor) throws(SystemError) -> [String] {
    var found: [String] = []
    try forEachEntry(in: directory) { name in
      let text = String(validating: name.prefix { $0 != 0 }, as: UTF8.self)
      if let text, text != ".", text != ".." { found.append(text) }
      return true
    }
    return found
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
