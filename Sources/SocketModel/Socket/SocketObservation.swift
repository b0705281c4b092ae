/// One socket as sock_diag reported it, with what was found out about it elsewhere.
public struct SocketObservation: Sendable, Hashable {
  /// TCP or UDP.
  public var transport: TransportProtocol
  /// The upper layer protocol of a TCP socket as its holder's descriptor tells it: `mptcp`, `tls`, …; nil for none, and
  /// where no descriptor could be asked.
  package var ulp: String?
  /// AF_INET or AF_INET6.
  package var family: AddressFamily
  /// The local address and port.
  public var local: Endpoint
  /// The peer; nil for a socket that has none.
  public var remote: Endpoint?
  /// The state, as the kernel numbers it.
  public var state: SocketState
  /// `sk_bound_dev_if` (`idiag_if`): set by SO_BINDTODEVICE, a link-local scope or a VRF; nil for none.
  package var device: InterfaceIndex?
  /// `l3mdev` of the bind bucket that a TCP socket hangs on (`struct inet_bind_bucket`): the layer-3 domain (VRF) of its
  /// device at bind(2), whatever became of either since; 0 for none, nil where it was not read.
  package var bucketDomain: UInt32?
  /// The family of the bucket by address that a TCP socket hangs on (`struct inet_bind2_bucket` before 6.8): that of the
  /// first socket bound to the address, 0.0.0.0 and ::ffff:0.0.0.0 being one. nil where it was not read.
  package var addressBucketFamily: AddressFamily?
  /// IPV6_V6ONLY; nil for an AF_INET socket, which has no such option.
  public var v6only: Knowledge<Bool>?
  /// SO_REUSEADDR.
  public var reuseaddr: Knowledge<Bool>
  /// SO_REUSEPORT.
  public var reuseport: Knowledge<Bool>
  /// The uid of the socket (`sk_uid`), as seen from the reader's user namespace; nil where the kernel keeps
  /// none (TIME_WAIT, SYN_RECV).
  public var uid: UInt32?
  /// The socket's inode on sockfs; nil where no descriptor can exist (TIME_WAIT, orphans, queued children).
  public var inode: UInt64?
  /// The kernel's unique number of the socket (`idiag_cookie`).
  package var cookie: UInt64
  /// The cgroup2 inode of the cgroup in which the socket was created (`INET_DIAG_CGROUP_ID`).
  package var cgroupID: UInt64?
  /// The path of that cgroup below the cgroup2 mount, where it still exists.
  package var cgroup: String?
  /// The timer that runs; nil for none.
  package var timer: SocketTimer?
  /// LISTEN: connections waiting for accept(2); else bytes not yet read.
  package var receiveQueue: UInt32
  /// Who holds it.
  public var owner: SocketOwner
  /// Every process that holds a descriptor of the socket and may be seen, ascending by pid.
  public var processes: [ProcessRecord]
  /// The socket unit that a socket held by systemd belongs to.
  package var activation: SocketActivation?
  /// What of the kernel holds it, with `owner` `.kernel`.
  package var kernelOwner: KernelOwner?

  package init(
    transport: TransportProtocol, family: AddressFamily, local: Endpoint, remote: Endpoint? = nil,
    state: SocketState, reuseaddr: Knowledge<Bool>, reuseport: Knowledge<Bool>, v6only: Knowledge<Bool>? = nil,
    device: InterfaceIndex? = nil, uid: UInt32? = nil, inode: UInt64? = nil, cookie: UInt64 = 0,
    ulp: String? = nil, cgroupID: UInt64? = nil, cgroup: String? = nil, timer: SocketTimer? = nil,
    receiveQueue: UInt32 = 0, owner: SocketOwner = .none, processes: [ProcessRecord] = []
  ) {
    self.transport = transport
    self.family = family
    self.local = local
    self.remote = remote
    self.state = state
    self.reuseaddr = reuseaddr
    self.reuseport = reuseport
    self.v6only = v6only
    self.device = device
    self.uid = uid
    self.inode = inode
    self.cookie = cookie
    self.ulp = ulp
    self.cgroupID = cgroupID
    self.cgroup = cgroup
    self.timer = timer
    self.receiveQueue = receiveQueue
    self.owner = owner
    self.processes = processes
  }

