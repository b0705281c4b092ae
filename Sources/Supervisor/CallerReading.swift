import SocketModel

extension Caller {
  /// Reads /proc/TID; nil where the thread is gone.
  init?(thread: Int32) {
    guard let bytes = fileContents("/proc/\(thread)/status") else { return nil }
    let status = StatusFile(bytes)
    guard let process = status.number("Tgid:").flatMap({ Int32($0) }) else { return nil }
    self.thread = thread
    self.process = process
    command = status.text("Name:") ?? "?"
    let users = status.text("Uid:")?.split(whereSeparator: { $0 == "\t" || $0 == " " }) ?? []
    uid = users.count > 1 ? UInt32(users[1]) ?? .max : .max
    capabilities = status.text("CapEff:").flatMap { UInt64($0, radix: 16) } ?? 0
    executable = linkTarget("/proc/\(process)/exe")
    let theirs = linkTarget("/proc/\(thread)/ns/user")
    let ours = linkTarget("/proc/self/ns/user")
    isInOurUserNamespace = theirs == nil || ours == nil ? nil : theirs == ours
    let label = fileContents("/proc/\(thread)/attr/current") ?? []
    let text = String(decoding: label.prefix { $0 != 0 && $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    securityLabel = text.isEmpty || text == "unconfined" ? nil : text
  }
}

/// /proc/TID/status, proc_pid_status(5).
struct StatusFile {
  private var bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// What stands behind a field's name, which is the first of its line.
  func text(_ name: String) -> String? {
    let key = Array(name.utf8)
    var rest = bytes[...]
    while !rest.isEmpty {
      let line = rest.prefix { $0 != UInt8(ascii: "\n") }
      if line.starts(with: key) {
        let blank: (UInt8) -> Bool = { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
        return String(decoding: line.dropFirst(key.count).drop(while: blank), as: UTF8.self)
      }
      rest = rest[line.endIndex...].dropFirst()
    }
    return nil
  }

  func number(_ name: String) -> UInt64? { text(name).flatMap { UInt64($0) } }
}

/// Whether a process descends from this one, which adopts what the command leaves behind.
package func isBelowThisProcess(_ process: Int32) -> Bool {
  let own = StatusFile(fileContents("/proc/self/status") ?? []).number("Pid:")
  var process = UInt64(process)
  // A chain that changes while it is read may lead in a circle.
  for _ in 0..<100 where process > 1 {
    guard let parent = StatusFile(fileContents("/proc/\(process)/status") ?? []).number("PPid:") else { return false }
    if parent == own { return true }
    process = parent
  }
  return false
}
