import CBPFTests
import Glibc
import KernelLab
import SocketModel

/// A socket of a test, closed for good when it goes.
final class TestSocket {
  private(set) var descriptor: Int32

  init(adopting descriptor: Int32) { self.descriptor = descriptor }

  init(_ family: Int32, _ type: Int32 = Int32(SOCK_STREAM.rawValue), protocol number: Int32 = 0) throws {
    descriptor = try call("socket", socket(family, type | Int32(SOCK_CLOEXEC.rawValue), number))
  }

  deinit { close() }

  func close() {
    if descriptor >= 0 { closeForGood(descriptor) }
    descriptor = -1
  }

  func set(_ level: Int32, _ option: Int32, _ value: Int32) throws {
    var value = value
    try call("setsockopt", setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)))
  }

  func setReuse(_ address: Bool, _ port: Bool) throws {
    try set(SOL_SOCKET, SO_REUSEADDR, address ? 1 : 0)
    try set(SOL_SOCKET, SO_REUSEPORT, port ? 1 : 0)
  }

  /// The number sock_diag knows the socket by, SO_COOKIE; asking for it makes it.
  func cookie() throws -> UInt64 {
    var (value, size) = (UInt64(0), socklen_t(8))
    try call("SO_COOKIE", getsockopt(descriptor, SOL_SOCKET, 57, &value, &size))
    return value
  }

  func inode() throws -> UInt64 {
    var status = stat()
    try call("fstat", fstat(descriptor, &status))
    return UInt64(status.st_ino)
  }

  func bind(_ address: String, _ port: UInt16) throws {
    try withAddress(address, port) { try call("bind \(address)", Glibc.bind(descriptor, $0, $1)) }
  }

  func connect(_ address: String, _ port: UInt16) throws {
    try withAddress(address, port) { try call("connect \(address)", Glibc.connect(descriptor, $0, $1)) }
  }

  func listen() throws { try call("listen", Glibc.listen(descriptor, 1000)) }

  func accept() throws -> TestSocket {
    TestSocket(adopting: try call("accept", bpftests_accept(descriptor)))
  }

  /// Sends until the peer takes no more, so that a FIN stays behind what was sent.
  func fillWindow() throws {
    let block = [UInt8](repeating: 0, count: 1 << 16)
    while send(descriptor, block, block.count, Int32(MSG_DONTWAIT)) > 0 {}
  }

  /// Waits for the end of what the peer sends: its FIN has been answered then.
  func readToEnd() {
    var byte: UInt8 = 0
    while recv(descriptor, &byte, 1, 0) > 0 {}
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, &on, 4)
  }
}

/// A bound TCP socket.
func boundTCP(
  _ address: String, _ port: UInt16, reuseaddr: Bool = false, reuseport: Bool = false, v6only: Bool? = nil
) throws -> TestSocket {
  let socket = try TestSocket(address.contains(":") ? AF_INET6 : AF_INET)
  try socket.setReuse(reuseaddr, reuseport)
  if let v6only { try socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, v6only ? 1 : 0) }
  try socket.bind(address, port)
  return socket
}

/// A listening TCP socket.
func listener(
  _ address: String, _ port: UInt16, reuseaddr: Bool = false, reuseport: Bool = false, v6only: Bool? = nil
) throws -> TestSocket {
  let socket = try boundTCP(address, port, reuseaddr: reuseaddr, reuseport: reuseport, v6only: v6only)
  try socket.listen()
  return socket
}

/// A bound UDP socket.
func boundUDP(
  _ address: String, _ port: UInt16, reuseaddr: Bool = false, reuseport: Bool = false
) throws -> TestSocket {
  let socket = try TestSocket(address.contains(":") ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue))
  try socket.setReuse(reuseaddr, reuseport)
  if address.contains(":") { try socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
  try socket.bind(address, port)
  return socket
}

/// A connection to a listener: the accepted end and the connecting one.
func connection(_ listener: TestSocket, _ address: String, _ port: UInt16) throws -> (
  own: TestSocket, peer: TestSocket
) {
  let peer = try TestSocket(address.contains(":") ? AF_INET6 : AF_INET)
  try peer.connect(address, port)
  return (try listener.accept(), peer)
}

/// Leaves a TIME_WAIT socket at the accepted end.
func leaveTimeWait(_ listener: TestSocket, _ address: String, _ port: UInt16) throws {
  let (own, peer) = try connection(listener, address, port)
  own.close()
  peer.readToEnd()
  peer.close()
}

private func withAddress(
  _ text: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void
) throws {
  var storage = sockaddr_storage()
  let size: Int
  if text.contains(":") {
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    guard inet_pton(AF_INET6, text, &address.sin6_addr) == 1 else { throw FailedCall(name: text, error: .noEntry) }
    size = MemoryLayout<sockaddr_in6>.size
    withUnsafeMutableBytes(of: &storage) { to in withUnsafeBytes(of: address) { to.copyMemory(from: $0) } }
  } else {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    guard inet_pton(AF_INET, text, &address.sin_addr) == 1 else { throw FailedCall(name: text, error: .noEntry) }
    size = MemoryLayout<sockaddr_in>.size
    withUnsafeMutableBytes(of: &storage) { to in withUnsafeBytes(of: address) { to.copyMemory(from: $0) } }
  }
  try withUnsafePointer(to: &storage) {
    try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, socklen_t(size)) }
  }
}
