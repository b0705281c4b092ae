import Evidence
import Linux
public import SocketModel

// Every port in use. It plans nothing, so it asks the rules nothing.

/// How much of the sockets an overview is for.
package enum OverviewDetail: Sendable, Hashable {
  /// Everything of every socket.
  case everySocket
  /// What a table of ports shows: the options of the sockets that hold a port, whose connections are counted. To hold each
  /// connection and ask for its options, too, takes most of the time and of the memory where there are many.
  case table

  /// Up to this many ports of outgoing connections have a line each in the table; more are counted by owner.
  package static let clientPortsShown = 16

  /// Which of these sockets are asked for their options for a table.
  func isAsked(_ sockets: [SocketObservation], _ host: HostFacts) -> (SocketObservation) -> Bool {
    let held = Set(sockets.lazy.filter(\.holdsPort).map(\.place))
    let clients = Set(sockets.lazy.filter { host.mayBeClientPort($0) && !held.contains($0.place) }.map(\.place))
    let areShown = clients.count <= Self.clientPortsShown
    return { $0.holdsPort || !held.contains($0.place) && (areShown || !clients.contains($0.place)) }
  }
}

/// A port of one transport.
private struct Place: Hashable {
  var transport: TransportProtocol
  var port: Port
}

extension SocketObservation {
  fileprivate var place: Place { Place(transport: transport, port: local.port) }

  /// It listens, or waits for no particular peer.
  package var holdsPort: Bool { state == .listen || state == .close }
}

extension HostFacts {
  /// The port is of the range from which connect(2) takes one.
  package func mayBeClientPort(_ socket: SocketObservation) -> Bool {
    socket.transport == .tcp && localPortRange?.contains(socket.local.port.rawValue) == true
  }
}

extension Portwhy {
  /// Looks at every port in use of these transports.
  public static func overview(
    _ transports: [TransportProtocol], in namespace: NamespaceReference? = nil
  ) throws(PortwhyError) -> Report {
    try overview(transports, in: namespace, .everySocket)
  }

  package static func overview(
    _ transports: [TransportProtocol], in namespace: NamespaceReference?, _ detail: OverviewDetail
  ) throws(PortwhyError) -> Report {
    guard let namespace else { return try overviewHere(transports, detail) }
    return try namespace.look { () throws(PortwhyError) in try overviewHere(transports, detail) }
  }

  private static func overviewHere(
    _ transports: [TransportProtocol], _ detail: OverviewDetail
  ) throws(PortwhyError) -> Report {
    let started = Clock.now
    // /proc has to be walked through anyway for sockets that are most of the host's.
    let gathering = try Gathering(
      ports: ByTransport(transports, 0...(.max)), needs: [.networkNamespace, .localPortRange, .userMapping],
      bpf: false, detail: detail)
    let plan = Plan(uid: gathering.host.uid)
    let targets = transports.flatMap { transport in
      Dictionary(grouping: gathering.sockets[transport] ?? [], by: \.local.port).sorted { $0.key < $1.key }.map {
        var target = TargetReport(
          transport: transport, port: $0.key, plan: plan, verdict: nil, sockets: $0.value, attempts: [])
        target.unlistedConnections = gathering.unlisted[transport]?[$0.key] ?? 0
        return target
      }
    }
    return Report(
      version: Portwhy.version, capturedAt: started, host: gathering.host, visibility: gathering.visibility,
      targets: targets)
  }
}
