import HostEvidence
import Netlink
import Explanation
import ProcessEvidence
import SocketModel

/// What `--deep` finds besides the answer: where else the port is used, and what takes its traffic first.
///
/// None of it decides a bind, so it becomes notes; what cannot be looked at is left out.
struct DeepFindings {
  private var elsewhere: [(namespace: OtherNamespace, sockets: [SocketObservation])] = []
  private let redirects: [PortRedirect]

  /// One dump for each other namespace and transport.
  init(_ ports: ByTransport<ClosedRange<UInt16>>) {
    let reader = ProcessReader()
    redirects = HostReader().portRedirects()
    for namespace in reader.otherNetworkNamespaces() {
      let found = inNetworkNamespace(namespace.path) {
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
    redirects(transport, port)
      + elsewhere.compactMap { namespace, sockets in
        note(namespace, sockets.filter { $0.transport == transport && $0.local.port == port })
      }
  }

  private func redirects(_ transport: TransportProtocol, _ port: Port) -> [Note] {
    let caught = redirects.filter { $0.transport == transport && $0.ports.contains(port.rawValue) }
    var notes: [Note] = []
    for rule in caught {
      let note = Note(
        kind: "redirected",
        text:
          "a firewall rule in \(rule.chain) sends traffic for this port\(rule.target.map { " to \($0)" } ?? " elsewhere"),"
          + " before a socket sees it: a bind works, but what the rule matches never arrives")
      if !notes.contains(note) { notes.append(note) }
    }
    return notes
  }

  private func note(_ namespace: OtherNamespace, _ sockets: [SocketObservation]) -> Note? {
    guard !sockets.isEmpty else { return nil }
    let processes = sockets.flatMap(\.processes)
    let container = processes.lazy.compactMap(\.container).first
    let holder = processes.first?.text ?? "a hidden process"
    let place =
      namespace.name ?? container.map { "container \($0.count == 64 ? String($0.prefix(12)) : $0)" }
      ?? "net:[\(namespace.inode)]"
    return Note(
      kind: "other-namespace",
      text: "\(holder) has the port in another network namespace (\(place)), which does not block this one")
  }
}
