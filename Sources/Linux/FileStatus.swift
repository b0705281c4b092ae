import Glibc
package import SocketModel

/// What is used of a `struct stat` (stat(2)).
package struct FileStatus: Sendable, Hashable {
  package var device: UInt64
  package var inode: UInt64
  package var uid: UInt32
  package var isSocket: Bool
  package var isRegular: Bool
  /// Bytes; of a `/proc/PID/fd` the number of open descriptors (Linux 6.2, `proc_fd_getattr`), 0 before.
  package var size: Int

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

/// Whether there is such a file or directory, as far as the reader may see (access(2)).
package func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
