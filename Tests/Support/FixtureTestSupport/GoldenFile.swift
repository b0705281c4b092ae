import Glibc
package import Testing

/// A file in the folder Golden of a test target: what a renderer once printed and somebody found right.
package enum GoldenFile {
  /// Compares, or with `PORTWHY_RECORD` in the environment writes the file and fails.
  package static func check(
    _ text: String, _ name: String, beside file: String = #filePath, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let path = path(name, beside: file)
    if getenv("PORTWHY_RECORD") != nil {
      write(text, path)
      Issue.record("recorded \(name); look at it, then run without PORTWHY_RECORD", sourceLocation: sourceLocation)
      return
    }
    guard let golden = fileText(path) else {
      Issue.record("no golden file \(name); record it with PORTWHY_RECORD=1", sourceLocation: sourceLocation)
      return
    }
    if text == golden { return }
    let (now, then) = (lines(text), lines(golden))
    let place = Array(zip(now, then)).firstIndex { $0 != $1 } ?? min(now.count, then.count)
    func line(_ lines: [Substring]) -> Substring { place < lines.count ? lines[place] : "(the end)" }
    Issue.record(
      "\(name), line \(place + 1)\n  is:  \(line(now))\n  was: \(line(then))", sourceLocation: sourceLocation)
  }

  private static func lines(_ text: String) -> [Substring] {
    text.split(separator: "\n", omittingEmptySubsequences: false)
  }

  /// The recorded text; nil where there is none.
  package static func text(_ name: String, beside file: String = #filePath) -> String? {
    fileText(path(name, beside: file))
  }

  private static func path(_ name: String, beside file: String) -> String {
    file.prefix(upTo: file.lastIndex(of: "/") ?? file.endIndex) + "/Golden/" + name
  }

  private static func write(_ text: String, _ path: String) {
    mkdir(String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex)), 0o755)
    guard let file = fopen(path, "w") else { return }
    defer { fclose(file) }
    fputs(text, file)
  }
}

/// The whole text of a file; nil where it cannot be opened.
package func fileText(_ path: String) -> String? {
  guard let file = fopen(path, "r") else { return nil }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var byte = fgetc(file)
  while byte != EOF {
    bytes.append(UInt8(truncatingIfNeeded: byte))
    byte = fgetc(file)
  }
  return String(decoding: bytes, as: UTF8.self)
}
