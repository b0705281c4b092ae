package import BindRules
package import SocketModel

/// The protocol a holder's socket is made with.
package enum HolderProtocol: String, Sendable, Hashable, CaseIterable {
  case tcp
  case udp
  /// IPPROTO_MPTCP, 262: lives in TCP's bind table through its first subflow.
  case mptcp
}

/// How a holder comes to its port. The port under test is the same each time.
package enum PortChoice: String, Sendable, Hashable, CaseIterable {
  /// bind(2) names it.
  case explicit
  /// The kernel chooses it, in bind(2) with port 0 or in connect(2); `ip_local_port_range` is one port meanwhile.
  case automatic
  /// IP_BIND_ADDRESS_NO_PORT before bind(2) with port 0, then connect(2).
  case bindAddressNoPort = "no-port"
}

/// Where a connection is left, seen from the end that has the port under test.
package enum ConnectionState: String, Sendable, Hashable, CaseIterable {
  case established
  /// shutdown(SHUT_WR) with data that the peer has no room for, so its FIN stays unsent.
  case finWait1 = "fin-wait-1"
  /// The same, closed: an orphan.
  case finWait1Orphan = "fin-wait-1-orphan"
  case finWait2 = "fin-wait-2"
  /// Closed with TCP_LINGER2 of 120 s, so the kernel keeps the whole socket.
  case finWait2Orphan = "fin-wait-2-orphan"
  /// Closed: the kernel keeps a TIME_WAIT socket with the substate FIN_WAIT2.
  case finWait2TimeWait = "fin-wait-2-timewait"
  case timeWait = "time-wait"
  case closeWait = "close-wait"
  case lastAck = "last-ack"
  case lastAckOrphan = "last-ack-orphan"
  case closing
  case closingOrphan = "closing-orphan"

  /// Whether the peer's window has to be full for the connection to stay there.
  var needsFullWindow: Bool {
    switch self {
    case .finWait1, .finWait1Orphan, .lastAck, .lastAckOrphan, .closing, .closingOrphan: true
    default: false
    }
  }
}

/// What a holder's socket is when it is built.
package enum HolderKind: Sendable, Hashable {
  /// Bound, nothing more. TCP, MPTCP, UDP.
  case bound
  /// TCP, MPTCP, like everything down to `selfConnected`.
  case listening
  /// shutdown(SHUT_RDWR) of a listener: bound, no longer listening.
  case shutDownListener
  /// A listener with a connection nobody accepted.
  case queuedChild
  /// A listener with a request in SYN_RECV (TCP_DEFER_ACCEPT and a client that sends nothing).
  case requestInProgress
  /// An accepted connection; the listener stays or is closed at the end.
  case child(ConnectionState, listenerStays: Bool)
  /// The connecting end of a connection.
  case client(ConnectionState)
  /// connect(2) without an answer.
  case synSent
  /// Connected, then connect(2) with AF_UNSPEC. TCP and UDP.
  case disconnected
  /// connect(2) refused by the other side; the socket is kept.
  case refused
  /// Connected to itself.
  case selfConnected
  /// UDP: connected.
  case connected
  /// UDP: so many sockets, on 127.1.0.1, 127.1.0.2 and so on, or their IPv4-mapped forms. More than 10 make the
  /// kernel search by address (`udp_lib_get_port`).
  case crowd(Int)
  /// UDP: so many sockets on 127.0.0.1, 127.0.0.2, 127.0.0.6, ::1, fd77::1 and 127.2.0.N in turn. The second of
  /// each three has none of the holder's options. Those that find their address taken are left out.
  case spread(Int)
  /// UDP: so many sockets on other ports that share the port's slot of the UDP hash table (`udp_hashslot`): they
  /// crowd the chain and are in no answer about the port.
  case neighbours(Int)
  /// Bound and closed again: nothing is left but what the bind bucket remembers of it. TCP.
  case visitor
}

/// When a change is made, and to which socket of the holder.
package enum ChangeMoment: String, Sendable, Hashable, CaseIterable {
  /// After bind(2), to the bound socket.
  case afterBind = "after-bind"
  /// After listen(2), to the listener; connections come later and inherit.
  case afterListen = "after-listen"
  /// To the accepted or connected socket, while it is ESTABLISHED.
  case connection
  /// After everything else, to the bound socket or listener, where it is still open.
  case end
}

/// What is changed.
package enum ChangeAction: Sendable, Hashable {
  case reuseaddr(Bool)
  case reuseport(Bool)
  /// fchown(2).
  case owner(UInt32)
  /// SO_BINDTODEVICE; nil takes the device away.
  case device(LabDevice?)
  /// TCP_REPAIR: on sets `sk_reuse` to SK_FORCE_REUSE, off to SK_NO_REUSE (`tcp_setsockopt`).
  case repair(Bool)
  /// `tcp_l3mdev_accept` of the namespace gets this value; it stays until the next copy is built.
  case l3mdevAccept(Bool)
}

/// A change of a holder's socket after its bind.
package struct Change: Sendable, Hashable {
  /// When it changes.
  package var moment: ChangeMoment
  /// What changes.
  package var action: ChangeAction

  package init(_ moment: ChangeMoment, _ action: ChangeAction) {
    self.moment = moment
    self.action = action
  }
}

/// One socket on the port under test, with what is needed to bring it into its state.
package struct Holder: Sendable, Hashable {
  /// What kind of socket it is.
  package var kind: HolderKind
  /// The protocol it is made for.
  package var transport: HolderProtocol
  /// The address of bind(2); its family is the socket's. Not used where the port is `automatic` in connect(2).
  package var address: IPAddress
  /// The interface of `sin6_scope_id`.
  package var scope: LabDevice?
  /// Which port it takes.
  package var port: PortChoice
  /// IPV6_V6ONLY, set before bind(2); nil leaves the namespace's default. Ignored for AF_INET.
  package var v6only: Bool?
  /// SO_REUSEADDR and SO_REUSEPORT, set before bind(2).
  package var options: ReuseOptions
  /// SO_BINDTODEVICE before bind(2).
  package var device: LabDevice?
  /// The uid in force in socket(2).
  package var uid: UInt32
  /// The uid in force in accept(2).
  package var acceptUID: UInt32
  /// fchown(2) of the fresh socket, before bind(2).
  package var owner: UInt32?
  /// The address that the other end of a connection uses: for a listener where clients connect to, for a client
  /// where it connects to. Nil: the address itself, or the loopback address of the family for wildcards.
  package var peer: IPAddress?
  /// In order within a moment.
  package var changes: [Change]

  package init(
    _ kind: HolderKind, _ transport: HolderProtocol = .tcp, _ address: IPAddress, options: ReuseOptions = [],
    v6only: Bool? = nil, device: LabDevice? = nil, scope: LabDevice? = nil, port: PortChoice = .explicit,
    uid: UInt32 = 0, acceptUID: UInt32 = 0, owner: UInt32? = nil, peer: IPAddress? = nil, changes: [Change] = []
  ) {
    self.kind = kind
    self.transport = transport
    self.address = address
    self.scope = scope
    self.port = port
    self.v6only = v6only
    self.options = options
    self.device = device
    self.uid = uid
    self.acceptUID = acceptUID
    self.owner = owner
    self.peer = peer
    self.changes = changes
  }
}
