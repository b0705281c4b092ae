import Glibc
import SocketModel

/// close(2), and waits until no child of this process has a copy: one that was forked meanwhile, by a look in another
/// thread or by another test, holds the socket, and with it the port, until it has closed what it inherited.
package func closeForGood(_ descriptor: Int32) {
  var status = stat()
  let isKnown = fstat(descriptor, &status) == 0
  SystemCalls.close(descriptor)
  guard isKnown else { return }
  let name = "socket:[\(status.st_ino)]"
  var round = 0
  while round < 10_000, children().contains(where: { holds($0, name) }) {
    SystemCalls.pause(round: round)
    round += 1
  }
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
