internal import Answers
internal import SocketModel

/// One item of TARGET taken apart, before ports and protocol are looked up.
struct ItemText {
  enum Address: Hashable {
    case wildcard
    case everyAddress
    case localhost
    case address(IPAddress, zone: String?)
    /// A name that may be this host's.
    case name(String)
  }

  var address: Address
  /// Empty where there is none, which only a URL may do.
  var ports: String
  /// What follows `/`; nil without one, and for a URL.
  var suffix: String?
  /// The scheme of a URL, lower case.
  var scheme: String?
  /// The item as an error repeats it: a URL without its path.
  var shown: Shown

  /// - Parameter word: that in which the item stands.
  init(_ item: String, of word: Shown) throws(UsageError) {
    if let url = URLText(item) {
      scheme = url.scheme
      suffix = Self.protocols[url.scheme]
      shown = word.part("\(url.scheme)://\(url.authority)")
      if url.authority.isEmpty { throw UsageError("no host in \(shown)") }
      (address, ports) = try Self.split(url.authority, item: shown, isURL: true)
      return
    }
    shown = word.part(item)
    let (head, suffix) = try Self.withoutProtocol(Self.hostSide(item), item: shown)
    self.suffix = suffix
    (address, ports) = try Self.split(head, item: shown, isURL: false)
  }

  /// The schemes that name a transport protocol; QUIC runs over UDP (RFC 9000).
  private static let protocols = ["tcp": "tcp", "udp": "udp", "quic": "udp"]

  /// `8080/tcp` of docker's `8080->80/tcp`: the container's side of it is no port of this host.
  private static func hostSide(_ item: String) -> String {
    guard let host = item.cut(before: "->") else { return item }
    guard let slash = item.lastIndex(of: "/") else { return host }
    return host + item[slash...]
  }

  /// The protocol, which stands behind (`8080/udp`) or, as lsof(8) and docker write it, before (`udp:8080`, `udp/8080`).
  private static func withoutProtocol(_ text: String, item: Shown) throws(UsageError) -> (String, suffix: String?) {
    if let mark = text.firstIndex(where: { $0 == ":" || $0 == "/" }) {
      let (head, rest) = (String(text[..<mark]), String(text[text.index(after: mark)...]))
      if TransportProtocol(family: head) != nil, !rest.isEmpty { return (rest, head) }
    }
    guard let slash = text.firstIndex(of: "/") else { return (text, nil) }
    let (head, suffix) = (String(text[..<slash]), String(text[text.index(after: slash)...]))
    let length = suffix.prefix { $0 != ":" && $0 != "]" }
    if length.isDecimal, length.utf8.count <= 3, length.utf8.count < suffix.utf8.count || IPAddress(head) != nil {
      throw UsageError(
        "\(item.pointing(at: "\(head)/\(length)")) is a network; a bind takes one address of this host")
    }
    return (head, suffix)
  }

  /// `ADDRESS:PORTS`, `PORTS`; in a URL also a bare `ADDRESS`.
  private static func split(
    _ text: String, item: Shown, isURL: Bool
  ) throws(UsageError) -> (Address, ports: String) {
    if text.hasPrefix("[") { return try splitBracketed(text, item: item, isURL: isURL) }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    switch parts.count {
    case 1 where isURL: return (try host(text, item: item), "")
    case 1: return (.wildcard, text)
    case 2:
      try refuseMapping(parts, item: item)
      return (try host(parts[0], item: item), parts[1])
    default:
      try refuseMapping(parts, item: item)
      return try splitUnbracketed(text, item: item)
    }
  }

  /// `8080:80` and `127.0.0.1:8080:80`, as docker's `-p` has them.
  private static func refuseMapping(_ parts: [String], item: Shown) throws(UsageError) {
    guard let last = parts.last, last.isDecimal, let host = parts.dropLast().last, host.isDecimal,
      parts.count == 2 || parts.count == 3 && IPv4Address(parts[0]) != nil
    else { return }
    let whole = parts.count == 2 ? "" : " (\(parts[0]):\(host))"
    throw UsageError("\(item) names two ports: type \(host) for the host's side\(whole), or \(last)")
  }

