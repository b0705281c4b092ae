import Testing

@testable import PortwhyCLI

private func given(_ words: String...) throws -> GivenOptions { try GivenOptions(words) }

/// The options of a line, in the order of --help.
func present(_ given: GivenOptions) -> [String] {
  OptionTable.portwhy.rows.filter { given.has($0.option) }.map(\.name)
}

/// The message with which these words are refused; nil where they are read.
func refusal(_ words: [String], _ table: OptionTable = .portwhy) -> String? {
  do {
    let given = try GivenOptions(words, table: table)
    try table.check(given)
    return nil
  } catch {
    return error.message
  }
}

@Suite("The words of a command line")
struct GivenOptionsTests {
  @Test("hold every option by each of its names, with its value where it takes one")
  func everyOption() throws {
    for row in OptionTable.portwhy.rows {
      for name in row.names {
        let found = try GivenOptions(words(giving: row, name))
        #expect(present(found) == [row.name] && found.operand == nil, "\(name)")
        #expect(found.value(row.option) == (row.value.takesNextWord ? words(giving: row, name).last : nil))
        #expect(found != GivenOptions(halfTyped: []))
      }
    }
  }

  @Test("take letters together")
  func clusters() throws {
    #expect(present(try given("-tu46vn", "80")) == ["-t", "-u", "-4", "-6", "-v", "-n"])
    #expect(present(try given("-q4")) == ["-4", "-q"])
    #expect(try given("-tt") == given("-t"))
  }

  @Test("take a value in the next word or after =, also an empty one")
  func values() throws {
    #expect(try given("--uid", "7") == given("--uid=7"))
    #expect(try given("--uid=a=b").value(.uid) == "a=b")
    #expect(try given("--uid=").value(.uid) == "")
    #expect(try given("--uid", "").value(.uid) == "")
    #expect(try given("--from", "-").value(.from) == "-")
    #expect(try given("--device=--wait").value(.device) == "--wait")
    #expect(try given("--uid", "-1").value(.uid) == "-1")
  }

