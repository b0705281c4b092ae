/// The bytes of a file of Tests/Fixtures/netlink: hexadecimal, `#` starts a comment.
package func hexFixture(_ name: String) throws -> [UInt8] {
  let folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  let path = "/\(folder)/Fixtures/netlink/\(name).hex"
  guard let text = fileText(path) else { throw FixtureError(what: "cannot open \(path)") }
  var bytes: [UInt8] = []
  for line in text.split(separator: "\n") {
    for word in line.prefix(while: { $0 != "#" }).split(separator: " ") {
      guard let byte = UInt8(word, radix: 16) else { throw FixtureError(what: "not a byte: \(word)") }
      bytes.append(byte)
    }
  }
  return bytes
}

package struct FixtureError: Error {
  package var what: String

  package init(what: String) { self.what = what }
}
