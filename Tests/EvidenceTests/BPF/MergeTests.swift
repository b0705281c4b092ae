import SocketModel
import Testing

@testable import Evidence

@Suite struct MergeTests {
  private func observed(
    _ cookie: UInt64, _ state: SocketState = .established, transport: TransportProtocol = .tcp,
    family: AddressFamily = .ipv4, inode: UInt64? = nil, reuseaddr: Knowledge<Bool> = .unknown(.noOwner)
  ) -> SocketObservation {
    let address: IPAddress = family == .ipv4 ? .v4(.loopback) : .v6(.loopback)
    return SocketObservation(
      transport: transport, family: family, local: Endpoint(address: address, port: Port(8080)), state: state,
      reuseaddr: reuseaddr, reuseport: .unknown(.noOwner), v6only: family == .ipv6 ? .unknown(.noOwner) : nil,
      inode: inode, cookie: cookie)
  }

  private func found(
    _ cookie: UInt64?, _ state: SocketState = .established, transport: TransportProtocol = .tcp,
    family: AddressFamily = .ipv4, reuseaddr: Bool? = true, bucket: BindBucket? = nil, position: Int? = nil
  ) -> BPFSocket {
    let address: IPAddress = family == .ipv4 ? .v4(.loopback) : .v6(.loopback)
    return BPFSocket(
      transport: transport, family: family, local: Endpoint(address: address, port: Port(8080)), state: state,
      isTimeWait: false, reuseaddr: reuseaddr, reuseport: false, v6only: family == .ipv6 ? true : nil, cookie: cookie,
      holdsPort: transport == .tcp ? true : nil, bucket: bucket, chainPosition: position)
  }

  private func holder(_ inode: UInt64, _ socket: BPFSocket, namespace: UInt64 = 1, mptcp: Bool = false)
    -> SocketHolder
  {
    SocketHolder(
      pid: 1, descriptor: 3, inode: inode, networkNamespace: namespace, isMPTCP: mptcp, socket: socket)
  }

  private func bucket(_ uid: UInt32) -> BindBucket {
    BindBucket(
      port: Port(8080), fastReuse: false, fastReuseport: .strict, fastUID: uid, fastFamily: .ipv4,
      fastAddress: IPv6Address(mapping: .any), fastAddress4: .any, fastIPv6only: false)
  }

  @Test("Flags that are not known are filled in with the source bpf")
  func fills() {
    let merged = merge(
      [observed(1), observed(2, family: .ipv6)],
      with: IteratorEvidence(tcp: [found(1), found(2, family: .ipv6, reuseaddr: false)]), networkNamespace: 1)
    #expect(merged.sockets[0].reuseaddr == .known(true, .bpf))
    #expect(merged.sockets[0].reuseport == .known(false, .bpf))
    #expect(merged.sockets[0].v6only == nil)
    #expect(merged.sockets[1].reuseaddr == .known(false, .bpf))
    #expect(merged.sockets[1].v6only == .known(true, .bpf))
    #expect(merged.vanished == 0)
  }

