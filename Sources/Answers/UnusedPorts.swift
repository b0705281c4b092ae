import BindRules
import Explanation
import SocketModel

/// The answers to ports that nobody uses, in a row of ports: they differ in the number alone, as long as it lies on the
/// same side of the privileged ports and of those that the kernel gives to clients.
struct UnusedPorts {
  private struct Side: Hashable {
    var isPrivileged: Bool
    var isClients: Bool
    var isReserved: Bool

    init(_ port: Port, _ host: HostFacts) {
      isPrivileged = UInt32(port.rawValue) < host.unprivilegedPortStart ?? 1024
      isClients = host.localPortRange?.contains(port.rawValue) ?? false
      isReserved = isClients && host.localReservedPorts?.contains { $0.contains(port.rawValue) } ?? false
    }
  }

  private var answers: [Side: TargetReport] = [:]

  /// The answer to this port, which nobody uses either.
  func answer(_ port: Port, _ host: HostFacts) -> TargetReport? {
    guard !answers.isEmpty, var answer = answers[Side(port, host)] else { return nil }
    // The headline alone names the port, as its first word.
    let named = "\(answer.port)/"
    answer.port = port
    for index in answer.attempts.indices {
      answer.attempts[index].attempt.port = port
      let headline = answer.attempts[index].explanation.headline
      guard headline.hasPrefix(named) else { continue }
      answer.attempts[index].explanation.headline = "\(port)/" + headline.dropFirst(named.count)
    }
    return answer
  }

  /// Keeps an answer for the ports behind it; one to a port in use ends the row, as it may have had more facts read.
  mutating func keep(_ answer: TargetReport, _ host: HostFacts) {
    if !answer.sockets.isEmpty {
      answers = [:]
    } else if answer.attempts.allSatisfy(\.saysTheSameOfEveryPort) {
      answers[Side(answer.port, host)] = answer
    }
  }
}

extension AttemptReport {
  /// Whether it works and says nothing but notes, which name no port: reasons and commands may.
  fileprivate var saysTheSameOfEveryPort: Bool {
    explanation.causeWord == nil && explanation.why.isEmpty && explanation.deliveries.isEmpty
      && explanation.suggestions.isEmpty && contradictions.isEmpty && outcomes.allSatisfy { $0.verdict == .ok }
  }
}
