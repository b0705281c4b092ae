internal import PortwhyReport

/// One line of the answer.
struct Candidate: Hashable {
  var value: String
  var description: String

  init(_ value: String, _ description: String) {
    self.value = value
    self.description = description
  }

  /// Nothing in it can end the line, the column or the shell's patience. A value with a blank, a control character or
  /// what a shell would take for more than a word is left out: bash puts it on the command line as it stands, and whoever
  /// is root in a network namespace names its interfaces.
  var line: String {
    guard !value.isEmpty, value.unicodeScalars.allSatisfy(Self.isPlain) else { return "" }
    let text = TerminalText.escaped(description)
    return text.isEmpty ? value + "\n" : "\(value)\t\(text)\n"
  }

  private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\0"..." ", "\u{7F}"..."\u{9F}", "$", "`", "\"", "'", "\\", "|", "&", ";", "(", ")", "<", ">", "!", "{", "}",
      "#", "~":
      false
    default: true
    }
  }
}
