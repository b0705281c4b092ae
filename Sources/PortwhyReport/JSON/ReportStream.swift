/// Finds the reports in what is read piece by piece: JSON Lines, documents one after another, pretty-printed ones, and the
/// lines `NAME: {…}` of clush(1) and pdsh(1). No more than one document is kept.
package struct ReportStream {
  package enum Piece: Hashable {
    /// What may be a report. `name` is the host's, where the line says it; the line is counted from 1.
    case document([UInt8], name: String?, line: Int)
    /// A line that has none, at most `longestLine` bytes of it. `name` is what stands before `: `.
    case foreign(String, name: String?, line: Int)
    /// A document that is longer than any report.
    case tooLong(name: String?, line: Int)
  }

  /// Of a line that is no report, in bytes.
  package static let longestLine = 512

  private var bytes: [UInt8] = []
  /// The next byte to be looked at.
  private var position = 0
  private var line = 1
  private var state = State.between
  private let limit: Int

  private enum State {
    case between
    case document(Document)
    /// The rest of a line that has been dealt with.
    case rest
  }

  private struct Document {
    var start: Int
    var name: String?
    var line: Int
    var depth = 0
    var isInString = false
  }

  /// - Parameter limit: the longest document, in bytes.
  package init(limit: Int = JSONReport.maximumSize) { self.limit = limit }

  /// More of the text.
  package mutating func append(_ more: [UInt8]) {
    let start = if case .document(let document) = state { document.start } else { position }
    if start > 0 {
      bytes.removeFirst(start)
      position -= start
      if case .document(var document) = state {
        document.start = 0
        state = .document(document)
      }
    }
    bytes += more
  }

  /// The next piece; nil where there is none in what was appended so far.
  ///
  /// - Parameter isWhole: nothing more comes.
  package mutating func next(isWhole: Bool) -> Piece? {
    while true {
      switch state {
      case .between:
        switch begin(isWhole) {
        case .piece(let piece): return piece
        case .more: continue
        case .none: return nil
        }
      case .document(let document):
        if let piece = finish(document, isWhole) { return piece }
        return nil
      case .rest:
        guard skipLine() else { return nil }
        state = .between
      }
    }
  }

  private enum Step {
    case piece(Piece)
    case more
    case none
  }

  /// To the beginning of a document, or over a line that has none.
  private mutating func begin(_ isWhole: Bool) -> Step {
    while position < bytes.count, Self.isBlank(bytes[position]) {
      if bytes[position] == newline { line += 1 }
      position += 1
    }
    guard position < bytes.count else { return .none }
    if bytes[position] == brace {
      state = .document(Document(start: position, line: line))
      return .more
    }
    let end = min(bytes.count, position + Self.longestLine)
    let stop = bytes[position..<end].firstIndex { $0 == newline || $0 == brace }
    guard let stop = stop ?? (isWhole || end - position == Self.longestLine ? end : nil) else { return .none }
    let name = self.name(position..<stop)
    if stop < bytes.count, bytes[stop] == brace, let name {
      state = .document(Document(start: stop, name: name, line: line))
      position = stop
      return .more
    }
    // A line that goes on in what is read next is waited for.
    let isAll = isWhole || end - position == Self.longestLine
    guard let lineEnd = bytes[position..<end].firstIndex(of: newline) ?? (isAll ? end : nil) else { return .none }
    let text = String(decoding: bytes[position..<lineEnd], as: UTF8.self)
    position = lineEnd
    state = .rest
    return .piece(.foreign(text, name: self.name(ofLine: text), line: line))
  }

  /// `NAME` of `NAME: `, where nothing else stands there.
  private func name(_ range: Range<Int>) -> String? {
    var word = bytes[range]
    while let last = word.last, last == 0x20 || last == 0x09 { word = word.dropLast() }
    guard word.last == colon else { return nil }
    word = word.dropLast()
    guard !word.isEmpty, word.count <= 255, word.allSatisfy({ $0 > 0x20 && $0 != UInt8(ascii: "\"") }) else {
      return nil
    }
    return String(decoding: word, as: UTF8.self)
  }

  /// `NAME` of `NAME: what went wrong`.
  private func name(ofLine text: String) -> String? {
    let word = text.utf8.prefix { $0 != colon }
    let rest = text.utf8.dropFirst(word.count)
    // What the engines themselves say of a host: `clush: web1: exited with exit code 1`, `pdsh@admin: web1: …`.
    if word.elementsEqual("clush".utf8) || word.starts(with: "pdsh@".utf8), rest.count > 2 {
      return name(ofLine: String(Substring(rest.dropFirst(2))))
    }
    guard !word.isEmpty, word.count <= 255, word.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") }),
      rest.count == 1 || rest.dropFirst().first == 0x20
    else { return nil }
    return String(Substring(word))
  }

  /// To the end of the document, or to where it is seen to be cut off: its line, where lines have names, or a line
  /// that begins another one.
  private mutating func finish(_ document: Document, _ isWhole: Bool) -> Piece? {
    var document = document
    let count = bytes.count
    while position < count {
      let byte = bytes[position]
      if document.isInString {
        if byte == UInt8(ascii: "\\"), position + 1 < count, bytes[position + 1] != newline {
          position += 2
          continue
        }
        // An escape that the next part ends.
        if byte == UInt8(ascii: "\\"), position + 1 == count, !isWhole { break }
        if byte == newline { return emit(document) }
        if byte == UInt8(ascii: "\"") { document.isInString = false }
      } else {
        switch byte {
        case UInt8(ascii: "\""): document.isInString = true
        case brace, UInt8(ascii: "["): document.depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
          document.depth -= 1
          if document.depth <= 0 {
            position += 1
            return emit(document)
          }
        case newline:
          if document.name != nil { return emit(document) }
          guard position + 1 < count || isWhole else {
            state = .document(document)
            return nil
          }
          if position + 1 < count, bytes[position + 1] == brace { return emit(document) }
          line += 1
        default: break
        }
      }
      position += 1
      if position - document.start > limit {
        state = .rest
        return .tooLong(name: document.name, line: document.line)
      }
    }
    guard isWhole else {
      state = .document(document)
      return nil
    }
    return emit(document)
  }

  private mutating func emit(_ document: Document) -> Piece {
    state = .between
    return .document(Array(bytes[document.start..<position]), name: document.name, line: document.line)
  }

  /// False where the line does not end in what is there.
  private mutating func skipLine() -> Bool {
    guard let end = bytes[position...].firstIndex(of: newline) else {
      position = bytes.count
      return false
    }
    position = end
    return true
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d }
}

private let newline = UInt8(ascii: "\n")
private let brace = UInt8(ascii: "{")
private let colon = UInt8(ascii: ":")
