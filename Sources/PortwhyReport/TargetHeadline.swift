internal import BindRules
internal import Explanation
internal import Answers
internal import SocketModel

/// The first two lines of a port, as this screen writes addresses and users.
struct TargetHeadline {
  private var target: TargetReport
  private var words: Headline

  /// - Parameters:
  ///   - last: the last port of a row of ports that nobody uses, which share the lines; nil for one port.
  ///   - now: when the sockets were looked at, in seconds since the epoch.
  init(
    target: TargetReport, through last: Port? = nil, host: HostFacts, visibility: Visibility, at now: Double,
    style: ScreenStyle
  ) {
    self.target = target
    let snapshot = Snapshot(
      host: host, visibility: visibility, sockets: target.sockets, buckets: target.buckets,
      isChainOrdered: target.isChainOrdered)
    let situations = target.attempts.map { report in
      Situation(
        attempt: report.attempt, outcomes: report.outcomes, planned: target.plan.options, snapshot: snapshot,
        runtime: target.plan.runtime)
    }
    words = Headline(
      target.port, through: last, target.transport, situations,
      at: now, address: { addressText($0, host: host) }, user: { style.user($0) })
    if let ours = target.ours, ours.decides { words.ours = ours.matched }
  }

  /// The two lines before they are wrapped; the second is empty where there is nothing to attempt.
  var lines: [String] {
    let plan = target.plan.device.map { ", bound to \($0)" } ?? ""
    return [words.first, words.second + (words.second.isEmpty ? "" : plan)]
  }

  /// As `Headline.isFree` has it, for this screen.
  var isFree: Bool { words.isFree }

  var ink: ScreenStyle.Ink {
    switch target.verdict {
    case _ where target.isOurs: .works
    case .ok: .works
    case .fails: .fails
    case .undetermined: .undetermined
    case nil: .bold
    }
  }

  /// The answer in a word or two, for a line of a range.
  var short: String {
    if target.isOurs { return OursFinding.verdictWord }
    return shortEnding(
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
