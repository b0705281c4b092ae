/// The transport whose port space an attempt or a socket lives in. MPTCP and SMC sockets live in TCP's.
public enum TransportProtocol: String, Sendable, Hashable, CaseIterable {
  /// IPPROTO_TCP, tcp(7).
  case tcp
  /// IPPROTO_UDP, udp(7).
  case udp

  /// The other of the two; the port spaces are separate, so sockets there are never in the way.
  package var other: TransportProtocol { self == .tcp ? .udp : .tcp }
}
