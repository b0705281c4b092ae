import FixtureTestSupport
import BindRules
import Answers
import PortwhyReport
import SocketModel
import Testing

private func screen(_ example: Case, width: Int = 80, color: Bool = false) -> String {
  let style = ScreenStyle(
    width: width, color: color, verbose: example.verbose, users: users, elapsedMicroseconds: 4321)
  return example.isOverview
    ? Screen.renderOverview(example.report, style: style) : Screen.render(example.report, style: style)
}

@Suite("The screen")
struct ScreenTests {
  @Test("is what was once found right", arguments: cases)
  func golden(_ example: Case) {
    GoldenFile.check(screen(example), example.name + ".txt")
  }

  @Test(
    "keeps within the width, but for a command that is to be copied in one piece", arguments: cases, [60, 80, 100])
  func width(_ example: Case, _ width: Int) {
    for line in screen(example, width: width).split(separator: "\n") where line.count > width {
      let isOneWord = line.dropFirst(6).split(separator: " ").count == 1
      let isCommand = line.dropFirst(6).hasPrefix("sudo ") || line.dropFirst(6).hasPrefix("portwhy ")
      #expect(isOneWord || isCommand, "\(line)")
    }
  }

  @Test("says the same with and without colour", arguments: cases)
  func colour(_ example: Case) {
    let colored = screen(example, color: true)
    #expect(!screen(example).contains("\u{1b}"))
    var plain = ""
    var isInside = false
    for character in colored {
      if character == "\u{1b}" { isInside = true }
      if !isInside { plain.append(character) }
      if isInside && character == "m" { isInside = false }
    }
    func trimmed(_ text: String) -> [String] {
      text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
        String(line.reversed().drop { $0 == " " }.reversed())
      }
    }
    #expect(trimmed(plain) == trimmed(screen(example)))
  }

  @Test("answers in its first line, and fits 24 lines", arguments: cases.filter { !$0.isOverview && !$0.verbose })
  func short(_ example: Case) {
    let lines = screen(example).split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count <= 25)
    #expect(lines.first?.first?.isNumber == true)
  }

  @Test("lets no text of another process control the terminal")
  func hostile() throws {
    let example = try #require(cases.first { $0.name == "hostile-names" })
    for verbose in [false, true] {
      var example = example
      example.verbose = verbose
      let harmful = screen(example).unicodeScalars.filter {
        $0 != "\n" && ($0.value < 0x20 || (0x7f...0x9f).contains($0.value) || $0 == "\u{202e}" || $0 == "\u{2028}")
      }
      #expect(harmful.isEmpty)
    }
    #expect(TerminalText.escaped("e\u{1b}v\n\u{9b}\u{202e}é\\x2d") == "e\\x1bv\\x0a\\x9b\\u{202e}é\\x2d")
    // What shows nothing, or only a blank.
    for invisible: Unicode.Scalar in ["\u{fe0f}", "\u{3164}", "\u{2800}", "\u{34f}", "\u{a0}", "\u{3000}"] {
      #expect(TerminalText.isHarmful(invisible), "\(invisible.value)")
    }
  }

  @Test("shows every socket with -v")
  func verboseShowsAll() throws {
    var example = try #require(cases.first { $0.name == "three-hundred-time-wait" })
    example.verbose = true
    let rows = screen(example).split(separator: "\n").filter { $0.hasPrefix("  TIME_WAIT") }
    #expect(rows.count == 300)
  }

  @Test("says of a free port that it works with the planned options and without")
  func freeAsPlanned() {
    var target = free(8080)
    target.plan.options = .reuseaddr
    let text = Screen.render(report([target]), style: ScreenStyle(users: users))
    #expect(text == "8080/tcp is free\na bind with SO_REUSEADDR to 0.0.0.0 or [::] as alice works\n")
  }

  @Test("has one line for ports side by side that nobody uses and that end alike, and one for each port in use")
  func runs() {
    let targets = [free(8000), free(8001), free(8002), listenerTarget(port: 8003, processes: [nginx()])]
    var other = free(8010)
    other.transport = .udp
    let text = Screen.render(
      report(targets + (8004..<8010).map(free) + [other] + (8012..<8020).map(free)), style: ScreenStyle(users: users))
    #expect(
      text == """
        8000-8002/tcp  free
        8003/tcp       bind fails (EADDRINUSE)   LISTEN nginx (pid 812) in nginx.service
        8004-8009/tcp  free
        8010/udp       free
        8012-8019/tcp  free

        """)
  }

  @Test("has one screen for free ports side by side, in short ranges and lists too")
  func freeRow() {
    let text = Screen.render(report([free(8080), free(8081), free(8090)]), style: ScreenStyle(users: users))
    #expect(
      text == """
        8080-8081/tcp are free
        a bind to 0.0.0.0 or [::] as alice works

        8090/tcp is free
        a bind to 0.0.0.0 or [::] as alice works

        """)
  }

  @Test("of a plain listener fits 14 lines, names at most four things to do and says nothing twice")
  func plain() {
    let listener = socket(
      .listen, "127.0.0.1", 38100, uid: 1000, inode: 1, owner: .process,
      processes: [ProcessRecord(pid: 7, command: "python3", descriptors: [3])])
    let answer = report([
      target(port: 38100, sockets: [listener], attempts: ["0.0.0.0", "::"].map { attempt($0, port: 38100) })
    ])
    let lines = Screen.render(answer, style: ScreenStyle(users: users)).split(
      separator: "\n", omittingEmptySubsequences: false
    ).dropLast()
    #expect(lines.count <= 14, "\(lines.joined(separator: "\n"))")
    #expect(lines.filter { $0.hasPrefix("do ") || $0.hasPrefix("or ") }.count <= 4)
    let words = lines.map(String.init).filter { !$0.isEmpty }
    #expect(Set(words).count == words.count)
  }

  @Test("in brief is a line for each port and address, without pids and seconds")
  func brief() {
    let answer = report([listenerTarget(processes: [nginx(812), nginx(813)]), timeWaitTarget(count: 2), free(8081)])
    #expect(
      BriefLines.render(answer) == """
        8080/tcp 0.0.0.0 fails EADDRINUSE listener nginx.service
        8080/tcp :: fails EADDRINUSE dual-stack-overlap nginx.service
        8080/tcp 0.0.0.0 fails EADDRINUSE time-wait nobody
        8080/tcp :: fails EADDRINUSE time-wait nobody
        8081/tcp 0.0.0.0 works
        8081/tcp :: works

        """)
    #expect(
      BriefLines.render(report([free(8081)]), of: "web 1") == """
        web\\x201: 8081/tcp 0.0.0.0 works
        web\\x201: 8081/tcp :: works

        """)
    var fold = Fold()
    fold.add(FoldProblem(file: "f", line: 3, problem: "No route\u{1b} to host", host: "lab1"))
    fold.add(FoldProblem(file: "f", line: 4, problem: "no report"))
    #expect(BriefLines.unanswered(fold) == "lab1: no-answer No\\x20route\\x1b\\x20to\\x20host\n")
  }

  @Test("shows no user names with -n")
  func numeric() throws {
    let example = try #require(cases.first { $0.name == "hidden-owner" })
    let text = Screen.render(example.report, style: ScreenStyle(numeric: true, users: users))
    #expect(text.contains("as uid 1000 ") && text.contains("hidden (uid 33)\n"))
    #expect(!text.contains("alice"))
  }
}
