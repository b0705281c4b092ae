import Glibc
import Netlink
import SocketModel

/// close(2), and waits until nobody has a copy: a process that was forked meanwhile, by a look in another thread or by
/// another test, holds the socket, and with it the port, until it has closed what it inherited.
///
/// sock_diag(7) lists it until then, TCP sockets that are only bound since Linux 6.8. For these the children of this process
/// are watched too, whose list may lack one while others come and go (proc(5)).
package func closeForGood(_ descriptor: Int32) {
  var status = stat()
  let isKnown = fstat(descriptor, &status) == 0
  let port = (try? SystemCalls.localAddress(descriptor).port) ?? 0
  SystemCalls.close(descriptor)
  guard isKnown else { return }
  let name = "socket:[\(status.st_ino)]"
  var left = children()
  for round in 0..<10_000 {
    left.removeAll { !mayHold($0, name) }
    if left.isEmpty, !isListed(UInt64(status.st_ino), port) { return }
    SystemCalls.pause(round: round)
  }
}

private func isListed(_ inode: UInt64, _ port: UInt16) -> Bool {
  port != 0
    && TransportProtocol.allCases.contains { transport in
      (try? SocketDump().glances(transport, .all, ports: port...port))?.contains { $0.inode == inode } ?? false
    }
}

/// Whether a child may hold the socket. What close_range(2) and exit(2) take out of the table is closed only as they end
/// (`task_work_run`), so that a child of this very program that runs may hold what nobody sees any more.
private func mayHold(_ process: Substring, _ name: String) -> Bool {
  guard let bytes = try? SystemCalls.readFile("/proc/\(process)/stat"),
    let state = String(decoding: bytes, as: UTF8.self).split(separator: ")").last?.split(separator: " ").first
  else { return false }
  if "ZX".contains(state) { return false }
  return holds(process, name) || state == "R" && target("/proc/\(process)/exe") == target("/proc/self/exe")
}

/// The children of all threads of this process.
private func children() -> [Substring] {
  entries("/proc/self/task").flatMap { thread -> [Substring] in
    let bytes = (try? SystemCalls.readFile("/proc/self/task/\(thread)/children")) ?? []
    return String(decoding: bytes, as: UTF8.self).split(separator: " ")
  }
}

private func holds(_ process: Substring, _ name: String) -> Bool {
  entries("/proc/\(process)/fd").contains { target("/proc/\(process)/fd/\($0)") == name }
}

/// The names in a directory; none where it cannot be read.
private func entries(_ path: String) -> [String] {
  guard let directory = opendir(path) else { return [] }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
      name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if !name.hasPrefix(".") { names.append(name) }
  }
  return names
}

/// readlink(2); empty where it fails.
private func target(_ path: String) -> String {
  var bytes = [CChar](repeating: 0, count: 256)
  let count = readlink(path, &bytes, bytes.count)
  return String(decoding: bytes.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
