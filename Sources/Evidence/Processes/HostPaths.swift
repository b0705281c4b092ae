import Linux

/// Whether what a process calls its program and its directory are names of this host, or may be a user's own: who is root in
/// a user namespace mounts what he likes where he likes (user_namespaces(7)), and /proc shows his names.
///
/// They are the host's where the mount namespace belongs to the reader's user namespace, so that nobody but root has mounted
/// there, and where program and directory are on mounts of that namespace: what was passed as a descriptor from elsewhere
/// (execveat(2), fchdir(2)) keeps the name that it has there.
struct HostPaths {
  /// The mounts by number; nil where they may be a user's own.
  private typealias Mounts = Set<UInt64>?

  private struct Place: Hashable {
    var device: UInt64
    var inode: UInt64
    /// The mount of the root directory: a list of mounts shows what is below it.
    var root: UInt64?
  }

  private var known: [Place: Mounts] = [:]

  /// nil where /proc does not tell.
  mutating func have(_ process: borrowing VisitedProcess) -> Bool? {
    guard let space = try? process.directory.status(of: "../ns/mnt"),
      let program = process.directory.mount(of: "../exe"), let directory = process.directory.mount(of: "../cwd")
    else { return nil }
    let root = process.directory.mount(of: "../root")
    // Nearly every process is seen like this: without a list.
    if program == root, directory == root, isOwn(space), root == ownRoot { return true }
    let place = Place(device: space.device, inode: space.inode, root: root)
    let mounts = known[place] ?? read(process, space)
    known[place] = .some(mounts)
    guard let mounts else { return false }
    return mounts.contains(program) && mounts.contains(directory)
  }

  private lazy var own: (space: FileStatus, root: UInt64?)? = {
    guard let here = try? Descriptor(directory: "/proc/thread-self"),
      let space = try? here.status(of: "ns/mnt")
    else { return nil }
    return (space, here.mount(of: "root"))
  }()

  private var ownRoot: UInt64? { mutating get { own?.root } }

  private mutating func isOwn(_ space: FileStatus) -> Bool { own.map { $0.space.isSameFile(as: space) } ?? false }

  private mutating func read(_ process: borrowing VisitedProcess, _ space: FileStatus) -> Mounts {
    if !isOwn(space) {
      guard let file = try? Descriptor(file: "../ns/mnt", in: process.directory),
        let owner = try? file.owningUserNamespace(), let own = try? FileStatus(ofFile: "/proc/thread-self/ns/user"),
        owner.isSameFile(as: own)
      else { return nil }
    }
    guard let text = try? process.directory.contents(of: "../mountinfo", limit: 1 << 20) else { return nil }
    return Set(
      text.split(separator: UInt8(ascii: "\n")).compactMap { line in
        UInt64(String(decoding: line.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self))
      })
  }
}
