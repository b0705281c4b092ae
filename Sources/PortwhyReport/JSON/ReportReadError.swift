/// What is wrong with a report that was to be read back, and where.
public struct ReportReadError: Error, Sendable, Hashable, CustomStringConvertible {
  /// In bytes from the start of the text.
  public var offset: Int
  /// The keys that lead there, such as `targets[0].sockets[3].local_port`; empty for the report as a whole.
  public var path: String
  /// Lower case, one line; like `path` it may repeat a few words of the report, so escape it before it is shown.
  public var problem: String

  /// One for this byte, whose keys may be left out.
  public init(offset: Int, path: String = "", problem: String) {
    self.offset = offset
    self.path = path
    self.problem = problem
  }

  /// `byte 17, targets[0].port: expected a number`.
  public var description: String { "byte \(offset)\(path.isEmpty ? "" : ", " + path): \(problem)" }
}
