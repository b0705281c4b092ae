import Linux
package import SocketModel

/// One record of a program, taken apart.
struct SocketRecord: Sendable, Hashable {
  var socket: BPFSocket
  /// The kernel's address of the socket: tells records of one walk apart, nothing else.
  var address: UInt64
  /// The address of the next socket of the port in the chain, 0 at its end; nil where the program did not get there.
  var next: UInt64?
  var pid: Int32
  var descriptor: Int32
  var inode: UInt64
  var namespace: UInt64?
  var isMPTCP: Bool
}

extension SocketRecord {
  /// The record at this place; nil where it is none of a TCP or UDP socket. `transport` is nil for the iterator of
  /// descriptors, whose records carry it.
  init?(_ bytes: RawSpan, at start: Int, _ layout: KernelLayout, _ transport: TransportProtocol?) {
    let places = RecordLayout(layout)
    guard start >= 0, bytes.byteCount - start >= places.byteCount else { return nil }
    let isOfDescriptor = transport == nil
    let number = Int32(bitPattern: bytes.word(at: start + RecordLayout.transport))
    isMPTCP = number == KernelNumber.mptcp
    let isTCP = isMPTCP || number == KernelNumber.tcp
    guard let transport = transport ?? (isTCP ? .tcp : number == KernelNumber.udp ? .udp : nil),
      let socket = BPFSocket(bytes, at: start, layout, transport)
    else { return nil }
    self.socket = socket
    if isOfDescriptor, layout.files?.sockUID == nil { self.socket.uid = nil }
    address = bytes.doubleword(at: start + RecordLayout.address)
    next = bytes.word(at: start + RecordLayout.chain) == 0 ? nil : bytes.doubleword(at: start + RecordLayout.next)
    pid = Int32(bitPattern: bytes.word(at: start + RecordLayout.pid))
    descriptor = Int32(bitPattern: bytes.word(at: start + RecordLayout.descriptor))
    inode = isOfDescriptor ? bytes.doubleword(at: start + RecordLayout.inode) : 0
    let hasNamespace = isOfDescriptor && layout.namespaceInode != nil
    namespace = hasNamespace ? UInt64(bytes.word(at: start + RecordLayout.namespace)) : nil
    if !isOfDescriptor, transport == .udp { self.socket.slots = UDPSlots(bytes, at: start) }
  }
}

extension BPFSocket {
  fileprivate init?(_ bytes: RawSpan, at start: Int, _ layout: KernelLayout, _ transport: TransportProtocol) {
    let fields = layout.common
    let common = start + RecordLayout.common
    func value(_ field: BTFField?) -> UInt64? { field.flatMap { bytes.value(of: $0, at: common) } }
    guard let family = AddressFamily(kernel: value(fields.family)), let number = value(fields.state),
      let port = value(fields.port), let remotePort = value(fields.remotePort)
    else { return nil }
    let local = bytes.address(family, fields.localAddress4, fields.localAddress6, at: common)
    let remote = bytes.address(family, fields.remoteAddress4, fields.remoteAddress6, at: common)
    guard let local, let remote else { return nil }
    let isRequest = number == UInt64(KernelNumber.newSynReceived)
    self.transport = transport
    self.family = family
    self.local = Endpoint(address: local, port: Port(UInt16(truncatingIfNeeded: port)))
    let peerPort = UInt16(truncatingIfNeeded: remotePort).byteSwapped
    let hasPeer = peerPort != 0 || !remote.isUnspecified
    self.remote = hasPeer ? Endpoint(address: remote, port: Port(peerPort)) : nil
    isTimeWait = transport == .tcp && number == UInt64(KernelNumber.timeWait)
    if isRequest {
      state = .synRecv
    } else if isTimeWait, layout.timeWaitSubstate != nil {
      state = SocketState(rawValue: UInt8(truncatingIfNeeded: bytes.word(at: start + RecordLayout.substate)))
    } else {
      state = SocketState(rawValue: UInt8(truncatingIfNeeded: number))
    }
    device = value(fields.boundDevice).flatMap { InterfaceIndex(kernel: UInt32(truncatingIfNeeded: $0)) }
    // A request is not cleared when it is made: its bits are whatever was there.
    reuseaddr = isRequest ? nil : value(fields.reuse).map { $0 != 0 }
    reuseport = isRequest ? nil : value(fields.reuseport).map { $0 != 0 }
    v6only = isRequest || family == .ipv4 ? nil : value(fields.ipv6only).map { $0 != 0 }
    uid = isRequest || isTimeWait ? nil : bytes.word(at: start + RecordLayout.uid)
    cookie = value(fields.cookie).flatMap { $0 == 0 ? nil : $0 }
    let bucketState = BucketState(rawValue: bytes.word(at: start + RecordLayout.bucketState))
    holdsPort = bucketState == nil || bucketState == .notLookedAt ? nil : bucketState != BucketState.none
    bucket = bucketState == .read ? BindBucket(bytes, at: start + RecordLayout(layout).bucket, layout) : nil
    chainPosition = nil
    let addressFamily = bytes.halfword(at: start + RecordLayout.addressBucketFamily)
    addressBucketFamily = transport == .tcp ? AddressFamily(kernel: UInt64(addressFamily)) : nil
    slots = nil
  }
}

