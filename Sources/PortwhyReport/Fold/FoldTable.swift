internal import Answers
internal import Explanation
internal import SocketModel

// The fold for people: a table for each question, hosts without an answer, what is to be noted.

extension Fold {
  /// All of it, with a newline at its end.
  package func text(style: ScreenStyle) -> String {
    var blocks = questions.map { $0.lines(style) }
    let silent = silentByReason
    if !silent.isEmpty {
      let count = silent.reduce(0) { $0 + $1.hosts.count }
      let rows = silent.map { reason, hosts in
        FoldRow(cells: ["", String(hosts.count), reason], hosts: FoldedNames.entries(hosts), ink: .undetermined)
      }
      blocks.append([style.paint("no answer, \(counted(count, "host"))", .bold)] + FoldRow.lines(rows, style))
    }
    let notes = notes(style)
    if !notes.isEmpty { blocks.append(notes) }
    return blocks.map { $0.joined(separator: "\n") + "\n" }.joined(separator: "\n")
  }

  private func notes(_ style: ScreenStyle) -> [String] {
    var notes: [String] = []
    if let newest, !old.isEmpty {
      let are = old.count == 1 ? "report is" : "reports are"
      notes.append(
        "\(old.count) \(are) more than an hour older than the newest"
          + " (\(Timestamp.text(secondsSinceEpoch: newest))): \(Self.named(old))")
    }
    for (version, hosts) in versions.dropFirst() {
      notes.append(
        "\(counted(hosts.count, "report")) of portwhy \(version), not \(versions[0].version): \(Self.named(hosts))")
    }
    if replaced > 0 {
      notes.append("\(counted(replaced, "report")) left out: a newer one of the same host is there")
    }
    return notes.flatMap { note in
      TerminalText.wrapped(TerminalText.words(note), columns: style.width - 6).enumerated().map {
        ($0.offset == 0 ? style.paint("note", .bold) + "  " : "      ") + $0.element
      }
    }
  }

  private static func named(_ hosts: [String]) -> String { FoldedNames.entries(hosts).joined(separator: ", ") }
}

extension FoldQuestion {
  /// `8080/tcp on 0.0.0.0 with SO_REUSEPORT, 500 hosts`.
  var title: String {
    var text = "\(key.port)/\(key.transport.rawValue)"
    if !key.addresses.isEmpty { text += " on " + key.addresses.listed(atMost: .max) }
    if !key.options.isEmpty { text += " with " + key.options.names }
    if let device = key.device { text += ", device \(device)" }
    if let user = key.user { text += ", as \(user)" }
    return text + ", " + counted(hosts, "host")
  }

  fileprivate func lines(_ style: ScreenStyle) -> [String] {
    let rows = sorted.map { group, hosts in
      FoldRow(
        cells: [
          group.verdict.word ?? "not asked", String(hosts.count), group.cause, group.holder,
          group.foreign.map { foreignWord($0.system, bind: $0.bind, likely: $0.likely) }.joined(separator: ", "),
        ],
        hosts: FoldedNames.entries(hosts), ink: group.verdict.ink)
    }
    return [style.paint(TerminalText.escaped(title), .bold)] + FoldRow.lines(rows, style)
  }
}

extension FoldGroup.Verdict {
  fileprivate var ink: ScreenStyle.Ink {
    switch self {
    case .ok, .ours: .works
    case .fails: .fails
    case .undetermined: .undetermined
    case .none: .dim
    }
  }
}

/// A group of hosts: a word, how many, and free text.
private struct FoldRow {
  var cells: [String]
  var hosts: [String]
  var ink: ScreenStyle.Ink

