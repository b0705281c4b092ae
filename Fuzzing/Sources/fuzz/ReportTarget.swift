@testable import BindRules
@testable import Explanation
@testable import SocketModel

@testable import PortwhyCLI
@testable import Answers
@testable import PortwhyReport

/// A byte for the question, one for the base and the rest of the question, then with base 0 a report in JSON, else edits of
/// a base report.
func fuzzReport(_ input: inout FuzzInput) {
  let choice = input.byte()
  let number = Int(input.byte())
  let base = number % (baseReports.count + 1)
  let saved: SavedReport
  let bytes = base == 0 ? input.rest() : edited(baseReports[base - 1], &input)
  do throws(ReportReadError) {
    saved = try JSONReport.read(bytes)
  } catch {
    require((0...bytes.count).contains(error.offset), "an error lies inside the report")
    requireHarmless(TerminalText.escaped("\(error)"), "an error's line", newlines: false)
    return
  }
  checkJSON(saved)
  show(saved.report, users: saved.users)
  var visibility = saved.report.visibility
  visibility.add(silent: .iterator("tcp"))
  require(visibility.silent != nil && visibility.reasons.contains(.noAnswer), "who is silent keeps a reason")
  let asked = question(choice, number / (baseReports.count + 1), saved.report)
  if let answer = try? Portwhy.answer(from: saved.report, asked) {
    show(answer, users: saved.users)
    checkJSON(SavedReport(report: answer, users: saved.users))
  }
}

/// The report with other texts in the places of some of its keys and values. Few mutations of a whole report leave it one
/// that can be read; most edits do.
private func edited(_ report: String, _ input: inout FuzzInput) -> [UInt8] {
  let bytes = Array(report.utf8)
  var places: [Range<Int>] = []
  var cursor = JSONCursor(bytes: bytes)
  do throws(JSONError) {
    try collectPlaces(&cursor, &places)
  } catch {
    require(false, "a base report is JSON")
  }
  guard !places.isEmpty else { return bytes }
  var edits: [Int: [UInt8]] = [:]
  while !input.isEmpty {
    let place = (Int(input.byte()) | Int(input.byte()) << 8) % places.count
    edits[place] = input.shortPart()
  }
  var result: [UInt8] = []
  var position = 0
  // What lies in a place that was replaced is gone with it.
  for (index, place) in places.enumerated() where place.lowerBound >= position {
    guard let edit = edits[index] else { continue }
    result += bytes[position..<place.lowerBound] + edit
    position = place.upperBound
  }
  return result + bytes[position...]
}

/// Every value from the cursor on, those around others first, and every key.
private func collectPlaces(_ cursor: inout JSONCursor, _ places: inout [Range<Int>]) throws(JSONError) {
  let index = places.count
  let start = cursor.position
  places.append(start..<start)
  if let open = cursor.next, open == UInt8(ascii: "{") || open == UInt8(ascii: "[") {
    if try cursor.begin() {
      repeat {
        if open == UInt8(ascii: "{") {
          let key = try cursor.key().inside
          places.append(key.lowerBound - 1..<key.upperBound + 1)
        }
        try collectPlaces(&cursor, &places)
      } while try cursor.more(after: open)
    }
  } else {
    try cursor.skip()
  }
  places[index] = start..<cursor.position
}

private func question(_ choice: UInt8, _ more: Int, _ report: Report) -> SavedQuestion {
  var question = SavedQuestion()
  if more & 1 != 0 { question.ours = [.unit("nginx.service"), .user("www-data", uid: 33), .process(812)] }
  if more & 2 != 0 { question.systems = BSDSystem.allCases }
  question.isVerdictOnly = more & 4 != 0
  question.withoutOptions = more & 8 != 0
  if more & 16 != 0 { question.transports = [.udp] }
  if more & 32 != 0 { question.hasBindCapability = true }
  if choice & 1 != 0 { question.options = .reuseaddr }
  if choice & 2 != 0 { question.v6only = choice & 4 != 0 }
  if choice & 8 != 0 { question.device = "lo" }
  if choice & 16 != 0 { question.uid = 1000 }
  if choice & 32 != 0 { question.runtime = Runtime(named: "node") }
  if choice & 192 != 0, let target = report.targets.first {
    // With the highest bit an address of one interface, on a port that the report may not have.
    let port: Port = choice & 192 == 192 ? 1 : target.port
    let address: QuestionAddress = choice & 128 != 0 ? .address(.v6(.loopback), zone: "lo") : .wildcard
    question.items = [QuestionItem(addresses: [address], ports: port...port, transport: target.transport)]
  }
  return question
}

/// Written, read and written again it is the same text, in which nothing stands for itself that a terminal obeys; but for
/// what other systems would answer, which is not read.
private func checkJSON(_ saved: SavedReport) {
  let text = JSONReport.render(saved.report, users: saved.users)
  requireHarmless(text, "JSON")
  require(text.utf8.count { $0 == UInt8(ascii: "\n") } == 1, "a report is one line")
  do throws(ReportReadError) {
    let again = try JSONReport.read(Array(text.utf8))
    var linux = saved.report
    for target in linux.targets.indices {
      for attempt in linux.targets[target].attempts.indices { linux.targets[target].attempts[attempt].foreign = [] }
    }
    require(
      JSONReport.render(again.report, users: again.users) == JSONReport.render(linux, users: saved.users),
      "a report is read as it is written")
  } catch {
    require(false, "a report that was written can be read: \(error)")
  }
}

private func show(_ report: Report, users: [UInt32: String]) {
  for (width, verbose, numeric) in [(80, false, false), (40, true, false), (100, true, true)] {
    let style = ScreenStyle(width: width, verbose: verbose, numeric: numeric, users: users)
    requireHarmless(Screen.render(report, style: style), "a screen")
    requireHarmless(Screen.renderOverview(report, style: style), "the overview")
  }
  let free = FreePorts(report).ports
  require(Set(free).count == free.count && free.count <= report.targets.count, "each port once")
  for line in contradictionLines(report) { requireHarmless(TerminalText.escaped(line), "a line", newlines: false) }
}
