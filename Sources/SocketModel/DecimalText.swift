// Not for every StringProtocol: a generic function of another module would search for conformances at run time.

extension String {
  /// Whether it is a decimal number without sign: ASCII digits, at least one.
  package var isDecimal: Bool { self[...].isDecimal }
}

extension Substring {
  /// As that of `String`.
  package var isDecimal: Bool {
    !isEmpty && utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
  }
}

extension Substring {
  /// Where another text first stands in this one, by bytes; nil where it does not.
  ///
  /// `contains` and `firstRange(of:)` with a text would bring the regex engine into the binary.
  package func place(of text: String) -> Range<Index>? {
    var rest = utf8
    while rest.count >= text.utf8.count {
      if rest.starts(with: text.utf8) {
        return rest.startIndex..<rest.index(rest.startIndex, offsetBy: text.utf8.count)
      }
      rest = rest.dropFirst()
    }
    return nil
  }
}
