import Explanation
internal import Linux

/// The options of a command line, by sections as --help and the manual page show them.
struct OptionTable: Sendable {
  let sections: [OptionSection]
  /// All rows, in order.
  let rows: [OptionRow]

  init(sections: [OptionSection]) {
    self.sections = sections
    rows = sections.flatMap(\.rows)
  }

  /// The options of portwhy. A new one is a case of `Option` and a row in its section
  /// (OptionRows.swift); `make generate` then writes the rest.
  static let portwhy = OptionTable(sections: [.plan, .looking, .pace, .output])

  /// The long option that was probably meant; nil where none is like it.
  func nearest(to unknown: String) -> String? {
    let typed = Array(unknown.utf8)
    // One letter in three may be wrong. A longer word is none of these, and would cost the square of its length.
    guard unknown.hasPrefix("--"), (6...32).contains(typed.count) else { return nil }
    let names = rows.compactMap { $0.long.map { "--" + $0 } }
    let longer = names.filter { $0.hasPrefix(unknown) }
    if let only = longer.first, longer.count == 1 { return only }
    let ranked = names.map { (name: $0, distance: editDistance(typed, Array($0.utf8))) }
    let best = ranked.min { $0.distance < $1.distance }
    return best.flatMap { $0.distance <= (typed.count - 2) / 3 ? $0.name : nil }
  }
}

/// Some options under one title.
struct OptionSection: Sendable {
  /// As the manual page writes it.
  let title: String
  let rows: [OptionRow]
}

/// The options of the command line, in the order of --help; `OptionTable` says everything about them.
enum Option: Int, CaseIterable, Hashable, Sendable {
  case tcp
  case udp
  case ipv4
  case ipv6
  case reuseaddr
  case reuseport
  case v6only
  case noV6only
  case runtime
  case device
  case uid
  case ours
  case system
  case capNetBind
  case netns
  case probe
  case deep
  case noBPF
  case wait
  case timeout
  case watch
  case interval
  case from
  case free
  case brief
  case json
  case quiet
  case verbose
  case numeric
  case color
  case output
  case explain
  case version
  case help
}

/// Everything there is to say about one option: the parser, --help, the manual page and the completions come from it.
struct OptionRow: Sendable {
  let option: Option
  /// The name after `--`; every option has this name or a letter.
  let long: String?
  /// The letter after `-`.
  let letter: Unicode.Scalar?
  let value: OptionValue
  /// Each occurrence counts; else the last one does.
  let isRepeatable: Bool
  /// Says the contrary: of the two the last one counts.
  let opposite: Option?
  /// Contradict it; written at one of the two.
  let excludes: [Option]
  /// Says nothing without this one.
  let needs: Option?
  /// Where it says something. Empty: it is answered alone, whatever stands beside it.
  let contexts: OptionContexts
  /// One line for --help and the completions: plain ASCII, no full stop.
  let help: String
  /// The text of the manual page, mdoc(7). A line `.\" NAMES` stands for the names of the runtimes.
  let manual: String

  init(
    _ option: Option, _ long: String? = nil, _ letter: Unicode.Scalar? = nil, _ value: OptionValue = .none,
    isRepeatable: Bool = false, opposite: Option? = nil, excludes: [Option] = [], needs: Option? = nil,
    in contexts: OptionContexts, help: String, manual: String
  ) {
    self.option = option
    self.long = long
    self.letter = letter
    self.value = value
    self.isRepeatable = isRepeatable
    self.opposite = opposite
    self.excludes = excludes
    self.needs = needs
    self.contexts = contexts
    self.help = help
    self.manual = manual
  }

  /// As it is typed, in all its ways: `-t` and `--tcp`.
  var names: [String] {
    var names: [String] = []
    if let letter { names.append("-\(letter)") }
    if let long { names.append("--\(long)") }
    return names
  }

  /// As messages name it: the first of its names.
  var name: String {
    if let letter { return "-\(letter)" }
    return "--\(long ?? "")"
  }
}

