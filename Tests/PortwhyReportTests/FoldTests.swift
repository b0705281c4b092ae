import BindRules
import Explanation
import FixtureTestSupport
import JSONTestSupport
import SocketModel
import Testing

@testable import Answers
@testable import PortwhyReport

private let listener = socket(
  .listen, "0.0.0.0", 8080, uid: 33, inode: 1, cookie: 7, owner: .process, processes: [nginx()])

private func taken(_ listener: SocketObservation = listener) -> TargetReport {
  target(sockets: [listener], attempts: [attempt("0.0.0.0")])
}
private let free = target(sockets: [], attempts: [attempt("0.0.0.0")])

private func fold(_ answers: [(host: String, target: TargetReport)]) -> Fold {
  var fold = Fold()
  for (host, target) in answers { fold.add(report([target]), host: host, version: "0.2.0", users: users) }
  return fold
}

@Suite("The names of many hosts")
struct FoldedNamesTests {
  @Test(
    "are folded as operators write them",
    arguments: [
      ("", ""), ("web1", "web1"), ("web1 web2 web3 web10", "web[1-3,10]"),
      ("web09 web10 web100", "web100 web[09-10]"),
      ("web001 web002 web3", "web3 web[001-002]"), ("web2 web1 web2", "web[1-2]"), ("b a", "a b"),
      ("db1.example.org db2.example.org db1.test", "db[1-2].example.org db1.test"),
      ("web01.dc2 web02.dc2 web01.dc3", "web[01-02].dc2 web01.dc3"), ("10.0.0.5 10.0.0.6", "10.0.0.[5-6]"),
      ("rack1-n2 rack1-n3 rack2-n2", "rack1-n[2-3] rack2-n2"), ("n12345678901234567890", "n12345678901234567890"),
      ("n1 n3 n5", "n[1,3,5]"), ("1 2 4", "[1-2,4]"),
    ])
  func folded(_ names: String, _ expected: String) {
    #expect(FoldedNames.entries(names.split(separator: " ").map(String.init)).joined(separator: " ") == expected)
  }
}

