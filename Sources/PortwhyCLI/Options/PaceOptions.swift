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
