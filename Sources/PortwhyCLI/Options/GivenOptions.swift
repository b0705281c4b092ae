internal import SocketModel

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
        if operand != nil {
          let hint = has(.from) ? "; --from takes one file: repeat it, or give a directory" : ""
          throw UsageError("unexpected argument \(Shown(word))\(hint)")
        }
        operand = word
      case .option(let number, let value): add(table.rows[number], value)
      case .unknown(let option, let word):
        let place = option.hasPrefix("--") || option == word ? "" : " in \(Shown(word))"
        throw UsageError("unknown option \(Shown(option, of: word))\(Shown.holdsSecret(word) ? "" : place)")
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