  @Test("Flags of a socket that listens by now, or no longer, do not go with what it was in the dump")
  func moved() {
    let merged = merge(
      [observed(1, .close, inode: 7), observed(2, .listen, inode: 8), observed(3, .synSent, inode: 9)],
      with: IteratorEvidence(tcp: [found(1, .listen), found(2, .close), found(3, .established)]), networkNamespace: 1)
    #expect(
      merged.sockets.map(\.reuseaddr) == [.unknown(.vanished), .unknown(.vanished), .known(true, .bpf)])
    #expect(merged.sockets[0].reuseport == .unknown(.vanished))
    #expect(merged.vanished == 0)
  }

  @Test("Flags that are known stay as they are, guessed ones give way")
  func keeps() {
    let merged = merge(
      [
        observed(1, reuseaddr: .known(false, .getsockopt)),
        observed(2, reuseaddr: .inferred(false, from: 0, because: .noOwner)),
      ],
      with: IteratorEvidence(tcp: [found(1), found(2)]), networkNamespace: 1)
    #expect(merged.sockets.map(\.reuseaddr) == [.known(false, .getsockopt), .known(true, .bpf)])
  }

  @Test("A flag that the kernel's types do not tell keeps its reason")
  func untold() {
    let merged = merge(
      [observed(1)], with: IteratorEvidence(tcp: [found(1, reuseaddr: nil)]), networkNamespace: 1)
    #expect(merged.sockets[0].reuseaddr == .unknown(.noOwner))
  }

  @Test("A socket without owner that is in no table any more is left out and counted")
  func vanished() {
    let merged = merge(
      [observed(1, .timeWait), observed(2, .timeWait)], with: IteratorEvidence(tcp: [found(2)]), networkNamespace: 1)
    #expect(merged.sockets.map(\.cookie) == [2])
    #expect(merged.vanished == 1)
  }

  @Test("A socket that somebody holds stays although no table shows it: it may still hold its port")
  func held() {
    let merged = merge(
      [observed(1, .listen, inode: 7)], with: IteratorEvidence(tcp: []), networkNamespace: 1)
    #expect(merged.sockets.map(\.reuseaddr) == [.unknown(.vanished)])
    #expect(merged.vanished == 0)
  }

  @Test("A socket that is only bound is in no table: nothing is concluded from that")
  func boundOnly() {
    let merged = merge(
      [observed(1, .close, inode: 7)], with: IteratorEvidence(tcp: []), networkNamespace: 1)
    #expect(merged.sockets.map(\.reuseaddr) == [.unknown(.noOwner)])
    let withHolder = merge(
      [observed(1, .close, inode: 7)], with: IteratorEvidence(tcp: [], holders: [holder(7, found(1, .close))]),
      networkNamespace: 1)
    #expect(withHolder.sockets.map(\.reuseaddr) == [.known(true, .bpf)])
  }

  @Test("Without an iterator's word nothing vanishes")
  func notAsked() {
    let merged = merge(
      [observed(1), observed(2, transport: .udp)], with: IteratorEvidence(), networkNamespace: 1)
    #expect(merged.sockets.count == 2)
    #expect(merged.vanished == 0)
  }

  @Test("Where no socket of a table shows a cookie, nothing is concluded from its absence")
  func noCookies() {
    let merged = merge([observed(1)], with: IteratorEvidence(tcp: [found(nil)]), networkNamespace: 1)
    #expect(merged.sockets.map(\.reuseaddr) == [.unknown(.noOwner)])
    #expect(merged.vanished == 0)
  }

  @Test("A cookie that means a socket of another port or protocol is no match")
  func mismatch() {
    let merged = merge(
      [observed(1)], with: IteratorEvidence(tcp: [], udp: [found(1, transport: .udp)]), networkNamespace: 1)
    #expect(merged.vanished == 1)
  }

  @Test("A socket that is only bound and in no dump is added once, however many hold it")
  func unlisted() {
    let socket = found(nil, .close, bucket: bucket(3))
    let merged = merge(
      [observed(1)],
      with: IteratorEvidence(
        tcp: [found(1)],
        holders: [
          holder(7, socket), holder(7, socket), holder(8, socket, namespace: 2), holder(9, socket, mptcp: true),
        ]),
      networkNamespace: 1)
    #expect(merged.unlisted == 1)
    #expect(merged.sockets.count == 2)
    #expect(merged.sockets.last?.inode == 7)
    #expect(merged.sockets.last?.state == .close)
    #expect(merged.sockets.last?.reuseaddr == .known(true, .bpf))
    #expect(merged.sockets.last?.owner == .process)
    #expect(merged.buckets == [bucket(3)])
  }

  @Test("An MPTCP descriptor gives the bucket of its subflow and nothing else; a bucket of another port is none")
  func mptcpBucket() {
    let socket = found(nil, .close, bucket: bucket(3))
    let merged = merge([], with: IteratorEvidence(holders: [holder(9, socket, mptcp: true)]), networkNamespace: 1)
    #expect(merged.sockets.isEmpty)
    #expect(merged.buckets == [bucket(3)])
    var stray = socket
    stray.local.port = Port(81)
    let other = merge([], with: IteratorEvidence(holders: [holder(9, stray, mptcp: true)]), networkNamespace: 1)
    #expect(other.buckets.isEmpty)
  }

  @Test("A socket of which the port was released is not added")
  func released() {
    var socket = found(nil, .close)
    socket.holdsPort = false
    let merged = merge([], with: IteratorEvidence(holders: [holder(7, socket)]), networkNamespace: 1)
    #expect(merged.sockets.isEmpty)
  }

  @Test("Holders count only in the network namespace that was looked at")
  func namespace() {
    let merged = merge(
      [observed(1, .close, inode: 7)], with: IteratorEvidence(holders: [holder(7, found(1, .close), namespace: 2)]),
      networkNamespace: 1)
    #expect(merged.sockets.map(\.reuseaddr) == [.unknown(.noOwner)])
    #expect(merged.buckets.isEmpty)
  }

  @Test("There is one bucket of a port and layer-3 domain, the newest")
  func buckets() {
    var other = bucket(5)
    other.layer3Domain = InterfaceIndex(rawValue: 9)
    let merged = merge(
      [],
      with: IteratorEvidence(
        tcp: [found(1, bucket: bucket(1)), found(2, bucket: other)], holders: [holder(7, found(3, bucket: bucket(2)))]
      ),
      networkNamespace: 1)
    #expect(merged.buckets == [bucket(2), other])
  }

  @Test("A socket has the layer-3 domain of its own bucket, unless that is of another port by now")
  func domains() {
    var inVRF = bucket(5)
    inVRF.layer3Domain = InterfaceIndex(rawValue: 9)
    var moved = bucket(5)
    moved.port = Port(1)
    let tcp = [found(1, bucket: bucket(1)), found(2, bucket: inVRF), found(3, bucket: moved), found(4)]
    let merged = merge(
      (1...4).map { observed($0) },
      with: IteratorEvidence(tcp: tcp, holders: [holder(7, found(5, .close, bucket: inVRF))]), networkNamespace: 1)
    #expect(merged.sockets.map(\.bucketDomain) == [0, 9, nil, nil, 9])
    let subflow = holder(7, found(nil, .close, bucket: inVRF), mptcp: true)
    let ofMPTCP = merge(
      [observed(1, .close, inode: 7), observed(2, .close, inode: 8)], with: IteratorEvidence(holders: [subflow]),
      networkNamespace: 1)
    #expect(ofMPTCP.sockets.map(\.bucketDomain) == [9, nil] && ofMPTCP.sockets[0].reuseaddr == .unknown(.noOwner))
  }

  @Test("A socket has the family of its own bucket by address, an MPTCP socket that of its subflow")
  func addressBuckets() {
    var (listener, subflow) = (found(1, .listen), found(nil, .close))
    listener.addressBucketFamily = .ipv6
    subflow.addressBucketFamily = .ipv4
    let merged = merge(
      [observed(1, .listen), observed(2), observed(3, .close, inode: 7)],
      with: IteratorEvidence(tcp: [listener, found(2)], holders: [holder(7, subflow, mptcp: true)]),
      networkNamespace: 1)
    #expect(merged.sockets.map(\.addressBucketFamily) == [.ipv6, nil, .ipv4])
  }

  @Test("Sockets that are only bound are all there only where every holder tells its namespace and its bucket")
  func allBound() {
    let bound = found(4, .close)
    let (listener, elsewhere) = (holder(6, found(5, .listen)), holder(8, bound, namespace: 2))
    let all = Evidence.boundOnly([holder(7, bound), holder(7, bound), listener, elsewhere], networkNamespace: 1)
    #expect(all?.map(\.inode) == [7] && all?.first?.ulp == nil)
    let ofMPTCP = Evidence.boundOnly([holder(9, bound, mptcp: true)], networkNamespace: 1)
    #expect(ofMPTCP?.map(\.ulp) == ["mptcp"])
    var (released, unseen) = (bound, bound)
    released.holdsPort = false
    unseen.holdsPort = nil
    #expect(Evidence.boundOnly([holder(7, released)], networkNamespace: 1) == [])
    #expect(Evidence.boundOnly([holder(7, unseen)], networkNamespace: 1) == nil)
    #expect(Evidence.boundOnly([holder(7, bound)], networkNamespace: nil) == nil)
    var nowhere = holder(7, bound)
    nowhere.networkNamespace = nil
    #expect(Evidence.boundOnly([nowhere], networkNamespace: 1) == nil)
  }

  /// `hslot->count > 10` and `hslot->count < hslot2->count` of udp_lib_get_port.
  @Test(
    "A wildcard misses addresses where the slot of the port is crowded, and no less than the wildcard's",
    arguments: [
      (10, 0, false, false), (11, 0, false, true), (11, 11, false, true), (11, 12, false, false), (11, 0, true, nil),
    ] as [(UInt32, UInt32, Bool, Bool?)])
  func slots(ofPort: UInt32, ofWildcard: UInt32, isWithWildcard: Bool, misses: Bool?) {
    var (first, second) = (found(1, .close, transport: .udp), found(2, .close, transport: .udp))
    first.slots = UDPSlots(ofPort: ofPort, ofWildcard: ofWildcard, isWithWildcard: isWithWildcard)
    second.local.address = .v4(.any)
    second.slots = UDPSlots(ofPort: ofPort, ofWildcard: ofWildcard, isWithWildcard: true)
    func answer(_ sockets: [BPFSocket]) -> Bool? {
      merge([], with: IteratorEvidence(udp: sockets), networkNamespace: 1).wildcardMissesAddresses[Port(8080)]
    }
    #expect(answer([first, second]) == misses)
    second.slots = nil
    #expect(answer([first, second]) == nil)
    // The hash of the wildcard is not what it was taken for.
    second.slots = UDPSlots(ofPort: 11, ofWildcard: 0, isWithWildcard: false)
    #expect(answer([second]) == nil)
  }

  @Test("UDP sockets take the order of the chain across families; others keep their places")
  func udpOrder() {
    let dump = [
      observed(1, .close, transport: .udp, inode: 1), observed(2), observed(3, .close, transport: .udp, inode: 3),
      observed(4, .close, transport: .udp, family: .ipv6, inode: 4),
    ]
    let udp = [
      found(3, .close, transport: .udp, position: 2), found(1, .close, transport: .udp, position: 1),
      found(4, .close, transport: .udp, family: .ipv6, position: 0),
    ]
    let merged = merge(dump, with: IteratorEvidence(udp: udp), networkNamespace: 1)
    #expect(merged.sockets.map(\.cookie) == [4, 2, 1, 3])
    #expect(merged.udpOrderIsKnown)
  }

  @Test("A UDP socket whose place is not known leaves the order of the dump, and that is said")
  func udpOrderUnknown() {
    let dump = [observed(1, .close, transport: .udp, inode: 1), observed(2, .close, transport: .udp, inode: 2)]
    let udp = [found(2, .close, transport: .udp, position: 0)]
    let merged = merge(dump, with: IteratorEvidence(udp: udp), networkNamespace: 1)
    #expect(merged.sockets.map(\.cookie) == [1, 2])
    #expect(!merged.udpOrderIsKnown)
    #expect(!merge(dump, with: IteratorEvidence(), networkNamespace: 1).udpOrderIsKnown)
  }
}
