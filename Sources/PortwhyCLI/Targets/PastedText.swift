internal import SocketModel

/// A text of several words that somebody pasted as TARGET: a row of ss(8), netstat(8), lsof(8) or `docker ps`, or an
/// error message that names one port.
///
/// It says nothing of its own: what it finds are items as they could have been typed.
struct PastedText {
  /// An address and a port, as an item of TARGET.
  private struct Endpoint: Hashable {
    /// Nil where the text has a port alone.
    var address: String?
    var port: String
  }

  /// Of the text, without the white space between them.
  let words: [String]

  /// The items the text means, one for each address; empty where it names no port.
  func items() throws(UsageError) -> [String] {
    if let row = socketRow ?? listRow { return [row] }
    var endpoints: [Endpoint] = []
    for endpoint in publishedEndpoints + (publishedEndpoints.isEmpty ? mentionedEndpoints : [])
    where !endpoints.contains(endpoint) { endpoints.append(endpoint) }
    let ports = endpoints.map(\.port).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    if ports.count > 1 {
      let named = ports.prefix(4).joined(separator: ", ")
      throw UsageError(
        "the text names \(ports.count) ports (\(named)): type the one that is meant, as in \(ports[0])")
    }
    // An address beside the port says more than the port alone.
    let precise = endpoints.filter { $0.address != nil }
    return (precise.isEmpty ? endpoints : precise).map { item($0.address, $0.port) }
  }

  private func item(_ address: String?, _ port: String) -> String {
    let suffix = transport.map { "/\($0.rawValue)" } ?? ""
    return (address.map { "\($0):" } ?? "") + port + suffix
  }

  /// `tcp`, `udp6` … as a word of its own.
  private var transport: TransportProtocol? {
    for word in words {
      if let transport = TransportProtocol(family: Self.trimmed(word)) { return transport }
    }
    return nil
  }

  // MARK: Rows

  /// `LISTEN 0 511 0.0.0.0:8080 0.0.0.0:* …` of ss, with or without its first column, and `tcp 0 0 0.0.0.0:8080 …` of
  /// netstat: the local address is the word after two numbers.
  private var socketRow: String? {
    guard words.count >= 4 else { return nil }
    for index in 0..<min(2, words.count - 3) where words[index + 1].isDecimal && words[index + 2].isDecimal {
      guard index == 0 || TransportProtocol(family: words[0]) != nil else { continue }
      let isState = Self.states.contains(words[index])
      let named = TransportProtocol(family: words[0])
      guard isState || named != nil, let local = Self.endpoint(words[index + 3]) else { continue }
      let transport = named ?? (words[index] == "UNCONN" ? .udp : .tcp)
      return "\(local.address.map { "\($0):" } ?? "")\(local.port)/\(transport.rawValue)"
    }
    return nil
  }

  /// The names of ss.
  private static let states: Set = [
    "LISTEN", "UNCONN", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSE-WAIT",
    "LAST-ACK", "CLOSING",
  ]

  /// `nginx 812 root 6u IPv4 31753 0t0 TCP *:8080 (LISTEN)` of lsof: the local address follows the protocol.
  private var listRow: String? {
    guard let type = words.firstIndex(where: { $0 == "IPv4" || $0 == "IPv6" }),
      let node = words[type...].firstIndex(where: { $0 == "TCP" || $0 == "UDP" }), node + 1 < words.count
    else { return nil }
    let local = words[node + 1].cut(before: "->") ?? words[node + 1]
    guard let local = Self.endpoint(local) else { return nil }
    return "\(local.address.map { "\($0):" } ?? "")\(local.port)/\(words[node].lowercased())"
  }

  /// `0.0.0.0:8080->80/tcp`: what docker publishes; the host's side counts.
  private var publishedEndpoints: [Endpoint] {
    words.compactMap { word in
      Self.trimmed(word).cut(before: "->").flatMap { Self.endpoint($0) }
    }
  }

  // MARK: Messages

  /// Whatever in the text reads as a port: `0.0.0.0:80`, `:::3000`, `('127.0.0.1', 8000)`, `port 8080`.
  private var mentionedEndpoints: [Endpoint] {
    var found: [Endpoint] = []
    for (index, word) in words.enumerated() {
      let text = Self.trimmed(word)
      let next = index + 1 < words.count ? Self.trimmed(words[index + 1]) : ""
      if let url = URLText(text) {
        if let endpoint = Self.endpoint(url.authority), Self.isPort(endpoint.port) { found.append(endpoint) }
      } else if let endpoint = Self.endpoint(text), Self.isPort(endpoint.port) {
        found.append(endpoint)
      } else if word.hasPrefix("("), word.hasSuffix(","), let address = Self.address(text), Self.isPort(next) {
        // Python's pair.
        found.append(Endpoint(address: address, port: next))
      } else if Self.isWordPort(text), Self.isPort(next) {
        found.append(Endpoint(address: nil, port: next))
      } else if let port = Self.assignedPort(text) {
        found.append(Endpoint(address: nil, port: port))
      }
    }
    return found
  }

  private static func isWordPort(_ text: String) -> Bool { text.lowercased() == "port" }

  /// `port=8080` and `port:8080`.
  private static func assignedPort(_ text: String) -> String? {
    guard text.lowercased().hasPrefix("port"), let mark = text.dropFirst(4).first, mark == "=" || mark == ":" else {
      return nil
    }
    let port = String(text.dropFirst(5))
    return isPort(port) ? port : nil
  }

  private static func isPort(_ text: String) -> Bool { text.isDecimal && UInt16(text).map { $0 > 0 } ?? false }

  // MARK: Parts of a word

  /// Without the quotes, brackets and stops that a sentence puts around it.
  private static func trimmed(_ word: String) -> String {
    let around: Set<Character> = ["'", "\"", "`", "(", ")", "<", ">", ",", ";", ".", "?", "!", "{", "}"]
    var text = word[...]
    while let first = text.first, around.contains(first) { text.removeFirst() }
    while let last = text.last, around.contains(last) || last == ":" { text.removeLast() }
    return String(text)
  }

  /// `ADDRESS:PORT` in any spelling, the address as TARGET has it; nil where either part is none.
  private static func endpoint(_ word: String) -> Endpoint? {
    guard let colon = word.lastIndex(of: ":") else { return nil }
    let port = String(word[word.index(after: colon)...])
    let host = String(word[..<colon])
    // ss and netstat without -n write names of services, which the parser looks up.
    let isName = port.first?.isLetter == true && host.contains { $0 == "*" || $0 == "." || $0 == ":" }
    guard isPort(port) || isName else { return nil }
    if host.isEmpty { return Endpoint(address: nil, port: port) }
    return address(host).map { Endpoint(address: $0, port: port) }
  }

  /// `*`, an address with or without brackets and zone, Java's `localhost/127.0.0.1`; nil for any other word.
  private static func address(_ text: String) -> String? {
    if text == "*" || text.lowercased() == "localhost" { return text }
    if let slash = text.lastIndex(of: "/") { return address(String(text[text.index(after: slash)...])) }
    // ss writes the device behind the address, `127.0.0.53%lo` and `[fe80::1]%eth0`.
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    var digits = parts[0]
    if digits.hasPrefix("["), digits.hasSuffix("]") { digits = String(digits.dropFirst().dropLast()) }
    if IPv4Address(digits) != nil { return digits }
    guard let address = IPv6Address(digits[...]) else { return nil }
    let zone = parts.count > 1 && address.isLinkLocal ? "%" + parts[1].filter { $0 != "]" } : ""
    return "[\(digits)\(zone)]"
  }
}
