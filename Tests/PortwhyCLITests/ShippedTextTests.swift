import Glibc
import Explanation
import Linux
import Testing

@testable import PortwhyCLI

private func shipped(_ path: String) throws -> String {
  let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  return try #require(SystemCalls.contents(of: "/" + root + "/" + path))
}

/// Every `-x` and `--word` of a text that stands at the start of a word.
func options(in text: String) -> Set<String> {
  Set(text.matches(of: /(?:^|[\s,\[(|'\/])(--[a-z0-9][a-z0-9-]*|-[a-zA-Z0-9])(?![\w-])/).map { String($0.1) })
}

/// Every option by all its names.
private var accepted: Set<String> { Set(OptionTable.portwhy.rows.flatMap(\.names)) }

private let helpText = HelpScreen.text()

@Suite("The texts that are shipped")
struct ShippedTextTests {
  @Test("--help names every option that exists, and no other")
  func help() {
    #expect(options(in: helpText) == accepted)
    #expect(accepted.count > 20)
  }

  @Test("--help fits 80 columns")
  func helpWidth() {
    #expect(helpText.split(separator: "\n").filter { $0.count > 79 } == [])
    #expect(helpText.hasSuffix("\n") && !helpText.hasSuffix("\n\n"))
  }

  @Test("the manual page explains every option that exists, and no other")
  func manual() throws {
    let items = try shipped("man/portwhy.1").split(separator: "\n").filter { $0.hasPrefix(".It Fl") }
    let named = items.flatMap { $0.matches(of: /Fl (-?[a-zA-Z0-9][a-z0-9-]*)/).map { "-" + String($0.1) } }
    #expect(Set(named) == accepted)
  }

  @Test("the manual page and --help tell the same exit statuses as the program has")
  func exitStatus() throws {
    let statuses = (0...255).filter { ExitStatus(rawValue: $0) != nil }.map { Int($0) }
    let manual = try shipped("man/portwhy.1").matches(of: /\n\.It (\d+)\n/).compactMap { Int($0.1) }
    let help = helpText.matches(of: /\n  (\d+) +/).compactMap { Int($0.1) }
    #expect(manual == statuses)
    #expect(help == statuses)
  }

  @Test("the bash and zsh completions offer every option that exists, and no other")
  func bashAndZsh() throws {
    let bash = try shipped("completions/portwhy.bash")
    let words = try #require(bash.firstMatch(of: /compgen -W "(-t [^"]*)"/))
    #expect(options(in: String(words.1)) == accepted)
    let zsh = try shipped("completions/_portwhy")
    let offered = zsh.split(separator: "\n").filter { $0.hasPrefix("  '") && $0.contains("[") }.flatMap { line in
      let names = String(line.prefix { $0 != "[" }.replacing(/^  '\([^)]*\)'?/, with: " "))
      return names.matches(of: /(--[a-z0-9-]+|-[a-zA-Z0-9])/).map { String($0.1) }
    }
    #expect(Set(offered) == accepted)
  }

  @Test("the fish completion offers every option that exists, and no other")
  func fish() throws {
    let lines = try shipped("completions/portwhy.fish").split(separator: "\n").filter { $0.hasPrefix("complete ") }
    let text = lines.joined(separator: "\n")
    let short = text.matches(of: /\ -s (\S)/).map { "-" + $0.1 }
    let long = text.matches(of: /\ -l (\S+)/).map { "--" + $0.1 }
    #expect(Set(short + long) == accepted)
  }

  @Test("the synopsis and the options of the manual page are those of the option table, and so are the completions")
  func generated() throws {
    let page = try shipped("man/portwhy.1")
    let head = ".\\\" From the option table: make generate.\n"
    var parts = page.split(separator: head, omittingEmptySubsequences: false).map(String.init)
    try #require(parts.count == 3)
    for (number, end, text) in [(1, "synopsis", ManualOptions.synopsis()), (2, "options", ManualOptions.options())] {
      let rest = try #require(parts[number].firstRange(of: ".\\\" End of the \(end).\n"))
      parts[number] = head + text + parts[number][rest.lowerBound...]
    }
    try expect("man/portwhy.1", is: parts.joined())
    try expect("completions/portwhy.bash", is: BashCompletion.script())
    try expect("completions/_portwhy", is: ZshCompletion.script())
    try expect("completions/portwhy.fish", is: FishCompletion.script())
  }

  /// With PORTWHY_RECORD the file is written, and the test fails where it was another.
  private func expect(_ path: String, is text: String) throws {
    let present = try shipped(path)
    if getenv("PORTWHY_RECORD") != nil, present != text {
      let file = try #require(fopen(#filePath.replacing(/Tests\/.*/, with: path), "w"))
      fputs(text, file)
      fclose(file)
    }
    #expect(present == text, "\(path): make generate")
  }

  @Test("the manual page names every runtime")
  func runtimes() throws {
    let names = Set(Runtime.catalogue.map(\.name))
    let manual = try shipped("man/portwhy.1").matches(of: /\n\.Ql ([a-z0-9-]+) [,.]/).map { String($0.1) }
    #expect(Set(manual).isSuperset(of: names))
  }

  @Test("the manual page has the short form of every topic, as the catalogue writes it")
  func manualTopics() throws {
    let page = try shipped("man/portwhy.1")
    let start = try #require(page.firstRange(of: "holds it against it.\n")).upperBound
    let end = try #require(page.firstRange(of: ".\\\" End of the catalogue.\n")).lowerBound
    let items = Catalogue.topics.map { ".It Cm \($0.slug)\n\(manualText($0.summary))\n" }.joined()
    let expected = ".Bl -tag -width Ds\n" + items + ".El\n"
    if getenv("PORTWHY_RECORD") != nil {
      let path = #filePath.replacing(/Tests\/.*/, with: "man/portwhy.1")
      let file = try #require(fopen(path, "w"))
      fputs(page[..<start] + expected + page[end...], file)
      fclose(file)
    }
    #expect(page[start..<end] == expected)
  }

  @Test("every option that takes the next word is known as one to the bash and fish completions")
  func valued() throws {
    let valued = Set(OptionTable.portwhy.rows.filter(\.value.takesNextWord).flatMap(\.names))
    #expect(valued.count > 6)
    let bash = try #require(try shipped("completions/portwhy.bash").firstMatch(of: /(--runtime [^)]*)\) skip=yes/))
    #expect(options(in: String(bash.1)) == valued)
    let fish = try #require(try shipped("completions/portwhy.fish").firstMatch(of: /case (--runtime.*)/))
    #expect(options(in: String(fish.1)) == valued)
  }

  /// One sentence a line, lines of at most 78 columns, as mdoc(7) wants it.
  private func manualText(_ summary: String) -> String {
    var lines = [""]
    for word in summary.split(separator: " ") {
      let line = lines.removeLast()
      if line.isEmpty {
        lines.append(String(word))
      } else if line.count + 1 + word.count <= 78 {
        lines.append(line + " " + word)
      } else {
        lines += [line, String(word)]
      }
    }
    return lines.joined(separator: "\n")
  }
}
