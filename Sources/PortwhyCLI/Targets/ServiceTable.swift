internal import SocketModel

/// The names of ports, as services(5) lists them.
///
/// Read here and not by getservbyname(3): that keeps its answer in static storage and walks the name service
/// switch, which may ask the network, for a file of 300 lines.
struct ServiceTable: Hashable {
  private var ports: [TransportProtocol: [String: UInt16]] = [:]

  /// Reads `NAME PORT/PROTOCOL [ALIAS…] [# comment]` lines; what does not have that shape is skipped. The first
  /// entry of a name counts, as with getservbyname(3).
  init(parsing text: String) {
    for line in text.split(separator: "\n") {
      let entry = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
      guard entry.count >= 2 else { continue }
      let target = entry[1].split(separator: "/", omittingEmptySubsequences: false)
      guard target.count == 2, let port = UInt16(target[0]), port > 0,
        let transport = TransportProtocol(rawValue: String(target[1]))
      else { continue }
      for name in [entry[0]] + entry[2...] where ports[transport]?[String(name)] == nil {
        ports[transport, default: [:]][String(name)] = port
      }
    }
  }

  /// Every name with its port, sorted by name.
  var entries: [(name: String, transport: TransportProtocol, port: UInt16)] {
    ports.flatMap { transport, names in names.map { (name: $0.key, transport: transport, port: $0.value) } }
      .sorted { ($0.name, $0.transport.rawValue) < ($1.name, $1.transport.rawValue) }
  }

  func port(named name: String, _ transport: TransportProtocol) -> UInt16? {
    ports[transport]?[name]
  }
}