  /// By what tells the sockets of a host apart; what more is known of them need not be hashed, as all of it is compared.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(cookie)
    hasher.combine(local)
    hasher.combine(remote)
  }

  /// Whether it is a `struct inet_timewait_sock`: TIME_WAIT, or a closed FIN_WAIT2 whose peer has not closed
  /// (`tcp_time_wait`). It goes when its timer ends; the FIN_WAIT2 becomes a TIME_WAIT if the peer closes first.
  package var isTimeWaitSocket: Bool { state == .timeWait || timer?.kind == .timeWait }

  /// Whether it is the kernel's `struct request_sock`, a handshake that a listener keeps: it is in no bind table and is
  /// nobody's. A whole socket is in SYN_RECV after a SYN that crossed its own, or when TCP Fast Open made it early.
  package var isRequest: Bool { transport == .tcp && state == .synRecv && inode == nil && uid == nil }
}

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

// What a TCP socket is to the listener that it came from, or may have come from.

extension SocketObservation {
  /// A connection that waits for accept(2): no descriptor refers to it, and its peer has not left. One in SYN_RECV is
  /// that too where it has data already (TCP Fast Open), and is no mere request.
  package var isQueuedChild: Bool {
    transport == .tcp && owner == .none && inode == nil
      && (state == .established || state == .closeWait || (state == .synRecv && !isRequest))
  }
}

/// Listeners by their address: a port may have thousands of them and thousands of connections.
///
/// A connection may come from a listener on its own address, or on the wildcard of its family.
package struct Listeners: Sendable, Hashable {
  /// Where those of one address, or of one family's wildcard, stand among the sockets.
  private struct Place: Sendable, Hashable {
    var first: Int
    var count = 0
  }

  private struct Wildcard: Sendable, Hashable {
    var family: AddressFamily
    var port: Port

    init(_ socket: SocketObservation) { (family, port) = (socket.family, socket.local.port) }
  }

  private var byAddress: [Endpoint: Place] = [:]
  private var wildcards: [Wildcard: Place] = [:]

  /// Those of these sockets that listen, and of them those that are wanted.
  package init(_ sockets: [SocketObservation], where isWanted: (SocketObservation) -> Bool = { _ in true }) {
    for (index, socket) in sockets.enumerated() where socket.state == .listen && isWanted(socket) {
      if socket.local.address.isUnspecified {
        wildcards[Wildcard(socket), default: Place(first: index)].count += 1
      } else {
        byAddress[socket.local, default: Place(first: index)].count += 1
      }
    }
  }

  /// The index of the first that may have accepted the connection.
  package func first(of child: SocketObservation) -> Int? { places(of: child).map(\.first).min() }

  /// The index of the only one; nil where there are several or none.
  package func only(of child: SocketObservation) -> Int? {
    let places = places(of: child)
    return places.count == 1 && places[0].count == 1 ? places[0].first : nil
  }

  private func places(of child: SocketObservation) -> [Place] {
    [byAddress[child.local], wildcards[Wildcard(child)]].compactMap { $0 }
  }
}

