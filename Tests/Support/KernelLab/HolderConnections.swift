import SocketModel

// How a holder's connections come about. The other ends get ports of `ip_local_port_range`, 40000 and up.

extension HolderBuilder {
  // MARK: connections to the port under test

  mutating func buildListenerWithChild() throws(CallFailure) {
    if holder.kind == .requestInProgress {
      try listenMain(deferAccept: true)
    } else {
      try listenMain()
    }
    guard let listener = sockets.main else { return }
    guard case .child(let state, let listenerStays) = holder.kind else {
      return try connectPeerToOwnListener(listener)
    }
    try connectPeerToOwnListener(listener, fullWindow: state.needsFullWindow)
    sockets.connection = try step(.accept) { () throws(SystemError) in
      try SystemCalls.asUser(holder.acceptUID) { () throws(SystemError) in try SystemCalls.accept(listener) }
    }
    try change(.connection, sockets.connection)
    sockets.connection = try ConnectionDriver(own: sockets.connection, peer: sockets.peer).drive(to: state)
    if !listenerStays {
      closeForGood(listener)
      sockets.main = nil
    }
  }

  /// Connects until the connection stands in this holder's queue: with SO_REUSEPORT the kernel spreads them over
  /// all listeners. One that went astray is reset, which takes it out of the bind table.
  private mutating func connectPeerToOwnListener(_ listener: Int32, fullWindow: Bool = false) throws(CallFailure) {
    // A listener that defers would swallow strays unseen.
    let deferring = otherListeners.filter(\.defersAccept).map(\.descriptor)
    for other in deferring { try? SystemCalls.setOption(other, .tcpDeferAccept, 0) }
    defer { for other in deferring { try? SystemCalls.setOption(other, .tcpDeferAccept, deferAcceptSeconds) } }
    for _ in 0..<48 {
      let before = queuedElsewhere()
      try connectPeer(fullWindow: fullWindow)
      if arrives(at: listener, before) { return }
      guard let stray = sockets.peer else { break }
      try? SystemCalls.setOption(stray, .linger, bytes: nativeBytes(Int32(1)) + nativeBytes(Int32(0)))
      closeForGood(stray)
      sockets.peer = nil
    }
    throw CallFailure(.arrival, .tryAgain)
  }

  /// Connections in the queues of the other holders (`tcpi_unacked` of a listener).
  private func queuedElsewhere() -> Int {
    otherListeners.reduce(0) { $0 + (tcpInfo($1.descriptor)?.queued ?? 0) }
  }

  private func arrives(at listener: Int32, _ elsewhereBefore: Int) -> Bool {
    let asRequest = holder.kind == .requestInProgress
    // A connection that stands for the client is a request at least, and here it has only one place to be.
    if otherListeners.isEmpty, asRequest { return true }
    if otherListeners.isEmpty { return SystemCalls.poll(listener, events: 1, milliseconds: 2000) }
    for round in 0..<4500 {
      if asRequest ? isRequest() : SystemCalls.poll(listener, events: 1, milliseconds: 0) { return true }
      if queuedElsewhere() != elsewhereBefore { return false }
      SystemCalls.pause(round: round)
    }
    return false
  }

  /// Whether the peer's connection is in SYN_RECV: no option of the listener tells, so the table is read.
  private func isRequest() -> Bool {
    guard let peer = sockets.peer, let port = try? SystemCalls.localAddress(peer).port else { return false }
    let rows = (try? readSocketTable(Port(self.port), [.tcp])) ?? []
    return rows.contains { $0.state == .synRecv && $0.remote.port == Port(port) }
  }

  /// A client on a port of its own that connects to the holder's listener.
  private mutating func connectPeer(fullWindow: Bool = false) throws(CallFailure) {
    let target = plain(holder.peer ?? defaultTarget(client: false))
    // A TCP client would turn the MPTCP connection into a TCP one at accept(2).
    let isMPTCP = holder.transport == .mptcp && holder.port == .explicit
    let peer = try open(family: target.family, fullWindow: fullWindow, protocol: isMPTCP ? 262 : 0)
    sockets.peer = peer
    let scope = scopeIndex(holder.scope)
    try connect(peer, SocketAddress(target, port: port, scope: scope))
  }

  // MARK: connections from the port under test

  /// The main socket connected to a listener of the lab.
  mutating func connectClient(fullWindow: Bool = false) throws(CallFailure) {
    let target = clientTarget
    let listener = try open(family: plain(target).family, fullWindow: fullWindow)
    sockets.helpers.append(listener)
    let peerPort = try bindHelper(listener, plain(target))
    try step(.listen) { () throws(SystemError) in try SystemCalls.listen(listener, backlog: 8) }
    try openAndConnect(SocketAddress(target, port: peerPort, scope: scopeIndex(holder.scope)))
    guard SystemCalls.poll(listener, events: 1, milliseconds: 2000) else {
      throw CallFailure(.arrival, .tryAgain)
    }
    sockets.peer = try step(.accept) { () throws(SystemError) in try SystemCalls.accept(listener) }
  }

