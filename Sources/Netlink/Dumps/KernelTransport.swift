import CMnl
import Linux
import SocketModel

// A socket is opened for each request, so that it belongs to the network namespace of the calling thread and never holds
// the rest of an older answer.
extension NetlinkTransport {
  /// The running kernel, over a libmnl socket.
  package static let kernel = NetlinkTransport { request, handler throws(NetlinkError) in
    let socket = try openSocket(request.family)
    // Before Linux 4.20 there is no such option; the answer is then longer and filtered by who asked.
    if request.isStrict { try? socket.set(Int32(NETLINK_GET_STRICT_CHK), 1) }
    do throws(SystemError) { try socket.send(request.bytes) } catch { throw .systemCall("sendto", error) }
    try receive(from: socket, request.family, handler)
  }

  /// A netlink_dump() never fills more than 32 KiB (`max_recvmsg_len`): less would only mean more system calls. One
  /// message alone can be longer: that of an interface with thousands of alternative names.
  private static let usualSize = 32 << 10
  /// No message of the kernel's is longer.
  private static let largestSize = 16 << 20

  private static func openSocket(_ family: NetlinkFamily) throws(NetlinkError) -> MnlSocket {
    let bus =
      switch family {
      case .sockDiag: NETLINK_SOCK_DIAG
      case .route: NETLINK_ROUTE
      case .generic: NETLINK_GENERIC
      }
    let socket: MnlSocket
    do throws(SystemError) { socket = try MnlSocket(bus) } catch { throw NetlinkError(family, socket: error) }
    do throws(SystemError) { try socket.bind() } catch { throw .systemCall("bind", error) }
    return socket
  }

  private static func receive(
    from socket: borrowing MnlSocket, _ family: NetlinkFamily, _ handler: Handler
  ) throws(NetlinkError) {
    let receiver = socket.portID
    // What sock_diag says of a socket has an upper limit far below; of the others the size is asked for first.
    let mayBeLong = family != .sockDiag
    var buffer = DatagramBuffer(byteCount: usualSize)
    while true {
      let datagram: Datagram
      do throws(SystemError) {
        if mayBeLong {
          let next = try socket.receive(into: buffer, .peek)
          if next.sender == 0, next.length > buffer.count, next.length <= largestSize {
            buffer = DatagramBuffer(byteCount: next.length)
          }
        }
        datagram = try socket.receive(into: buffer)
      } catch {
        throw .systemCall("recvfrom", error)
      }
      guard datagram.length <= buffer.count else {
        // Whatever another process sends is not looked at, however long it is.
        if datagram.sender != 0 { continue }
        throw .malformedReply(
          WireError(offset: buffer.count, expected: "a datagram of at most \(buffer.count) bytes"))
      }
      let origin = DatagramOrigin(sender: datagram.sender, receiver: receiver)
      let progress = try buffer.withBytes(datagram.length) { (bytes) throws(NetlinkError) in
        try handler(bytes, origin)
      }
      if progress == .complete { return }
    }
  }
}
