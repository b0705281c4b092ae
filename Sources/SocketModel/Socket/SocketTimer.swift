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
