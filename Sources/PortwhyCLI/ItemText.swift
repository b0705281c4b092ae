internal import SocketModel

/// One item of TARGET taken apart, before ports and protocol are looked up.
struct ItemText {
  enum Address: Hashable {
    case wildcard
    case localhost
    case address(IPAddress, zone: String?)
  }

  var address: Address
  /// Empty where there is none, which only a URL may do.
  var ports: String
  /// What follows `/`; nil without one, and for a URL.
  var suffix: String?
  /// The scheme of a URL, lower case.
  var scheme: String?
  /// The item as an error may repeat it: a URL without user, password and path.
  var shown: String

  init(_ item: String) throws(UsageError) {
    if let url = URLText(item) {
      scheme = url.scheme
      shown = "\(url.scheme)://\(url.authority)"
      if url.authority.isEmpty { throw UsageError("no host in \"\(shown)\"") }
      (address, ports) = try Self.split(url.authority, item: shown, isURL: true)
      return
    }
    shown = item
    var head = item[...]
    if let slash = item.firstIndex(of: "/") {
      suffix = String(item[item.index(after: slash)...])
      head = item[..<slash]
    }
    (address, ports) = try Self.split(String(head), item: item, isURL: false)
  }

  /// `ADDRESS:PORTS`, `PORTS`; in a URL also a bare `ADDRESS`.
  private static func split(
    _ text: String, item: String, isURL: Bool
  ) throws(UsageError) -> (Address, ports: String) {
    if text.hasPrefix("[") { return try splitBracketed(text, item: item, isURL: isURL) }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    switch parts.count {
    case 1 where isURL: return (try host(text, item: item), "")
    case 1: return (.wildcard, text)
    case 2: return (try host(parts[0], item: item), parts[1])
    default: throw UsageError("\"\(item)\": an IPv6 address stands in brackets, as in [::1]:80")
    }
  }

  private static func splitBracketed(
    _ text: String, item: String, isURL: Bool
  ) throws(UsageError) -> (Address, ports: String) {
    guard let close = text.firstIndex(of: "]") else { throw UsageError("no closing bracket in \"\(item)\"") }
    let inside = String(text[text.index(after: text.startIndex)..<close])
    let address = try bracketed(inside, isURL: isURL)
    let rest = text[text.index(after: close)...]
    if rest.isEmpty {
      if isURL { return (address, "") }
      throw UsageError("no port in \"\(item)\"")
    }
    guard rest.hasPrefix(":") else { throw UsageError("\"\(rest)\" after the bracket in \"\(item)\"") }
    return (address, String(rest.dropFirst()))
  }

  private static func bracketed(_ text: String, isURL: Bool) throws(UsageError) -> Address {
    var zone: String?
    var digits = text[...]
    if let percent = text.firstIndex(of: "%") {
      digits = text[..<percent]
      var name = text[text.index(after: percent)...]
      // RFC 6874: in a URL the percent sign itself is written %25.
      if isURL && name.hasPrefix("25") { name = name.dropFirst(2) }
      if name.isEmpty { throw UsageError("no interface after % in \"[\(text)]\"") }
      if name.unicodeScalars.contains("\u{fffd}") { throw UsageError("\"[\(text)]\" is not valid UTF-8") }
      zone = String(name)
    }
    guard let address = IPv6Address(digits) else { throw UsageError("\"[\(text)]\" is not an IPv6 address") }
    return .address(.v6(address), zone: zone)
  }

  private static func host(_ text: String, item: String) throws(UsageError) -> Address {
    switch text.lowercased() {
    case "", "*": return .wildcard
    case "localhost": return .localhost
    default: break
    }
    if let address = IPv4Address(text) { return .address(.v4(address), zone: nil) }
    let place = text == item ? "" : " in \"\(item)\""
    throw UsageError("\"\(text)\"\(place) is neither an address nor localhost")
  }
}

/// A URL cut down to scheme and authority; user and password are dropped and never repeated.
private struct URLText {
  var scheme: String
  var authority: String

  /// Nil for a text that is no URL.
  init?(_ text: String) {
    var rest = text[...]
    let name = rest.prefix { $0 != ":" }
    rest = rest[name.endIndex...]
    guard rest.hasPrefix("://"), let first = name.first, first.isLetter,
      name.utf8.allSatisfy(Self.isSchemeByte)
    else { return nil }
    rest = rest.dropFirst(3).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
    scheme = name.lowercased()
    authority = String(rest)
  }

  private static func isSchemeByte(_ byte: UInt8) -> Bool {
    let scalar = Character(Unicode.Scalar(byte))
    return byte < 0x80 && (scalar.isLetter || scalar.isNumber || "+-.".contains(scalar))
  }
}
