import Testing

@testable import PortwhyCLI

/// This option as it is given by this name: with a value where it takes one in the next word.
func words(giving row: OptionRow, _ name: String? = nil) -> [String] {
  var value = "auto"
  if case .words(let words) = row.value.completion { value = words[0] }
  return [name ?? row.name] + (row.value.takesNextWord ? [value] : [])
}

private let rows = OptionTable.portwhy.rows

@Suite("The option table")
struct OptionTableTests {
  @Test("has one row for every option, in the order of the cases")
  func complete() {
    #expect(rows.map(\.option) == Option.allCases)
    // One bit each in `GivenOptions`.
    #expect(rows.count <= 64)
  }

  @Test("gives every option a name that is its own, a line of help, a text of the manual page and a completion")
  func texts() {
    let names = rows.flatMap(\.names)
    #expect(Set(names).count == names.count && names.count >= Option.allCases.count)
    for row in rows {
      #expect(!row.names.isEmpty && row.name.utf8.count >= 2)
      #expect(
        !row.help.isEmpty && row.help.last != "." && row.help.allSatisfy { $0.isASCII && $0 != "\n" }, "\(row.name)")
      #expect(row.manual.count > 2 && row.manual.hasSuffix(".") || row.manual.hasSuffix("NAMES"), "\(row.name)")
      if let metavar = row.value.metavar { #expect(!metavar.isEmpty) }
      if case .words(let words) = row.value.completion { #expect(words.count > 1) }
      if let long = row.long {
        #expect(
          long.utf8.allSatisfy { ($0 >= 0x61 && $0 <= 0x7a) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2d }, "\(long)")
      }
    }
  }

  @Test("holds together: what excludes, needs or contradicts something names another row")
  func relations() {
    for row in rows {
      #expect(!row.excludes.contains(row.option) && row.needs != row.option)
      if let opposite = row.opposite {
        #expect(rows.contains { $0.option == opposite && $0.opposite == row.option })
      }
      if let needed = rows.first(where: { $0.option == row.needs }) {
        #expect(row.contexts.isSubset(of: needed.contexts), "\(row.name) where \(needed.name) says nothing")
      }
      for other in OptionTable.portwhy.excluded(by: row) {
        #expect(OptionTable.portwhy.excluded(by: other).contains { $0.option == row.option })
      }
    }
  }

  /// What the manual page and the design say of what excludes what, written once more.
  static let exclusions = [
    ("-q", "-v"), ("-q", "--json"), ("-q", "--watch"), ("--wait", "--watch"), ("--wait", "--probe"),
    ("--watch", "--probe"), ("--from", "--wait"), ("--from", "--watch"), ("--from", "--probe"), ("--from", "--deep"),
    ("--from", "--netns"), ("--from", "--no-bpf"), ("--free", "--json"), ("-q", "--free"), ("--free", "-v"),
    ("--free", "--brief"), ("--free", "--wait"), ("--free", "--watch"), ("--free", "--probe"), ("--brief", "--json"),
    ("-q", "--brief"), ("--brief", "-v"),
  ]

  @Test(
    "refuses each pair that excludes each other, in both orders, in one line that names both", arguments: exclusions)
  func excluded(_ one: String, _ other: String) throws {
    let first = try #require(rows.first { $0.name == one })
    let second = try #require(rows.first { $0.name == other })
    let lines = [
      words(giving: first) + words(giving: second) + ["80"], words(giving: second) + ["80"] + words(giving: first),
    ]
    for words in lines {
      let message = try #require(refusal(words))
      #expect(message.hasSuffix(" contradict each other") && !message.contains("\n"))
      #expect(
        message.split(separator: " ").contains(Substring(one))
          && message.split(separator: " ").contains(Substring(other)))
    }
  }

  @Test("refuses no other pair")
  func compatible() {
    let pairs = rows.indices.flatMap { first in rows.indices.filter { $0 > first }.map { (rows[first], rows[$0]) } }
    for (one, other) in pairs where !one.contexts.isEmpty && !other.contexts.isEmpty {
      let excludes = Self.exclusions.contains { Set([$0.0, $0.1]) == [one.name, other.name] }
      let message = refusal(words(giving: one) + words(giving: other) + ["80"])
      #expect((message?.hasSuffix("contradict each other") ?? false) == excludes, "\(one.name) \(other.name)")
    }
  }

  @Test("says what an option needs")
  func needs() {
    #expect(refusal(["--timeout", "1", "80"]) == "--timeout needs --wait")
    #expect(refusal(["--interval", "1"]) == "--interval needs --watch")
    let withoutTarget = [
      "-4", "-6", "--reuseaddr", "--reuseport", "--v6only", "--no-v6only", "--runtime", "--device", "--uid",
      "--as", "--ours", "--cap-net-bind", "--probe", "--free", "--brief",
      "--deep", "--no-bpf", "--wait",
    ]
    for row in rows where withoutTarget.contains(row.name) {
      #expect(refusal(words(giving: row)) == "\(row.name) needs a TARGET")
      #expect(refusal(words(giving: row) + ["80"]) == nil)
    }
    #expect(refusal(["-o", "f"]) == "-o needs a -- COMMAND")
    for row in rows where !withoutTarget.contains(row.name) && row.needs == nil && row.contexts != .command {
      #expect(refusal(words(giving: row)) == nil, "\(row.name)")
    }
    for name in ["-4", "-6"] { #expect(refusal([name, "--from", "f"]) == "\(name) needs a TARGET") }
    #expect(refusal(["--reuseaddr", "--from", "f"]) == nil)
  }

  @Test("answers help and version alone, whatever else is typed right")
  func alone() {
    for words in [["-h", "-q", "-v"], ["--version", "--timeout", "1"], ["--help", "--", "x"]] {
      #expect(refusal(words) == nil)
    }
    #expect(refusal(["--help", "--bogus"]) != nil)
  }
}

