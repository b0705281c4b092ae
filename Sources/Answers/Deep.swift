import Evidence
import Linux
import Netlink
import Explanation
import SocketModel

/// What `--deep` finds besides the answer: where else the port is used, and what takes its traffic first.
///
/// None of it decides a bind, so it becomes notes; what cannot be looked at is left out.
struct DeepFindings {
  private var elsewhere: [(namespace: OtherNamespace, sockets: [SocketObservation])] = []
  private let redirects: [PortRedirect]
  /// Namespaces that were not entered.
  private let leftOut: Int

  /// A user may have thousands; each costs a thread and a dump.
  private static let mostNamespaces = 256

  /// One dump for each other namespace and transport.
  init(_ ports: ByTransport<ClosedRange<UInt16>>) {
    let reader = ProcessReader()
    redirects = HostReader().portRedirects()
    let namespaces = reader.otherNetworkNamespaces()
    leftOut = max(0, namespaces.count - Self.mostNamespaces)
    // Those that somebody gave a name to come first.
    for namespace in (namespaces.filter { $0.name != nil } + namespaces.filter { $0.name == nil }).prefix(
      Self.mostNamespaces)
    {
      let found = try? inNetworkNamespace(at: [namespace.path]) {
        ports.transports.flatMap { (try? SocketDump().sockets($0, ports: ports[$0])) ?? [] }
      }
      // Connections are no use of the port that somebody looks for.
      var sockets = (found ?? []).filter { $0.remote == nil }
      guard !sockets.isEmpty else { continue }
      _ = reader.examine(&sockets)
      elsewhere.append((namespace, sockets))
    }
  }

  func notes(_ transport: TransportProtocol, _ port: Port) -> [Note] {
    var notes: [Note] = []
    for rule in redirects where rule.transport == transport && rule.ports.contains(port.rawValue) {
      let note = Note.redirected(chain: rule.chain, to: rule.target.map { "\($0)" })
      if !notes.contains(note) { notes.append(note) }
    }
    for (namespace, sockets) in elsewhere {
      let ofPort = sockets.filter { $0.transport == transport && $0.local.port == port }
      guard !ofPort.isEmpty else { continue }
      notes.append(.otherNamespace(ofPort, name: namespace.name, inode: namespace.inode))
    }
    if leftOut > 0 { notes.append(.namespacesLeftOut(leftOut)) }
    return notes
  }
}
