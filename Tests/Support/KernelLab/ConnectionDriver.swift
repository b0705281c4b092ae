import SocketModel

/// Brings an ESTABLISHED connection into the state a holder wants, and waits until it is there.
struct ConnectionDriver {
  var own: Int32?
  var peer: Int32?

  /// The own end's descriptor; nil where the state is one of a closed socket.
  func drive(to state: ConnectionState) throws(CallFailure) -> Int32? {
    guard let own, let peer else { throw CallFailure(.settle, .noEntry) }
    if state.needsFullWindow { try fillWindow(own) }
    switch state {
    case .established:
      return own
    case .finWait1, .finWait1Orphan:
      try end(own, .finWait1)
    case .finWait2, .finWait2TimeWait, .finWait2Orphan, .timeWait:
      if state == .finWait2Orphan {
        try step(.option) { () throws(SystemError) in try SystemCalls.setOption(own, .tcpLinger2, 120) }
      }
      try end(own)
      try settle(peer, .closeWait)
      // Reading the end of the stream and then asking sends the acknowledgement of the FIN now. Else it may take
      // 40 ms, with the state FIN_WAIT1 so long.
      _ = try? SystemCalls.receive(peer, atMost: 1)
      try step(.option) { () throws(SystemError) in try SystemCalls.setOption(peer, .tcpQuickAck, 1) }
      try settle(own, .finWait2)
    case .closeWait:
      try end(peer)
      try settle(own, .closeWait)
    case .lastAck, .lastAckOrphan:
      try end(peer)
      try settle(own, .closeWait)
      try end(own, .lastAck)
    case .closing, .closingOrphan:
      try end(own, .finWait1)
      try end(peer)
      try settle(own, .closing)
    }
    switch state {
    case .finWait1, .finWait2, .closeWait, .lastAck, .closing, .established:
      return own
    case .finWait1Orphan, .finWait2Orphan, .finWait2TimeWait, .lastAckOrphan, .closingOrphan:
      SystemCalls.close(own)
      return nil
    case .timeWait:
      SystemCalls.close(own)
      try end(peer)
      // The peer is closed when its FIN was acknowledged, which the other end does as it enters TIME_WAIT.
      try settle(peer, .close)
      return nil
    }
  }

  /// shutdown(SHUT_WR), and the state that follows.
  private func end(_ descriptor: Int32, _ state: SocketState? = nil) throws(CallFailure) {
    try step(.shutdown) { () throws(SystemError) in try SystemCalls.shutdown(descriptor, how: 1) }
    if let state { try settle(descriptor, state) }
  }

  /// Sends until nothing more is taken: what comes after, the FIN too, stays in the send queue.
  private func fillWindow(_ descriptor: Int32) throws(CallFailure) {
    try step(.option) { () throws(SystemError) in try SystemCalls.setOption(descriptor, .sendBuffer, 1) }
    let block = [UInt8](repeating: 0, count: 16384)
    for _ in 0..<1000 {
      do {
        _ = try SystemCalls.send(descriptor, block)
      } catch {
        if error == .tryAgain { return }
        throw CallFailure(.settle, error)
      }
    }
  }
}

/// What getsockopt(TCP_INFO) says of a socket.
struct TCPInfo {
  /// `tcpi_state`.
  var state: SocketState
  /// `tcpi_unacked`: for a listener the connections that wait for accept(2).
  var queued: Int
}

func tcpInfo(_ descriptor: Int32) -> TCPInfo? {
  guard let bytes = try? SystemCalls.option(descriptor, .tcpInfo, size: 104), bytes.count >= 28 else { return nil }
  let queued = bytes[24..<28].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
  return TCPInfo(state: SocketState(rawValue: bytes[0]), queued: Int(queued))
}

/// Waits until a socket is in a state, at least two seconds: packets on loopback are normally dealt with inside the call
/// that sends them, but a busy machine may leave them to a kernel thread.
func settle(_ descriptor: Int32?, _ state: SocketState) throws(CallFailure) {
  guard let descriptor else { throw CallFailure(.settle, .noEntry) }
  for round in 0..<4500 {
    guard let now = tcpInfo(descriptor)?.state else { throw CallFailure(.settle, .invalidArgument) }
    if now == state { return }
    SystemCalls.pause(round: round)
  }
  throw CallFailure(.settle, SystemError(rawValue: 110))
}
