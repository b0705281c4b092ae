import SocketModel

// Sockets of one address that share it by SO_REUSEPORT form a group, into which a UDP socket comes at bind(2)
// (`udp_reuseport_add_sock`) and a TCP socket at listen(2) (`inet_reuseport_add_sock`).

/// How many sockets a group takes: it grows by doubling, while the double fits into 16 bits (`reuseport_grow`).
private let mostSocketsOfAGroup = 32_768

extension PortAnswer {
  /// This answer, or where `sk` may come into a group that is full, undetermined: UDP fails there with EADDRINUSE, TCP
  /// with ENOMEM. Who belongs to which group is shown nowhere.
  func withRoomInGroup(for sk: KernelSocket, _ transport: TransportProtocol, _ snapshot: Snapshot) -> PortAnswer {
    guard sk.reuseport, bind == .ok, listen == .ok, snapshot.sockets.count >= mostSocketsOfAGroup else { return self }
    let members = snapshot.sockets.lazy.filter { mayShareGroup($0, sk, transport) }.count
    guard members >= mostSocketsOfAGroup else { return self }
    var answer = self
    if transport == .udp { answer.bind = .undetermined }
    answer.listen = .undetermined
    answer.missing = [MissingFact(.reuseportGroup)]
    return answer
  }
}

private func mayShareGroup(_ socket: SocketObservation, _ sk: KernelSocket, _ transport: TransportProtocol) -> Bool {
  guard socket.transport == transport, transport == .udp || socket.state == .listen else { return false }
  let facts = SocketFacts(socket)
  return facts.family == sk.family && facts.boundDevice == sk.boundDevice && facts.receiveAddress == sk.receiveAddress
    && facts.reuseport != false && facts.ipv6only ?? sk.ipv6only == sk.ipv6only && facts.uid ?? sk.uid == sk.uid
}
