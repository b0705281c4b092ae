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

  /// open(2) for reading. Where a file is expected and a FIFO lies, nothing waits for its writer, unless that is wanted.
  package init(file path: String, waits: Bool = false) throws(SystemError) {
    try self.init(owning: portwhy_open_read(AT_FDCWD, path, waits ? 0 : O_NONBLOCK))
  }

  /// openat(2) for reading; a FIFO is not waited for.
  package init(file path: String, in parent: borrowing Descriptor) throws(SystemError) {
    try self.init(owning: portwhy_open_read(parent.number, path, O_NONBLOCK))
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
}
