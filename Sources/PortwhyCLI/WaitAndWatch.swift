internal import Answers
internal import BindRules
internal import Glibc
internal import Linux
internal import PortwhyReport
internal import SocketModel

// `--wait` and `--watch`: more than one look.

extension CommandLineProgram {
  /// One answer, when every planned bind works or the time is up.
  static func wait(
    _ question: Question, timeout: UInt64?, _ invocation: Invocation
  ) throws(PortwhyError) -> ExitStatus {
    let showsCountdown =
      !invocation.quiet && SystemCalls.isForegroundTerminal(2) && SystemCalls.environment("TERM") != "dumb"
    guard showsCountdown else {
      // Nothing is to be tidied up, so a signal may end the program where it is.
      return show(try Portwhy.wait(for: question, timeout: timeout).report, invocation)
    }
    // No signal is held back: one ends a look as well as the wait between two.
    SystemCalls.eraseLine(at: [SIGINT, SIGTERM, SIGHUP, SIGQUIT])
    let started = Clock.microseconds
    let result: (report: Report, end: WaitEnd)
    do throws(PortwhyError) {
      result = try Portwhy.wait(for: question, timeout: timeout) { report in
        let elapsed = (Clock.microseconds &- started) / 1000
        drawLine(Countdown(report: report, elapsed: elapsed, timeout: timeout).text)
      }
    } catch {
      eraseLine()
      throw error
    }
    eraseLine()
    return show(result.report, invocation)
  }

  private static func drawLine(_ line: String) {
    let columns = SystemCalls.terminalColumns(2) ?? 80
    _ = SystemCalls.write("\r\(TerminalText.escaped(line).prefix(max(columns - 1, 1)))\u{1b}[K", to: 2)
  }

  private static func eraseLine() { _ = SystemCalls.write("\r\u{1b}[K", to: 2) }

  /// An answer every interval, until a signal ends the program or nobody reads any more.
  static func watch(_ interval: UInt64, _ invocation: Invocation) throws(PortwhyError) -> ExitStatus {
    let redraws = !invocation.json && SystemCalls.isTerminal(1) && SystemCalls.environment("TERM") != "dumb"
    let started = Clock.microseconds
    var isFirst = true
    while true {
      let (report, elapsed) = try answer(invocation)
      let text = render(report, invocation, elapsed: elapsed)
      let status = ExitStatus(report)
      let screen: String
      if redraws {
        screen = Redraw.frame(text, isFirst: isFirst, lines: SystemCalls.terminalLines(1) ?? 24)
      } else {
        screen = isFirst || invocation.json ? text : "\n" + text
      }
      isFirst = false
      switch SystemCalls.write(screen, to: 1) {
      case .written: break
      case .closedPipe: return status
      case .failed: return write("", status: write(screen, status: status))
      }
      let next = nextTick(after: Clock.microseconds, from: started, every: interval * 1000)
      guard SystemCalls.pause(until: next, whileRead: 1) else { return status }
    }
  }

  /// Looks keep to their beat; one that took longer than the interval misses beats and never piles them up.
  static func nextTick(after now: UInt64, from start: UInt64, every interval: UInt64) -> UInt64 {
    start &+ ((now &- start) / interval &+ 1) &* interval
  }
}

/// What `--wait` is waiting for, on one line.
struct Countdown {
  var report: Report
  /// Milliseconds since the start.
  var elapsed: UInt64
  /// Milliseconds from the start.
  var timeout: UInt64?

  var text: String {
    let waiting = report.targets.filter { $0.verdict != .ok && !$0.isOurs }
    let first = waiting.first.map { "\($0.port)/\($0.transport.rawValue)" } ?? "nothing"
    let name = first + (waiting.count > 1 ? " and \(waiting.count - 1) more" : "")
    return ["waiting for \(name)", reason(waiting), giveUp].compactMap(\.self).joined(separator: ", ")
  }

  private func reason(_ waiting: [TargetReport]) -> String {
    let blockers = waiting.flatMap(\.planBlockers)
    if !blockers.isEmpty, blockers.allSatisfy(\.isTimeWaitSocket), let left = report.timeWaitLeft {
      let states = Set(blockers.map(\.state.description)).sorted().joined(separator: " and ")
      return "\(states) for \(Self.seconds(UInt64(left))) s"
    }
    return "\(elapsed / 1000) s so far"
  }

  private var giveUp: String? {
    timeout.map { "giving up in \(Self.seconds($0 - min($0, elapsed))) s" }
  }

  /// Rounded up: a countdown that says 0 has ended.
  private static func seconds(_ milliseconds: UInt64) -> UInt64 {
    milliseconds / 1000 + (milliseconds % 1000 == 0 ? 0 : 1)
  }
}

/// A screen over the one before it.
enum Redraw {
  /// Written at once and from the top left corner, each line over its predecessor, so that nothing flickers. Lines
  /// are cut at the edge while it is drawn (DECAWM), and what has no room is counted.
  static func frame(_ text: String, isFirst: Bool, lines room: Int) -> String {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last == "" { lines.removeLast() }
    let most = max(room - 1, 1)
    if lines.count > most {
      let hidden = lines.count - (most - 1)
      lines = lines.prefix(most - 1) + ["… \(hidden) more lines"]
    }
    let body = lines.map { "\($0)\u{1b}[K\n" }.joined()
    return "\(isFirst ? "\u{1b}[2J" : "")\u{1b}[?7l\u{1b}[H\(body)\u{1b}[J\u{1b}[?7h"
  }
}