@Suite("The answers of many hosts")
struct FoldTests {
  @Test("are a row for each verdict, cause and holder")
  func rows() {
    var other = listener
    other.processes[0].unit = "apache2.service"
    var mine = taken()
    mine.ours = OursFinding(matched: ["unit=nginx.service"], decides: true)
    var fold = fold(
      (1...20).map { ("web\($0)", free) } + [
        ("db1", taken()), ("db2", taken()), ("db3", taken(other)), ("app1", mine),
      ])
    fold.add(FoldProblem(file: "f", line: 3, problem: "No route to host", host: "lab1"))
    fold.add(FoldProblem(file: "f", line: 9, problem: "a banner", host: "db1"))
    #expect(
      fold.text(style: ScreenStyle()) == """
        8080/tcp on 0.0.0.0, 24 hosts
          ok     20                             web[1-20]
          ours    1            nginx.service    app1
          fails   2  listener  nginx.service    db[1-2]
          fails   1  listener  apache2.service  db3

        no answer, 1 host
          1  No route to host  lab1

        """)
    #expect(fold.worst == .fails)
    #expect(fold.otherProblems.map(\.line) == [9])
  }

  @Test("have what other systems answer beside the holder, and are apart where these differ")
  func foreign() throws {
    let host = foreignHost()
    func asked(_ socket: SocketObservation, _ options: ReuseOptions) -> TargetReport {
      let plan = BindAttempt(transport: .tcp, address: ip("127.0.0.1"), port: Port(8080), uid: 33)
      let outcomes = outcomes(of: plan, in: Snapshot(host: host, sockets: [socket]))
      var report = target(
        plan: Plan(options: options, uid: 33), sockets: [socket],
        attempts: [AttemptReport(attempt: plan, outcomes: outcomes)])
      report.attempts[0].foreign = report.foreignReports(
        report.attempts[0], under: [.freebsd, .macos], host: host, visibility: Visibility())
      return report
    }
    var exact = listener
    exact.local.address = ip("127.0.0.1")
    let answers = fold([
      ("a", asked(listener, .reuseaddr)), ("b", asked(listener, .reuseaddr)), ("c", asked(exact, .reuseaddr)),
    ])
    #expect(
      answers.text(style: ScreenStyle()) == """
        8080/tcp on 127.0.0.1 with SO_REUSEADDR, 3 hosts
          fails  2  wildcard-overlap  nginx.service  FreeBSD ok, macOS likely ok
              a, b
          fails  1  listener          nginx.service  FreeBSD EADDRINUSE, macOS EADDRINUSE
              c

        """)
    let text = answers.json(version: "0.2.0", status: 1)
    #expect(text.contains(#""as":[{"system":"freebsd","bind":"ok","likely":null},"#))
    #expect(text.contains(#"{"system":"macos","bind":"undetermined","likely":"ok"}]"#))
    #expect(!fold([("a", free)]).text(style: ScreenStyle()).contains("FreeBSD"))
  }

  @Test("end as the worst of them")
  func worst() {
    var fold = fold([("a", free)])
    #expect(fold.worst == .ok)
    fold.add(FoldProblem(file: "f", line: 3, problem: "a banner", host: "a"))
    #expect(fold.worst == .ok)
    fold.add(FoldProblem(file: "f", line: 3, problem: "no report"))
    #expect(fold.worst == .undetermined)
    fold.add(report([taken()]), host: "b", version: "0.2.0", users: users)
    #expect(fold.worst == .fails)
  }

  @Test("are not known to be ok where one is open, or one is silent")
  func open() {
    let hidden = socket(
      .listen, "0.0.0.0", 8080, reuseport: .unknown(.hidden), uid: 33, inode: 1, owner: .hidden)
    let question = target(
      plan: Plan(options: .reuseport, uid: 33), sockets: [hidden], attempts: [attempt("0.0.0.0", uid: 33)])
    #expect(fold([("a", free), ("b", question)]).worst == .undetermined)
    var silent = fold([("a", free)])
    silent.add(FoldProblem(file: "f", line: 3, problem: "No route to host", host: "b"))
    #expect(silent.worst == .undetermined)
    #expect(fold([("a", used(8080, []))]).worst == .ok, "nothing was planned")
  }

  @Test("have the colour of their verdict in its column")
  func inks() {
    var mine = taken()
    mine.ours = OursFinding(matched: ["pid=7"], decides: true)
    let hosts = [("a", free), ("b", taken()), ("c", mine), ("d", used(8080, []))]
    let lines = fold(hosts).text(style: ScreenStyle(color: true)).split(separator: "\n")
    for (word, ink) in [("ok", "1;32"), ("ours", "1;32"), ("fails", "1;31"), ("not asked", "2")] {
      #expect(lines.contains { $0.hasPrefix("  \u{1b}[\(ink)m\(word)") }, "\(word)")
    }
  }

  @Test("say what is not known, and why")
  func undetermined() {
    let hidden = socket(
      .listen, "0.0.0.0", 8080, reuseport: .unknown(.hidden), uid: 33, inode: 1, owner: .hidden)
    let question = target(
      plan: Plan(options: .reuseport, uid: 33), sockets: [hidden], attempts: [attempt("0.0.0.0", uid: 33)])
    let text = fold([("a", question)]).text(style: ScreenStyle())
    #expect(
      text == """
        8080/tcp on 0.0.0.0 with SO_REUSEPORT, 1 host
          undetermined  1  not known: bind-order, reuseport  hidden (www-data)
              a

        """)
  }

  @Test("count a host once for each question: the newer report")
  func again() {
    var fold = fold([("a", taken())])
    var newer = report([free])
    newer.capturedAt += 10
    fold.add(newer, host: "a", version: "0.2.0", users: users)
    fold.add(report([taken()]), host: "a", version: "0.2.0", users: users)
    #expect(fold.answered == 1 && fold.worst == .ok)
    #expect(fold.text(style: ScreenStyle()).contains("note  2 reports left out"))
    fold.add(
      report([target(port: 80, sockets: [], attempts: [attempt("0.0.0.0", port: 80)])]), host: "a", version: "0.2.0",
      users: users)
    #expect(fold.questions.count == 2)
  }

  @Test("name reports that are old, or of another version")
  func ages() {
    var fold = fold([("a1", free), ("a2", free)])
    var old = report([free])
    old.capturedAt -= 3601
    fold.add(old, host: "b", version: "0.1.0", users: users)
    let text = fold.text(style: ScreenStyle(width: 100))
    #expect(
      text.contains("note  1 report is more than an hour older than the newest (2026-01-31T12:00:00.000Z): b\n"))
    #expect(text.contains("note  1 report of portwhy 0.1.0, not 0.2.0: b\n"))
  }

  @Test("harm no terminal, whatever a host calls itself")
  func hostile() {
    let text = fold([("a\u{1b}[31m\n", free)]).text(style: ScreenStyle())
    #expect(text.contains("a\\x1b[31m\\x0a") && !text.contains("\u{1b}"))
  }

  @Test("stay within the screen, however many names there are")
  func width() {
    let hosts = (1...400).map { (host: "host\($0 * 2)", target: free) } + [(host: "z", target: taken())]
    let lines = fold(hosts).text(style: ScreenStyle()).split(separator: "\n")
    #expect(lines.count > 20 && lines.allSatisfy { $0.count <= 80 })
    let names = lines.dropFirst().map { $0.split(separator: " ").last ?? "" }.joined()
    #expect(names.contains("host[2,4,6,8,10,") && names.contains(",798,800]"))
    // Full lines: what begins the next one had no room.
    for width in 40...100 {
      let lines = fold(hosts).text(style: ScreenStyle(width: width)).split(separator: "\n")
      for (line, next) in zip(lines, lines.dropFirst()) where line.hasSuffix(",") && next.hasPrefix("      ") {
        let part = next.drop { $0 == " " }.prefix { $0 != "," }
        #expect(line.count <= width && line.count + part.count + 1 > width, "\(width): \(line)")
      }
    }
  }

  /// Everything that a fold can have: several questions, users, devices, verdicts, holders, ages, versions, silent hosts.
  private static let full: Fold = {
    var fold = Fold()
    func add(_ target: TargetReport, _ hosts: [String], version: String = "0.2.0", hoursAgo: Double = 0) {
      var report = report([target])
      report.capturedAt -= 3600 * hoursAgo
      for host in hosts {
        fold.add(
          report, host: host, version: version, users: users, asUser: target.port == Port(80) ? "alice" : nil)
      }
    }
    func held(_ change: (inout SocketObservation) -> Void) -> TargetReport {
      var socket = listener
      change(&socket)
      return taken(socket)
    }
    add(free, (1...12).map { "web\($0)" } + ["db7"])
    add(taken(), ["db1", "db2", "db3", "cache01", "cache02"])
    add(held { $0.processes[0].unit = nil }, ["edge1"])
    add(
      held {
        $0.processes[0].container = String(repeating: "0f", count: 32)
        $0.processes.append(ProcessRecord(pid: 9, command: "sleep", descriptors: [3]))
      }, ["edge2"])
    add(held { ($0.processes[0].container, $0.processes[0].containerName) = ("x", "shop") }, ["edge3"])
    add(held { ($0.owner, $0.processes) = (.hidden, []) }, ["edge4"])
    add(held { ($0.owner, $0.processes, $0.uid) = (.hidden, [], 77) }, ["edge5"])
    add(held { ($0.owner, $0.processes, $0.uid) = (.process, [], nil) }, ["edge6"])
    add(held { ($0.owner, $0.processes) = (.kernel, []) }, ["edge7"])
    let nfsd = held { ($0.owner, $0.processes, $0.kernelOwner) = (.kernel, [], KernelOwner(kind: .nfsd)) }
    add(nfsd, ["edge8", "edge10"], hoursAgo: 2)
    add(timeWaitTarget(count: 1), ["late1"], hoursAgo: 1)
    add(timeWaitTarget(count: 1), ["late2"], hoursAgo: 1.001)
    let hidden = socket(
      .listen, "0.0.0.0", 8080, reuseport: .unknown(.hidden), uid: 33, inode: 1, owner: .hidden)
    let open = target(
      plan: Plan(options: .reuseport, device: "eth0", uid: 33), sockets: [hidden],
      attempts: [attempt("0.0.0.0", uid: 33)], visibility: notRoot)
    fold.add(report([open], visibility: notRoot), host: "x1", version: "0.1.0", users: users)
    fold.add(report([open]), host: "x2", version: "0.1.0", users: users)
    let both = ["0.0.0.0", "::"].map { attempt($0, port: 80) }
    add(target(port: 80, sockets: [], attempts: both), ["web1"])
    add(used(443, [listener]), ["web1"])
    var mine = taken()
    mine.ours = OursFinding(matched: ["unit=nginx.service"], decides: true)
    add(mine, ["own1"], version: "0.3.0")
    add(free, ["own1"], version: "0.3.0", hoursAgo: 1)
    add(free, ["own2"], version: "0.3.0", hoursAgo: 1)
    add(mine, ["own2"], version: "0.3.0")
    for (line, host, problem) in [
      (1, "lab1", "No route to host"), (2, "lab2", "No route to host"), (3, "lab1", "later"),
      (4, "lab9", "timed\u{1b}out"),
    ] {
      fold.add(FoldProblem(file: "f", line: line, problem: problem, host: host))
    }
    fold.add(FoldProblem(file: "-", line: nil, problem: "no report"))
    fold.add(FoldProblem(file: "f", line: 9, problem: "a banner", host: "db1"))
    return fold
  }()

  @Test("are what somebody read and found right, in every width and as JSON")
  func golden() {
    let texts = [40, 60, 80, 100].map { "## \($0) columns\n\n" + Self.full.text(style: ScreenStyle(width: $0)) }
    let json = Self.full.json(version: "0.2.0", status: 1).replacing("},", with: "},\n").replacing("],", with: "],\n")
    GoldenFile.check((texts + ["## JSON\n\n" + json]).joined(separator: "\n"), "fold.txt")
    #expect(Self.full.hasSilentHosts && !fold([("a", free)]).hasSilentHosts)
    #expect(Self.full.answered == 33 && Self.full.otherProblems.count == 2)
  }

  @Test("fit their schema, and no other")
  func schema() throws {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let schema = try JSONDocument(parsing: try #require(fileText("/" + root + "/schema/portwhy.fold-1.schema.json")))
    var fold = fold([("a1", free), ("a2", taken())])
    fold.add(FoldProblem(file: "f", line: 3, problem: "No route to host", host: "lab1"))
    fold.add(FoldProblem(file: "-", line: nil, problem: "no report"))
    let text = fold.json(version: "0.2.0", status: 1)
    #expect(text.hasSuffix("}\n") && text.filter { $0 == "\n" }.count == 1)
    #expect(SchemaValidator(schema: schema).violations(try JSONDocument(parsing: text)) == [])
    for (found, replaced) in [("\"count\":1", "\"count\":\"1\""), ("fold/1", "fold/2"), ("\"old\":[],", "")] {
      let broken = text.replacing(found, with: replaced)
      #expect(broken != text)
      #expect(!SchemaValidator(schema: schema).violations(try JSONDocument(parsing: broken)).isEmpty)
    }
  }
}

