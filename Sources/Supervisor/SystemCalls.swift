// The file of this target that calls the system besides CLinux.

import CLinux
import Glibc
import Linux
import SocketModel

/// A descriptor of our own that is closed when its owner lets go of it.
struct OwnedDescriptor: ~Copyable {
  let number: Int32

  /// Takes over what a system call returned; nil where it is negative.
  init?(_ number: Int32) {
    guard number >= 0 else { return nil }
    self.number = number
  }

  deinit { close(number) }
}

/// The memory of a thread, process_vm_readv(2): as much of it as can be read at once, at most `count` bytes. Another user's is
/// read by a child, which may be left behind: see `ThreadFiles.isOthers`.
/// - Throws: ETIMEDOUT where that one is kept waiting.
func memory(of thread: Int32, at address: UInt64, count: Int, isOthers: Bool) throws(SystemError) -> [UInt8] {
  if isOthers {
    do throws(ErrandError) {
      return try Errand.memory(of: thread, at: address, count: count, within: LookingThread.patience)
    } catch {
      if error == .noAnswer { throw .timedOut }
      return []
    }
  }
  return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
    filled = max(0, portwhy_read_memory(thread, address, buffer.baseAddress, UInt(count)))
  }
}

/// The cookie of this process's network namespace, from a socket of its own; 0 where it is not told.
func ownNamespaceCookie() -> UInt64 {
  guard let own = OwnedDescriptor(socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)) else {
    return 0
  }
  return portwhy_namespace_cookie(own.number)
}

/// getsockopt(2) of an `int` option.
func option(_ level: Int32, _ name: Int32, of socket: Int32) -> Int32? {
  var value: Int32 = 0
  var length = socklen_t(MemoryLayout<Int32>.size)
  return getsockopt(socket, level, name, &value, &length) == 0 ? value : nil
}

/// The inode of a socket; nil for what is none.
func socketInode(_ descriptor: Int32) -> UInt64? {
  var status = stat()
  guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
  return UInt64(status.st_ino)
}

/// getsockname(2), as bytes.
func localName(of socket: Int32) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: 128) { buffer, filled in
    var length = socklen_t(buffer.count)
    let result = buffer.withMemoryRebound(to: sockaddr.self) { getsockname(socket, $0.baseAddress, &length) }
    filled = result == 0 ? min(Int(length), buffer.count) : 0
  }
}

/// Waits with poll(2) until one of the descriptors is ready or the moment has come; of each whether it is.
func ready(_ descriptors: [Int32], until moment: UInt64?) -> [Bool] {
  var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
  var milliseconds: Int32 = -1
  if let moment {
    let now = Clock.microseconds
    milliseconds = moment > now ? Int32(clamping: (moment - now + 999) / 1000) : 0
  }
  guard poll(&entries, nfds_t(entries.count), milliseconds) > 0 else {
    return [Bool](repeating: false, count: entries.count)
  }
  return entries.map { $0.revents != 0 }
}

/// A counter that one thread raises and another waits for, eventfd(2).
package final class Alarm: Sendable {
  package let descriptor: Int32

  package init?() {
    descriptor = portwhy_counter()
    if descriptor < 0 { return nil }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  package func raise() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  /// Takes back what was raised.
  package func clear() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
  }

  /// Waits until it is raised, or a moment of `Clock.microseconds` comes; whether it was.
  package func wait(until moment: UInt64? = nil) -> Bool {
    let isRaised = ready([descriptor], until: moment)[0]
    if isRaised { clear() }
    return isRaised
  }
}
