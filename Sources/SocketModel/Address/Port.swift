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

/// The transport whose port space an attempt or a socket lives in. MPTCP and SMC sockets live in TCP's.
public enum TransportProtocol: String, Sendable, Hashable, CaseIterable {
  /// IPPROTO_TCP, tcp(7).
  case tcp
  /// IPPROTO_UDP, udp(7).
  case udp

  /// The other of the two; the port spaces are separate, so sockets there are never in the way.
  package var other: TransportProtocol { self == .tcp ? .udp : .tcp }
}
