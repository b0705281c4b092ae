internal import Explanation
internal import SocketModel

/// Text that somebody else chose, made harmless for a terminal and a log.
package enum TerminalText {
  /// Whether a character controls the terminal, breaks the line, hides or turns the direction of what follows.
  package static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.value >= 0x20 && scalar.value < 0x7f { return false }
    // Letters and marks that show nothing, and blanks that are none to a shell: U+3164, U+FE0F, U+034F, U+2800, U+00A0.
    if scalar.properties.isDefaultIgnorableCodePoint || scalar.value == 0x2800 { return true }
    return switch scalar.properties.generalCategory {
    case .spaceSeparator: scalar.value != 0x20
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
    default: false
    }
  }

  /// The text with every harmful character as `\xNN` (up to U+00FF) or `\u{N}`.
  ///
  /// A backslash stays as it is: systemd unit names hold `\x2d`, and they must stay what one can type.
  package static func escaped(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) { return text }
    guard text.unicodeScalars.contains(where: isHarmful) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if !isHarmful(scalar) {
        result.unicodeScalars.append(scalar)
      } else if scalar.value < 0x100 {
        result += (scalar.value < 0x10 ? "\\x0" : "\\x") + String(scalar.value, radix: 16)
      } else {
        result += "\\u{" + String(scalar.value, radix: 16) + "}"
      }
    }
    return result
  }

  /// The columns a text takes: 2 for wide East Asian characters and emoji, 0 for combining marks.
  static func width(_ text: String) -> Int {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
    return text.unicodeScalars.reduce(0) { $0 + width($1) }
  }

  private static func width(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark: return 0
    default: break
    }
    return switch scalar.value {
    case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f,
      0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1faff, 0x20000...0x3fffd:
      2
    default: 1
    }
  }

  /// The text filled with blanks to this many columns; longer text stays whole.
  static func padded(_ text: String, to columns: Int) -> String {
    text + String(repeating: " ", count: max(0, columns - width(text)))
  }

  /// Lines of at most `columns`, broken between words; a word that is too long stands alone and is not cut, so
  /// that a command can be copied.
  package static func wrapped(_ words: [String], columns: Int, separator: String = " ") -> [String] {
    var lines: [String] = []
    var line = ""
    var taken = 0
    let gap = width(separator)
    for word in words {
      let needed = width(word)
      if line.isEmpty {
        line = word
        taken = needed
      } else if taken + gap + needed <= columns {
        line += separator
        line += word
        taken += gap + needed
      } else {
        lines.append(line)
        line = word
        taken = needed
      }
    }
    return line.isEmpty ? lines : lines + [line]
  }

  /// The words of a text, escaped, split at blanks.
  static func words(_ text: String) -> [String] {
    escaped(text).words
  }
}

extension String {
  /// The words between blanks; by bytes, which takes a fifth of the time of characters.
  package var words: [String] {
    var words: [String] = []
    var rest = utf8[...]
    while let start = rest.firstIndex(where: { $0 != UInt8(ascii: " ") }) {
      rest = rest[start...]
      let end = rest.firstIndex(of: UInt8(ascii: " ")) ?? rest.endIndex
      words.append(String(Substring(rest[..<end])))
      rest = rest[end...]
    }
    return words
  }
}

/// How the answer is put on a screen; everything it needs to know of the terminal and the user's wishes.
package struct ScreenStyle: Sendable, Hashable {
  /// Columns, held within 40...100.
  package let width: Int
  /// Colours are used, SGR of ECMA-48.
  package var color: Bool
  /// The deciding rules, every flag's source, and no shortened lists.
  package var verbose: Bool
  /// No user names, even where `users` has them.
  package var numeric: Bool
  /// The names of uids.
  package var users: [UInt32: String]
  /// How long gathering the answer took, in microseconds; shown where `verbose`.
  package var elapsedMicroseconds: UInt64?

  /// A terminal of 80 columns without colour where nothing is said.
  package init(
    width: Int = 80, color: Bool = false, verbose: Bool = false, numeric: Bool = false,
    users: [UInt32: String] = [:], elapsedMicroseconds: UInt64? = nil
  ) {
    self.width = min(max(width, 40), 100)
    self.color = color
    self.verbose = verbose
    self.numeric = numeric
    self.users = users
    self.elapsedMicroseconds = elapsedMicroseconds
  }

  /// `alice`, or `uid 1000` where there is no name.
  func user(_ uid: UInt32) -> String {
    name(uid) ?? "uid \(uid)"
  }

  /// `uid 33 (www-data)`, or `uid 33` where there is no name.
  func uidAndName(_ uid: UInt32) -> String {
    "uid \(uid)" + (name(uid).map { " (\($0))" } ?? "")
  }

  private func name(_ uid: UInt32) -> String? {
    numeric ? nil : users[uid].map(TerminalText.escaped)
  }

  /// Who stands behind each of these sockets, escaped.
  func owners(_ sockets: [SocketObservation]) -> Owners {
    Owners(words: OwnerWords(sockets, showsAll: verbose))
  }

  /// The words of owners, made harmless.
  struct Owners {
    fileprivate var words: OwnerWords

    func callAsFunction(_ socket: SocketObservation) -> String { TerminalText.escaped(words.text(socket)) }

    /// As `OwnerWords.foldingKey`.
    func foldingKey(_ socket: SocketObservation) -> String { words.foldingKey(socket) }
  }

  /// Colours repeat what the words say; SGR parameters of ECMA-48.
  enum Ink: String {
    case bold = "1"
    case dim = "2"
    case works = "1;32"
    case fails = "1;31"
    case undetermined = "1;33"
  }

  func paint(_ text: String, _ ink: Ink) -> String {
    color ? "\u{1b}[\(ink.rawValue)m\(text)\u{1b}[0m" : text
  }
}

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
