package import SocketModel

/// The numbers of the attributes of a sock_diag reply that are read here (`linux/inet_diag.h`).
private enum SocketAttribute {
  static let shutdown: UInt16 = 8  // INET_DIAG_SHUTDOWN
  static let v6only: UInt16 = 11  // INET_DIAG_SKV6ONLY
  static let cgroupID: UInt16 = 21  // INET_DIAG_CGROUP_ID
}

//  struct inet_diag_msg, 72 bytes, ports and addresses in network byte order
//   0  u8 family, u8 state, u8 timer, u8 retrans
//   4  be16 sport, be16 dport
//   8  be32 src[4]     an IPv4 address is in src[0]
//  24  be32 dst[4]
//  40  u32 if
//  44  u32 cookie[2]   low half first
//  52  u32 expires     milliseconds
//  56  u32 rqueue
//  60  u32 wqueue
//  64  u32 uid
//  68  u32 inode
//  72  attributes

extension SocketObservation {
  private static let fixedSize = 72

  /// Reads the payload of one sock_diag reply, `struct inet_diag_msg` and its attributes.
  ///
  /// The reuse flags are in no reply and start as unknown, and the upper layer protocol is not asked for. A TIME_WAIT
  /// socket comes with the state it closes from (TIME_WAIT or FIN_WAIT2) and the timer `.timeWait`
  /// (`inet_twsk_diag_fill`); both are kept.
  package init(parsing bytes: Span<UInt8>, _ payload: Range<Int>, transport: TransportProtocol) throws(WireError) {
    var attributes = try AttributeCursor(after: Self.fixedSize, in: payload)
    let start = payload.lowerBound
    let family = try AddressFamily(parsing: bytes, at: start, in: payload)
    let state = SocketState(rawValue: try bytes.uint8(at: start + 1, in: payload, "idiag_state"))
    let timer = try SocketTimer(parsing: bytes, payload)
    let inode = UInt64(try bytes.uint32(at: start + 68, in: payload, "idiag_inode"))
    let uid = try bytes.uint32(at: start + 64, in: payload, "idiag_uid")
    let cookieLow = try bytes.uint32(at: start + 44, in: payload, "idiag_cookie")
    let cookieHigh = try bytes.uint32(at: start + 48, in: payload, "idiag_cookie")
    let remote = Endpoint(
      address: try IPAddress(parsing: bytes, at: start + 24, family: family, in: payload),
      port: Port(try bytes.networkUInt16(at: start + 6, in: payload, "idiag_dport")))
    let hasUser = state != .timeWait && timer?.kind != .timeWait && !(state == .synRecv && inode == 0)

    self.init(
      transport: transport, family: family,
      local: Endpoint(
        address: try IPAddress(parsing: bytes, at: start + 8, family: family, in: payload),
        port: Port(try bytes.networkUInt16(at: start + 4, in: payload, "idiag_sport"))),
      remote: remote.port.rawValue == 0 && remote.address.isUnspecified ? nil : remote,
      state: state, reuseaddr: .unknown(.hidden), reuseport: .unknown(.hidden),
      v6only: family == .ipv6 ? .unknown(.hidden) : nil,
      device: InterfaceIndex(kernel: try bytes.uint32(at: start + 40, in: payload, "idiag_if")),
      uid: hasUser ? uid : nil, inode: inode == 0 ? nil : inode,
      cookie: UInt64(cookieHigh) << 32 | UInt64(cookieLow), timer: timer,
      receiveQueue: try bytes.uint32(at: start + 56, in: payload, "idiag_rqueue"),
      owner: inode == 0 ? .none : .hidden)

    while let attribute = try attributes.next(in: bytes) {
      // Only a whole socket has it (`inet_diag_msg_attrs_fill`), a request has not (`inet_req_diag_fill`).
      if attribute.type == SocketAttribute.shutdown, state == .synRecv { self.uid = uid }
      try apply(attribute, in: bytes)
    }
  }

  private mutating func apply(_ attribute: NetlinkAttribute, in bytes: Span<UInt8>) throws(WireError) {
    let value = attribute.payload
    switch attribute.type {
    case SocketAttribute.v6only where family == .ipv6:
      let flag = try bytes.uint8(at: value.lowerBound, in: value, "INET_DIAG_SKV6ONLY")
      v6only = .known(flag != 0, .sockDiag)
    case SocketAttribute.cgroupID:
      cgroupID = try bytes.uint64(at: value.lowerBound, in: value, "INET_DIAG_CGROUP_ID")
    default:
      break
    }
  }
}

extension SocketGlance {
  /// Reads the payload of one sock_diag reply (`struct inet_diag_msg`, see `SocketObservation`).
  package init(parsing bytes: Span<UInt8>, _ payload: Range<Int>) throws(WireError) {
    let inode = try bytes.uint32(at: payload.lowerBound + 68, in: payload, "idiag_inode")
    self.init(
      port: Port(try localPort(of: payload, in: bytes)),
      state: SocketState(rawValue: try bytes.uint8(at: payload.lowerBound + 1, in: payload, "idiag_state")),
      inode: inode == 0 ? nil : UInt64(inode))
  }
}

/// The local port of a reply, read before the rest: what another port has is not worth decoding.
package func localPort(of payload: Range<Int>, in bytes: Span<UInt8>) throws(WireError) -> UInt16 {
  try bytes.networkUInt16(at: payload.lowerBound + 4, in: payload, "idiag_sport")
}