@Suite("What engines print")
struct ReportStreamTests {
  /// The pieces of a text that comes in parts of this size.
  private func pieces(_ text: String, parts: Int, limit: Int = 1000) -> [String] {
    var stream = ReportStream(limit: limit)
    var found: [String] = []
    var rest = Array(text.utf8)[...]
    repeat {
      stream.append(Array(rest.prefix(parts)))
      rest = rest.dropFirst(parts)
      while let piece = stream.next(isWhole: rest.isEmpty) {
        switch piece {
        case .document(let bytes, let name, let line):
          found.append("\(line) \(name ?? "-") \(String(decoding: bytes, as: UTF8.self))")
        case .foreign(let text, let name, let line): found.append("\(line) \(name ?? "-")! \(text)")
        case .tooLong(let name, let line): found.append("\(line) \(name ?? "-")+")
        }
      }
    } while !rest.isEmpty
    return found
  }

  @Test(
    "is taken apart, however it arrives",
    arguments: [
      ("", []), (" \n\n", []), ("{}", ["1 - {}"]), ("{}{}\n{}", ["1 - {}", "1 - {}", "2 - {}"]),
      ("{\"a\":\n [1,{}]\n}\n", ["1 - {\"a\":\n [1,{}]\n}"]),
      ("web1: {\"a\":\"}\"}\nweb2: {}\n", ["1 web1 {\"a\":\"}\"}", "2 web2 {}"]),
      ("{\"a\":\"\\\"}\\\\\"}\n", ["1 - {\"a\":\"\\\"}\\\\\"}"]),
      ("banner of the day\n{}", ["1 -! banner of the day", "2 - {}"]),
      ("web1: no route\n", ["1 web1! web1: no route"]),
      ("clush: web1: exited with exit code 1\n", ["1 web1! clush: web1: exited with exit code 1"]),
      ("root:x:0:0:\n", ["1 -! root:x:0:0:"]),
      // Cut off: the next line begins another, or lines have names.
      ("{\"a\":[1\n{}\n", ["1 - {\"a\":[1", "2 - {}"]), ("{\"a\":\"x\n{}\n", ["1 - {\"a\":\"x", "2 - {}"]),
      ("web1: {\"a\":\nweb2: {}\n", ["1 web1 {\"a\":", "2 web2 {}"]), ("{\"a\"", ["1 - {\"a\""]),
      ("{\"a\\", ["1 - {\"a\\"]), ("}\n{}", ["1 -! }", "2 - {}"]),
      ("no host { here\n{}", ["1 -! no host { here", "2 - {}"]),
      // Blanks of every kind, before a document and between a name and its own.
      (" \t\r\n{}", ["2 - {}"]), ("web1:\t {}\r\n\nweb2:{}", ["1 web1 {}", "3 web2 {}"]),
      ("web1 : {}\n{}", ["1 -! web1 : {}", "2 - {}"]), (": {}\n{}", ["1 -! : {}", "2 - {}"]),
      ("a\"b: {}\n{}", ["1 -! a\"b: {}", "2 - {}"]), ("a b: {}\n", ["1 -! a b: {}"]), ("é: {}\n", ["1 é {}"]),
      ("a:b: {}\n", ["1 a:b {}"]),
      // What is said of a host, and what only looks so.
      ("web1:\n", ["1 web1! web1:"]), ("web1:x\n", ["1 -! web1:x"]), ("web 1: x\n", ["1 -! web 1: x"]),
      ("é: x\n", ["1 -! é: x"]), ("a\"b: x\n", ["1 -! a\"b: x"]), (":\n", ["1 -! :"]),
      ("pdsh@admin: web1: ssh exited\n", ["1 web1! pdsh@admin: web1: ssh exited"]),
      ("pdsh@admin: web1\n", ["1 -! pdsh@admin: web1"]), ("pdsh@admin: \n", ["1 pdsh@admin! pdsh@admin: "]),
      ("clush:\n", ["1 clush! clush:"]), ("clush: x: y\n", ["1 x! clush: x: y"]),
      ("clushx: web1: y\n", ["1 clushx! clushx: web1: y"]),
      // Strings with brackets, quotes and escapes; arrays that are the whole document's depth.
      ("{\"[\":\"]}{\"}\n{}", ["1 - {\"[\":\"]}{\"}", "2 - {}"]),
      ("{\"a\":\"\\\\\"}{}", ["1 - {\"a\":\"\\\\\"}", "1 - {}"]),
      ("{\"a\":[[],[{}]]}x\n{}", ["1 - {\"a\":[[],[{}]]}", "1 -! x", "2 - {}"]), ("{]{}", ["1 - {]", "1 - {}"]),
      ("{\n\n\n}{}\n{}", ["1 - {\n\n\n}", "4 - {}", "5 - {}"]), ("{\"a\":1\n", ["1 - {\"a\":1\n"]),
      ("{\"a\\\n{}", ["1 - {\"a\\", "2 - {}"]), ("a: {\"x\":\n1}\nb: {}", ["1 a {\"x\":", "2 -! 1}", "3 b {}"]),
    ], [1, 2, 3, 1000])
  func takenApart(_ example: (text: String, pieces: [String]), _ parts: Int) {
    #expect(pieces(example.text, parts: parts) == example.pieces)
  }

