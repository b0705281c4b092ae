import Glibc
import SocketModel

// The one file of this target that calls the system.

/// A fresh TCP socket that is closed when its owner lets go of it.
struct ProbeSocket: ~Copyable {
  private let descriptor: Int32

  /// A socket option of type int.
  enum Option {
    case reuseaddr
    case reuseport
    case v6only

    /// IPPROTO_IPV6, which Glibc imports as an enumeration.
    private static let ipv6Level: Int32 = 41

    var number: (level: Int32, name: Int32) {
      switch self {
      case .reuseaddr: (SOL_SOCKET, SO_REUSEADDR)
      case .reuseport: (SOL_SOCKET, SO_REUSEPORT)
      case .v6only: (Self.ipv6Level, IPV6_V6ONLY)
      }
    }
  }

  /// socket(2). A family the host lacks is an answer.
  init(_ family: AddressFamily) throws(Setback) {
    let number = family == .ipv4 ? AF_INET : AF_INET6
    let opened = socket(number, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard opened >= 0 else {
      let error = SystemError(rawValue: errno)
      throw error == .addressFamilyNotSupported ? .answer(error) : .obstacle("socket() fails with \(error)")
    }
    descriptor = opened
  }

  deinit { close(descriptor) }

  /// fchown(2), which sets `sk_uid`; needs CAP_CHOWN.
  borrowing func give(to uid: UInt32) throws(Setback) {
    guard fchown(descriptor, uid, gid_t.max) == 0 else {
      let error = SystemError(rawValue: errno)
      throw .obstacle("no socket of uid \(uid) can be made (\(error)): root can")
    }
  }

  /// setsockopt(2).
  borrowing func set(_ option: Option, _ on: Bool) throws(Setback) {
    var value: Int32 = on ? 1 : 0
    let (level, name) = option.number
    guard setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
      throw .obstacle("setsockopt() fails with \(SystemError(rawValue: errno))")
    }
  }

  /// setsockopt(2) SO_BINDTODEVICE. The kernel cuts longer names short: no interface has one.
  borrowing func bind(toDevice name: String) throws(Setback) {
    let bytes = Array(name.utf8)
    guard (1...15).contains(bytes.count) else { throw .answer(.noDevice) }
    // A program of the control group may have given it this device, which only CAP_NET_RAW could set once more.
    let device = if_nametoindex(name)
    if device != 0, givenDevice == device { return }
    guard setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, bytes, socklen_t(bytes.count)) == 0 else {
      let error = SystemError(rawValue: errno)
      throw error == .noDevice ? .answer(error) : .obstacle("SO_BINDTODEVICE fails with \(error)")
    }
  }

  /// SO_BINDTOIFINDEX; 0 for no device.
  private var givenDevice: UInt32 {
    var (value, length) = (UInt32(0), socklen_t(MemoryLayout<UInt32>.size))
    return getsockopt(descriptor, SOL_SOCKET, 62, &value, &length) == 0 ? value : 0
  }

  /// bind(2).
  borrowing func bind(to address: IPAddress, scope: InterfaceIndex?, port: Port) throws(Setback) {
    let descriptor = descriptor
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
    guard result == 0 else { throw .answer(SystemError(rawValue: errno)) }
  }
}

/// The number of an interface, if_nametoindex(3).
func interfaceIndex(named name: String) throws(Setback) -> InterfaceIndex {
  guard let index = InterfaceIndex(kernel: if_nametoindex(name)) else { throw .answer(SystemError(rawValue: errno)) }
  return index
}

private func call<Name>(_ name: inout Name, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
  withUnsafePointer(to: &name) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Name>.size)) }
  }
}
