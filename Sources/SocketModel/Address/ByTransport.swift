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
