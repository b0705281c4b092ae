import CMnl
import Glibc
import Linux
package import SocketModel

/// Carries out one dump: everything that must be checked of a reply before its messages may be believed.
struct NetlinkDump {
  /// How often a dump that was interrupted is asked again before it counts as an error.
  static let attempts = 5

  var family: NetlinkFamily
  /// The type that the messages of the answer have.
  var replyType: MessageType
  var isStrict = false
  /// One message is the whole answer; no NLMSG_DONE follows it.
  var isSingle = false
  var transport: NetlinkTransport

  /// Asks, and collects what `decode` makes of each message; nil is left out.
  ///
  /// A dump that the kernel calls inconsistent (NLM_F_DUMP_INTR) or that overran the socket (ENOBUFS) is thrown
  /// away and asked again.
  func values<Value>(
    request: (_ sequence: UInt32) -> [UInt8],
    decode: (Span<UInt8>, Range<Int>) throws(WireError) -> Value?
  ) throws(NetlinkError) -> [Value] {
    for sequence in UInt32(1)...UInt32(Self.attempts) {
      let question = NetlinkRequest(family: family, bytes: request(sequence), isStrict: isStrict)
      var reply = DumpReply<Value>(family: family, type: replyType, sequence: sequence, isSingle: isSingle)
      do throws(NetlinkError) {
        try transport.exchange(question) { (bytes, origin) throws(NetlinkError) in
          try reply.take(bytes, from: origin, decode)
        }
      } catch .systemCall(_, .noBufferSpace), .refused(_, .noBufferSpace) {
        continue
      }
      guard reply.isComplete else {
        throw .malformedReply(WireError(offset: reply.lastSize, expected: "the end of the dump, NLMSG_DONE"))
      }
      if !reply.wasInterrupted { return reply.values }
    }
    throw .staysInterrupted(family)
  }
}

/// The answer to one dump request, as far as it has arrived.
private struct DumpReply<Value> {
  let family: NetlinkFamily
  let type: MessageType
  let sequence: UInt32
  let isSingle: Bool
  var values: [Value] = []
  var isComplete = false
  var wasInterrupted = false
  /// A message of the answer has come.
  var hasBegun = false
  /// The size of the last datagram, in bytes.
  var lastSize = 0

  init(family: NetlinkFamily, type: MessageType, sequence: UInt32, isSingle: Bool) {
    self.family = family
    self.type = type
    self.sequence = sequence
    self.isSingle = isSingle
  }

  mutating func take(
    _ bytes: Span<UInt8>, from origin: DatagramOrigin, _ decode: (Span<UInt8>, Range<Int>) throws(WireError) -> Value?
  ) throws(NetlinkError) -> ReplyProgress {
    // Any process may send to a netlink port; only port 0 is the kernel.
    guard origin.sender == 0 else { return .more }
    lastSize = bytes.count
    var failure: SystemError?
    do throws(WireError) {
      failure = try walk(bytes, receiver: origin.receiver, decode)
    } catch {
      throw .malformedReply(error)
    }
    if let failure {
      // What has begun to answer is not absent, and its answer not empty.
      throw hasBegun ? .refused(family, failure) : NetlinkError(family, dump: failure)
    }
    return isComplete ? .complete : .more
  }

  /// Takes the messages of one datagram; returns the error number that ended the dump, if one did.
  private mutating func walk(
    _ bytes: Span<UInt8>, receiver: UInt32, _ decode: (Span<UInt8>, Range<Int>) throws(WireError) -> Value?
  ) throws(WireError) -> SystemError? {
    var cursor = MessageCursor()
    while let message = try cursor.next(in: bytes) {
      try check(message, receiver: receiver)
      if message.flags.contains(.dumpInterrupted) { wasInterrupted = true }
      switch message.type {
      case .noOperation:
        continue
      case .done:
        isComplete = true
        return try message.error(in: bytes)
      case .error:
        // 0 would be an acknowledgement, which was not asked for.
        if let failure = try message.error(in: bytes) { return failure }
        throw WireError(offset: message.payload.lowerBound, expected: "an error number other than 0")
      case type:
        hasBegun = true
        if let value = try decode(bytes, message.payload) { values.append(value) }
        if isSingle { isComplete = true }
      default:
        throw WireError(offset: message.start, expected: "a message of type \(type.rawValue)")
      }
    }
    return nil
  }

  /// A reply carries the sequence number of its request and the port id of who asked (netlink(7)).
  private func check(_ message: NetlinkMessage, receiver: UInt32) throws(WireError) {
    guard message.sequence == sequence else {
      throw WireError(offset: message.start, expected: "the sequence number \(sequence)")
    }
    guard message.portID == receiver else {
      throw WireError(offset: message.start, expected: "the port id \(receiver)")
    }
  }
}

extension NetlinkMessage {
  /// Where its header starts.
  fileprivate var start: Int { payload.lowerBound - NetlinkMessage.headerSize }
}

/// One of the kernel's netlink families that are asked here (netlink(7)).
package enum NetlinkFamily: String, Sendable, Hashable, CaseIterable {
  /// NETLINK_SOCK_DIAG, sock_diag(7).
  case sockDiag = "sock_diag"
  /// NETLINK_ROUTE, rtnetlink(7).
  case route = "rtnetlink"
  /// NETLINK_GENERIC, genetlink: here WireGuard and IPVS.
  case generic = "generic netlink"
}

