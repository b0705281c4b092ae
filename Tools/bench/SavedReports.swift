import SocketModel

/// `portwhy --from` of the reports of many hosts, each with one listener.
struct SavedReportsResult: Sendable {
  var reports: Int
  var bytes: Int
  /// In the order of `SavedReports.questions`.
  var rows: [(text: String, measurement: Measurement)] = []
  /// The first question again, of half as many reports.
  var half = Measurement()

  /// How much more processor time twice as many take. Not instructions: what reads saved reports may do nothing else from
  /// then on, so that valgrind(1) cannot run it.
  var growth: Double? {
    guard let all = rows.first?.measurement.processorTime, let less = half.processorTime, less > 0 else { return nil }
    return all / less
  }

  /// The most that any of the questions took, microseconds.
  var wall: Double? { rows.compactMap { median($0.measurement.wall) }.max() }
  /// KiB.
  var peakMemory: Double? { rows.flatMap(\.measurement.peakMemory).max() }
}

/// What is asked of the saved reports, and the files that they are in.
private struct SavedReports: ~Copyable {
  static let rounds = 3

  /// The words after `--from FILE`, and the right exit status: nothing can be bound where something listens.
  static let questions: [(words: [String], status: Int32)] = [
    ([], 1), (["--reuseport", "--uid", "0"], 1), (["--ours", "exe=/none"], 1), (["--json"], 1), (["--brief"], 1),
    (["-q"], 1),
  ]

  let report: String
  let path = "/tmp/portwhy-bench-\(SystemCalls.ownProcess()).jsonl"

  init(_ report: String) { self.report = report }

  deinit { SystemCalls.remove(path) }

  /// The report of so many hosts, as clush(1) prints it: the size in bytes.
  func write(_ count: Int) throws -> Int {
    let text = (1...count).map { "web\($0): \(report)" }.joined()
    try SystemCalls.replaceFile(path, text)
    return text.utf8.count
  }
}

extension SavedReports {
  fileprivate borrowing func measure(
    _ question: (words: [String], status: Int32), _ settings: Settings
  ) throws -> Measurement {
    let words = [settings.portwhy, "--from", path] + question.words
    var measurement = Measurement()
    for _ in 0..<Self.rounds {
      let (wall, usage) = try time(words, rightStatus: question.status)
      measurement.add(wall, usage)
      measurement.peakMemory.append(
        Double(SystemCalls.wait(for: try SystemCalls.startCopied(words)).peakMemory))
    }
    return measurement
  }
}

/// What the program says of the listener's port, as JSON.
private func listenerReport(_ settings: Settings) throws -> String {
  let pipe = try SystemCalls.pipe()
  defer { pipe.closeReading() }
  let process = try SystemCalls.start(
    [settings.portwhy, "--json", "\(Subject.listener.port)"], output: .descriptor(pipe.write))
  pipe.closeWriting()
  let report = String(decoding: try SystemCalls.readToEnd(pipe.read), as: UTF8.self)
  _ = SystemCalls.wait(for: process)
  guard report.hasPrefix("{"), report.hasSuffix("}\n") else {
    throw BenchError("portwhy --json printed no report: \(report.prefix(60))")
  }
  return report
}

/// Measures `--from` in the namespace of the load, whose listener the reports have; nil where the load asks for none.
func measureSavedReports(_ load: Load, _ settings: Settings) throws -> SavedReportsResult? {
  guard load.savedReports > 0 else { return nil }
  let saved = SavedReports(try listenerReport(settings))
  var result = SavedReportsResult(reports: load.savedReports, bytes: try saved.write(load.savedReports))
  say("bench: \(grouped(result.reports)) saved reports, \(grouped(result.bytes)) bytes")
  for question in SavedReports.questions {
    result.rows.append(
      (
        text: (["portwhy --from FILE"] + question.words).joined(separator: " "),
        measurement: try saved.measure(question, settings)
      ))
  }
  _ = try saved.write(load.savedReports / 2)
  result.half = try saved.measure(SavedReports.questions[0], settings)
  return result
}
