internal import Answers
internal import SocketModel

/// Reads TARGET: items separated by commas, each `[ADDRESS:]PORTS[/tcp|/udp]`, a URL, or what other programs print.
struct TargetParser {
  /// What `-t` and `-u` ask for; empty where neither was given: TCP.
  var transports: [TransportProtocol] = []
  /// What `-4` and `-6` ask for; nil where neither was given.
  var families: Set<AddressFamily>?
  /// Called for names only, so that a number never opens `/etc/services`.
  var services: () -> ServiceTable
  /// Called for names only.
  var hosts: () -> HostNames = { HostNames(parsing: "", own: nil) }

  /// The items, merged so that no two share a port of one transport, in the order typed.
  func items(_ word: String) throws(UsageError) -> [QuestionItem] {
    if word.isEmpty { throw UsageError("TARGET is empty") }
    let shown = Shown(word)
    var merged = ItemMerger()
    let words = word.split(whereSeparator: \.isWhitespace).map(String.init)
    if words.count > 1 {
      let items = try PastedText(words: words).items()
      if items.isEmpty {
        throw UsageError(
          "no port in \(word.utf8.count > 60 ? "the text" : "\(shown)"): type one, as in 8080 or 127.0.0.1:8080")
      }
      for text in items { for item in try self.items(ofItem: text, of: shown) { merged.add(item) } }
      return merged.merged
    }
    let word = word.filter { !$0.isWhitespace }
    if word.isEmpty { throw UsageError("TARGET is empty") }
    for text in word.split(separator: ",", omittingEmptySubsequences: false) {
      if text.isEmpty { throw UsageError("empty item in \(shown)") }
      for item in try items(ofItem: String(text), of: shown) { merged.add(item) }
    }
    return merged.merged
  }

  private func items(ofItem text: String, of word: Shown) throws(UsageError) -> [QuestionItem] {
    let parts = try ItemText(text, of: word)
    let addresses = try addresses(parts.address, item: parts.shown)
    var items: [QuestionItem] = []
    for transport in try transports(parts.suffix, item: parts.shown) {
      let ports = try ports(parts, transport: transport, item: parts.shown)
      items.append(
        QuestionItem(
          addresses: addresses, ports: Port(ports.lowerBound)...Port(ports.upperBound), transport: transport))
    }
    return items
  }

  // MARK: /tcp and /udp

  private func transports(_ suffix: String?, item: Shown) throws(UsageError) -> [TransportProtocol] {
    guard let suffix else { return transports.isEmpty ? [.tcp] : transports }
    guard let transport = TransportProtocol(family: suffix) else {
      throw UsageError("unknown protocol \(item.pointing(at: "/" + suffix)): it is /tcp or /udp")
    }
    if !transports.isEmpty && !transports.contains(transport) {
      throw UsageError("\(item) contradicts \(transport == .udp ? "-t" : "-u")")
    }
    return [transport]
  }

  // MARK: PORTS

  private func ports(
    _ parts: ItemText, transport: TransportProtocol, item: Shown
  ) throws(UsageError) -> ClosedRange<UInt16> {
    if parts.ports.isEmpty, let scheme = parts.scheme {
      guard let port = schemePort(scheme, transport) else {
        throw UsageError("no port in \(item), and \(item.part(scheme)) has no usual one")
      }
      return port...port
    }
    let text = parts.ports
    if text.isEmpty { throw UsageError("no port in \(item)") }
    if text.isDecimal {
      let port = try number(text, item: item)
      return port...port
    }
    // Two numbers are no name, which has a letter (RFC 6335, 5.1); `http-alt` and `x11-1` are names, not ranges.
    if let range = try range(text, item: item) { return range }
    if let port = services().port(named: text, transport) { return port...port }
    throw unknown(text, transport, item: item)
  }

