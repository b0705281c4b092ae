import Linux
import SocketModel

/// A network namespace other than the reader's own, and processes that live in it.
package struct OtherNamespace: Sendable, Hashable {
  /// The inode of the namespace (namespaces(7)).
  package var inode: UInt64
  /// A path that setns(2) takes: `/proc/PID/ns/net`, or a file of ip-netns(8).
  package var path: String
  /// The name that ip-netns(8) gave it.
  package var name: String?

  package init(inode: UInt64, path: String, name: String? = nil) {
    self.inode = inode
    self.path = path
    self.name = name
  }
}

extension ProcessReader {
  /// The network namespaces of all processes that may be looked at and those that ip-netns(8) keeps, each once,
  /// without the caller's own, ascending by inode; two system calls a process.
  ///
  /// - Parameter namesDirectory: where ip-netns(8) mounts its namespaces.
  package func otherNetworkNamespaces(namesDirectory: String = "/run/netns") -> [OtherNamespace] {
    guard let proc = try? Descriptor(directory: procRoot),
      let own = try? proc.status(of: "thread-self/ns/net")
    else { return [] }
    let buffer = DirectoryBuffer()
    var found: [UInt64: OtherNamespace] = [:]
    for pid in (try? buffer.processes(in: proc)) ?? [] {
      guard let file = try? proc.status(of: "\(pid)/ns/net"), !file.isSameFile(as: own),
        found[file.inode] == nil
      else { continue }
      found[file.inode] = OtherNamespace(inode: file.inode, path: "\(procRoot)/\(pid)/ns/net")
    }
    if let directory = try? Descriptor(directory: namesDirectory) {
      for name in ((try? buffer.names(in: directory)) ?? []).sorted() {
        // A name whose namespace was unmounted is a file of another file system.
        guard let file = try? directory.status(of: name), file.device == own.device,
          !file.isSameFile(as: own)
        else { continue }
        found[file.inode, default: OtherNamespace(inode: file.inode, path: "\(namesDirectory)/\(name)")].name = name
      }
    }
    return found.values.sorted { $0.inode < $1.inode }
  }
}
