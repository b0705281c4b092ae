import CMnl
package import Linux
package import SocketModel

/// What ended a pause.
package enum SocketEvent: Sendable, Hashable {
  /// The moment came.
  case momentCame
  /// A socket on one of the ports has gone, or so many have that the kernel lost count.
  case socketGone
  /// One of the signals of `StopSignals`.
  case signal(Int32)
  /// Another thread turned the `StopSwitch`.
  case stopped
}

/// The kernel's announcements of sockets that have gone (sock_diag(7), the groups `SKNLGRP_INET_TCP_DESTROY` and its
/// sisters for UDP and IPv6), for the calling thread's network namespace.
///
/// Announced is what closes: a listener, a bound or a UDP socket, a connection. Not announced are shutdown(2) of a
/// listener, a changed option and the end of TIME_WAIT. Subscribe before the first look, or a socket that goes
/// between the two is missed.
package struct SocketEvents: ~Copyable {
  /// nil where the kernel announces nothing, or not to this reader.
  private let socket: MnlSocket?
  private let ports: ByTransport<ClosedRange<UInt16>>

  /// Announcements of these local ports; the kernel drops the others before they wake anybody.
  package init(_ ports: ByTransport<ClosedRange<UInt16>>) {
    self.ports = ports
    socket = try? Self.subscribed(ports)
  }

  private static func subscribed(_ ports: ByTransport<ClosedRange<UInt16>>) throws(SystemError) -> MnlSocket? {
    guard let range = ports.hull else { return nil }
    var socket = try MnlSocket(NETLINK_SOCK_DIAG)
    // The filter before the groups, so that nothing else gets in. Without it (a seccomp filter) there is more to read.
    filterAnnouncements(socket.descriptor, ports: range)
    try socket.connectToKernel()
    let groups = ports.transports.flatMap { transport -> [UInt32] in
      switch transport {
      case .tcp: [SKNLGRP_INET_TCP_DESTROY.rawValue, SKNLGRP_INET6_TCP_DESTROY.rawValue]
      case .udp: [SKNLGRP_INET_UDP_DESTROY.rawValue, SKNLGRP_INET6_UDP_DESTROY.rawValue]
      }
    }
    var hasJoined = false
    for group in groups where (try? socket.set(Int32(NETLINK_ADD_MEMBERSHIP), group)) != nil { hasJoined = true }
    guard hasJoined else { return nil }
    return socket
  }

  // MARK: Waiting

  /// Waits until `moment` (milliseconds of `Clock`), a signal, the turn of the switch, or, if `wakesForSockets`, an
  /// announcement.
  ///
  /// Announcements that do not wake are thrown away at the end: look after this, not before.
  package func pause(
    until moment: UInt64, wakesForSockets: Bool, signals: borrowing StopSignals, stop: StopSwitch? = nil
  ) -> SocketEvent {
    while true {
      if let number = signals.received() { return .signal(number) }
      if stop?.isTurned == true { return .stopped }
      if wakesForSockets && takeAnnouncements() { return .socketGone }
      let now = Clock.milliseconds
      guard now < moment else {
        if !wakesForSockets { _ = takeAnnouncements() }
        return .momentCame
      }
      waitToRead(
        [signals.descriptor, wakesForSockets ? descriptor : -1, stop?.descriptor ?? -1], milliseconds: moment - now)
    }
  }

  /// Whether no socket on one of the ports has gone since the last question; false, too, where nobody would tell. A moment may
  /// pass before the kernel announces one.
  package func tellOfNone() -> Bool {
    switch socket {
    case nil: false
    case .some: !takeAnnouncements()
    }
  }

  /// Whether the kernel announces anything to this reader.
  package var areTold: Bool {
    switch socket {
    case nil: false
    case .some: true
    }
  }

  private var descriptor: Int32 {
    switch socket {
    case .some(let socket): socket.descriptor
    case nil: -1
    }
  }

  /// Reads what has come; whether a socket on one of the ports has gone.
  private func takeAnnouncements() -> Bool {
    switch socket {
    case nil: return false
    case .some(let socket):
      let buffer = DatagramBuffer(byteCount: 8192)
      return drain(ports) { (take: (Span<UInt8>) -> Void) in
        do throws(SystemError) {
          let datagram = try socket.receive(into: buffer, .withoutWaiting)
          // Any process may send to a netlink port; only port 0 is the kernel.
          if datagram.sender == 0 { buffer.withBytes(datagram.length, take) }
          return .taken
        } catch {
          return error == .noBufferSpace ? .overrun : .empty
        }
      }
    }
  }
}

/// What one read of the event socket brought.
enum AnnouncementRead {
  case taken
  /// ENOBUFS: the kernel had to drop some, so anything may have gone.
  case overrun
  case empty
}

/// Reads until nothing is left, but not for ever; whether a socket on one of the ports has gone.
func drain(
  _ ports: ByTransport<ClosedRange<UInt16>>, _ read: ((Span<UInt8>) -> Void) -> AnnouncementRead
) -> Bool {
  var isConcerned = false
  for _ in 0..<1000 {
    switch read({ if announcesDestruction($0, of: ports) { isConcerned = true } }) {
    case .taken: continue
    case .overrun: isConcerned = true
    case .empty: return isConcerned
    }
  }
  return true
}

/// Whether a datagram says that a socket on one of the ports has gone; one that cannot be read may.
func announcesDestruction(_ bytes: Span<UInt8>, of ports: ByTransport<ClosedRange<UInt16>>) -> Bool {
  do throws(WireError) {
    var cursor = MessageCursor()
    while let message = try cursor.next(in: bytes) {
      guard message.type == .sockDiagByFamily else { continue }
      let port = try localPort(of: message.payload, in: bytes)
      if ports.contains(port) { return true }
    }
    return false
  } catch {
    return true
  }
}
