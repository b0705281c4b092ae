import NetlinkTestSupport
import Glibc
import SocketModel

/// A socket for scenarios, closed at the end of its life.
final class TestSocket {
  let descriptor: Int32
  let family: Int32

  init(_ family: Int32 = AF_INET, _ type: __socket_type = SOCK_STREAM, protocol number: Int32 = 0) throws {
    self.family = family
    descriptor = socket(family, Int32(type.rawValue), number)
    guard descriptor >= 0 else { throw NamespaceError(what: "socket") }
  }

  private init(accepted descriptor: Int32, family: Int32) {
    self.descriptor = descriptor
    self.family = family
  }

  deinit { close(descriptor) }

  func set(_ level: Int32, _ option: Int32, _ value: Int32) throws {
    var value = value
    guard setsockopt(descriptor, level, option, &value, socklen_t(4)) == 0 else {
      throw NamespaceError(what: "setsockopt \(option)")
    }
  }

  func bind(_ address: String, _ port: UInt16) throws {
    try withAddress(address, port) { pointer, length in
      guard Glibc.bind(descriptor, pointer, length) == 0 else { throw NamespaceError(what: "bind \(address)") }
    }
  }

  func connect(_ address: String, _ port: UInt16) throws {
    try withAddress(address, port) { pointer, length in
      guard Glibc.connect(descriptor, pointer, length) == 0 else { throw NamespaceError(what: "connect") }
    }
  }

  func listen() throws {
    guard Glibc.listen(descriptor, 8) == 0 else { throw NamespaceError(what: "listen") }
  }

  func accept() throws -> TestSocket {
    let child = Glibc.accept(descriptor, nil, nil)
    guard child >= 0 else { throw NamespaceError(what: "accept") }
    return TestSocket(accepted: child, family: family)
  }

  var inode: UInt64 {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? UInt64(status.st_ino) : 0
  }

  private func withAddress(
    _ text: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void
  ) throws {
    var storage = sockaddr_storage()
    try withUnsafeMutablePointer(to: &storage) { pointer in
      if family == AF_INET {
        try pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
          $0.pointee.sin_family = sa_family_t(AF_INET)
          $0.pointee.sin_port = port.bigEndian
          guard inet_pton(AF_INET, text, &$0.pointee.sin_addr) == 1 else { throw NamespaceError(what: text) }
        }
      } else {
        try pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
          $0.pointee.sin6_family = sa_family_t(AF_INET6)
          $0.pointee.sin6_port = port.bigEndian
          guard inet_pton(AF_INET6, text, &$0.pointee.sin6_addr) == 1 else { throw NamespaceError(what: text) }
        }
      }
      let size = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, socklen_t(size)) }
    }
  }
}
