/// Bytes that are not what the kernel's headers say they must be.
public struct WireError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Where in the datagram, in bytes from its start.
  public var offset: Int
  /// What should have stood there, in words.
  public var expected: String

  /// One with these parts, each as its property says.
  public init(offset: Int, expected: String) {
    self.offset = offset
    self.expected = expected
  }

  /// As text, for messages and tests.
  public var description: String { "expected \(expected) at byte \(offset)" }
}
