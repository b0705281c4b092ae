package import SocketModel

/// One line of /proc/net/tcp, tcp6, udp or udp6 (proc(5)).
package struct SocketTableRow: Sendable, Hashable {
  /// TCP or UDP.
  package var transport: TransportProtocol
  /// AF_INET or AF_INET6.
  package var family: AddressFamily
  /// The local address and port.
  package var local: Endpoint
  /// The address and port of the peer.
  package var remote: Endpoint
  /// The column `st`.
  package var state: SocketState
  /// The user it belongs to.
  package var uid: UInt32
  /// 0 where no descriptor exists.
  package var inode: UInt64
}

extension NetworkNamespace {
  /// The sockets of a port as /proc/thread-self/net shows them: a witness that is not sock_diag.
  ///
  /// Sockets that are only bound are not in it.
  package func socketTable(_ port: Port) throws(SystemError) -> [SocketTableRow] {
    try readSocketTable(port)
  }
}

/// Reads the tables of the calling thread's namespace, two for each protocol.
func readSocketTable(
  _ port: Port, _ transports: [TransportProtocol] = TransportProtocol.allCases
) throws(SystemError) -> [SocketTableRow] {
  let hex = String(port.rawValue, radix: 16, uppercase: true)
  let suffix = Array((String(repeating: "0", count: 4 - hex.utf8.count) + hex).utf8)
  var rows: [SocketTableRow] = []
  for (transport, family, name) in tables where transports.contains(transport) {
    let bytes = try SystemCalls.readFile("/proc/thread-self/net/\(name)")
    for line in bytes.split(separator: 10).dropFirst() where hasLocalPort(line, suffix) {
      let words = String(decoding: line, as: UTF8.self).split(separator: " ")
      guard words.count >= 10, let local = endpoint(words[1]), let remote = endpoint(words[2]),
        local.port == port, let state = UInt8(words[3], radix: 16)
      else { continue }
      rows.append(
        SocketTableRow(
          transport: transport, family: family, local: local, remote: remote, state: SocketState(rawValue: state),
          uid: UInt32(words[7]) ?? 0, inode: UInt64(words[9]) ?? 0))
    }
  }
  return rows
}

/// A look at the second word alone: after thousands of copies the tables are full of TIME_WAIT.
private func hasLocalPort(_ line: ArraySlice<UInt8>, _ suffix: [UInt8]) -> Bool {
  let words = line.split(separator: 32, maxSplits: 2)
  return words.count > 1 && words[1].suffix(4) == suffix[...]
}

private let tables: [(TransportProtocol, AddressFamily, String)] = [
  (.tcp, .ipv4, "tcp"), (.tcp, .ipv6, "tcp6"), (.udp, .ipv4, "udp"), (.udp, .ipv6, "udp6"),
]

/// Reads `0100007F:1F90`: 32-bit words in memory order, printed as numbers; the port as a number.
private func endpoint(_ text: Substring) -> Endpoint? {
  let parts = text.split(separator: ":")
  guard parts.count == 2, let port = UInt16(parts[1], radix: 16) else { return nil }
  var words: [UInt64] = []
  var rest = parts[0]
  while !rest.isEmpty {
    guard let word = UInt32(rest.prefix(8), radix: 16) else { return nil }
    words.append(UInt64(word.bigEndian))
    rest = rest.dropFirst(8)
  }
  switch words.count {
  case 1: return Endpoint(address: .v4(IPv4Address(bits: UInt32(words[0]))), port: Port(port))
  case 4:
    let address = IPv6Address(high: words[0] << 32 | words[1], low: words[2] << 32 | words[3])
    return Endpoint(address: .v6(address), port: Port(port))
  default: return nil
  }
}
