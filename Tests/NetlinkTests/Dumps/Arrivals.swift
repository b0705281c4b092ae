import FixtureTestSupport
import Netlink
import SocketModel
import Synchronization

/// What one receive from a netlink socket gives.
enum Arrival: Sendable {
  case kernel([UInt8])
  case stranger([UInt8])
  /// ENOBUFS.
  case overrun
}

/// Plays exchanges, the last one again and again, and keeps the sequence numbers of the requests.
final class Recording: Sendable {
  static let port: UInt32 = 0x1234
  private let exchanges: [[Arrival]]
  private let asked = Mutex<[UInt32]>([])

  init(_ exchanges: [[Arrival]]) { self.exchanges = exchanges }

  /// The sequence number of each request so far.
  var sequences: [UInt32] { asked.withLock { $0 } }

  var transport: NetlinkTransport {
    NetlinkTransport { (request, handler) throws(NetlinkError) in
      let sequence = request.bytes[8..<12].reversed().reduce(0) { $0 << 8 | UInt32($1) }
      let turn = self.asked.withLock { asked in
        defer { asked.append(sequence) }
        return min(asked.count, self.exchanges.count - 1)
      }
      for arrival in self.exchanges[turn] {
        let progress: ReplyProgress
        switch arrival {
        case .overrun: throw .systemCall("recvfrom", .noBufferSpace)
        case .kernel(let bytes): progress = try handler(bytes.span, DatagramOrigin(sender: 0, receiver: Self.port))
        case .stranger(let bytes):
          progress = try handler(bytes.span, DatagramOrigin(sender: 77, receiver: Self.port))
        }
        if progress == .complete { return }
      }
    }
  }
}

/// Everything that is read by one dump, with the recorded messages that can answer it.
enum Dump: CaseIterable, Sendable {
  case tcp, glances, interfaces, addresses, routes, tunnels

  var fixtures: [String] {
    switch self {
    case .tcp, .glances:
      [
        "tcp-listen-ipv4", "tcp-queued-child", "tcp-listen-v6only", "tcp-listen-dual-stack",
        "tcp-established-mapped", "tcp-bound", "tcp-time-wait", "tcp-fin-wait2-timewait", "tcp-syn-recv",
        "tcp-listen-mptcp", "udp-bound-ipv6", "udp-connected-ipv4",
      ]
    case .interfaces, .tunnels: ["link-loopback", "link-veth", "link-vrf"]
    case .addresses: ["address-loopback", "address-tentative", "address-peer"]
    case .routes: ["route-loopback", "route-broadcast"]
    }
  }

  static let everyFixture = allCases.flatMap { dump in dump.fixtures.map { (dump, $0) } }

  /// How many things an answer has; a tunnel is none of the recorded interfaces.
  func count(_ recording: Recording) throws(NetlinkError) -> Int {
    let transport = recording.transport
    return switch self {
    case .tcp: try SocketDump(transport: transport).sockets(.tcp, ports: nil).count
    case .glances: try SocketDump(transport: transport).glances(.tcp, .holding, ports: nil).count
    case .interfaces: try RouteDump(transport: transport).interfaces().count
    case .addresses: try RouteDump(transport: transport).ipv6Addresses().count
    case .routes: try RouteDump(transport: transport).ipv4LocalRoutes().count
    case .tunnels: try KernelPortDump(transport: transport).tunnelPorts().count
    }
  }

  /// A recorded message as the answer to the `attempt`-th request; the one walk of both families has a type of its own.
  func message(_ fixture: String, attempt: UInt8 = 1, flags: UInt8? = nil) throws -> [UInt8] {
    var bytes = try hexFixture(fixture)
    bytes.replaceSubrange(8..<16, with: [attempt, 0, 0, 0, 0x34, 0x12, 0, 0])
    if let flags { bytes[6] = flags }
    if (self == .tcp || self == .glances) && fixture != "done" && !fixture.hasPrefix("error") { bytes[4] = 18 }
    return bytes
  }
}
