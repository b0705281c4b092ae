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
          (of systemd),
          .Cm user= Ns Ar USER
          (of the process, name or number),
          .Cm container= Ns Ar NAME
          (or the beginning of its id),
          .Cm exe= Ns Ar PATH
          (of the program, also one that was replaced meanwhile),
          .Cm cwd= Ns Ar PATH
          (the working directory),
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
          The rules are those of its sources; nothing is run there.
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