/// Why the kernel could not be read over netlink.
package enum NetlinkError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kernel lacks the interface, or a filter (seccomp(2)) or security module forbids it.
  case interfaceMissing(NetlinkFamily, SystemError)
  /// The kernel knows the interface and refused the request.
  case refused(NetlinkFamily, SystemError)
  /// Another error of a system call.
  case systemCall(String, SystemError)
  /// The reply is cut off or is not what the kernel's headers promise.
  case malformedReply(WireError)
  /// What was read changed each time while it was read (NLM_F_DUMP_INTR, ENOBUFS).
  case staysInterrupted(NetlinkFamily)

  /// The errors with which socket(2) or a dump says that the interface is not there or not to be used.
  private static let absence: Set<Int32> = [
    1,  // EPERM
    2,  // ENOENT: no handler for this protocol, and none could be loaded
    13,  // EACCES
    38,  // ENOSYS
    93,  // EPROTONOSUPPORT
    97,  // EAFNOSUPPORT
  ]

  init(_ family: NetlinkFamily, socket error: SystemError) {
    self = Self.absence.contains(error.rawValue) ? .interfaceMissing(family, error) : .systemCall("socket", error)
  }

  init(_ family: NetlinkFamily, dump error: SystemError) {
    self = Self.absence.contains(error.rawValue) ? .interfaceMissing(family, error) : .refused(family, error)
  }

  package var description: String {
    switch self {
    case .interfaceMissing(let family, let error): "the kernel's \(family.rawValue) interface is missing: \(error)"
    case .refused(let family, let error): "\(family.rawValue) refused the request: \(error)"
    case .systemCall(let name, let error): "\(name): \(error)"
    case .malformedReply(let error): "malformed netlink reply: \(error)"
    case .staysInterrupted(let family): "\(family.rawValue) kept changing while it was read"
    }
  }
}

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

  /// The port id that bind(2) gave it.
  var portID: UInt32 { unsafe mnl_socket_get_portid(socket) }

  /// bind(2) to a port id that the kernel chooses, without any group.
  borrowing func bind() throws(SystemError) {
    guard unsafe mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 else { throw .last }
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
  /// The running kernel, over a libmnl socket.
  package static let kernel = NetlinkTransport { request, handler throws(NetlinkError) in
    let socket = try openSocket(request.family)
    // Before Linux 4.20 there is no such option; the answer is then longer and filtered by who asked.
    if request.isStrict { try? socket.set(Int32(NETLINK_GET_STRICT_CHK), 1) }
    do throws(SystemError) { try socket.send(request.bytes) } catch { throw .systemCall("sendto", error) }
    try receive(from: socket, request.family, handler)
  }

  /// A netlink_dump() never fills more than 32 KiB (`max_recvmsg_len`): less would only mean more system calls. One
  /// message alone can be longer: that of an interface with thousands of alternative names.
  private static let usualSize = 32 << 10
  /// No message of the kernel's is longer.
  private static let largestSize = 16 << 20

  private static func openSocket(_ family: NetlinkFamily) throws(NetlinkError) -> MnlSocket {
    let bus =
      switch family {
      case .sockDiag: NETLINK_SOCK_DIAG
      case .route: NETLINK_ROUTE
      case .generic: NETLINK_GENERIC
      }
    let socket: MnlSocket
    do throws(SystemError) { socket = try MnlSocket(bus) } catch { throw NetlinkError(family, socket: error) }
    do throws(SystemError) { try socket.bind() } catch { throw .systemCall("bind", error) }
    return socket
  }

  private static func receive(
    from socket: borrowing MnlSocket, _ family: NetlinkFamily, _ handler: Handler
  ) throws(NetlinkError) {
    let receiver = socket.portID
    // What sock_diag says of a socket has an upper limit far below; of the others the size is asked for first.
    let mayBeLong = family != .sockDiag
    var buffer = DatagramBuffer(byteCount: usualSize)
    while true {
      let datagram: Datagram
      do throws(SystemError) {
        if mayBeLong {
          let next = try socket.receive(into: buffer, .peek)
          if next.sender == 0, next.length > buffer.count, next.length <= largestSize {
            buffer = DatagramBuffer(byteCount: next.length)
          }
        }
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

/// Where a datagram came from and where it arrived.
package struct DatagramOrigin: Sendable, Hashable {
  /// The port id of the sender; the kernel's is 0, any other is some process.
  package var sender: UInt32
  /// The port id of the socket that asked.
  package var receiver: UInt32

  package init(sender: UInt32 = 0, receiver: UInt32) {
    self.sender = sender
    self.receiver = receiver
  }
}

/// A request, and the family that it is meant for.
package struct NetlinkRequest: Sendable, Hashable {
  /// The netlink protocol.
  package var family: NetlinkFamily
  /// The whole message, header included.
  package var bytes: [UInt8]
  /// NETLINK_GET_STRICT_CHK: the kernel applies the filters in the request (Linux 4.20; older ones ignore it).
  package var isStrict: Bool

  package init(family: NetlinkFamily, bytes: [UInt8], isStrict: Bool = false) {
    self.family = family
    self.bytes = bytes
    self.isStrict = isStrict
  }
}

/// Whether the answer to a request is complete.
package enum ReplyProgress: Sendable, Hashable {
  case more
  case complete
}

/// The seam between what is asked and the kernel: sends one request and hands over each datagram that arrives
/// until the handler has seen the end. Tests put recorded replies here.
package struct NetlinkTransport: Sendable {
  /// Looks at one datagram; its bytes are valid during the call only.
  package typealias Handler = (Span<UInt8>, DatagramOrigin) throws(NetlinkError) -> ReplyProgress

  /// Returns when the handler answers `.complete`, or when there are no more datagrams (a recording may end).
  package var exchange: @Sendable (NetlinkRequest, Handler) throws(NetlinkError) -> Void

  /// Any function that asks and hands each datagram of the answer on: the seam of the tests.
  package init(exchange: @escaping @Sendable (NetlinkRequest, Handler) throws(NetlinkError) -> Void) {
    self.exchange = exchange
  }
}