/// Whether an option takes a value, and which.
enum OptionValue: Hashable, Sendable {
  case none
  /// In the next word or after `=`.
  case required(_ metavar: String, ValueCompletion)
  /// After `=` alone: the next word is none of its own.
  case optional(_ metavar: String, ValueCompletion)
  /// The operand of the command line is its value; after `=` it may stand as well.
  case operand(_ metavar: String, ValueCompletion)

  var completion: ValueCompletion {
    switch self {
    case .none: .nothing
    case .required(_, let completion), .optional(_, let completion), .operand(_, let completion): completion
    }
  }

  /// The word after the option is its value.
  var takesNextWord: Bool {
    if case .required = self { true } else { false }
  }
}

/// What a shell offers for a value.
enum ValueCompletion: Hashable, Sendable {
  /// Nothing: a number, which nobody can guess.
  case nothing
  /// One of these, and no other is accepted.
  case words([String])
  case files
  /// What the program knows.
  case ask(CompletionKind)
}

/// What completions ask the program for, in the word after `---complete`.
enum CompletionKind: String, CaseIterable, Sendable {
  /// The ports in use, as TARGET; also names of services.
  case targets
  case interfaces
  case namespaces
  case runtimes
  case topics
  case users
}

/// The kinds of command lines; an option says something in some of them.
struct OptionContexts: OptionSet, Hashable, Sendable {
  let rawValue: UInt8

  /// With TARGET.
  static let target = OptionContexts(rawValue: 1)
  /// Without TARGET.
  static let overview = OptionContexts(rawValue: 2)
  /// Without TARGET and with `--from`: the binds are those of the report.
  static let saved = OptionContexts(rawValue: 4)
  /// With `--explain`.
  static let explanation = OptionContexts(rawValue: 8)
  /// Before `-- COMMAND`.
  static let command = OptionContexts(rawValue: 16)

  /// What plans a bind, or is part of it.
  static let planning: OptionContexts = [.target, .saved]
  /// Every look, whatever it is at.
  static let looking: OptionContexts = [.target, .overview, .saved]
}

extension OptionTable {
  /// Refuses, in one line, what cannot stand together or says nothing where it stands: silence would look like an
  /// answer.
  func check(_ given: GivenOptions) throws(UsageError) {
    let present = rows.filter { given.has($0.option) }
    if present.contains(where: \.contexts.isEmpty) { return }
    if given.command == nil, given.asksForRuntimes {
      let others = present.filter { $0.option != .runtime && $0.option != .color }
      if let row = others.first { throw UsageError("\(row.name) says nothing beside --runtime list") }
      if let operand = given.operand { throw UsageError("unexpected argument \(Shown(operand))") }
      return
    }
    for row in present {
      guard case .words(let words) = row.value.completion, let value = given.value(row.option) else { continue }
      if !words.contains(value) {
        throw UsageError("\(row.name) \(Shown(value)) is none of \(words.joined(separator: ", "))")
      }
    }
    if let command = given.command { return try check(command, given, present) }
    if given.has(.explain) {
      if let row = present.first(where: { !$0.contexts.contains(.explanation) }) {
        throw UsageError("\(row.name) says nothing beside --explain")
      }
      return
    }
    for (place, row) in present.enumerated() {
      for other in present[(place + 1)...]
      where row.excludes.contains(other.option) || other.excludes.contains(row.option) {
        throw UsageError("\(row.name) and \(other.name) contradict each other")
      }
    }
    for row in present {
      if let needed = row.needs, !given.has(needed), let other = rows.first(where: { $0.option == needed }) {
        throw UsageError("\(row.name) needs \(other.name)")
      }
    }
    let context: OptionContexts = given.operand != nil ? .target : given.has(.from) ? .saved : .overview
    if let row = present.first(where: { !$0.contexts.contains(context) }) {
      throw UsageError("\(row.name) needs a \(row.contexts == .command ? "-- COMMAND" : "TARGET")")
    }
  }

  private func check(_ command: [String], _ given: GivenOptions, _ present: [OptionRow]) throws(UsageError) {
    if command.isEmpty { throw UsageError("nothing stands after --: a command is expected") }
    if let row = present.first(where: { !$0.contexts.contains(.command) }) {
      throw UsageError("\(row.name) says nothing beside -- COMMAND")
    }
    if let operand = given.operand { throw UsageError("\(Shown(operand)) says nothing beside -- COMMAND") }
  }
}

