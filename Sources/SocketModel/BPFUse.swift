/// What BPF iterators were asked for one answer, and what stood in the way.
public struct BPFUse: Sendable, Hashable {
  /// The iterators that answered: `tcp`, `udp`, `task_file`.
  public var iterators: [String]
  /// The time it took, kernel types included.
  public var microseconds: UInt64
  /// Why one of them did not answer, in words for `-v`; nil where all did.
  public var problem: String?

  /// One with these parts, each as its property says.
  public init(iterators: [String] = [], microseconds: UInt64 = 0, problem: String? = nil) {
    self.iterators = iterators
    self.microseconds = microseconds
    self.problem = problem
  }
}
