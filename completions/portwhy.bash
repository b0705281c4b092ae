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
    else
        case $previous in
        --free) previous= ;;
        esac
    fi
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
        --runtime | --device | --uid | --ours | --as | --netns | --timeout | --interval | --from | --color | -o) skip=yes ;;
        -*) ;;
        *) target=yes ;;
        esac
    done

    local -a found=()
    case $previous in
    --runtime) mapfile -t found < <(_portwhy_ask "$1" runtimes "$value" "${earlier[@]}") ;;
    --device) mapfile -t found < <(_portwhy_ask "$1" interfaces "$value" "${earlier[@]}") ;;
    --uid) mapfile -t found < <(_portwhy_ask "$1" users "$value" "${earlier[@]}") ;;
    --ours) ;;
    --as) mapfile -t found < <(compgen -W "freebsd macos" -- "$value") ;;
    --netns)
        # A word with a slash is a file.
        if [[ $value == */* ]]; then
            _portwhy_files
        else
            mapfile -t found < <(_portwhy_ask "$1" namespaces "$value")
        fi
        ;;
    --timeout) ;;
    --interval) ;;
    --from) _portwhy_files ;;
    --free) ;;
    --color) mapfile -t found < <(compgen -W "auto always never" -- "$value") ;;
    -o) _portwhy_files ;;
    --explain) mapfile -t found < <(_portwhy_ask "$1" topics "$value" "${earlier[@]}") ;;
    *)
        if [[ $typed == -* ]]; then
            mapfile -t found < <(compgen -W "-t --tcp -u --udp -4 -6 --reuseaddr --reuseport --v6only --no-v6only --runtime --device --uid --ours --as --cap-net-bind --netns --probe
                --deep --no-bpf
                --wait --timeout --watch --interval --from
                --free --brief --json -q --quiet -v --verbose -n --numeric --color -o --explain --version -h --help" -- "$typed")
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
