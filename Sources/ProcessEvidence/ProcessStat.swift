/// The numbers of `/proc/PID/stat` that tell where a process comes from (proc_pid_stat(5)).
struct ProcessStat: Sendable, Hashable {
  var parent: Int32
  var group: Int32
  var session: Int32

  init?(_ stat: [UInt8]) {
    // The command name may hold anything, brackets and blanks too: the fields start after the last ")".
    guard let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let text = String(decoding: stat[stat.index(after: end)...], as: UTF8.self)
    let fields = text.utf8.split(separator: UInt8(ascii: " "), maxSplits: 4).map { Substring($0) }
    guard fields.count >= 4, let parent = Int32(fields[1]), let group = Int32(fields[2]),
      let session = Int32(fields[3])
    else { return nil }
    self.parent = parent
    self.group = group
    self.session = session
  }
}

/// Whether `/proc/PID/stat` is that of a process with descriptors: not a kernel thread and not a zombie.
func mayHoldDescriptors(stat: [UInt8]) -> Bool {
  // The command name may hold anything, brackets and blanks too: the fields start after the last ")".
  guard let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return true }
  let fields = stat[stat.index(after: end)...].split(separator: UInt8(ascii: " "))
  guard fields.count > 6 else { return true }
  let state = fields[0].first
  if state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") { return false }
  let isKernelThread: UInt32 = 0x0020_0000  // PF_KTHREAD, include/linux/sched.h
  guard let flags = UInt32(String(decoding: fields[6], as: UTF8.self)) else { return true }
  return flags & isKernelThread == 0
}
