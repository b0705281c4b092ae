import BindRules
import Evidence
import Explanation
import Linux
import Netlink
package import SocketModel

/// A port that somebody uses, in as few words as a shell shows beside it.
package struct PortInUse: Sendable, Hashable {
  /// The port's protocol.
  package var transport: TransportProtocol
  /// The local port.
  package var port: Port
  /// The state that says most of those of its sockets: LISTEN before BOUND before every other.
  package var state: SocketState
  /// The short command names of those of its holders that were found in time, each once, in no order that matters.
  package var commands: [String]

  /// A port with what is known of it.
  package init(transport: TransportProtocol, port: Port, state: SocketState, commands: [String]) {
    self.transport = transport
    self.port = port
    self.state = state
    self.commands = commands
  }
}

extension Portwhy {
  /// The ports that servers use: those with a listening or a bound socket, and below the range of ephemeral ports
  /// (`net.ipv4.ip_local_port_range`) those of every connection and TIME_WAIT as well. Ascending, TCP first.
  ///
  /// Made for completion: two or three dumps, then a walk of /proc that ends when its time is up.
  /// - Parameters:
  ///   - ports: a range outside which nothing is wanted.
  ///   - namespace: nil for the calling thread's.
  ///   - nameTime: microseconds of processor time for finding the names of holders; 0 for none.
  ///   - namesUpTo: with more ports than these no names are looked for.
  ///   - isWanted: the ports to return.
  package static func portsInUse(
    _ transports: [TransportProtocol], ports: ClosedRange<UInt16> = 0...(.max),
    in namespace: NamespaceReference? = nil, nameTime: UInt64,
    namesUpTo most: Int = .max, where isWanted: (Port) -> Bool = { _ in true }
  ) throws(PortwhyError) -> [PortInUse] {
    guard let namespace else { return try portsInUseHere(transports, ports, nameTime, most, isWanted) }
    return try namespace.look { () throws(PortwhyError) in
      try portsInUseHere(transports, ports, nameTime, most, isWanted)
    }
  }

  private static func portsInUseHere(
    _ transports: [TransportProtocol], _ ports: ClosedRange<UInt16>, _ nameTime: UInt64, _ most: Int,
    _ isWanted: (Port) -> Bool
  ) throws(PortwhyError) -> [PortInUse] {
    var groups: [(transport: TransportProtocol, glances: ArraySlice<SocketGlance>)] = []
    do throws(NetlinkError) {
      for transport in transports {
        let glances = try serverSockets(transport, ports).filter { isWanted($0.port) }.sorted { $0.port < $1.port }
        var rest = glances[...]
        while let port = rest.first?.port {
          let group = rest.prefix { $0.port == port }
          groups.append((transport, group))
          rest = rest[group.endIndex...]
        }
      }
    } catch {
      throw PortwhyError(error)
    }
    let wantsNames = nameTime > 0 && groups.count <= most
    let inodes = wantsNames ? Set(groups.flatMap { $0.glances.compactMap(\.inode) }) : []
    let names = ProcessReader().commandNames(of: inodes, within: nameTime)
    return groups.compactMap { group in
      guard let first = group.glances.min(by: { rank($0.state) < rank($1.state) }) else { return nil }
      let commands = names.isEmpty ? [] : Set(group.glances.compactMap { $0.inode.flatMap { names[$0] } }).sorted()
      return PortInUse(transport: group.transport, port: first.port, state: first.state, commands: commands)
    }
  }

  private static func serverSockets(
    _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>
  ) throws(NetlinkError) -> [SocketGlance] {
    let dump = SocketDump()
    let holding = try dump.glances(transport, .holding, ports: ports)
    let ephemeral = try HostReader().read(.localPortRange).localPortRange ?? 32768...60999
    guard transport == .tcp, ephemeral.lowerBound > ports.lowerBound else { return holding }
    let others = ports.lowerBound...min(ports.upperBound, ephemeral.lowerBound - 1)
    return holding + (try dump.glances(.tcp, .connections, ports: others))
  }

  private static func rank(_ state: SocketState) -> Int {
    switch state {
    case .listen: 0
    case .close: 1
    case .established: 2
    default: 3
    }
  }

  /// The names of the interfaces of a network namespace, in the kernel's order.
  /// - Parameter namespace: nil for the calling thread's.
  package static func interfaceNames(in namespace: NamespaceReference? = nil) throws(PortwhyError) -> [String] {
    let read = { () throws(PortwhyError) -> [String] in
      do throws(NetlinkError) { return try RouteDump().interfaces().map(\.name) } catch { throw PortwhyError(error) }
    }
    guard let namespace else { return try read() }
    return try namespace.look(read)
  }

  /// Every other network namespace that can be seen, with a word that stands for it and what it is: the name that
  /// ip-netns(8) gave it, or a process in it.
  package static func otherNamespaces() -> [(reference: NamespaceReference, description: String)] {
    let reader = ProcessReader()
    let files = reader.newFiles()
    defer { files.end() }
    let namespaces = reader.otherNetworkNamespaces(files)
    let unnamed = namespaces.filter { $0.name == nil }.compactMap(\.process)
    let commands = unnamed.isEmpty ? [:] : reader.commands(of: unnamed, files)
    return namespaces.compactMap { namespace in
      if let name = namespace.name { return (.name(name), "named by ip netns") }
      guard let process = namespace.process else { return nil }
      return (.process(process), commands[process] ?? "net:[\(namespace.inode)]")
    }
  }
}
