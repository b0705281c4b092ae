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

/// A value for TCP, for UDP, for both or for neither.
///
/// No dictionary: those of a few types cost a fiftieth of the time of a whole answer, for two keys.
package struct ByTransport<Value> {
  /// That of TCP.
  package var tcp: Value?
  /// That of UDP.
  package var udp: Value?

  /// Without a value that is not given.
  @inlinable
  package init(tcp: Value? = nil, udp: Value? = nil) {
    self.tcp = tcp
    self.udp = udp
  }

  /// The same value for each of these.
  @inlinable
  package init(_ transports: [TransportProtocol], _ value: Value) {
    self.init()
    for transport in transports { self[transport] = value }
  }

  /// nil takes the value away.
  @inlinable
  package subscript(transport: TransportProtocol) -> Value? {
    get { transport == .tcp ? tcp : udp }
    _modify {
      switch transport {
      case .tcp: yield &tcp
      case .udp: yield &udp
      }
    }
  }

  /// Those that have a value, TCP first.
  @inlinable
  package var transports: [TransportProtocol] {
    switch (tcp != nil, udp != nil) {
    case (true, true): [.tcp, .udp]
    case (true, false): [.tcp]
    case (false, true): [.udp]
    case (false, false): []
    }
  }
}

extension ByTransport: Sendable where Value: Sendable {}

extension ByTransport<ClosedRange<UInt16>> {
  /// The smallest range that covers those of both; nil where there is none.
  package var hull: ClosedRange<UInt16>? {
    guard let tcp, let udp else { return tcp ?? udp }
    return tcp.hull(udp)
  }

  /// Whether a port is in one of the ranges.
  package func contains(_ port: UInt16) -> Bool { tcp?.contains(port) == true || udp?.contains(port) == true }
}

extension ClosedRange {
  /// The smallest range that covers both.
  package func hull(_ other: Self) -> Self {
    Swift.min(lowerBound, other.lowerBound)...Swift.max(upperBound, other.upperBound)
  }
}
