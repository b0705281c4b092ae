internal import BindRules
internal import PortwhyKit
internal import SocketModel

extension ReuseOptions {
  /// `SO_REUSEADDR`, `SO_REUSEADDR and SO_REUSEPORT`; empty for none.
  var names: String { enumeration(socketOptions) }

  /// The column or item of the `bind` section.
  var label: String {
    switch self {
    case []: "none"
    case [.reuseaddr, .reuseport]: "both"
    default: names
    }
  }
}

/// `ok`, `EADDRINUSE`, `listen EADDRINUSE`, `undetermined`: bind(2) and listen(2) in one word or two.
func resultText(_ outcome: BindOutcome) -> String {
  switch (outcome.bind, outcome.verdict) {
  case (.ok, .fails(let errno)): "listen \(errno)"
  case (.ok, .undetermined): "listen undetermined"
  case (_, let verdict): verdict.description
  }
}

extension AttemptReport {
  /// What this combination ends in, as the section `bind` says it: `?` where it was left open, which is no answer.
  func resultText(_ options: ReuseOptions) -> String {
    guard let outcome = outcome(options) else { return CallResult.undetermined.description }
    if leftOpen.contains(options) { return outcome.bind == .ok ? "listen ?" : "?" }
    return PortwhyReport.resultText(outcome)
  }
}

/// Attempts that end alike with every combination of options, in the order of the report.
func attemptGroups(_ target: TargetReport) -> [[AttemptReport]] {
  var groups: [(results: [String], attempts: [AttemptReport])] = []
  for attempt in target.attempts {
    let results = ReuseOptions.combinations.map(attempt.resultText)
    if let index = groups.firstIndex(where: { $0.results == results }) {
      groups[index].attempts.append(attempt)
    } else {
      groups.append((results, [attempt]))
    }
  }
  return groups.map(\.attempts)
}
