import Glibc
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
    try reduce(into: [], request: request) { (values, bytes, payload) throws(WireError) in
      if let value = try decode(bytes, payload) { values.append(value) }
    }
  }

  /// The same for what is not to be kept one by one: `take` is told of each message, and starts from `initial` again where
  /// the kernel is asked again.
  func reduce<Result>(
    into initial: Result, request: (_ sequence: UInt32) -> [UInt8],
    _ take: (inout Result, Span<UInt8>, Range<Int>) throws(WireError) -> Void
  ) throws(NetlinkError) -> Result {
    for sequence in UInt32(1)...UInt32(Self.attempts) {
      let question = NetlinkRequest(family: family, bytes: request(sequence), isStrict: isStrict)
      var reply = DumpReply(
        result: initial, family: family, type: replyType, sequence: sequence, isSingle: isSingle)
      do throws(NetlinkError) {
        try transport.exchange(question) { (bytes, origin) throws(NetlinkError) in
          try reply.take(bytes, from: origin, take)
        }
      } catch .systemCall(_, .noBufferSpace), .refused(_, .noBufferSpace) {
        continue
      }
      guard reply.isComplete else {
        throw .malformedReply(WireError(offset: reply.lastSize, expected: "the end of the dump, NLMSG_DONE"))
      }
      if !reply.wasInterrupted { return reply.result }
    }
    throw .staysInterrupted(family)
  }
}

/// The answer to one dump request, as far as it has arrived.
private struct DumpReply<Result> {
  var result: Result
  let family: NetlinkFamily
  let type: MessageType
  let sequence: UInt32
  let isSingle: Bool
  var isComplete = false
  var wasInterrupted = false
  /// A message of the answer has come.
  var hasBegun = false
  /// The size of the last datagram, in bytes.
  var lastSize = 0

  init(result: Result, family: NetlinkFamily, type: MessageType, sequence: UInt32, isSingle: Bool) {
    self.result = result
    self.family = family
    self.type = type
    self.sequence = sequence
    self.isSingle = isSingle
  }

  mutating func take(
    _ bytes: Span<UInt8>, from origin: DatagramOrigin,
    _ body: (inout Result, Span<UInt8>, Range<Int>) throws(WireError) -> Void
  ) throws(NetlinkError) -> ReplyProgress {
    // Any process may send to a netlink port; only port 0 is the kernel.
    guard origin.sender == 0 else { return .more }
    lastSize = bytes.count
    var failure: SystemError?
    do throws(WireError) {
      failure = try walk(bytes, receiver: origin.receiver, body)
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
    _ bytes: Span<UInt8>, receiver: UInt32,
    _ body: (inout Result, Span<UInt8>, Range<Int>) throws(WireError) -> Void
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
        try body(&result, bytes, message.payload)
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
  /// The kernel waits for another process (RTNL, `genl_mutex`), and was not waited for.
  case noAnswer(NetlinkFamily)
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
    case .noAnswer(let family): "\(family.rawValue) gave no answer in time"
    case .staysInterrupted(let family): "\(family.rawValue) kept changing while it was read"
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

  /// Asks several requests at once, where that costs less than one after the other; what it gives has their answers,
  /// and asks whatever else it is asked.
  package var together: (@Sendable ([NetlinkRequest]) -> NetlinkTransport)?

  /// Any function that asks and hands each datagram of the answer on: the seam of the tests.
  package init(
    exchange: @escaping @Sendable (NetlinkRequest, Handler) throws(NetlinkError) -> Void,
    together: (@Sendable ([NetlinkRequest]) -> NetlinkTransport)? = nil
  ) {
    self.exchange = exchange
    self.together = together
  }
}
