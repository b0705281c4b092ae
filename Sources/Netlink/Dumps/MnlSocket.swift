import CMnl
import Glibc
import Linux
import SocketModel

// The one file of this target with pointers: a socket of libmnl, and the buffers that it fills.

/// What came with one datagram.
struct Datagram {
  /// Bytes; more than the buffer has where the datagram was cut off.
  var length: Int
  /// The port id of the sender; 0 is the kernel.
  var sender: UInt32
}

/// A netlink socket of libmnl, closed when its owner lets go of it.
@safe struct MnlSocket: ~Copyable {
  private let socket: OpaquePointer

  /// socket(2) of one of the families, NETLINK_ROUTE and so on.
  init(_ bus: Int32) throws(SystemError) {
    guard let opened = unsafe mnl_socket_open2(bus, Int32(SOCK_CLOEXEC.rawValue)) else { throw .last }
    unsafe socket = opened
  }

  deinit { unsafe mnl_socket_close(socket) }

  /// For poll(2).
  var descriptor: Int32 { unsafe mnl_socket_get_fd(socket) }

  /// The port id that the kernel gave it.
  private(set) var portID: UInt32 = 0

  /// connect(2) to the kernel, which gives the socket a port id as bind(2) would, and which filters of system calls leave
  /// to those whom they forbid to bind. From then on the kernel alone may send to it.
  mutating func connectToKernel() throws(SystemError) {
    let descriptor = descriptor
    var name = sockaddr_nl()
    name.nl_family = sa_family_t(AF_NETLINK)
    var length = socklen_t(MemoryLayout<sockaddr_nl>.size)
    let isConnected = unsafe withUnsafeMutablePointer(to: &name) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        unsafe connect(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
      }
    }
    guard isConnected else { throw .last }
    portID = name.nl_pid
  }

  /// setsockopt(2) at SOL_NETLINK.
  borrowing func set(_ option: Int32, _ number: UInt32) throws(SystemError) {
    var value = number
    guard unsafe mnl_socket_setsockopt(socket, option, &value, socklen_t(MemoryLayout<UInt32>.size)) == 0 else {
      throw .last
    }
  }

  /// sendto(2) to the kernel.
  borrowing func send(_ bytes: [UInt8]) throws(SystemError) {
    while unsafe mnl_socket_sendto(socket, bytes, bytes.count) < 0 {
      let error = SystemError.last
      guard error == .interrupted else { throw error }
    }
  }

  /// recvfrom(2) instead of mnl_socket_recvfrom(): that one hides who sent the datagram and how long it was.
  borrowing func receive(into buffer: borrowing DatagramBuffer, _ flags: Flags = []) throws(SystemError) -> Datagram {
    while true {
      var address = sockaddr_nl()
      var addressLength = socklen_t(MemoryLayout<sockaddr_nl>.size)
      let descriptor = descriptor
      let length = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
          unsafe recvfrom(
            descriptor, buffer.bytes.baseAddress, buffer.bytes.count, Int32(MSG_TRUNC) | flags.rawValue, generic,
            &addressLength)
        }
      }
      guard length < 0 else { return Datagram(length: length, sender: address.nl_pid) }
      let error = SystemError.last
      guard error == .interrupted else { throw error }
    }
  }

  /// MSG_* of recv(2).
  struct Flags: OptionSet {
    let rawValue: Int32
    /// MSG_PEEK: the datagram stays.
    static let peek = Flags(rawValue: Int32(MSG_PEEK))
    /// MSG_DONTWAIT.
    static let withoutWaiting = Flags(rawValue: Int32(MSG_DONTWAIT))
  }
}

/// The memory that datagrams are received into.
@safe struct DatagramBuffer: ~Copyable {
  fileprivate let bytes: UnsafeMutableRawBufferPointer

  init(byteCount: Int) { unsafe bytes = .allocate(byteCount: byteCount, alignment: 16) }

  deinit { unsafe bytes.deallocate() }

  var count: Int { unsafe bytes.count }

  /// Calls `body` with the first bytes, at most all.
  borrowing func withBytes<Value, Failure>(
    _ count: Int, _ body: (Span<UInt8>) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[..<min(count, bytes.count)])
    return try body(unsafe Span(_unsafeElements: part.bindMemory(to: UInt8.self)))
  }
}

