public import SocketModel

/// What a netlink message is, `nlmsg_type` (netlink(7)): below 16 control, above it the interface's own.
public struct MessageType: RawRepresentable, Sendable, Hashable {
  /// The kernel's number.
  public let rawValue: UInt16
  /// Takes any value, known or not.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// NLMSG_NOOP: to be skipped.
  public static let noOperation = MessageType(rawValue: 1)
  /// NLMSG_ERROR: an error number, or an acknowledgement where it is 0.
  public static let error = MessageType(rawValue: 2)
  /// NLMSG_DONE: the end of a dump, with its error number.
  public static let done = MessageType(rawValue: 3)
  /// RTM_NEWLINK.
  public static let newLink = MessageType(rawValue: 16)
  /// RTM_GETLINK.
  public static let getLink = MessageType(rawValue: 18)
  /// TCPDIAG_GETSOCK: the first form of sock_diag, TCP only, both families in one walk.
  public static let tcpDiag = MessageType(rawValue: 18)
  /// RTM_NEWADDR.
  public static let newAddress = MessageType(rawValue: 20)
  /// SOCK_DIAG_BY_FAMILY.
  public static let sockDiagByFamily = MessageType(rawValue: 20)
  /// RTM_GETADDR.
  public static let getAddress = MessageType(rawValue: 22)
  /// RTM_NEWROUTE.
  public static let newRoute = MessageType(rawValue: 24)
  /// RTM_GETROUTE.
  public static let getRoute = MessageType(rawValue: 26)
  /// RTM_NEWRULE.
  public static let newRule = MessageType(rawValue: 32)
  /// RTM_GETRULE.
  public static let getRule = MessageType(rawValue: 34)
}

/// `nlmsg_flags` (netlink(7)).
public struct MessageFlags: OptionSet, Sendable, Hashable {
  /// The kernel's number.
  public let rawValue: UInt16
  /// Takes any value, known or not.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// NLM_F_REQUEST.
  public static let request = MessageFlags(rawValue: 0x1)
  /// NLM_F_DUMP_INTR: what was dumped changed meanwhile, so the answer may be inconsistent.
  public static let dumpInterrupted = MessageFlags(rawValue: 0x10)
  /// NLM_F_DUMP: NLM_F_ROOT and NLM_F_MATCH.
  public static let dump = MessageFlags(rawValue: 0x300)
}

/// One message of a datagram: the fields of its header and where its payload lies.
public struct NetlinkMessage: Sendable, Hashable {
  /// The size of `struct nlmsghdr`.
  public static let headerSize = 16

  /// What the message is.
  public var type: MessageType
  /// NLM_F_*.
  public var flags: MessageFlags
  /// The number that its request had.
  public var sequence: UInt32
  /// `nlmsg_pid`: in a reply the port id of the socket that asked.
  public var portID: UInt32
  /// In bytes from the start of the datagram, padding not included.
  public var payload: Range<Int>

  /// One with these parts, each as its property says.
  public init(type: MessageType, flags: MessageFlags, sequence: UInt32, portID: UInt32, payload: Range<Int>) {
    self.type = type
    self.flags = flags
    self.sequence = sequence
    self.portID = portID
    self.payload = payload
  }

  /// The error number at the start of an NLMSG_ERROR or NLMSG_DONE message; nil for 0, success.
  public func error(in bytes: Span<UInt8>) throws(WireError) -> SystemError? {
    let offset = payload.lowerBound
    let code = Int32(bitPattern: try bytes.uint32(at: offset, in: payload, "an error number"))
    guard code <= 0, code > Int32.min else { throw WireError(offset: offset, expected: "a negative error number") }
    return code == 0 ? nil : SystemError(rawValue: 0 &- code)
  }
}

/// Walks the messages of one datagram.
public struct MessageCursor: Sendable {
  private var offset = 0

  /// At the first message.
  public init() {}

  //  0               2               4
  //  +-------------------------------+
  //  | nlmsg_len, header included    |  the next message starts at the next multiple of 4
  //  +---------------+---------------+
  //  | nlmsg_type    | nlmsg_flags   |
  //  +---------------+---------------+
  //  | nlmsg_seq                     |
  //  +-------------------------------+
  //  | nlmsg_pid                     |
  //  +-------------------------------+
  //  | payload …                     |

  /// The next message; nil after the last. Throws where the header is cut off or its length lies.
  public mutating func next(in bytes: Span<UInt8>) throws(WireError) -> NetlinkMessage? {
    let start = offset
    let datagram = 0..<bytes.count
    guard start < bytes.count else { return nil }
    try bytes.require(NetlinkMessage.headerSize, at: start, in: datagram, "a message header of 16 bytes")
    let stated = try bytes.uint32(at: start, in: datagram, "nlmsg_len")
    guard let length = Int(exactly: stated), length >= NetlinkMessage.headerSize, length <= bytes.count - start
    else { throw WireError(offset: start, expected: "a message length of 16 to \(bytes.count - start)") }
    offset = min(start + (length + 3) & ~3, bytes.count)
    return NetlinkMessage(
      type: MessageType(rawValue: try bytes.uint16(at: start + 4, in: datagram, "nlmsg_type")),
      flags: MessageFlags(rawValue: try bytes.uint16(at: start + 6, in: datagram, "nlmsg_flags")),
      sequence: try bytes.uint32(at: start + 8, in: datagram, "nlmsg_seq"),
      portID: try bytes.uint32(at: start + 12, in: datagram, "nlmsg_pid"),
      payload: start + NetlinkMessage.headerSize..<start + length)
  }
}

/// A whole request: the header, then what `body` appends.
func message(
  _ type: MessageType, flags: MessageFlags = [.request, .dump], sequence: UInt32, body: [UInt8]
) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(NetlinkMessage.headerSize + body.count)
  bytes.append(host: UInt32(truncatingIfNeeded: NetlinkMessage.headerSize + body.count))
  bytes.append(host: type.rawValue)
  bytes.append(host: flags.rawValue)
  bytes.append(host: sequence)
  bytes.append(host: UInt32(0))
  return bytes + body
}
