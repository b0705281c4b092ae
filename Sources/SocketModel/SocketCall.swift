/// A system call that gives a socket its port.
public enum SocketCall: String, Sendable, Hashable, CaseIterable {
  /// bind(2).
  case bind
  /// listen(2), TCP only.
  case listen
}
