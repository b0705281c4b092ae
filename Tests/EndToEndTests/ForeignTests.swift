import BindRules
import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// One question with and without `--as` beside the same sockets.
private struct Asked: Sendable {
  var plain: Ending
  var ending: Ending
  var document: JSONDocument
  var violations: [String]

  /// The answers of other systems to each attempt.
  var answers: [[JSONDocument]] {
    (document["targets"]?.elements.first?["attempts"]?.elements ?? []).map { $0["as"]?.elements ?? [] }
  }

  /// Asks about the words, in which PORT is the port of the copy.
  init(_ words: [String], _ systems: [String], _ copy: borrowing BuiltScenario, _ start: Start = Start()) throws {
    let words = words.map { $0.replacing("PORT", with: "\(copy.port)") }
    let asked = systems.flatMap { ["--as", $0] }
    plain = try portwhy(words, start)
    ending = try portwhy(words + asked, start)
    let answer = try Answer(words + asked, start)
    document = answer.document
    violations = answer.violations()
  }
}

extension JSONDocument {
  /// `A=ok P=EADDRINUSE` for the combinations in the order of the report; what is only likely has `?`.
  fileprivate var line: String {
    (self["outcomes"]?.elements ?? []).map { outcome in
      let letters = [("reuseaddr", "A"), ("reuseport", "P"), ("reuseport_lb", "L")]
        .filter { outcome[$0.0] == .bool(true) }.map(\.1).joined()
      let likely = outcome["likely"]?.text.map { $0 + "?" }
      return "\(letters)=\(likely ?? outcome["bind"]?.text ?? "-")"
    }.joined(separator: " ")
  }
}

