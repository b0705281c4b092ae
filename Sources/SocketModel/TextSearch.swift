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
