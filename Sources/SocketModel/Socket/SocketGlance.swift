/// The little of a socket that tells that a port is in use: for lists of many, where the rest is not looked at.
package struct SocketGlance: Sendable, Hashable {
  /// The local port.
  package var port: Port
  /// The state, as sock_diag(7) says it.
  package var state: SocketState
  /// nil where no process can hold the socket.
  package var inode: UInt64?

  /// A glance with its three facts.
  package init(port: Port, state: SocketState, inode: UInt64?) {
    self.port = port
    self.state = state
    self.inode = inode
  }
}
