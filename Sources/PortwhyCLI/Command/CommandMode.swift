internal import Answers
internal import Linux
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

  /// How long portwhy outlives the command for what it has to find, and again to say it: long for a busy host, whose
  /// explanations take seconds, and for a terminal that is slow to take them.
  private static let patience: UInt64 = 10_000_000

  private static func finish(
    _ watch: CommandWatch, _ explainer: Explainer, _ printer: CommandPrinter, _ done: Alarm, _ ending: CommandEnding,
    _ name: String, _ settings: CommandSettings
  ) {
    watch.finish(until: Clock.microseconds + patience, done: done)
    let end = Clock.microseconds + patience
    let failed = ending != .exited(0)
    if !settings.json {
      let remarks = CommandRemarks(
        command: name, failed: failed, sawFailures: watch.sawFailures, missedCalls: watch.missedCalls,
        isVerbose: settings.verbose)
      for text in remarks.lines { printer.line(text) }
    }
    explainer.add(.stop)
    while !explainer.isOver, Clock.microseconds < end { _ = done.wait(until: end) }
    // Its thread may be the one that is stuck, in a look or in writing to who does not read.
    for line in watch.unexplained where !settings.json {
      guard SystemCalls.writeLine("portwhy: \(line)\n", to: printer.descriptor, until: end) else { return }
    }
  }

  private static func refuse(_ reason: String) -> Int32 {
    CommandLineProgram.complain(Shown.hidingSecrets(reason))
    return notWatched
  }
}

/// What is wanted of `portwhy -- COMMAND`: the options before `--`.
struct CommandSettings: Hashable {
  var json = false
  var verbose = false
  var numeric = false
  var bpf = true
  var color = Invocation.Color.auto
  /// Where explanations go instead of standard error.
  var output: String?

  init() {}

  init(_ given: GivenOptions, _ color: Invocation.Color) {
    json = given.has(.json)
    verbose = given.has(.verbose)
    numeric = given.has(.numeric)
    bpf = !given.has(.noBPF)
    output = given.value(.output)
    self.color = color
  }
}

/// Lines about the command as a whole, at its end.
struct CommandRemarks {
  /// The word that was run.
  var command: String
  /// It ended with another status than 0.
  var failed: Bool
  /// A call of it failed.
  var sawFailures: Bool
  /// Calls that could not be looked at.
  var missedCalls: Int
  var isVerbose: Bool
  /// The user who called sudo(8).
  var sudoUser = SystemCalls.environment("SUDO_USER")
  var uid = effectiveUser()

  var lines: [String] {
    [ranAsRoot, boundElsewhere, missed].compactMap { $0 }
  }

  private var name: String { command.split(separator: "/").last.map(String.init) ?? command }

  /// `sudo portwhy -- npm start` runs npm as root, which is seldom what was meant.
  private var ranAsRoot: String? {
    guard sawFailures, uid == 0, let sudoUser, sudoUser != "root",
      !["sudo", "su", "runuser", "setpriv", "doas"].contains(name)
    else { return nil }
    let user = TerminalText.escaped(sudoUser)
    return
      "\(TerminalText.escaped(name)) ran as root; as \(user): sudo portwhy -- sudo -u \(user) \(TerminalText.escaped(name)) …"
  }

  /// Programs that ask a daemon, which is no part of the command.
  private static let daemons = [
    "docker": "dockerd", "docker-compose": "dockerd", "nerdctl": "containerd", "systemctl": "systemd",
    "service": "systemd", "kubectl": "the kubelet", "lxc": "lxd", "incus": "incusd", "virsh": "libvirtd",
  ]

  private var boundElsewhere: String? {
    guard failed, !sawFailures, let daemon = Self.daemons[name] else { return nil }
    return "\(name) has \(daemon) bind for it, which is no part of this command: ask portwhy PORT"
  }

  private var missed: String? {
    guard missedCalls > 0, isVerbose || (failed && !sawFailures) else { return nil }
    let calls = missedCalls == 1 ? "a bind or listen" : "\(missedCalls) binds or listens"
    return
      "\(calls) of the command could not be looked at: a debugger has the thread, it forbids it, or somebody keeps"
      + " who looks waiting"
  }
}

/// Writes what is said about a command, on the explainer's thread.
final class CommandPrinter {
  private let settings: CommandSettings
  private let explainer: Explainer
  /// Standard error, or the file of `-o`.
  let descriptor: Int32

  init(_ settings: CommandSettings, _ explainer: Explainer, descriptor: Int32) {
    self.settings = settings
    self.explainer = explainer
    self.descriptor = descriptor
  }

  func line(_ text: String) { write { _ in "portwhy: \(text)\n" } }

  func screen(_ headline: String, _ failure: BindFailure) {
    write { style in
      var style = style
      style.users = style.numeric ? [:] : CommandLineProgram.userNames(failure.report)
      return "portwhy: \(headline)\n" + failure.text(style: style)
    }
  }

  func report(_ report: Report) {
    write { style in JSONReport.render(report, users: style.numeric ? [:] : CommandLineProgram.userNames(report)) }
  }

  private func write(_ text: @escaping @Sendable (ScreenStyle) -> String) {
    let (settings, descriptor) = (settings, descriptor)
    explainer.add(
      .write {
        let style = ScreenStyle(
          width: SystemCalls.terminalColumns(descriptor) ?? 80,
          color: CommandLineProgram.wantsColor(settings.color, descriptor), verbose: settings.verbose,
          numeric: settings.numeric)
        _ = SystemCalls.write(text(style), to: descriptor)
      })
  }
}
