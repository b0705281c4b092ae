/// What `--help` prints, within 80 columns; the manual page and the completions are held against it by a test.
let helpText = """
  usage: portwhy [OPTIONS] [TARGET]
         portwhy [-nv] [--json] [--no-bpf] [--color WHEN] -- COMMAND [ARGUMENT…]
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

  what is planned:
    -t, --tcp       a TCP socket (the default)
    -u, --udp       a UDP socket
    -4              0.0.0.0 where TARGET has no address
    -6              :: where TARGET has no address
    --reuseaddr     it sets SO_REUSEADDR
    --reuseport     it sets SO_REUSEPORT
    --v6only        it sets IPV6_V6ONLY
    --no-v6only     it clears IPV6_V6ONLY
    --runtime NAME  it is a node, python, nginx … server: the options that these
                    set by themselves are planned
    --device IF     it is bound to the interface IF (SO_BINDTODEVICE)
    --uid UID       it belongs to this user, name or number
    --netns WHERE   in this network namespace: a pid, a name of ip-netns, a path
    --probe         settle what is undetermined by a real TCP bind that never
                    listens; see the manual page for what it can disturb

  what is looked at:
    --deep          also other network namespaces and firewall redirects
    --no-bpf        no BPF iterators, which root may use where they decide

  when and where it looks:
    --wait          when the planned bind works, and not before
    --timeout SEC   with --wait: give up after this long
    --watch         again and again
    --interval SEC  with --watch: from one look to the next (1)
    --from FILE     at a report that --json wrote (-: standard input), not here

  what is printed:
    --json          the report as JSON, a line for each look
    -q, --quiet     nothing; the exit status alone
    -v, --verbose   the deciding rules and where every fact comes from, too
    -n, --numeric   no user names
    --color WHEN    auto (the default), always or never
    --explain       instead: the long text of TOPIC, such as time-wait; without
                    TOPIC their list
    --version       the version
    -h, --help      this text

  exit status:
    0   every attempt works, bind and listen, with the planned options
    1   at least one fails
    2   none fails, but one is undetermined
    64  the command line is wrong, or the report of --from
    69  the kernel interface is missing
    70  an internal error, or the answer could not be written
    77  not permitted

  """
