internal import BindRules
internal import Explanation
internal import Answers
internal import SocketModel

/// The first line: what is attempted, by whom, how it ends, and which options would end it otherwise.
struct Headline {
  var target: TargetReport
  var host: HostFacts
  var visibility: Visibility
  var style: ScreenStyle

  var text: String {
    firstLine(
      "\(target.port)/\(target.transport.rawValue)", device: target.plan.device.map(TerminalText.escaped),
      user: target.attempts.first.map { style.user($0.attempt.uid) },
      attemptGroups(target).map { group in
        (addresses: group.map { addressText($0.attempt, host: host) }, text: phrase(group))
      })
  }

  /// Whether there is nothing to say but that the port is free.
  var isFree: Bool {
    target.sockets.isEmpty && visibility.boundSocketsComplete && !target.attempts.isEmpty
      && target.attempts.allSatisfy { attempt in
        attempt.outcomes.allSatisfy { $0.verdict == .ok }
      }
  }

  var ink: ScreenStyle.Ink {
    switch target.verdict {
    case .ok: .works
    case .fails: .fails
    case .undetermined: .undetermined
    case nil: .bold
    }
  }

  private func phrase(_ group: [AttemptReport]) -> String {
    let options = target.plan.options
    return Ending(
      group.first?.outcomes ?? [], planned: options, target.transport,
      missing: group.flatMap { $0.outcome(options)?.missing ?? [] }, isFree: isFree
    ).text
  }

  /// The answer in a word or two, for a line of a range.
  var short: String {
    shortEnding(
      target.verdict, isFree: isFree,
      bindWorks: target.attempts.allSatisfy { $0.outcome(target.plan.options)?.bind == .ok })
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

extension AttemptReport {
  /// What this combination ends in, as the section `bind` says it.
  func resultText(_ options: ReuseOptions) -> String {
    outcome(options)?.resultText ?? CallResult.undetermined.description
  }
}
