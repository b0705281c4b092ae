internal import Explanation
internal import PortwhyReport

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

/// What `--help` prints, within 80 columns.
enum HelpScreen {
  static func text(_ table: OptionTable = .portwhy) -> String {
    ([introduction] + table.sections.map(section) + [exitStatus]).joined(separator: "\n")
  }

  private static func section(_ section: OptionSection) -> String {
    let title = section.title.prefix(1).lowercased() + section.title.dropFirst()
    return "  \(title):\n" + section.rows.flatMap(lines).map { $0 + "\n" }.joined()
  }

  /// Names to this column, and texts from there on; longer names stand on a line of their own.
  private static let column = 24

  private static func lines(_ row: OptionRow) -> [String] {
    let names = "    " + row.usage
    let blanks = String(repeating: " ", count: column)
    let texts = TerminalText.wrapped(row.help.words, columns: 79 - column)
    if names.utf8.count + 2 > column { return [names] + texts.map { blanks + $0 } }
    let first = names + String(repeating: " ", count: column - names.utf8.count)
    return texts.enumerated().map { $0.offset == 0 ? first + $0.element : blanks + $0.element }
  }

  private static let introduction = """
    usage: portwhy [OPTIONS] [TARGET]
           portwhy [-nv] [--json] [--no-bpf] [--color WHEN] [-o FILE] -- COMMAND…
           portwhy --explain [TOPIC]

    Says whether a bind() and a listen() on TARGET would work, with which socket
    options, and if not, which sockets and whose are in the way.
    Without TARGET: every port in use. It only looks, and changes nothing.
    With COMMAND: runs it, and explains the bind() or listen() of it that fails,
    at the moment it fails.

    TARGET: items separated by commas, each [ADDRESS:]PORTS[/tcp|/udp], or a URL
      PORTS           8080, 8000-8010, or a service name such as http
      ADDRESS         127.0.0.1, [::1], [fe80::1%eth0], localhost, * (the default:
                      0.0.0.0 and ::)

    """

  private static let exitStatus = """
    exit status:
      0   every attempt works, bind and listen, with the planned options
      1   at least one fails
      2   none fails, but one is undetermined
      64  the command line is wrong, or every report of --from
      69  the kernel interface is missing
      70  an internal error, or the answer could not be written
      77  not permitted
      With COMMAND: its own; 125 it cannot be watched, 126 not run, 127 not found

    """
}

extension OptionRow {
  /// `-q, --quiet`, `--uid UID`, `--free[=N]`.
  var usage: String {
    let names = names.joined(separator: ", ")
    return switch value {
    case .none: names
    case .required(let metavar, _): "\(names) \(metavar)"
    case .optional(let metavar, _): "\(names)[=\(metavar)]"
    case .operand(let metavar, _): "\(names) [\(metavar)]"
    }
  }
}
