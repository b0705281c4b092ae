import Glibc

/// Where the program is, for a PATH.
let portwhyDirectory = String(
  portwhyBinary.prefix(upTo: portwhyBinary.lastIndex(of: "/") ?? portwhyBinary.endIndex))

/// A directory with an empty `bin` in it, gone afterwards.
func inDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
  var template = Array("/tmp/portwhy-test-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw StartError(what: "mkdtemp") }
  let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  defer { _ = try? run(["/usr/bin/rm", "-r", path], Start()) }
  mkdir(path + "/bin", 0o755)
  return try body(path)
}

/// Writes a whole file.
func write(_ text: String, to path: String, mode: mode_t = 0o644) throws {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
  guard descriptor >= 0 else { throw StartError(what: path) }
  defer { close(descriptor) }
  let bytes = Array(text.utf8)
  guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw StartError(what: path) }
}
