import SocketModel

/// Fills in flags that could not be read with those of the listener a connection came from.
///
/// A child starts with its listener's options (`sk_clone_lock`), but either may have changed since, and the listener
/// may be a later one: so the guess is shown as `inferred` and no rule uses it.
func withInferredFlags(_ sockets: [SocketObservation]) -> [SocketObservation] {
  guard sockets.contains(where: \.mayInherit) else { return sockets }
  let listeners = Listeners(sockets)
  return sockets.map { socket in
    guard socket.mayInherit, let parent = listeners.first(of: socket) else { return socket }
    var guessed = socket
    guessed.reuseaddr = inferred(socket.reuseaddr, from: parent, sockets[parent].reuseaddr)
    guessed.reuseport = inferred(socket.reuseport, from: parent, sockets[parent].reuseport)
    if let own = socket.v6only {
      guessed.v6only = inferred(own, from: parent, sockets[parent].v6only ?? .known(false, .sockDiag))
    }
    return guessed
  }
}

/// The listeners of a port by their address: a port may have thousands of each.
private struct Listeners {
  private var byAddress: [IPAddress: Int] = [:]
  private var wildcards: [AddressFamily: Int] = [:]

  init(_ sockets: [SocketObservation]) {
    for (index, socket) in sockets.enumerated() where socket.state == .listen {
      if byAddress[socket.local.address] == nil { byAddress[socket.local.address] = index }
      if socket.local.address.isUnspecified, wildcards[socket.family] == nil { wildcards[socket.family] = index }
    }
  }

  /// The first that may have accepted the connection (`mayHaveAccepted`).
  func first(of child: SocketObservation) -> Int? {
    let candidates = [byAddress[child.local.address], wildcards[child.family]]
    return candidates.compactMap { $0 }.min()
  }
}

extension SocketObservation {
  /// A connection of which a flag is not known.
  fileprivate var mayInherit: Bool {
    transport == .tcp && state != .listen && remote != nil
      && (reuseaddr.isUnknown || reuseport.isUnknown || v6only?.isUnknown == true)
  }
}

extension Knowledge {
  fileprivate var isUnknown: Bool { if case .unknown = self { true } else { false } }
}

private func inferred(_ own: Knowledge<Bool>, from parent: Int, _ listeners: Knowledge<Bool>) -> Knowledge<Bool> {
  guard case .unknown(let reason) = own, let value = listeners.sure else { return own }
  return .inferred(value, from: parent, because: reason)
}
