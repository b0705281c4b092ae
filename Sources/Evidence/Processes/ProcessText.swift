import Linux
import SocketModel

/// The numbers of `/proc/PID/stat` that tell where a process comes from (proc_pid_stat(5)).
struct ProcessStat: Sendable, Hashable {
  var parent: Int32
  var group: Int32
  var session: Int32
  /// Ticks after boot; nil where the line ends before.
  var startTicks: UInt64?
  /// How many threads it has; nil where the line ends before.
  var threads: Int?

  init?(_ stat: [UInt8]) {
    guard let fields = fieldsAfterName(stat), fields.count >= 4, let parent = Int32(fields[1]),
      let group = Int32(fields[2]),
      let session = Int32(fields[3])
    else { return nil }
    self.parent = parent
    self.group = group
    self.session = session
    threads = fields.count > 17 ? Int(fields[17]) : nil
    startTicks = fields.count > 19 ? UInt64(fields[19]) : nil
  }

  /// When the process was started, in whole seconds since the epoch.
  var startedAt: Double? {
    guard let startTicks, let boot = Clock.boot else { return nil }
    return (boot + Double(startTicks) / Clock.ticksPerSecond).rounded(.down)
  }
}

/// Whether `/proc/PID/stat` is that of a process with descriptors: not a kernel thread and not a zombie.
func mayHoldDescriptors(stat: [UInt8]) -> Bool {
  guard let fields = fieldsAfterName(stat), fields.count > 6 else { return true }
  if fields[0] == "Z" || fields[0] == "X" { return false }
  let isKernelThread: UInt32 = 0x0020_0000  // PF_KTHREAD, include/linux/sched.h
  guard let flags = UInt32(fields[6]) else { return true }
  return flags & isKernelThread == 0
}

/// The state, the parent and what follows, up to the time of the start and the rest of the line in one; nil where there
/// is no name.
private func fieldsAfterName(_ stat: [UInt8]) -> [Substring]? {
  // The command name may hold anything, brackets and blanks too: the fields start after the last ")".
  guard let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
  let text = String(decoding: stat[stat.index(after: end)...], as: UTF8.self)
  return text.utf8.split(separator: UInt8(ascii: " "), maxSplits: 20).map { Substring($0) }
}

/// `-container-ip ADDRESS -container-port PORT` of a docker-proxy, also written with two dashes or with `=`.
func dockerProxyTarget(arguments: [String]) -> Endpoint? {
  func value(_ name: String) -> String? {
    for (index, word) in arguments.enumerated() {
      let option = word.hasPrefix("--") ? word.dropFirst(2) : word.hasPrefix("-") ? word.dropFirst(1) : ""
      if option == name { return index + 1 < arguments.count ? arguments[index + 1] : nil }
      if option.hasPrefix(name + "=") { return String(option.dropFirst(name.count + 1)) }
    }
    return nil
  }
  guard let address = value("container-ip").flatMap({ IPAddress($0) }),
    let port = value("container-port").flatMap({ Port(decimal: $0[...]) })
  else { return nil }
  return Endpoint(address: address, port: port)
}