  /// `:::8080` and `::1:8080`, as node and netstat(8) write them: the port follows the last colon.
  private static func splitUnbracketed(_ text: String, item: Shown) throws(UsageError) -> (Address, ports: String) {
    if let colon = text.lastIndex(of: ":"), text[text.index(after: colon)...].isDecimal {
      let address = try? bracketed(String(text[..<colon]), item: item, isURL: false)
      if let address { return (address, String(text[text.index(after: colon)...])) }
    }
    if IPv6Address(text) != nil { throw UsageError("no port in \(item): type it as in [\(text)]:80") }
    let isLikeIPv6 = text.utf8.prefix { $0 != UInt8(ascii: "%") }.allSatisfy { byte in
      UInt8(ascii: ":") == byte || UInt8(ascii: ".") == byte || Character(UnicodeScalar(byte)).isHexDigit
    }
    let hint = isLikeIPv6 ? "; an IPv6 address stands in brackets, as in [::1]:80" : ""
    throw UsageError("\(item) is no PORT and no ADDRESS:PORT\(hint)")
  }

  private static func splitBracketed(
    _ text: String, item: Shown, isURL: Bool
  ) throws(UsageError) -> (Address, ports: String) {
    guard let close = text.firstIndex(of: "]") else { throw UsageError("no closing bracket in \(item)") }
    let inside = String(text[text.index(after: text.startIndex)..<close])
    let address = try bracketed(inside, item: item, isURL: isURL)
    let rest = text[text.index(after: close)...]
    if rest.isEmpty {
      if isURL { return (address, "") }
      throw UsageError("no port in \(item)")
    }
    guard rest.hasPrefix(":") else { throw UsageError("\(item.part(rest)) after the bracket in \(item)") }
    return (address, String(rest.dropFirst()))
  }

  private static func bracketed(
    _ text: String, item: Shown, isURL: Bool
  ) throws(UsageError) -> Address {
    var zone: String?
    var digits = text[...]
    if let percent = text.firstIndex(of: "%") {
      digits = text[..<percent]
      var name = text[text.index(after: percent)...]
      // RFC 6874: in a URL the percent sign itself is written %25.
      if isURL && name.hasPrefix("25") { name = name.dropFirst(2) }
      if name.isEmpty { throw UsageError("no interface after % in \(item.part("[\(text)]"))") }
      if String(name).isRepaired { throw UsageError("\(item.part("[\(text)]")) is not valid UTF-8") }
      zone = String(name)
    }
    guard let address = IPv6Address(digits) else {
      throw UsageError("\(item.part("[\(text)]")) is not an IPv6 address")
    }
    return .address(.v6(address), zone: zone)
  }

  private static func host(_ text: String, item: Shown) throws(UsageError) -> Address {
    switch text.lowercased() {
    case "": return .wildcard
    case "*": return .everyAddress
    case "localhost": return .localhost
    default: break
    }
    if let address = IPv4Address(text) { return .address(.v4(address), zone: nil) }
    if isHostName(text) { return .name(text) }
    throw unknownHost(text, item: item)
  }

  static func unknownHost(_ text: String, item: Shown) -> UsageError {
    UsageError("\(item.pointing(at: text)) is neither an address nor a name of this host")
  }

  /// hostname(7): letters, digits, hyphens and dots, and not an address that went wrong.
  private static func isHostName(_ text: String) -> Bool {
    text.utf8.count <= 253 && text.contains { $0.isLetter }
      && text.utf8.allSatisfy { byte in
        let scalar = Character(Unicode.Scalar(byte))
        return byte < 0x80 && (scalar.isLetter || scalar.isNumber || "-._".contains(scalar))
      }
  }
}

/// A URL cut down to scheme and authority; user and password are dropped and never repeated.
struct URLText {
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
    switch Unicode.Scalar(byte) {
    case "a"..."z", "A"..."Z", "0"..."9", "+", "-", ".": true
    default: false
    }
  }
}

/// Brings items together so that no two share a port of one transport: a port that several name gets the addresses of
/// all, each once, and stands where it is first named.
struct ItemMerger {
  /// What follows of one item: where it stands and what it covers.
  private struct Claim {
    var number: Int
    var upper: Int
  }

