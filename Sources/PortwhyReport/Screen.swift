public import Answers
internal import BindRules
internal import Explanation
internal import SocketModel

/// The report for people.
package enum Screen {
  /// More targets than this get one line each.
  static let screensShown = 16

  /// The answer to a question: a screen a port, or a line a port where there are more than 16.
  package static func render(_ report: Report, style: ScreenStyle) -> String {
    if report.targets.count > screensShown {
      return text(SummaryLines(report: report, style: style).lines())
    }
    let screens = runs(report.targets) { target in
      TargetHeadline(
        target: target, host: report.host, visibility: report.visibility, at: report.capturedAt, style: style)
    }.map { run in
      TargetScreen(
        target: run.first, last: run.last, host: report.host, visibility: report.visibility, now: report.capturedAt,
        style: style
      ).lines()
    }
    return text(Array(screens.joined(separator: [""])))
  }

  /// Ports side by side that are free and of which nothing else is to be said share one screen.
  private static func runs(
    _ targets: [TargetReport], _ headline: (TargetReport) -> TargetHeadline
  ) -> [(first: TargetReport, last: Port?)] {
    var runs: [(first: TargetReport, last: Port?)] = []
    for target in targets {
      if let run = runs.last, UInt32((run.last ?? run.first.port).rawValue) + 1 == UInt32(target.port.rawValue),
        run.first.transport == target.transport, saysTheSame(run.first, target, headline)
      {
        runs[runs.count - 1].last = target.port
      } else {
        runs.append((target, nil))
      }
    }
    return runs
  }

  private static func saysTheSame(
    _ first: TargetReport, _ second: TargetReport, _ headline: (TargetReport) -> TargetHeadline
  ) -> Bool {
    let (one, other) = (headline(first), headline(second))
    return one.isFree && other.isFree && one.lines[1] == other.lines[1] && first.notes == second.notes
      && first.attempts.map(\.explanation.notes) == second.attempts.map(\.explanation.notes)
  }

  /// The overview: a line for each protocol and port in use.
  package static func renderOverview(_ report: Report, style: ScreenStyle) -> String {
    text(OverviewTable(report: report, style: style).lines())
  }

  private static func text(_ lines: [String]) -> String {
    lines.joined(separator: "\n") + "\n"
  }
}

extension Report {
  /// The answer as a person reads it: what `portwhy` prints, without colour.
  public var text: String { Screen.render(self, style: ScreenStyle()) }

  /// The answer as `portwhy --json` prints it, schema `portwhy.report/1`; users have no names in it.
  public var json: String { JSONReport.render(self) }
}

extension BindFailure {
  /// The explanation as a person reads it: what `portwhy` prints, at most a screen, without colour.
  public var text: String { report.text }

  /// In another style: wider, with user names, or with everything that is known.
  package func text(style: ScreenStyle) -> String { Screen.render(report, style: style) }
}

/// The answer for one port: two lines of headline, the sockets, then the sections `why`, `bind`, `gets`, `note` and `do`.
struct TargetScreen {
  var target: TargetReport
  /// The last of a row of ports that nobody uses; nil for one port.
  var last: Port?
  var host: HostFacts
  var visibility: Visibility
  /// When the sockets were looked at, in seconds since the epoch.
  var now: Double = 0
  var style: ScreenStyle

  func lines() -> [String] {
    let headline = TargetHeadline(
      target: target, through: last, host: host, visibility: visibility, at: now, style: style)
    var lines = headline.lines.filter { !$0.isEmpty }.enumerated().flatMap { offset, text in
      TerminalText.wrapped(TerminalText.words(text), columns: style.width - 2).enumerated().map { number, line in
        let line = (number == 0 ? "" : "  ") + line
        return offset == 0 ? style.paint(line, headline.ink) : line
      }
    }
    let table = SocketTable(target: target, host: host, style: style).lines()
    lines += table.isEmpty ? [] : [""] + table + [""]
    lines += why() + (headline.isFree ? [] : bind()) + gets()
    lines += style.verbose ? VerboseSections(screen: self).lines() : []
    if target.attempts.contains(where: { !$0.foreign.isEmpty }) { lines += foreign() }
    return lines + notes() + suggestions() + more()
  }

  // MARK: Sections

  private func why() -> [String] {
    merged { $0.explanation.why }.enumerated().flatMap { offset, entry in
      // A sentence that names its address needs no other word for it.
      let name = entry.prefix.count == 1 ? entry.prefix[0].dropLast() : ""
      let isNamed = !name.isEmpty && entry.value[...].place(of: String(name)) != nil
      return section(offset == 0 ? "why" : "", (isNamed ? [] : entry.prefix) + TerminalText.words(entry.value))
    }
  }

