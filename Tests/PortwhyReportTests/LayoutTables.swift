import Answers
import BindRules
import Explanation
import FixtureTestSupport
import SocketModel
import Testing

@testable import PortwhyReport

// Everything that is printed, in more widths and with more in it than the screens of `cases` have.

private func process(_ pid: Int32, _ command: String, _ change: (inout ProcessRecord) -> Void = { _ in })
  -> ProcessRecord
{
  var record = ProcessRecord(pid: pid, command: command, executable: "/usr/bin/\(command)", descriptors: [3, 4])
  change(&record)
  return record
}

private func held(
  _ address: String, _ port: UInt16 = 8080, _ holders: [ProcessRecord] = [process(7, "web")],
  change: (inout SocketObservation) -> Void = { _ in }
) -> SocketObservation {
  var socket = socket(
    .listen, address, port, v6only: ip(address).family == .ipv6 ? no(.sockDiag) : nil, uid: 1000, inode: 1,
    owner: .process, processes: holders)
  change(&socket)
  return socket
}

/// Two addresses of which each has advice of its own, and notes of the port.
private let mixed: Report = {
  var target = target(
    plan: Plan(options: .reuseaddr, device: "eth0", uid: 33),
    sockets: [
      held("127.0.0.1"), held("192.0.2.10", 8080, [process(8, "api")]),
      socket(.timeWait, "192.0.2.10", 8080, peer: ("192.0.2.9", 40_000), reuseaddr: no(.bpf), timer: 30_000),
      socket(.timeWait, "192.0.2.10", 8080, peer: ("192.0.2.9", 40_001), reuseaddr: no(.bpf), timer: 41_000),
    ], attempts: [attempt("127.0.0.1"), attempt("192.0.2.10"), attempt("192.0.2.11"), attempt("::1")],
    notes: [.otherProtocol(2, of: .udp, Command(argv: ["portwhy", "8080/udp"])), .vanished(1)])
  target.ours = OursFinding(matched: ["unit=web.service"], decides: false)
  return report([target])
}()

/// Thirteen listeners of one kind, and five of another: what is folded, and what is left out.
private let crowded: Report = {
  let many = (1...13).map { held("127.0.0.\($0)", 8080, [process(Int32($0) + 100, "web\($0)")]) }
  let alike = (1...5).map { held("127.0.1.\($0)", 8080, [process(Int32($0) + 200, "api")]) }
  let four = (1...4).map { held("127.0.2.\($0)", 8080, [process(Int32($0) + 300, "db")]) }
  return report([target(sockets: alike + four + many, attempts: [attempt("0.0.0.0")])])
}()

/// Columns that are not always there: peers, devices, IPV6_V6ONLY, what is on top of TCP.
private let columns: Report = {
  var tls = socket(
    .established, "::ffff:192.0.2.10", 8080, peer: ("::ffff:192.0.2.9", 40_000),
    reuseaddr: .inferred(
      true, from: 0, because: .noOwner), v6only: .unknown(.noOwner), device: 2, uid: 1000, inode: 2, owner: .process,
    processes: [process(7, "web") { $0.unit = "web.service" }])
  tls.ulp = "tls"
  tls.cgroup = "/system.slice/web.service"
  let local = socket(
    .listen, "fe80::1", 8080, reuseaddr: .unknown(.hidden), v6only: yes(.sockDiag), device: 9, uid: 33, inode: 3,
    owner: .hidden)
  var answer = report(
    [target(sockets: [held("::"), tls, local], attempts: [attempt("0.0.0.0"), attempt("::", v6only: true)])],
    visibility: notRoot)
  answer.visibility.bpf = BPFUse(iterators: ["tcp", "udp"], microseconds: 12_345, problem: "no \u{1b} BTF")
  return answer
}()

/// Each address with advice and reasons of its own, and one that works.
private let apart: Report = {
  let plain = process(9, "db")
  return report([
    target(
      plan: Plan(options: .reuseaddr, uid: 33),
      sockets: [
        held("0.0.0.0"), held("::1", 8080, [process(8, "api")]),
        socket(
          .close, "::1", 8080, reuseaddr: no(), v6only: yes(.sockDiag), uid: 33, inode: 4, owner: .process,
          processes: [plain]),
      ], attempts: [attempt("0.0.0.0"), attempt("::"), attempt("::", v6only: true)])
  ])
}()

