internal import Answers
internal import BindRules
internal import Explanation
package import Linux
internal import PortwhyReport
internal import SocketModel
internal import Supervisor

/// The program: parse, ask, render, write, exit status.
public enum CommandLineProgram {
  /// Runs with the words after the program's name and returns the exit status. Data goes to standard output,
  /// everything else is one line on standard error.
  ///
  /// `start` has the same words as they came, for `-- COMMAND`. After a command that a signal ended, this process ends the
  /// same way.
  package static func run(_ arguments: [String], start: ProgramStart) -> Int32 {
    // The first process of a container need not wait for what it did not start.
    defer { Errand.reap() }
    SystemCalls.occupyClosedStandardDescriptors()
    // COMMAND gets them as they were.
    rememberSignals()
    SystemCalls.makeWritingFail()
    Capabilities.giveUpOwn()
    if arguments.first == CompletionSource.word {
      _ = SystemCalls.write(CompletionSource.text(Array(arguments.dropFirst())), to: 1)
      return ExitStatus.ok.rawValue
    }
    do {
      let invocation = try Invocation(GivenOptions(arguments), lookup: hostLookup)
      guard case .command(let words, let settings) = invocation.task else { return try run(invocation).rawValue }
      return CommandMode.run(words, settings, start, number: arguments.count - words.count + 1)
    } catch let error as UsageError {
      complain(error.message)
      return ExitStatus.usage.rawValue
    } catch let error as PortwhyError {
      complain(Shown.hidingSecrets(error.description))
      return ExitStatus(error).rawValue
    } catch {
      complain("internal error: \(error)")
      return ExitStatus.software.rawValue
    }
  }

  private static var hostLookup: Invocation.Lookup {
    Invocation.Lookup(
      services: { ServiceTable(parsing: SystemCalls.contents(of: "/etc/services") ?? "") },
      hosts: { HostNames(parsing: SystemCalls.contents(of: "/etc/hosts") ?? "", own: SystemCalls.hostName) },
      uid: SystemCalls.uid(ofUser:), file: readText)
  }

  private static func run(_ invocation: Invocation) throws -> ExitStatus {
    switch (invocation.task, invocation.pace) {
    case (.help, _): return write(HelpScreen.text(), status: .ok)
    case (.version, _): return write("portwhy \(Portwhy.version)\n", status: .ok)
    case (.runtimes, _): return write(RuntimeList.render(style: textStyle(invocation)), status: .ok)
    case (.explain(let topic), _): return write(explain(topic, invocation), status: .ok)
    case (.saved(let files, let question), _): return try saved(files, question, invocation)
    case (.answer(let question), .wait(let timeout)): return try wait(question, timeout: timeout, invocation)
    case (_, .watch(let interval)): return try watch(interval, invocation)
    case (.answer, _), (.overview, _), (.command, _): return try show(answer(invocation), invocation)
    }
  }

  /// A look at this host, and how long it took.
  static func answer(_ invocation: Invocation) throws(PortwhyError) -> (report: Report, microseconds: UInt64) {
    let start = Clock.microseconds
    let report =
      switch invocation.task {
      case .answer(let question): try Portwhy.answer(question)
      case .overview(let transports, let namespace):
        try Portwhy.overview(transports, in: namespace, invocation.overviewDetail)
      case .help, .version, .explain, .runtimes, .saved, .command:
        throw PortwhyError.internalError("nothing to look at")
      }
    for line in contradictionLines(report) { complain(line) }
    return (report, Clock.microseconds &- start)
  }

  private static func show(
    _ answer: (report: Report, microseconds: UInt64), _ invocation: Invocation
  ) -> ExitStatus {
    if let wanted = invocation.free { return showFree(answer.report, wanted) }
    let status = ExitStatus(answer.report)
    if invocation.quiet { return status }
    return write(render(answer.report, invocation, elapsed: answer.microseconds), status: status)
  }

  /// A report that was not made just now; `users` are the names it brings, nil for those of this host.
  static func show(_ report: Report, _ invocation: Invocation, users: [UInt32: String]? = nil) -> ExitStatus {
    if let wanted = invocation.free { return showFree(report, wanted) }
    let status = ExitStatus(report)
    if invocation.quiet { return status }
    return write(render(report, invocation, users: users), status: status)
  }

  /// The first ports on which every planned bind works; likely ones where no sure answer can be had.
  private static func showFree(_ report: Report, _ wanted: Int) -> ExitStatus {
    let free = FreePorts(report)
    if !free.areSure { complain("these are likely: sockets that are only bound cannot be seen; sudo sees them") }
    let found = free.ports.prefix(wanted)
    let text = found.map { "\($0)\n" }.joined()
    let status: ExitStatus = found.count == wanted ? .ok : .fails
    return text.isEmpty ? status : write(text, status: status)
  }

  // MARK: Output

  private static func explain(_ topic: Topic?, _ invocation: Invocation) -> String {
    let style = textStyle(invocation)
    return topic.map { TopicScreen.render($0, style: style) } ?? TopicScreen.renderList(style: style)
  }

  /// For text that is about no report.
  static func textStyle(_ invocation: Invocation) -> ScreenStyle {
    ScreenStyle(width: SystemCalls.terminalColumns(1) ?? 80, color: wantsColor(invocation.color))
  }

