import CLinux
import Glibc
package import SocketModel

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

  /// The entries of /proc that are process numbers, ascending.
  package borrowing func processes(in proc: borrowing Descriptor) throws(SystemError) -> [Int32] {
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
  package borrowing func sockets(
    in directory: borrowing Descriptor, where isWanted: (UInt64) -> Bool, isOver: (() -> Bool)? = nil
  ) throws(SystemError) -> [SocketDescriptor] {
    var found: [SocketDescriptor] = []
    var refusal: SystemError?
    try forEachNumber(in: directory) { number, name in
      if let isOver, isOver() { return false }
      do throws(SystemError) {
        if let inode = try inode(ofLink: name, in: directory), isWanted(inode) {
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
  package borrowing func names(in directory: borrowing Descriptor) throws(SystemError) -> [String] {
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

extension Descriptor {
  /// The inode of the socket that a descriptor of a process refers to, whose `fd` directory this is; nil for what is no
  /// socket.
  package borrowing func socketInode(ofDescriptor number: Int32) throws(SystemError) -> UInt64? {
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
      return try inode(ofLink: (start + place).assumingMemoryBound(to: CChar.self), in: self)
    }
  }
}

/// The same by the name of the link, readlinkat(2).
private func inode(
  ofLink name: UnsafePointer<CChar>, in directory: borrowing Descriptor
) throws(SystemError) -> UInt64? {
  var target: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
  return try withUnsafeMutableBytes(of: &target) { (bytes) throws(SystemError) -> UInt64? in
    guard let start = bytes.baseAddress else { return nil }
    let length = readlinkat(directory.number, name, start.assumingMemoryBound(to: CChar.self), bytes.count)
    guard length >= 0 else { throw .last }
    return inode(ofTarget: UnsafeRawBufferPointer(start: start, count: length))
  }
}

/// The inode of a link target `socket:[INODE]` (kernel function `sockfs_dname`).
private func inode(ofTarget target: UnsafeRawBufferPointer) -> UInt64? {
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