  private func range(_ text: String, item: Shown) throws(UsageError) -> ClosedRange<UInt16>? {
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    guard ends.count == 2, ends.allSatisfy(\.isDecimal) else { return nil }
    let (first, last) = (try number(ends[0], item: item), try number(ends[1], item: item))
    guard first <= last else { throw UsageError("reversed range \(item.part(text))") }
    return first...last
  }

  private func number(_ text: String, item: Shown) throws(UsageError) -> UInt16 {
    guard let port = UInt16(text), port > 0 else {
      throw UsageError("port \(item.pointing(at: text)) is not in 1-65535")
    }
    return port
  }

  private func unknown(_ text: String, _ transport: TransportProtocol, item: Shown) -> UsageError {
    if IPAddress(text) != nil { return UsageError("no port in \(item)") }
    if services().port(named: text, transport.other) != nil {
      return UsageError("service \(item.part(text)) is known for \(transport.other.rawValue) only")
    }
    return UsageError("\(item.part(text)) is neither a port nor a known service")
  }

  private func schemePort(_ scheme: String, _ transport: TransportProtocol) -> UInt16? {
    switch scheme {
    case "http", "ws": 80
    case "https", "wss", "quic": 443
    default: services().port(named: scheme, transport)
    }
  }

  // MARK: ADDRESS

  private func addresses(_ address: ItemText.Address, item: Shown) throws(UsageError) -> [QuestionAddress] {
    switch address {
    case .wildcard: return [.wildcard]
    case .everyAddress: return [.everyAddress]
    case .localhost:
      let both: [IPAddress] = [.v4(.loopback), .v6(.loopback)]
      return both.filter { families?.contains($0.family) ?? true }.map { .address($0, zone: nil) }
    case .name(let name):
      guard let found = hosts().addresses(of: name) else { throw ItemText.unknownHost(name, item: item) }
      let wanted = found.filter { families?.contains($0.family) ?? true }
      // This host's own name without an address in hosts(5): a server that is given it may bind any of them.
      if found.isEmpty { return [.everyAddress] }
      if wanted.isEmpty { throw UsageError("\(item) contradicts \(families == [.ipv4] ? "-4" : "-6")") }
      return wanted.map { .address($0, zone: nil) }
    case .address(let address, let zone):
      if let families, !families.contains(address.family) {
        let option = address.family == .ipv6 ? "-4" : "-6"
        throw UsageError("\(item) contradicts \(option)")
      }
      return [.address(address, zone: zone)]
    }
  }
}

/// What was typed, as an error repeats it: in double quotes.
///
/// A word with an `@` may hold a password, whatever else it looks like; neither it nor a part of it is repeated.
struct Shown: CustomStringConvertible {
  let text: String
  private let isSecret: Bool

  /// A whole word.
  init(_ text: String) { self.init(text, of: text) }

  /// A part of a word.
  init(_ text: some StringProtocol, of word: String) {
    self.text = String(text)
    isSecret = Self.holdsSecret(word)
  }

  private init(_ text: String, isSecret: Bool) {
    self.text = text
    self.isSecret = isSecret
  }

  static func holdsSecret(_ word: String) -> Bool { word.utf8.contains(UInt8(ascii: "@")) }

  var description: String { isSecret ? Self.hidden : "\"\(text)\"" }

  private static let hidden = "\"…@…\""

  /// A part of this.
  func part(_ part: some StringProtocol) -> Shown { Shown(String(part), isSecret: isSecret) }

  /// A part of this, and where it stands.
  func pointing(at part: String) -> String { isSecret || part == text ? description : "\"\(part)\" in \(self)" }

  /// A message of others, whose one quoted part is hidden where it holds an `@`.
  static func hidingSecrets(_ message: String) -> String {
    // By bytes: a letter that joins the one before it would make a quote another character.
    let quote = UInt8(ascii: "\"")
    guard let first = message.utf8.firstIndex(of: quote), let last = message.utf8.lastIndex(of: quote), first < last,
      holdsSecret(String(message[first...last]))
    else { return message }
    return message[..<first] + hidden + message[message.utf8.index(after: last)...]
  }
}
