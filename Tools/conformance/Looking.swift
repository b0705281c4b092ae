import BindRules
import Glibc
import KernelLab
import Answers
import PortwhyReport
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
  private let reader: Reader
  private var process: SelfProcess
  /// The same in other places, as they are needed: one that looks, and one of root that binds.
  private var placed: PlacedProcesses?

  init(_ reader: Reader) throws(SystemError) {
    let process = try SelfProcess(arguments: ["--answer", reader.rawValue])
    self.reader = reader
    self.process = process
  }

  /// Whether it cannot be asked about an attempt of which everything is said.
  var onlyAsks: Bool { reader.asks }

  /// Whether an attempt is asked about, and tried, by processes in the scenario's place.
  borrowing func asksAsAProgram(_ scenario: Scenario) -> Bool {
    let isOdd = scenario.settings[.bindv6only] ?? 0 > 1
    let isSayable = scenario.attempt.mayBindPrivileged == (scenario.attempt.uid == 0)
    return scenario.place != .open || isSayable && (reader.asks || isOdd)
  }

  /// Nil with the reason where there is no answer.
  mutating func ask(_ plan: PlanLine, _ place: Place) throws(SystemError) -> (answer: Answer?, refusal: String) {
    try enter(place)
    guard let answer = try placed?.ask("ask " + plan.text) else { return (nil, "no process in \(place)") }
    return answer
  }

  /// A real bind in a place, by root.
  mutating func tryBind(_ plan: PlanLine, _ options: ReuseOptions, _ place: Place) throws(SystemError) -> TrialResult
  {
    try enter(place)
    let line = try placed?.tryBind("try \(options.rawValue) " + plan.text) ?? ""
    guard let result = TrialResult(line: line) else { throw .invalidArgument }
    return result
  }

  /// Scenarios come in no order of places, but most are of the open one: one pair of processes at a time will do.
  private mutating func enter(_ place: Place) throws(SystemError) {
    if placed?.place == place { return }
    placed = nil
    placed = try PlacedProcesses(reader, place)
  }

  /// Nil with the reason where there is no answer.
  mutating func judge(_ attempt: BindAttempt) throws(SystemError) -> (answer: Answer?, refusal: String) {
    try process.send("judge " + AttemptLine(attempt).text)
    return try process.answer()
  }
}

/// A process that looks from a place, and one of root that binds there.
private struct PlacedProcesses: ~Copyable {
  let place: Place
  private var looking: SelfProcess
  private var trying: SelfProcess

  init(_ reader: Reader, _ place: Place) throws(SystemError) {
    let looking = try SelfProcess(arguments: ["--place", place.description, "--answer", reader.rawValue])
    let trying = try SelfProcess(arguments: ["--place", place.description, "--answer", Reader.root.rawValue])
    self.place = place
    self.looking = looking
    self.trying = trying
  }

  mutating func ask(_ line: String) throws(SystemError) -> (answer: Answer?, refusal: String) {
    try looking.send(line)
    return try looking.answer()
  }

  mutating func tryBind(_ line: String) throws(SystemError) -> String {
    try trying.send(line)
    return try trying.receive()
  }
}

extension SelfProcess {
  /// The lines of one answer; nil with the reason where there is none.
  fileprivate mutating func answer() throws(SystemError) -> (answer: Answer?, refusal: String) {
    var answer = Answer()
    while true {
      let line = try receive()
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
func answerRequests(as reader: Reader, in place: Place) -> Int32 {
  var namespace: NamespaceReference?
  do throws(SystemError) {
    try place.enter()
    switch reader {
    case .root, .rootWithoutBPF, .saved: break
    case .nobody: try becomeUser(65534)
    case .user: try becomeUser(1000)
    case .rootWithoutTrace: try dropCapabilities([19])
    case .rootWithoutAdmin: try dropCapabilities([39, 38, 21])
    case .outside: namespace = .path(try leaveNetworkNamespace())
    }
  } catch {
    say("conformance: cannot become \(reader.rawValue) in \(place): \(error)")
    return 70
  }
  while let line = readLine() {
    let words = line.split(separator: " ")
    switch words.first {
    case "judge":
      let request = AttemptLine(String(line.dropFirst("judge ".count)))
      print(request.map { reply(to: $0.attempt, as: reader) } ?? "refused \(line)")
    case "ask":
      let plan = PlanLine(Array(words.dropFirst()))
      print(plan.map { reply(to: $0, as: reader, namespace) } ?? "refused \(line)")
    case "try":
      guard words.count > 2, let options = UInt8(words[1]), let plan = PlanLine(Array(words.dropFirst(2))) else {
        print("refused")
        break
      }
      let scope = plan.attempt.scope.map { interfaceNumber($0.rawValue) } ?? 0
      print(bindForReal(plan.attempt, ReuseOptions(rawValue: options), plan.port, scope: scope).line)
    default: print("refused \(line)")
    }
    fflush(nil)
  }
  return 0
}

private func reply(to attempt: BindAttempt, as reader: Reader) -> String {
  do throws(PortwhyError) {
    let (outcomes, snapshot) = try Portwhy.judge(attempt, bpf: reader != .rootWithoutBPF)
    return reply(outcomes, snapshot.sockets)
  } catch {
    return "refused \(error)"
  }
}

/// As somebody asks on the command line; as `saved` once more of the report that this gave, written and read.
private func reply(to plan: PlanLine, as reader: Reader, _ namespace: NamespaceReference?) -> String {
  var question = plan.question(bpf: reader != .rootWithoutBPF)
  question.namespace = namespace
  do throws(PortwhyError) {
    var report = try Portwhy.answer(question)
    if reader == .saved {
      do {
        let read = try JSONReport.read(Array(JSONReport.render(report).utf8)).report
        report = try Portwhy.answer(from: read, SavedQuestion(items: question.items))
      } catch {
        return "refused \(error)"
      }
    }
    guard let target = report.targets.first, let attempt = target.attempts.first else { return "refused no answer" }
    return reply(attempt.outcomes, target.sockets)
  } catch {
    return "refused \(error)"
  }
}

private func reply(_ outcomes: [BindOutcome], _ sockets: [SocketObservation]) -> String {
  let isOwned = sockets.allSatisfy { $0.owner == .process }
  let lines = sockets.map { "socket " + text(of: $0) } + outcomes.map { "outcome " + OutcomeLine($0).text }
  return (lines + [isOwned ? "end owned" : "end"]).joined(separator: "\n")
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
