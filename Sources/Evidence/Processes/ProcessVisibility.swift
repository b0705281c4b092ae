package import SocketModel

/// What the walk of /proc could not look at, as far as an answer lacks something for it.
///
/// `0` and `[]` mean: each socket that has an inode has a holder and known flags, or everything was readable and
/// there is nothing more to see. Unreadable processes that cost no fact are not counted, else no answer without
/// root would ever be complete. So it does not mean that nobody else holds the same sockets: a reader without
/// root sees the workers of its own uid, not the master of another.
package struct ProcessVisibility: Sendable, Hashable {
  /// Processes whose descriptors could not be listed (EACCES, EPERM). Kernel threads and zombies, which have
  /// none, do not count, nor do processes that hidepid=2 keeps out of /proc altogether.
  package var unreadableProcesses: Int
  /// Why, each at most once.
  package var reasons: [VisibilityReason]

  /// Who did not answer in time.
  package var silent: SilentSource?

  package init(unreadableProcesses: Int = 0, reasons: [VisibilityReason] = [], silent: SilentSource? = nil) {
    self.unreadableProcesses = unreadableProcesses
    self.reasons = reasons
    self.silent = silent
  }

  /// Whether nothing was kept from the reader.
  package var isComplete: Bool { unreadableProcesses == 0 && reasons.isEmpty }
}
