import Linux
package import SocketModel

/// What getsockopt(2) and fstat(2) tell of a socket, read from a duplicate of a holder's descriptor.
struct SocketFlags: Sendable, Hashable {
  var reuseaddr: Bool
  /// Nil where the kernel has no such option for this socket.
  var reuseport: Bool?
  /// Nil for a socket that is not AF_INET6.
  var v6only: Bool?
  /// The uid of the inode.
  var uid: UInt32
  /// Of an MPTCP socket, whose options are those of its first subflow alone; nil for any other.
  var firstSubflow: FirstSubflow?
  /// The upper layer protocol of a TCP socket: `mptcp`, `tls`, …; nil for none.
  var upperLayer: String?

  init(_ answer: SocketAnswer) {
    reuseaddr = answer.reuseaddr
    reuseport = answer.reuseport
    v6only = answer.v6only
    uid = answer.uid
    firstSubflow = FirstSubflow(answer)
    upperLayer = firstSubflow == nil ? answer.upperLayer : "mptcp"
  }
}

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
  init?(_ answer: SocketAnswer) {
    guard answer.protocolNumber == ProtocolNumber.mptcp else { return nil }
    local = answer.local?.endpoint
    remote = answer.peer?.endpoint
    isConnecting = answer.info?.state == .synSent
  }

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

/// Says why a descriptor could not be duplicated or asked.
struct RefusalReader: Sendable {
  /// `kernel.yama.ptrace_scope`; 0 where the kernel has no Yama.
  var ptraceScope: Int
  /// The real uid of this thread, which PTRACE_MODE_ATTACH_REALCREDS compares (ptrace(2)).
  var uid: UInt32
  /// The reader is root and has CAP_SYS_PTRACE.
  var mayTraceAll: Bool

  init(ptraceScope: Int, uid: UInt32, mayTraceAll: Bool) {
    self.ptraceScope = ptraceScope
    self.uid = uid
    self.mayTraceAll = mayTraceAll
  }

  /// Of this thread, now.
  init(procRoot: String) {
    self.init(
      ptraceScope: Self.ptraceScope(procRoot: procRoot), uid: realUser(),
      mayTraceAll: effectiveUser() == 0 && Capabilities.ofThisThread?.contains(.sysPtrace) == true)
  }

  /// - Parameter owner: the uid that owns the process's `fd` directory: its effective uid, or root where it is
  ///   not dumpable (proc(5), "/proc/pid"), which is refused without Yama's help.
  func reason(_ error: SystemError, owner: UInt32?) -> UnknownReason {
    switch error {
    case .noSystemCall: .oldKernel
    case _ where error.meansGone: .vanished
    case .notPermitted: isYamas(owner: owner) ? .yama : .hidden
    default: .hidden
    }
  }

  /// Scope 1 and 2 refuse one's own processes without CAP_SYS_PTRACE, scope 3 refuses everybody (Yama.rst).
  private func isYamas(owner: UInt32?) -> Bool {
    mayTraceAll ? ptraceScope >= 3 : ptraceScope > 0 && uid != 0 && owner == uid
  }

  private static func ptraceScope(procRoot: String) -> Int {
    guard let proc = try? Descriptor(directory: procRoot),
      let text = try? proc.contents(of: "sys/kernel/yama/ptrace_scope")
    else { return 0 }
    return Int(String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 0
  }
}

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
    device = try socket.boundDevice()
    inode = try socket.status().inode
    isBound = try socket.localName().map { $0.endpoint.port.rawValue != 0 } ?? false
  }
}
