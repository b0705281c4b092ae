import SocketModel
import Testing

@testable import Evidence

@Suite struct ChainOrderTests {
  /// Records of sockets at these addresses, each with the next one's.
  private func positions(_ links: [(UInt64, UInt64?)]) -> [UInt64: Int?] {
    let records = links.map { address, next in
      SocketRecord(
        socket: BPFSocket(
          transport: .udp, family: .ipv4, local: Endpoint(address: .v4(.any), port: Port(53)), state: .close,
          isTimeWait: false, cookie: address),
        address: address, next: next, pid: 0, descriptor: 0, inode: 0, isMPTCP: false)
    }
    return inChainOrder(records).reduce(into: [:]) { $0[$1.cookie ?? 0] = $1.chainPosition }
  }

  @Test("Links that make one chain give every socket its place")
  func chain() {
    #expect(positions([(1, 2), (3, 1), (2, 0)]) == [3: 0, 1: 1, 2: 2])
    #expect(positions([(1, 0)]) == [1: 0])
  }

  @Test(
    "Links that make no chain give none",
    arguments: [
      [(1, 2), (2, 1)], [(1, 1), (2, 0)], [(1, 2), (2, nil)], [(1, 9), (2, 0)], [(1, 0), (2, 0)],
      [(1, 2), (2, 3), (3, 2), (4, 0)], [(1, 3), (2, 3), (3, 0)], [(1, 0), (1, 0)],
    ] as [[(UInt64, UInt64?)]])
  func noChain(links: [(UInt64, UInt64?)]) {
    #expect(positions(links).values.allSatisfy { $0 == nil })
  }
}
