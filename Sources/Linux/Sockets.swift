import CLinux
import Glibc
package import SocketModel

// Sockets that are made here, and what is set on them. Only `BindProbe` binds one.

extension Descriptor {
  /// socket(2).
  init(newSocketOf family: Int32, _ type: __socket_type) throws(SystemError) {
    try self.init(owning: socket(family, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
  }

  /// socket(2) of TCP or UDP.
  package init(newSocketOf family: AddressFamily, _ transport: TransportProtocol) throws(SystemError) {
    try self.init(newSocketOf: family == .ipv4 ? AF_INET : AF_INET6, transport == .tcp ? SOCK_STREAM : SOCK_DGRAM)
  }

  /// fchown(2), which sets `sk_uid`; needs CAP_CHOWN.
  package borrowing func give(to uid: UInt32) throws(SystemError) {
    guard fchown(number, uid, gid_t.max) == 0 else { throw .last }
  }

  /// setsockopt(2).
  package borrowing func set(_ option: SocketOption<Int32>, _ on: Bool) throws(SystemError) {
    var value: Int32 = on ? 1 : 0
    guard setsockopt(number, option.level, option.name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
      throw .last
    }
  }

  /// setsockopt(2) SO_BINDTODEVICE. The kernel cuts longer names short: no interface has one.
  package borrowing func bind(toDevice name: String) throws(SystemError) {
    let bytes = Array(name.utf8)
    guard (1..<Int(IFNAMSIZ)).contains(bytes.count) else { throw .noDevice }
    guard setsockopt(number, SOL_SOCKET, SO_BINDTODEVICE, bytes, socklen_t(bytes.count)) == 0 else { throw .last }
  }

  /// bind(2).
  package borrowing func bind(to address: IPAddress, scope: InterfaceIndex?, port: Port) throws(SystemError) {
    let descriptor = number
    let result: Int32
    switch address {
    case .v4(let address):
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_port = port.rawValue.bigEndian
      name.sin_addr.s_addr = address.bits.bigEndian
      result = call(&name) { Glibc.bind(descriptor, $0, $1) }
    case .v6(let address):
      var name = sockaddr_in6()
      name.sin6_family = sa_family_t(AF_INET6)
      name.sin6_port = port.rawValue.bigEndian
      name.sin6_scope_id = scope?.rawValue ?? 0
      withUnsafeMutableBytes(of: &name.sin6_addr) { bytes in
        bytes.storeBytes(of: address.high.bigEndian, as: UInt64.self)
        bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
      result = call(&name) { Glibc.bind(descriptor, $0, $1) }
    }
    guard result == 0 else { throw .last }
  }
}

private func call<Name>(_ name: inout Name, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
  withUnsafePointer(to: &name) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Name>.size)) }
  }
}

/// if_nametoindex(3), which knows the alternative names of interfaces too (ip-link(8), `property add`).
///
/// For a name that no interface has, root's SIOCGIFINDEX loads the kernel module `netdev-NAME` (`dev_load`), and the name
/// may come from a log that somebody else wrote: SO_BINDTODEVICE, which loads nothing, is asked first.
package func interfaceIndex(named name: String) throws(SystemError) -> InterfaceIndex {
  if let socket = try? Descriptor(newSocketOf: .ipv4, .udp) {
    do throws(SystemError) { try socket.bind(toDevice: name) } catch { if error == .noDevice { throw error } }
  }
  guard let index = InterfaceIndex(kernel: if_nametoindex(name)) else { throw .last }
  return index
}

/// if_indextoname(3); nil where there is none.
package func interfaceName(_ index: InterfaceIndex) -> String? {
  var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
  let isThere = name.withUnsafeMutableBufferPointer { if_indextoname(index.rawValue, $0.baseAddress) != nil }
  return isThere ? String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
}

/// IPV6_V6ONLY of a new socket, which is net.ipv6.bindv6only where /proc does not show it; nil without IPv6.
package func freshSocketIsV6only() -> Bool? {
  guard let socket = try? Descriptor(newSocketOf: .ipv6, .udp) else { return nil }
  return (try? socket.option(.v6only)).map { $0 != 0 }
}

/// Whether socket(2) makes AF_INET6 sockets; nil where it fails for a reason that says nothing about that.
package func canMakeIPv6Socket() -> Bool? {
  do throws(SystemError) {
    _ = try Descriptor(newSocketOf: .ipv6, .udp)
    return true
  } catch {
    return error == .addressFamilyNotSupported ? false : nil
  }
}

/// What a seccomp filter of the calling thread makes of bind(2) and listen(2); nil without a filter (prctl(2)
/// PR_GET_SECCOMP). A child tries both with a descriptor that there is not: a filter may kill who calls.
package func filteredCalls() -> FilteredCalls? {
  guard portwhy_is_filtered() != 0 else { return nil }
  return Errand.filteredCalls()
}

