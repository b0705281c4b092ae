import SocketModel

/// The sockets without the uids that may stand for anybody.
///
/// The kernel shows a uid that is not mapped into the reader's user namespace as the overflow uid
/// (`from_kuid_munged`): two such sockets may belong to different users, and it may be a mapped user's own uid too.
func withoutUnmappedUsers(_ sockets: [SocketObservation], overflow: UInt32?) -> [SocketObservation] {
  guard let overflow else { return sockets }
  return sockets.map { socket in
    var socket = socket
    if socket.uid == overflow { socket.uid = nil }
    return socket
  }
}
