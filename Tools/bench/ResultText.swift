private let beginMark = "<!-- written by make bench: begin -->"
private let endMark = "<!-- written by make bench: end -->"

/// The file with its generated part replaced, or with one after what is there.
func replacingGenerated(_ file: String, with text: String) -> String {
  let lines = file.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  let generated = [beginMark, text, endMark]
  guard let begin = lines.firstIndex(of: beginMark), let end = lines.firstIndex(of: endMark), begin < end else {
    let before = file.isEmpty ? ["# Benchmarks", ""] : lines
    return (before + generated).joined(separator: "\n") + "\n"
  }
  return (lines[..<begin] + generated + lines[(end + 1)...]).joined(separator: "\n")
}

/// The tables in Markdown.
func resultText(_ results: [LoadResult], _ extras: Extras?, host: HostDescription) -> String {
  var lines = [""] + host.lines
  lines += [
    "Every command once a round, in turn; wall is the median from before `posix_spawn` until `wait4`, user and system "
      + "are means (`rusage`), memory is the peak of runs of their own.", "",
  ]
  let judged = budgets(results, extras)
  if !judged.isEmpty { lines += ["## Budgets", ""] + table(judged) }
  for result in results { lines += table(result) }
  if let command = extras?.command { lines += table(command) }
  for saved in results.compactMap(\.savedReports) { lines += table(saved) }
  return lines.joined(separator: "\n")
}

func table(_ budgets: [Budget]) -> [String] {
  ["| budget | measured | limit | |", "|---|---:|---:|---|"]
    + budgets.map {
      "| \($0.promise) | \(decimal($0.measured, 3)) | \($0.isFloor ? "at least " : "")\(decimal($0.limit, 2)) | "
        + "\($0.isMet ? "met" : "**missed**") |"
    } + [""]
}

func table(_ overhead: CommandOverhead) -> [String] {
  var lines = [
    "## `portwhy -- COMMAND`", "",
    "Load average before and after: \(overhead.loadAverages.joined(separator: ", ")). Bare and behind portwhy in turn,"
      + " \(overhead.rows.first?.bare.wall.count ?? 0) times; user and system are those of all processes.", "",
    "| command | wall ms | least | user ms | system ms |", "|---|---:|---:|---:|---:|",
  ]
  for row in overhead.rows {
    for (name, measurement) in [(row.name, row.bare), ("the same behind `portwhy --`", row.watched)] {
      let figures = [
        median(measurement.wall), measurement.wall.min(), mean(measurement.user), mean(measurement.system),
      ].map(milliseconds)
      lines.append("| \(name) | \(figures.joined(separator: " | ")) |")
    }
  }
  lines.append(
    "| a failing bind, while its thread stands still | \(milliseconds(median(overhead.stops))) | "
      + "\(milliseconds(overhead.stops.min())) | | |")
  return lines + [""]
}

private func table(_ result: LoadResult) -> [String] {
  let counted = result.measurements.values.contains { $0.instructions != nil }
  var lines = ["## \(result.load.description)", ""]
  lines.append(
    "\(grouped(result.processes)) processes on the host; load average before and after: "
      + "\(result.loadAverages.joined(separator: ", ")).")
  for subject in Subject.allCases {
    guard let rounds = result.measurements[Command(tool: .portwhy, subject: subject)]?.wall.count else { continue }
    lines += ["", "\(subject.rawValue), \(rounds) rounds", ""]
    lines.append(
      "| command | wall ms | least | user ms | system ms | of `ss -tanp` | peak MiB |"
        + (counted ? " instructions |" : ""))
    lines.append("|---|---:|---:|---:|---:|---:|---:|" + (counted ? "---:|" : ""))
    for command in Command.all where command.subject == subject {
      guard let measurement = result.measurements[command] else { continue }
      let figures = [
        milliseconds(median(measurement.wall)), milliseconds(measurement.wall.min()),
        milliseconds(mean(measurement.user)), milliseconds(mean(measurement.system)),
        result.ratio(command.tool, to: .ssWithOwners, subject).map { decimal($0, 2) } ?? "",
        measurement.peakMemory.max().map { decimal($0 / 1024, 1) } ?? "",
      ]
      let instructions = counted ? " \(measurement.instructions.map(grouped) ?? "") |" : ""
      lines.append("| `\(command.text)` | \(figures.joined(separator: " | ")) |\(instructions)")
    }
  }
  return lines + [""]
}

private func table(_ saved: SavedReportsResult) -> [String] {
  var lines = [
    "## \(grouped(saved.reports)) saved reports with one listener each, \(grouped(saved.bytes / 1_000_000)) MB", "",
    "| command | wall ms | user ms | system ms | peak MiB |", "|---|---:|---:|---:|---:|",
  ]
  for row in saved.rows {
    let figures = [
      milliseconds(median(row.measurement.wall)), milliseconds(mean(row.measurement.user)),
      milliseconds(mean(row.measurement.system)),
      row.measurement.peakMemory.max().map { decimal($0 / 1024, 1) } ?? "",
    ]
    lines.append("| `\(row.text)` | \(figures.joined(separator: " | ")) |")
  }
  return lines + [""]
}

private func milliseconds(_ microseconds: Double?) -> String {
  guard let microseconds else { return "" }
  return decimal(microseconds / 1000, microseconds < 100_000 ? 2 : 0)
}

/// A number with so many digits after the point.
func decimal(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite, abs(value) < 1e12 else { return "" }
  let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
  let scaled = Int((abs(value) * Double(scale)).rounded())
  let sign = value < 0 && scaled != 0 ? "-" : ""
  guard digits > 0 else { return "\(sign)\(scaled)" }
  let fraction = String(scaled % scale)
  return "\(sign)\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
}
