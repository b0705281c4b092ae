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
