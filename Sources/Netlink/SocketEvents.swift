import CNetlink
import Glibc
import NetlinkWire
public import SocketModel

/// What ended a pause.
public enum SocketEvent: Sendable, Hashable {
  /// The moment came.
  case momentCame
  /// A socket on one of the ports has gone, or so many have that the kernel lost count.
  case socketGone
  /// One of the signals of `StopSignals`.
  case signal(Int32)
}

/// The kernel's announcements of sockets that have gone (sock_diag(7), the groups `SKNLGRP_INET_TCP_DESTROY` and its
/// sisters for UDP and IPv6), for the calling thread's network namespace.
///
/// Announced is what closes: a listener, a bound or a UDP socket, a connection. Not announced are shutdown(2) of a
/// listener, a changed option and the end of TIME_WAIT. Subscribe before the first look, or a socket that goes
/// between the two is missed.
public struct SocketEvents: ~Copyable {
  /// nil where the kernel announces nothing, or not to this reader.
  private let socket: OpaquePointer?
  private let ports: ByTransport<ClosedRange<UInt16>>

  /// Announcements of these local ports; the kernel drops the others before they wake anybody.
  public init(_ ports: ByTransport<ClosedRange<UInt16>>) {
    self.ports = ports
    socket = Self.subscribed(ports)
  }

  deinit {
    if let socket { mnl_socket_close(socket) }
  }

  private static func subscribed(_ ports: ByTransport<ClosedRange<UInt16>>) -> OpaquePointer? {
    guard let range = ports.hull,
      let socket = mnl_socket_open2(NETLINK_SOCK_DIAG, Int32(SOCK_CLOEXEC.rawValue))
    else { return nil }
    // The filter before the groups, so that nothing else gets in. Without it (a seccomp filter) there is more to read.
    _ = portwhy_filter_local_port(mnl_socket_get_fd(socket), range.lowerBound, range.upperBound)
    // Bound before it joins: bind(2) with no groups leaves those that were joined (`netlink_bind`).
    guard mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 else {
      mnl_socket_close(socket)
      return nil
    }
    let groups = ports.transports.flatMap { transport -> [UInt32] in
      switch transport {
      case .tcp: [SKNLGRP_INET_TCP_DESTROY.rawValue, SKNLGRP_INET6_TCP_DESTROY.rawValue]
      case .udp: [SKNLGRP_INET_UDP_DESTROY.rawValue, SKNLGRP_INET6_UDP_DESTROY.rawValue]
      }
    }
    let joined = groups.filter { group in
      var group = group
      return mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, socklen_t(MemoryLayout<UInt32>.size)) == 0
    }
    guard !joined.isEmpty else {
      mnl_socket_close(socket)
      return nil
    }
    return socket
  }

  // MARK: Waiting

  /// Waits until `moment` (milliseconds of CLOCK_MONOTONIC), a signal, or, if `heedsSockets`, an announcement.
  ///
  /// Announcements that are not heeded are thrown away at the end: look after this, not before.
  public func pause(
    until moment: UInt64, heedsSockets: Bool, signals: borrowing StopSignals
  ) -> SocketEvent {
    while true {
      if let number = signals.received() { return .signal(number) }
      if heedsSockets && takeAnnouncements() { return .socketGone }
      let now = MonotonicClock.milliseconds
      guard now < moment else {
        if !heedsSockets { _ = takeAnnouncements() }
        return .momentCame
      }
      var waiting = [pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)]
      if heedsSockets, let socket {
        waiting.append(pollfd(fd: mnl_socket_get_fd(socket), events: Int16(POLLIN), revents: 0))
      }
      // poll(2) passes over a negative descriptor; an error shows as readable and is read.
      _ = poll(&waiting, nfds_t(waiting.count), Int32(clamping: moment - now))
    }
  }

  /// Reads what has come; whether a socket on one of the ports has gone.
  private func takeAnnouncements() -> Bool {
    guard let socket else { return false }
    let descriptor = mnl_socket_get_fd(socket)
    return withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 16) { buffer in
      drain(ports) { (take: (Span<UInt8>) -> Void) in
        var address = sockaddr_nl()
        var size = socklen_t(MemoryLayout<sockaddr_nl>.size)
        let length = withUnsafeMutablePointer(to: &address) { pointer in
          pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            recvfrom(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT), generic, &size)
          }
        }
        guard length >= 0 else { return errno == ENOBUFS ? .overrun : .empty }
        // Any process may send to a netlink port; only port 0 is the kernel.
        guard address.nl_pid == 0 else { return .taken }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<length]).bindMemory(to: UInt8.self)
        take(Span(_unsafeElements: bytes))
        return .taken
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
