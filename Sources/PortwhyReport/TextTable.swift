/// A table whose last column is free text: it is wrapped within its column, or where that is too narrow stands
/// below its row.
struct TextTable {
  var header: [String]
  var rows: [Row]
  var indent = 2
  var gap = 2

  struct Row {
    var cells: [String]
    /// A line of its own, no cells: `… and 297 more TIME_WAIT`.
    var remark: String?

    init(_ cells: [String]) { self.cells = cells }
    init(remark: String) {
      cells = []
      self.remark = remark
    }
  }

  /// Below this many columns for the last cell it moves to a line of its own.
  private static let narrowest = 20

  /// Whether every row stands on one line, or the last column has at least `wrapped` columns to be wrapped in.
  func fits(width: Int, wrapped: Int = .max) -> Bool {
    width - start >= min(wrapped, longest)
  }

  private var columnWidths: [Int] {
    header.indices.dropLast().map { column in
      ([header] + rows.map(\.cells)).map { column < $0.count ? TerminalText.width($0[column]) : 0 }.max() ?? 0
    }
  }

  /// Where the last column starts.
  private var start: Int { indent + columnWidths.reduce(0) { $0 + $1 + gap } }

  private var longest: Int { rows.map { $0.cells.last.map(TerminalText.width) ?? 0 }.max() ?? 0 }

  private var longestWord: Int {
    rows.map { ($0.cells.last ?? "").words.map(TerminalText.width).max() ?? 0 }
      .max() ?? 0
  }

  func lines(width: Int) -> [String] {
    let (columns, start) = (columnWidths, start)
    let isNarrow = width - start < min(Self.narrowest, longest) || width - start < longestWord
    var lines = [line(header, columns, withLast: !isNarrow)]
    for row in rows {
      if let remark = row.remark {
        lines.append(blanks(indent) + remark)
      } else if isNarrow {
        lines.append(line(row.cells, columns, withLast: false))
        lines += hanging(row.cells.last ?? "", at: indent + 4, width: width)
      } else {
        let last = hanging(row.cells.last ?? "", at: start, width: width)
        let head = line(row.cells, columns, withLast: false)
        lines.append(
          last.first.map { TerminalText.padded(head, to: start) + String($0.dropFirst(start)) } ?? head)
        lines += last.dropFirst()
      }
    }
    return lines
  }

  private func line(_ cells: [String], _ columns: [Int], withLast: Bool) -> String {
    var text = blanks(indent)
    for (cell, width) in zip(cells, columns) { text += TerminalText.padded(cell, to: width) + blanks(gap) }
    if withLast { text += cells.last ?? "" }
    return trimmed(text)
  }

  private func hanging(_ text: String, at column: Int, width: Int) -> [String] {
    TerminalText.wrapped(text.words, columns: max(1, width - column)).map { blanks(column) + $0 }
  }

  private func blanks(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }

  private func trimmed(_ text: String) -> String {
    var text = text[...]
    while text.utf8.last == UInt8(ascii: " ") { text = text.dropLast() }
    return String(text)
  }
}
