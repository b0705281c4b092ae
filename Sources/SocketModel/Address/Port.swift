/// A TCP or UDP port number, 0...65535, in host byte order.
public struct Port: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
  /// 0 to 65535.
  public let rawValue: UInt16

  /// Takes any value, known or not.
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  /// A port by its number.
  public init(_ number: UInt16) { rawValue = number }

  /// Decimal digits and nothing else, 0 to 65535; nil for anything else, a sign included.
  package init?(decimal text: Substring) {
    guard text.isDecimal, let number = UInt16(text) else { return nil }
    rawValue = number
  }

  /// By number.
  public static func < (left: Port, right: Port) -> Bool { left.rawValue < right.rawValue }

  /// The number.
  public var description: String { String(rawValue) }
}
