/// completions/portwhy.fish.
enum FishCompletion {
  static func script(_ table: OptionTable = .portwhy) -> String {
    let valued = table.rows.filter(\.value.takesNextWord).flatMap(\.names)
    return #"""
      # fish completion for portwhy.
      # Written by `make generate` from Sources/PortwhyCLI/Options.

      # What the program knows itself, with descriptions after a tab: __portwhy_ask WHAT WORD [EARLIER WORDS…].
      # Silent whatever happens.
      function __portwhy_ask
          set -l words (commandline -opc)
          command -q $words[1]; or return
          command $words[1] ---complete $argv $words[2..] 2>/dev/null
      end

      # The word at the cursor without its quotes; of --option=VALUE the value.
      function __portwhy_word
          commandline -ct | string replace -r '^--[a-z0-9-]+=' '' | string replace -ra '[\\\\\'"]' ''
      end

      # The ports in use, for what follows the last comma or colon.
      function __portwhy_targets
          set -l word (__portwhy_word)
          set -l head (string replace -r '[^,:]*$' '' -- "$word")
          for line in (__portwhy_ask targets "$word")
              echo -- $head$line
          end
      end

      # A word with a slash is a file.
      function __portwhy_namespaces
          set -l word (__portwhy_word)
          if string match -q -- '*/*' "$word"
              __fish_complete_path "$word"
          else
              __portwhy_ask namespaces "$word"
          end
      end

      # After -- stands a command with words of its own: what fish offers for that.
      function __portwhy_runs
          contains -- -- (commandline -opc)
      end

      function __portwhy_command
          set -l words (commandline -opc)
          set -l end (contains -i -- -- $words); or return
          set -e words[1..$end]
          complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
      end

      function __portwhy_explains
          contains -- --explain (commandline -opc)
      end

      # A word that is no option, where none has been given yet.
      function __portwhy_wants_word
          set -l skip no
          for word in (commandline -opc)[2..]
              if test $skip = yes
                  set skip no
                  continue
              end
              switch $word
                  case \#(valued.joined(separator: " "))
                      set skip yes
                  case --
                      return 1
                  case '-*'
                  case '*'
                      return 1
              end
          end
          not string match -q -- '-*' (commandline -ct)
      end

      complete -c portwhy -f
      complete -c portwhy -k -n __portwhy_runs -a '(__portwhy_command)'
      \#(table.rows.map(line).joined())\#
      complete -c portwhy -k -n '__portwhy_wants_word; and __portwhy_explains' -a '(__portwhy_ask topics (__portwhy_word))'
      complete -c portwhy -k -n '__portwhy_wants_word; and not __portwhy_explains' -a '(__portwhy_targets)'

      """#
  }

  private static func line(_ row: OptionRow) -> String {
    var words = "complete -c portwhy"
    if let letter = row.letter { words += " -s \(letter)" }
    if let long = row.long { words += " -l \(long)" }
    return words + value(row) + " -d '\(escaped(row.help))'\n"
  }

  private static func value(_ row: OptionRow) -> String {
    // Without -r the next word is completed as if the option did not stand there: its value is in `=` or is the operand.
    let required = row.value.takesNextWord
    switch row.value.completion {
    case .nothing: return required ? " -x" : ""
    case .files: return required ? " -r -F" : " -F"
    case .words(let words): return "\(required ? " -x" : "") -a '\(words.joined(separator: " "))'"
    case .ask(.namespaces): return "\(required ? " -x" : "") -k -a '(__portwhy_namespaces)'"
    case .ask(let kind): return "\(required ? " -x" : "") -k -a '(__portwhy_ask \(kind.rawValue) (__portwhy_word))'"
    }
  }

  /// Between single quotes.
  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      if scalar == "'" || scalar == "\\" { result += "\\" }
      result.unicodeScalars.append(scalar)
    }
  }
}
