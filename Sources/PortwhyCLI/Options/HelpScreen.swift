internal import PortwhyReport

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