// A socket is opened for each request, so that it belongs to the network namespace of the calling thread and never holds
// the rest of an older answer.
extension NetlinkTransport {
  /// The running kernel: sock_diag over a libmnl socket; rtnetlink and generic netlink by a child that is not waited
  /// for, because they wait for a lock (`rtnl_lock`) that every user can hold.
  package static let kernel = NetlinkTransport(
    exchange: { request, handler throws(NetlinkError) in
      guard request.family == .sockDiag else {
        return try byChild([request]).exchange(request, handler)
      }
      try directly(request, handler)
    },
    together: { requests in byChild(requests) })

  /// Has the child ask all of this, and answers what it was told.
  private static func byChild(_ requests: [NetlinkRequest]) -> NetlinkTransport {
    let messages = requests.map {
      NetlinkMessageToKernel(bus: $0.family.bus, isStrict: $0.isStrict, bytes: $0.bytes)
    }
    let told: Result<[NetlinkConversation?], ErrandError>
    do throws(ErrandError) { told = .success(try Errand.converse(messages)) } catch { told = .failure(error) }
    return NetlinkTransport { request, handler throws(NetlinkError) in
      guard let number = requests.firstIndex(of: request) else {
        return try kernel.exchange(request, handler)
      }
      switch told {
      case .success(let conversations):
        guard let conversation = conversations[number] else { throw .noAnswer(request.family) }
        try replay(conversation, request.family, handler)
      case .failure(.noAnswer): throw .noAnswer(request.family)
      // Without another process (RLIMIT_NPROC) there is nobody to ask.
      case .failure(.failed(let error)): throw .interfaceMissing(request.family, error)
      }
    }
  }

  private static func replay(
    _ conversation: NetlinkConversation, _ family: NetlinkFamily, _ handler: Handler
  ) throws(NetlinkError) {
    let origin = DatagramOrigin(receiver: conversation.port)
    for datagram in conversation.datagrams {
      if try handler(datagram.span, origin) == .complete { return }
    }
    guard let failure = conversation.failure else { return }
    switch failure.step {
    case .socket: throw NetlinkError(family, socket: failure.error)
    case .connect: throw .systemCall("connect", failure.error)
    case .send: throw .systemCall("sendto", failure.error)
    case .receive: throw .systemCall("recvfrom", failure.error)
    }
  }

  private static func directly(_ request: NetlinkRequest, _ handler: Handler) throws(NetlinkError) {
    let socket = try openSocket(request.family)
    do throws(SystemError) { try socket.send(request.bytes) } catch { throw .systemCall("sendto", error) }
    try receive(from: socket, handler)
  }

  /// A netlink_dump() never fills more than 32 KiB (`max_recvmsg_len`): less would only mean more system calls. What
  /// sock_diag says of one socket has an upper limit far below.
  private static let usualSize = 32 << 10

  private static func openSocket(_ family: NetlinkFamily) throws(NetlinkError) -> MnlSocket {
    var socket: MnlSocket
    do throws(SystemError) { socket = try MnlSocket(family.bus) } catch { throw NetlinkError(family, socket: error) }
    do throws(SystemError) { try socket.connectToKernel() } catch { throw .systemCall("connect", error) }
    return socket
  }

  private static func receive(
    from socket: borrowing MnlSocket, _ handler: Handler
  ) throws(NetlinkError) {
    let receiver = socket.portID
    let buffer = DatagramBuffer(byteCount: usualSize)
    while true {
      let datagram: Datagram
      do throws(SystemError) {
        datagram = try socket.receive(into: buffer)
      } catch {
        throw .systemCall("recvfrom", error)
      }
      guard datagram.length <= buffer.count else {
        // Whatever another process sends is not looked at, however long it is.
        if datagram.sender != 0 { continue }
        throw .malformedReply(
          WireError(offset: buffer.count, expected: "a datagram of at most \(buffer.count) bytes"))
      }
      let origin = DatagramOrigin(sender: datagram.sender, receiver: receiver)
      let progress = try buffer.withBytes(datagram.length) { (bytes) throws(NetlinkError) in
        try handler(bytes, origin)
      }
      if progress == .complete { return }
    }
  }
}

extension NetlinkFamily {
  /// Its number for socket(2).
  fileprivate var bus: Int32 {
    switch self {
    case .sockDiag: NETLINK_SOCK_DIAG
    case .route: NETLINK_ROUTE
    case .generic: NETLINK_GENERIC
    }
  }
}