  /// Who gets the traffic where the planned socket shares the port.
  private func gets() -> [String] {
    merged { $0.explanation.deliveries.map(\.text) }.enumerated().flatMap { offset, entry in
      section(offset == 0 ? "gets" : "", entry.prefix + TerminalText.words(entry.value))
    }
  }

  private func notes() -> [String] {
    let own = target.notes.map { (prefix: [String](), value: $0) }
    // That a holder is hidden, its OWNER says; only where nobody hinders the look does the note tell more.
    let saysHidden = visibility.reasons.contains(.noHolder)
    let ofAttempts = merged { $0.explanation.notes.filter { $0.kind != .hiddenOwner || saysHidden } }.filter {
      entry in !own.contains { $0.value == entry.value }
    }
    return (own + ofAttempts).enumerated().flatMap { offset, entry in
      section(offset == 0 ? "note" : "", entry.prefix + TerminalText.words(entry.value.text))
    }
  }

  /// One list for the whole port; an address stands before what helps that one alone.
  private func suggestions() -> [String] {
    let advice = Advice(target)
    return (style.verbose ? advice.entries : advice.best).enumerated().flatMap { offset, entry in
      let prefix = entry.isComplete ? [] : ("for " + addresses(entry.attempts) + ":").words
      return section(offset == 0 ? "do" : "or", prefix + words(entry.suggestion))
    }
  }

  /// Where the long text is, of the first cause.
  private func more() -> [String] {
    guard let cause = target.attempts.lazy.compactMap(\.explanation.cause).first else { return [] }
    return section("more", ["portwhy --explain \(cause.rawValue)"])
  }

  /// `if CONDITION, TEXT: COMMAND`; the command is one word, so that no line break gets into it.
  private func words(_ suggestion: Suggestion) -> [String] {
    var words: [String] = []
    if case .conditional(let condition) = suggestion.certainty {
      words += TerminalText.words("if \(condition.rawValue),")
    }
    words += TerminalText.words(suggestion.text + (suggestion.command == nil ? "" : ":"))
    if let command = suggestion.command { words.append(TerminalText.escaped(command.text)) }
    return words
  }

  // MARK: The four combinations

  /// A line for the addresses that end alike, the combinations together that do; nothing where the error comes before
  /// the port, which no option changes.
  private func bind() -> [String] {
    let groups = attemptGroups(target).filter { group in group.contains { !$0.failsBeforeThePort } }
    return groups.enumerated().flatMap { offset, group -> [String] in
      guard let first = group.first else { return [] }
      let isOne = groups.count == 1 && group.count == target.attempts.count
      let prefix = isOne ? [] : [addresses(group) + ":"]
      let words = prefix + items(first)
      let isWide = words.contains { $0.utf8.count > style.width - Self.labelWidth }
      return section(
        offset == 0 ? "bind" : "", isWide ? words.flatMap(\.words) : words, separator: isWide ? " " : "   ")
    }
  }

  /// `no option, SO_REUSEPORT: EADDRINUSE`, `SO_REUSEADDR, both: ok`.
  private func items(_ attempt: AttemptReport) -> [String] {
    var items: [(labels: [String], result: String)] = []
    for options in ReuseOptions.combinations {
      let result = attempt.resultText(options)
      if let index = items.firstIndex(where: { $0.result == result }) {
        items[index].labels.append(options.label)
      } else {
        items.append(([options.label], result))
      }
    }
    return items.map { "\($0.labels.joined(separator: ", ")): \($0.result)" }
  }

  func addresses(_ group: [AttemptReport]) -> String {
    (group.map { addressText($0.attempt, host: host) }).listed(atMost: .max)
  }

  // MARK: Layout

  private static let labelWidth = 6

  private func label(_ name: String) -> String {
    let padded = TerminalText.padded(name, to: Self.labelWidth)
    return name.isEmpty ? padded : style.paint(padded, .bold)
  }

  /// A label and words that hang beside it; `separator` stands between words on one line.
  func section(_ name: String, _ words: [String], separator: String = " ") -> [String] {
    TerminalText.wrapped(words, columns: style.width - Self.labelWidth, separator: separator)
      .enumerated().map { label($0.offset == 0 ? name : "") + $0.element }
  }

