import Glibc
import Netlink
import NetlinkTestSupport
import SocketModel
import Synchronization
import Testing

/// The kernel, and a process that knows the port id and the sequence number of the asking socket and sends to it.
private func kernel(beside forged: @escaping @Sendable (_ receiver: UInt32) -> [UInt8]) -> NetlinkTransport {
  NetlinkTransport { (request, handler) throws(NetlinkError) in
    let stranger = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue), 4)  // NETLINK_SOCK_DIAG
    defer { close(stranger) }
    try NetlinkTransport.kernel.exchange(request) { (bytes, origin) throws(NetlinkError) in
      if origin.sender == 0 {
        // The asking socket is connected to the kernel, which lets nobody else send to it (`netlink_getsockbyportid`).
        let sent = send(forged(origin.receiver), from: stranger, to: origin.receiver)
        #expect(!sent && errno == ECONNREFUSED, "errno \(errno)")
      }
      return try handler(bytes, origin)
    }
  }
}

private func send(_ bytes: [UInt8], from stranger: Int32, to receiver: UInt32) -> Bool {
  // struct sockaddr_nl: u16 nl_family, u16 nl_pad, u32 nl_pid, u32 nl_groups
  var address = (UInt16(AF_NETLINK), UInt16(0), receiver, UInt32(0))
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      sendto(stranger, bytes, bytes.count, 0, $0, 12) == bytes.count
    }
  }
}

@Suite("A forged reply")
struct ForgedReplyTests {
  /// An NLMSG_DONE that would end the first dump; a socket of port 4242 before it.
  private static func answer(_ receiver: UInt32, filling size: Int = 0) -> [UInt8] {
    func message(_ type: UInt8, _ payload: [UInt8]) -> [UInt8] {
      let length = UInt32(16 + payload.count)
      return [length, UInt32(type) | 2 << 16, 1, receiver].flatMap { word in
        (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
      } + payload
    }
    let socket = [2, 10, 0, 0, 0x10, 0x92] + [UInt8](repeating: 0, count: 66)
    return message(18, socket) + message(3, [UInt8](repeating: 0, count: max(4, size)))
  }

  @Test(
    "in the middle of the kernel's own does not even arrive, however long it is",
    arguments: [0, 40_000])
  func notDelivered(_ size: Int) throws {
    try inPrivateNamespace {
      // More than one datagram holds.
      let listeners = try (0..<300).map { number in
        let listener = try TestSocket()
        try listener.bind("127.0.0.1", UInt16(8000 + number))
        try listener.listen()
        return listener
      }
      let transport = kernel { Self.answer($0, filling: size) }
      let sockets = try SocketDump(transport: transport).sockets(.tcp, ports: nil)
      #expect(Set(sockets.compactMap(\.inode)) == Set(listeners.map(\.inode)))
      #expect(!sockets.contains { $0.local.port == Port(4242) })
      withExtendedLifetime(listeners) {}
    }
  }
}
