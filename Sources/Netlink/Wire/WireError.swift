/// Bytes that are not what the kernel's headers say they must be.
package struct WireError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Where in the datagram, in bytes from its start.
  package var offset: Int
  /// What should have stood there, in words.
  package var expected: String

  package init(offset: Int, expected: String) {
    self.offset = offset
    self.expected = expected
  }

  package var description: String { "expected \(expected) at byte \(offset)" }
}
