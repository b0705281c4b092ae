internal import CLinux
internal import Glibc

/// getopt_long(3), over words and rows as values.
package enum LongOptions {
  /// has_arg of getopt_long(3).
  package enum Argument: Int32, Sendable, Hashable {
    case none = 0
    case required = 1
    case optional = 2
  }

  /// What one call answered.
  package struct Step: Sendable, Hashable {
    /// What it returned: a letter, `firstCode` and the number of the row of a long option, 1 for an operand, `?` or `:` for
    /// what is wrong, -1 at the end.
    package var code: Int32
    /// optopt.
    package var option: Int32
    /// optarg.
    package var value: String?
    /// optind: the number of the next word, that of the program's name being 0.
    package var next: Int
  }

  /// Long options have the codes from here on, letters their own.
  package static let firstCode: Int32 = 256

  /// Every answer in the order typed, the last with code -1.
  ///
  /// - Parameters:
  ///   - names: the long option of each row and its argument; nil for a row with a letter alone.
  ///   - letters: the option string of getopt(3).
  package static func steps(
    of words: [String], names rows: [(name: String, argument: Argument)?], letters string: String
  ) -> [Step] {
    var bytes: [CChar] = []
    func append(_ text: String) -> Int {
      let start = bytes.count
      for byte in text.utf8 { bytes.append(CChar(bitPattern: byte)) }
      bytes.append(0)
      return start
    }
    let program = append("portwhy")
    let starts = words.map(append)
    let names = rows.map { row in row.map { append($0.name) } }
    let letters = append(string)
    return unsafe bytes.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return [] }
      var arguments: [UnsafeMutablePointer<CChar>?] = unsafe [base + program]
      for start in starts { unsafe arguments.append(base + start) }
      unsafe arguments.append(nil)
      var options: [option] = unsafe []
      for (number, name) in names.enumerated() {
        guard let name, let row = rows[number] else { continue }
        unsafe options.append(
          option(name: base + name, has_arg: row.argument.rawValue, flag: nil, val: firstCode + Int32(number)))
      }
      unsafe options.append(option())
      portwhy_getopt_begin()
      defer { portwhy_getopt_end() }
      var steps: [Step] = []
      while true {
        let step = unsafe portwhy_getopt_next(Int32(words.count + 1), arguments, base + letters, options)
        let value = unsafe step.value.map { unsafe String(cString: $0) }
        unsafe steps.append(Step(code: step.code, option: step.option, value: value, next: Int(step.next)))
        if unsafe step.code == -1 { return steps }
      }
    }
  }
}
