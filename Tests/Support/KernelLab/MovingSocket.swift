package import SocketModel

/// A socket that stays bound to 127.0.0.1 the whole time and moves between the kernel's tables: every bind to its port
/// fails at every moment, and a walk through the tables one after the other may miss it.
package enum MovingSocket: String, Sendable, CaseIterable {
  /// listen(2) and shutdown(2) without a pause.
  case listen
  /// The same with a millisecond between.
  case listenSlowly = "listen-slowly"
  /// connect(2) and connect(2) to AF_UNSPEC.
  case connect

  /// Moves it until `isOver`; calls `isBound` when the port is taken.
  package func move(_ port: Port, isBound: () -> Void, until isOver: () -> Bool) throws(SystemError) {
    let own = try SystemCalls.socket(family: 2, type: 1)
    defer { SystemCalls.close(own) }
    try SystemCalls.bind(own, SocketAddress(.v4(.loopback), port: port.rawValue))
    var server: Int32 = -1
    if self == .connect {
      server = try SystemCalls.socket(family: 2, type: 1)
      try SystemCalls.bind(server, SocketAddress(.v4(IPv4Address(127, 0, 0, 2)), port: port.rawValue))
      try SystemCalls.listen(server, backlog: 1000)
    }
    defer { if server >= 0 { SystemCalls.close(server) } }
    isBound()
    while !isOver() {
      if self == .connect {
        try? SystemCalls.setOption(own, .linger, bytes: nativeBytes(Int32(1)) + nativeBytes(Int32(0)))
        try? SystemCalls.connect(own, SocketAddress(.v4(IPv4Address(127, 0, 0, 2)), port: port.rawValue))
        _ = SystemCalls.poll(server, events: 1, milliseconds: 10)
        try? SystemCalls.connect(own, .unspecified)
        if let accepted = try? SystemCalls.accept(server) { SystemCalls.close(accepted) }
      } else {
        try SystemCalls.listen(own, backlog: 5)
        if self == .listenSlowly { SystemCalls.pause(round: 500) }
        try SystemCalls.shutdown(own, how: 2)
        if self == .listenSlowly { SystemCalls.pause(round: 500) }
      }
    }
  }
}
