package import Answers
internal import BindRules
internal import Explanation
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

/// A line for each port and address, made to be compared and folded: nothing in it changes while the host stays the same.
///
/// `8080/tcp 0.0.0.0 fails EADDRINUSE listener nginx.service`; the words are separated by one blank, and none has one.
package enum BriefLines {
  /// The lines of a report, each with its newline; one of many begins with its host, as engines print it.
  package static func render(_ report: Report, of name: String? = nil) -> String {
    report.targets.flatMap { target in
      target.attempts.map { start(name) + line(target, $0, report.host) + "\n" }
    }.joined()
  }

  /// `lab1: no-answer No\x20route\x20to\x20host`: the hosts of a fold that gave none.
  package static func unanswered(_ fold: Fold) -> String {
    fold.silent.map { host, reason in
      start(host) + "no-answer " + oneWord(reason) + "\n"
    }.joined()
  }

  private static func start(_ name: String?) -> String { name.map { oneWord($0) + ": " } ?? "" }

  private static func line(_ target: TargetReport, _ report: AttemptReport, _ host: HostFacts) -> String {
    let outcome = report.outcome(target.plan.options)
    let address = report.attempt.address.isUnspecified ? report.attempt.address.description : plain(report, host)
    var words = ["\(target.port)/\(target.transport.rawValue)", address]
    switch outcome?.verdict ?? .undetermined {
    case .ok: words.append("works")
    case _ where target.isOurs: words.append(OursFinding.verdictWord)
    case .fails(let errno): words += ["fails", errno.description]
    case .undetermined: words.append("undetermined")
    }
    if let cause = report.explanation.causeWord { words.append(cause.rawValue) }
    let inTheWay = (outcome?.blockers ?? []).map(\.socket) + report.explanation.deliveries.flatMap(\.sockets)
    let holders = Set(inTheWay.filter(target.sockets.indices.contains).map { holder(target.sockets[$0]) })
    if !holders.isEmpty { words.append(holders.sorted().joined(separator: ",")) }
    return words.map(oneWord).joined(separator: " ")
  }

  private static func plain(_ report: AttemptReport, _ host: HostFacts) -> String {
    report.attempt.address.description + (report.attempt.zone(host).map { "%" + $0 } ?? "")
  }

  /// The unit, the container, the command or the kernel's interface; no pids, which differ from host to host.
  private static func holder(_ socket: SocketObservation) -> String {
    switch socket.owner {
    case .process:
      if let unit = socket.activation?.unit { return unit }
      let names = socket.processes.map {
        $0.unit ?? $0.container.map(shortContainer) ?? ($0.command.isEmpty ? "hidden" : $0.command)
      }
      return Set(names).sorted().joined(separator: ",")
    case .kernel: return socket.kernelOwner?.interface ?? socket.kernelOwner?.word.rawValue ?? "kernel"
    case .none: return "nobody"
    case .hidden: return "hidden"
    }
  }

  private static func oneWord(_ text: String) -> String {
    TerminalText.escaped(text).split(separator: " ", omittingEmptySubsequences: false).joined(separator: "\\x20")
  }
}
