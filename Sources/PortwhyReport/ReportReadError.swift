/// What is wrong with a report that was to be read back, and where.
public struct ReportReadError: Error, Sendable, Hashable, CustomStringConvertible {
  /// In bytes from the start of the report.
  public var offset: Int
  /// Lower case, one line; may repeat a few words of the report, so escape it before it is shown.
  public var problem: String

  /// A problem at this byte.
  public init(offset: Int, problem: String) {
    self.offset = offset
    self.problem = problem
  }

  /// `byte 17: expected a number`.
  public var description: String { "byte \(offset): \(problem)" }
}
