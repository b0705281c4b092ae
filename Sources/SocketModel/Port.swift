/// A TCP or UDP port number, 0...65535, in host byte order.
public struct Port: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
  public let rawValue: UInt16

  public init(rawValue: UInt16) { self.rawValue = rawValue }
  public init(_ number: UInt16) { rawValue = number }

  public static func < (left: Port, right: Port) -> Bool { left.rawValue < right.rawValue }

  public var description: String { String(rawValue) }
}
