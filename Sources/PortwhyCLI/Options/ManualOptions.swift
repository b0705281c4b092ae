internal import Explanation

/// What of the manual page is about options, in mdoc(7).
enum ManualOptions {
  /// The lines of the first forms of SYNOPSIS, after the name: with TARGET, and with COMMAND where an option is for that.
  static func synopsis(_ table: OptionTable = .portwhy) -> String {
    let looking = table.rows.filter { $0.contexts != .command }
    let running = table.rows.filter { $0.contexts.contains(.command) }
    let ofCommand = [".Nm"] + options(running) + [".Fl -", ".Ar COMMAND", ".Op Ar ARGUMENT ..."]
    let lines = options(looking) + [".Op Ar TARGET"] + (running.isEmpty ? [] : ofCommand)
    return lines.map { $0 + "\n" }.joined()
  }

  private static func options(_ rows: [OptionRow]) -> [String] {
    let letters = rows.filter { $0.value == .none }.compactMap { $0.letter.map { String($0) } }.joined()
    var lines = letters.isEmpty ? [] : [".Op Fl \(letters)"]
    for row in rows where row.needs == nil && (row.letter == nil || row.value != .none) {
      if case .operand = row.value { continue }
      if let opposite = row.opposite, opposite.rawValue < row.option.rawValue { continue }
      let opposite =
        rows.first { $0.option == row.opposite }.map { " | " + flag($0, $0.names.last ?? "") } ?? ""
      let dependent = rows.filter { $0.needs == row.option }.map { " Op " + flag($0, $0.names.last ?? "") }
      lines.append(".Op " + flag(row, row.names.last ?? "") + opposite + dependent.joined())
    }
    return lines
  }

  /// OPTIONS below its title.
  static func options(_ table: OptionTable = .portwhy) -> String {
    let addingUp = table.rows.filter(\.isRepeatable).compactMap(\.names.last)
    let repeated =
      addingUp.isEmpty
      ? "The last one of a repeated option counts.\n"
      : "The last one of a repeated option counts;\n"
        + addingUp.map { ".Fl \($0.dropFirst())\n" }.joined(separator: "and\n")
        + "add up.\n"
    return repeated
      + table.sections.map { section in
        ".Ss \(section.title)\n.Bl -tag -width Ds\n" + section.rows.map(item).joined() + ".El\n"
      }.joined()
  }

  private static func item(_ row: OptionRow) -> String {
    let names = row.names.map { flag(row, $0) }.joined(separator: " , ")
    return ".It \(names)\n" + row.manual.split(separator: "\n").map(line).joined()
  }

  private static func line(_ line: Substring) -> String {
    line == #".\" NAMES"# ? enumeration(Runtime.catalogue.map(\.name).sorted()) : line + "\n"
  }

  private static func enumeration(_ names: [String]) -> String {
    names.enumerated().map { place, name in
      switch names.count - place {
      case 1: ".Ql \(name) .\n"
      case 2: ".Ql \(name) ,\nand\n"
      default: ".Ql \(name) ,\n"
      }
    }.joined()
  }

  /// `Fl -uid Ar UID` for this name of an option.
  private static func flag(_ row: OptionRow, _ name: String) -> String {
    let flag = "Fl \(name.dropFirst())"
    return switch row.value {
    case .none: flag
    case .required(let metavar, _): "\(flag) Ar \(words(metavar))"
    // A letter has its value in the same word, without `=`.
    case .optional(let metavar, _):
      name.hasPrefix("--") ? "\(flag) Ns Oo = Ns Ar \(words(metavar)) Oc" : "\(flag) Ns Op Ar \(words(metavar))"
    case .operand(let metavar, _): "\(flag) Op Ar \(words(metavar))"
    }
  }

  /// `PID | NAME | PATH`.
  private static func words(_ metavar: String) -> String {
    metavar.split(separator: "|").joined(separator: " | ")
  }
}
