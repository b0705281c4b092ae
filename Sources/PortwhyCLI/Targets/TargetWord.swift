internal import Answers
internal import PortwhyReport
internal import SocketModel

/// A TARGET that is half typed, and what may come next.
///
/// Candidates stand for what follows the last comma or colon of the word: that is what bash replaces, and what is
/// the same in every shell.
struct TargetWord: Hashable {
  /// More than this are offered as stems: digits with which several ports begin. A list of thousands helps nobody,
  /// and a part of it would make the shell complete what is not the only way on.
  static let mostShown = 200

  private let transports: Set<TransportProtocol>
  /// What follows the last comma or colon.
  private let tail: String
  /// Before the tail stands an address.
  private let hasAddress: Bool
  /// Ports of earlier items, which are not offered again.
  private let given: Set<String>
  /// What is typed is no place for a port: a URL, an address without brackets or an open bracket.
  private let isHopeless: Bool

  init(_ word: String, transports: Set<TransportProtocol>) {
    self.transports = transports
    let items = word.split(separator: ",", omittingEmptySubsequences: false)
    let item = items.last ?? ""
    given = Set(items.dropLast().map(String.init))
    if let colon = item.lastIndex(of: ":") {
      let address = item[..<colon]
      tail = String(item[item.index(after: colon)...])
      hasAddress = true
      let isBracketed = address.hasPrefix("[") && address.hasSuffix("]")
      isHopeless = tail.hasPrefix("/") || address.isEmpty || (!isBracketed && address.contains(":"))
    } else {
      tail = String(item)
      hasAddress = false
      isHopeless = item.hasPrefix("[")
    }
  }

  /// - Parameter ports: those in use, in this range, that are wanted.
  func candidates(
    services: () -> ServiceTable, ports: (ClosedRange<UInt16>, (Port) -> Bool) -> [PortInUse]
  ) -> [Candidate] {
    if isHopeless { return [] }
    if let slash = tail.firstIndex(of: "/") {
      guard slash > tail.startIndex else { return [] }
      return TransportProtocol.allCases.map { Candidate("\(tail[..<slash])/\($0.rawValue)", "") }
        .filter { $0.value.hasPrefix(tail) }
    }
    if let first = tail.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) {
      return names(services())
    }
    let found = ports(range) { tail.isEmpty || "\($0)".hasPrefix(tail) }
    if found.count > Self.mostShown { return stems(found) }
    return found.map { Candidate(word(for: $0), description($0)) }.filter { !isGiven($0.value) }
  }

  /// From the number typed to the largest that begins with it.
  private var range: ClosedRange<UInt16> {
    guard let first = UInt16(tail) else { return 0...(.max) }
    var last = UInt32(first)
    while last > 0, last < 10_000 { last = last * 10 + 9 }
    return first...UInt16(clamping: last)
  }

  /// `8080`, or with its protocol where the word alone would mean the other.
  private func word(for entry: PortInUse) -> String {
    let meant = transports.isEmpty ? [.tcp] : transports
    return meant.contains(entry.transport) ? "\(entry.port)" : "\(entry.port)/\(entry.transport.rawValue)"
  }

  private func isGiven(_ value: String) -> Bool { !hasAddress && given.contains(value) }

  private func description(_ entry: PortInUse) -> String {
    ([entry.transport.rawValue, "\(entry.state)"] + entry.commands.prefix(3)).joined(separator: " ")
  }

  /// The names of services, and `localhost:` before all of them.
  private func names(_ table: ServiceTable) -> [Candidate] {
    let meant = transports.isEmpty ? [.tcp] : transports
    let local = hasAddress ? [] : [Candidate("localhost:", "127.0.0.1 and ::1")]
    let services = table.entries.filter { meant.contains($0.transport) }.map {
      Candidate($0.name, "\($0.port)/\($0.transport.rawValue)")
    }
    return (local + services).filter { $0.value.hasPrefix(tail) }
  }

  /// One digit more than typed, or as many as all have in common and one more. A port that is a stem of others
  /// stands for them as well.
  private func stems(_ found: [PortInUse]) -> [Candidate] {
    let ports = Set(found.map(\.port.rawValue))
    for length in (tail.utf8.count + 1)...5 {
      var counts: [UInt16: Int] = [:]
      for port in ports { counts[leading(length, of: port), default: 0] += 1 }
      if counts.count == 1 { continue }
      return counts.map { ("\($0.key)", $0.value) }.sorted { $0.0 < $1.0 }.map { stem, count in
        Candidate(stem, count == 1 ? "1 port in use" : "\(count) ports in use")
      }
    }
    return []
  }

  /// The first decimal digits of a port; all of a shorter one.
  private func leading(_ length: Int, of port: UInt16) -> UInt16 {
    var (digits, size) = (port, 5)
    for limit in [10_000, 1000, 100, 10] as [UInt16] where port < limit { size -= 1 }
    while size > length {
      digits /= 10
      size -= 1
    }
    return digits
  }
}

