// The texts inet_pton(3) accepts, without a libc: SocketModel imports nothing.

extension IPv4Address {
  /// Reads dotted decimal, four numbers without leading zeros; nil for everything else (so no `127.1`).
  public init?(_ text: some StringProtocol) {
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
  public init?(_ text: some StringProtocol) {
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
