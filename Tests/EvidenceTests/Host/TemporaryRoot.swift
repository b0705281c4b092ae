import NetlinkTestSupport
import Glibc

/// A made-up /proc or /sys in a temporary directory, removed at the end of its life.
final class TemporaryRoot {
  let path: String

  init(files: [String: String] = [:], links: [String: String] = [:]) throws {
    var template = Array("/tmp/HostEvidenceTests-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw NamespaceError(what: "mkdtemp") }
    path = String(cString: made)
    for (name, text) in files {
      makeFolders(above: name)
      guard let stream = fopen("\(path)/\(name)", "w") else { throw NamespaceError(what: name) }
      fputs(text, stream)
      fclose(stream)
    }
    for (name, target) in links {
      makeFolders(above: name)
      guard symlink(target, "\(path)/\(name)") == 0 else { throw NamespaceError(what: name) }
    }
  }

  private func makeFolders(above name: String) {
    var folder = path
    for part in name.split(separator: "/").dropLast() {
      folder += "/\(part)"
      mkdir(folder, 0o755)
    }
  }

  deinit { remove(path) }

  private func remove(_ folder: String) {
    guard let stream = opendir(folder) else { return }
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name == "." || name == ".." { continue }
      if Int(entry.pointee.d_type) == Int(DT_DIR) {
        remove("\(folder)/\(name)")
      } else {
        unlink("\(folder)/\(name)")
      }
    }
    closedir(stream)
    rmdir(folder)
  }
}