/// SO_ATTACH_FILTER (socket(7)) on a socket of sock_diag announcements: the kernel delivers only those of these local
/// ports. Without it, where a filter of system calls forbids it, there is more to read.
package func filterAnnouncements(_ descriptor: Int32, ports: ClosedRange<UInt16>) {
  _ = portwhy_filter_local_port(descriptor, ports.lowerBound, ports.upperBound)
}

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

  /// IP_FREEBIND or IP_TRANSPARENT: it may be bound to an address that the host does not have.
  package borrowing func bindsAnyAddress() -> Bool { portwhy_binds_any_address(number) != 0 }

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

/// What a socket says of itself: getsockopt(2), getsockname(2), getpeername(2) and fstat(2).
package struct SocketAnswer: Sendable, Hashable {
  /// SO_DOMAIN, AF_INET or AF_INET6 alone.
  package var family: AddressFamily?
  /// SO_TYPE: whose port space an internet socket binds in; nil for other types.
  package var transport: TransportProtocol?
  /// SO_PROTOCOL: a `ProtocolNumber`.
  package var protocolNumber: Int32
  /// SO_REUSEADDR; any value but 0 is "set" (`sk_reuse` has more than two).
  package var reuseaddr: Bool
  /// SO_REUSEPORT; nil where the kernel has no such option for this socket.
  package var reuseport: Bool?
  /// IPV6_V6ONLY; nil for a socket that is not AF_INET6.
  package var v6only: Bool?
  /// The uid of the inode, which fchown(2) keeps equal to `sk_uid` (kernel function `sockfs_setattr`).
  package var uid: UInt32
  /// TCP_ULP: the upper layer protocol of a TCP socket, such as `tls`; nil for none.
  package var upperLayer: String?
  /// getsockname(2), asked of an MPTCP socket and for the place.
  package var local: SocketName?
  /// getpeername(2), as `local`; nil for a socket without peer.
  package var peer: SocketName?
  /// TCP_INFO, as `local`.
  package var info: TCPInfo?
  /// SO_ACCEPTCONN; not asked for the place.
  package var listens: Bool?
  /// Whether it did not say the same at each of several readings.
  package var hasChanged: Bool
  /// SO_BINDTOIFINDEX, asked for the place and several times, Linux 5.1.
  package var device: InterfaceIndex?
  /// IP_FREEBIND or IP_TRANSPARENT, asked for the place.
  package var freebind = false
  /// SO_COOKIE, asked for the place; 0 where it was not told.
  package var cookie: UInt64
  /// SO_NETNS_COOKIE, asked for the place, Linux 5.14.
  package var namespaceCookie: UInt64?
  /// The file of the socket's network namespace, where the cookie was not told and SIOCGSKNS is permitted.
  package var namespaceFile: NamespaceFileNumber?

  /// A file of nsfs (namespaces(7)).
  package struct NamespaceFileNumber: Sendable, Hashable {
    package var device: UInt64
    package var inode: UInt64
  }

  /// Asks a socket of this very program. ESRCH for what is no socket.
  package init(asking socket: borrowing Descriptor) throws(SystemError) {
    var answer = portwhy_socket_answer()
    let error = portwhy_ask_socket(socket.number, 0, Int32(PORTWHY_ASK_FLAGS), &answer)
    guard error == 0 else { throw SystemError(rawValue: error) }
    self.init(answer)
  }

  init(_ answer: portwhy_socket_answer) {
    family = answer.domain == AF_INET ? .ipv4 : answer.domain == AF_INET6 ? .ipv6 : nil
    switch answer.type {
    case Int32(SOCK_STREAM.rawValue): transport = .tcp
    case Int32(SOCK_DGRAM.rawValue): transport = .udp
    default: transport = nil
    }
    protocolNumber = answer.`protocol`
    reuseaddr = answer.reuseaddr != 0
    reuseport = answer.reuseport < 0 ? nil : answer.reuseport != 0
    v6only = answer.v6only < 0 ? nil : answer.v6only != 0
    listens = answer.listens < 0 ? nil : answer.listens != 0
    hasChanged = answer.has_changed != 0
    uid = answer.uid
    let layer = withUnsafeBytes(of: answer.upper_layer) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    upperLayer = layer.isEmpty ? nil : layer
    local = SocketName(answer.local, length: Int(answer.local_length))
    peer = SocketName(answer.remote, length: Int(answer.remote_length))
    device = answer.device < 0 ? nil : InterfaceIndex(kernel: UInt32(bitPattern: answer.device))
    freebind = answer.freebind != 0
    cookie = answer.cookie
    namespaceCookie = answer.namespace_cookie == 0 ? nil : answer.namespace_cookie
    if answer.namespace_inode != 0 {
      namespaceFile = NamespaceFileNumber(device: answer.namespace_device, inode: answer.namespace_inode)
    }
    if answer.has_info != 0 {
      info = TCPInfo(
        state: SocketState(rawValue: UInt8(truncatingIfNeeded: answer.state)), pathMTU: answer.path_mtu,
        advertisedMSS: answer.advertised_mss, receivedMSS: answer.received_mss)
    }
  }
}
