/// What the reader could not look at, and why.
public struct Visibility: Sendable, Hashable {
  /// Processes whose descriptors could not be listed.
  package var unreadableProcesses: Int
  /// Whether sockets that are bound but not listening are in the snapshot, those of other users included.
  package var boundSocketsComplete: Bool
  /// Why not everything could be looked at, as the report names it, each at most once.
  package var reasonWords: [OpenWord<VisibilityReason>]
  /// Who did not answer in time; nil where everybody did.
  package var silent: SilentSource?
  /// The BPF iterators that were asked; nil where none was wanted.
  package var bpf: BPFUse?

  /// Without arguments everything could be looked at.
  package init(unreadableProcesses: Int = 0, boundSocketsComplete: Bool = true, reasons: [VisibilityReason] = []) {
    self.unreadableProcesses = unreadableProcesses
    self.boundSocketsComplete = boundSocketsComplete
    self.reasonWords = reasons.map(OpenWord.known)
  }

  /// The reasons that this version knows.
  package var reasons: [VisibilityReason] { reasonWords.compactMap(\.known) }

  /// Adds a reason that is not there yet.
  package mutating func add(_ reason: VisibilityReason) {
    if !reasons.contains(reason) { reasonWords.append(.known(reason)) }
  }

  /// Whether everything that was looked for could be looked at.
  public var isComplete: Bool { unreadableProcesses == 0 && boundSocketsComplete && reasonWords.isEmpty }
}

/// Why a reader could not look at something that an answer needs.
package enum VisibilityReason: String, Sendable, Hashable, CaseIterable {
  /// The reader is not root, or root without CAP_SYS_PTRACE, and something was refused for that.
  case notRoot = "not-root"
  /// /proc is not mounted or shows no process.
  case noProc = "no-proc"
  /// /proc is mounted with hidepid (proc(5)) and the reader is not exempt.
  case hidepid
  /// `kernel.yama.ptrace_scope` forbids to read the flags of a process of one's own.
  case yama
  /// No pidfd_getfd(2), Linux 5.6; or no sockets that are bound and do not listen in dumps, Linux 6.8.
  case oldKernel = "old-kernel"
  /// Nothing of these is in the way and still no process that could be looked at shows a socket: its holder is in
  /// another pid or user namespace, a thread with descriptors of its own, a message (unix(7), SCM_RIGHTS), or gone.
  case noHolder = "no-holder"
  /// Another process keeps a lock or a file waiting that had to be asked: it was not waited for.
  case noAnswer = "no-answer"
}

/// What did not answer in time, and was not waited for.
package struct SilentSource: Sendable, Hashable {
  /// The process whose descriptor it was; nil for an iterator.
  package var pid: Int32?
  /// The short command name of that process, which was chosen by somebody else: escape it before it is shown.
  package var command: String?
  /// The BPF iterator that it was, `tcp` or `udp`: it locks every socket of the network namespace in its turn, and somebody
  /// keeps one locked; nil for a process.
  package var iterator: String?

  /// A descriptor of this process.
  package static func process(_ pid: Int32, command: String) -> Self { Self(pid: pid, command: command) }

  /// A BPF iterator.
  package static func iterator(_ name: String) -> Self { Self(iterator: name) }

  init(pid: Int32? = nil, command: String? = nil, iterator: String? = nil) {
    self.pid = pid
    self.command = command
    self.iterator = iterator
  }

  /// Nothing in particular: what a reader fills in.
  package static let blank = Self()
}

/// What BPF iterators were asked for one answer, and what stood in the way.
package struct BPFUse: Sendable, Hashable {
  /// The iterators that answered: `tcp`, `udp`, `task_file`.
  package var iterators: [String]
  /// The time it took, kernel types included.
  package var microseconds: UInt64
  /// Why one of them did not answer, in words for `-v`; nil where all did.
  package var problem: String?

  package init(iterators: [String] = [], microseconds: UInt64 = 0, problem: String? = nil) {
    self.iterators = iterators
    self.microseconds = microseconds
    self.problem = problem
  }
}
