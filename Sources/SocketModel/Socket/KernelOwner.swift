/// The part of the kernel that a socket belongs to.
public struct KernelOwner: Sendable, Hashable, CustomStringConvertible {
  /// `vxlan`, `geneve`, `bareudp`, `wireguard`, `ipvs`, `nfsd`, `lockd`.
  public var kind: String
  /// The network interface that the socket serves; nil where there is none.
  public var interface: String?

  /// One with these parts, each as its property says.
  public init(kind: String, interface: String? = nil) {
    self.kind = kind
    self.interface = interface
  }

  /// As a sentence calls it.
  public var description: String {
    if kind == "ipvs" { return "the IPVS synchronisation daemon" + (interface.map { " on \($0)" } ?? "") }
    return interface.map { "\(kind) interface \($0)" } ?? kind
  }
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
