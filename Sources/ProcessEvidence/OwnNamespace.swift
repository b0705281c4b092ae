import Glibc
import SocketModel

/// The network namespace of this thread, to tell its sockets from those of other namespaces.
struct OwnNamespace: Sendable, Hashable {
  /// SO_NETNS_COOKIE, Linux 5.14.
  var cookie: UInt64?
  /// The file of the namespace on nsfs (namespaces(7)).
  var file: FileStatus?

  init(cookie: UInt64?, file: FileStatus?) {
    self.cookie = cookie
    self.file = file
  }

  init(procRoot: String) {
    if let socket = try? Descriptor(unboundSocketOf: AF_UNIX) {
      cookie = try? wideOption(SOL_SOCKET, SocketOption.networkNamespaceCookie, of: socket)
    }
    if let proc = try? Descriptor(directory: procRoot) {
      file = try? fileStatus(at: "thread-self/ns/net", in: proc)
    }
  }

  /// Whether the socket is of this namespace; nil where that cannot be told.
  ///
  /// Before Linux 5.14 the namespace's file is asked for (SIOCGSKNS), which needs CAP_NET_ADMIN; without it the
  /// namespace of the holder stands for that of the socket, which is right unless the holder changed its own.
  func contains(_ socket: borrowing Descriptor, of process: borrowing VisitedProcess) -> Bool? {
    if let cookie, let other = try? wideOption(SOL_SOCKET, SocketOption.networkNamespaceCookie, of: socket) {
      return cookie == other
    }
    guard let file else { return nil }
    if let namespace = try? Descriptor(namespaceOf: socket), let status = try? fileStatus(of: namespace) {
      return status.isSameFile(as: file)
    }
    return (try? fileStatus(at: "../ns/net", in: process.directory)).map { $0.isSameFile(as: file) }
  }
}
