internal import CArguments

/// The words of a command line, taken apart by getopt_long(3).
///
/// The one file of the options with pointers. The option string begins with `-:`: options and operands come in the order
/// typed, whatever POSIXLY_CORRECT says, and what is wrong is said here and not by the C library.
enum Getopt {
  enum Part: Hashable {
    case operand(String)
    /// The row with this number.
    case option(Int, value: String?)
    /// No such option; an abbreviation is none either. The word is that in which it stands.
    case unknown(_ option: String, word: String)
    case missingValue(Int)
    case unwantedValue(Int)
  }

  /// - Returns: the parts in the order typed, and the words after `--`; nil without `--`.
  static func parts(of words: [String], options rows: [OptionRow]) -> (parts: [Part], afterTerminator: [String]?) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(1024)
    func append(_ text: String) -> Int {
      let start = bytes.count
      bytes.append(contentsOf: text.utf8)
      bytes.append(0)
      return start
    }
    let program = append("portwhy")
    let starts = words.map(append)
    let names = rows.map { append($0.long ?? "") }
    let letters = bytes.count
    bytes.append(contentsOf: "-:".utf8)
    for row in rows { row.appendLetter(to: &bytes) }
    bytes.append(0)
    return bytes.withUnsafeMutableBytes { buffer in
      guard let base = buffer.assumingMemoryBound(to: CChar.self).baseAddress else { return ([], nil) }
      var arguments: [UnsafeMutablePointer<CChar>?] = [base + program]
      for start in starts { arguments.append(base + start) }
      arguments.append(nil)
      var options: [option] = []
      for (number, name) in names.enumerated() where rows[number].long != nil {
        options.append(
          option(name: base + name, has_arg: rows[number].argument, flag: nil, val: firstCode + Int32(number)))
      }
      options.append(option())
      portwhy_getopt_begin()
      defer { portwhy_getopt_end() }
      var parts: [Part] = []
      // That of the next word to be looked at, or of the one with letters left.
      var place = 1
      while true {
        let step = portwhy_getopt_next(Int32(words.count + 1), arguments, base + letters, options)
        let next = Int(step.next)
        // Only `--` is passed over without a part.
        if step.code == -1 { return (parts, next > place ? Array(words[(next - 1)...]) : nil) }
        let hasOwnWord = next == place + 2
        parts.append(part(step, word: words[place - 1], hasOwnWord: hasOwnWord, rows))
        place = next
      }
    }
  }

  /// Long options have the codes from here on, letters their own.
  private static let firstCode: Int32 = 256

  /// - Parameter hasOwnWord: the value is the word after the option.
  private static func part(
    _ step: portwhy_getopt_step, word: String, hasOwnWord: Bool, _ rows: [OptionRow]
  ) -> Part {
    let value = step.value.map { String(cString: $0) }
    if step.code == 1 { return .operand(value ?? word) }
    let isMissing = step.code == Int32(UInt8(ascii: ":"))
    let isWrong = step.code == Int32(UInt8(ascii: "?"))
    let code = isMissing || isWrong ? step.option : step.code
    guard let number = row(code, rows), isWhole(word, code, rows[number]) else {
      return .unknown(unknownName(word, code), word: word)
    }
    if isWrong { return .unwantedValue(number) }
    // An option is no value: it was forgotten. After `=` it is one.
    if isMissing || hasOwnWord && isOption(value ?? "", rows) { return .missingValue(number) }
    return .option(number, value: value)
  }

  private static func row(_ code: Int32, _ rows: [OptionRow]) -> Int? {
    if code >= firstCode { return Int(code - firstCode) }
    return rows.firstIndex { $0.letter.map { Int32($0.value) } == code }
  }

  /// getopt_long(3) takes the beginning of a name for the whole.
  private static func isWhole(_ word: String, _ code: Int32, _ row: OptionRow) -> Bool {
    code < firstCode || word.utf8.prefix { $0 != UInt8(ascii: "=") }.dropFirst(2).elementsEqual((row.long ?? "").utf8)
  }

  /// `--name` without its value, or the letter with its dash.
  private static func unknownName(_ word: String, _ code: Int32) -> String {
    if word.hasPrefix("--") { return String(word.prefix { $0 != "=" }) }
    guard let letter = UInt8(exactly: code), (0x21...0x7e).contains(letter), letter != UInt8(ascii: "-") else {
      return word
    }
    return "-\(Unicode.Scalar(letter))"
  }

  private static func isOption(_ word: String, _ rows: [OptionRow]) -> Bool {
    guard word.hasPrefix("-") else { return false }
    return rows.contains { $0.names.contains(word) }
  }
}

extension OptionRow {
  /// has_arg of getopt_long(3).
  fileprivate var argument: Int32 {
    switch value {
    case .none: no_argument
    case .required: required_argument
    case .optional, .operand: optional_argument
    }
  }

  /// Its letter in the option string of getopt(3).
  fileprivate func appendLetter(to bytes: inout [UInt8]) {
    guard let letter, letter.isASCII else { return }
    bytes.append(UInt8(letter.value))
    for _ in 0..<argument { bytes.append(UInt8(ascii: ":")) }
  }
}
