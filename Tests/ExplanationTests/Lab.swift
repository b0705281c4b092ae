import BindRules
import Glibc
@testable import KernelLab
import SocketModel

// Real sockets in the namespace of the calling thread.

func ip(_ text: String) -> IPAddress { IPAddress(text) ?? .v6(IPv6Address(high: .max, low: .max)) }

let none: ReuseOptions = []
let reuseaddr = ReuseOptions.reuseaddr
let reuseport = ReuseOptions.reuseport
let both: ReuseOptions = [.reuseaddr, .reuseport]
let inUse = "bind: EADDRINUSE"

/// Kernel tests need CAP_SYS_ADMIN for the namespace; in CI they fail where they cannot run.
let kernelTestsRun = NetworkNamespace.isPermittedOrRequired

typealias Check = @Sendable (inout NetworkNamespace) throws -> Bool

/// A step of a check did not come about.
struct NotBuilt: Error { var what: String }

extension NetworkNamespace {
  /// What a bind beside these holders answers, in words.
  mutating func result(
    _ holders: [Holder], _ attempt: Attempt, _ options: ReuseOptions = [], port: PortKind = .ordinary
  ) throws -> String {
    let trial = try trial(Scenario(holders, attempt, port: port), options)
    guard trial.outcomes.allSatisfy(\.isBuilt) else { throw NotBuilt(what: "\(trial.outcomes)") }
    return trial.result.description
  }
}

/// An open socket, closed with its last owner.
struct Socket: ~Copyable {
  let descriptor: Int32

  init(descriptor: Int32) { self.descriptor = descriptor }

  /// A socket of this family, not yet bound.
  static func open(
    _ transport: TransportProtocol, _ family: AddressFamily, _ options: ReuseOptions = [], v6only: Bool = false,
    closeOnExec: Bool = true
  ) throws -> Socket {
    let socket = Socket(
      descriptor: try SystemCalls.socket(family: family == .ipv4 ? 2 : 10, type: transport == .tcp ? 1 : 2))
    if options.contains(.reuseaddr) { try SystemCalls.setOption(socket.descriptor, .reuseaddr, 1) }
    if options.contains(.reuseport) { try SystemCalls.setOption(socket.descriptor, .reuseport, 1) }
    if family == .ipv6 { try SystemCalls.setOption(socket.descriptor, .v6only, v6only ? 1 : 0) }
    if !closeOnExec { _ = fcntl(socket.descriptor, F_SETFD, 0) }
    return socket
  }

  deinit { SystemCalls.close(descriptor) }

  func bind(_ address: String, _ port: Port) throws {
    try SystemCalls.bind(descriptor, SocketAddress(ip(address), port: port.rawValue))
  }

  func connect(_ address: String, _ port: Port) throws {
    try SystemCalls.connect(descriptor, SocketAddress(ip(address), port: port.rawValue))
  }

  /// connect(2) of TCP, waited for.
  func connectTCP(_ address: String, _ port: Port) throws {
    do { try connect(address, port) } catch let error as SystemError where error.rawValue == 115 {
      _ = SystemCalls.poll(descriptor, events: 4, milliseconds: 20_000)
    }
  }

  /// Keeps it open up to here.
  func keep() {}

  func listen() throws { try SystemCalls.listen(descriptor, backlog: 64) }

  func accept() throws -> Socket {
    _ = SystemCalls.poll(descriptor, events: 1, milliseconds: 20_000)
    return Socket(descriptor: try SystemCalls.accept(descriptor))
  }

  func sendByte() throws { _ = try SystemCalls.send(descriptor, [1]) }

  var port: Port { Port((try? SystemCalls.localAddress(descriptor).port) ?? 0) }

  /// How many datagrams or connections wait; loopback delivers before send(2) returns.
  func pending(_ transport: TransportProtocol) -> Int {
    var count = 0
    while SystemCalls.poll(descriptor, events: 1, milliseconds: 0) {
      if transport == .udp {
        guard (try? SystemCalls.receive(descriptor, atMost: 16)) != nil else { break }
      } else {
        guard let accepted = try? SystemCalls.accept(descriptor) else { break }
        SystemCalls.close(accepted)
      }
      count += 1
    }
    return count
  }

  func join(_ group: String) throws {
    guard case .v4(let address) = ip(group) else { throw NotBuilt(what: "group") }
    let bytes = bigEndianBytes(address.bits) + [127, 0, 0, 1]
    try SystemCalls.setOption(descriptor, SocketOption(level: 0, number: 35), bytes: bytes)
  }
}

func bound(
  _ transport: TransportProtocol, _ address: String, _ port: Port, _ options: ReuseOptions = [], v6only: Bool = false
) throws -> Socket {
  let socket = try Socket.open(transport, ip(address).family, options, v6only: v6only)
  try socket.bind(address, port)
  return socket
}

/// A bind, tried again for ten seconds: a program that another test is just starting holds a copy of every
/// descriptor until its exec.
func boundSoon(_ address: String, _ port: Port, _ options: ReuseOptions = []) throws -> Socket {
  for _ in 0..<2000 {
    if let socket = try? bound(.tcp, address, port, options) { return socket }
    usleep(5000)
  }
  return try bound(.tcp, address, port, options)
}

func listening(
  _ address: String, _ port: Port, _ options: ReuseOptions = [], v6only: Bool = false
) throws -> Socket {
  let socket = try bound(.tcp, address, port, options, v6only: v6only)
  try socket.listen()
  return socket
}

/// Sends one datagram from each of `count` sockets.
func send(_ count: Int, to address: String, _ port: Port, repeated: Int = 1) throws {
  for _ in 0..<count {
    let sender = try Socket.open(.udp, ip(address).family)
    if ip(address).isMulticast {
      try SystemCalls.setOption(sender.descriptor, SocketOption(level: 0, number: 32), bytes: [127, 0, 0, 1])
    }
    try sender.connect(address, port)
    for _ in 0..<repeated { try sender.sendByte() }
  }
}

/// Whether `body` fails with this error.
func fails(_ name: String, _ body: () throws -> Void) -> Bool {
  do {
    try body()
    return false
  } catch {
    return (error as? SystemError)?.description == name
  }
}
