import BindRules
import SocketModel

// Where a client has the port: it did nothing wrong, so its end comes last.

extension Situation {
  /// Whether all that is in the way are clients.
  var isHeldByClients: Bool {
    let sockets = blockingSockets
    return !sockets.isEmpty && sockets.allSatisfy { [.client, .selfConnection].contains(role($0)) }
  }
}

/// Closing the connections instead of ending their clients, ss(8) `-K`.
///
/// The kernel frees the port then if it had chosen it (`tcp_set_state`); one that was asked for by bind(2) stays with
/// the socket until its program closes it.
func closeConnections(_ situation: Situation) -> [Suggestion] {
  let sockets = situation.blockingSockets
  let range = situation.snapshot.host.localPortRange
  guard situation.isHeldByClients, sockets.count <= 4, range?.contains(situation.attempt.port.rawValue) == true else {
    return []
  }
  var after = situation.snapshot
  after.sockets.removeAll { sockets.contains($0) }
  guard situation.verdict(in: after) == .ok else { return [] }
  var filter: [String] = []
  for socket in sockets {
    guard let remote = socket.remote else { return [] }
    let words = ["src", socket.local.text, "dst", remote.text]
    filter += (filter.isEmpty ? [] : ["or"]) + (sockets.count > 1 ? ["("] + words + [")"] : words)
  }
  let transport = situation.attempt.transport == .tcp ? "-t" : "-u"
  let them = sockets.count == 1 ? "the connection" : "the \(sockets.count) connections"
  return [
    Suggestion(
      kind: .closeConnection, certainty: .when(.portWasChosen),
      text: "close \(them), and leave \(sockets.holderNames) alone",
      command: situation.snapshot.host.asRoot(["ss", "-K", transport] + filter))
  ]
}

extension CauseEntry {
  /// Keeping the clients that ask for a reserved port off this one.
  static let keepReservedPort: Remedies = { situation in
    let port = situation.attempt.port
    let isKernels = situation.blockingSockets.contains { $0.owner != .process }
    let setting =
      isKernels
      ? "keep NFS mounts off the port: raise sunrpc.min_resvport above \(port), or mount with noresvport"
      : "keep such clients off the port: add \(port) to /etc/bindresvport.blacklist"
    return [
      Suggestion(
        kind: .changeSetting, certainty: .when(.startsAtBoot),
        text: "start the server before \(situation.blockingSockets.holderNames)"),
      Suggestion(kind: .changeSetting, certainty: .when(.happensAgain), text: setting),
    ]
  }
}
