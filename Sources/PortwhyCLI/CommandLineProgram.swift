internal import BindRules
internal import PortwhyExplanation
internal import PortwhyKit
internal import PortwhyReport
internal import SocketModel

/// The program: parse, ask, render, write, exit status.
public enum CommandLineProgram {
  /// Runs with the words after the program's name and returns the exit status. Data goes to standard output,
  /// everything else is one line on standard error.
  public static func run(_ arguments: [String]) -> Int32 {
    SystemCalls.ignoreBrokenPipe()
    do {
      return try run(Invocation(PortwhyOptions.reading(arguments), lookup: hostLookup)).rawValue
    } catch let error as UsageError {
      complain(error.message)
      return ExitStatus.usage.rawValue
    } catch let error as PortwhyError {
      complain(text(error))
      return ExitStatus(error).rawValue
    } catch {
      complain("internal error: \(error)")
      return ExitStatus.software.rawValue
    }
  }

  private static var hostLookup: Invocation.Lookup {
    Invocation.Lookup(
      services: { ServiceTable(parsing: SystemCalls.contents(of: "/etc/services") ?? "") },
      uid: SystemCalls.uid(ofUser:))
  }

  private static func run(_ invocation: Invocation) throws(PortwhyError) -> ExitStatus {
    let start = SystemCalls.microseconds()
    let report: Report
    switch invocation.task {
    case .help: return write(helpText, status: .ok)
    case .version: return write("portwhy \(portwhyVersion)\n", status: .ok)
    case .explain(let topic): return write(explain(topic, invocation), status: .ok)
    case .answer(let question): report = try Portwhy.answer(question)
    case .overview(let transports, let namespace): report = try Portwhy.overview(transports, in: namespace)
    }
    for line in contradictionLines(report) { complain(line) }
    let elapsed = SystemCalls.microseconds() &- start
    let status = ExitStatus(report)
    if invocation.quiet { return status }
    return write(render(report, invocation, elapsed: elapsed), status: status)
  }

  // MARK: Output

  private static func explain(_ topic: Topic?, _ invocation: Invocation) -> String {
    let style = ScreenStyle(
      width: SystemCalls.terminalColumns(1) ?? 80, color: wantsColor(invocation.color), verbose: invocation.verbose,
      numeric: invocation.numeric)
    return topic.map { TopicScreen.render($0, style: style) } ?? TopicScreen.renderList(style: style)
  }

  private static func render(_ report: Report, _ invocation: Invocation, elapsed: UInt64) -> String {
    let users = invocation.numeric ? [:] : userNames(report)
    if invocation.json { return JSONReport.render(report, users: users) }
    let style = ScreenStyle(
      width: SystemCalls.terminalColumns(1) ?? 80, color: wantsColor(invocation.color),
      verbose: invocation.verbose, numeric: invocation.numeric, users: users, elapsedMicroseconds: elapsed)
    if case .overview = invocation.task { return Screen.renderOverview(report, style: style) }
    return Screen.render(report, style: style)
  }

  /// Each uid is asked for once: the user database may be on the network.
  private static func userNames(_ report: Report) -> [UInt32: String] {
    var names: [UInt32: String] = [:]
    var uids: Set<UInt32> = []
    for target in report.targets {
      uids.formUnion(target.sockets.compactMap(\.uid))
      uids.formUnion(target.attempts.map(\.attempt.uid))
    }
    for uid in uids { names[uid] = SystemCalls.user(uid) }
    return names
  }

  private static func wantsColor(_ color: Invocation.Color) -> Bool {
    switch color {
    case .always: true
    case .never: false
    case .auto:
      SystemCalls.isTerminal(1) && (SystemCalls.environment("NO_COLOR") ?? "").isEmpty
        && SystemCalls.environment("TERM") != "dumb"
    }
  }

  /// A closed pipe is silent and keeps the status; an answer that cannot be written is an error.
  private static func write(_ text: String, status: ExitStatus) -> ExitStatus {
    switch SystemCalls.write(text, to: 1) {
    case .written, .closedPipe: return status
    case .failed(let reason):
      complain("cannot write to standard output: \(reason)")
      return .software
    }
  }

  private static func complain(_ message: String) {
    _ = SystemCalls.write("portwhy: \(TerminalText.escaped(message))\n", to: 2)
  }

  private static func text(_ error: PortwhyError) -> String {
    switch error {
    case .kernelInterfaceMissing(let text), .notPermitted(let text), .invalidQuestion(let text): text
    case .internalError(let text): "internal error: \(text)"
    }
  }
}
