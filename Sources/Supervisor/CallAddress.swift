package import SocketModel

/// The address that a program passed to bind(2): a `sockaddr_in` or `sockaddr_in6` (ip(7), ipv6(7)).
package struct CallAddress: Sendable, Hashable {
  package var endpoint: Endpoint
  /// `sin6_scope_id`; nil for 0.
  package var scope: UInt32?

  package init(endpoint: Endpoint, scope: UInt32? = nil) {
    self.endpoint = endpoint
    self.scope = scope
  }

  /// What may be an address of a TCP or UDP socket; nil for every other family and for too few bytes.
  ///
  /// AF_UNSPEC counts as AF_INET, as it does to `__inet_bind`.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= 16 else { return nil }
    // The family is in the order of the host, and x86-64 and aarch64 are little-endian.
    let family = Int32(bytes[0]) | Int32(bytes[1]) << 8
    let port = Port(UInt16(bytes[2]) << 8 | UInt16(bytes[3]))
    switch family {
    case 0, Self.inet:
      endpoint = Endpoint(address: .v4(IPv4Address(bytes[4], bytes[5], bytes[6], bytes[7])), port: port)
    case Self.inet6 where bytes.count >= 24:
      let halves = [bytes[8..<16], bytes[16..<24]].map { $0.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
      endpoint = Endpoint(address: .v6(IPv6Address(high: halves[0], low: halves[1])), port: port)
      if bytes.count >= 28 {
        let number = (24..<28).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[$1]) }
        scope = number == 0 ? nil : number
      }
    default: return nil
    }
  }

  /// Whether the bytes may be such an address; the rest of the host's binds is let go on unseen.
  static func mayBe(_ bytes: [UInt8]) -> Bool {
    guard bytes.count >= 2 else { return false }
    let family = Int32(bytes[0]) | Int32(bytes[1]) << 8
    return family == 0 || family == inet || family == inet6
  }

  /// AF_INET and AF_INET6.
  private static let inet: Int32 = 2
  private static let inet6: Int32 = 10
}
