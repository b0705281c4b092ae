import Testing

/// A command line that is wrong, and the word that must be named.
private struct Mistake: Sendable, CustomTestStringConvertible {
  var words: [String]
  var named: String
  var testDescription: String { words.joined(separator: " ") }

  init(_ words: String..., names named: String) {
    self.words = words
    self.named = named
  }
}

private let mistakes = [
  Mistake("0", names: "\"0\""), Mistake("65536", names: "\"65536\""), Mistake("80x", names: "\"80x\""),
  Mistake("no-such-service", names: "\"no-such-service\""), Mistake("1.2.3:80", names: "\"1.2.3\""),
  Mistake("[::1:80", names: "\"[::1:80\""), Mistake("[::1]80", names: "\"[::1]80\""), Mistake("", names: "TARGET"),
  Mistake(",", names: "\",\""), Mistake("80,", names: "\"80,\""), Mistake("9000-8000", names: "\"9000-8000\""),
  Mistake("80-65536", names: "\"65536\""), Mistake("-1", names: "\"-1\""), Mistake("80/sctp", names: "\"/sctp\""),
  Mistake("--uid", "no-such-user", "80", names: "\"no-such-user\""),
  Mistake("--uid", "4294967295", "80", names: "\"4294967295\""), Mistake("--uid", "", "80", names: "\"\""),
  Mistake("-q", "-v", "80", names: "-q and -v"), Mistake("-q", "-v", names: "-q and -v"),
  Mistake("-t", "80/udp", names: "\"80/udp\""), Mistake("-4", "[::1]:80", names: "\"[::1]:80\""),
  Mistake("--v6only", "127.0.0.1:80", names: "--v6only"), Mistake("--v6only", "-4", "80", names: "--v6only"),
  Mistake("80", "--", "x", names: "\"80\""), Mistake("80", "81", names: "\"81\""),
  Mistake("--bogus", names: "\"--bogus\""), Mistake("-z", names: "\"-z\""), Mistake("--device", names: "--device"),
  Mistake("--device", "averylongdevicename", "80", names: "\"averylongdevicename\""),
  Mistake("--color", "maybe", "80", names: "\"maybe\""), Mistake("--reuseaddr", names: "--reuseaddr"),
  Mistake("--generate-completion-script", "bash", names: "--generate-completion-script"),
  Mistake("80\u{1b}[31m\nx", names: "80\\"), Mistake("-q", "--json", "80", names: "--json and -q"),
  Mistake("--reusead", "80", names: "\"--reusead\""), Mistake("--json=yes", "80", names: "--json"),
  Mistake("--", names: "--"), Mistake("-vx", "80", names: "\"-x\""),
]

@Suite("Exit statuses")
struct ExitStatusTests {
  @Test("bad input is one line on standard error that names the bad part, and status 64", arguments: mistakes)
  private func mistake(_ mistake: Mistake) throws {
    let ending = try portwhy(mistake.words)
    #expect(ending.status == 64)
    #expect(ending.output == "")
    #expect(ending.errors.hasPrefix("portwhy: ") && ending.errors.hasSuffix("\n"))
    #expect(ending.errors.filter { $0 == "\n" }.count == 1)
    #expect(ending.errors.contains(mistake.named), "\(ending.errors)")
    #expect(ending.errors.unicodeScalars.dropLast().allSatisfy { $0.value >= 0x20 && $0.value != 0x7f })
  }

  @Test(
    "no password is repeated, wherever it stands",
    arguments: [
      "u:SECRET@host:80", "jdbc:postgresql://u:SECRET@h:5432/db", "http://u:SE/CRET@host:80", "--uid=SECRET@h",
    ])
  func secret(_ word: String) throws {
    for words in [[word, "80"], [word], ["--netns", word, "80"], ["--from", word], ["--free", "8", word]] {
      let ending = try portwhy(words)
      #expect(ending.status == 64 && ending.output == "")
      #expect(!ending.errors.contains("SE") && !ending.errors.contains("CRET"), "\(ending.errors)")
    }
  }

  @Test("options stand behind TARGET too, whatever POSIXLY_CORRECT says")
  func posixlyCorrect() throws {
    var start = Start()
    start.environment.append("POSIXLY_CORRECT=1")
    for words in [["1", "--version"], ["--explain", "time-wait", "--color=never"], ["time-wait", "--explain"]] {
      let ending = try portwhy(words, start)
      #expect(ending.status == 0 && ending.errors == "")
      #expect(try ending == portwhy(words))
    }
  }

  @Test(
    "help, version and the overview are 0, with data on standard output alone", arguments: ["-h", "--version", "-n"])
  func zero(_ word: String) throws {
    let ending = try portwhy([word])
    #expect(ending.status == 0)
    #expect(!ending.output.isEmpty && ending.errors == "")
    #expect(ending.lines.allSatisfy { $0.unicodeScalars.count <= 80 })
  }
}
