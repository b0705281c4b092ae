/// A TCP or UDP port number, 0...65535, in host byte order.
public struct Port: RawRepresentable, Sendable, Hashable, Strideable, CustomStringConvertible,
  ExpressibleByIntegerLiteral
{
  /// 0 to 65535.
  public let rawValue: UInt16

  /// The number; every one is a port, 0 too, which bind(2) takes for "any".
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  /// A port written as a number: `8080`.
  public init(integerLiteral number: UInt16) { rawValue = number }
  /// A port by its number.
  public init(_ number: UInt16) { rawValue = number }

  /// Decimal digits and nothing else, 0 to 65535; nil for anything else, a sign included.
  package init?(decimal text: Substring) {
    guard text.isDecimal, let number = UInt16(text) else { return nil }
    rawValue = number
  }

  /// By number.
  public static func < (left: Port, right: Port) -> Bool { left.rawValue < right.rawValue }

  /// How many ports further the other is.
  public func distance(to other: Port) -> Int { Int(other.rawValue) - Int(rawValue) }

  /// The port so many further, which must be one.
  public func advanced(by count: Int) -> Port { Port(rawValue: UInt16(Int(rawValue) + count)) }

  /// The number.
  public var description: String { String(rawValue) }
}
