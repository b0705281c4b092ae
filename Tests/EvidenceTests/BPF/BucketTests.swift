import CBPFTests
import Glibc
import SocketModel
import Testing

@testable import Evidence

/// The histories of sockets after which the bucket decides (`inet_csk_update_fastreuse`).
extension KernelSuite {
  @Suite struct Bucket {
    /// The bucket as the descriptors of this process show it, and as the table of listeners does if one listens.
    private func bucket(_ port: UInt16) throws -> BindBucket? {
      let evidence = try BPFEvidence()
      let namespace = try ownNetworkNamespace()
      let holders = try evidence.socketHolders(ports: port...port).filter { $0.networkNamespace == namespace }
      let buckets = Set(holders.map(\.socket.bucket) + (try evidence.tcpSockets(ports: port...port).map(\.bucket)))
      #expect(buckets.count == 1, "every socket of the port hangs on the same bucket")
      return buckets.first ?? nil
    }

    @Test("Sockets without SO_REUSEPORT leave nothing that lets others pass")
    func plain() throws {
      try inPrivateNetwork {
        let sockets = [try boundTCP("127.0.0.1", 8080, reuseaddr: true), try boundTCP("127.0.0.2", 8080)]
        let bucket = try bucket(8080)
        #expect(bucket?.port == Port(8080))
        #expect(bucket?.layer3Domain == nil)
        #expect(bucket?.fastReuse == false)
        #expect(bucket?.fastReuseport == nil)
        #expect(bucket?.fastUID == 0, "what the kernel does not look at is not shown")
        _ = sockets
      }
    }

    @Test("The first SO_REUSEPORT socket leaves its user and address")
    func reuseport() throws {
      try inPrivateNetwork {
        bpftests_set_socket_owner(1000)
        let socket = try listener("127.0.0.7", 8080, reuseport: true)
        bpftests_set_socket_owner(0)
        let bucket = try bucket(8080)
        #expect(bucket?.fastReuseport != nil)
        #expect(bucket?.fastUID == 1000)
        #expect(bucket?.fastFamily == .ipv4)
        #expect(bucket?.fastAddress4 == IPv4Address(127, 0, 0, 7))
        #expect(bucket?.fastAddress == IPv6Address(mapping: IPv4Address(127, 0, 0, 7)))
        #expect(bucket?.fastIPv6only == false)
        _ = socket
      }
    }

    @Test("An IPv6 SO_REUSEPORT socket leaves its IPv6 address and that it is V6ONLY")
    func reuseport6() throws {
      try inPrivateNetwork {
        let socket = try boundTCP("::1", 8080, reuseport: true)
        let bucket = try bucket(8080)
        #expect(bucket?.fastFamily == .ipv6)
        #expect(bucket?.fastAddress == .loopback)
        #expect(bucket?.fastIPv6only == true, "bind(2) to an address of IPv6 alone sets it")
        _ = socket
      }
    }

    @Test("SO_REUSEPORT cleared after bind stays in the bucket")
    func cleared() throws {
      try inPrivateNetwork {
        let socket = try boundTCP("127.0.0.1", 8080, reuseport: true)
        try socket.setReuse(false, false)
        #expect(try bucket(8080)?.fastReuseport != nil)
        let next = try boundTCP("127.0.0.1", 8080, reuseport: true)
        _ = next
      }
    }

    @Test("Whether the socket with SO_REUSEPORT came first or last decides what the bucket remembers")
    func order() throws {
      try inPrivateNetwork {
        let address = try boundTCP("127.0.0.1", 8080, reuseaddr: true)
        let wildcard = try boundTCP("0.0.0.0", 8080, reuseaddr: true, reuseport: true)
        let last = try bucket(8080)
        #expect(last?.fastReuseport == .strict)
        #expect(last?.fastAddress4 == .any)
        let third = try boundTCP("127.0.0.1", 8080, reuseport: true)
        _ = (address, wildcard, third)
      }
      try inPrivateNetwork {
        let wildcard = try boundTCP("0.0.0.0", 8080, reuseaddr: true, reuseport: true)
        let address = try boundTCP("127.0.0.1", 8080, reuseaddr: true)
        #expect(try bucket(8080)?.fastReuseport == nil)
        #expect(throws: FailedCall.self) { _ = try boundTCP("127.0.0.1", 8080, reuseport: true) }
        _ = (address, wildcard)
      }
    }

    @Test("A TIME_WAIT socket still leads to the bucket its listener made")
    func timeWait() throws {
      try inPrivateNetwork {
        let server = try listener("127.0.0.1", 8080, reuseport: true)
        try leaveTimeWait(server, "127.0.0.1", 8080)
        let before = try bucket(8080)
        server.close()
        let left = try BPFEvidence().tcpSockets(ports: 8080...8080)
        #expect(left.map(\.isTimeWait) == [true])
        #expect(left.first?.bucket == before)
        #expect(before?.fastReuseport != nil)
      }
    }
  }
}