private let undecided: Report = {
  var answer = undetermined
  answer.targets[0].attempts[0].outcomes[1].source = .probe
  answer.visibility.bpf = BPFUse(iterators: [], microseconds: 950)
  return answer
}()

private let many: Report = {
  var answer = report(
    (9000..<9018).map { free($0) } + [
      listenerTarget(port: 9020, processes: [nginx(), nginx(813)]), timeWaitTarget(count: 3), mixed.targets[0],
    ] + columns.targets)
  answer.targets[18].ours = OursFinding(matched: ["unit=nginx.service"], decides: true)
  return answer
}()

private let screens: [(name: String, report: Report)] = [
  ("two addresses", mixed), ("apart", apart), ("a crowd", crowded), ("more columns", columns),
  ("undecided", undecided), ("ports in a row", many), ("shared", sharedPort), ("long addresses", longIPv6),
  ("forty workers", cases[3].report),
]

private func rendered() -> String {
  screens.flatMap { name, report in
    [(40, false), (60, false), (80, true), (100, false)].map { width, verbose in
      let style = ScreenStyle(
        width: width, verbose: verbose, users: users, elapsedMicroseconds: verbose ? 65_432 : nil)
      return "## \(name), \(width) columns\(verbose ? ", -v" : "")\n\n" + Screen.render(report, style: style)
    }
  }.joined(separator: "\n")
}

/// The overview with everything that can be in a line of it.
private let busy: Report = {
  func port(_ number: UInt16, _ sockets: [SocketObservation]) -> TargetReport { used(number, sockets) }
  let hidden = socket(
    .listen, "0.0.0.0", 25, reuseaddr: .unknown(.hidden), reuseport: .unknown(.hidden), uid: 0, inode: 9,
    owner: .hidden)
  let clients = (0..<4).map { number in
    port(
      40_000 + number,
      [
        socket(
          .established, "192.0.2.10", 40_000 + number, peer: ("192.0.2.9", 443), uid: 1000, inode: 4, owner: .process,
          processes: [process(9, "firefox")])
      ])
  }
  var half = port(8443, [held("0.0.0.0", 8443)])
  half.unlistedConnections = 7
  return report(
    [
      port(22, [held("0.0.0.0", 22, [process(8, "sshd")]), held("::", 22, [process(8, "sshd")])]), port(25, [hidden]),
      port(
        80,
        [
          held("127.0.0.1", 80), held("127.0.0.2", 80, [process(8, "api")]),
          held("127.0.0.3", 80, [process(9, "db")]),
          socket(
            .established, "127.0.0.1", 80, peer: ("127.0.0.1", 40_000), uid: 1000, inode: 5, owner: .process,
            processes: [process(7, "web")]),
        ]), half,
      port(
        546,
        [
          socket(
            .close, "fe80::1", 546, transport: .udp, reuseport: yes(), v6only: yes(.sockDiag), device: 2, uid: 0,
            inode: 6, owner: .process, processes: [process(5, "dhclient")])
        ]),
    ] + clients, visibility: notRoot)
}()

extension Topic {
  /// The one with the longest title and name.
  fileprivate static var longest: Topic {
    Catalogue.topics.max { ($0.slug + $0.title).count < ($1.slug + $1.title).count } ?? Catalogue.topics[0]
  }
}

@Suite("What is printed")
struct LayoutTableTests {
  @Test("is what somebody read and found right, in every width")
  func widths() { GoldenFile.check(rendered(), "widths.txt") }

  @Test("of every port in use is a line each, in every width")
  func overviews() {
    let texts = [(40, false), (60, false), (100, false), (80, true)].map { width, verbose in
      "## \(width) columns\(verbose ? ", -v" : "")\n\n"
        + Screen.renderOverview(busy, style: ScreenStyle(width: width, verbose: verbose, users: users))
    }
    GoldenFile.check(texts.joined(separator: "\n"), "overview-widths.txt")
  }

