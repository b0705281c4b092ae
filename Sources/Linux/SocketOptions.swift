import CLinux
import Glibc
package import SocketModel

/// A socket option and what getsockopt(2) and setsockopt(2) give and take. Numbers that some C libraries lack are those of
/// include/uapi/asm-generic/socket.h.
package struct SocketOption<Value: FixedWidthInteger>: Sendable, Hashable {
  let level: Int32
  let name: Int32

  init(_ level: Int32, _ name: Int32) {
    self.level = level
    self.name = name
  }
}

/// IPPROTO_TCP, IPPROTO_IPV6, which Glibc imports as enumerations.
private let (tcpLevel, ipv6Level): (Int32, Int32) = (6, 41)

extension SocketOption<Int32> {
  /// SO_REUSEADDR.
  package static var reuseaddr: Self { Self(SOL_SOCKET, SO_REUSEADDR) }
  /// SO_REUSEPORT.
  package static var reuseport: Self { Self(SOL_SOCKET, SO_REUSEPORT) }
  /// IPV6_V6ONLY.
  package static var v6only: Self { Self(ipv6Level, IPV6_V6ONLY) }
  /// SO_DOMAIN: AF_INET, AF_INET6, …
  package static var domain: Self { Self(SOL_SOCKET, SO_DOMAIN) }
  /// SO_TYPE: SOCK_STREAM, SOCK_DGRAM, …
  package static var type: Self { Self(SOL_SOCKET, SO_TYPE) }
  /// SO_PROTOCOL: IPPROTO_TCP, IPPROTO_MPTCP, …
  package static var protocolNumber: Self { Self(SOL_SOCKET, SO_PROTOCOL) }
  /// SO_BINDTOIFINDEX, Linux 5.1.
  package static var boundInterface: Self { Self(SOL_SOCKET, 62) }
}

extension SocketOption<UInt64> {
  /// SO_NETNS_COOKIE, Linux 5.14.
  package static var namespaceCookie: Self { Self(SOL_SOCKET, 71) }
}

/// The numbers that SO_PROTOCOL gives (include/uapi/linux/in.h).
package enum ProtocolNumber {
  /// IPPROTO_TCP.
  package static let tcp: Int32 = 6
  /// IPPROTO_MPTCP.
  package static let mptcp: Int32 = 262
}

/// What of TCP_INFO (tcp(7)) is looked at; what an old kernel does not fill is 0.
package struct TCPInfo: Sendable, Hashable {
  package var state: SocketState
  package var pathMTU: UInt32
  package var advertisedMSS: UInt32
  package var receivedMSS: UInt32
}

/// A sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)).
package struct SocketName: Sendable, Hashable {
  package var family: AddressFamily
  package var endpoint: Endpoint
}

extension Descriptor {
  /// getsockopt(2).
  package borrowing func option<Value>(_ option: SocketOption<Value>) throws(SystemError) -> Value {
    try value(option.level, option.name, initial: Value.zero)
  }

  /// SO_DOMAIN; nil for a socket that is not the internet's.
  package borrowing func family() throws(SystemError) -> AddressFamily? {
    switch try option(.domain) {
    case AF_INET: .ipv4
    case AF_INET6: .ipv6
    default: nil
    }
  }

  /// SO_TYPE: whose port space an internet socket binds in, that of SOCK_STREAM or that of SOCK_DGRAM; nil for others.
  package borrowing func transport() throws(SystemError) -> TransportProtocol? {
    switch try option(.type) {
    case Int32(SOCK_STREAM.rawValue): .tcp
    case Int32(SOCK_DGRAM.rawValue): .udp
    default: nil
    }
  }

  /// getsockopt(2) SO_BINDTODEVICE; nil where the socket is bound to no interface (socket(7)).
  package borrowing func boundDevice() throws(SystemError) -> String? {
    try text(SOL_SOCKET, SO_BINDTODEVICE)
  }

  /// Names of the kernel take at most 16 bytes (IFNAMSIZ, TCP_ULP_NAME_MAX).
  private borrowing func text(_ level: Int32, _ name: Int32) throws(SystemError) -> String? {
    let bytes = try value(level, name, initial: (UInt64(0), UInt64(0)))
    let text = withUnsafeBytes(of: bytes) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return text.isEmpty ? nil : text
  }

  private borrowing func value<Value>(
    _ level: Int32, _ name: Int32, initial: Value
  ) throws(SystemError) -> Value {
    let descriptor = number
    var value = initial
    var length = socklen_t(MemoryLayout<Value>.size)
    let result = withUnsafeMutableBytes(of: &value) {
      getsockopt(descriptor, level, name, $0.baseAddress, &length)
    }
    guard result == 0 else { throw .last }
    return value
  }

  /// getsockname(2); nil for a socket that is not the internet's.
  package borrowing func localName() throws(SystemError) -> SocketName? {
    let descriptor = number
    return try socketName { getsockname(descriptor, $0, $1) }
  }
}

private func socketName(
  _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
) throws(SystemError) -> SocketName? {
  var storage = sockaddr_in6()
  var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
  let result = withUnsafeMutablePointer(to: &storage) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, &length) }
  }
  guard result == 0 else { throw .last }
  return SocketName(storage, length: Int(length))
}

extension SocketName {
  /// A sockaddr_in or sockaddr_in6 of so many bytes; nil for any other.
  init?(_ storage: sockaddr_in6, length: Int) {
    let name = withUnsafeBytes(of: storage) { bytes -> SocketName? in
      let port = Port(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
      switch (Int32(storage.sin6_family), length) {
      case (AF_INET, 16...):
        let bits = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        return SocketName(family: .ipv4, endpoint: Endpoint(address: .v4(IPv4Address(bits: bits)), port: port))
      case (AF_INET6, 28...):
        let high = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        let low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        return SocketName(
          family: .ipv6, endpoint: Endpoint(address: .v6(IPv6Address(high: high, low: low)), port: port))
      default: return nil
      }
    }
    guard let name else { return nil }
    self = name
  }
}
