package import SocketModel

/// The sockets of one transport as a table of ports shows them: whole where they have a line or a part of one, else counted,
/// so that a host with hundreds of thousands of connections takes no memory for them.
package struct PortCensus: Sendable, Hashable {
  /// IPv4 first, and inside a family in the order of the kernel's dump: what holds a port, every socket of a port that
  /// nobody holds, and of the ports of clients, where there are too many to be shown, the first of each.
  package var sockets: [SocketObservation]
  /// How many connections each port has that is held.
  package var connections: [Port: Int]
}

extension SocketDump {
  /// Reads what holds a port, then the connections. One that changes from one into the other meanwhile may come twice.
  ///
  /// - Parameters:
  ///   - clientPorts: from which connect(2) takes one; nil for none.
  ///   - most: up to so many of the ports of clients are shown.
  package func census(
    _ transport: TransportProtocol, clientPorts: ClosedRange<UInt16>?, shown most: Int
  ) throws(NetlinkError) -> PortCensus {
    let holding = try holders(transport)
    var tally = Tally(held: holding, clientPorts: clientPorts, most: most)
    if transport == .tcp {
      do throws(NetlinkError) {
        tally = try count(.tcpOfBothFamilies, transport, tally)
        return tally.census(beside: holding)
      } catch .refused(_, .invalidArgument) {
        // Kernels that no longer know this request are asked for one family after the other.
      }
    }
    tally = try count(.family(transport, .ipv4), transport, tally)
    do throws(NetlinkError) {
      tally = try count(.family(transport, .ipv6), transport, tally)
    } catch .interfaceMissing(_, .noEntry) {
      // IPv4 was answered, so sock_diag is there and IPv6 is not.
    }
    return tally.census(beside: holding)
  }

  private func count(
    _ table: SocketDumpRequest.Table, _ transport: TransportProtocol, _ initial: Tally
  ) throws(NetlinkError) -> Tally {
    let request = SocketDumpRequest(table, ports: nil, states: SocketStates.connections.mask)
    let dump = NetlinkDump(family: .sockDiag, replyType: request.type, transport: self.transport)
    return try dump.reduce(into: initial, request: request.encoded) {
      (tally, bytes, payload) throws(WireError) in
      let port = try localPort(of: payload, in: bytes)
      guard tally.wants(port, try AddressFamily(parsing: bytes, at: payload.lowerBound, in: payload)) else { return }
      tally.take(try SocketObservation(parsing: bytes, payload, transport: transport))
    }
  }
}

/// The connections that were met so far.
private struct Tally {
  private let isHeld: [Bool]
  private let clientPorts: ClosedRange<UInt16>?
  private let most: Int
  private var connections: [UInt16: Int] = [:]
  /// Of the ports that nobody holds.
  private var others: [SocketObservation] = []
  /// The first socket of each port of a client.
  private var clients: [UInt16: SocketObservation] = [:]
  private var areFolded = false

  init(held: [SocketObservation], clientPorts: ClosedRange<UInt16>?, most: Int) {
    var isHeld = [Bool](repeating: false, count: Int(UInt16.max) + 1)
    for socket in held { isHeld[Int(socket.local.port.rawValue)] = true }
    self.isHeld = isHeld
    self.clientPorts = clientPorts
    self.most = most
  }

  /// Whether the next socket is to be read as a whole; else it was counted.
  mutating func wants(_ port: UInt16, _ family: AddressFamily) -> Bool {
    if isHeld[Int(port)] {
      connections[port, default: 0] += 1
      return false
    }
    guard areFolded, clientPorts?.contains(port) == true, let first = clients[port] else { return true }
    return first.family == .ipv6 && family == .ipv4
  }

  mutating func take(_ socket: SocketObservation) {
    let port = socket.local.port.rawValue
    guard let clientPorts, clientPorts.contains(port) else {
      others.append(socket)
      return
    }
    let first = clients[port]
    if first == nil || first?.family == .ipv6 && socket.family == .ipv4 { clients[port] = socket }
    if !areFolded { others.append(socket) }
    guard !areFolded, clients.count > most else { return }
    areFolded = true
    others.removeAll { clientPorts.contains($0.local.port.rawValue) }
  }

  func census(beside holding: [SocketObservation]) -> PortCensus {
    let folded = areFolded ? clients.values.sorted { $0.local.port < $1.local.port } : []
    let rest = eachOnce(others + folded)
    return PortCensus(
      sockets: holding + rest.filter { $0.family == .ipv4 } + rest.filter { $0.family == .ipv6 },
      connections: Dictionary(uniqueKeysWithValues: connections.map { (Port($0), $1) }))
  }
}
