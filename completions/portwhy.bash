# bash completion for portwhy

_portwhy() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    # Bash splits words at = and :, so --color=WHEN arrives as three words.
    if [[ $word == "=" ]]; then
        word=
    elif [[ $previous == "=" ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $previous in
    --color)
        COMPREPLY=($(compgen -W "auto always never" -- "$word"))
        return
        ;;
    --device)
        COMPREPLY=($(compgen -W "$(command ls /sys/class/net 2>/dev/null)" -- "$word"))
        return
        ;;
    --from)
        COMPREPLY=($(compgen -f -- "$word"))
        return
        ;;
    --timeout | --interval)
        return
        ;;
    --uid)
        COMPREPLY=($(compgen -u -- "$word"))
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "-t --tcp -u --udp -4 -6 --reuseaddr --reuseport --v6only --no-v6only
            --device --uid --wait --timeout --watch --interval --from --json -q --quiet -v --verbose -n --numeric --color --version -h --help" -- "$word"))
    elif [[ $word == [a-z]* ]]; then
        COMPREPLY=($(compgen -A service -W "localhost" -- "$word"))
    fi
}

complete -F _portwhy portwhy
