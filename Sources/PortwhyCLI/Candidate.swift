internal import PortwhyReport

/// One line of the answer.
struct Candidate: Hashable {
  var value: String
  var description: String

  init(_ value: String, _ description: String) {
    self.value = value
    self.description = description
  }

  /// Nothing in it can end the line, the column or the shell's patience. A value is left out where a shell would take it
  /// for more than a word (bash puts it on the command line as it stands), portwhy or a shell for something else (an
  /// option, `=command`), or a reader for another: whoever is root in a network namespace names its interfaces.
  var line: String {
    guard let first = value.unicodeScalars.first, first != "-", first != "=",
      value.unicodeScalars.allSatisfy(Self.isPlain)
    else { return "" }
    let text = TerminalText.escaped(description)
    return text.isEmpty ? value + "\n" : "\(value)\t\(text)\n"
  }

  private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\0"..." ", "\u{7F}"..."\u{9F}", "$", "`", "\"", "'", "\\", "|", "&", ";", "(", ")", "<", ">", "!", "{", "}",
      "#", "~", "*", "?", "[", "]", "^", "\u{2800}", "\u{FFFD}":
      false
    default: !TerminalText.isHarmful(scalar) && !scalar.properties.isDefaultIgnorableCodePoint
    }
  }
}
