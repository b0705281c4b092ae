/// What was typed, sorted by option but not yet understood: what it means is decided in `Invocation`.
struct GivenOptions: Hashable {
  /// TARGET, or TOPIC with `--explain`.
  private(set) var operand: String?
  /// What stands after `--`, the words of a command.
  private(set) var command: [String] = []
  /// The values of each option that was given, by its number; one that takes none has nil for each time.
  private var values = [[String?]](repeating: [], count: Option.allCases.count)

  /// Reads the words after the program's name.
  init(_ words: [String], table: OptionTable = .portwhy) throws(UsageError) {
    let (parts, command) = Getopt.parts(of: words, options: table.rows)
    for part in parts {
      switch part {
      case .operand(let word):
        if operand != nil { throw UsageError("unexpected argument \(Shown(word))") }
        operand = word
      case .option(let number, let value): add(table.rows[number], value)
      case .unknown(let option, let word):
        let place = option.hasPrefix("--") || option == word ? "" : " in \(Shown(word))"
        throw UsageError("unknown option \(Shown(option, of: word))\(Shown.holdsSecret(word) ? "" : place)")
      case .missingValue(let number): throw UsageError("\(table.rows[number].name) needs a value")
      case .unwantedValue(let number): throw UsageError("\(table.rows[number].name) takes no value")
      }
    }
    self.command = command ?? []
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
    if let opposite = row.opposite { values[opposite.rawValue] = [] }
    if row.isRepeatable {
      values[row.option.rawValue].append(value)
    } else {
      values[row.option.rawValue] = [value]
    }
  }

  func has(_ option: Option) -> Bool { !values[option.rawValue].isEmpty }

  /// The value that counts; nil where the option was not given, or without one.
  func value(_ option: Option) -> String? { values[option.rawValue].last.flatMap(\.self) }

  /// All values of a repeatable option.
  func values(_ option: Option) -> [String] { values[option.rawValue].compactMap(\.self) }
}
