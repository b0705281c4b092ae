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
package func interfaceIndex(named name: String) throws(SystemError) -> InterfaceIndex {
  guard let index = InterfaceIndex(kernel: if_nametoindex(name)) else { throw .last }
  return index
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

/// SO_ATTACH_FILTER (socket(7)) on a socket of sock_diag announcements: the kernel delivers only those of these local
/// ports. Without it, where a filter of system calls forbids it, there is more to read.
package func filterAnnouncements(_ descriptor: Int32, ports: ClosedRange<UInt16>) {
  _ = portwhy_filter_local_port(descriptor, ports.lowerBound, ports.upperBound)
}
