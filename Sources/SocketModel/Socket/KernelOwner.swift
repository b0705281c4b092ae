/// The part of the kernel that a socket belongs to.
package struct KernelOwner: Sendable, Hashable {
  /// What of the kernel binds ports by itself; the kinds of interfaces are those of rtnetlink(7).
  package enum Kind: String, Sendable, Hashable, CaseIterable {
    case vxlan
    case geneve
    case bareudp
    case wireguard
    /// The connection synchronisation of IPVS.
    case ipvs
    /// The NFS server.
    case nfsd
    /// The NFS lock manager.
    case lockd
  }

  /// Which part, in the word of the report.
  package var word: OpenWord<Kind>
  /// The network interface that the socket serves; nil where there is none.
  package var interface: String?

  /// A part of the kernel, as the report or rtnetlink(7) names it.
  package init(word: OpenWord<Kind>, interface: String? = nil) {
    self.word = word
    self.interface = interface
  }

  /// A part of the kernel of a known kind.
  package init(kind: Kind, interface: String? = nil) { self.init(word: .known(kind), interface: interface) }

  package var kind: Kind? { word.known }
}

/// A port that the kernel itself says it uses.
package struct KernelPort: Sendable, Hashable {
  /// TCP or UDP.
  package var transport: TransportProtocol
  /// The port.
  package var port: Port
  /// What in the kernel has it.
  package var owner: KernelOwner
  /// The families its sockets may be of.
  package var families: Set<AddressFamily>

  package init(
    transport: TransportProtocol, port: Port, owner: KernelOwner, families: Set<AddressFamily> = [.ipv4, .ipv6]
  ) {
    self.transport = transport
    self.port = port
    self.owner = owner
    self.families = families
  }
}
