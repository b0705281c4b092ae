import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// The helper program that binds as it is told.
let binder = testDirectory + "/binder"

/// Runs a command under the built portwhy from the calling thread, so in its namespace.
func portwhy(_ options: [String] = [], running command: [String], _ start: Start = Start()) throws -> Ending {
  try portwhy(options + ["--"] + command, start)
}

/// The reports about a command, one for each failed call, and how it ended.
struct CommandReports {
  var ending: Ending
  var reports: [JSONDocument]

  /// On a machine so busy that a call was let go before its explanation was made, as the reports themselves say, the
  /// command is run again: what is gone by then is not told.
  init(_ command: [String], _ start: Start = Start(), options: [String] = []) throws {
    var rounds = 5
    repeat {
      self = try CommandReports(once: command, start, options)
      rounds -= 1
    } while isLate && rounds > 0
  }

  private var isLate: Bool {
    calls.contains { $0["stopped_us"]?.integer ?? 0 >= 1_000_000 } || ending.errors.contains("could not be looked at")
  }

  private init(once command: [String], _ start: Start, _ options: [String]) throws {
    var text = ""
    ending = try inDirectory { directory in
      // Whoever runs the command must be able to write there.
      chmod(directory, 0o777)
      let ending = try portwhy(options + ["--json", "-o", directory + "/reports"], running: command, start)
      text = (try? contents(of: directory + "/reports")) ?? ""
      return ending
    }
    reports = try text.split(separator: "\n").map { try JSONDocument(parsing: String($0)) }
  }

  var calls: [JSONDocument] { reports.compactMap { $0["call"] } }
  var causes: [String?] {
    reports.map { $0["targets"]?.elements.first?["attempts"]?.elements.first?["cause"]?.text }
  }
  var notes: [String] {
    let attempts = reports.compactMap { $0["targets"]?.elements.first?["attempts"]?.elements.first }
    return attempts.flatMap { ($0["notes"]?.elements ?? []).compactMap { $0["kind"]?.text } }
  }

  /// `bind EADDRINUSE 127.0.0.1:8080`, one for each.
  var lines: [String] {
    calls.map { call in
      let words = ["function", "errno", "address"].map { call[$0]?.text ?? "?" }
      return "\(words[0]) \(words[1]) \(words[2]):\(call["port"]?.integer ?? -1)"
    }
  }

  /// Where an answer differs from the errno that came, or from the shipped schema.
  func problems() throws -> [String] {
    let schema = try shippedSchema.get()
    return reports.flatMap { report -> [String] in
      let target = report["targets"]?.elements.first
      let said = target?["errno"]?.text
      let came = report["call"]?["errno"]?.text
      let verdict = target?["verdict"]?.text
      return
        (said == came && verdict == "fails"
        ? [] : ["\(came ?? "?") came, the report says \(verdict ?? "?") \(said ?? "?")"])
        + SchemaValidator(schema: schema).violations(report)
    }
  }
}

/// Ports that somebody has: 8080 and 5173 on 0.0.0.0 (TCP), 5353 (UDP).
func withTakenPorts<Result>(_ body: (Server) throws -> Result) throws -> Result {
  try NetworkNamespace.run { (_: inout NetworkNamespace) in
    try withServer(
      "$0 = 'shop'; our @s = (listener(8080, AF_INET, [SO_REUSEADDR]), listener(5173), bound(5353, AF_INET, [], SOCK_DGRAM));",
      port: 8080, body)
  }
}