  /// A run of ports with the same claims.
  private struct Piece {
    var number: Int
    var item: QuestionItem
  }

  private var items: [QuestionItem] = []

  mutating func add(_ item: QuestionItem) { items.append(item) }

  /// Time grows with the items and with the answer, not with their product.
  var merged: [QuestionItem] {
    if items.count < 2 { return items }
    let pieces = TransportProtocol.allCases.flatMap { transport in
      runs(transport, items.indices.filter { items[$0].transport == transport })
    }
    let sorted = pieces.sorted { ($0.number, $0.item.ports.lowerBound) < ($1.number, $1.item.ports.lowerBound) }
    return sorted.map(\.item)
  }

  /// Goes up through the ports: between two places where a range begins or ends nothing changes.
  private func runs(_ transport: TransportProtocol, _ numbers: [Int]) -> [Piece] {
    var borders: [Int] = []
    for number in numbers {
      borders.append(Int(items[number].numbers.lowerBound))
      borders.append(Int(items[number].numbers.upperBound) + 1)
    }
    borders.sort()
    var waiting = numbers.sorted { (items[$0].ports.lowerBound, $0) < (items[$1].ports.lowerBound, $1) }[...]
    var claims: [QuestionAddress: [Claim]] = [:]
    var pieces: [Piece] = []
    for (low, next) in zip(borders, borders.dropFirst()) where low < next {
      while let number = waiting.first, Int(items[number].numbers.lowerBound) == low {
        waiting.removeFirst()
        let claim = Claim(number: number, upper: Int(items[number].numbers.upperBound))
        for address in items[number].addresses { Self.add(claim, to: &claims[address, default: []]) }
      }
      for address in claims.keys {
        claims[address]?.removeAll { $0.upper < low }
        if claims[address]?.isEmpty ?? true { claims[address] = nil }
      }
      if let piece = piece(transport, Port(UInt16(low))...Port(UInt16(next - 1)), claims) {
        Self.append(piece, to: &pieces)
      }
    }
    return pieces
  }

  /// One that an earlier item covers as far says nothing.
  private static func add(_ claim: Claim, to claims: inout [Claim]) {
    if claims.contains(where: { $0.number <= claim.number && $0.upper >= claim.upper }) { return }
    claims.removeAll { $0.number > claim.number && $0.upper <= claim.upper }
    claims.append(claim)
  }

  /// The addresses in the order typed; nil where no item covers the ports.
  private func piece(
    _ transport: TransportProtocol, _ ports: ClosedRange<Port>, _ claims: [QuestionAddress: [Claim]]
  ) -> Piece? {
    var found: [(number: Int, place: Int, address: QuestionAddress)] = []
    for (address, claims) in claims {
      guard let number = claims.map(\.number).min(),
        let place = items[number].addresses.firstIndex(of: address)
      else { continue }
      found.append((number, place, address))
    }
    found.sort { ($0.number, $0.place) < ($1.number, $1.place) }
    guard let first = found.first else { return nil }
    return Piece(
      number: first.number, item: QuestionItem(addresses: found.map(\.address), ports: ports, transport: transport))
  }

  private static func append(_ piece: Piece, to pieces: inout [Piece]) {
    if let last = pieces.last, last.number == piece.number, last.item.addresses == piece.item.addresses,
      Int(last.item.numbers.upperBound) + 1 == Int(piece.item.numbers.lowerBound)
    {
      pieces[pieces.count - 1].item.ports = last.item.ports.lowerBound...piece.item.ports.upperBound
    } else {
      pieces.append(piece)
    }
  }
}

extension TransportProtocol {
  /// `tcp`, `tcp4`, `tcp6`, `udp`, `udp4`, `udp6`, in either case.
  init?(family text: String) {
    switch text.lowercased() {
    case "tcp", "tcp4", "tcp6": self = .tcp
    case "udp", "udp4", "udp6": self = .udp
    default: return nil
    }
  }
}

extension String {
  /// What stands before the first place of `mark`; nil where it is not there.
  func cut(before mark: String) -> String? { self[...].place(of: mark).map { String(self[..<$0.lowerBound]) } }
}
