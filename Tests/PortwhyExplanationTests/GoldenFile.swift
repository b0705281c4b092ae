import Glibc
import Testing

/// A file beside this one that holds what a renderer once printed and somebody found right.
enum GoldenFile {
  /// Compares, or with `PORTWHY_RECORD=1` in the environment writes the file and fails.
  static func check(_ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let path = folder + "/Golden/" + name
    if getenv("PORTWHY_RECORD") != nil {
      write(text, path)
      Issue.record("recorded \(name); look at it, then run without PORTWHY_RECORD", sourceLocation: sourceLocation)
      return
    }
    guard let golden = read(path) else {
      Issue.record("no golden file \(name); record it with PORTWHY_RECORD=1", sourceLocation: sourceLocation)
      return
    }
    #expect(text == golden, "\(name)", sourceLocation: sourceLocation)
  }

  static let folder = String(#filePath.prefix(upTo: #filePath.lastIndex(of: "/") ?? #filePath.endIndex))

  static func read(_ path: String) -> String? {
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

  private static func write(_ text: String, _ path: String) {
    mkdir(folder + "/Golden", 0o755)
    guard let file = fopen(path, "w") else { return }
    defer { fclose(file) }
    fputs(text, file)
  }
}
