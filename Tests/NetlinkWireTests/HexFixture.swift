import Glibc

/// The bytes of a file of Tests/Fixtures/netlink: hexadecimal, `#` starts a comment.
func hexFixture(_ name: String, beside file: String = #filePath) throws -> [UInt8] {
  let folder = file.split(separator: "/").dropLast(2).joined(separator: "/")
  let path = "/\(folder)/Fixtures/netlink/\(name).hex"
  guard let stream = fopen(path, "r") else { throw FixtureError(what: "cannot open \(path)") }
  defer { fclose(stream) }
  var text: [UInt8] = []
  while case let character = getc(stream), character != EOF { text.append(UInt8(truncatingIfNeeded: character)) }
  var bytes: [UInt8] = []
  for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
    for word in line.prefix(while: { $0 != "#" }).split(separator: " ") {
      guard let byte = UInt8(word, radix: 16) else { throw FixtureError(what: "not a byte: \(word)") }
      bytes.append(byte)
    }
  }
  return bytes
}

struct FixtureError: Error {
  var what: String
}
