extension OptionSection {
  static let plan = OptionSection(
    title: "What is planned",
    rows: [
      OptionRow(
        .tcp, "tcp", "t", in: .looking,
        help: "a TCP socket (the default)",
        manual: "A TCP socket, the default."),
      OptionRow(
        .udp, "udp", "u", in: .looking,
        help: "a UDP socket",
        manual: """
          A UDP socket; with
          .Fl t
          both.
          """),
      OptionRow(
        .ipv4, nil, "4", in: .target,
        help: "0.0.0.0 where TARGET has no address",
        manual: """
          0.0.0.0 where
          .Ar TARGET
          has no address.
          """),
      OptionRow(
        .ipv6, nil, "6", in: .target,
        help: ":: where TARGET has no address",
        manual: """
          :: where
          .Ar TARGET
          has no address.
          """),
      OptionRow(
        .reuseaddr, "reuseaddr", in: .planning,
        help: "it sets SO_REUSEADDR",
        manual: """
          The socket sets
          .Dv SO_REUSEADDR .
          """),
      OptionRow(
        .reuseport, "reuseport", in: .planning,
        help: "it sets SO_REUSEPORT",
        manual: """
          The socket sets
          .Dv SO_REUSEPORT .
          """),
      OptionRow(
        .v6only, "v6only", opposite: .noV6only, in: .planning,
        help: "it sets IPV6_V6ONLY",
        manual: """
          The socket sets
          .Dv IPV6_V6ONLY .
          """),
      OptionRow(
        .noV6only, "no-v6only", opposite: .v6only, in: .planning,
        help: "it clears IPV6_V6ONLY",
        manual: """
          The socket clears
          .Dv IPV6_V6ONLY .
          The default is that of the host,
          .Va net.ipv6.bindv6only .
          """),
      OptionRow(
        .runtime, "runtime", nil, .required("NAME", .ask(.runtimes)), in: .planning,
        help:
          "it is a server of this kind, such as node: the options that these set by themselves, where they bind by "
          + "default; list prints all",
        manual: #"""
          The planned server is of this kind: the options that it sets by itself on a
          listening TCP socket are planned, and suggestions name its own settings.
          Options given on the command line win.
          Where
          .Ar TARGET
          has no address, only those are judged that such a server binds by default, as
          127.0.0.1 for uvicorn;
          .Fl 4 ,
          .Fl 6
          and an address win.
          .Fl -runtime Cm list
          prints all of them with what they set and bind.
          .Ar NAME
          is one of
          .\" NAMES
          """#),
      OptionRow(
        .device, "device", nil, .required("IF", .ask(.interfaces)), in: .planning,
        help: "it is bound to the interface IF (SO_BINDTODEVICE)",
        manual: """
          The socket is bound to the interface
          .Ar IF
          .Pq Dv SO_BINDTODEVICE .
          """),
      OptionRow(
        .uid, "uid", nil, .required("UID", .ask(.users)), in: .planning,
        help: "it belongs to this user, name or number",
        manual: """
          The socket belongs to this user, a name or a number.
          The default is the user who called
          .Xr sudo 8 ,
          else the caller.
          For a privileged port it is root where
          .Xr sudo 8
          was used, and else the caller too.
          A uid is meant as the caller's user namespace numbers it.
          """),
      OptionRow(
        .ours, "ours", nil, .required("PREDICATE", .nothing), isRepeatable: true, in: .planning,
        help: "a holder such as unit=nginx.service is one's own: where no other is in the way, exit status 0",
        manual: """
          What holds the port may be one's own server, already running.
          Where every socket in the way is held by processes that match, the verdict is
          .Ql ours
          and the exit status 0.
          .Ar PREDICATE
          is one of
          .Cm unit= Ns Ar NAME
          (of the system's service manager; of a user's,
          .Cm unit= Ns Ar NAME Ns @ Ns Ar UID
          with the full name),
          .Cm user= Ns Ar USER
          (of the process, name or number),
          .Cm container= Ns Ar NAME
          (or the beginning of its id; of an engine that a user runs for himself,
          .Cm container= Ns Ar NAME Ns @ Ns Ar UID ) ,
          .Cm exe= Ns Ar PATH
          (of the program, also one that was replaced meanwhile),
          .Cm cwd= Ns Ar PATH
          (the working directory; neither path counts where a user may have mounted what he likes),
          .Cm pid= Ns Ar PID
          and
          .Cm pidfile= Ns Ar FILE
          (that process or one that it started; the file is read now, and one that is not there
          names nobody).
          Of several, any one is enough for a process, but every process in the way must
          match: a note says which does not.
          A holder that cannot be seen is never one's own.
          TIME_WAIT and other connections without a process are, where the listener of
          the port is, or the unit they were made in.
          """),
      OptionRow(
        .system, "as", nil, .required("SYSTEM", .words(["freebsd", "macos"])), isRepeatable: true, in: .planning,
        help: "say what this system would answer besides",
        manual: """
          Says also what
          .Cm freebsd
          (14.3 and later) or
          .Cm macos
          would answer for the same sockets, where that differs and why.
          Neither the verdict nor the exit status changes.
          The rules were read in its sources, and nothing was run there: the topics
          .Cm freebsd
          and
          .Cm macos
          of
          .Fl -explain
          say what is in doubt.
          Of
          .Cm macos
          no answer is a sure success, as content filters and Skywalk can refuse besides.
          """),
      OptionRow(
        .capNetBind, "cap-net-bind", in: .planning,
        help: "its program may bind privileged ports, whoever starts it",
        manual: """
          The program has
          .Dv CAP_NET_BIND_SERVICE
          whoever starts it, by file capabilities or as an ambient one
          .Pq Xr capabilities 7 .
          Without this option uid 0 has it unless the bounding set lacks it, the
          caller has what
          .Nm
          has, and another user has it not.
          """),
      OptionRow(
        .netns, "netns", nil, .required("PID|NAME|PATH", .ask(.namespaces)), excludes: [.from],
        in: [.target, .overview],
        help: "in this network namespace: that of a process, a name of ip-netns, or a file",
        manual: """
          Look into another network namespace: that of the process
          .Ar PID ,
          the one that
          .Xr ip-netns 8
          calls
          .Ar NAME ,
          or the file
          .Ar PATH ,
          which has a slash.
          It takes
          .Dv CAP_SYS_ADMIN
          in the user namespace that owns it and in one's own.
          Processes are found as far as this
          .Pa /proc
          shows them.
          """),
      OptionRow(
        // A bind that is tried again and again is one that a starting server meets.
        .probe, "probe", excludes: [.wait, .watch, .from], in: .target,
        help: "settle what is undetermined by a real TCP bind that never listens; the manual page says what it can "
          + "disturb",
        manual: """
          Settle what is undetermined by a real
          .Xr bind 2
          of a TCP socket like the planned one, which never listens and is closed at
          once; the planned combination of options is tried even where it is sure.
          UDP is never probed.
          See
          .Sx CAVEATS .
          """),
    ])
}

extension OptionSection {
  static let looking = OptionSection(
    title: "What is looked at",
    rows: [
      OptionRow(
        .deep, "deep", excludes: [.from], in: .target,
        help: "also other network namespaces and firewall redirects",
        manual: """
          Also what costs more than the answer and does not decide it: the port in other
          network namespaces, which do not block it, and firewall rules that redirect it
          before a socket sees the traffic.
          For these rules
          .Pa /usr/sbin/nft
          or
          .Pa /usr/sbin/iptables-save
          is run, where it is there and permitted; nothing else is ever run.
          """),
      OptionRow(
        .noBPF, "no-bpf", excludes: [.from], in: [.target, .command],
        help: "no BPF iterators, which root may use where they decide",
        manual: """
          Ask no BPF iterators.
          Without it they are asked, by a caller who has
          .Dv CAP_BPF
          and
          .Dv CAP_PERFMON
          and on kernels that show their own types (BTF), for what nothing else tells and
          what decides the answer: the options of sockets that no process has any more,
          what the kernel remembers of earlier binds of the port, and the order of UDP
          sockets.
          As process 1 of a pid namespace, as in a container,
          .Nm
          cannot end before an iterator that a locked socket keeps waiting: use this there
          where other users' programs share the network.
          On a host with thousands of open files one also finds the holders of the
          sockets, much faster than a walk through
          .Pa /proc ,
          which has to confirm them.
          They read only and are gone when the answer is there.
          """),
    ])
}

extension OptionSection {
  static let output = OptionSection(
    title: "What is printed",
    rows: [
      OptionRow(
        .free, "free", nil, .optional("N", .nothing),
        excludes: [.json, .quiet, .verbose, .brief, .wait, .watch, .probe],
        in: .planning,
        help: "the first N (1) of TARGET's ports on which the planned bind works, one a line",
        manual: """
          The first
          .Ar N
          of the ports of
          .Ar TARGET ,
          1 unless given, on which the planned bind works, one a line, and nothing else.
          The exit status is 1 where there are fewer.
          Where sockets that are only bound cannot be seen, before Linux 6.8 without root,
          the ports are likely ones, which standard error says.
          """),
      OptionRow(
        .brief, "brief", excludes: [.json, .quiet, .verbose], in: .planning,
        help: "one line for each port and address, to be compared",
        manual: """
          One line for each port and address, without pids and times, to be compared and
          sorted: port, address,
          .Ql works ,
          .Ql ours ,
          .Ql fails
          with the error or
          .Ql undetermined ,
          the cause, and the unit, container or program that is in the way.
          Of several reports each line begins with the name of its host, and one that gave
          none says
          .Ql no-answer
          and why.
          """),
      OptionRow(
        .json, "json", in: [.looking, .command],
        help: "the report as JSON, a line for each look",
        manual: """
          The report as JSON on one line,
          .Ql portwhy.report/1 .
          """),
      OptionRow(
        .quiet, "quiet", "q", excludes: [.json, .verbose], in: .looking,
        help: "nothing; the exit status alone",
        manual: "Nothing; the exit status alone."),
      OptionRow(
        .verbose, "verbose", "v", in: [.looking, .command],
        help: "the deciding rules and where every fact comes from, too",
        manual: #"""
          Also the rules and kernel functions that decide, where every fact comes from,
          and lists in full.
          """#),
      OptionRow(
        .numeric, "numeric", "n", in: [.looking, .command],
        help: "no user names",
        manual: "No user names."),
      OptionRow(
        .color, "color", nil, .required("WHEN", .words(Invocation.Color.words)),
        in: [.target, .overview, .saved, .explanation, .command],
        help: "colours: auto (the default), always or never",
        manual: """
          .Cm auto ,
          the default,
          .Cm always
          or
          .Cm never .
          """),
      OptionRow(
        .output, nil, "o", .required("FILE", .files), in: .command,
        help: "with -- COMMAND: what is explained goes to the end of FILE",
        manual: """
          With
          .Ar COMMAND :
          what is explained goes to the end of
          .Ar FILE ,
          which is made where it is missing, instead of standard error.
          """),
      OptionRow(
        .explain, "explain", nil, .operand("TOPIC", .ask(.topics)), in: .explanation,
        help: "instead: the long text of TOPIC, such as time-wait; without TOPIC their list",
        manual: """
          Instead of an answer, the long text of
          .Ar TOPIC :
          what it is, how to recognise it, what helps and what does not.
          Without
          .Ar TOPIC
          their list.
          """),
      OptionRow(.version, "version", in: [], help: "the version", manual: "The version."),
      OptionRow(.help, "help", "h", in: [], help: "this text", manual: "A short help."),
    ])
}

extension OptionSection {
  static let pace = OptionSection(
    title: "When and where it looks",
    rows: [
      OptionRow(
        .wait, "wait", excludes: [.watch, .from], in: .target,
        help: "look until the planned bind works",
        manual: """
          Looks until the planned bind works, then prints that answer.
          What is undetermined is waited for as well.
          It looks again when the kernel announces that a socket on the port has gone,
          when the last TIME_WAIT in the way is over, and about once a second for what
          no kernel announces.
          On a terminal a line on standard error counts down; a signal erases it before
          it ends the program.
          """),
      OptionRow(
        .timeout, "timeout", nil, .required("SECONDS", .nothing), needs: .wait, in: .target,
        help: "with --wait: give up after this long",
        manual: """
          With
          .Fl -wait :
          gives up after this long, with the exit status of the last answer; 0 to
          31536000, fractions allowed.
          """),
      OptionRow(
        .watch, "watch", excludes: [.from, .quiet], in: [.target, .overview],
        help: "look again and again",
        manual: """
          Looks again and again, until a signal or nobody reads the output any more.
          A terminal is redrawn; anywhere else the answers follow each other, after an
          empty line, or with
          .Fl -json
          each on a line of its own.
          """),
      OptionRow(
        .interval, "interval", nil, .required("SECONDS", .nothing), needs: .watch, in: [.target, .overview],
        help: "with --watch: from one look to the next (1)",
        manual: """
          With
          .Fl -watch :
          from one look to the next, 1 unless given; 0.1 to 86400, fractions allowed.
          """),
      OptionRow(
        .from, "from", nil, .required("FILE", .files), isRepeatable: true, in: .planning,
        help: "answer from reports that --json wrote (-: standard input), not from this host",
        manual: """
          Answers from a report that
          .Fl -json
          wrote, on whatever host;
          .Ql -
          is standard input, and a directory stands for the files in it.
          Nothing is read of this host.
          Without
          .Ar TARGET
          the binds are those of the report, with it those of
          .Ar TARGET ,
          whose ports must be in the report.
          Each part of the plan that is given takes the place of the saved one.
          A file may hold many reports, and the option may be given again: of several
          reports the answers are folded into one, see
          .Sx FLEET .
          """),
    ])
}
