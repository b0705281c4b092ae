import Glibc

/// Ends the run with a finding unless `condition` holds.
func require(_ condition: Bool, _ promise: @autoclosure () -> String) {
  if condition { return }
  let line = "finding: not so: \(promise())\n"
  _ = line.withCString { write(2, $0, strlen($0)) }
  abort()
}

/// Text for a terminal: nothing in it controls the terminal, ends a line that is not ours or hides what follows.
func requireHarmless(_ text: String, _ what: String, newlines: Bool = true) {
  for scalar in text.unicodeScalars where scalar.value < 0x20 || scalar.value >= 0x7f {
    if newlines && scalar == "\n" { continue }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
      require(false, "\(what) has no U+\(String(scalar.value, radix: 16))")
    default: break
    }
  }
}