  @Test("keeps of a line that has none so much as names a host, whole names and no more")
  func lines() {
    let long = String(repeating: "x", count: 512)
    #expect(pieces(long + "y\n{}", parts: 100) == ["1 -! " + long, "2 - {}"])
    #expect(pieces(long + "\n{}", parts: 512) == ["1 -! " + long, "2 - {}"])
    #expect(pieces(String(long.dropLast()) + "{\n{}", parts: 7) == ["1 -! " + long.dropLast() + "{", "2 - {}"])
    #expect(pieces(long + "{}\n{}", parts: 7) == ["1 -! " + long, "2 - {}"])
    let name = String(repeating: "n", count: 255)
    #expect(pieces(name + ": {}", parts: 50) == ["1 \(name) {}"])
    #expect(pieces(name + "n: {}", parts: 50) == ["1 -! \(name)n: {}"])
    #expect(pieces(name + ": x", parts: 50) == ["1 \(name)! \(name): x"])
    #expect(pieces(name + "n: x", parts: 50) == ["1 -! \(name)n: x"])
  }

  @Test("is as long as a report may be, to the byte")
  func limit() {
    func document(_ count: Int) -> String { "{\"a\":\"" + String(repeating: "x", count: count - 8) + "\"}" }
    for parts in [1, 64, 1000] {
      #expect(pieces(document(100), parts: parts, limit: 100) == ["1 - " + document(100)], "\(parts)")
      #expect(pieces(document(101) + "\n{}", parts: parts, limit: 99) == ["1 -+", "2 - {}"], "\(parts)")
      #expect(pieces("web1: \(document(120))\n{}", parts: parts, limit: 99) == ["1 web1+", "2 - {}"], "\(parts)")
    }
  }

  @Test("never keeps more than a report can be long")
  func tooLong() {
    let text = "{\"a\":\"" + String(repeating: "x", count: 200) + "\"}\n{}\n"
    #expect(pieces(text, parts: 10, limit: 100) == ["1 -+", "2 - {}"])
  }
}
