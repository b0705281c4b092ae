// What a TCP socket is to the listener that it came from, or may have come from.

extension SocketObservation {
  /// A connection that waits for accept(2): no descriptor refers to it, and its peer has not left. One in SYN_RECV is
  /// that too where it has data already (TCP Fast Open), and is no mere request.
  package var isQueuedChild: Bool {
    transport == .tcp && owner == .none && inode == nil
      && (state == .established || state == .closeWait || (state == .synRecv && !isRequest))
  }

  /// Whether this listener could have accepted the connection: its address is the connection's own, or a wildcard of
  /// its family.
  package func mayHaveAccepted(_ child: SocketObservation) -> Bool {
    local.address == child.local.address || (local.address.isUnspecified && family == child.family)
  }
}