/// Kinds of options that portwhy does not have, or not yet.
private let otherTable = OptionTable(sections: [
  OptionSection(
    title: "One",
    rows: [
      OptionRow(
        .from, "from", nil, .required("FILE", .files), isRepeatable: true, in: .looking, help: "it's [one]: a file",
        manual: "A file."),
      OptionRow(
        .uid, "output", "o", .required("FILE", .files), in: .looking, help: "to a file", manual: "To a file."),
      OptionRow(
        .probe, "free", "f", .optional("N", .nothing), in: .looking, help: "so many", manual: "So many."),
    ])
])

@Suite("Other kinds of options")
struct OtherKindTests {
  @Test("repeatable ones add up")
  func repeatable() throws {
    let given = try GivenOptions(["--from", "a", "--from=b", "80", "--from", "-"], table: otherTable)
    #expect(given.values(.from) == ["a", "b", "-"])
    #expect(given.value(.from) == "-")
  }

  @Test("a letter takes its value in the same word or the next")
  func letters() throws {
    for words in [["-o", "x"], ["-ox"], ["--output=x"]] {
      #expect(try GivenOptions(words, table: otherTable).value(.uid) == "x")
    }
    #expect(refusal(["-o"], otherTable) == "-o needs a value")
  }

  @Test("an optional value stands after = alone")
  func optional() throws {
    let alone = try GivenOptions(["--free", "3"], table: otherTable)
    #expect(alone.has(.probe) && alone.value(.probe) == nil && alone.operand == "3")
    #expect(try GivenOptions(["--free=3"], table: otherTable).value(.probe) == "3")
    #expect(try GivenOptions(["-f3"], table: otherTable).value(.probe) == "3")
    #expect(try GivenOptions(["--free="], table: otherTable).value(.probe) == "")
  }

  @Test("are written into help, manual page and completions as they are typed")
  func texts() {
    let help = HelpScreen.text(otherTable)
    for line in [
      "  one:", "    --from FILE         it's [one]: a file", "    -o, --output FILE   to a file",
      "    -f, --free[=N]      so many",
    ] {
      #expect(help.contains("\n\(line)\n"), "\(help)")
    }
    #expect(
      ManualOptions.synopsis(otherTable) == """
        .Op Fl -from Ar FILE
        .Op Fl -output Ar FILE
        .Op Fl -free Ns Oo = Ns Ar N Oc
        .Op Ar TARGET

        """)
    let manual = ManualOptions.options(otherTable)
    for line in [
      ".Fl -from", "add up.", ".It Fl -from Ar FILE", ".It Fl o Ar FILE , Fl -output Ar FILE",
      ".It Fl f Ns Op Ar N , Fl -free Ns Oo = Ns Ar N Oc",
    ] {
      #expect(manual.contains("\n\(line)\n"), "\(manual)")
    }
    let bash = BashCompletion.script(otherTable)
    #expect(bash.contains("        --from | -o | --output) skip=yes ;;\n"))
    #expect(
      bash.contains("    else\n        case $previous in\n        -f | --free) previous= ;;\n        esac\n    fi\n"))
    #expect(bash.contains("    -o | --output) _portwhy_files ;;\n"))
    let zsh = ZshCompletion.script(otherTable)
    #expect(zsh.contains("  '*--from=[it'\\''s \\[one\\]\\: a file]:file:_files' \\\n"))
    #expect(zsh.contains("  '(-o --output)'{-o+,--output=}'[to a file]:file:_files' \\\n"))
    #expect(zsh.contains("  '(-f --free)'{-f-,--free=-}'[so many]::n:' \\\n"))
    let fish = FishCompletion.script(otherTable)
    #expect(fish.contains("complete -c portwhy -l from -r -F -d 'it\\'s [one]: a file'\n"))
    #expect(fish.contains("complete -c portwhy -s o -l output -r -F -d 'to a file'\n"))
    #expect(fish.contains("complete -c portwhy -s f -l free -d 'so many'\n"))
    #expect(fish.contains("case --from -o --output\n"))
  }
}
