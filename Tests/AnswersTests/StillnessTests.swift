import Glibc
import KernelLab
import Linux
import SocketModel
import Testing

@Suite("Stillness", .enabled(if: NetworkNamespace.isPermittedOrRequired, "needs a private network namespace"))
struct StillnessTests {
  /// Whether one of so many looks is sure, in a namespace where nothing moves but what `act` does on a port.
  private func isSure(
    looks: Int = 1, _ transport: TransportProtocol = .tcp, _ act: (Port) throws -> Void
  ) throws -> Bool {
    try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let port = try namespace.freshPort()
      let counts = try #require(SocketCounts(ProcessFiles()))
      for _ in 0..<looks where try Stillness.during(transport, counts, { try act(port) }).isSure { return true }
      return false
    }
  }

  @Test("is not sure of a look in which a socket listens for a while", arguments: [IPAddress.v4(.any), .v6(.any)])
  func listening(on address: IPAddress) throws {
    let isSure = try isSure { port in
      var sockets = HeldSockets()
      try sockets.listen(on: address, port)
      usleep(5000)
      _ = sockets.count
    }
    #expect(!isSure)
  }

  @Test(
    "is not sure of a look in which a socket moves to and fro",
    arguments: MovingSocket.allCases.filter { $0.transport == .tcp && !$0.isOfTwo })
  func moving(by way: MovingSocket) throws {
    let isSure = try isSure { port in
      var rest = 300
      try way.move(port, isBound: {}) {
        rest -= 1
        return rest < 0
      }
    }
    #expect(!isSure)
  }

  @Test("of UDP is not sure of a look in which a socket is bound for a while", arguments: [AF_INET, AF_INET6])
  func boundUDP(family: Int32) throws {
    let isSure = try isSure(.udp) { _ in
      // SOCK_DGRAM, by number: modules differ in the type of the names. sendto(2) gives it a port.
      let made = socket(family, 2, 0)
      let v4 = sockaddr_in(
        sin_family: sa_family_t(AF_INET), sin_port: in_port_t(9).bigEndian,
        sin_addr: in_addr(s_addr: in_addr_t(0x7f00_0001).bigEndian), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
      var mapped = sockaddr_in6()
      mapped.sin6_family = sa_family_t(AF_INET6)
      mapped.sin6_port = in_port_t(9).bigEndian
      mapped.sin6_addr.__in6_u.__u6_addr32 = (0, 0, UInt32(0xffff).bigEndian, v4.sin_addr.s_addr)
      let sent =
        family == AF_INET
        ? withBytes(of: v4) { sendto(made, nil, 0, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        : withBytes(of: mapped) { sendto(made, nil, 0, 0, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
      usleep(5000)
      close(made)
      #expect(sent == 0)
    }
    #expect(!isSure)
  }

  @Test("is sure of a look in which no socket moves, once a second processor is free", .enabled(if: hasProcessors))
  func still() throws { #expect(try isSure(looks: 20_000) { _ in usleep(1000) }) }
}

private func withBytes<Address, Result>(of address: Address, _ body: (UnsafePointer<sockaddr>) -> Result) -> Result {
  withUnsafePointer(to: address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) } }
}

private let hasProcessors = sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1