/// A socket's state as the kernel numbers it (`include/net/tcp_states.h`), unknown numbers included.
public struct SocketState: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  /// The kernel's number.
  public let rawValue: UInt8

  /// A state by the kernel's number; one that has no name here prints as that number.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// ESTABLISHED; a connected UDP socket too.
  public static let established = SocketState(rawValue: 1)
  /// SYN_SENT: connecting.
  package static let synSent = SocketState(rawValue: 2)
  /// A connection request that no accept queue holds yet. Listed by sock_diag, but not in the bind table.
  package static let synRecv = SocketState(rawValue: 3)
  /// FIN_WAIT1: closed here, not yet acknowledged.
  package static let finWait1 = SocketState(rawValue: 4)
  /// FIN_WAIT2: closed here, the peer has not closed.
  package static let finWait2 = SocketState(rawValue: 5)
  /// TIME_WAIT: over, kept for a minute.
  public static let timeWait = SocketState(rawValue: 6)
  /// TCP_CLOSE: a bound socket that neither listens nor is connected; every unconnected UDP socket.
  public static let close = SocketState(rawValue: 7)
  /// CLOSE_WAIT: the peer closed, the program has not.
  package static let closeWait = SocketState(rawValue: 8)
  /// LAST_ACK: both closed, not yet acknowledged.
  package static let lastAck = SocketState(rawValue: 9)
  /// LISTEN.
  public static let listen = SocketState(rawValue: 10)
  /// CLOSING: both closed at the same time.
  package static let closing = SocketState(rawValue: 11)

  /// The kernel's name with `_`; `BOUND` for a socket that is bound, neither listening nor connected.
  public var description: String {
    let names = [
      "", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "BOUND", "CLOSE_WAIT",
      "LAST_ACK", "LISTEN", "CLOSING",
    ]
    return rawValue > 0 && Int(rawValue) < names.count ? names[Int(rawValue)] : "STATE_\(rawValue)"
  }

  /// The state that `description` writes as `name`; nil for any other word.
  package init?(name: String) {
    for number in UInt8(1)...11 where SocketState(rawValue: number).description == name {
      self.init(rawValue: number)
      return
    }
    return nil
  }
}

/// The timer of a socket, `idiag_timer` and `idiag_expires` of a sock_diag reply.
package struct SocketTimer: Sendable, Hashable {
  /// What the timer is for (`idiag_timer`, sock_diag(7)).
  package struct Kind: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The kernel's number.
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A retransmission is due.
    package static let retransmit = Kind(rawValue: 1)
    /// A keepalive is due, or FIN_WAIT2 ends.
    package static let keepalive = Kind(rawValue: 2)
    /// TIME_WAIT ends.
    package static let timeWait = Kind(rawValue: 3)
    /// The peer's closed window is probed.
    package static let zeroWindowProbe = Kind(rawValue: 4)
    /// An acknowledgement is due.
    package static let delayedAck = Kind(rawValue: 5)

    /// The word of the report.
    package var description: String {
      switch self {
      case .retransmit: "retransmit"
      case .keepalive: "keepalive"
      case .timeWait: "time_wait"
      case .zeroWindowProbe: "zero_window_probe"
      case .delayedAck: "delayed_ack"
      default: "timer_\(rawValue)"
      }
    }
  }

  /// Which timer.
  package var kind: Kind
  /// Milliseconds until it fires.
  package var expires: UInt32

  package init(kind: Kind, expires: UInt32) {
    self.kind = kind
    self.expires = expires
  }
}

/// A system call that gives a socket its port.
public enum SocketCall: String, Sendable, Hashable, CaseIterable {
  /// bind(2).
  case bind
  /// listen(2), TCP only.
  case listen
}

/// Where a fact about a socket was read.
public enum EvidenceSource: String, Sendable, Hashable, CaseIterable {
  /// A field or attribute of a sock_diag(7) reply.
  case sockDiag = "sock_diag"
  /// getsockopt(2) on a duplicate of the owner's descriptor (pidfd_getfd(2)).
  case getsockopt
  /// A field of the kernel's own socket, read by a BPF iterator.
  case bpf
}

/// Why a fact about a socket could not be read.
public enum UnknownReason: String, Sendable, Hashable, CaseIterable {
  /// The reader is not permitted to look at the owner (ptrace(2), "Ptrace access mode checking").
  case hidden
  /// The reader owns the process, but the Yama security module forbids it (`kernel.yama.ptrace_scope`).
  case yama
  /// No process holds the socket: TIME_WAIT, an orphan, a child that nobody accepted yet.
  case noOwner = "no-owner"
  /// The kernel itself holds the socket.
  case kernel
  /// The socket or its owner was gone when it was to be read.
  case vanished
  /// A subflow of MPTCP: getsockopt(2) on the owner's descriptor answers for the first one (`mptcp_getsockopt`).
  case subflow
  /// The running kernel has no interface that tells (pidfd_getfd(2) needs Linux 5.6).
  case oldKernel = "old-kernel"
  /// Whoever could tell did not answer in time: another process keeps a lock, or the file that the descriptor has become
  /// keeps the kernel waiting.
  case noAnswer = "no-answer"
}

