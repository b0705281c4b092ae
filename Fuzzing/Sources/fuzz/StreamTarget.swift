@testable import SocketModel

@testable import Answers
@testable import PortwhyReport

/// A byte for how much is read at once and how long a document may be, then the text, in which a byte from 1 on stands for
/// a base report.
func fuzzStream(_ input: inout FuzzInput) {
  let choice = input.byte()
  let text = input.rest().flatMap { byte in
    byte > 0 && byte <= baseReports.count ? bareReports[Int(byte) - 1] : [byte]
  }
  let limit = choice & 0x80 != 0 ? 64 : JSONReport.maximumSize
  let whole = pieces(text, at: max(text.count, 1), limit: limit)
  require(pieces(text, at: Int(choice & 0x7f) + 1, limit: limit) == whole, "reading in parts finds the same")
  var fold = Fold()
  for piece in whole { add(piece, to: &fold, limit) }
  for width in [40, 100] {
    let style = ScreenStyle(width: width, verbose: width == 100, numeric: width == 40, users: [33: "www-data"])
    requireHarmless(fold.text(style: style), "the table")
  }
  let json = fold.json(version: "0", status: 0)
  requireHarmless(json, "the fold as JSON")
  var cursor = JSONCursor(bytes: Array(json.utf8))
  require((try? cursor.skip()) != nil, "the fold as JSON is JSON")
}

/// Each on one line, as hosts send them.
private let bareReports = baseReports.map { Array($0.utf8.filter { $0 != UInt8(ascii: "\n") }) }

private func pieces(_ text: [UInt8], at once: Int, limit: Int) -> [ReportStream.Piece] {
  var stream = ReportStream(limit: limit)
  var found: [ReportStream.Piece] = []
  var rest = text[...]
  repeat {
    stream.append(Array(rest.prefix(once)))
    rest = rest.dropFirst(once)
    while let piece = stream.next(isWhole: rest.isEmpty) { found.append(piece) }
  } while !rest.isEmpty
  return found
}

private func add(_ piece: ReportStream.Piece, to fold: inout Fold, _ limit: Int) {
  switch piece {
  case .foreign(let text, let name, let line):
    require(text.utf8.count <= ReportStream.longestLine * 3, "no more than the beginning of a line")
    fold.add(FoldProblem(file: "f", line: line, problem: text, host: name))
  case .tooLong(let name, let line): fold.add(FoldProblem(file: "f", line: line, problem: "too long", host: name))
  case .document(let bytes, let name, let line):
    require(bytes.first == UInt8(ascii: "{") && bytes.count <= limit + 1, "a document begins where it begins")
    do throws(ReportReadError) {
      let saved = try JSONReport.read(bytes)
      let host = name ?? saved.report.host.hostname ?? "line \(line)"
      fold.add(saved.report, host: host, version: "0", users: saved.users)
    } catch {
      fold.add(FoldProblem(file: "f", line: line, problem: "\(error)", host: name))
    }
  }
}
