package import SocketModel

/// A socket that stays bound to 127.0.0.1 the whole time and moves between the kernel's tables, or changes its options, or
/// two sockets of which always one is bound: every bind to its port fails at every moment, or one with both options works at
/// every moment (`isShared`). A walk through the tables one after the other may miss it, or see what it was at one moment
/// beside what it was at another.
package enum MovingSocket: String, Sendable, CaseIterable {
  /// listen(2) and shutdown(2) without a pause.
  case listen
  /// The same with a millisecond between.
  case listenSlowly = "listen-slowly"
  /// connect(2) and connect(2) to AF_UNSPEC.
  case connect
  /// It listens, with SO_REUSEADDR for a while, or is only bound, without it.
  case option
  /// The same with a millisecond between.
  case optionSlowly = "option-slowly"
  /// It listens, with SO_REUSEPORT, or is only bound, with SO_REUSEADDR.
  case shared
  /// The same with a millisecond between.
  case sharedSlowly = "shared-slowly"
  /// Two TCP sockets, one of which is bound before the other is closed, at two places of the table of bound sockets.
  case boundInTurn = "bound-in-turn"
  /// The same with half a millisecond between.
  case boundInTurnSlowly = "bound-in-turn-slowly"
  /// Two UDP sockets, of which always one or both have no SO_REUSEADDR.
  case inTurn = "in-turn"
  /// The same with a millisecond between.
  case inTurnSlowly = "in-turn-slowly"
  /// A UDP socket of 0.0.0.0, with SO_REUSEADDR, or connected to 127.0.0.2, without it.
  case torn
  /// The same with a millisecond between.
  case tornSlowly = "torn-slowly"

  package var transport: TransportProtocol {
    [.inTurn, .inTurnSlowly, .torn, .tornSlowly].contains(self) ? .udp : .tcp
  }
  /// A bind with SO_REUSEADDR and SO_REUSEPORT works at every moment.
  package var isShared: Bool { self == .shared || self == .sharedSlowly || isTorn }
  private var isTorn: Bool { self == .torn || self == .tornSlowly }
  /// Where no bind works at any moment, or that one.
  package var address: IPAddress { isOfTwo ? .v4(.any) : .v4(.loopback) }
  /// Of two sockets, TCP: none of them is ever anything but bound.
  package var isOfTwo: Bool { self == .boundInTurn || self == .boundInTurnSlowly }
  private var isSlow: Bool {
    [.listenSlowly, .optionSlowly, .sharedSlowly, .inTurnSlowly, .boundInTurnSlowly, .tornSlowly].contains(self)
  }

  /// Moves it until `isOver`; calls `isBound` when the port is taken.
  package func move(_ port: Port, isBound: () -> Void, until isOver: () -> Bool) throws(SystemError) {
    if isTorn { return try tear(port, isBound: isBound, until: isOver) }
    if transport == .udp { return try changeInTurn(port, isBound: isBound, until: isOver) }
    if isOfTwo { return try bindInTurn(port, isBound: isBound, until: isOver) }
    let own = try SystemCalls.socket(family: 2, type: 1)
    defer { SystemCalls.close(own) }
    if isShared { try SystemCalls.setOption(own, .reuseaddr, 1) }
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
      } else if isShared {
        try SystemCalls.setOption(own, .reuseport, 1)
        try SystemCalls.listen(own, backlog: 5)
        try SystemCalls.setOption(own, .reuseaddr, 0)
        pause()
        try SystemCalls.setOption(own, .reuseaddr, 1)
        try SystemCalls.shutdown(own, how: 2)
        try SystemCalls.setOption(own, .reuseport, 0)
        pause()
      } else {
        let changes = self == .option || self == .optionSlowly
        try SystemCalls.listen(own, backlog: 5)
        if changes { try SystemCalls.setOption(own, .reuseaddr, 1) }
        pause()
        if changes { try SystemCalls.setOption(own, .reuseaddr, 0) }
        try SystemCalls.shutdown(own, how: 2)
        pause()
      }
    }
  }

  private func bindInTurn(_ port: Port, isBound: () -> Void, until isOver: () -> Bool) throws(SystemError) {
    func bound(_ place: UInt8) throws(SystemError) -> Int32 {
      let socket = try SystemCalls.socket(family: 2, type: 1)
      do throws(SystemError) {
        try SystemCalls.bind(socket, SocketAddress(.v4(IPv4Address(127, 0, 0, place)), port: port.rawValue))
        return socket
      } catch {
        SystemCalls.close(socket)
        throw error
      }
    }
    var places: (now: UInt8, next: UInt8) = (5, 9)
    var own = try bound(places.now)
    defer { SystemCalls.close(own) }
    isBound()
    while !isOver() {
      // Who looks may have a duplicate of the one before for a moment.
      guard let next = try? bound(places.next) else { continue }
      SystemCalls.close(own)
      own = next
      places = (places.next, places.now)
      pause()
    }
  }

  private func changeInTurn(_ port: Port, isBound: () -> Void, until isOver: () -> Bool) throws(SystemError) {
    var sockets: [Int32] = []
    defer { sockets.forEach(SystemCalls.close) }
    for _ in 0..<2 {
      sockets.append(try SystemCalls.socket(family: 2, type: 2))
      try SystemCalls.setOption(sockets[sockets.count - 1], .reuseaddr, 1)
      try SystemCalls.bind(sockets[sockets.count - 1], SocketAddress(.v4(.loopback), port: port.rawValue))
    }
    try SystemCalls.setOption(sockets[1], .reuseaddr, 0)
    isBound()
    while !isOver() {
      for (first, second) in [(sockets[0], sockets[1]), (sockets[1], sockets[0])] {
        try SystemCalls.setOption(first, .reuseaddr, 0)
        try SystemCalls.setOption(second, .reuseaddr, 1)
        pause()
      }
    }
  }

  private func tear(_ port: Port, isBound: () -> Void, until isOver: () -> Bool) throws(SystemError) {
    let own = try SystemCalls.socket(family: 2, type: 2)
    defer { SystemCalls.close(own) }
    try SystemCalls.setOption(own, .reuseaddr, 1)
    try SystemCalls.bind(own, SocketAddress(.v4(.any), port: port.rawValue))
    isBound()
    while !isOver() {
      try SystemCalls.connect(own, SocketAddress(.v4(IPv4Address(127, 0, 0, 2)), port: 9))
      try SystemCalls.setOption(own, .reuseaddr, 0)
      pause()
      try SystemCalls.setOption(own, .reuseaddr, 1)
      try SystemCalls.connect(own, .unspecified)
      pause()
    }
  }

  private func pause() { if isSlow { SystemCalls.pause(round: 500) } }
}
