import CLinux
import Glibc
package import SocketModel

/// What a socket says of itself: getsockopt(2), getsockname(2), getpeername(2) and fstat(2).
package struct SocketAnswer: Sendable, Hashable {
  /// SO_DOMAIN, AF_INET or AF_INET6 alone.
  package var family: AddressFamily?
  /// SO_TYPE: whose port space an internet socket binds in; nil for other types.
  package var transport: TransportProtocol?
  /// SO_PROTOCOL: a `ProtocolNumber`.
  package var protocolNumber: Int32
  /// SO_REUSEADDR; any value but 0 is "set" (`sk_reuse` has more than two).
  package var reuseaddr: Bool
  /// SO_REUSEPORT; nil where the kernel has no such option for this socket.
  package var reuseport: Bool?
  /// IPV6_V6ONLY; nil for a socket that is not AF_INET6.
  package var v6only: Bool?
  /// The uid of the inode, which fchown(2) keeps equal to `sk_uid` (kernel function `sockfs_setattr`).
  package var uid: UInt32
  /// TCP_ULP: the upper layer protocol of a TCP socket, such as `tls`; nil for none.
  package var upperLayer: String?
  /// getsockname(2), asked of an MPTCP socket and for the place.
  package var local: SocketName?
  /// getpeername(2), as `local`; nil for a socket without peer.
  package var peer: SocketName?
  /// TCP_INFO, as `local`.
  package var info: TCPInfo?
  /// SO_BINDTOIFINDEX, asked for the place, Linux 5.1.
  package var device: InterfaceIndex?
  /// SO_COOKIE, asked for the place; 0 where it was not told.
  package var cookie: UInt64
  /// SO_NETNS_COOKIE, asked for the place, Linux 5.14.
  package var namespaceCookie: UInt64?
  /// The file of the socket's network namespace, where the cookie was not told and SIOCGSKNS is permitted.
  package var namespaceFile: NamespaceFileNumber?

  /// A file of nsfs (namespaces(7)).
  package struct NamespaceFileNumber: Sendable, Hashable {
    package var device: UInt64
    package var inode: UInt64
  }

  /// Asks a socket of this very program. ESRCH for what is no socket.
  package init(asking socket: borrowing Descriptor) throws(SystemError) {
    var answer = portwhy_socket_answer()
    let error = portwhy_ask_socket(socket.number, 0, Int32(PORTWHY_ASK_FLAGS), &answer)
    guard error == 0 else { throw SystemError(rawValue: error) }
    self.init(answer)
  }

  init(_ answer: portwhy_socket_answer) {
    family = answer.domain == AF_INET ? .ipv4 : answer.domain == AF_INET6 ? .ipv6 : nil
    switch answer.type {
    case Int32(SOCK_STREAM.rawValue): transport = .tcp
    case Int32(SOCK_DGRAM.rawValue): transport = .udp
    default: transport = nil
    }
    protocolNumber = answer.`protocol`
    reuseaddr = answer.reuseaddr != 0
    reuseport = answer.reuseport < 0 ? nil : answer.reuseport != 0
    v6only = answer.v6only < 0 ? nil : answer.v6only != 0
    uid = answer.uid
    let layer = withUnsafeBytes(of: answer.upper_layer) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    upperLayer = layer.isEmpty ? nil : layer
    local = SocketName(answer.local, length: Int(answer.local_length))
    peer = SocketName(answer.remote, length: Int(answer.remote_length))
    device = answer.device < 0 ? nil : InterfaceIndex(kernel: UInt32(bitPattern: answer.device))
    cookie = answer.cookie
    namespaceCookie = answer.namespace_cookie == 0 ? nil : answer.namespace_cookie
    if answer.namespace_inode != 0 {
      namespaceFile = NamespaceFileNumber(device: answer.namespace_device, inode: answer.namespace_inode)
    }
    if answer.has_info != 0 {
      info = TCPInfo(
        state: SocketState(rawValue: UInt8(truncatingIfNeeded: answer.state)), pathMTU: answer.path_mtu,
        advertisedMSS: answer.advertised_mss, receivedMSS: answer.received_mss)
    }
  }
}
