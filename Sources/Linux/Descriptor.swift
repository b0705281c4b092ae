import CLinux
import Glibc
package import SocketModel

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

  /// open(2) for reading.
  package init(file path: String) throws(SystemError) {
    try self.init(owning: portwhy_open_read(AT_FDCWD, path, 0))
  }

  /// openat(2) for reading.
  package init(file path: String, in parent: borrowing Descriptor) throws(SystemError) {
    try self.init(owning: portwhy_open_read(parent.number, path, 0))
  }

  /// open(2) for reading a directory.
  package init(directory path: String) throws(SystemError) {
    try self.init(owning: portwhy_open_read(AT_FDCWD, path, O_DIRECTORY))
  }

  /// openat(2) for reading a directory.
  package init(directory path: String, in parent: borrowing Descriptor) throws(SystemError) {
    try self.init(owning: portwhy_open_read(parent.number, path, O_DIRECTORY))
  }

  /// open_by_handle_at(2) of a cgroup2 directory by its number. Linux 5.5, needs CAP_DAC_READ_SEARCH.
  package init(controlGroup number: UInt64, mount: borrowing Descriptor) throws(SystemError) {
    try self.init(owning: portwhy_open_control_group(mount.number, number))
  }

  // MARK: Processes

  /// pidfd_open(2), Linux 5.3.
  package init(process pid: Int32) throws(SystemError) {
    try self.init(owning: portwhy_pidfd_open(pid))
  }

  /// pidfd_getfd(2), Linux 5.6: a duplicate of a descriptor of another process.
  ///
  /// Throws `noSuchProcess` where the number stands for something else than the socket `inode` by now.
  package static func duplicate(
    _ descriptor: Int32, of process: borrowing Descriptor, inode: UInt64
  ) throws(SystemError) -> Descriptor {
    let duplicate = try Descriptor(owning: portwhy_pidfd_getfd(process.number, descriptor))
    let status = try duplicate.status()
    guard status.isSocket, status.inode == inode else { throw .noSuchProcess }
    return duplicate
  }
}
