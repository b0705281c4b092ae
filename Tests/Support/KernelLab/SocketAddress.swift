import SocketModel

/// A sockaddr_in or sockaddr_in6 as the bytes the kernel reads (ip(7), ipv6(7)).
struct SocketAddress: Sendable, Hashable {
  var bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  init(_ address: IPAddress, port: UInt16, scope: UInt32 = 0) {
    switch address {
    case .v4(let address):
      bytes = nativeBytes(UInt16(2)) + bigEndianBytes(port) + bigEndianBytes(address.bits)
      bytes += [UInt8](repeating: 0, count: 8)
    case .v6(let address):
      bytes = nativeBytes(UInt16(10)) + bigEndianBytes(port) + nativeBytes(UInt32(0))
      bytes += bigEndianBytes(address.high) + bigEndianBytes(address.low) + nativeBytes(scope)
    }
  }

  /// A sockaddr of AF_UNSPEC: connect(2) with it dissolves an association.
  static let unspecified = SocketAddress(bytes: [UInt8](repeating: 0, count: 16))

  /// In host byte order; 0 where there is none.
  var port: UInt16 { bytes.count >= 4 ? UInt16(bytes[2]) << 8 | UInt16(bytes[3]) : 0 }
}

/// The bytes of an integer as they lie in this machine's memory.
func nativeBytes(_ value: some FixedWidthInteger) -> [UInt8] {
  bigEndianBytes(value.bigEndian)
}

/// The bytes of an integer, most significant first.
func bigEndianBytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
  stride(from: Value.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> Value($0)) }
}