/// The words of a command line, taken apart by getopt_long(3).
///
/// The option string begins with `-:`: options and operands come in the order
/// typed, whatever POSIXLY_CORRECT says, and what is wrong is said here and not by the C library.
enum Getopt {
  enum Part: Hashable {
    case operand(String)
    /// The row with this number.
    case option(Int, value: String?)
    /// No such option; an abbreviation is none either. The word is that in which it stands.
    case unknown(_ option: String, word: String)
    case missingValue(Int)
    case unwantedValue(Int)
  }

  /// - Returns: the parts in the order typed, and the words after `--`; nil without `--`.
  static func parts(of words: [String], options rows: [OptionRow]) -> (parts: [Part], afterTerminator: [String]?) {
    let names = rows.map { row in row.long.map { (name: $0, argument: row.argument) } }
    let letters = rows.reduce(into: "-:") { $0 += $1.letters }
    var parts: [Part] = []
    // That of the next word to be looked at, or of the one with letters left.
    var place = 1
    for step in LongOptions.steps(of: words, names: names, letters: letters) {
      // Only `--` is skipped without a part.
      if step.code == -1 { return (parts, step.next > place ? Array(words[(step.next - 1)...]) : nil) }
      parts.append(part(step, word: words[place - 1], hasOwnWord: step.next == place + 2, rows))
      place = step.next
    }
    return (parts, nil)
  }

  /// - Parameter hasOwnWord: the value is the word after the option.
  private static func part(
    _ step: LongOptions.Step, word: String, hasOwnWord: Bool, _ rows: [OptionRow]
  ) -> Part {
    let value = step.value
    if step.code == 1 { return .operand(value ?? word) }
    let isMissing = step.code == Int32(UInt8(ascii: ":"))
    let isWrong = step.code == Int32(UInt8(ascii: "?"))
    let code = isMissing || isWrong ? step.option : step.code
    guard let number = row(code, rows), isWhole(word, code, rows[number]) else {
      return .unknown(unknownName(word, code), word: word)
    }
    if isWrong { return .unwantedValue(number) }
    // An option is no value: it was forgotten. After `=` it is one.
    if isMissing || hasOwnWord && isOption(value ?? "", rows) { return .missingValue(number) }
    return .option(number, value: value)
  }

  private static func row(_ code: Int32, _ rows: [OptionRow]) -> Int? {
    if code >= LongOptions.firstCode { return Int(code - LongOptions.firstCode) }
    return rows.firstIndex { $0.letter.map { Int32($0.value) } == code }
  }

  /// getopt_long(3) takes the beginning of a name for the whole.
  private static func isWhole(_ word: String, _ code: Int32, _ row: OptionRow) -> Bool {
    code < LongOptions.firstCode
      || word.utf8.prefix { $0 != UInt8(ascii: "=") }.dropFirst(2).elementsEqual((row.long ?? "").utf8)
  }

  /// `--name` without its value, or the letter with its dash.
  private static func unknownName(_ word: String, _ code: Int32) -> String {
    if word.hasPrefix("--") { return String(word.prefix { $0 != "=" }) }
    guard let letter = UInt8(exactly: code), (0x21...0x7e).contains(letter), letter != UInt8(ascii: "-") else {
      return word
    }
    return "-\(Unicode.Scalar(letter))"
  }

  private static func isOption(_ word: String, _ rows: [OptionRow]) -> Bool {
    guard word.hasPrefix("-") else { return false }
    return rows.contains { $0.names.contains(word) }
  }
}

extension OptionRow {
  fileprivate var argument: LongOptions.Argument {
    switch value {
    case .none: .none
    case .required: .required
    case .optional, .operand: .optional
    }
  }

  /// Its letter in the option string of getopt(3).
  fileprivate var letters: String {
    guard let letter else { return "" }
    return String(letter) + String(repeating: ":", count: Int(argument.rawValue))
  }
}
