/// An IPv4 address; `bits` in host byte order, so 127.0.0.1 is 0x7f000001.
public struct IPv4Address: Sendable, Hashable, CustomStringConvertible {
  /// The address as a number, 127.0.0.1 is 0x7f000001.
  package var bits: UInt32

  package init(bits: UInt32) { self.bits = bits }
  /// The four numbers between the dots.
  package init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
    bits = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
  }

  /// INADDR_ANY, 0.0.0.0.
  package static let any = IPv4Address(bits: 0)
  /// INADDR_LOOPBACK, 127.0.0.1.
  package static let loopback = IPv4Address(127, 0, 0, 1)

  /// 224.0.0.0/4.
  package var isMulticast: Bool { bits >> 28 == 0xe }

  /// Dotted decimal, as inet_ntop(3) writes it.
  public var description: String { "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)" }
}

/// An IPv6 address as two halves in host byte order, so ::1 is (0, 1).
public struct IPv6Address: Sendable, Hashable {
  /// The first 64 bits.
  package var high: UInt64
  /// The last 64 bits.
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The IPv4-mapped form ::ffff:a.b.c.d of an IPv4 address (RFC 4291, 2.5.5.2).
  package init(mapping address: IPv4Address) {
    high = 0
    low = 0xffff_0000_0000 | UInt64(address.bits)
  }

  /// in6addr_any, ::.
  package static let any = IPv6Address(high: 0, low: 0)
  /// in6addr_loopback, ::1.
  package static let loopback = IPv6Address(high: 0, low: 1)

  /// The IPv4 address inside ::ffff:a.b.c.d; nil for every other address.
  package var mapped: IPv4Address? {
    high == 0 && low >> 32 == 0xffff ? IPv4Address(bits: UInt32(truncatingIfNeeded: low)) : nil
  }

  /// ff00::/8.
  package var isMulticast: Bool { high >> 56 == 0xff }
  /// fe80::/10.
  package var isLinkLocal: Bool { high >> 54 == 0x3fa }

  /// The eight 16-bit groups, first to last.
  package var groups: [UInt16] {
    (0..<8).map { index in
      UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> (48 - UInt64(index % 4) * 16))
    }
  }
}

extension IPv6Address: CustomStringConvertible {
  /// The canonical text of RFC 5952; IPv4-mapped addresses as ::ffff:a.b.c.d.
  public var description: String {
    if let mapped { return "::ffff:\(mapped)" }
    let groups = groups
    var longest = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, groups[end] == 0 { end += 1 }
      if end - start > longest.count { longest = start..<end }
      start = max(end, start + 1)
    }
    func text(_ slice: ArraySlice<UInt16>) -> String {
      slice.map { String($0, radix: 16) }.joined(separator: ":")
    }
    guard longest.count > 1 else { return text(groups[...]) }
    return text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
  }
}

/// An IPv4 or IPv6 address.
public enum IPAddress: Sendable, Hashable, CustomStringConvertible {
  case v4(IPv4Address)
  case v6(IPv6Address)

  /// 0.0.0.0 or ::, the wildcard of its family; ::ffff:0.0.0.0 is not meant.
  package var isUnspecified: Bool {
    switch self {
    case .v4(let address): address == .any
    case .v6(let address): address == .any
    }
  }

  /// 224.0.0.0/4 or ff00::/8.
  package var isMulticast: Bool {
    switch self {
    case .v4(let address): address.isMulticast
    case .v6(let address): address.isMulticast
    }
  }

  /// The family of the sockaddr that carries this address.
  package var family: AddressFamily {
    switch self {
    case .v4: .ipv4
    case .v6: .ipv6
    }
  }

  /// The text of the address, without brackets.
  public var description: String {
    switch self {
    case .v4(let address): address.description
    case .v6(let address): address.description
    }
  }
}

/// The address family a socket was created with: AF_INET or AF_INET6 (address_families(7)).
public enum AddressFamily: String, Sendable, Hashable, CaseIterable {
  /// AF_INET.
  case ipv4
  /// AF_INET6; such a socket may still carry an IPv4-mapped address (ipv6(7)).
  case ipv6
}

/// One end of a socket: an address and a port, and for link-local addresses the interface.
public struct Endpoint: Sendable, Hashable {
  /// The address.
  public var address: IPAddress
  /// The port.
  public var port: Port

  /// `address:port`, without a zone.
  public init(address: IPAddress, port: Port) {
    self.address = address
    self.port = port
  }
}
