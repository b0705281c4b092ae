/// Who stands behind a socket.
public enum SocketOwner: String, Sendable, Hashable, CaseIterable {
  /// At least one process holds a descriptor of it.
  case process
  /// The kernel itself, on positive evidence only.
  case kernel
  /// Nobody: TIME_WAIT, an orphan, a queued child.
  case none
  /// Somebody that cannot be seen: not permitted, another pid namespace, a descriptor in flight, io_uring.
  case hidden
}
