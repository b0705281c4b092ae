internal import PortwhyReport

/// One line of the answer.
struct Candidate: Hashable {
  var value: String
  var description: String

  init(_ value: String, _ description: String) {
    self.value = value
    self.description = description
  }

  /// Nothing in it can end the line, the column or the shell's patience; a value with a blank or worse is left out.
  var line: String {
    guard !value.isEmpty, value.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { return "" }
    let text = TerminalText.escaped(description)
    return text.isEmpty ? value + "\n" : "\(value)\t\(text)\n"
  }
}
