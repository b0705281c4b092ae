/// The systemd socket unit that a port belongs to (systemd.socket(5)).
public struct SocketActivation: Sendable, Hashable {
  /// The unit, such as `ssh.socket`.
  public var unit: String
  /// What it starts, such as `ssh.service`; an instance of a template is written `NAME@.service`.
  public var activates: String
  /// The uid of the user manager that holds it; nil for the system manager, process 1.
  public var userManager: UInt32?

  /// One with these parts, each as its property says.
  public init(unit: String, activates: String, userManager: UInt32? = nil) {
    self.unit = unit
    self.activates = activates
    self.userManager = userManager
  }
}

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
public struct KernelPort: Sendable, Hashable {
  /// TCP or UDP.
  public var transport: TransportProtocol
  /// The port.
  public var port: Port
  /// What in the kernel has it.
  public var owner: KernelOwner
  /// The families its sockets may be of.
  public var families: Set<AddressFamily>

  /// One with these parts, each as its property says.
  public init(
    transport: TransportProtocol, port: Port, owner: KernelOwner, families: Set<AddressFamily> = [.ipv4, .ipv6]
  ) {
    self.transport = transport
    self.port = port
    self.owner = owner
    self.families = families
  }
}
