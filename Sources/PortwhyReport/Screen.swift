internal import BindRules
internal import Explanation
public import Answers
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
    let screens = report.targets.map { target in
      TargetScreen(target: target, host: report.host, visibility: report.visibility, style: style).lines()
    }
    return text(Array(screens.joined(separator: [""])))
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

/// The answer for one port: headline, sockets, then the sections `why`, `bind`, `gets`, `note` and `do`.
struct TargetScreen {
  var target: TargetReport
  var host: HostFacts
  var visibility: Visibility
  var style: ScreenStyle

  func lines() -> [String] {
    let headline = Headline(target: target, host: host, visibility: visibility, style: style)
    var lines = TerminalText.wrapped(
      headline.text.words, columns: style.width - 2
    ).enumerated().map { style.paint(($0.offset == 0 ? "" : "  ") + $0.element, headline.ink) }
    let table = SocketTable(target: target, host: host, style: style).lines()
    lines += table.isEmpty ? [] : [""] + table + [""]
    lines += why() + bind() + gets() + (style.verbose ? VerboseSections(screen: self).lines() : [])
    return lines + foreign() + notes() + suggestions() + more()
  }

  // MARK: Sections

  private func why() -> [String] {
    merged { $0.explanation.why }.enumerated().flatMap { offset, entry in
      section(offset == 0 ? "why" : "", entry.prefix + TerminalText.words(entry.value))
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

  private func suggestions() -> [String] {
    merged { $0.explanation.suggestions }.enumerated().flatMap { offset, entry in
      section(offset == 0 ? "do" : "or", entry.prefix + words(entry.value))
    }
  }

  /// Where the long text of each cause is.
  private func more() -> [String] {
    let causes = merged { [$0.explanation.cause].compactMap { $0 } }.map(\.value.rawValue)
    return causes.isEmpty ? [] : section("more", ["portwhy --explain " + causes.listed(atMost: .max, "or")])
  }

  /// `if CONDITION: TEXT: COMMAND`; the command is one word, so that no line break gets into it.
  private func words(_ suggestion: Suggestion) -> [String] {
    var words: [String] = []
    if case .conditional(let condition) = suggestion.certainty {
      words += TerminalText.words("if \(condition.rawValue):")
    }
    words += TerminalText.words(suggestion.text + (suggestion.command == nil ? "" : ":"))
    if let command = suggestion.command { words.append(TerminalText.escaped(command.text)) }
    return words
  }

  // MARK: The four combinations

  /// On one line where that is enough, else as a table, else as wrapped lines.
  private func bind() -> [String] {
    let groups = attemptGroups(target)
    guard let first = groups.first?.first else { return [] }
    let line = section("bind", items(first), separator: "   ")
    if groups.count == 1 && line.count == 1 { return line }
    let table = combinationTable(groups)
    if table.allSatisfy({ TerminalText.width($0) <= style.width - Self.labelWidth }) {
      return table.enumerated().map { label($0.offset == 0 ? "bind" : "") + $0.element }
    }
    if groups.count == 1 { return line }
    return groups.enumerated().flatMap { offset, group in
      section(offset == 0 ? "bind" : "", (addresses(group) + ":").words)
        + (group.first.map { section("", items($0), separator: "   ") } ?? [])
    }
  }

  /// `none: EADDRINUSE`, `SO_REUSEADDR: ok`, …
  private func items(_ attempt: AttemptReport) -> [String] {
    ReuseOptions.combinations.map { options in
      options.label + ": " + attempt.resultText(options)
    }
  }

  private func combinationTable(_ groups: [[AttemptReport]]) -> [String] {
    let isOne = groups.count == 1
    let labels = ReuseOptions.combinations.map(\.label)
    var table = TextTable(header: (isOne ? [] : [""]) + labels, rows: [], indent: 0)
    for group in groups {
      let results = ReuseOptions.combinations.map { group.first?.resultText($0) ?? "" }
      table.rows.append(.init((isOne ? [] : [addresses(group)]) + results))
    }
    return table.lines(width: .max)
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
          entries[index].attempts.append(attempt)
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