  /// What attempts say, each thing once; what not all of them say has their addresses before it.
  private func merged<Value: Equatable>(
    _ values: (AttemptReport) -> [Value]
  ) -> [(prefix: [String], value: Value)] {
    var entries: [(attempts: [AttemptReport], value: Value)] = []
    for attempt in target.attempts {
      for value in values(attempt) {
        if let index = entries.firstIndex(where: { $0.value == value }) {
          // Two facts of one attempt may be said in the same words.
          if entries[index].attempts.last != attempt { entries[index].attempts.append(attempt) }
        } else {
          entries.append(([attempt], value))
        }
      }
    }
    return entries.map { entry in
      let isCommon = entry.attempts.count == target.attempts.count
      return (isCommon ? [] : (addresses(entry.attempts) + ":").words, entry.value)
    }
  }
}

extension AttemptReport {
  /// Whether every combination ends with one error that is no EADDRINUSE.
  fileprivate var failsBeforeThePort: Bool {
    let results = Set(outcomes.map(\.verdict))
    guard results.count == 1, case .fails(let errno)? = results.first else { return false }
    return errno != .addressInUse
  }
}

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
      isChainOrdered: target.isChainOrdered, wildcardMissesAddresses: target.wildcardMissesAddresses)
    let situations = target.attempts.map { report in
      Situation(
        attempt: report.attempt, outcomes: report.outcomes, planned: target.plan.options, snapshot: snapshot,
        runtime: target.plan.runtime)
    }
    words = Headline(
      target.port, through: last, target.transport, situations,
      at: now, address: { addressText($0, host: host) }, user: { style.user($0) })
    if let ours = target.ours, ours.decides { words.ours = ours.matched }
    words.ofCall = target.attempts.lazy.compactMap(\.explanation.ofCall).first
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

/// What there is to do for a whole port: what the attempts suggest, each thing once, the best first.
struct Advice {
  /// One thing to do, and the attempts that it helps.
  struct Entry {
    var suggestion: Suggestion
    var attempts: [AttemptReport]
    /// Whether it helps every attempt that needs help.
    var isComplete = false
  }

  /// As many as a person reads.
  static let shown = 4

  private(set) var entries: [Entry] = []

  init(_ target: TargetReport) {
    let needy = target.attempts.filter { attempt in
      !attempt.explanation.suggestions.isEmpty || attempt.outcome(target.plan.options)?.verdict != .ok
    }
    for attempt in needy {
      for suggestion in attempt.explanation.suggestions { add(suggestion, attempt) }
    }
    mergeHolders()
    for index in entries.indices { entries[index].isComplete = entries[index].attempts.count == needy.count }
    // What helps all comes before what helps one address alone; else the order of the attempts stays.
    entries = entries.filter(\.isComplete) + entries.filter { !$0.isComplete }
  }

  /// At most four, another port among them where there is one: it always works.
  var best: [Entry] {
    guard entries.count > Self.shown else { return entries }
    let first = entries.prefix(Self.shown)
    guard !first.contains(where: { $0.suggestion.kind == .otherPort }),
      let port = entries.first(where: { $0.suggestion.kind == .otherPort })
    else { return Array(first) }
    return first.dropLast() + [port]
  }

  private mutating func add(_ suggestion: Suggestion, _ attempt: AttemptReport) {
    guard let index = entries.firstIndex(where: { $0.suggestion.isSameFix(as: suggestion) }) else {
      entries.append(Entry(suggestion: suggestion, attempts: [attempt]))
      return
    }
    if !entries[index].attempts.contains(attempt) { entries[index].attempts.append(attempt) }
  }

  /// To end some of the holders is a part of ending all of them.
  private mutating func mergeHolders() {
    let all = entries
    entries.removeAll { entry in
      all.contains { entry.suggestion.isPart(of: $0.suggestion) }
    }
    for entry in all {
      for index in entries.indices where entry.suggestion.isPart(of: entries[index].suggestion) {
        for attempt in entry.attempts where !entries[index].attempts.contains(attempt) {
          entries[index].attempts.append(attempt)
        }
      }
    }
  }
}

extension Suggestion {
  /// The same thing to do, as it is said for two addresses.
  fileprivate func isSameFix(as other: Suggestion) -> Bool {
    guard word == other.word, optionWord == other.optionWord else { return false }
    switch kind {
    case .setOption, .setOptionThere, .otherSide, .wait, .otherAddress, .otherPort, .lookAsRoot, .probe:
      return true
    default: return command == other.command && (command != nil || text == other.text)
    }
  }

  fileprivate func isPart(of other: Suggestion) -> Bool {
    guard kind == .stopHolder, other.kind == .stopHolder, let own = command?.argv, let all = other.command?.argv
    else { return false }
    return Set(own).isStrictSubset(of: all)
  }
}
