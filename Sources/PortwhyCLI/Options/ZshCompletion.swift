/// completions/_portwhy.
enum ZshCompletion {
  static func script(_ table: OptionTable = .portwhy) -> String {
    let kinds = CompletionKind.allCases.filter { $0 != .targets && $0 != .namespaces }
    return #"""
      #compdef portwhy
      # zsh completion for portwhy.
      # Written by `make generate` from Sources/PortwhyCLI/Options.

      # What the program knows itself, with descriptions: _portwhy_ask TAG WHAT WORD [EARLIER WORDS…].
      # Silent whatever happens; the order is the program's own.
      _portwhy_ask() {
        local tag=$1 line entry
        local -a entries open
        for line in ${(f)"$(command ${~words[1]} ---complete ${@:2} 2>/dev/null)"}; do
          entry=${${line%%$'\t'*}//:/\\:}
          [[ $line == *$'\t'* ]] && entry+=:${line#*$'\t'}
          # An address wants a port after it, not a blank.
          if [[ $line == *:$'\t'* ]]; then
            open+=($entry)
          else
            entries+=($entry)
          fi
        done
        (( $#entries + $#open )) || return 1
        _describe -V -t $tag ${tag//-/ } entries -r ',/ ' -- open -S ''
      }

      # The ports in use, for what follows the last comma or colon.
      _portwhy_targets() {
        local typed=${(Q)PREFIX} head=${PREFIX%${PREFIX##*[,:]}}
        compset -p ${#head}
        _portwhy_ask ports-in-use targets "$typed" "${(@Q)words[2,CURRENT-1]}"
      }

      \#(kinds.map(function).joined())# A word with a slash is a file.
      _portwhy_namespaces() {
        if [[ $PREFIX == */* ]]; then
          _files
        else
          _portwhy_ask namespaces namespaces "${(Q)PREFIX}"
        fi
      }

      # TARGET, or TOPIC after --explain.
      _portwhy_word() {
        if (( ${words[(I)--explain*]} )); then
          _portwhy_topics
        else
          _portwhy_targets
        fi
      }

      # After -- stands a command with words of its own.
      local -i end=${words[2,CURRENT-1][(i)--]}
      if (( end < CURRENT - 1 )); then
        shift $(( end + 1 )) words
        (( CURRENT -= end + 1 ))
        _normal
        return
      fi

      _arguments -s -S : \
      \#(table.rows.map { specification($0, table) }.joined())  '1:target:_portwhy_word'

      """#
  }

  private static func function(_ kind: CompletionKind) -> String {
    """
    _portwhy_\(kind.rawValue)() {
      _portwhy_ask \(kind.rawValue) \(kind.rawValue) "${(Q)PREFIX}" "${(@Q)words[2,CURRENT-1]}"
    }


    """
  }

  /// The line of _arguments for one option.
  private static func specification(_ row: OptionRow, _ table: OptionTable) -> String {
    let text = "[\(escaped(row.help))]\(action(row))"
    let exclusions = exclusions(row, table)
    let list = exclusions.isEmpty ? "" : "(\(exclusions.joined(separator: " ")))"
    let repeats = row.isRepeatable ? "*" : ""
    let names = row.names.map { $0 + mark(row, $0) }
    if names.count == 1 { return "  '\(list)\(repeats)\(names[0])\(text)' \\\n" }
    return "  '\(list)\(repeats)'{\(names.joined(separator: ","))}'\(text)' \\\n"
  }

  /// What is not offered any more where this option stands. Once given, zsh itself does not offer a name again.
  private static func exclusions(_ row: OptionRow, _ table: OptionTable) -> [String] {
    if row.contexts.isEmpty { return ["-", "*"] }
    let excluded = table.excluded(by: row) + table.rows.filter { row.opposite == $0.option }
    let useless = table.rows.filter { other in excluded.contains { other.needs == $0.option } }
    // What needs another stands for it.
    let byNeed = table.rows.first { $0.option == row.needs }.map { needed in
      table.rows.filter { other in
        let barred = table.excluded(by: needed)
        return barred.contains { $0.option == other.option || $0.option == other.needs }
      }
    }
    let all = excluded + useless + (byNeed ?? [])
    let others = table.rows.filter { other in all.contains { $0.option == other.option } }.flatMap(\.names)
    let own = row.isRepeatable || row.names.count + others.count == 1 ? [] : row.names
    return own + others
  }

  /// How zsh is told where the value stands.
  private static func mark(_ row: OptionRow, _ name: String) -> String {
    switch row.value {
    case .none: ""
    case .required: name.hasPrefix("--") ? "=" : "+"
    case .optional, .operand: name.hasPrefix("--") ? "=-" : "-"
    }
  }

  private static func action(_ row: OptionRow) -> String {
    let colons: String
    switch row.value {
    case .none: return ""
    case .required: colons = ":"
    case .optional, .operand: colons = "::"
    }
    switch row.value.completion {
    case .nothing: return "\(colons)\((row.value.metavar ?? "").lowercased()):"
    case .files: return "\(colons)file:_files"
    case .words(let words):
      return "\(colons)\((row.value.metavar ?? "").lowercased()):(\(words.joined(separator: " ")))"
    case .ask(let kind): return "\(colons)\(kind.rawValue):_portwhy_\(kind.rawValue)"
    }
  }

  /// In brackets, between single quotes.
  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      switch scalar {
      case "'": result += "'\\''"
      case "[", "]", ":", "\\": result += "\\\(scalar)"
      default: result.unicodeScalars.append(scalar)
      }
    }
  }
}

extension OptionTable {
  /// Both ways: what a row excludes, excludes it.
  func excluded(by row: OptionRow) -> [OptionRow] {
    rows.filter { row.excludes.contains($0.option) || $0.excludes.contains(row.option) }
  }
}

extension OptionValue {
  var metavar: String? {
    switch self {
    case .none: nil
    case .required(let metavar, _), .optional(let metavar, _), .operand(let metavar, _): metavar
    }
  }
}
