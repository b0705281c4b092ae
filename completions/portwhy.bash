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
    --runtime)
        COMPREPLY=($(compgen -W "apache asyncio dnsmasq dotnet envoy go gunicorn haproxy hummingbird java lighttpd mariadb memcached mosquitto named
            nginx node php postgres puma python redis ruby rust socketserver squid sshd swiftnio systemd unbound uvicorn vapor varnish" -- "$word"))
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
    --explain)
        COMPREPLY=($(compgen -W "listener bound-not-listening udp-socket wildcard-overlap dual-stack-overlap
            inherited-descriptor time-wait leftover-connection leftover-dual-stack-connection outgoing-connection
            self-connection listen-only reuseport-missing reuseport-other-user udp-mixed-options depends-on-order
            hidden shared-port privileged-port address-not-local address-on-other-device address-tentative
            device-missing family-missing multicast-tcp scope-missing mapped-on-v6only so-reuseaddr so-reuseport
            multicast who-receives freebsd" -- "$word"))
        return
        ;;
    --netns)
        COMPREPLY=($(compgen -W "$(command ls /run/netns 2>/dev/null)" -- "$word"))
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "-t --tcp -u --udp -4 -6 --reuseaddr --reuseport --v6only --no-v6only
            --runtime --device --uid --netns --probe --deep --no-bpf
            --wait --timeout --watch --interval --from --json -q --quiet -v --verbose -n --numeric --color
            --explain --version -h --help" -- "$word"))
    elif [[ $word == [a-z]* ]]; then
        COMPREPLY=($(compgen -A service -W "localhost" -- "$word"))
    fi
}

complete -F _portwhy portwhy