  static func render(
    _ report: Report, _ invocation: Invocation, elapsed: UInt64? = nil, users: [UInt32: String]? = nil
  ) -> String {
    let users = invocation.numeric ? [:] : users ?? userNames(report)
    if invocation.brief { return BriefLines.render(report) }
    if invocation.json { return JSONReport.render(report, users: users) }
    let style = ScreenStyle(
      width: SystemCalls.terminalColumns(1) ?? 80, color: wantsColor(invocation.color),
      verbose: invocation.verbose, numeric: invocation.numeric, users: users, elapsedMicroseconds: elapsed)
    if invocation.asksForOverview(report) { return Screen.renderOverview(report, style: style) }
    return Screen.render(report, style: style)
  }

  static func userNames(_ report: Report) -> [UInt32: String] {
    var uids: Set<UInt32> = []
    for target in report.targets {
      uids.formUnion(target.sockets.compactMap(\.uid))
      uids.formUnion(target.sockets.flatMap(\.processes).compactMap(\.uid))
      uids.formUnion(target.attempts.map(\.attempt.uid))
    }
    return SystemCalls.users(uids)
  }

  static func wantsColor(_ color: Invocation.Color, _ descriptor: Int32 = 1) -> Bool {
    switch color {
    case .always: true
    case .never: false
    case .auto:
      SystemCalls.isTerminal(descriptor) && (SystemCalls.environment("NO_COLOR") ?? "").isEmpty
        && SystemCalls.environment("TERM") != "dumb"
    }
  }

  /// A closed pipe is silent and keeps the status; an answer that cannot be written is an error.
  static func write(_ text: String, status: ExitStatus) -> ExitStatus {
    switch SystemCalls.write(text, to: 1) {
    case .written, .closedPipe: return status
    case .failed(let reason):
      complain("cannot write to standard output: \(reason)")
      return .software
    }
  }

  /// A line that somebody reads; what was typed, which a message repeats, may be as long as execve(2) allows.
  static func complain(_ message: String) {
    let text = TerminalText.escaped(String(message.unicodeScalars.prefix(longestComplaint)))
    let rest = message.utf8.count > longestComplaint && message.unicodeScalars.count > longestComplaint ? "…" : ""
    _ = SystemCalls.write("portwhy: \(text)\(rest)\n", to: 2)
  }

  private static let longestComplaint = 500
}

/// What is wrong with what was typed: one line, lower case, the bad part in double quotes.
struct UsageError: Error, Hashable {
  var message: String

  init(_ message: String) { self.message = message }
}

/// The exit status of the program, a promise to scripts; from 64 on as sysexits.h(3) numbers them.
enum ExitStatus: Int32 {
  /// Every attempt works or meets one's own server alone (`--ours`), or there was nothing to judge.
  case ok = 0
  /// At least one attempt fails.
  case fails = 1
  /// None fails, but one is undetermined.
  case undetermined = 2
  /// EX_USAGE.
  case usage = 64
  /// EX_UNAVAILABLE: the kernel interface is missing.
  case unavailable = 69
  /// EX_SOFTWARE: an internal error, or the answer could not be written.
  case software = 70
  /// EX_NOPERM.
  case notPermitted = 77

  init(_ report: Report) {
    let verdicts = report.targets.filter { !$0.isOurs }.compactMap(\.verdict)
    if report.targets.contains(where: { $0.attempts.contains { !$0.contradictions.isEmpty } }) {
      // A real bind showed that a sure answer was wrong.
      self = .software
    } else if verdicts.contains(where: { if case .fails = $0 { true } else { false } }) {
      self = .fails
    } else {
      self = verdicts.contains(.undetermined) ? .undetermined : .ok
    }
  }

  init(_ error: PortwhyError) {
    switch error {
    case .kernelInterfaceMissing: self = .unavailable
    case .notPermitted: self = .notPermitted
    case .invalidQuestion: self = .usage
    case .internalError: self = .software
    }
  }
}

/// The lines that report real binds which answered otherwise than sure rules, with everything that is needed to
/// reproduce them; none where there is nothing to report.
func contradictionLines(_ report: Report) -> [String] {
  let lines = report.targets.flatMap { target in
    target.attempts.flatMap { attempt in attempt.contradictions.map { line($0, attempt.attempt) } }
  }
  guard !lines.isEmpty else { return [] }
  return ["BUG: a real bind contradicts a sure answer; please report all of these lines"] + lines
    + [String(JSONReport.render(report).dropLast())]
}

private func line(_ contradiction: ProbeContradiction, _ attempt: BindAttempt) -> String {
  let predicted = contradiction.predicted
  let socket = [
    "\(attempt.port)/\(attempt.transport.rawValue)", "on \(attempt.address)", "uid \(attempt.uid)",
    "v6only \(attempt.v6only)", "device \(attempt.boundTo)",
    "SO_REUSEADDR \(predicted.options.contains(.reuseaddr))",
    "SO_REUSEPORT \(predicted.options.contains(.reuseport))",
  ]
  return "BUG: \(socket.joined(separator: ", ")): predicted \(predicted.bind), bind() answers "
    + "\(contradiction.answered)"
}

extension BindAttempt {
  fileprivate var boundTo: String {
    switch device {
    case .interface(_, let name), .missing(let name): name
    case nil: "none"
    }
  }
}