  /// Columns that are empty everywhere are left out; names wrap in theirs.
  static func lines(_ rows: [FoldRow], _ style: ScreenStyle) -> [String] {
    let escaped = rows.map { $0.cells.map(TerminalText.escaped) }
    let columns = escaped.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in escaped.map { TerminalText.width($0[column]) }.max() ?? 0 }
    let used = widths.indices.filter { widths[$0] > 0 }
    let start = used.reduce(2) { $0 + widths[$1] + 2 }
    let isNarrow = style.width - start < 24
    return zip(rows, escaped).flatMap { row, cells in
      var line = "  "
      for column in used {
        let padding = String(repeating: " ", count: widths[column] - TerminalText.width(cells[column]))
        // How many is a number.
        let cell = column == 1 ? padding + cells[column] : cells[column] + padding
        line += (column == 0 ? style.paint(cell, row.ink) : cell) + "  "
      }
      let indent = isNarrow ? 6 : start
      let wrapped = wrapped(row.hosts, columns: max(20, style.width - indent))
      let blanks = String(repeating: " ", count: indent)
      if isNarrow { return [trimmed(line)] + wrapped.map { blanks + $0 } }
      return [line + (wrapped.first ?? "")] + wrapped.dropFirst().map { blanks + $0 }
    }
  }

  /// Broken between names, and one that is too long, such as `web[1,3,5,…]`, after a comma.
  private static func wrapped(_ names: [String], columns: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for (place, name) in names.enumerated() {
      let text = TerminalText.escaped(name) + (place == names.count - 1 ? "" : ",")
      if !line.isEmpty, TerminalText.width(line) + 1 + TerminalText.width(text) <= columns {
        line += " " + text
        continue
      }
      if !line.isEmpty { lines.append(line) }
      line = ""
      guard TerminalText.width(text) > columns else {
        line = text
        continue
      }
      for (index, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
        let glued = (index == 0 ? "" : ",") + part
        // The comma stays with what is before it.
        if index > 0, TerminalText.width(line) + TerminalText.width(glued) + 1 > columns {
          lines.append(line + ",")
          line = String(part)
        } else {
          line += glued
        }
      }
    }
    return line.isEmpty ? lines : lines + [line]
  }

  private static func trimmed(_ text: String) -> String {
    var text = text[...]
    while text.utf8.last == UInt8(ascii: " ") { text = text.dropLast() }
    return String(text)
  }
}

/// The names of hosts as operators write many of them: `web[001-480]`, `db[1-3,7].example.org`.
enum FoldedNames {
  /// One entry for each group of names that differ in one number; groups with most hosts are not put first, names are in
  /// the order of their text and numbers.
  static func entries(_ names: some Sequence<String>) -> [String] {
    var groups: [Key: [UInt64]] = [:]
    let parts = Set(names).sorted().map { (name: $0, part: Part($0)) }
    // web10 belongs to web09, which is padded to two digits.
    let padded = Set(parts.compactMap { $0.part?.isPadded == true ? $0.part?.padded : nil })
    var entries: [(key: Key, text: String)] = []
    for (name, part) in parts {
      guard let part else {
        entries.append((Key(prefix: name, suffix: "", width: 0), name))
        continue
      }
      groups[padded.contains(part.padded) ? part.padded : part.plain, default: []].append(part.number)
    }
    for (key, numbers) in groups { entries.append((key, text(key, numbers.sorted()))) }
    return entries.sorted {
      ($0.key.prefix, $0.key.suffix, $0.key.width) < ($1.key.prefix, $1.key.suffix, $1.key.width)
    }
    .map(\.text)
  }

  private static func text(_ key: Key, _ numbers: [UInt64]) -> String {
    var ranges: [ClosedRange<UInt64>] = []
    for number in numbers {
      if let last = ranges.last, last.upperBound + 1 == number {
        ranges[ranges.count - 1] = last.lowerBound...number
      } else {
        ranges.append(number...number)
      }
    }
    let words = ranges.map { range in
      let (first, last) = (digits(range.lowerBound, key.width), digits(range.upperBound, key.width))
      return range.count == 1 ? first : "\(first)-\(last)"
    }
    let all = words.joined(separator: ",")
    return key.prefix + (numbers.count == 1 ? all : "[\(all)]") + key.suffix
  }

  private static func digits(_ number: UInt64, _ width: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
  }

  /// What names of one group have in common; a width of 0 is that of numbers without leading zeros.
  private struct Key: Hashable {
    var prefix: String
    var suffix: String
    var width: Int
  }

  /// A name taken apart at the number that counts: the last one of its first label, of an IPv4 address the last one.
  private struct Part {
    var prefix: String
    var digits: String
    var number: UInt64
    var suffix: String

    init?(_ name: String) {
      let bytes = Array(name.utf8)
      func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
      let dot = bytes.firstIndex(of: UInt8(ascii: "."))
      let isAddress = bytes.allSatisfy { isDigit($0) || $0 == UInt8(ascii: ".") }
      let label = isAddress ? bytes[...] : bytes[..<(dot ?? bytes.endIndex)]
      guard let last = label.lastIndex(where: isDigit) else { return nil }
      let first = label[...last].lastIndex { !isDigit($0) }.map { $0 + 1 } ?? 0
      digits = String(decoding: bytes[first...last], as: UTF8.self)
      // More digits than any count of hosts has are an id.
      guard digits.utf8.count <= 18, let number = UInt64(digits) else { return nil }
      self.number = number
      prefix = String(decoding: bytes[..<first], as: UTF8.self)
      suffix = String(decoding: bytes[(last + 1)...], as: UTF8.self)
    }

    var isPadded: Bool { digits.utf8.count > 1 && digits.hasPrefix("0") }
    var padded: Key { Key(prefix: prefix, suffix: suffix, width: digits.utf8.count) }
    var plain: Key { Key(prefix: prefix, suffix: suffix, width: 0) }
  }
}
