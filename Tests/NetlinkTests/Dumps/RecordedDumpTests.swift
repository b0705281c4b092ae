import NetlinkTestSupport
import FixtureTestSupport
import Glibc
import Netlink
import SocketModel
import Synchronization
import Testing

// A real dump of a busy private namespace, recorded once: what the decoders make of it must not change.
// To record it again: PORTWHY_RECORD=1 swift test --filter RecordedDumpTests (which fails while it records).
@Suite("A recorded dump")
struct RecordedDumpTests {
  static let name = "recorded-tcp-dump"

  @Test("of a real kernel is read as it was when it was recorded")
  func replay() throws {
    if getenv("PORTWHY_RECORD") != nil { try record() }
    let bytes = try hexFixture(Self.name)
    var cursor = MessageCursor()
    let port = try #require(try cursor.next(in: bytes.span)?.portID)
    let transport = replaying([Answer(datagrams: [bytes])], port: port)
    let sockets = try SocketDump(transport: transport).sockets(.tcp, ports: 8080...8080)
    let seen = sockets.map { socket in
      let peer = socket.remote.map { " \($0.address)" } ?? ""
      return "\(socket.state) \(socket.local.address)\(peer) \(socket.owner)"
    }
    #expect(
      seen.sorted() == [
        "BOUND 127.0.0.3 hidden", "ESTABLISHED 127.0.0.1 127.0.0.1 hidden", "ESTABLISHED 127.0.0.1 127.0.0.1 none",
        "FIN_WAIT2 127.0.0.1 127.0.0.1 none", "LISTEN 127.0.0.1 hidden", "LISTEN 127.0.0.2 hidden",
        "LISTEN ::1 hidden",
      ])
    #expect(try SocketDump(transport: transport).sockets(.tcp, ports: 8081...8081).isEmpty)
  }

  @Test("is an error wherever it is cut off")
  func truncated() throws {
    let bytes = try hexFixture(Self.name)
    var cursor = MessageCursor()
    let port = try #require(try cursor.next(in: bytes.span)?.portID)
    for length in 0..<bytes.count {
      let transport = replaying([Answer(datagrams: [Array(bytes.prefix(length))])], port: port)
      #expect(throws: NetlinkError.self, "\(length) bytes") {
        try SocketDump(transport: transport).sockets(.tcp, ports: nil)
      }
    }
  }

  private func record() throws {
    let datagrams = Mutex<[[UInt8]]>([])
    let recorder = NetlinkTransport { (request, handler) throws(NetlinkError) in
      try NetlinkTransport.kernel.exchange(request) { (bytes, origin) throws(NetlinkError) in
        let copy = bytes.indices.map { bytes[$0] }
        datagrams.withLock { $0.append(copy) }
        return try handler(bytes, origin)
      }
    }
    _ = try inPrivateNamespace {
      let listener = try TestSocket()
      try listener.bind("127.0.0.1", 8080)
      try listener.listen()
      let clients = [try TestSocket(), try TestSocket(), try TestSocket()]
      for client in clients.prefix(2) { try client.connect("127.0.0.1", 8080) }
      _ = try listener.accept()
      let accepted = try listener.accept()
      try clients[2].connect("127.0.0.1", 8080)
      let multipath = try TestSocket(AF_INET, SOCK_STREAM, protocol: 262)
      try multipath.bind("127.0.0.2", 8080)
      try multipath.listen()
      let bound = try TestSocket()
      try bound.bind("127.0.0.3", 8080)
      let six = try TestSocket(AF_INET6)
      try six.bind("::1", 8080)
      try six.listen()
      usleep(200_000)
      return withExtendedLifetime((clients, accepted)) {
        Result { try SocketDump(transport: recorder).sockets(.tcp, ports: nil) }
      }
    }
    try write(datagrams.withLock { $0 })
    Issue.record("recorded \(Self.name).hex again: run without PORTWHY_RECORD")
  }

  private func write(_ datagrams: [[UInt8]]) throws {
    var text =
      "# Recorded by RecordedDumpTests: a TCP dump of both families (TCPDIAG_GETSOCK), one line for 16 bytes.\n"
    for (number, datagram) in datagrams.enumerated() {
      text += "# datagram \(number + 1), \(datagram.count) bytes\n"
      for start in stride(from: 0, to: datagram.count, by: 16) {
        let line = datagram[start..<min(start + 16, datagram.count)]
        text += line.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ") + "\n"
      }
    }
    let folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    guard let stream = fopen("/\(folder)/Fixtures/netlink/\(Self.name).hex", "w") else {
      throw FixtureError(what: "cannot write the fixture")
    }
    fputs(text, stream)
    fclose(stream)
  }
}
