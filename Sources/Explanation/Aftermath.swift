import SocketModel

extension Snapshot {
  /// The sockets as they would be once these processes have gone.
  ///
  /// Listening, bound and UDP sockets go with their last holder. Connections do not: they become orphans in a closing
  /// state and then TIME_WAIT, with the flags they had (tcp(7), kernel function `tcp_close`); a queued child goes
  /// with its listener.
  func withoutProcesses(_ pids: Set<Int32>) -> Snapshot {
    var after = self
    let listenerStays = sockets.contains { socket in
      socket.state == .listen && !socket.processes.allSatisfy { pids.contains($0.pid) }
    }
    after.sockets = sockets.compactMap { socket in
      if socket.isQueuedChild && !listenerStays { return nil }
      guard socket.owner == .process, socket.processes.allSatisfy({ pids.contains($0.pid) }) else { return socket }
      guard socket.transport == .tcp, socket.state != .listen, socket.state != .close, socket.state != .synSent else {
        return nil
      }
      var orphan = socket
      orphan.processes = []
      orphan.owner = .none
      orphan.inode = nil
      orphan.state = .finWait1
      return orphan
    }
    return after
  }
}

extension SocketObservation {
  /// A connection that waits for accept(2): established, yet no descriptor refers to it.
  var isQueuedChild: Bool {
    transport == .tcp && inode == nil && (state == .established || state == .closeWait)
  }
}
