package import Linux
package import SocketModel

/// A socket of this very program, as getsockopt(2), getsockname(2) and fstat(2) tell it.
package struct OwnSocket: Sendable, Hashable {
  /// Whose port space it binds in: that of SOCK_STREAM or of SOCK_DGRAM.
  package var transport: TransportProtocol
  /// AF_INET or AF_INET6.
  package var family: AddressFamily
  /// SO_REUSEADDR.
  package var reuseaddr: Bool
  /// SO_REUSEPORT.
  package var reuseport: Bool
  /// IPV6_V6ONLY; nil for AF_INET.
  package var v6only: Bool?
  /// IP_FREEBIND or IP_TRANSPARENT.
  package var freebind: Bool
  /// SO_BINDTODEVICE.
  package var device: String?
  /// Whose it is to the kernel: the uid of its inode, which fchown(2) changes.
  package var uid: UInt32
  /// The inode, by which sock_diag(7) names it too.
  package var inode: UInt64
  /// bind(2) has already given it a port.
  package var isBound: Bool

  /// Reads a descriptor of this process; it is duplicated meanwhile, so that nobody can close it halfway.
  ///
  /// Throws EBADF for no descriptor, ENOTSOCK for no socket, EPROTONOSUPPORT for a socket without ports.
  package init(descriptor: Int32) throws(SystemError) {
    let socket = try Descriptor(duplicating: descriptor)
    guard let family = try socket.family(), let transport = try socket.transport() else {
      throw .protocolNotSupported
    }
    self.family = family
    self.transport = transport
    let flags = SocketFlags(try SocketAnswer(asking: socket))
    reuseaddr = flags.reuseaddr
    reuseport = flags.reuseport ?? false
    v6only = flags.v6only
    uid = flags.uid
    freebind = socket.bindsAnyAddress()
    device = try socket.boundDevice()
    inode = try socket.status().inode
    isBound = try socket.localName().map { $0.endpoint.port.rawValue != 0 } ?? false
  }

  /// The same of a socket that another process holds, asked for its place too; nil for one without ports.
  package init?(_ answer: SocketAnswer, inode: UInt64, device: String?) {
    guard let family = answer.family, let transport = answer.transport else { return nil }
    self.family = family
    self.transport = transport
    let flags = SocketFlags(answer)
    reuseaddr = flags.reuseaddr
    reuseport = flags.reuseport ?? false
    v6only = flags.v6only
    uid = flags.uid
    freebind = answer.freebind
    self.device = device
    self.inode = inode
    isBound = answer.local.map { $0.endpoint.port.rawValue != 0 } ?? false
  }
}
