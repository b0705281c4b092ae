/// What the reader could not look at, and why.
public struct Visibility: Sendable, Hashable {
  /// Processes whose descriptors could not be listed.
  public var unreadableProcesses: Int
  /// Whether sockets that are bound but not listening are in the snapshot, those of other users included.
  public var boundSocketsComplete: Bool
  /// Stable words: `not-root`, `no-proc`, `hidepid`, `yama`, `old-kernel`; `no-holder` where nothing of these is
  /// in the way and still no process that could be looked at shows a socket: its holder is in another pid or user
  /// namespace, a thread with descriptors of its own, a message (unix(7), SCM_RIGHTS), or gone by now.
  public var reasons: [String]
  /// The BPF iterators that were asked; nil where none was wanted.
  public var bpf: BPFUse?

  /// One with these parts, each as its property says.
  public init(unreadableProcesses: Int = 0, boundSocketsComplete: Bool = true, reasons: [String] = []) {
    self.unreadableProcesses = unreadableProcesses
    self.boundSocketsComplete = boundSocketsComplete
    self.reasons = reasons
  }

  /// Whether everything that was looked for could be looked at.
  public var isComplete: Bool { unreadableProcesses == 0 && boundSocketsComplete && reasons.isEmpty }
}

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