  @Test("has the colour of its verdict in its first line, bold labels and a dim head of the table")
  func inks() {
    var mine = listenerTarget(processes: [nginx()])
    mine.ours = OursFinding(matched: ["pid=812"], decides: true)
    func lines(_ report: Report) -> [Substring] {
      Screen.render(report, style: ScreenStyle(color: true, users: users)).split(separator: "\n")
    }
    for (report, ink) in [
      (report([free(8080)]), "1;32"), (report([listenerTarget(processes: [nginx()])]), "1;31"),
      (undetermined, "1;33"), (report([mine]), "1;32"), (report([used(8080, [])]), "1"), (sharedPort, "1;32"),
    ] {
      let found = lines(report)
      #expect(found[0].hasPrefix("\u{1b}[\(ink)m8080") || found[0].hasPrefix("\u{1b}[\(ink)m5353"), "\(found[0])")
      // As far as the first sentence goes, and the second has none.
      for line in found.dropFirst() where line.contains("\u{1b}[") {
        let isHead = line.hasPrefix("\u{1b}[2m  STATE") || line.hasPrefix("\u{1b}[\(ink)m  ")
        #expect(isHead || line.hasPrefix("\u{1b}[1m"), "\(line)")
      }
      #expect(found.allSatisfy { !$0.hasPrefix("a bind") || !$0.contains("\u{1b}") })
      #expect(found[0].hasSuffix("\u{1b}[0m"))
    }
    let taken = lines(report([listenerTarget(processes: [nginx()])]))
    #expect(
      taken.count { $0.hasPrefix("\u{1b}[1m") } >= 4 && taken.contains { $0.hasPrefix("\u{1b}[1mbind  \u{1b}[0m") })
    let overview = Screen.renderOverview(busy, style: ScreenStyle(color: true)).split(separator: "\n")
    #expect(overview[0].hasPrefix("\u{1b}[2mPORT") && !overview[1].contains("\u{1b}"))
    let row = Screen.render(many, style: ScreenStyle(color: true)).split(separator: "\n")
    #expect(row.map { $0.contains("\u{1b}[1;32m") } == [true, true, false, false, false])
    #expect(row[2].contains("\u{1b}[1;31mbind fails") && row[3].contains("\u{1b}[1;33mundetermined"))
  }

  @Test("folds no two that differ in what the table tells, and tells why a flag is not known")
  func alike() {
    func rows(_ change: (Int, inout SocketObservation) -> Void) -> [Substring] {
      let sockets = (1...6).map { number in held("127.0.0.\(number)", 8080) { change(number, &$0) } }
      return Screen.render(
        report([target(sockets: sockets, attempts: [attempt("0.0.0.0")])]), style: ScreenStyle()
      ).split(separator: "\n").filter { $0.hasPrefix("  LISTEN ") || $0.hasPrefix("  ? ") }
    }
    #expect(rows { _, _ in }.count == 3)
    #expect(rows { if $0 % 2 == 0 { $1.reuseaddr = no() } }.count == 6)
    #expect(rows { if $0 % 2 == 0 { $1.reuseport = yes() } }.count == 6)
    let unknown = rows { $1.reuseport = .unknown(.yama) }
    #expect(unknown.last == "  ? not known: the Yama security module forbids looking at the owner")
  }

  @Test("counts what it does not show, of a kind or of all", arguments: [4, 5, 12, 13, 14])
  func counted(_ count: Int) {
    func rows(_ name: (Int) -> String) -> (shown: Int, rest: Substring?) {
      let sockets = (1...count).map { held("127.0.0.\($0)", 8080, [process(Int32($0), name($0))]) }
      let text = Screen.render(
        report([target(sockets: sockets, attempts: [attempt("0.0.0.0")])]), style: ScreenStyle())
      let lines = text.split(separator: "\n")
      return (lines.count { $0.hasPrefix("  LISTEN ") }, lines.first { $0.hasPrefix("  … ") })
    }
    let (alike, apart) = (rows { _ in "web" }, rows { "web\($0)" })
    #expect(
      alike.shown == (count == 4 ? 4 : 3) && alike.rest == (count == 4 ? nil : "  … and \(count - 3) more LISTEN"))
    #expect(apart.shown == min(count, 12))
    let more = count == 13 ? "1 more socket" : "\(count - 12) more sockets"
    #expect(apart.rest == (count > 12 ? "  … and \(more) (-v shows all)" : nil))
  }

  @Test("of topics and runtimes is a line each, in every width")
  func lists() {
    let texts = [60, 100].map { width in
      let style = ScreenStyle(width: width)
      return "## \(width) columns\n\n" + TopicScreen.renderList(style: style) + "\n"
        + RuntimeList.render(style: style)
    }
    GoldenFile.check(texts.joined(separator: "\n"), "lists.txt")
    let topic = Topic.longest
    for width in [40, 60] {
      let lines = TopicScreen.render(topic, style: ScreenStyle(width: width)).split(separator: "\n")
      #expect(lines.allSatisfy { $0.count <= width } && lines.contains { $0.count > width - 6 })
    }
    // A title is broken where the next word has no room, two columns before the end.
    for width in 40...100 {
      let lines = TopicScreen.render(topic, style: ScreenStyle(width: width)).split(
        separator: "\n", omittingEmptySubsequences: false
      ).prefix { !$0.isEmpty }
      for (line, next) in zip(lines, lines.dropFirst()) {
        let word = next.split(separator: " ")[0]
        let taken = line.drop { $0 == " " }.count
        #expect(taken <= width - 2 && taken + 1 + word.count > width - 2, "\(width): \(line)")
      }
    }
    let heading = TopicScreen.renderList(style: ScreenStyle(color: true)).split(separator: "\n").first
    #expect(heading == "\u{1b}[1mcauses\u{1b}[0m")
  }

  @Test("in brief says of each address how it ends, why and because of whom")
  func brief() {
    var kernels = socket(.close, "0.0.0.0", 4789, transport: .udp, reuseaddr: no(), uid: 0, inode: 4, owner: .kernel)
    let reports: [Report] = [
      mixed, columns, undecided, sharedPort, hiddenOwner, listenFails,
      report([
        target(
          port: 4789, transport: .udp, sockets: [kernels], attempts: [attempt("0.0.0.0", port: 4789, transport: .udp)]
        )
      ]),
      {
        kernels.kernelOwner = KernelOwner(kind: .vxlan, interface: nil)
        return report([
          target(
            port: 4789, transport: .udp, sockets: [kernels],
            attempts: [attempt("0.0.0.0", port: 4789, transport: .udp)])
        ])
      }(),
      {
        kernels.kernelOwner = KernelOwner(kind: .vxlan, interface: "vx 0")
        return report([
          target(
            port: 4789, transport: .udp, sockets: [kernels],
            attempts: [attempt("0.0.0.0", port: 4789, transport: .udp)])
        ])
      }(),
      report([
        target(
          sockets: [
            held("0.0.0.0", 8080, [process(1, "systemd")]) {
              $0.activation = SocketActivation(unit: "web.socket", activates: nil)
            }
          ], attempts: [attempt("0.0.0.0")])
      ]),
      report([
        target(
          sockets: [
            held("0.0.0.0", 8080, [process(9, "node") { $0.container = String(repeating: "0f", count: 32) }])
          ],
          attempts: [attempt("0.0.0.0")])
      ]),
    ]
    GoldenFile.check(reports.map { BriefLines.render($0) }.joined(), "brief.txt")
  }

  @Test(
    "has as many columns as its characters take",
    arguments: [
      ("\u{10ff}", 1), ("\u{1100}", 2), ("\u{115f}", 2), ("\u{1160}", 1), ("\u{2e7f}", 1), ("\u{2e80}", 2),
      ("\u{303e}", 2), ("\u{303f}", 1), ("\u{3040}", 1), ("\u{3041}", 2), ("\u{a4cf}", 2), ("\u{a4d0}", 1),
      ("\u{abff}", 1), ("\u{ac00}", 2), ("\u{d7a3}", 2), ("\u{d7a4}", 1), ("\u{f8ff}", 1), ("\u{f900}", 2),
      ("\u{faff}", 2), ("\u{fb00}", 1), ("\u{fe30}", 2), ("\u{fe6f}", 2), ("\u{fe70}", 1), ("\u{ff00}", 2),
      ("\u{ff60}", 2), ("\u{ff61}", 1), ("\u{ffdf}", 1), ("\u{ffe0}", 2), ("\u{ffe6}", 2), ("\u{ffe7}", 1),
      ("\u{1f2ff}", 1), ("\u{1f300}", 2), ("\u{1faff}", 2), ("\u{1fb00}", 1), ("\u{1ffff}", 1), ("\u{20000}", 2),
      ("\u{3fffd}", 2), ("\u{3fffe}", 1), ("a\u{301}b", 2), ("\u{20dd}", 0), ("", 0), ("abc", 3),
    ])
  func columnsTaken(_ text: String, _ width: Int) { #expect(TerminalText.width(text) == width) }

  @Test("is broken between words only, and a word that is too long stands alone")
  func wrapping() {
    #expect(TerminalText.wrapped([], columns: 5) == [])
    #expect(TerminalText.wrapped(["ab", "cd"], columns: 5) == ["ab cd"])
    #expect(TerminalText.wrapped(["ab", "cd"], columns: 4) == ["ab", "cd"])
    #expect(TerminalText.wrapped(["ab", "cd", "e"], columns: 6) == ["ab cd", "e"])
    #expect(TerminalText.wrapped(["abcdefgh", "i", "j"], columns: 4) == ["abcdefgh", "i j"])
    #expect(TerminalText.wrapped(["ab", "cd"], columns: 7, separator: "   ") == ["ab   cd"])
    #expect(TerminalText.wrapped(["ab", "cd"], columns: 6, separator: "   ") == ["ab", "cd"])
    #expect(" a  b ".words == ["a", "b"] && "".words == [] && "  ".words == [])
    #expect(TerminalText.padded("ab", to: 4) == "ab  " && TerminalText.padded("ab", to: 1) == "ab")
  }

  @Test("has 40 to 100 columns, whatever the terminal says")
  func styles() {
    #expect([-1, 39, 40, 77, 100, 101].map { ScreenStyle(width: $0).width } == [40, 40, 40, 77, 100, 100])
    let style = ScreenStyle(users: [33: "www\u{1b}"])
    #expect(style.user(33) == "www\\x1b" && style.user(34) == "uid 34")
    #expect(style.uidAndName(33) == "uid 33 (www\\x1b)" && style.uidAndName(34) == "uid 34")
    #expect(ScreenStyle(numeric: true, users: [33: "www"]).uidAndName(33) == "uid 33")
    #expect(style.paint("x", .bold) == "x" && ScreenStyle(color: true).paint("x", .fails) == "\u{1b}[1;31mx\u{1b}[0m")
    #expect(ScreenStyle(color: true).paint("x", .dim) == "\u{1b}[2mx\u{1b}[0m")
  }

  @Test("hides no character that shows nothing, and no other")
  func harmful() {
    let harmless: [Unicode.Scalar] = [" ", "~", "a", "é", "漢", "\\", "\u{20dd}", "\u{fffd}", "😀"]
    let harmful: [Unicode.Scalar] = [
      "\u{0}", "\u{1f}", "\u{7f}", "\u{80}", "\u{9f}", "\u{a0}", "\u{ad}", "\u{200b}", "\u{2028}", "\u{2029}",
      "\u{202e}", "\u{2800}", "\u{3000}", "\u{3164}", "\u{e000}", "\u{fe0f}", "\u{378}",
    ]
    #expect(harmless.filter(TerminalText.isHarmful) == [] && harmful.allSatisfy(TerminalText.isHarmful))
    #expect(TerminalText.escaped("\u{0}\u{f}\u{10}\u{ff}\u{ad}\u{200b}x") == "\\x00\\x0f\\x10ÿ\\xad\\u{200b}x")
  }

  @Test("of a table leaves a column its room, and breaks the last one alone")
  func table() {
    let table = TextTable(
      header: ["A", "BB", "OWNER"],
      rows: [
        .init(["long cell", "x", "one two three four five six seven"]), .init(remark: "and more"),
        .init(["y", "", "z"]),
      ])
    for (width, expected) in [
      (
        60,
        [
          "  A          BB  OWNER", "  long cell  x   one two three four five six seven", "  and more",
          "  y              z",
        ]
      ),
      (
        40,
        [
          "  A          BB  OWNER", "  long cell  x   one two three four five", "                 six seven",
          "  and more",
          "  y              z",
        ]
      ),
      (
        36,
        [
          "  A          BB", "  long cell  x", "      one two three four five six", "      seven", "  and more",
          "  y",
          "      z",
        ]
      ),
    ] as [(Int, [String])] {
      #expect(table.lines(width: width) == expected, "\(width)")
    }
    #expect(table.fits(width: 50) && !table.fits(width: 49))
    #expect(table.fits(width: 37, wrapped: 20) && !table.fits(width: 36, wrapped: 20))
  }
}
