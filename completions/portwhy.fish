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
            case --runtime --device --uid --ours --as --netns --timeout --interval --from --color -o
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
complete -c portwhy -s t -l tcp -d 'a TCP socket (the default)'
complete -c portwhy -s u -l udp -d 'a UDP socket'
complete -c portwhy -s 4 -d '0.0.0.0 where TARGET has no address'
complete -c portwhy -s 6 -d ':: where TARGET has no address'
complete -c portwhy -l reuseaddr -d 'it sets SO_REUSEADDR'
complete -c portwhy -l reuseport -d 'it sets SO_REUSEPORT'
complete -c portwhy -l v6only -d 'it sets IPV6_V6ONLY'
complete -c portwhy -l no-v6only -d 'it clears IPV6_V6ONLY'
complete -c portwhy -l runtime -x -k -a '(__portwhy_ask runtimes (__portwhy_word))' -d 'it is a server of this kind, such as node: the options that these set by themselves, where they bind by default; list prints all'
complete -c portwhy -l device -x -k -a '(__portwhy_ask interfaces (__portwhy_word))' -d 'it is bound to the interface IF (SO_BINDTODEVICE)'
complete -c portwhy -l uid -x -k -a '(__portwhy_ask users (__portwhy_word))' -d 'it belongs to this user, name or number'
complete -c portwhy -l ours -x -d 'a holder such as unit=nginx.service is one\'s own: where no other is in the way, exit status 0'
complete -c portwhy -l as -x -a 'freebsd macos' -d 'say what this system would answer besides'
complete -c portwhy -l cap-net-bind -d 'its program may bind privileged ports, whoever starts it'
complete -c portwhy -l netns -x -k -a '(__portwhy_namespaces)' -d 'in this network namespace: that of a process, a name of ip-netns, or a file'
complete -c portwhy -l probe -d 'settle what is undetermined by a real TCP bind that never listens; the manual page says what it can disturb'
complete -c portwhy -l deep -d 'also other network namespaces and firewall redirects'
complete -c portwhy -l no-bpf -d 'no BPF iterators, which root may use where they decide'
complete -c portwhy -l wait -d 'look until the planned bind works'
complete -c portwhy -l timeout -x -d 'with --wait: give up after this long'
complete -c portwhy -l watch -d 'look again and again'
complete -c portwhy -l interval -x -d 'with --watch: from one look to the next (1)'
complete -c portwhy -l from -r -F -d 'answer from reports that --json wrote (-: standard input), not from this host'
complete -c portwhy -l free -d 'the first N (1) of TARGET\'s ports on which the planned bind works, one a line'
complete -c portwhy -l brief -d 'one line for each port and address, to be compared'
complete -c portwhy -l json -d 'the report as JSON, a line for each look'
complete -c portwhy -s q -l quiet -d 'nothing; the exit status alone'
complete -c portwhy -s v -l verbose -d 'the deciding rules and where every fact comes from, too'
complete -c portwhy -s n -l numeric -d 'no user names'
complete -c portwhy -l color -x -a 'auto always never' -d 'colours: auto (the default), always or never'
complete -c portwhy -s o -r -F -d 'with -- COMMAND: what is explained goes to the end of FILE'
complete -c portwhy -l explain -k -a '(__portwhy_ask topics (__portwhy_word))' -d 'instead: the long text of TOPIC, such as time-wait; without TOPIC their list'
complete -c portwhy -l version -d 'the version'
complete -c portwhy -s h -l help -d 'this text'
complete -c portwhy -k -n '__portwhy_wants_word; and __portwhy_explains' -a '(__portwhy_ask topics (__portwhy_word))'
complete -c portwhy -k -n '__portwhy_wants_word; and not __portwhy_explains' -a '(__portwhy_targets)'
