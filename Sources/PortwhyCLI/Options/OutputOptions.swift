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
          .Ql fails
          with the error or
          .Ql undetermined ,
          the cause, and the unit, container or program that is in the way.
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
        .color, "color", nil, .required("WHEN", .words(Invocation.Color.allCases.map(\.rawValue))),
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