  mutating func buildUnusualClient() throws(CallFailure) {
    let scope = scopeIndex(holder.scope)
    switch holder.kind {
    case .synSent:
      try openAndConnect(SocketAddress(clientTarget, port: blackholePort, scope: scope), wait: false)
      try settle(sockets.main, .synSent)
    case .refused:
      let target = clientTarget
      let silent = try open(family: plain(target).family)
      sockets.helpers.append(silent)
      let silentPort = try bindHelper(silent, plain(target))
      do throws(CallFailure) {
        try openAndConnect(SocketAddress(target, port: silentPort, scope: scope))
        throw CallFailure(.settle, .invalidArgument)
      } catch {
        if error != CallFailure(.connect, SystemError(rawValue: 111)) { throw error }
      }
    case .selfConnected:
      try openAndConnect(SocketAddress(clientTarget, port: port, scope: scope))
    case .connected, .disconnected:
      if holder.transport == .udp {
        try openAndConnect(SocketAddress(clientTarget, port: 9, scope: scope))
      } else {
        try connectClient()
      }
      guard holder.kind == .disconnected, let main = sockets.main else { return }
      try step(.connect) { () throws(SystemError) in try SystemCalls.connect(main, .unspecified) }
    default:
      return
    }
  }

  private mutating func openAndConnect(_ address: SocketAddress, wait: Bool = true) throws(CallFailure) {
    try bindMain(inConnect: true)
    guard let main = sockets.main else { return }
    if holder.port == .explicit { return try connect(main, address, wait: wait) }
    try withAutomaticPort { () throws(CallFailure) in try connect(main, address, wait: wait) }
  }

  private func connect(_ descriptor: Int32, _ address: SocketAddress, wait: Bool = true) throws(CallFailure) {
    do throws(SystemError) {
      try SystemCalls.connect(descriptor, address)
    } catch {
      if error.rawValue != 115 { throw CallFailure(.connect, error) }
    }
    guard wait else { return }
    guard SystemCalls.poll(descriptor, events: 4, milliseconds: 500) else {
      throw CallFailure(.connect, SystemError(rawValue: 110))
    }
    let code = try step(.connect) { () throws(SystemError) in
      try SystemCalls.option(descriptor, SocketOption(level: 1, number: 4))
    }
    if let number = code.first, number != 0 { throw CallFailure(.connect, SystemError(rawValue: Int32(number))) }
  }

  // MARK: the lab's own sockets

  /// A socket of the lab; where the holder is on one end of the cable, it is on the other.
  private func open(
    family: AddressFamily, fullWindow: Bool = false, protocol number: Int32 = 0
  ) throws(CallFailure) -> Int32 {
    let descriptor = try step(.socket) { () throws(SystemError) in
      try SystemCalls.socket(family: family == .ipv4 ? 2 : 10, type: 1, protocol: number)
    }
    do {
      if fullWindow {
        try step(.option) { () throws(SystemError) in try SystemCalls.setOption(descriptor, .receiveBuffer, 1) }
      }
      let other: LabDevice? =
        switch holder.device {
        case .dev0: .dev1
        case .dev1: .dev0
        case .vrf0: .vrf0
        default: holder.peer?.isInVRF == true ? .vrf0 : nil
        }
      if let other { try step(.device) { () throws(SystemError) in try setDevice(descriptor, other) } }
    } catch {
      SystemCalls.close(descriptor)
      throw error
    }
    return descriptor
  }

  private func bindHelper(_ descriptor: Int32, _ address: IPAddress) throws(CallFailure) -> UInt16 {
    if port > 60000 { return try bindService(descriptor, address) }
    return try step(.bind) { () throws(SystemError) in
      try SystemCalls.bind(descriptor, SocketAddress(address, port: 0, scope: scopeIndex(holder.scope)))
      return try SystemCalls.localAddress(descriptor).port
    }
  }

  /// A port that connect(2) takes none of, as services have: clients are told from servers by it.
  private func bindService(_ descriptor: Int32, _ address: IPAddress) throws(CallFailure) -> UInt16 {
    try step(.option) { () throws(SystemError) in try SystemCalls.setOption(descriptor, .reuseaddr, 1) }
    return try step(.bind) { () throws(SystemError) in
      for offset in 0..<32 {
        let service = 1024 + (port &+ UInt16(offset) &* 31) % 900
        do throws(SystemError) {
          try SystemCalls.bind(descriptor, SocketAddress(address, port: service, scope: scopeIndex(holder.scope)))
          return service
        } catch {
          if error != .addressInUse { throw error }
        }
      }
      throw .addressInUse
    }
  }

  // MARK: addresses

  /// Where the holder's client connects to, in the holder's family.
  private var clientTarget: IPAddress {
    let target = holder.peer ?? defaultTarget(client: true)
    if holder.address.family == .ipv6, case .v4(let address) = target { return .v6(IPv6Address(mapping: address)) }
    return target
  }

  private func defaultTarget(client: Bool) -> IPAddress {
    let address = plain(holder.address)
    if address.family == .ipv4 {
      switch holder.device {
      case .dev0: return .v4(IPv4Address(10, client ? 78 : 77, 0, 1))
      case .dev1: return .v4(IPv4Address(10, client ? 77 : 78, 0, 1))
      case .vrf0: return .v4(IPv4Address(10, 79, 0, 1))
      default: break
      }
    } else if holder.device == .vrf0 {
      return .v6(IPv6Address(high: 0xfd79 << 48, low: 1))
    }
    switch address {
    case .v4(.any): return .v4(.loopback)
    case .v6(.any): return .v6(.loopback)
    default: return address
    }
  }

  /// An IPv4-mapped address as the IPv4 address that it is.
  private func plain(_ address: IPAddress) -> IPAddress {
    if case .v6(let v6) = address, let mapped = v6.mapped { .v4(mapped) } else { address }
  }
}
