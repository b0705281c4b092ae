package import SocketModel

/// A TCP or UDP socket as the kernel itself has it.
package struct BPFSocket: Sendable, Hashable {
  /// TCP or UDP.
  package var transport: TransportProtocol
  /// AF_INET or AF_INET6.
  package var family: AddressFamily
  package var local: Endpoint
  package var remote: Endpoint?
  /// As sock_diag reports it: TIME_WAIT sockets by their substate, requests as SYN_RECV.
  package var state: SocketState
  /// A TIME_WAIT socket (`struct inet_timewait_sock`), whatever its substate.
  package var isTimeWait: Bool
  /// `skc_bound_dev_if`; nil for none, or where the kernel's types lack it.
  package var device: InterfaceIndex?
  /// SO_REUSEADDR; nil where the kernel's types lack it and for requests, which have no options.
  package var reuseaddr: Bool?
  /// SO_REUSEPORT; nil as above.
  package var reuseport: Bool?
  /// IPV6_V6ONLY; nil as above and for AF_INET sockets.
  package var v6only: Bool?
  /// The socket's uid: seen from the reader's user namespace in the tables of sockets, from the initial one where a
  /// descriptor led to it. nil for TIME_WAIT sockets and requests, which have none.
  package var uid: UInt32?
  /// The number sock_diag calls `idiag_cookie`; nil for a socket that nobody has asked for it yet
  /// (`sock_gen_cookie`): ask after the dump.
  package var cookie: UInt64?
  /// Whether a TCP socket hangs on a bind bucket, and so holds its port; nil for UDP and where it cannot be seen.
  package var holdsPort: Bool?
  /// That bucket, shared by all sockets of the port in one layer-3 domain; nil where it cannot be read.
  package var bucket: BindBucket?
  /// The place of a UDP socket among those of its port in the order in which bind(2) looks at them
  /// (`udp_lib_lport_inuse`), 0 first, across IPv4 and IPv6; nil for TCP and where the order could not be seen.
  package var chainPosition: Int?

  package init(
    transport: TransportProtocol, family: AddressFamily, local: Endpoint, remote: Endpoint? = nil,
    state: SocketState, isTimeWait: Bool = false, device: InterfaceIndex? = nil, reuseaddr: Bool? = nil,
    reuseport: Bool? = nil, v6only: Bool? = nil, uid: UInt32? = nil, cookie: UInt64? = nil, holdsPort: Bool? = nil,
    bucket: BindBucket? = nil, chainPosition: Int? = nil
  ) {
    self.transport = transport
    self.family = family
    self.local = local
    self.remote = remote
    self.state = state
    self.isTimeWait = isTimeWait
    self.device = device
    self.reuseaddr = reuseaddr
    self.reuseport = reuseport
    self.v6only = v6only
    self.uid = uid
    self.cookie = cookie
    self.holdsPort = holdsPort
    self.bucket = bucket
    self.chainPosition = chainPosition
  }
}

/// A process's descriptor of a socket.
package struct SocketHolder: Sendable, Hashable {
  /// As the reader's pid namespace numbers it.
  package var pid: Int32
  /// The number of its descriptor.
  package var descriptor: Int32
  /// The socket's inode on sockfs.
  package var inode: UInt64
  /// The inode of the socket's network namespace (namespaces(7)); nil where the kernel's types lack it.
  package var networkNamespace: UInt64?
  /// An MPTCP socket: what holds the port is its first subflow, a socket of the same inode with another cookie.
  package var isMPTCP: Bool
  /// What the descriptor refers to.
  package var socket: BPFSocket

  package init(
    pid: Int32, descriptor: Int32, inode: UInt64, networkNamespace: UInt64? = nil, isMPTCP: Bool = false,
    socket: BPFSocket
  ) {
    self.pid = pid
    self.descriptor = descriptor
    self.inode = inode
    self.networkNamespace = networkNamespace
    self.isMPTCP = isMPTCP
    self.socket = socket
  }
}