extension UDPSlots {
  fileprivate init?(_ bytes: RawSpan, at start: Int) {
    switch SlotState(rawValue: bytes.word(at: start + RecordLayout.slotState)) {
    case .elsewhere: isWithWildcard = false
    case .withWildcard: isWithWildcard = true
    case .notLookedAt, nil: return nil
    }
    ofPort = bytes.word(at: start + RecordLayout.slotCount)
    ofWildcard = bytes.word(at: start + RecordLayout.wildcardSlotCount)
  }
}

extension BindBucket {
  fileprivate init?(_ bytes: RawSpan, at start: Int, _ layout: KernelLayout) {
    guard let fields = layout.bucket else { return nil }
    func value(_ field: BTFField?) -> UInt64? { field.flatMap { bytes.value(of: $0, at: start) } }
    guard let port = value(fields.port), let fastReuse = value(fields.fastReuse),
      let fastReuseport = value(fields.fastReuseport), let fastUID = value(fields.fastUID),
      let fastFamily = value(fields.fastFamily), let fastIPv6only = value(fields.fastIPv6only),
      case .v4(let fastAddress4)? = bytes.address(.ipv4, fields.fastAddress4, nil, at: start)
    else { return nil }
    let passes = Int8(truncatingIfNeeded: fastReuseport)
    let known = FastReuseport(rawValue: passes)
    // A number above the two known ones would mean something new.
    guard passes <= 0 || known != nil else { return nil }
    // While nobody passes, the rest was never set or is of a socket that has no say any more; the kernel does not
    // look at it, and a new bucket's is whatever was in its memory.
    let isSet = known != nil
    let family = isSet ? AddressFamily(kernel: fastFamily) ?? .ipv4 : .ipv4
    var fastAddress = IPv6Address(mapping: isSet ? fastAddress4 : .any)
    if family == .ipv6 {
      guard case .v6(let address)? = bytes.address(.ipv6, fields.fastAddress4, fields.fastAddress6, at: start) else {
        return nil
      }
      fastAddress = address
    }
    self.init(
      port: Port(UInt16(truncatingIfNeeded: port)),
      layer3Domain: value(fields.layer3Domain).flatMap { InterfaceIndex(kernel: UInt32(truncatingIfNeeded: $0)) },
      fastReuse: Int8(truncatingIfNeeded: fastReuse) > 0, fastReuseport: known,
      fastUID: isSet ? UInt32(truncatingIfNeeded: fastUID) : 0, fastFamily: family, fastAddress: fastAddress,
      fastAddress4: isSet ? fastAddress4 : .any, fastIPv6only: isSet && fastIPv6only != 0)
  }
}

extension AddressFamily {
  fileprivate init?(kernel number: UInt64?) {
    switch number {
    case UInt64(KernelNumber.inet): self = .ipv4
    case UInt64(KernelNumber.inet6): self = .ipv6
    default: return nil
    }
  }
}

extension RawSpan {
  /// The value of a field of at most 64 bits in the structure that starts at `start`; nil where it does not lie
  /// inside of the bytes.
  func value(of field: BTFField, at start: Int) -> UInt64? {
    let (first, end) = (start + field.offset, start + field.end)
    guard field.bitCount > 0, field.bitOffset & 7 + field.bitCount <= 64, first >= 0, end <= byteCount else {
      return nil
    }
    var value: UInt64 = 0
    for place in first..<end { value |= UInt64(byte(at: place)) << UInt64((place - first) * 8) }
    value >>= UInt64(field.bitOffset & 7)
    return field.bitCount == 64 ? value : value & (1 << UInt64(field.bitCount) - 1)
  }