  @Test("stand in any order, and the operand anywhere")
  func permutation() throws {
    let orders = [["80", "-v", "--uid", "7"], ["-v", "80", "--uid", "7"], ["--uid", "7", "-v", "80"]]
    for words in orders { #expect(try GivenOptions(words) == given("-v", "--uid=7", "80")) }
    #expect(try given("80", "--json").operand == "80")
    #expect(try given("-").operand == "-")
    #expect(try given("").operand == "")
    #expect(try GivenOptions([]).operand == nil)
  }

  @Test("take the last of a repeated option, and of two that say the contrary")
  func lastWins() throws {
    #expect(try given("--uid", "1", "--uid=2").value(.uid) == "2")
    #expect(present(try given("--v6only", "--no-v6only")) == ["--no-v6only"])
    #expect(present(try given("--no-v6only", "--v6only", "-q")) == ["--v6only", "-q"])
  }

  @Test("take what follows -- as the words of a command, options too")
  func command() throws {
    let found = try given("-v", "--", "nginx", "-q", "--", "x")
    #expect(found.command == ["nginx", "-q", "--", "x"])
    #expect(present(found) == ["-v"] && found.operand == nil)
    #expect(try given("80", "--").operand == "80")
    #expect(try given("80", "--").command == [])
    // A value, not the end of the options.
    #expect(try given("--uid", "--", "80").value(.uid) == "--")
  }

  @Test(
    "that are wrong are refused in one line with what was typed",
    arguments: [
      (["--bogus"], "unknown option \"--bogus\"; --help lists them all"),
      (["--bogus=1"], "unknown option \"--bogus\"; --help lists them all"),
      (["-x"], "unknown option \"-x\"; --help lists them all"),
      (["-tx"], "unknown option \"-x\" in \"-tx\"; --help lists them all"),
      (["-json"], "unknown option \"-j\" in \"-json\"; --help lists them all"),
      (["-té"], "unknown option \"-té\"; --help lists them all"),
      (["-t-"], "unknown option \"-t-\"; --help lists them all"),
      (["--=x"], "unknown option \"--\"; --help lists them all"),
      (["-t:"], "unknown option \"-:\" in \"-t:\"; --help lists them all"),
      (["--reusadr", "80"], "unknown option \"--reusadr\"; is it --reuseaddr?"),
      (["--v6olny", "80"], "unknown option \"--v6olny\"; is it --v6only?"),
      (["--bind", "80"], "unknown option \"--bind\"; --help lists them all"),
      (["--rejuse", "80"], "unknown option \"--rejuse\"; --help lists them all"),
      (
        ["--" + String(repeating: "x", count: 31)],
        "unknown option \"--\(String(repeating: "x", count: 31))\"; --help lists them all"
      ),
      (["--uid"], "--uid needs a value"), (["80", "--netns"], "--netns needs a value"),
      (["--device", "--wait", "80"], "--device needs a value"), (["--uid", "-q"], "--uid needs a value"),
      (["--json=yes"], "--json takes no value"), (["--json="], "--json takes no value"),
      (["80", "81"], "unexpected argument \"81\"; type several ports with commas: 80,81"),
      (["a", "b"], "unexpected argument \"b\""),
      (["80", "--", "x"], "\"80\" says nothing beside -- COMMAND"),
      (["-t", "--", "x"], "-t says nothing beside -- COMMAND"),
      (["--runtime", "list", "--", "x"], "--runtime says nothing beside -- COMMAND"),
      (["--wait", "--", "x"], "--wait says nothing beside -- COMMAND"),
      (["--from", "a", "--", "x"], "--from says nothing beside -- COMMAND"),
      (["--explain", "--", "x"], "--explain says nothing beside -- COMMAND"),
      (["-v", "--"], "nothing stands after --: a command is expected"),
      (["-o", "a", "80"], "-o needs a -- COMMAND"), (["-o", "a"], "-o needs a -- COMMAND"),
      (["--color", "red", "--", "x"], "--color \"red\" is none of auto, always, never"),
      (["--color", "red"], "--color \"red\" is none of auto, always, never"),
      (["--color="], "--color \"\" is none of auto, always, never"),
    ] as [([String], String)])
  func wrong(_ words: [String], _ message: String) {
    #expect(refusal(words) == message)
  }

  @Test("refuse the beginning of every name, however clear it would be")
  func abbreviations() {
    for row in OptionTable.portwhy.rows {
      guard let long = row.long else { continue }
      for length in 1..<long.utf8.count {
        let short = "--" + long.prefix(length)
        if OptionTable.portwhy.rows.contains(where: { $0.names.contains(short) }) { continue }
        // It is said which one was probably meant, where that is clear.
        let longer = OptionTable.portwhy.rows.filter { $0.long?.hasPrefix(long.prefix(length)) == true }
        for words in [[short, "80"], [short + "=80"]] {
          let message = refusal(words)
          #expect(message?.hasPrefix("unknown option \"\(short)\"; ") == true)
          if length >= 4, longer.count == 1 { #expect(message?.hasSuffix("; is it --\(long)?") == true) }
        }
      }
    }
  }

  @Test("that may hold a password are never repeated, nor is a part of them")
  func secrets() {
    let lines = [
      ["u:SECRET@host:80"], ["jdbc:postgresql://u:SECRET@h:5432/db"], ["http://u:SE/CRET@host:80"],
      ["http://u:SECRET@example.com/"], ["u:SEC,RET@h"], ["80,,SECRET@h"], ["80", "SECRET@h"], ["--SECRET@h"],
      ["-SECRET@h"], ["--uid", "SECRET@h", "80"], ["--color=SECRET@h"], ["--device", "SECRET@h:80/x", "80"],
      ["--wait", "--timeout", "SECRET@h", "80"], ["--explain", "SECRET@h"], ["--runtime", "SECRET@h", "80"],
      ["--netns", "@", "--netns=", "SECRET@h"], ["SE\"CRET\"@h"], ["90-80,SECRET@h"],
    ]
    let lookup = Invocation.Lookup(services: { services }, uid: { _ in nil })
    for words in lines {
      do throws(UsageError) {
        Issue.record("read as \(try Invocation(GivenOptions(words), lookup: lookup))")
      } catch {
        for part in ["SE", "CRET", "RET@"] { #expect(!error.message.contains(part), "\(error.message)") }
      }
    }
    #expect(Shown.hidingSecrets("no \"a@b\" here") == "no \"…@…\" here")
    #expect(Shown.hidingSecrets("no \"ab\" here") == "no \"ab\" here")
    // A letter that joins the quote before it, or after which a quote stands.
    #expect(Shown.hidingSecrets("no \"\u{301}a@b\u{301}\" here") == "no \"…@…\" here")
    #expect(Shown.hidingSecrets("no \"a@b\"\u{301} here") == "no \"…@…\"\u{301} here")
  }

  @Test("of a half typed line are taken as far as they are right")
  func halfTyped() {
    let found = GivenOptions(halfTyped: ["-u", "--bogus", "--netns", "web", "-x", "80", "81", "--uid"])
    #expect(present(found) == ["-u", "--netns"])
    #expect(found.value(.netns) == "web" && found.operand == "80")
  }

  @Test("may be hundreds of thousands")
  func many() throws {
    let found = try GivenOptions([String](repeating: "-t", count: 300_000) + ["--uid=1", "80"])
    #expect(present(found) == ["-t", "--uid"] && found.operand == "80")
    #expect(throws: UsageError("unexpected argument \"2\"")) {
      try GivenOptions(["a"] + [String](repeating: "2", count: 300_000))
    }
  }

  @Test("are read by many threads at once as by one")
  func parallel() async {
    await withTaskGroup(of: Bool.self) { group in
      for number in 0..<200 {
        group.addTask {
          let words = ["-v", "--uid", "\(number)", "--netns=n\(number)", "\(number + 1)"]
          guard let found = try? GivenOptions(words) else { return false }
          return found.value(.uid) == "\(number)" && found.value(.netns) == "n\(number)"
            && found.operand == "\(number + 1)" && present(found) == ["--uid", "--netns", "-v"]
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
}
