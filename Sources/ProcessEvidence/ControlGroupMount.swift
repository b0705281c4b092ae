/// The place of the first cgroup2 mount whose root is that of the hierarchy (proc_pid_mountinfo(5)).
func cgroup2MountPoint(mountinfo: String) -> String? {
  // By bytes: neither a carriage return nor a combining mark in a name may hide a separator.
  for line in mountinfo.utf8.split(separator: UInt8(ascii: "\n")) {
    // 36 35 98:0 ROOT MOUNT_POINT OPTIONS [optional fields] - TYPE SOURCE OPTIONS
    let fields = line.split(separator: UInt8(ascii: " ")).map { Substring($0) }
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
