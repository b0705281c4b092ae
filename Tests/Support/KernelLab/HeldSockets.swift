package import SocketModel

/// TCP sockets that stay open until the value goes: what burdens a host, and what a bench asks about.
///
/// They are made in the network namespace of the calling thread.
package struct HeldSockets: ~Copyable {
  private var descriptors: [Int32] = []

  /// Holds nothing yet.
  package init() {}

  deinit {
    for descriptor in descriptors { SystemCalls.close(descriptor) }
  }

  /// How many sockets are held.
  package var count: Int { descriptors.count }

  /// One listener with SO_REUSEADDR.
  package mutating func listen(on address: IPAddress, _ port: Port) throws(SystemError) {
    descriptors.append(try Self.listener(address, port))
  }

  /// A listener on 127.0.0.1 and `count` connections through it, both ends of each: 1 + 2 `count` sockets.
  package mutating func connect(_ count: Int, through port: Port) throws(SystemError) {
    let listener = try Self.listener(.v4(.loopback), port)
    descriptors.append(listener)
    for _ in 0..<count {
      let pair = try Self.connection(through: listener, port)
      descriptors += [pair.client, pair.accepted]
    }
  }

  /// Leaves `count` sockets in TIME_WAIT on the port of 127.0.0.1, of a listener with SO_REUSEADDR that has gone.
  /// The kernel keeps them for 60 s (TCP_TIMEWAIT_LEN).
  package static func leaveTimeWait(_ count: Int, on port: Port) throws(SystemError) {
    let listener = try listener(.v4(.loopback), port)
    defer { closeForGood(listener) }
    try leaveTimeWait(count, listener, port)
  }

  /// The same of the listener of `connect`, which goes on listening.
  package borrowing func leaveTimeWait(_ count: Int, through port: Port) throws(SystemError) {
    if let listener = descriptors.first { try Self.leaveTimeWait(count, listener, port) }
  }

  private static func leaveTimeWait(_ count: Int, _ listener: Int32, _ port: Port) throws(SystemError) {
    for _ in 0..<count {
      let pair = try connection(through: listener, port)
      // Who closes first stays behind; a FIN that is acknowledged at once leaves FIN_WAIT1 without delay.
      defer { SystemCalls.close(pair.client) }
      try SystemCalls.setOption(pair.client, .tcpQuickAck, 1)
      SystemCalls.close(pair.accepted)
    }
  }

  private static func listener(_ address: IPAddress, _ port: Port) throws(SystemError) -> Int32 {
    let family: Int32 = if case .v4 = address { 2 } else { 10 }
    let descriptor = try SystemCalls.socket(family: family, type: 1)
    do {
      try SystemCalls.setOption(descriptor, .reuseaddr, 1)
      try SystemCalls.bind(descriptor, SocketAddress(address, port: port.rawValue))
      try SystemCalls.listen(descriptor, backlog: 128)
      return descriptor
    } catch {
      SystemCalls.close(descriptor)
      throw error
    }
  }

  private static func connection(
    through listener: Int32, _ port: Port
  ) throws(SystemError) -> (client: Int32, accepted: Int32) {
    let client = try SystemCalls.socket(family: 2, type: 1)
    do {
      try startConnecting(client, to: port)
      _ = SystemCalls.poll(listener, events: 1, milliseconds: 2000)
      return (client, try SystemCalls.accept(listener))
    } catch {
      SystemCalls.close(client)
      throw error
    }
  }

  /// A socket that does not wait says EINPROGRESS, even where the loopback has answered by then.
  private static func startConnecting(_ client: Int32, to port: Port) throws(SystemError) {
    do {
      try SystemCalls.connect(client, SocketAddress(.v4(.loopback), port: port.rawValue))
    } catch {
      if error != SystemError(rawValue: 115) { throw error }
    }
  }
}
