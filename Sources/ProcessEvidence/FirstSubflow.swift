import Glibc
import SocketModel

/// The subflow that an MPTCP socket began with, as the socket's own names tell it (`mptcp_copy_inaddrs`).
///
/// It shares SO_REUSEADDR and SO_REUSEPORT with the socket. A subflow that joined later has the socket's inode, but
/// reuse options of its own: those of a new socket or of a listener (`sync_socket_options` copies neither).
struct FirstSubflow: Sendable, Hashable {
  /// getsockname(2).
  var local: Endpoint?
  /// getpeername(2); nil before the handshake is done and after the connection.
  var remote: Endpoint?
  /// It is in SYN_SENT (TCP_INFO asks the first subflow): no other can have joined yet.
  var isConnecting = false

  /// Nil for a socket that is not MPTCP's.
  init?(of duplicate: borrowing Descriptor) throws(SystemError) {
    guard try option(SOL_SOCKET, SO_PROTOCOL, of: duplicate) == SocketOption.mptcp else { return nil }
    local = (try? localName(of: duplicate))?.endpoint
    remote = (try? peerName(of: duplicate))?.endpoint
    if let info = try? tcpInfo(of: duplicate) { isConnecting = SocketState(rawValue: info.tcpi_state) == .synSent }
  }

  /// One with these parts, each as its property says.
  init(local: Endpoint?, remote: Endpoint? = nil, isConnecting: Bool = false) {
    self.local = local
    self.remote = remote
    self.isConnecting = isConnecting
  }

  /// Whether a socket of the dump is this subflow for sure; a joined one differs in an address or a port.
  func isSurely(_ socket: SocketObservation) -> Bool {
    if socket.state == .listen { return true }
    guard let local, socket.local.port == local.port else { return false }
    guard let peer = socket.remote else {
      // After a failed connect(2) the subflow is back at the wildcard; none joins from there with the same port.
      return socket.local.address == local.address || socket.local.address.isUnspecified
    }
    guard socket.local.address == local.address else { return false }
    return remote.map { $0 == peer } ?? (socket.state == .synSent && isConnecting)
  }
}
