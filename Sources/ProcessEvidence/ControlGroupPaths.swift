import SocketModel

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
      let text = try? contents(of: "self/mountinfo", in: proc, limit: 1 << 20),
      let point = cgroup2MountPoint(mountinfo: String(decoding: text, as: UTF8.self)),
      let mount = try? Descriptor(directory: point)
    else { return nil }
    self.mount = mount
    self.mountPoint = point
  }

  /// The path, "/" for the root group; `candidates` are the paths of the holders, tried first.
  mutating func path(of number: UInt64, candidates: Set<String>) -> String? {
    if let path = known[number] { return path }
    let path = candidates.first { isGroup($0, number: number) } ?? pathByHandle(number)
    known[number] = .some(path)
    return path
  }

  private func isGroup(_ path: String, number: UInt64) -> Bool {
    // "/../x" is a group outside of the reader's cgroup namespace.
    guard !path.hasPrefix("/..") else { return false }
    return (try? fileStatus(at: "." + path, in: mount)).map { $0.inode == number } ?? false
  }

  private func pathByHandle(_ number: UInt64) -> String? {
    guard let group = try? Descriptor(controlGroup: number, mount: mount),
      let descriptors = try? Descriptor(directory: "/proc/thread-self/fd"),
      let path = try? linkTarget(of: "\(group.number)", in: descriptors)
    else { return nil }
    if path == mountPoint { return "/" }
    guard path.hasPrefix(mountPoint + "/") else { return nil }
    return String(path.dropFirst(mountPoint.count))
  }
}

/// The place of the first cgroup2 mount whose root is that of the hierarchy (proc_pid_mountinfo(5)).
func cgroup2MountPoint(mountinfo: String) -> String? {
  for line in mountinfo.split(separator: "\n") {
    // 36 35 98:0 ROOT MOUNT_POINT OPTIONS [optional fields] - TYPE SOURCE OPTIONS
    let fields = line.split(separator: " ")
    guard fields.count > 5, fields[3] == "/", let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count,
      fields[dash + 1] == "cgroup2"
    else { continue }
    return withoutOctalEscapes(fields[4])
  }
  return nil
}

/// `\040` and the like, as the kernel writes blanks in mount points (kernel function `mangle`).
private func withoutOctalEscapes(_ text: Substring) -> String {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "\\"), rest.count >= 3,
      let value = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
    {
      bytes.append(value)
      rest = rest.dropFirst(3)
    } else {
      bytes.append(byte)
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}
