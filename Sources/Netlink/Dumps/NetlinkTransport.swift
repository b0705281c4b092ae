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
