import BindRules
import Explanation
import Answers
import SocketModel
import Testing

@testable import PortwhyReport

@Suite("The layout")
struct LayoutTests {
  @Test("of the overview says mixed where flags differ, and ? where one is not known")
  func sharing() {
    func row(_ flags: [Knowledge<Bool>]) -> String {
      let sockets = flags.enumerated().map { index, flag in
        socket(.listen, "127.0.0.\(index + 1)", 8080, reuseaddr: flag, inode: 1, owner: .hidden)
      }
      return Screen.renderOverview(report([used(8080, sockets)]), style: ScreenStyle())
    }
    #expect(row([yes(), no()]).contains("  mixed  "))
    #expect(row([yes(), no(), .unknown(.hidden)]).contains("  ?  "))
    #expect(row([yes(), yes()]).contains("  reuseaddr  "))
  }

  @Test("keeps a last column of 20 columns beside the others, and puts a narrower one below its row")
  func narrowest() {
    let table = TextTable(
      header: ["A", "B"], rows: [.init(["x", "one two three four five six"])], indent: 0, gap: 1)
    #expect(table.lines(width: 22) == ["A B", "x one two three four", "  five six"])
    #expect(table.lines(width: 21) == ["A", "x", "    one two three", "    four five six"])
  }

  @Test("counts combining marks as no columns and wide characters as two")
  func width() {
    #expect(
      TerminalText.width("e\u{301}") == 1 && TerminalText.width("漢字") == 4 && TerminalText.width("a\u{20dd}") == 1)
    #expect(TerminalText.padded("e\u{301}", to: 3) == "e\u{301}  ")
  }

  @Test("prints a command to kill as it runs, in one piece, however many pids it has")
  func kill() {
    func screen(_ pids: ClosedRange<Int32>) -> String {
      let processes = pids.map { ProcessRecord(pid: $0, command: "server", descriptors: [3]) }
      let listener = socket(.listen, "0.0.0.0", 8080, uid: 0, inode: 1, owner: .process, processes: processes)
      let answer = report([target(sockets: [listener], attempts: [attempt("0.0.0.0")])])
      return Screen.render(answer, style: ScreenStyle(width: 60))
    }
    #expect(screen(11...42).contains("kill " + (11...42).map(String.init).joined(separator: " ") + "\n"))
    // More than can be read: no list, and no command that does something else.
    #expect(!screen(11...43).contains("kill") && screen(11...43).contains("33 processes"))
  }

  @Test("takes only a listener of the connection's own family for the one whose queue it waits in")
  func queue() {
    func owner(_ address: String, _ child: String) -> String {
      let sockets = [
        socket(
          .listen, address, 8080, inode: 1, owner: .process,
          processes: [ProcessRecord(pid: 7, command: "web", descriptors: [3])]),
        socket(.established, child, 8080, peer: (child, 40000)),
      ]
      return ScreenStyle().owners(sockets)(sockets[1])
    }
    #expect(owner("0.0.0.0", "10.0.0.5") == "none, in the accept queue of web (pid 7)")
    #expect(owner("::", "::ffff:10.0.0.5") == "none, in the accept queue of web (pid 7)")
    #expect(owner("0.0.0.0", "fd00::5") == "none, in the accept queue")
    #expect(owner("::", "10.0.0.5") == "none, in the accept queue")
  }

  @Test(
    "puts a name in quotes that could be read as a name and a number, or as two",
    arguments: [
      ("nginx", "nginx (pid 7)"), ("nginx (pid 1),x", "\"nginx (pid 1),x\" (pid 7)"), ("a b", "\"a b\" (pid 7)"),
      ("a\" (pid 1), \"b", "\"a\\\" (pid 1), \\\"b\" (pid 7)"),
    ])
  func names(_ name: String, _ text: String) {
    let held = socket(
      .listen, "0.0.0.0", 8080, inode: 1, owner: .process,
      processes: [ProcessRecord(pid: 7, command: name, descriptors: [3])])
    #expect(ScreenStyle().owners([held])(held) == text)
  }
}
