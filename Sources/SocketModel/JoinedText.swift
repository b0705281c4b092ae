extension [String] {
  /// The same text as the standard library's generic `joined(separator:)`, which has the runtime search every
  /// conformance of the binary when it is first called: a twentieth of all instructions of an answer.
  package func joined(separator: String) -> String {
    guard var text = first else { return "" }
    for item in dropFirst() {
      text += separator
      text += item
    }
    return text
  }
}
