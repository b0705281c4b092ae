internal import BindRules
internal import Answers
internal import PortwhyReport
internal import SocketModel

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
