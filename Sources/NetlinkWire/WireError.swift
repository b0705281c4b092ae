/// Bytes that are not what the kernel's headers say they must be.
public struct WireError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Where in the datagram, in bytes from its start.
  public var offset: Int
  /// What should have stood there, in words.
  public var expected: String

  public init(offset: Int, expected: String) {
    self.offset = offset
    self.expected = expected
  }

  public var description: String { "expected \(expected) at byte \(offset)" }
}
