internal import BindRules
internal import Explanation
package import Linux
internal import Answers
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
    SystemCalls.occupyClosedStandardDescriptors()
    // COMMAND gets them as they were.
    RunningCommand.rememberSignals()
    SystemCalls.makeWritingFail()
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
      case .overview(let transports, let namespace): try Portwhy.overview(transports, in: namespace)
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

  /// Each uid is asked for once: the user database may be on the network.
  static func userNames(_ report: Report) -> [UInt32: String] {
    var names: [UInt32: String] = [:]
    var uids: Set<UInt32> = []
    for target in report.targets {
      uids.formUnion(target.sockets.compactMap(\.uid))
      uids.formUnion(target.sockets.flatMap(\.processes).compactMap(\.uid))
      uids.formUnion(target.attempts.map(\.attempt.uid))
    }
    for uid in uids { names[uid] = SystemCalls.user(uid) }
    return names
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
