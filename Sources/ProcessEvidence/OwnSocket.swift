import Glibc
public import SocketModel

/// A socket of this very program, as getsockopt(2), getsockname(2) and fstat(2) tell it.
public struct OwnSocket: Sendable, Hashable {
  /// Whose port space it binds in: that of SOCK_STREAM or of SOCK_DGRAM.
  public var transport: TransportProtocol
  /// AF_INET or AF_INET6.
  public var family: AddressFamily
  /// SO_REUSEADDR.
  public var reuseaddr: Bool
  /// SO_REUSEPORT.
  public var reuseport: Bool
  /// IPV6_V6ONLY; nil for AF_INET.
  public var v6only: Bool?
  /// SO_BINDTODEVICE.
  public var device: String?
  /// Whose it is to the kernel: the uid of its inode, which fchown(2) changes.
  public var uid: UInt32
  /// The inode, by which sock_diag(7) names it too.
  public var inode: UInt64
  /// bind(2) has already given it a port.
  public var isBound: Bool

  /// Reads a descriptor of this process; it is duplicated meanwhile, so that nobody can close it halfway.
  ///
  /// Throws EBADF for no descriptor, ENOTSOCK for no socket, EPROTONOSUPPORT for a socket without ports.
  public init(descriptor: Int32) throws(SystemError) {
    let socket = try Descriptor(duplicating: descriptor)
    switch try option(SOL_SOCKET, SO_DOMAIN, of: socket) {
    case AF_INET: family = .ipv4
    case AF_INET6: family = .ipv6
    default: throw SystemError(rawValue: EPROTONOSUPPORT)
    }
    switch try option(SOL_SOCKET, SO_TYPE, of: socket) {
    case Int32(SOCK_STREAM.rawValue): transport = .tcp
    case Int32(SOCK_DGRAM.rawValue): transport = .udp
    default: throw SystemError(rawValue: EPROTONOSUPPORT)
    }
    let flags = try SocketFlags(of: socket)
    reuseaddr = flags.reuseaddr
    reuseport = flags.reuseport ?? false
    v6only = flags.v6only
    uid = flags.uid
    device = try boundDevice(of: socket)
    inode = try fileStatus(of: socket).inode
    isBound = try localName(of: socket).map { $0.endpoint.port.rawValue != 0 } ?? false
  }
}
