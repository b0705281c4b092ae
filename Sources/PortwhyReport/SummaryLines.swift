internal import BindRules
internal import PortwhyKit
internal import SocketModel

/// One line a port, for a range too long for a screen a port.
struct SummaryLines {
  var report: Report
  var style: ScreenStyle

  func lines() -> [String] {
    let width = report.targets.map { subject($0).utf8.count }.max() ?? 0
    return report.targets.map { target in
      let headline = Headline(target: target, host: report.host, visibility: report.visibility, style: style)
      let verdict = verdict(target)
      let holder = holder(target)
      let start = TerminalText.padded(subject(target), to: width) + "  "
      let ending = holder.isEmpty ? verdict : TerminalText.padded(verdict, to: 24) + "  " + holder
      return start + style.paint(clipped(ending, to: style.width - width - 2), headline.ink)
    }
  }

  private func subject(_ target: TargetReport) -> String { "\(target.port)/\(target.transport.rawValue)" }

  /// `works`, `fails (EADDRINUSE)`, `listen fails (EADDRINUSE)`, `undetermined`.
  private func verdict(_ target: TargetReport) -> String {
    let free = Headline(target: target, host: report.host, visibility: report.visibility, style: style).isFree
    switch target.verdict {
    case .ok: return free ? "free" : "works"
    case .fails(let errno):
      let bindWorks = target.attempts.allSatisfy { $0.outcome(target.plan.options)?.bind == .ok }
      return (bindWorks ? "listen" : "bind") + " fails (\(errno))"
    case .undetermined: return "undetermined"
    case nil: return "not asked"
    }
  }

  /// The socket that stands first in the way, and how many more there are.
  private func holder(_ target: TargetReport) -> String {
    let blockers = target.attempts.flatMap { $0.outcome(target.plan.options)?.blockers ?? [] }.map(\.socket)
    let ids = blockers.isEmpty ? Array(target.sockets.indices) : Array(Set(blockers)).sorted()
    let known = ids.filter { target.sockets.indices.contains($0) }
    guard let first = known.first(where: { target.sockets[$0].state == .listen }) ?? known.first else { return "" }
    let socket = target.sockets[first]
    let owner = OwnerText(sockets: target.sockets, style: style).text(socket)
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
