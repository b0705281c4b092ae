import Linux

/// Turns the number of a control group (`INET_DIAG_CGROUP_ID`) into its path below the cgroup2 mount.
///
/// The number is the `st_ino` of its directory and, on kernfs, also its file handle: one open_by_handle_at(2)
/// and one readlink(2), without a search. That needs CAP_DAC_READ_SEARCH; without it only the groups of the
/// holders are compared. A group that was removed has no path.
struct ControlGroupPaths {
  private let mountPoint: String
  private let files: ProcessFiles
  private var known: [UInt64: String?] = [:]

  /// Nil where no cgroup2 is mounted.
  /// - Parameter files: who reads /proc for this look.
  init?(_ files: ProcessFiles) {
    let list = FileQuestion.contents("self/mountinfo", limit: 1 << 20)
    guard let text = files.ask(ProcessQuestion(.named([]), [], rootFiles: [list])).root.contents(list.path),
      let point = cgroup2MountPoint(mountinfo: String(decoding: text, as: UTF8.self))
    else { return nil }
    mountPoint = point
    self.files = files
  }

  /// The path, "/" for the root group; `candidates` are the paths of the holders, tried first.
  mutating func path(of number: UInt64, candidates: [String]) -> String? {
    if let path = known[number] { return path }
    // "/../x" is a group outside of the reader's cgroup namespace.
    let groups = candidates.filter { !$0.hasPrefix("/..") }
    let told = files.ask(
      ProcessQuestion(
        .named([]), [],
        rootFiles: groups.map { .status(mountPoint + $0) } + [.controlGroup(number, mountedAt: mountPoint)])
    ).root
    let path =
      groups.first { told.status(mountPoint + $0)?.inode == number }
      ?? told.controlGroup(number, mountedAt: mountPoint).flatMap(group)
    known[number] = .some(path)
    return path
  }

  private func group(_ path: String) -> String? {
    if path == mountPoint { return "/" }
    guard path.hasPrefix(mountPoint + "/") else { return nil }
    return String(path.dropFirst(mountPoint.count))
  }
}
