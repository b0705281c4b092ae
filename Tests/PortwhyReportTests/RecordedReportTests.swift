import FixtureTestSupport
import JSONTestSupport
import Answers
import PortwhyReport
import Testing

/// A report that version 0.1.0 wrote, as `Tests/Fixtures/reports-0.1/index.txt` lists it.
private struct RecordedReport: Sendable, CustomStringConvertible {
  var name: String
  /// What it has to say: a line for each port, then one for each attempt.
  var says: [String]

  var description: String { name }

  static var folder: String {
    "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Fixtures/reports-0.1/"
  }

  /// A name, then lines with two blanks before them: comments, then what it says; an empty line between two reports.
  static let all: [RecordedReport] = {
    var reports: [RecordedReport] = []
    for line in (fileText(folder + "index.txt") ?? "").split(separator: "\n") {
      if !line.hasPrefix(" ") {
        reports.append(RecordedReport(name: String(line), says: []))
      } else if !line.hasPrefix("  #"), !line.hasPrefix("  $"), !reports.isEmpty {
        reports[reports.count - 1].says.append(String(line))
      }
    }
    return reports
  }()

  func read() throws -> Report {
    let text = try #require(fileText(RecordedReport.folder + name + ".json"), "no file for \(name)")
    return try JSONReport.read(Array(text.utf8)).report
  }
}

/// What decides in a report, by the keys of its JSON, in the lines of index.txt. They are promised; names in Swift are not.
private func lines(_ report: Report) throws -> [String] {
  let document = try JSONDocument(parsing: JSONReport.render(report))
  var lines: [String] = []
  for target in document["targets"]?.elements ?? [] {
    let port = "\(target["port"]?.integer ?? -1)/\(target["protocol"]?.text ?? "?")"
    lines.append("  \(port) \(target["verdict"]?.text ?? "-") \(target["errno"]?.text ?? "-")")
    for attempt in target["attempts"]?.elements ?? [] {
      let outcomes = (attempt["outcomes"]?.elements ?? []).map {
        "\($0["bind"]?.text ?? "?")/\($0["listen"]?.text ?? "-")"
      }
      let words = [attempt["address"]?.text ?? "?", attempt["cause"]?.text ?? "-"] + outcomes
      lines.append("    " + words.joined(separator: " "))
    }
  }
  return lines
}

@Suite("Reports of version 0.1.0")
struct RecordedReportTests {
  @Test("are many, of root and of a user, and end in every way")
  func enough() {
    let all = RecordedReport.all
    #expect(all.count >= 130)
    #expect(all.count { $0.name.hasSuffix("-root") } >= 60)
    #expect(all.count { $0.name.hasSuffix("-user") } >= 60)
    let said = all.flatMap(\.says).joined(separator: "\n")
    for word in ["ok", "fails", "undetermined", "EADDRINUSE", "EACCES", "EADDRNOTAVAIL", "EINVAL", "ENODEV"] {
      #expect(said.contains(" \(word)"), "\(word)")
    }
  }

  @Test("are read, and say what they said", arguments: RecordedReport.all)
  fileprivate func read(_ recorded: RecordedReport) throws {
    #expect(try lines(recorded.read()) == recorded.says)
  }

  @Test("give the same verdicts when they are judged again, as --from does", arguments: RecordedReport.all)
  fileprivate func judgedAgain(_ recorded: RecordedReport) throws {
    // What 0.1.0 called a UDP socket is by now told apart where it has a peer; the verdicts are those they were.
    let said = try lines(Portwhy.answer(from: recorded.read())).map {
      $0.replacing(" connected-udp ", with: " udp-socket ")
    }
    #expect(said == recorded.says)
  }

  @Test("are written again with every key and value they had", arguments: RecordedReport.all)
  fileprivate func written(_ recorded: RecordedReport) throws {
    let text = try #require(fileText(RecordedReport.folder + recorded.name + ".json"))
    let saved = try JSONReport.read(Array(text.utf8))
    let rewritten = try JSONDocument(parsing: JSONReport.render(saved.report, users: saved.users))
    #expect(missing(try JSONDocument(parsing: text), rewritten) == [])
  }

  /// Where `new` lacks what `old` has.
  private func missing(_ old: JSONDocument, _ new: JSONDocument, at path: String = "") -> [String] {
    switch (old, new) {
    case (.object(let members), .object):
      return members.flatMap { member in
        let path = "\(path).\(member.key)"
        return new[member.key].map { missing(member.value, $0, at: path) } ?? [path]
      }
    case (.array(let elements), .array(let others)) where elements.count == others.count:
      return zip(elements, others).enumerated().flatMap { missing($1.0, $1.1, at: "\(path)[\($0)]") }
    default: return old == new ? [] : [path]
    }
  }
}
