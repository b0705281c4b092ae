import Linux

/// Turns the number of a control group (`INET_DIAG_CGROUP_ID`) into its path below the cgroup2 mount.
///
/// The number is the `st_ino` of its directory and, on kernfs, also its file handle: one open_by_handle_at(2)
/// and one readlink(2), without a search. That needs CAP_DAC_READ_SEARCH; without it only the groups of the
/// holders are compared. A group that was removed has no path.
struct ControlGroupPaths: ~Copyable {
  private let mount: Descriptor
  private let mountPoint: String
  private var known: [UInt64: String?] = [:]

  /// Nil where no cgroup2 is mounted.
  init?(procRoot: String) {
    guard let proc = try? Descriptor(directory: procRoot),
      let text = try? proc.contents(of: "self/mountinfo", limit: 1 << 20),
      let point = cgroup2MountPoint(mountinfo: String(decoding: text, as: UTF8.self)),
      let mount = try? Descriptor(directory: point)
    else { return nil }
    self.mount = mount
    self.mountPoint = point
  }

  /// The path, "/" for the root group; `candidates` are the paths of the holders, tried first.
  mutating func path(of number: UInt64, candidates: [String]) -> String? {
    if let path = known[number] { return path }
    let path = candidates.first { isGroup($0, number: number) } ?? pathByHandle(number)
    known[number] = .some(path)
    return path
  }

  private func isGroup(_ path: String, number: UInt64) -> Bool {
    // "/../x" is a group outside of the reader's cgroup namespace.
    guard !path.hasPrefix("/..") else { return false }
    return (try? mount.status(of: "." + path)).map { $0.inode == number } ?? false
  }

  private func pathByHandle(_ number: UInt64) -> String? {
    guard let group = try? Descriptor(controlGroup: number, mount: mount),
      let descriptors = try? Descriptor(directory: "/proc/thread-self/fd"),
      let path = try? descriptors.linkTarget(of: "\(group.number)")
    else { return nil }
    if path == mountPoint { return "/" }
    guard path.hasPrefix(mountPoint + "/") else { return nil }
    return String(path.dropFirst(mountPoint.count))
  }
}