/// One line of the answer.
struct Candidate: Hashable {
  var value: String
  var description: String

  init(_ value: String, _ description: String) {
    self.value = value
    self.description = description
  }

  /// Nothing in it can end the line, the column or the shell's patience. A value is left out where a shell would take it
  /// for more than a word (bash puts it on the command line as it stands), portwhy or a shell for something else (an
  /// option, `=command`), or a reader for another: whoever is root in a network namespace names its interfaces.
  var line: String {
    guard let first = value.unicodeScalars.first, first != "-", first != "=",
      value.unicodeScalars.allSatisfy(Self.isPlain)
    else { return "" }
    let text = TerminalText.escaped(description)
    return text.isEmpty ? value + "\n" : "\(value)\t\(text)\n"
  }

  private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\0"..." ", "\u{7F}"..."\u{9F}", "$", "`", "\"", "'", "\\", "|", "&", ";", "(", ")", "<", ">", "!", "{", "}",
      "#", "~", "*", "?", "[", "]", "^", "\u{2800}", "\u{FFFD}":
      false
    default: !TerminalText.isHarmful(scalar) && !scalar.properties.isDefaultIgnorableCodePoint
    }
  }

  /// passwd(5), and no other source of users, which may be on the network.
  static func users(passwd text: String) -> [Candidate] {
    text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count >= 3, !fields[0].isEmpty, UInt32(fields[2]) != nil else { return nil }
      return Candidate(String(fields[0]), "uid \(fields[2])")
    }
  }
}

/// The names that lead to this host: those of hosts(5), and its own (gethostname(2)).
///
/// Read here and not by getaddrinfo(3), which may ask the network for a name that was pasted.
struct HostNames: Hashable {
  private var addresses: [String: [IPAddress]] = [:]
  private let own: String?

  /// Reads `ADDRESS NAME [ALIAS…] [# comment]` lines; what does not have that shape is skipped.
  init(parsing text: String, own: String?) {
    self.own = own?.lowercased()
    for line in text.split(separator: "\n") {
      let entry = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
      guard let first = entry.first, let address = IPAddress(String(first)) else { continue }
      for name in entry.dropFirst().map({ $0.lowercased() }) where !(addresses[name]?.contains(address) ?? false) {
        addresses[name, default: []].append(address)
      }
    }
  }

  /// The addresses of a name; empty for this host's own name where hosts(5) does not have it, nil for any other.
  func addresses(of name: String) -> [IPAddress]? {
    let name = name.lowercased()
    return addresses[name] ?? (name == own ? [] : nil)
  }
}

/// The names of ports, as services(5) lists them.
///
/// Read here and not by getservbyname(3): that keeps its answer in static storage and walks the name service
/// switch, which may ask the network, for a file of 300 lines.
struct ServiceTable: Hashable {
  private var ports: [TransportProtocol: [String: UInt16]] = [:]

  /// Reads `NAME PORT/PROTOCOL [ALIAS…] [# comment]` lines; what does not have that shape is skipped. The first
  /// entry of a name counts, as with getservbyname(3).
  init(parsing text: String) {
    for line in text.split(separator: "\n") {
      let entry = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
      guard entry.count >= 2 else { continue }
      let target = entry[1].split(separator: "/", omittingEmptySubsequences: false)
      guard target.count == 2, let port = UInt16(target[0]), port > 0,
        let transport = TransportProtocol(rawValue: String(target[1]))
      else { continue }
      for name in [entry[0]] + entry[2...] where ports[transport]?[String(name)] == nil {
        ports[transport, default: [:]][String(name)] = port
      }
    }
  }

  /// Every name with its port, sorted by name.
  var entries: [(name: String, transport: TransportProtocol, port: UInt16)] {
    ports.flatMap { transport, names in names.map { (name: $0.key, transport: transport, port: $0.value) } }
      .sorted { ($0.name, $0.transport.rawValue) < ($1.name, $1.transport.rawValue) }
  }

  func port(named name: String, _ transport: TransportProtocol) -> UInt16? {
    ports[transport]?[name]
  }
}
