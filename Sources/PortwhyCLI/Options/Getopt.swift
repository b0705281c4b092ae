internal import Linux
internal import SocketModel

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

/// What was typed, sorted by option but not yet understood: what it means is decided in `Invocation`.
struct GivenOptions: Hashable {
  /// TARGET, or TOPIC with `--explain`.
  private(set) var operand: String?
  /// What stands after `--`, the words of a command; nil without `--`.
  private(set) var command: [String]?
  /// A bit for each option that was given, by its number.
  private var present: UInt64 = 0
  /// What stood with those that can have a value, in the order typed.
  private var values: [Value] = []

  private struct Value: Hashable {
    var option: Option
    /// Nil where an optional one was left out.
    var text: String?
  }

  /// Reads the words after the program's name.
  init(_ words: [String], table: OptionTable = .portwhy) throws(UsageError) {
    let (parts, command) = Getopt.parts(of: words, options: table.rows)
    for part in parts {
      switch part {
      case .operand(let word):
        // The value of --free stands after = alone, and people write it as the next word.
        if let number = operand, number.isDecimal, has(.free), value(.free) == nil {
          throw UsageError("the number of --free is given with =: --free=\(number) \(Shown(word).text)")
        }
        if let first = operand {
          let hint =
            has(.from)
            ? "; --from takes one file: repeat it, or give a directory"
            : first.isDecimal && word.isDecimal ? "; type several ports with commas: \(first),\(word)" : ""
          throw UsageError("unexpected argument \(Shown(word))\(hint)")
        }
        operand = word
      case .option(let number, let value): add(table.rows[number], value)
      case .unknown(let option, let word):
        let place = option.hasPrefix("--") || option == word ? "" : " in \(Shown(word))"
        throw UsageError(
          "unknown option \(Shown(option, of: word))\(Shown.holdsSecret(word) ? "" : place)"
            + (table.nearest(to: option).map { "; is it \($0)?" } ?? "; --help lists them all"))
      case .missingValue(let number): throw UsageError("\(table.rows[number].name) needs a value")
      case .unwantedValue(let number): throw UsageError("\(table.rows[number].name) takes no value")
      }
    }
    self.command = command
  }

  /// Takes what is right and leaves out the rest: for a command line that is being typed.
  init(halfTyped words: [String], table: OptionTable = .portwhy) {
    for part in Getopt.parts(of: words, options: table.rows).parts {
      switch part {
      case .operand(let word): operand = operand ?? word
      case .option(let number, let value): add(table.rows[number], value)
      case .unknown, .missingValue, .unwantedValue: break
      }
    }
  }

  private mutating func add(_ row: OptionRow, _ value: String?) {
    if let opposite = row.opposite { present &= ~opposite.bit }
    present |= row.option.bit
    if row.value != .none { values.append(Value(option: row.option, text: value)) }
  }

  /// Whether the list of runtimes is asked for.
  var asksForRuntimes: Bool { value(.runtime) == "list" }

  func has(_ option: Option) -> Bool { present & option.bit != 0 }

  /// The value that counts, the last one; nil where the option was not given, or without one.
  func value(_ option: Option) -> String? { values.last { $0.option == option }?.text }

  /// All values of a repeatable option.
  func values(_ option: Option) -> [String] { values.compactMap { $0.option == option ? $0.text : nil } }
}

extension Option {
  /// Of 64; a test counts the options.
  fileprivate var bit: UInt64 { 1 << UInt64(rawValue) }
}
