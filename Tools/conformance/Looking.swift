import BindRules
import Glibc
import KernelLab
import Answers
import SocketModel

/// What portwhy said about one attempt.
struct Answer: Sendable {
  var outcomes: [BindOutcome] = []
  /// The sockets it saw, a line each.
  var sockets: [String] = []
  /// Each of them has an owner that may be seen.
  var allOwned = true
}

/// A process that looks at the namespace of the thread that made it: the pipeline, as a user of the tool runs it.
struct LookingProcess: ~Copyable {
  private var process: SelfProcess

  init(_ reader: Reader) throws(SystemError) {
    process = try SelfProcess(arguments: ["--answer", reader.rawValue])
  }

  /// Nil with the reason where there is no answer.
  mutating func judge(_ attempt: BindAttempt) throws(SystemError) -> (answer: Answer?, refusal: String) {
    try process.send(AttemptLine(attempt).text)
    var answer = Answer()
    while true {
      let line = try process.receive()
      let words = line.split(separator: " ")
      let rest = String(line.drop { $0 != " " }.dropFirst())
      switch words.first {
      case "outcome":
        guard let outcome = OutcomeLine(Array(words.dropFirst())) else { return (nil, line) }
        answer.outcomes.append(outcome.outcome)
      case "socket": answer.sockets.append(rest)
      case "end":
        answer.allOwned = rest == "owned"
        return (answer, "")
      default: return (nil, rest)
      }
    }
  }
}

/// The other side: answers requests until standard input ends.
func answerRequests(as reader: Reader) -> Int32 {
  if reader == .nobody {
    do { try becomeNobody() } catch {
      say("conformance: cannot become nobody: \(error)")
      return 70
    }
  }
  while let line = readLine() {
    if let request = AttemptLine(line) {
      print(reply(to: request.attempt, as: reader))
    } else {
      print("refused \(line)")
    }
    fflush(nil)
  }
  return 0
}

private func reply(to attempt: BindAttempt, as reader: Reader) -> String {
  do throws(PortwhyError) {
    let (outcomes, snapshot) = try Portwhy.judge(attempt, bpf: reader != .rootWithoutBPF)
    let isOwned = snapshot.sockets.allSatisfy { $0.owner == .process }
    let lines =
      snapshot.sockets.map { "socket " + text(of: $0) } + outcomes.map { "outcome " + OutcomeLine($0).text }
    return (lines + [isOwned ? "end owned" : "end"]).joined(separator: "\n")
  } catch {
    return "refused \(error)"
  }
}

private func text(of socket: SocketObservation) -> String {
  func flag(_ name: String, _ value: Knowledge<Bool>?) -> String {
    "\(name)=" + (value?.sure.map { $0 ? "1" : "0" } ?? value?.unknownReason?.rawValue ?? "-")
  }
  var words = [
    socket.transport.rawValue, "\(socket.state)", "\(socket.local.address)", flag("RA", socket.reuseaddr),
    flag("RP", socket.reuseport), flag("v6only", socket.v6only), "uid=\(socket.uid.map { "\($0)" } ?? "-")",
    "owner=\(socket.owner.rawValue)",
  ]
  if let device = socket.device { words.append("device=\(device.rawValue)") }
  if let ulp = socket.ulp { words.append(ulp) }
  if socket.timer?.kind == .timeWait { words.append("timewait") }
  return words.joined(separator: " ")
}
