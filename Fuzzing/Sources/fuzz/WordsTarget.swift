@testable import BindRules
import Glibc
@testable import Explanation
@testable import Linux
@testable import SocketModel

@testable import PortwhyCLI
@testable import Answers
@testable import PortwhyReport

/// Words with zero bytes between them.
func fuzzWords(_ input: inout FuzzInput) {
  let words = input.rest().split(separator: 0, omittingEmptySubsequences: false).map {
    String(decoding: $0, as: UTF8.self)
  }
  fuzzInvocation(Array(words.prefix(12)))
}

/// TARGET as a short part, none where it is empty, then two bytes for each option and the value of one that has one, as a
/// short part. `OptionRow.number` says which bytes: a corpus goes on meaning what it meant when options come and go.
func fuzzOptions(_ input: inout FuzzInput) {
  let target = String(decoding: input.shortPart(), as: UTF8.self)
  var words = target.isEmpty ? [] : [target]
  while !input.isEmpty, words.count < 24 {
    let number = UInt16(input.byte()) << 8 | UInt16(input.byte())
    guard let row = OptionTable.portwhy.rows.min(by: { $0.number ^ number < $1.number ^ number }) else { return }
    let value = row.value == .none ? "" : String(decoding: input.shortPart(), as: UTF8.self)
    if row.value.takesNextWord {
      words += [row.name, value]
    } else {
      words.append(value.isEmpty ? row.name : "--\(row.long ?? "")=\(value)")
    }
  }
  fuzzInvocation(words)
}

extension OptionRow {
  /// Of its name alone: CRC-16/CCITT.
  fileprivate var number: UInt16 {
    (long ?? name).utf8.reduce(0xffff) { number, byte in
      (0..<8).reduce(number ^ UInt16(byte) << 8) { sum, _ in sum & 0x8000 != 0 ? sum << 1 ^ 0x1021 : sum << 1 }
    }
  }
}

/// A byte for the kind, then one word.
func fuzzTarget(_ input: inout FuzzInput) {
  let kind = input.choice(of: 2)
  let word = input.text()
  if kind == 0 { fuzzTarget(word) } else { fuzzAddress(word) }
}

private let emptyReport = Report(
  version: "0", capturedAt: 0, host: HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 0),
  visibility: Visibility(), targets: [])
private let hosts = HostNames(parsing: "10.0.0.5 db\n::1 six\n127.0.0.1 both\n::1 both\n", own: "me")
private let services = ServiceTable(parsing: "http 80/tcp www\nhttp-alt 8080/tcp\ndomain 53/udp\nx11-1 6001/tcp\n")

private func fuzzInvocation(_ words: [String]) {
  _ = GivenOptions(halfTyped: words)
  let lookup = Invocation.Lookup(
    services: { services }, hosts: { hosts }, uid: { $0 == "alice" ? 1000 : nil },
    file: { path in
      path.hasSuffix("absent") ? .absent : path.hasSuffix("locked") ? .unreadable : .text(path)
    })
  do throws(UsageError) {
    let invocation = try Invocation(GivenOptions(words), lookup: lookup)
    if case .overview = invocation.task { require(invocation.asksForOverview(emptyReport), "an overview is one") }
    if case .answer = invocation.task { require(!invocation.asksForOverview(emptyReport), "a TARGET is none") }
    switch invocation.task {
    case .answer(let question): check(question.items)
    case .saved(_, let question):
      check(question.items ?? [])
      for predicate in question.ours {
        require(predicate.resolved([33: "www-data"]).description == predicate.description, "its word stays")
      }
    case .help, .version, .explain, .runtimes, .overview, .command: break
    }
  } catch {
    check(error)
    for word in words where word.utf8.count > 4 && word.utf8.contains(UInt8(ascii: "@")) {
      require(!error.message.contains(word), "a word with @ is not repeated")
    }
  }
}

private func fuzzTarget(_ word: String) {
  for transports in [[], [.tcp], [.udp], [.tcp, .udp]] as [[TransportProtocol]] {
    let parser = TargetParser(transports: transports, families: nil, services: { services }, hosts: { hosts })
    do throws(UsageError) {
      check(try parser.items(word))
    } catch {
      check(error)
    }
  }
  if word.utf8.contains(UInt8(ascii: "@")), !word.utf8.contains(UInt8(ascii: "\"")) {
    require(Shown.hidingSecrets("no \"\(word)\" here") == "no \"…@…\" here", "a word with @ is not repeated")
  }
  if let namespace = NamespaceReference(word) {
    require(NamespaceReference("\(namespace)") == namespace, "a namespace is read as it is written")
  }
}

/// Ports are from 1 on, addresses are there, and no two items share a port of one transport.
private func check(_ items: [QuestionItem]) {
  var taken: [TransportProtocol: [ClosedRange<Port>]] = [:]
  for item in items {
    require(item.ports.lowerBound > 0, "no port is 0")
    require(!item.addresses.isEmpty, "an item has an address")
    require(Set(item.addresses).count == item.addresses.count, "each address once")
    for other in taken[item.transport] ?? [] { require(!other.overlaps(item.ports), "each port once") }
    taken[item.transport, default: []].append(item.ports)
  }
}

/// What is wrong is said on one line that no terminal obeys.
private func check(_ error: UsageError) {
  require(!error.message.isEmpty, "an error says something")
  requireHarmless(TerminalText.escaped(error.message), "an error's line", newlines: false)
}

/// The same addresses as inet_pton(3), and each is read again as it is written.
private func fuzzAddress(_ text: String) {
  guard !text.utf8.contains(0) else { return }
  var bytes = [UInt8](repeating: 0, count: 16)
  let isFour = inet_pton(AF_INET, text, &bytes) == 1
  require((IPv4Address(text) != nil) == isFour, "inet_pton(3) agrees about IPv4: \(text)")
  if isFour {
    require(IPv4Address(text)?.bits == bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }, "the same address")
  }
  let isSix = inet_pton(AF_INET6, text, &bytes) == 1
  require((IPv6Address(text) != nil) == isSix, "inet_pton(3) agrees about IPv6: \(text)")
  if let address = IPv6Address(text) {
    let halves = [bytes.prefix(8), bytes.suffix(8)].map { $0.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
    require([address.high, address.low] == halves, "the same address")
  }
  if let address = IPAddress(text) {
    require(IPAddress(address.description) == address, "an address is read as it is written")
  }
}
