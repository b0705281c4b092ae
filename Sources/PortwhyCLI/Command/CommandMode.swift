internal import Linux
internal import Answers
internal import PortwhyReport
internal import SocketModel
internal import Supervisor

/// `portwhy -- COMMAND`: runs it, and explains the calls of it that fail.
enum CommandMode {
  /// Statuses of portwhy itself, as env(1) and timeout(1) have them.
  private static let notWatched: Int32 = 125
  private static let notExecutable: Int32 = 126
  private static let notFound: Int32 = 127

  /// Runs the command with these words; its own is the one with this number of those this program was started with.
  ///
  /// Ends the process as the command ended, or returns a status of portwhy's own.
  static func run(_ words: [String], _ settings: CommandSettings, _ start: ProgramStart, number: Int) -> Int32 {
    let name = words.first ?? ""
    if let reason = Refusal.reason(command: name, path: SystemCalls.environment("PATH")) {
      return refuse(reason)
    }
    var output: Int32 = 2
    if let path = settings.output {
      switch SystemCalls.openForAppending(path) {
      case .failed(let reason): return refuse("cannot write to \"\(path)\": \(reason)")
      case .opened(let descriptor): output = descriptor
      }
    }
    guard let work = Alarm(), let done = Alarm() else { return refuse("no eventfd(2) is to be had") }
    let started: RunningCommand
    do throws(RunningCommand.Failure) {
      started = try RunningCommand.start(start, command: number)
    } catch {
      switch error {
      case .unwatchable(let reason): return refuse(reason)
      case .notExecuted(let errno):
        CommandLineProgram.complain("cannot run \(Shown(name)): \(SystemCalls.text(errno))")
        return errno == .noEntry ? notFound : notExecutable
      }
    }
    return watch(started, settings, name: name, output: output, work, done)
  }

  private static func watch(
    _ started: RunningCommand, _ settings: CommandSettings, name: String, output: Int32, _ work: Alarm,
    _ done: Alarm
  ) -> Int32 {
    let explainer = Explainer(settings, work: work, done: done)
    let printer = CommandPrinter(settings, explainer, descriptor: output)
    let watch = CommandWatch(settings, explainer, printer)
    let supervisor = Supervisor(started, alarm: done, delegate: watch)
    watch.supervisor = supervisor
    // Without a thread nothing is explained, and the command runs all the same.
    let isExplaining = explainer.start()
    let ending = supervisor.run()
    if isExplaining { finish(watch, explainer, printer, done, ending, name, settings) }
    switch ending {
    case .exited(let status): return status
    case .killed(let signal): end(bySignal: signal)
    }
  }

  /// How long portwhy outlives the command to say what it found.
  private static let patience: UInt64 = 5_000_000

  private static func finish(
    _ watch: CommandWatch, _ explainer: Explainer, _ printer: CommandPrinter, _ done: Alarm, _ ending: CommandEnding,
    _ name: String, _ settings: CommandSettings
  ) {
    let end = Clock.microseconds + patience
    watch.finish(until: Clock.microseconds + Supervisor.longestHold * 2, done: done)
    let failed = ending != .exited(0)
    if !settings.json {
      let remarks = CommandRemarks(
        command: name, failed: failed, sawFailures: watch.sawFailures, missedCalls: watch.missedCalls,
        isVerbose: settings.verbose)
      for text in remarks.lines { printer.line(text) }
    }
    explainer.add(.stop)
    while !explainer.isOver, Clock.microseconds < end { _ = done.wait(until: end) }
    // Its thread may be the one that is stuck.
    for line in watch.unexplained where !settings.json {
      _ = SystemCalls.write("portwhy: \(line)\n", to: printer.descriptor)
    }
  }

  private static func refuse(_ reason: String) -> Int32 {
    CommandLineProgram.complain(Shown.hidingSecrets(reason))
    return notWatched
  }
}
