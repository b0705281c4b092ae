internal import BindRules
internal import Explanation
internal import Answers
internal import SocketModel

/// One line a port, for a range too long for a screen a port; ports side by side that nobody uses and that end alike
/// share one.
struct SummaryLines {
  var report: Report
  var style: ScreenStyle

  func lines() -> [String] {
    let runs = runs()
    let width = runs.map { $0.subject.utf8.count }.max() ?? 0
    return runs.map { run in
      let holder = holder(run.first)
      let start = TerminalText.padded(run.subject, to: width) + "  "
      let ending = holder.isEmpty ? run.verdict : TerminalText.padded(run.verdict, to: 24) + "  " + holder
      return start + style.paint(clipped(ending, to: style.width - width - 2), headline(run.first).ink)
    }
  }

  /// Ports of one line.
  private struct Run {
    var first: TargetReport
    var last: Port
    var verdict: String

    /// `8080/tcp`, `8000-8079/tcp`.
    var subject: String {
      (first.port == last ? "\(last)" : "\(first.port)-\(last)") + "/\(first.transport.rawValue)"
    }

    func isContinued(by target: TargetReport, _ verdict: String) -> Bool {
      first.sockets.isEmpty && target.sockets.isEmpty && first.transport == target.transport
        && UInt32(last.rawValue) + 1 == UInt32(target.port.rawValue) && self.verdict == verdict
    }
  }

  private func runs() -> [Run] {
    var runs: [Run] = []
    for target in report.targets {
      let verdict = headline(target).short
      if let run = runs.last, run.isContinued(by: target, verdict) {
        runs[runs.count - 1].last = target.port
      } else {
        runs.append(Run(first: target, last: target.port, verdict: verdict))
      }
    }
    return runs
  }

  private func headline(_ target: TargetReport) -> TargetHeadline {
    TargetHeadline(
      target: target, host: report.host, visibility: report.visibility, at: report.capturedAt, style: style)
  }

  /// The socket that stands first in the way, and how many more there are.
  private func holder(_ target: TargetReport) -> String {
    let blockers = target.attempts.flatMap { $0.outcome(target.plan.options)?.blockers ?? [] }.map(\.socket)
    let ids = blockers.isEmpty ? Array(target.sockets.indices) : Array(Set(blockers)).sorted()
    let known = ids.filter { target.sockets.indices.contains($0) }
    guard let first = known.first(where: { target.sockets[$0].state == .listen }) ?? known.first else { return "" }
    let socket = target.sockets[first]
    let owner = style.owners(target.sockets)(socket)
    return "\(stateName(socket)) \(owner)" + (known.count > 1 ? " and \(known.count - 1) more" : "")
  }

  private func clipped(_ text: String, to columns: Int) -> String {
    guard TerminalText.width(text) > columns else { return text }
    var result = ""
    for character in text {
      if TerminalText.width(result) + TerminalText.width(String(character)) >= columns { break }
      result.append(character)
    }
    return result + "…"
  }
}
