package import SocketModel

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
