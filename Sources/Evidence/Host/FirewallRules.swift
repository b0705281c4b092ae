package import SocketModel

/// Reads what `iptables-save -t nat` prints: `-A CHAIN -p tcp -m tcp --dport 8080 -j DNAT --to-destination A:P`.
func iptablesRedirects(_ text: String) -> [PortRedirect] {
  text.split(separator: "\n").flatMap { line -> [PortRedirect] in
    let words = line.split(separator: " ").map(String.init)
    func value(_ option: String) -> String? {
      guard let index = words.firstIndex(of: option), index + 1 < words.count else { return nil }
      return words[index + 1]
    }
    guard words.first == "-A", words.count > 1, let target = value("-j"), ["DNAT", "REDIRECT"].contains(target),
      let transport = value("-p").flatMap(TransportProtocol.init(rawValue:)),
      let ports = value("--dport") ?? value("--dports"), !isNegated(words)
    else { return [] }
    let destination = value("--to-destination") ?? value("--to-ports").map { "port \($0)" }
    return ports.split(separator: ",").compactMap { portRange($0, separator: ":") }.map {
      PortRedirect(transport: transport, ports: $0, target: destination, chain: "nat \(words[1])")
    }
  }
}

private func isNegated(_ words: [String]) -> Bool {
  zip(words, words.dropFirst()).contains { $0 == "!" && $1.hasPrefix("--dport") }
}

/// Reads what `nft -nn list ruleset` prints: tables and chains open with `{`, each rule is a line such as
/// `tcp dport 8080 counter packets 0 bytes 0 dnat to 172.17.0.2:80`.
///
/// The text and not `-j`: a rule is one line of words either way, JSON would take a parser, and rules of
/// iptables-nft are shown in it without their target.
func nftRedirects(_ text: String) -> [PortRedirect] {
  var scopes: [String] = []
  var found: [PortRedirect] = []
  for line in text.split(separator: "\n") {
    let words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
    if words.last == "{" {
      scopes.append(words.dropLast().joined(separator: " "))
    } else if words == ["}"] {
      if !scopes.isEmpty { scopes.removeLast() }
    } else if let rule = nftRule(words, chain: chainName(scopes)) {
      found += rule
    }
  }
  return found
}

/// `table ip nat` and `chain DOCKER` as `ip nat DOCKER`.
private func chainName(_ scopes: [String]) -> String {
  scopes.map { scope in
    scope.hasPrefix("table ")
      ? String(scope.dropFirst(6)) : scope.hasPrefix("chain ") ? String(scope.dropFirst(6)) : ""
  }.joined(separator: " ")
}

private func nftRule(_ words: [String], chain: String) -> [PortRedirect]? {
  let action = words.firstIndex { $0 == "dnat" || $0 == "redirect" } ?? words.firstIndex { $0 == "\"DNAT\"" }
  guard let action, let match = words.firstIndex(of: "dport"), match > 0, match < action, match + 1 < words.count,
    words[match + 1] != "!=", let transport = TransportProtocol(rawValue: words[match - 1])
  else { return nil }
  var ports: [ClosedRange<UInt16>] = []
  if words[match + 1] == "{" {
    let list = words[(match + 2)...].prefix { $0 != "}" }
    ports = list.compactMap { portRange($0.hasSuffix(",") ? $0.dropLast() : $0[...], separator: "-") }
  } else if let range = portRange(words[match + 1], separator: "-") {
    ports = [range]
  }
  let rest = words[action...]
  let target = rest.firstIndex(of: "to").flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
  return ports.map {
    PortRedirect(
      transport: transport, ports: $0, target: target.map { $0.hasPrefix(":") ? "port \($0.dropFirst())" : $0 },
      chain: chain)
  }
}

/// `8080` or, with the separator, `8000-8010`.
private func portRange(_ text: some StringProtocol, separator: Character) -> ClosedRange<UInt16>? {
  let ends = text.split(separator: separator).map { UInt16($0) }
  guard let first = ends.first, let lower = first, ends.count <= 2 else { return nil }
  guard ends.count == 2 else { return lower...lower }
  guard let upper = ends[1], upper >= lower else { return nil }
  return lower...upper
}

/// A firewall rule that sends a port's traffic elsewhere before a socket of the host sees it.
package struct PortRedirect: Sendable, Hashable {
  /// TCP or UDP.
  package var transport: TransportProtocol
  /// The ports, first and last included.
  package var ports: ClosedRange<UInt16>
  /// Where to, as the rule says: `172.17.0.2:80`, `port 3128`; nil where it does not tell.
  package var target: String?
  /// The chain: `ip nat DOCKER`.
  package var chain: String

  package init(transport: TransportProtocol, ports: ClosedRange<UInt16>, target: String?, chain: String) {
    self.transport = transport
    self.ports = ports
    self.target = target
    self.chain = chain
  }
}