  /// An address in network byte order, of the field of its family.
  fileprivate func address(
    _ family: AddressFamily, _ field4: BTFField, _ field6: BTFField?, at start: Int
  ) -> IPAddress? {
    switch family {
    case .ipv4:
      guard let bits = value(of: field4, at: start) else { return nil }
      return .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: bits).byteSwapped))
    case .ipv6:
      guard let field6, field6.bitCount == 128, field6.bitOffset & 7 == 0 else { return nil }
      let half = BTFField(bitOffset: field6.bitOffset, bitCount: 64)
      let other = BTFField(bitOffset: field6.bitOffset + 64, bitCount: 64)
      guard let high = value(of: half, at: start), let low = value(of: other, at: start) else { return nil }
      return .v6(IPv6Address(high: high.byteSwapped, low: low.byteSwapped))
    }
  }
}

/// A TCP or UDP socket as the kernel itself has it.
package struct BPFSocket: Sendable, Hashable {
  /// TCP or UDP.
  package var transport: TransportProtocol
  /// AF_INET or AF_INET6.
  package var family: AddressFamily
  package var local: Endpoint
  package var remote: Endpoint?
  /// As sock_diag reports it: TIME_WAIT sockets by their substate, requests as SYN_RECV.
  package var state: SocketState
  /// A TIME_WAIT socket (`struct inet_timewait_sock`), whatever its substate.
  package var isTimeWait = false
  /// `skc_bound_dev_if`; nil for none, or where the kernel's types lack it.
  package var device: InterfaceIndex?
  /// SO_REUSEADDR; nil where the kernel's types lack it and for requests, which have no options.
  package var reuseaddr: Bool?
  /// SO_REUSEPORT; nil as above.
  package var reuseport: Bool?
  /// IPV6_V6ONLY; nil as above and for AF_INET sockets.
  package var v6only: Bool?
  /// The socket's uid: seen from the reader's user namespace in the tables of sockets, from the initial one where a
  /// descriptor led to it. nil for TIME_WAIT sockets and requests, which have none.
  package var uid: UInt32?
  /// The number sock_diag calls `idiag_cookie`; nil for a socket that nobody has asked for it yet
  /// (`sock_gen_cookie`): ask after the dump.
  package var cookie: UInt64?
  /// Whether a TCP socket hangs on a bind bucket, and so holds its port; nil for UDP and where it cannot be seen.
  package var holdsPort: Bool?
  /// That bucket, shared by all sockets of the port in one layer-3 domain; nil where it cannot be read.
  package var bucket: BindBucket?
  /// The place of a UDP socket among those of its port in the order in which bind(2) looks at them
  /// (`udp_lib_lport_inuse`), 0 first, across IPv4 and IPv6; nil for TCP and where the order could not be seen.
  package var chainPosition: Int?
  /// The family of the bucket by address that a TCP socket hangs on; nil for UDP and where the kernel's have none.
  package var addressBucketFamily: AddressFamily?
  /// The slots of a UDP socket; nil for TCP and where they could not be seen.
  package var slots: UDPSlots?
}

/// The slots of UDP's table that bind(2) of a wildcard to a socket's port has to do with, sockets of other ports and of other
/// network namespaces included.
package struct UDPSlots: Sendable, Hashable {
  /// How many sockets are in the slot of the port.
  package var ofPort: UInt32
  /// How many are in the slot of the wildcard's address.
  package var ofWildcard: UInt32
  /// Whether the socket is one of the latter.
  package var isWithWildcard: Bool
}

/// A process's descriptor of a socket.
package struct SocketHolder: Sendable, Hashable {
  /// As the reader's pid namespace numbers it.
  package var pid: Int32
  /// The number of its descriptor.
  package var descriptor: Int32
  /// The socket's inode on sockfs.
  package var inode: UInt64
  /// The inode of the socket's network namespace (namespaces(7)); nil where the kernel's types lack it.
  package var networkNamespace: UInt64?
  /// An MPTCP socket: what holds the port is its first subflow, a socket of the same inode with another cookie.
  package var isMPTCP = false
  /// What the descriptor refers to; for an MPTCP socket its first subflow.
  package var socket: BPFSocket
}
