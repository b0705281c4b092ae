/// A socket's state as the kernel numbers it (`include/net/tcp_states.h`), unknown numbers included.
public struct SocketState: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  public let rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let established = SocketState(rawValue: 1)
  public static let synSent = SocketState(rawValue: 2)
  /// A connection request that no accept queue holds yet. Listed by sock_diag, but not in the bind table.
  public static let synRecv = SocketState(rawValue: 3)
  public static let finWait1 = SocketState(rawValue: 4)
  public static let finWait2 = SocketState(rawValue: 5)
  public static let timeWait = SocketState(rawValue: 6)
  /// TCP_CLOSE: a bound socket that neither listens nor is connected; every unconnected UDP socket.
  public static let close = SocketState(rawValue: 7)
  public static let closeWait = SocketState(rawValue: 8)
  public static let lastAck = SocketState(rawValue: 9)
  public static let listen = SocketState(rawValue: 10)
  public static let closing = SocketState(rawValue: 11)

  /// The kernel's name with `_`; `BOUND` for a socket that is bound, neither listening nor connected.
  public var description: String {
    let names = [
      "", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "BOUND", "CLOSE_WAIT",
      "LAST_ACK", "LISTEN", "CLOSING",
    ]
    return rawValue > 0 && Int(rawValue) < names.count ? names[Int(rawValue)] : "STATE_\(rawValue)"
  }

  /// The state that `description` writes as `name`; nil for any other word.
  public init?(name: String) {
    for number in UInt8(1)...11 where SocketState(rawValue: number).description == name {
      self.init(rawValue: number)
      return
    }
    return nil
  }
}