@Suite("portwhy --as", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct ForeignTests {
  /// The listener of a row, TARGET with its options, and the answers of FreeBSD and macOS.
  private struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var holders: [Holder]
    var words: [String]
    var freebsd: String
    var macos: String
  }

  private static let inUse = "=EADDRINUSE A=EADDRINUSE P=EADDRINUSE AP=EADDRINUSE"
  private static let rows = [
    Row(
      testDescription: "a wildcard listener, and a specific address",
      holders: [Holder(.listening, .tcp, .v4(.any))], words: ["--reuseaddr", "127.0.0.1:PORT"],
      freebsd: "=EADDRINUSE A=ok P=ok AP=ok L=ok AL=ok PL=ok", macos: "=EADDRINUSE A=ok? P=ok? AP=ok?"),
    Row(
      testDescription: "a wildcard listener of another user, and a specific address",
      holders: [Holder(.listening, .tcp, .v4(.any), uid: 1000)],
      words: ["--reuseaddr", "--uid", "1001", "127.0.0.1:PORT"],
      freebsd: inUse + " L=EADDRINUSE AL=EADDRINUSE PL=EADDRINUSE", macos: inUse),
    Row(
      testDescription: "two users who share a wildcard address by SO_REUSEPORT",
      holders: [Holder(.listening, .tcp, .v4(.any), options: reuseport, uid: 1000)],
      words: ["--reuseport", "--uid", "1001", "0.0.0.0:PORT"],
      freebsd: inUse + " L=EADDRINUSE AL=EADDRINUSE PL=EADDRINUSE",
      macos: "=EADDRINUSE A=EADDRINUSE P=ok? AP=ok?"),
    Row(
      testDescription: "TIME_WAIT alone on the port",
      holders: [Holder(.child(.timeWait, listenerStays: false), .tcp, .v4(.loopback))], words: ["127.0.0.1:PORT"],
      freebsd: "=EADDRINUSE A=ok P=ok AP=ok L=ok AL=ok PL=ok", macos: "=EADDRINUSE A=ok? P=ok? AP=ok?"),
    Row(
      testDescription: "a UDP socket with SO_REUSEADDR",
      holders: [Holder(.bound, .udp, .v4(.any), options: reuseaddr)], words: ["--reuseaddr", "0.0.0.0:PORT/udp"],
      freebsd: inUse + " L=EADDRINUSE AL=EADDRINUSE PL=EADDRINUSE", macos: inUse),
    Row(
      testDescription: "a free port of an address that only Linux has", holders: [], words: ["127.0.0.2:PORT"],
      freebsd: ["", "A", "P", "AP", "L", "AL", "PL"].map { $0 + "=EADDRNOTAVAIL" }.joined(separator: " "),
      macos: ["", "A", "P", "AP"].map { $0 + "=EADDRNOTAVAIL" }.joined(separator: " ")),
  ]

  @Test("has each system's answer about real sockets, and changes neither verdict nor status", arguments: rows)
  private func live(_ row: Row) throws {
    let all = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let transport: TransportProtocol = row.words.contains { $0.hasSuffix("/udp") } ? .udp : .tcp
      let copy = try namespace.build(Scenario(row.holders, Attempt(transport, .v4(.any))))
      return try [["freebsd"], ["macos"], ["freebsd", "macos"], []].map { try Asked(row.words, $0, copy) }
    }
    for (asked, systems) in zip(all, [["freebsd"], ["macos"], ["freebsd", "macos"], []]) {
      #expect(asked.violations == [])
      #expect(asked.ending.status == asked.plain.status && asked.ending.errors == "")
      // Where nothing is on the port, no blank line follows; the seconds since a start go on.
      // Other tests start programs, which hold the sockets of this process until they execute: who has it may differ.
      func ending(_ text: String) -> String {
        text.firstRange(of: "a bind ").map { String(text[$0.lowerBound...]).filter { !$0.isNumber } } ?? ""
      }
      #expect(ending(asked.ending.headline).hasPrefix(ending(asked.plain.headline)))
      #expect(asked.answers.count == 1)
      #expect(asked.answers.first?.compactMap { $0["system"]?.text } == systems)
      for answer in asked.answers.flatMap({ $0 }) {
        #expect(answer.line == (answer["system"]?.text == "macos" ? row.macos : row.freebsd))
      }
      #expect(asked.ending.lines.contains { $0.hasPrefix("as ") } == !systems.isEmpty)
      #expect(asked.ending.lines.allSatisfy { $0.count <= 80 }, "\(asked.ending.output)")
    }
  }

  @Test("is one section more on the screen, and of macOS never a sure ok", arguments: rows)
  private func screen(_ row: Row) throws {
    // Clocks that run, as that of TIME_WAIT, differ by seconds.
    func still(_ lines: [Substring]) -> [String] { lines.map { String($0).replacing(/[0-9]+/, with: "0") } }
    func parts(_ asked: Asked) -> (section: [Substring], rest: [Substring]) {
      let lines = asked.ending.lines
      guard let start = lines.firstIndex(where: { $0.hasPrefix("as ") }) else { return ([], lines) }
      let end = lines[(start + 1)...].firstIndex { !$0.hasPrefix("      ") } ?? lines.endIndex
      return (Array(lines[start..<end]), Array(lines[..<start] + lines[end...]))
    }
    let asked = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let transport: TransportProtocol = row.words.contains { $0.hasSuffix("/udp") } ? .udp : .tcp
      let copy = try namespace.build(Scenario(row.holders, Attempt(transport, .v4(.any))))
      var asked = try Asked(row.words, ["macos"], copy)
      // Programs that other tests start hold the sockets of this process until they execute, whatever they are called.
      for _ in 0..<20 where still(parts(asked).rest) != still(asked.plain.lines) {
        asked = try Asked(row.words, ["macos"], copy)
      }
      return asked
    }
    let (lines, rest) = parts(asked)
    #expect(still(rest) == still(asked.plain.lines))
    let section = lines.joined(separator: " ").split(separator: " ").joined(separator: " ")
    #expect(section.hasPrefix("as macOS: "), "\(section)")
    #expect(section.ranges(of: "bind works").isEmpty && section.contains("Skywalk"))
    #expect(section.contains("the bind likely works, here it fails") == row.macos.contains("=ok?"), "\(section)")
  }

  @Test("leaves -q silent, with the status of the question", arguments: rows)
  private func quiet(_ row: Row) throws {
    let (quiet, plain) = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let transport: TransportProtocol = row.words.contains { $0.hasSuffix("/udp") } ? .udp : .tcp
      let copy = try namespace.build(Scenario(row.holders, Attempt(transport, .v4(.any))))
      let words = row.words.map { $0.replacing("PORT", with: "\(copy.port)") }
      return (try portwhy(["-q", "--as", "freebsd", "--as", "macos"] + words), try portwhy(["-q"] + words))
    }
    #expect(quiet == plain)
    #expect(quiet.output + quiet.errors == "")
  }

  @Test("answers a saved report of several addresses as the host itself")
  func saved() throws {
    let targets = ["0.0.0.0:PORT", "[::]:PORT", "127.0.0.1:PORT", "127.0.0.2:PORT", "[::1]:PORT"].joined(
      separator: ",")
    let (live, report) = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let copy = try namespace.build(
        Scenario([Holder(.listening, .tcp, .v4(.any), options: reuseaddr)], Attempt(.tcp, .v4(.any))))
      let words = ["--reuseaddr", targets.replacing("PORT", with: "\(copy.port)")]
      let live = try Answer(words + ["--as", "freebsd", "--as", "macos"])
      return (live, try portwhy(words + ["--json"]))
    }
    try inDirectory { directory in
      let path = directory + "/report.json"
      try write(report.output, to: path)
      let again = try Answer(["--from", path, "--as", "freebsd", "--as", "macos"])
      #expect(again.violations() == [] && live.violations() == [])
      #expect(again.ending.status == live.ending.status)
      #expect(again.attempts.count == 5)
      for (attempt, before) in zip(again.attempts, live.attempts) {
        #expect(attempt["as"]?.elements.map(\.line) == before["as"]?.elements.map(\.line))
        #expect(attempt["as"]?.elements.count == 2)
      }
      let one = try Answer(["--from", path, "--as", "macos"])
      #expect(one.attempts.flatMap { $0["as"]?.elements ?? [] }.allSatisfy { $0["system"]?.text == "macos" })
      let screen = try portwhy(["--from", path, "--as", "freebsd"])
      #expect(screen.output.contains("of 127.0.0.0/8 only 127.0.0.1 is there"), "\(screen.output)")
      // Without --as the report has nothing of them.
      #expect(try Answer(["--from", path]).attempts.allSatisfy { $0["as"]?.elements.isEmpty == true })
    }
  }

  @Test("knows two systems; another name is one line and 64", arguments: ["openbsd", "FreeBSD", "linux", "", "free"])
  func wrong(_ name: String) throws {
    for words in [["80"], ["-q", "80"], ["--json", "80"]] {
      let ending = try portwhy(words + ["--as", name])
      #expect(ending.status == 64 && ending.output == "")
      #expect(ending.errors.hasPrefix("portwhy: ") && ending.errors.filter { $0 == "\n" }.count == 1)
      #expect(ending.errors.contains("\"\(name)\"") && ending.errors.contains("--as"), "\(ending.errors)")
    }
  }
}
