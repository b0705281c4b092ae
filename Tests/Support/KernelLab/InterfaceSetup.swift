import SocketModel

/// The few rtnetlink(7) requests that furnish a namespace, each acknowledged.
///
/// Forking `ip` costs 2 ms a call; this costs 30 us.
struct InterfaceSetup: ~Copyable {
  private let descriptor: Int32
  private var sequence: UInt32 = 0

  init() throws(SystemError) {
    descriptor = try SystemCalls.socket(family: 16, type: 3)
  }

  deinit { SystemCalls.close(descriptor) }

  /// RTM_NEWLINK: a pair of veth(4) interfaces that are each other's cable, up.
  mutating func addVethPair(_ name: String, _ peer: String) throws(SystemError) {
    let peerLink = linkMessage(index: 0) + attribute(3, cString(peer))
    let info = attribute(1, cString("veth")) + attribute(2, attribute(1, peerLink))
    try request(16, linkMessage(index: 0) + attribute(3, cString(name)) + attribute(18, info), create: true)
    try setUp(name)
    try setUp(peer)
    // The first one's queue is only opened by the kernel's link watch, when it has seen the carrier.
    var round = 0
    while try !isOperational(name), round < 1000 {
      SystemCalls.pause(round: round)
      round += 1
    }
  }

  /// RTM_GETLINK: whether IFLA_OPERSTATE is IF_OPER_UP, which the link watch sets (`linkwatch_do_dev`).
  private mutating func isOperational(_ name: String) throws(SystemError) -> Bool {
    let reply = try exchange(18, linkMessage(index: SystemCalls.interfaceIndex(name)), flags: 0x1)
    var offset = 32
    while offset + 4 < reply.count {
      let length = Int(reply[offset]) | Int(reply[offset + 1]) << 8
      if reply[offset + 2] == 16, reply[offset + 3] == 0 { return reply[offset + 4] == 6 }
      offset += max(4, (length + 3) & ~3)
    }
    return false
  }

  /// RTM_NEWLINK: a VRF with a routing table of its own, up. EOPNOTSUPP where the kernel has none.
  mutating func addVRF(_ name: String, table: UInt32) throws(SystemError) {
    let info = attribute(1, cString("vrf")) + attribute(2, attribute(1, nativeBytes(table)))
    try request(16, linkMessage(index: 0) + attribute(3, cString(name)) + attribute(18, info), create: true)
    try setUp(name)
  }

  /// RTM_NEWLINK with IFLA_MASTER: enslaves an interface.
  mutating func enslave(_ name: String, to master: String) throws(SystemError) {
    let master = attribute(10, nativeBytes(SystemCalls.interfaceIndex(master)))
    try request(16, linkMessage(index: SystemCalls.interfaceIndex(name)) + master)
  }

  /// RTM_NEWLINK with IFLA_MASTER 0: takes an interface out of its master.
  mutating func release(_ name: String) throws(SystemError) {
    let master = attribute(10, nativeBytes(UInt32(0)))
    try request(16, linkMessage(index: SystemCalls.interfaceIndex(name)) + master)
  }

  /// RTM_NEWLINKPROP: another name for an interface (ip-link(8), `property add`), up to 127 bytes long.
  mutating func addAlternativeName(_ alternative: String, to name: String) throws(SystemError) {
    let names = attribute(0x8000 | 52, attribute(53, cString(alternative)))
    try request(108, linkMessage(index: SystemCalls.interfaceIndex(name)) + names, create: true)
  }

  /// IFF_UP.
  mutating func setUp(_ name: String) throws(SystemError) {
    try request(16, linkMessage(index: SystemCalls.interfaceIndex(name), up: true))
  }

  /// RTM_NEWADDR; an IPv6 address without duplicate address detection (IFA_F_NODAD) unless it `isChecked`.
  mutating func addAddress(
    _ address: IPAddress, prefix: UInt8, to name: String, isChecked: Bool = false
  ) throws(SystemError) {
    let (family, bytes): (UInt8, [UInt8]) =
      switch address {
      case .v4(let address): (2, bigEndianBytes(address.bits))
      case .v6(let address): (10, bigEndianBytes(address.high) + bigEndianBytes(address.low))
      }
    let scope: UInt8 = if case .v6(let address) = address, address.isLinkLocal { 253 } else { 0 }
    let header =
      [family, prefix, family == 10 && !isChecked ? 2 : 0, scope] + nativeBytes(SystemCalls.interfaceIndex(name))
    var attributes = attribute(1, bytes) + attribute(2, bytes)
    if case .v4(let address) = address, prefix < 31 {
      attributes += attribute(4, bigEndianBytes(address.bits | (UInt32.max >> UInt32(prefix))))
    }
    try request(20, header + attributes, create: true)
  }

  /// struct ifinfomsg.
  private func linkMessage(index: UInt32, up: Bool = false) -> [UInt8] {
    [0, 0] + nativeBytes(UInt16(0)) + nativeBytes(index) + nativeBytes(UInt32(up ? 1 : 0))
      + nativeBytes(UInt32(up ? 1 : 0))
  }

  /// struct rtattr with its payload, padded to four bytes.
  private func attribute(_ type: UInt16, _ payload: [UInt8]) -> [UInt8] {
    nativeBytes(UInt16(payload.count + 4)) + nativeBytes(type) + payload
      + [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
  }

  private func cString(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

  /// Sends one request and reads its acknowledgement (struct nlmsgerr).
  private mutating func request(_ type: UInt16, _ body: [UInt8], create: Bool = false) throws(SystemError) {
    let reply = try exchange(type, body, flags: create ? 0x605 : 0x5)
    guard reply.count >= 20, reply[4] == 2 else { throw SystemError(rawValue: 74) }
    let code = reply[16..<20].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    if code != 0 { throw SystemError(rawValue: 0 &- Int32(bitPattern: code)) }
  }

  /// Sends a struct nlmsghdr with its body and returns the first reply.
  private mutating func exchange(_ type: UInt16, _ body: [UInt8], flags: UInt16) throws(SystemError) -> [UInt8] {
    sequence &+= 1
    let header =
      nativeBytes(UInt32(16 + body.count)) + nativeBytes(type) + nativeBytes(flags) + nativeBytes(sequence)
      + nativeBytes(UInt32(0))
    _ = try SystemCalls.send(descriptor, header + body)
    return try SystemCalls.receive(descriptor, atMost: 4096)
  }
}
