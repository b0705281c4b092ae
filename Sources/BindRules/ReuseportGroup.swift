import SocketModel

// Sockets of one address that share it by SO_REUSEPORT form a group, into which a UDP socket comes at bind(2)
// (`udp_reuseport_add_sock`) and a TCP socket at listen(2) (`inet_reuseport_add_sock`).

/// How many sockets a group takes: it grows by doubling, while the double fits into 16 bits (`reuseport_grow`).
private let mostSocketsOfAGroup = 32_768

extension PortAnswer {
  /// This answer, or where `sk` may come into a group that is full, undetermined: UDP fails there with EADDRINUSE, TCP
  /// with ENOMEM. Who belongs to which group is shown nowhere.
  func withRoomInGroup(for sk: KernelSocket, _ transport: TransportProtocol, _ snapshot: Snapshot) -> PortAnswer {
    guard sk.reuseport, bind == .ok, listen == .ok, mayMeetFullGroup(sk, transport, snapshot) else { return self }
    var answer = self
    if transport == .udp { answer.bind = .undetermined }
    answer.listen = .undetermined
    answer.missing = [MissingFact(.reuseportGroup)]
    return answer
  }
}

/// Whether the group that `sk` comes into may be full. It is that of a socket like it, as things are now
/// (`inet_reuseport_add_sock`, `udp_reuseport_add_sock`); its members are all that ever came in: who clears
/// SO_REUSEPORT, is given to another user (fchown(2)) or moves to another device stays.
private func mayMeetFullGroup(_ sk: KernelSocket, _ transport: TransportProtocol, _ snapshot: Snapshot) -> Bool {
  guard snapshot.sockets.count >= mostSocketsOfAGroup else { return false }
  var (mayJoin, members) = (false, 0)
  for socket in snapshot.sockets where mayBeMember(socket, sk, transport) {
    members += 1
    mayJoin = mayJoin || mayTakeIn(socket, sk)
  }
  return mayJoin && members >= mostSocketsOfAGroup
}

/// Whether the group is sure to be full, if its members are still as they came in.
func isGroupFull(
  for sk: KernelSocket, _ transport: TransportProtocol, _ snapshot: Snapshot
) -> Bool {
  snapshot.sockets.lazy.filter { mayBeMember($0, sk, transport) && mayTakeIn($0, sk) }.count >= mostSocketsOfAGroup
}

/// What no member can change while it is one: UDP sockets leave their group when connect(2) gives them another address
/// (`udp_lib_rehash`).
private func mayBeMember(_ socket: SocketObservation, _ sk: KernelSocket, _ transport: TransportProtocol) -> Bool {
  guard socket.transport == transport, transport == .udp || socket.state == .listen else { return false }
  let facts = SocketFacts(socket)
  return facts.family == sk.family && facts.receiveAddress == sk.receiveAddress
    && facts.ipv6only ?? sk.ipv6only == sk.ipv6only
}

/// Whether a member lets `sk` into its group.
private func mayTakeIn(_ member: SocketObservation, _ sk: KernelSocket) -> Bool {
  member.device == sk.boundDevice && member.reuseport.sure != false && member.uid ?? sk.uid == sk.uid
}
