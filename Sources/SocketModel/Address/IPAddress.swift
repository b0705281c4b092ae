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

// The texts inet_pton(3) accepts, without a libc: SocketModel imports nothing.

extension IPv4Address {
  /// Reads dotted decimal, four numbers without leading zeros; nil for everything else (so no `127.1`).
  package init?(_ text: some StringProtocol) {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bits: UInt32 = 0
    for part in parts {
      guard let number = decimalByte(part) else { return nil }
      bits = bits << 8 | UInt32(number)
    }
    self.init(bits: bits)
  }
}

extension IPv6Address {
  /// Reads the forms of RFC 4291 section 2.2, without brackets, zone or prefix; nil for everything else.
  package init?(_ text: some StringProtocol) {
    var groups: [UInt16] = []
    var gap: Int?
    var rest = Array(text.utf8)[...]
    if rest.starts(with: "::".utf8) {
      gap = 0
      rest = rest.dropFirst(2)
    }
    while !rest.isEmpty {
      let word = rest.prefix { $0 != UInt8(ascii: ":") }
      let after = rest[word.endIndex...]
      if word.contains(UInt8(ascii: ".")) {
        guard after.isEmpty, let tail = IPv4Address(String(decoding: word, as: UTF8.self)) else { return nil }
        groups += [UInt16(tail.bits >> 16), UInt16(truncatingIfNeeded: tail.bits)]
        break
      }
      guard let group = hexGroup(word) else { return nil }
      groups.append(group)
      rest = after
      if rest.isEmpty { break }
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: ":") {
        guard gap == nil else { return nil }
        gap = groups.count
        rest = rest.dropFirst()
      } else if rest.isEmpty {
        return nil
      }
    }
    if let gap {
      guard groups.count < 8 else { return nil }
      groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    func half(_ slice: ArraySlice<UInt16>) -> UInt64 { slice.reduce(0) { $0 << 16 | UInt64($1) } }
    self.init(high: half(groups[..<4]), low: half(groups[4...]))
  }
}

extension IPAddress {
  /// Reads an IPv4 or an IPv6 address; nil for everything else.
  public init?(_ text: some StringProtocol) {
    if let address = IPv4Address(text) {
      self = .v4(address)
    } else if let address = IPv6Address(text) {
      self = .v6(address)
    } else {
      return nil
    }
  }
}

private func decimalByte(_ digits: some Collection<UInt8>) -> UInt8? {
  guard (1...3).contains(digits.count), digits.count == 1 || digits.first != UInt8(ascii: "0") else { return nil }
  var number = 0
  for digit in digits {
    guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
    number = number * 10 + Int(digit - UInt8(ascii: "0"))
  }
  return UInt8(exactly: number)
}

private func hexGroup(_ digits: some Collection<UInt8>) -> UInt16? {
  guard (1...4).contains(digits.count) else { return nil }
  var number: UInt16 = 0
  for digit in digits {
    guard let value = Character(Unicode.Scalar(digit)).hexDigitValue else { return nil }
    number = number << 4 | UInt16(value)
  }
  return number
}

// Not for every StringProtocol: a generic function of another module would search for conformances at run time.

extension String {
  /// Whether it is a decimal number without sign: ASCII digits, at least one.
  package var isDecimal: Bool { self[...].isDecimal }
}

extension Substring {
  /// As that of `String`.
  package var isDecimal: Bool {
    !isEmpty && utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
  }
}

extension Substring {
  /// Where another text first stands in this one, by bytes; nil where it does not.
  ///
  /// `contains` and `firstRange(of:)` with a text would bring the regex engine into the binary.
  package func place(of text: String) -> Range<Index>? {
    var rest = utf8
    while rest.count >= text.utf8.count {
      if rest.starts(with: text.utf8) {
        return rest.startIndex..<rest.index(rest.startIndex, offsetBy: text.utf8.count)
      }
      rest = rest.dropFirst()
    }
    return nil
  }
}

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
