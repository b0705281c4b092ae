internal import BindRules
internal import Explanation
package import Answers
internal import SocketModel

/// A line for each port and address, made to be compared and folded: nothing in it changes while the host stays the same.
///
/// `8080/tcp 0.0.0.0 fails EADDRINUSE listener nginx.service`; the words are separated by one blank, and none has one.
package enum BriefLines {
  /// The lines of a report, each with its newline.
  package static func render(_ report: Report) -> String {
    report.targets.flatMap { target in
      target.attempts.map { line(target, $0, report.host) + "\n" }
    }.joined()
  }

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
      let names = socket.processes.map { $0.unit ?? $0.container.map(shortContainer) ?? $0.command }
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
