import CNetlink
import Glibc
import NetlinkWire
import SocketModel

// The only system calls of this target. A socket is opened for each request, so that it belongs to the network
// namespace of the calling thread and never holds the rest of an older answer.
extension NetlinkTransport {
  /// The running kernel, over a libmnl socket.
  public static let kernel = NetlinkTransport { request, handler throws(NetlinkError) in
    let socket = try openSocket(request.family)
    defer { mnl_socket_close(socket) }
    if request.isStrict {
      // Before Linux 4.20 there is no such option; the answer is then longer and filtered by who asked.
      var on: Int32 = 1
      mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, socklen_t(MemoryLayout<Int32>.size))
    }
    try send(request.bytes, to: socket)
    try receive(from: socket, handler, isBounded: request.family == .sockDiag)
  }

  /// A netlink_dump() never fills more than 32 KiB (`max_recvmsg_len`) unless one message alone is longer, as that of an
  /// interface with hundreds of alternative names: less would only mean more system calls.
  private static let bufferSize = 32 << 10

  private static func openSocket(_ family: NetlinkFamily) throws(NetlinkError) -> OpaquePointer {
    let bus =
      switch family {
      case .sockDiag: NETLINK_SOCK_DIAG
      case .route: NETLINK_ROUTE
      case .generic: NETLINK_GENERIC
      }
    guard let socket = mnl_socket_open2(bus, Int32(SOCK_CLOEXEC.rawValue)) else {
      throw NetlinkError(family, socket: lastError())
    }
    guard mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 else {
      let error = lastError()
      mnl_socket_close(socket)
      throw .systemCall("bind", error)
    }
    return socket
  }

  private static func send(_ bytes: [UInt8], to socket: OpaquePointer) throws(NetlinkError) {
    while mnl_socket_sendto(socket, bytes, bytes.count) < 0 {
      let error = lastError()
      guard error == .interrupted else { throw .systemCall("sendto", error) }
    }
  }

  // recvfrom(2) instead of mnl_socket_recvfrom(): that one hides who sent the datagram and how long it was.
  //
  // `isBounded`: no message of this family comes near the size of the buffer. Else the next datagram's size is asked for.
  private static func receive(
    from socket: OpaquePointer, _ handler: Handler, isBounded: Bool
  ) throws(NetlinkError) {
    let descriptor = mnl_socket_get_fd(socket)
    let receiver = mnl_socket_get_portid(socket)
    var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      if !isBounded, let next = nextSize(descriptor), next > buffer.count {
        buffer.deallocate()
        buffer = .allocate(byteCount: next, alignment: 16)
      }
      var address = sockaddr_nl()
      var addressLength = socklen_t(MemoryLayout<sockaddr_nl>.size)
      let length = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
          recvfrom(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_TRUNC), generic, &addressLength)
        }
      }
      if length < 0 {
        let error = lastError()
        if error == .interrupted { continue }
        throw .systemCall("recvfrom", error)
      }
      guard length <= buffer.count else {
        // Whatever another process sends is not looked at, however long it is.
        if address.nl_pid != 0 { continue }
        throw .malformedReply(WireError(offset: buffer.count, expected: "a datagram of at most \(buffer.count) bytes"))
      }
      let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<length]).bindMemory(to: UInt8.self)
      let origin = DatagramOrigin(sender: address.nl_pid, receiver: receiver)
      if try handler(Span(_unsafeElements: bytes), origin) == .complete { return }
    }
  }

  /// Datagrams that are longer are no message of the kernel.
  private static let longest = 16 << 20

  /// The size of the next datagram, waiting for it; nil where that cannot be had or is absurd.
  private static func nextSize(_ descriptor: Int32) -> Int? {
    var byte: UInt8 = 0
    let length = recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_TRUNC))
    return length < 0 || length > longest ? nil : length
  }

  private static func lastError() -> SystemError { SystemError(rawValue: errno) }
}
