/// What is wrong with a report that was to be read back, and where.
package struct ReportReadError: Error, Sendable, Hashable, CustomStringConvertible {
  /// In bytes from the start of the text.
  package var offset: Int
  /// The keys that lead there, such as `targets[0].sockets[3].local_port`; empty for the report as a whole.
  package var path: String
  /// Lower case, one line; like `path` it may repeat a few words of the report, so escape it before it is shown.
  package var problem: String

  /// One for this byte, whose keys may be left out.
  package init(offset: Int, path: String = "", problem: String) {
    self.offset = offset
    self.path = path
    self.problem = problem
  }

  /// `byte 17, targets[0].port: expected a number`.
  package var description: String { "byte \(offset)\(path.isEmpty ? "" : ", " + path): \(problem)" }
}
