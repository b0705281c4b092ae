@testable import BindRules
import Glibc
@testable import Explanation
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

/// Four bytes with a bit for each option, then TARGET and the values of those that have one, as short parts.
func fuzzOptions(_ input: inout FuzzInput) {
  let bits = (0..<4).reduce(UInt32(0)) { bits, _ in bits << 8 | UInt32(input.byte()) }
  var words: [String] = []
  if bits >> 31 & 1 != 0 { words.append(String(decoding: input.shortPart(), as: UTF8.self)) }
  for (place, row) in OptionTable.portwhy.rows.enumerated() where bits >> UInt32(place % 31) & 1 != 0 {
    words.append(row.name)
    if row.value.takesNextWord { words.append(String(decoding: input.shortPart(), as: UTF8.self)) }
  }
  fuzzInvocation(words)
}

/// A byte for the kind, then one word.
func fuzzTarget(_ input: inout FuzzInput) {
  let kind = input.choice(of: 2)
  let word = input.text()
  if kind == 0 { fuzzTarget(word) } else { fuzzAddress(word) }
}

private let services = ServiceTable(parsing: "http 80/tcp www\nhttp-alt 8080/tcp\ndomain 53/udp\nx11-1 6001/tcp\n")

private func fuzzInvocation(_ words: [String]) {
  _ = GivenOptions(halfTyped: words)
  let lookup = Invocation.Lookup(services: { services }, uid: { $0 == "alice" ? 1000 : nil })
  do throws(UsageError) {
    let invocation = try Invocation(GivenOptions(words), lookup: lookup)
    switch invocation.task {
    case .answer(let question): check(question.items)
    case .saved(_, let question): check(question.items ?? [])
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
    let parser = TargetParser(transports: transports, families: nil, services: { services })
    do throws(UsageError) {
      check(try parser.items(word))
    } catch {
      check(error)
    }
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
