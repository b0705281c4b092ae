import SocketModel
import Testing

@testable import Answers

@Suite("A socket without a holder that can be seen")
struct KernelOwnerTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var says: String
    var kind: KernelOwner.Kind
    var address: IPAddress
    var v6only: Bool?
    var transport = TransportProtocol.udp
    var families: Set<AddressFamily> = [.ipv4, .ipv6]
    var isKernels: Bool
    var testDescription: String { says }
  }

  private static let loopback = IPAddress.v6(.loopback)
  private static let own = IPAddress.v4(IPv4Address(10, 4, 0, 1))
  private static let group = IPAddress.v4(IPv4Address(224, 0, 0, 81))

  static let rows = [
    Row(says: "a VXLAN interface at 0.0.0.0", kind: .vxlan, address: .v4(.any), isKernels: true),
    Row(says: "a VXLAN interface at ::", kind: .vxlan, address: .v6(.any), v6only: true, isKernels: true),
    Row(
      says: ":: beside a VXLAN interface of IPv4", kind: .vxlan, address: .v6(.any), v6only: true, families: [.ipv4],
      isKernels: false),
    Row(says: "::1 beside a VXLAN interface", kind: .vxlan, address: loopback, v6only: false, isKernels: false),
    Row(says: "one IPv4 address beside it", kind: .vxlan, address: own, isKernels: false),
    Row(says: "a dual-stack socket beside it", kind: .vxlan, address: .v6(.any), v6only: false, isKernels: false),
    Row(says: "a WireGuard interface at ::", kind: .wireguard, address: .v6(.any), v6only: true, isKernels: true),
    Row(says: "a bareudp interface at ::", kind: .bareudp, address: .v6(.any), v6only: false, isKernels: true),
    Row(says: "a group of IPVS", kind: .ipvs, address: group, isKernels: true),
    Row(says: "the wildcard beside IPVS", kind: .ipvs, address: .v4(.any), isKernels: false),
    Row(says: "an NFS server at one address", kind: .nfsd, address: own, transport: .tcp, isKernels: true),
    Row(says: "a lock manager at one address", kind: .lockd, address: own, transport: .tcp, isKernels: false),
  ]

  @Test("is the kernel's only where the kernel would have bound it", arguments: rows)
  func named(_ row: Row) {
    let owner = KernelOwner(kind: row.kind)
    let told = [KernelPort(transport: row.transport, port: Port(4789), owner: owner, families: row.families)]
    var sockets = [
      SocketObservation(
        transport: row.transport, family: row.address.family,
        local: Endpoint(address: row.address, port: Port(4789)), state: row.transport == .tcp ? .listen : .close,
        reuseaddr: .unknown(.hidden), reuseport: .unknown(.hidden), v6only: row.v6only.map { .known($0, .sockDiag) },
        uid: 0, inode: 7, owner: .hidden)
    ]
    nameKernelOwners(&sockets, told)
    let isNamed = sockets[0].owner == .kernel && sockets[0].kernelOwner == owner
    #expect(isNamed == row.isKernels)
    let isHidden = sockets[0].owner == .hidden && sockets[0].kernelOwner == nil
    #expect(isHidden == !row.isKernels)
    let reason: UnknownReason = row.isKernels ? .kernel : .hidden
    #expect(sockets[0].reuseaddr.unknownReason == reason)
  }
}
