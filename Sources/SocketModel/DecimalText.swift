extension StringProtocol {
  /// Whether it is a decimal number without sign: ASCII digits, at least one.
  package var isDecimal: Bool {
    !isEmpty && utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
  }
}
