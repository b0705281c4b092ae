import BindRules
import KernelLab
import Answers
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

/// An attempt of the lab as one line, for what is asked and tried as a program would: transport, address, zone, port,
/// V6ONLY, device, uid, capability; `-` for nil.
struct PlanLine {
  var attempt: Attempt
  var port: Port

  var text: String {
    [
      attempt.transport.rawValue, "\(attempt.address)", attempt.scope?.rawValue ?? "-", "\(port)",
      attempt.v6only.map { $0 ? "1" : "0" } ?? "-", attempt.device?.rawValue ?? "-", "\(attempt.uid)",
      attempt.mayBindPrivileged ? "1" : "0",
    ].joined(separator: " ")
  }

  init(_ attempt: Attempt, _ port: Port) {
    self.attempt = attempt
    self.port = port
  }

  /// Nil for words that are none.
  init?(_ words: [Substring]) {
    guard words.count == 8, let transport = TransportProtocol(rawValue: String(words[0])),
      let address = IPAddress(String(words[1])), let port = UInt16(words[3]), let uid = UInt32(words[6])
    else { return nil }
    self.port = Port(port)
    attempt = Attempt(
      transport, address, v6only: words[4] == "-" ? nil : words[4] == "1",
      device: LabDevice(rawValue: String(words[5])), scope: LabDevice(rawValue: String(words[2])), uid: uid,
      mayBindPrivileged: words[7] == "1")
  }

  /// The same as somebody asks portwhy.
  func question(bpf: Bool) -> Question {
    let asked = QuestionAddress.address(attempt.address, zone: attempt.scope?.rawValue)
    var question = Question(
      items: [QuestionItem(addresses: [asked], ports: port...port, transport: attempt.transport)],
      plan: Plan(
        v6only: attempt.address.family == .ipv6 ? attempt.v6only : nil, device: attempt.device?.rawValue,
        uid: attempt.uid))
    question.usesBPF = bpf
    return question
  }
}

extension TrialResult {
  /// As one line.
  var line: String {
    switch self {
    case .works(let transport): "works \(transport.rawValue)"
    case .fails(let failure, let transport):
      "fails \(transport.rawValue) \(failure.call.rawValue) \(failure.error.rawValue)"
    }
  }

  /// Nil for a line that is none.
  init?(line: String) {
    let words = line.split(separator: " ")
    guard words.count >= 2, let transport = TransportProtocol(rawValue: String(words[1])) else { return nil }
    if words[0] == "works" {
      self = .works(transport)
    } else if words.count == 4, let call = LabCall(rawValue: String(words[2])), let number = Int32(words[3]) {
      self = .fails(CallFailure(call, SystemError(rawValue: number)), transport)
    } else {
      return nil
    }
  }
}

/// One predicted outcome as words: options, bind, listen, what is missing, and the likely bind and listen with what they
/// assume.
struct OutcomeLine {
  var outcome: BindOutcome

  init(_ outcome: BindOutcome) { self.outcome = outcome }

  var text: String {
    var missing: [String] = []
    for fact in outcome.missing where !missing.contains(fact.kind.rawValue) { missing.append(fact.kind.rawValue) }
    return [
      "\(outcome.options.rawValue)", Self.word(outcome.bind), outcome.listen.map(Self.word) ?? "-",
      missing.isEmpty ? "-" : missing.joined(separator: ","),
      outcome.likely.map { Self.word($0.bind) } ?? "-",
      outcome.likely.flatMap { $0.listen.map(Self.word) } ?? "-",
      outcome.likely.map { $0.assuming.map(\.rawValue).joined(separator: ",") } ?? "-",
    ].joined(separator: " ")
  }

  /// Nil for words that are none.
  init?(_ words: [Substring]) {
    guard words.count == 7, let options = UInt8(words[0]), let bind = Self.result(words[1]) else { return nil }
    let missing = words[3].split(separator: ",").compactMap { MissingFact.Kind(rawValue: String($0)) }
    outcome = BindOutcome(
      options: ReuseOptions(rawValue: options), bind: bind, listen: Self.result(words[2]),
      missing: missing.map { MissingFact($0) },
      likely: Self.result(words[4]).map { bind in
        LikelyOutcome(
          bind: bind, listen: Self.result(words[5]),
          assuming: words[6].split(separator: ",").compactMap { Assumption(rawValue: String($0)) })
      })
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
