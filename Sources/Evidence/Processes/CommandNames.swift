import Linux
import SocketModel

extension ProcessReader {
  /// The short command names of the processes that hold these sockets, as far as they are found in time: for those
  /// who would rather know less than wait.
  ///
  /// The newest processes come first: a port that somebody is about to type often belongs to what was started last.
  /// - Parameter microseconds: processor time after which it gives up; a holder that was not met by then has no entry.
  /// - Returns: for each inode one name of one holder.
  package func commandNames(of inodes: Set<UInt64>, within microseconds: UInt64) -> [UInt64: String] {
    var names: [UInt64: String] = [:]
    guard !inodes.isEmpty, let proc = try? Descriptor(directory: procRoot) else { return names }
    let end = Clock.processorMicroseconds &+ microseconds
    let buffer = DirectoryBuffer()
    var looked = 0
    var isLate = false
    var found = Set<UInt64>()
    // The clock is asked now and then, as reading it costs a hundredth of a look.
    let isOver = {
      looked &+= 1
      if looked % 64 == 0 { isLate = isLate || Clock.processorMicroseconds >= end }
      return isLate || found.count == inodes.count
    }
    for pid in ((try? buffer.processes(in: proc)) ?? []).reversed() {
      if isOver() { break }
      guard let directory = try? Descriptor(directory: "\(pid)/fd", in: proc) else { continue }
      let isWanted: (UInt64) -> Bool = { inode in
        inodes.contains(inode) && found.insert(inode).inserted
      }
      guard let hits = try? buffer.sockets(in: directory, where: isWanted, isOver: isOver), !hits.isEmpty,
        let command = commandName(at: "../comm", in: directory)
      else { continue }
      for hit in hits { names[hit.inode] = command }
    }
    return names
  }

  /// What /proc/PID/comm has; nil where the process is gone.
  package func command(of pid: Int32) -> String? {
    guard let proc = try? Descriptor(directory: procRoot) else { return nil }
    return commandName(at: "\(pid)/comm", in: proc)
  }
}
