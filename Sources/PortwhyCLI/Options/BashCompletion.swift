/// completions/portwhy.bash.
enum BashCompletion {
  static func script(_ table: OptionTable = .portwhy) -> String {
    // Words that stand after an option are its value, or in `=`, or are the operand of the command line.
    let valued = names(table.rows.filter(\.value.takesNextWord))
    let inWordOnly = names(
      table.rows.filter { if case .optional = $0.value { true } else { false } })
    return #"""
      # bash completion for portwhy. Needs neither bash-completion nor any setting of COMP_WORDBREAKS.
      # Written by `make generate` from Sources/PortwhyCLI/Options.

      # What the program knows itself: candidates, one a line, without their descriptions. Silent whatever happens.
      _portwhy_ask() {
          local command=$1 line
          shift
          case $command in
          "~/"*) command=$HOME/${command:2} ;;
          esac
          while IFS= read -r line; do
              printf '%s\n' "${line%%$'\t'*}"
          done < <("$command" ---complete "$@" 2>/dev/null)
      }

      _portwhy() {
          # The words as they were typed: bash itself would break them at = and : too.
          local line=${COMP_LINE:0:COMP_POINT}
          local -a words
          read -ra words <<<"$line"
          [[ $line == *[[:space:]] ]] && words+=("")
          local count=${#words[@]}
          ((count > 1)) || return 0
          local typed=${words[count - 1]} previous=${words[count - 2]}
          # What bash will replace is the end of the word; what stands before it must not come again.
          local replaced=$2
          [[ $replaced == [=:] ]] && replaced=
          local kept=${typed%"$replaced"}

          # A value may follow its option in the same word.
          local value=$typed
          if [[ $typed == --*=* ]]; then
              previous=${typed%%=*}
              value=${typed#*=}
      \#(inWordOnly.isEmpty ? "" : inWordCase(inWordOnly))    fi
          value=${value#[\'\"]}
          value=${value//\\/}
          local stem=${typed%"$value"}

          local -a earlier=("${words[@]:1:count-2}")
          local word target= explains= skip=
          for word in "${earlier[@]}"; do
              if [[ $skip ]]; then
                  skip=
                  continue
              fi
              case $word in
              --)
                  _portwhy_command "$1" "$2"
                  return 0
                  ;;
              --explain) explains=yes ;;
              \#(valued.joined(separator: " | "))) skip=yes ;;
              -*) ;;
              *) target=yes ;;
              esac
          done

          local -a found=()
          case $previous in
      \#(table.rows.map(valueCase).joined())    *)
              if [[ $typed == -* ]]; then
                  mapfile -t found < <(compgen -W "\#(optionWords(table))" -- "$typed")
                  stem=
              elif [[ $explains && ! $target ]]; then
                  mapfile -t found < <(_portwhy_ask "$1" topics "$value")
              elif [[ ! $target ]]; then
                  mapfile -t found < <(_portwhy_ask "$1" targets "$value" "${earlier[@]}")
                  # These stand for what follows the last comma or colon.
                  stem=${typed%"${value##*[,:]}"}
              fi
              ;;
          esac
          COMPREPLY=()
          for word in "${found[@]}"; do
              word=$stem$word
              COMPREPLY+=("${word#"$kept"}")
          done
          # An address wants a port after it, not a blank.
          [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace 2>/dev/null
          return 0
      }

      # After -- stands a command with words of its own: what bash offers for that, where bash-completion is there as if it
      # stood alone.
      _portwhy_command() {
          local first=1
          while ((first < COMP_CWORD)) && [[ ${COMP_WORDS[first]} != -- ]]; do ((first++)); done
          ((first++))
          if declare -F _comp_command_offset >/dev/null; then
              _comp_command_offset "$first"
          elif declare -F _command_offset >/dev/null; then
              _command_offset "$first"
          else
              compopt -o filenames 2>/dev/null
              if ((COMP_CWORD == first)); then
                  mapfile -t COMPREPLY < <(compgen -c -- "$2" | sort -u)
              else
                  mapfile -t COMPREPLY < <(compgen -f -- "$2")
              fi
          fi
      }

      # The files that fit; only here may bash treat candidates as names of files.
      _portwhy_files() {
          compopt -o filenames 2>/dev/null
          mapfile -t found < <(compgen -f -- "$value")
      }

      complete -F _portwhy portwhy

      """#
  }

  private static func names(_ rows: [OptionRow]) -> [String] { rows.flatMap(\.names) }

  /// The word after such an option is none of its own.
  private static func inWordCase(_ names: [String]) -> String {
    """
        else
            case $previous in
            \(names.joined(separator: " | "))) previous= ;;
            esac

    """
  }

  /// All names, a section a line.
  private static func optionWords(_ table: OptionTable) -> String {
    table.sections.map { names($0.rows).joined(separator: " ") }
      .joined(separator: "\n" + String(repeating: " ", count: 16))
  }

  /// What is offered after this option.
  private static func valueCase(_ row: OptionRow) -> String {
    if row.value == .none { return "" }
    let head = "    \(row.names.joined(separator: " | ")))"
    switch row.value.completion {
    case .nothing: return "\(head) ;;\n"
    case .files: return "\(head) _portwhy_files ;;\n"
    case .words(let words):
      return "\(head) mapfile -t found < <(compgen -W \"\(words.joined(separator: " "))\" -- \"$value\") ;;\n"
    case .ask(.namespaces):
      return """
        \(head)
                # A word with a slash is a file.
                if [[ $value == */* ]]; then
                    _portwhy_files
                else
                    mapfile -t found < <(_portwhy_ask "$1" namespaces "$value")
                fi
                ;;

        """
    case .ask(let kind):
      return "\(head) mapfile -t found < <(_portwhy_ask \"$1\" \(kind.rawValue) \"$value\" \"${earlier[@]}\") ;;\n"
    }
  }
}