extension AddressFamily {
  init(parsing bytes: Span<UInt8>, at offset: Int, in bounds: Range<Int>) throws(WireError) {
    switch try bytes.uint8(at: offset, in: bounds, "idiag_family") {
    case Self.ipv4.number: self = .ipv4
    case Self.ipv6.number: self = .ipv6
    default: throw WireError(offset: offset, expected: "AF_INET or AF_INET6")
    }
  }
}

extension SocketTimer {
  init?(parsing bytes: Span<UInt8>, _ payload: Range<Int>) throws(WireError) {
    let kind = try bytes.uint8(at: payload.lowerBound + 2, in: payload, "idiag_timer")
    guard kind != 0 else { return nil }
    let expires = try bytes.uint32(at: payload.lowerBound + 52, in: payload, "idiag_expires")
    self.init(kind: Kind(rawValue: kind), expires: expires)
  }
}

extension IPAddress {
  init(parsing bytes: Span<UInt8>, at offset: Int, family: AddressFamily, in bounds: Range<Int>) throws(WireError) {
    switch family {
    case .ipv4:
      self = .v4(IPv4Address(bits: try bytes.networkUInt32(at: offset, in: bounds, "an IPv4 address")))
    case .ipv6:
      self = .v6(
        IPv6Address(
          high: try bytes.networkUInt64(at: offset, in: bounds, "an IPv6 address"),
          low: try bytes.networkUInt64(at: offset + 8, in: bounds, "an IPv6 address")))
    }
  }
}

/// Asks sock_diag(7) for the sockets of one table.
package struct SocketDumpRequest: Sendable, Hashable {
  /// Which sockets are walked.
  package enum Table: Sendable, Hashable {
    /// The TCP sockets of both families in one walk of the hash tables (TCPDIAG_GETSOCK), half the cost of two.
    case tcpOfBothFamilies
    /// The sockets of one protocol and one family (SOCK_DIAG_BY_FAMILY).
    case family(TransportProtocol, AddressFamily)
  }

  /// Every state: bit n is state n. Bit 12 is TCP_NEW_SYN_RECV; bit 13, TCP_BOUND_INACTIVE, adds the sockets
  /// that are bound but not listening (Linux 6.8, ignored before).
  package static let everyState: UInt32 = 0x3ffe

  package var table: Table
  /// Bit n is state n.
  package var states: UInt32
  /// The local ports the kernel filters by; nil for all.
  package var ports: ClosedRange<UInt16>?

  package init(_ table: Table, ports: ClosedRange<UInt16>?, states: UInt32 = everyState) {
    self.table = table
    self.ports = ports
    self.states = states
  }

  /// The type of the request, which is also that of its replies.
  package var type: MessageType {
    switch table {
    case .tcpOfBothFamilies: .tcpDiag
    case .family: .sockDiagByFamily
    }
  }

  /// No extension is asked for. INET_DIAG_INFO would name the upper layer protocol (`inet_sk_diag_fill`), but takes the
  /// lock of every connection for it (`tcp_get_info`): any user could make all readers wait.
  private static let extensions: UInt8 = 0
  private static let bytecodeAttribute: UInt16 = 1  // INET_DIAG_REQ_BYTECODE
  private static let socketIDSize = 48

  //  struct inet_diag_req_v2                          struct inet_diag_req (TCPDIAG_GETSOCK)
  //  u8 family, u8 protocol, u8 ext, u8 pad           u8 family, u8 src_len, u8 dst_len, u8 ext
  //  u32 states                                       inet_diag_sockid, 48 bytes, unused
  //  inet_diag_sockid, 48 bytes, unused               u32 states, u32 dbs (unused)

  /// The whole message, ready to be sent.
  package func encoded(sequence: UInt32) -> [UInt8] {
    var body: [UInt8] = []
    switch table {
    case .tcpOfBothFamilies:
      body.append(contentsOf: [0, 0, 0, Self.extensions])
      body.append(zeros: Self.socketIDSize)
      body.append(host: states)
      body.append(zeros: 4)
    case .family(let transport, let family):
      body.append(contentsOf: [family.number, transport.number, Self.extensions, 0])
      body.append(host: states)
      body.append(zeros: Self.socketIDSize)
    }
    if let ports, ports != 0...UInt16.max {
      appendAttribute(Self.bytecodeAttribute, portFilter(ports), to: &body)
    }
    return message(type, sequence: sequence, body: body)
  }
}

extension TransportProtocol {
  /// IPPROTO_TCP or IPPROTO_UDP.
  fileprivate var number: UInt8 { self == .tcp ? 6 : 17 }
}

extension AddressFamily {
  /// AF_INET or AF_INET6.
  var number: UInt8 { self == .ipv4 ? 2 : 10 }
}

//  struct inet_diag_bc_op: u8 code, u8 yes, u16 no. A port comparison is two of them: the second one's `no` is
//  the port. `yes` and `no` are distances to jump; exactly to the end accepts, 4 beyond it rejects
//  (`inet_diag_bc_audit`, `inet_diag_bc_run`).

/// The bytecode that accepts the sockets with a local port in `ports`.
func portFilter(_ ports: ClosedRange<UInt16>) -> [UInt8] {
  let (greaterOrEqual, lessOrEqual, equal): (UInt8, UInt8, UInt8) = (2, 3, 11)
  let comparisons =
    ports.count == 1
    ? [(equal, ports.lowerBound)] : [(greaterOrEqual, ports.lowerBound), (lessOrEqual, ports.upperBound)]
  var program: [UInt8] = []
  for (index, (code, port)) in comparisons.enumerated() {
    let beyondEnd = UInt16((comparisons.count - index) * 8 + 4)
    program.append(contentsOf: [code, 8])
    program.append(host: beyondEnd)
    program.append(zeros: 2)
    program.append(host: port)
  }
  return program
}