/// A fact that is known, guessed or not known, and in each case why.
public enum Knowledge<Value: Sendable & Hashable>: Sendable, Hashable {
  /// Read from the kernel.
  case known(Value, EvidenceSource)
  /// Guessed from the relative at this index of the snapshot (a child from its listener). Shown to people;
  /// never makes an answer sure.
  case inferred(Value, from: Int, because: UnknownReason)
  /// Not known, and why.
  case unknown(UnknownReason)

  /// The value where it was read from the kernel, else nil: the only accessor the rules may use.
  public var sure: Value? {
    if case .known(let value, _) = self { value } else { nil }
  }

  /// The value to show: read or guessed, nil where nothing is known.
  package var shown: Value? {
    switch self {
    case .known(let value, _), .inferred(let value, _, _): value
    case .unknown: nil
    }
  }

  /// Why the value is not sure; nil where it is.
  public var unknownReason: UnknownReason? {
    switch self {
    case .known: nil
    case .inferred(_, _, let reason), .unknown(let reason): reason
    }
  }
}

/// What the kernel remembers of the binds of one TCP port in one layer-3 domain (`struct inet_bind_bucket`).
///
/// With it bind(2) lets some sockets pass without looking at the owners, so it decides beside the sockets' own flags.
package struct BindBucket: Sendable, Hashable {
  /// `fastreuseport`.
  package enum FastReuseport: Int8, Sendable, Hashable {
    /// FASTREUSEPORT_ANY: every SO_REUSEPORT socket of `fastUID` passes.
    case any = 1
    /// FASTREUSEPORT_STRICT: those whose address `fastAddress` covers.
    case strict = 2
  }

  /// The port.
  package var port: Port
  /// `l3mdev`: the VRF; nil for none.
  package var layer3Domain: InterfaceIndex?
  /// `fastreuse` > 0: SO_REUSEADDR sockets pass.
  package var fastReuse: Bool
  /// nil where `fastreuseport` is 0 or -1: nobody passes.
  package var fastReuseport: FastReuseport?
  /// `fastuid`, as the initial user namespace has it.
  package var fastUID: UInt32
  /// `fast_sk_family`.
  package var fastFamily: AddressFamily
  /// `fast_v6_rcv_saddr`, or for AF_INET the IPv4-mapped form of `fast_rcv_saddr`.
  package var fastAddress: IPv6Address
  /// `fast_rcv_saddr`.
  package var fastAddress4: IPv4Address
  /// `fast_ipv6_only`.
  package var fastIPv6only: Bool

  package init(
    port: Port, layer3Domain: InterfaceIndex? = nil, fastReuse: Bool, fastReuseport: FastReuseport?,
    fastUID: UInt32, fastFamily: AddressFamily, fastAddress: IPv6Address, fastAddress4: IPv4Address,
    fastIPv6only: Bool
  ) {
    self.port = port
    self.layer3Domain = layer3Domain
    self.fastReuse = fastReuse
    self.fastReuseport = fastReuseport
    self.fastUID = fastUID
    self.fastFamily = fastFamily
    self.fastAddress = fastAddress
    self.fastAddress4 = fastAddress4
    self.fastIPv6only = fastIPv6only
  }
}

/// A word of the report: one that this version knows, or one of another version, kept as it stands.
package enum OpenWord<Known: RawRepresentable<String> & Hashable & Sendable>: RawRepresentable, Sendable, Hashable {
  /// A word that this version knows.
  case known(Known)
  /// Another version's; never one that this version knows.
  case other(String)

  /// Reads any word, known or not.
  package init(rawValue: String) { self = Known(rawValue: rawValue).map(OpenWord.known) ?? .other(rawValue) }

  /// The word as it stands in the report.
  package var rawValue: String {
    switch self {
    case .known(let word): word.rawValue
    case .other(let word): word
    }
  }

  /// nil for a word of another version.
  package var known: Known? {
    if case .known(let word) = self { word } else { nil }
  }
}
