import BindRules
import SocketModel

// What runner and reader say to each other, a line each: an attempt as eight words, then its answer as some lines
// with the first word `socket`, `outcome`, `refused` or, last, `end`.

/// A `BindAttempt` as one line: transport, address, scope, port, V6ONLY, device, uid, capability; `-` for nil.
struct AttemptLine {
  var attempt: BindAttempt

  var text: String {
    let device =
      switch attempt.device {
      case nil: "-"
      case .interface(let index, let name): "\(index.rawValue):\(name)"
      case .missing(let name): ":\(name)"
      }
    let may = attempt.mayBindPrivileged.map { $0 ? "1" : "0" } ?? "-"
    let scope = attempt.scope.map { "\($0.rawValue)" } ?? "-"
    return [
      attempt.transport.rawValue, "\(attempt.address)", scope, "\(attempt.port)", attempt.v6only ? "1" : "0", device,
      "\(attempt.uid)", may,
    ].joined(separator: " ")
  }

  init(_ attempt: BindAttempt) { self.attempt = attempt }

  /// Nil for a line that is none.
  init?(_ line: String) {
    let words = line.split(separator: " ").map(String.init)
    guard words.count == 8, let transport = TransportProtocol(rawValue: words[0]), let address = IPAddress(words[1]),
      let port = UInt16(words[3]), let uid = UInt32(words[6])
    else { return nil }
    var device: BindDevice?
    if words[5] != "-" {
      let parts = words[5].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 else { return nil }
      device =
        UInt32(parts[0]).flatMap(InterfaceIndex.init(kernel:)).map { .interface($0, name: parts[1]) }
        ?? .missing(name: parts[1])
    }
    attempt = BindAttempt(
      transport: transport, address: address, scope: UInt32(words[2]).flatMap(InterfaceIndex.init(kernel:)),
      port: Port(port), v6only: words[4] == "1", device: device, uid: uid,
      mayBindPrivileged: words[7] == "-" ? nil : words[7] == "1")
  }
}

/// One predicted outcome as words: options, bind, listen, what is missing.
struct OutcomeLine {
  var outcome: BindOutcome

  init(_ outcome: BindOutcome) { self.outcome = outcome }

  var text: String {
    var missing: [String] = []
    for fact in outcome.missing where !missing.contains(fact.kind.rawValue) { missing.append(fact.kind.rawValue) }
    return [
      "\(outcome.options.rawValue)", Self.word(outcome.bind), outcome.listen.map(Self.word) ?? "-",
      missing.isEmpty ? "-" : missing.joined(separator: ","),
    ].joined(separator: " ")
  }

  /// Nil for words that are none.
  init?(_ words: [Substring]) {
    guard words.count == 4, let options = UInt8(words[0]), let bind = Self.result(words[1]) else { return nil }
    let missing = words[3].split(separator: ",").compactMap { MissingFact.Kind(rawValue: String($0)) }
    outcome = BindOutcome(
      options: ReuseOptions(rawValue: options), bind: bind, listen: Self.result(words[2]),
      missing: missing.map { MissingFact($0) })
  }

  private static func word(_ result: CallResult) -> String {
    switch result {
    case .ok: "ok"
    case .undetermined: "?"
    case .fails(let error): "\(error.rawValue)"
    }
  }

  private static func result(_ word: Substring) -> CallResult? {
    switch word {
    case "ok": .ok
    case "?": .undetermined
    default: Int32(word).map { .fails(SystemError(rawValue: $0)) }
    }
  }
}
