package import Answers
internal import SocketModel

/// The report as JSON, schema `portwhy.report/1`: one line, fixed key order, every key always present.
///
/// The form is described by `schema/portwhy.report-1.schema.json`; keys are only ever added, at the end of
/// their object.
package enum JSONReport {
  /// The longest text that `read` takes, in bytes.
  package static let maximumSize = JSONReader.maximumSize

  /// The document with a newline at its end. `users` are the names of uids; a uid without one gets `null`.
  package static func render(_ report: Report, users: [UInt32: String] = [:]) -> String {
    var writer = JSONWriter(context: JSONContext(users: users))
    writer.object(ReportDocument(report: report))
    writer.literal("\n")
    return writer.text
  }

  /// Reads what `render` wrote, on whatever host: one document, blanks and newlines around it allowed.
  ///
  /// Rendering the result gives the same text again. Reports of older and newer versions can be read too:
  /// - a key that is not known is skipped, and one that may be null may be missing;
  /// - an element with a word that is not known is skipped, but a socket: what the word says of that is not known.
  ///
  /// Every fact must be as the schema says, and every number that refers to a socket must have one: the report may come
  /// from anywhere.
  package static func read(_ bytes: [UInt8]) throws(ReportReadError) -> SavedReport {
    guard bytes.count <= maximumSize else {
      throw ReportReadError(offset: maximumSize, problem: "longer than \(maximumSize >> 20) MiB")
    }
    var cursor = JSONCursor(bytes: bytes)
    cursor.skipBlanks()
    guard cursor.next != nil else { throw ReportReadError(offset: bytes.count, problem: "empty") }
    var reader = JSONReader(cursor)
    let start = cursor
    do throws(JSONError) {
      try cursor.skip()
      try expectEnd(cursor)
      return SavedReport(report: try ReportDocument(from: &reader).report, users: reader.context.users)
    } catch {
      switch error {
      case .wrong(let offset, let problem):
        throw ReportReadError(offset: offset, path: start.path(to: offset), problem: problem)
      // No word in a report makes the whole one something to pass over.
      case .unknownWord: throw ReportReadError(offset: bytes.count, problem: "empty")
      }
    }
  }

  /// Nothing may come after the report.
  private static func expectEnd(_ cursor: JSONCursor) throws(JSONError) {
    var cursor = cursor
    cursor.skipBlanks()
    guard let byte = cursor.next else { return }
    throw byte == UInt8(ascii: "{")
      ? .wrong(cursor.position, "a second report starts here; give one, as in tail -n 1")
      : cursor.expected("the end of the report")
  }
}

/// A report that was read back, with the user names that were written into it.
package struct SavedReport: Sendable, Hashable {
  /// What was read.
  package var report: Report
  /// The names that the writing host had for uids.
  package var users: [UInt32: String]

  /// What was read, or is to be written as if it had been.
  package init(report: Report, users: [UInt32: String] = [:]) {
    self.report = report
    self.users = users
  }
}

// MARK: Fields

private struct ReportDocument: JSONObject {
  var report: Report

  static var blank: Self {
    Self(report: Report(version: "", capturedAt: 0, host: .blank, visibility: Visibility(), targets: []))
  }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    var schema = Report.schema
    try form.field("schema", &schema)
    try form.expect("schema", schema == Report.schema, "expected \"\(Report.schema)\"")
    try form.field("version", &report.version)
    var host = HostDocument(facts: report.host, capturedAt: report.capturedAt)
    try form.field("host", &host)
    report.host = host.facts
    report.capturedAt = host.capturedAt
    form.context.host = host.facts
    try form.field("visibility", &report.visibility)
    try form.field("targets", &report.targets)
    try form.field("call", &report.call, else: ReportedCall?.none)
  }
}

extension Visibility: JSONObject {
  static var blank: Self { Self() }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    form.derived("complete", isComplete)
    try form.field("unreadable_processes", &unreadableProcesses)
    try form.expect(
      "unreadable_processes", (0...Int(Int32.max)).contains(unreadableProcesses), "expected a number of processes")
    try form.field("reasons", &reasonWords)
    try form.field("bound_sockets_complete", &boundSocketsComplete)
    try form.field("bpf", &bpf)
    try form.field("silent", &silent)
  }
}

extension SilentSource: JSONObject {
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("pid", &pid)
    try form.field("command", &command)
    try form.field("iterator", &iterator)
    try form.field("netlink", &netlink, else: String?.none)
    try form.field("directory", &directory, else: String?.none)
    try form.field("error", &error, else: String?.none)
  }
}

extension BPFUse: JSONObject {
  static var blank: Self { Self() }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("iterators", &iterators)
    try form.field("microseconds", &microseconds)
    try form.field("problem", &problem)
  }
}

/// The time as RFC 3339 writes it, UTC with milliseconds.
enum Timestamp {
  /// Reads seconds since the epoch; what is no number or outside the years 0001...9999 is held at the nearest end.
  static func text(secondsSinceEpoch seconds: Double) -> String {
    let earliest: Double = -62_135_596_800
    let latest: Double = 253_402_300_799.999
    let held = seconds.isNaN ? 0 : min(max(seconds, earliest), latest)
    let milliseconds = Int64((held * 1000).rounded(.down))
    let (days, ofDay) = floorDivision(milliseconds, 86_400_000)
    let (year, month, day) = civil(daysSinceEpoch: days)
    let date = padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2)
    let time =
      padded(ofDay / 3_600_000, 2) + ":" + padded(ofDay / 60_000 % 60, 2) + ":" + padded(ofDay / 1000 % 60, 2)
    return date + "T" + time + "." + padded(ofDay % 1000, 3) + "Z"
  }

  /// The seconds since the epoch of what `text` writes, so that `text` writes it again; nil for every other form.
  static func secondsSinceEpoch(_ text: String) -> Double? {
    let digits = text.utf8.split { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    let numbers = digits.compactMap { $0.count <= 4 ? Int64(String(decoding: $0, as: UTF8.self)) : nil }
    guard numbers.count == 7 else { return nil }
    let days = daysSinceEpoch(year: numbers[0], month: numbers[1], day: numbers[2])
    let minutes = (days * 24 + numbers[3]) * 60 + numbers[4]
    let seconds = Double((minutes * 60 + numbers[5]) * 1000 + numbers[6]) / 1000
    // A millisecond is no binary fraction: where the nearest one lies below it, take the next.
    return [seconds, seconds.nextUp].first { self.text(secondsSinceEpoch: $0) == text }
  }

  /// The inverse of `civil`.
  private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
    let marchYear = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = floorDivision(marchYear, 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  /// The date of the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
  private static func civil(daysSinceEpoch: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivision(daysSinceEpoch + 719_468, 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  private static func floorDivision(_ number: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  private static func padded(_ number: Int64, _ digits: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
  }
}
