# fish completion for portwhy

complete -c portwhy -f
complete -c portwhy -s t -l tcp -d 'a TCP socket (the default)'
complete -c portwhy -s u -l udp -d 'a UDP socket'
complete -c portwhy -s 4 -d '0.0.0.0 where TARGET has no address'
complete -c portwhy -s 6 -d ':: where TARGET has no address'
complete -c portwhy -l reuseaddr -d 'it sets SO_REUSEADDR'
complete -c portwhy -l reuseport -d 'it sets SO_REUSEPORT'
complete -c portwhy -l v6only -d 'it sets IPV6_V6ONLY'
complete -c portwhy -l no-v6only -d 'it clears IPV6_V6ONLY'
complete -c portwhy -l runtime -x -a 'apache asyncio dnsmasq dotnet envoy go gunicorn haproxy hummingbird java lighttpd mariadb memcached mosquitto named nginx node php postgres puma python redis ruby rust socketserver squid sshd swiftnio systemd unbound uvicorn vapor varnish' -d 'it is a server of this kind'
complete -c portwhy -l device -x -a '(command ls /sys/class/net 2>/dev/null)' -d 'it is bound to this interface'
complete -c portwhy -l uid -x -a '(__fish_complete_users)' -d 'it belongs to this user'
complete -c portwhy -l deep -d 'also other network namespaces and firewall redirects'
complete -c portwhy -l json -d 'the report as JSON'
complete -c portwhy -s q -l quiet -d 'nothing but the exit status'
complete -c portwhy -s v -l verbose -d 'the deciding rules and every source, too'
complete -c portwhy -s n -l numeric -d 'no user names'
complete -c portwhy -l color -x -a 'auto always never' -d 'colour the answer'
complete -c portwhy -l version -d 'the version'
complete -c portwhy -s h -l help -d 'a short help'
complete -c portwhy -n 'not string match -q -- "-*" (commandline -ct)' -a "localhost (string match -rg '^([a-z][a-z0-9-]*)\s' </etc/services)"
