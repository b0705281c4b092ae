import CProcessTestSupport

/// Runs portwhy under watch and returns the lines; see `test_watch`.
func watch(
  _ arguments: [String], _ environment: [String] = Start().environment, hasStreams: Bool = true,
  interruption: test_interruption? = nil
) -> (status: Int32, lines: [String]) {
  var report = [CChar](repeating: 0, count: 1 << 16)
  // No call has this number.
  var interruption = interruption ?? test_interruption(step: -1, command: -1, answer: -1)
  let status = withWords([portwhyBinary] + arguments) { words in
    withWords(environment) { environment in
      test_watch(
        words.map { UnsafePointer($0) }, environment.map { UnsafePointer($0) }, hasStreams ? 1 : 0, &interruption,
        &report, report.count)
    }
  }
  let text = String(decoding: report.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return (status, text.split(separator: "\n").map(String.init))
}
