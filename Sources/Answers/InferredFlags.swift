import SocketModel

/// Fills in flags that could not be read with those of the listener a connection came from.
///
/// A child starts with its listener's options (`sk_clone_lock`), but either may have changed since, and the listener
/// may be a later one: so the guess is shown as `inferred` and no rule uses it.
func withInferredFlags(_ sockets: [SocketObservation]) -> [SocketObservation] {
  let listeners = sockets.indices.filter { sockets[$0].state == .listen }
  guard !listeners.isEmpty else { return sockets }
  return sockets.map { socket in
    guard socket.transport == .tcp, socket.state != .listen, socket.remote != nil,
      let parent = listeners.first(where: { sockets[$0].mayHaveAccepted(socket) })
    else { return socket }
    var guessed = socket
    guessed.reuseaddr = inferred(socket.reuseaddr, from: parent, sockets[parent].reuseaddr)
    guessed.reuseport = inferred(socket.reuseport, from: parent, sockets[parent].reuseport)
    if let own = socket.v6only {
      guessed.v6only = inferred(own, from: parent, sockets[parent].v6only ?? .known(false, .sockDiag))
    }
    return guessed
  }
}

private func inferred(_ own: Knowledge<Bool>, from parent: Int, _ listeners: Knowledge<Bool>) -> Knowledge<Bool> {
  guard case .unknown(let reason) = own, let value = listeners.sure else { return own }
  return .inferred(value, from: parent, because: reason)
}
