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
