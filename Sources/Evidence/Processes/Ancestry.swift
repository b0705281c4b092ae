import Linux
import SocketModel

extension VisitedProcess {
  /// Fills in the parent, when it was started, and the leader of the process group if that has gone while its session lives on.
  func readAncestry(into record: inout ProcessRecord) {
    guard let text = try? directory.contents(of: "../stat"), let stat = ProcessStat(text) else { return }
    record.parent = stat.parent
    record.startedAt = stat.startedAt
    // Where process 1 cannot be seen /proc hides processes, and a leader may only be hidden.
    guard stat.group != pid, stat.group > 0, stat.session > 0, stat.session != stat.group, exists(1),
      !exists(stat.group), exists(stat.session)
    else { return }
    record.goneLeader = stat.group
  }

  private func exists(_ other: Int32) -> Bool {
    (try? directory.status(of: "../../\(other)/stat")) != nil
  }

  /// What a docker-proxy forwards to, from its own arguments; nil for every other program.
  ///
  /// The arguments of no other program are read, and of these nothing else is kept: arguments hold secrets. Anybody may
  /// call a program so: it is believed where root or the user's own engine runs it. Its memory may be kept from being
  /// read, so that is not waited for.
  func forwardedEndpoint(_ record: ProcessRecord) -> Endpoint? {
    guard let executable = record.executable, executable.split(separator: "/").last == "docker-proxy",
      let owner = uid(), owner == 0 || (owner == record.userManager && record.unit == "docker.service"),
      let file = try? Descriptor(file: "../cmdline", in: directory)
    else { return nil }
    var text: [UInt8] = []
    try? Errand.read(file, atMost: 16 << 10) { bytes in
      for place in 0..<bytes.byteCount { text.append(bytes.byte(at: place)) }
    }
    return dockerProxyTarget(arguments: text.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
  }

  /// The effective uid of the process, from `/proc/PID/status`: the owner of its files in /proc is root where it has made
  /// itself undumpable.
  func uid() -> UInt32? {
    guard let text = try? directory.contents(of: "../status") else { return nil }
    // The name comes first, with its newlines escaped (`proc_task_name`).
    for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: "Uid:".utf8) {
      let fields = line.split(separator: UInt8(ascii: "\t"))
      return fields.count > 2 ? UInt32(String(decoding: fields[2], as: UTF8.self)) : nil
    }
    return nil
  }
}
