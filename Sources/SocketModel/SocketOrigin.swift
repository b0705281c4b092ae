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
public struct KernelOwner: Sendable, Hashable {
  /// What of the kernel binds ports by itself; the kinds of interfaces are those of rtnetlink(7).
  public enum Kind: String, Sendable, Hashable, CaseIterable {
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

  /// The kind as the report names it.
  public var word: OpenWord<Kind>
  /// The network interface that the socket serves; nil where there is none.
  public var interface: String?

  /// A part of the kernel, as the report or rtnetlink(7) names it.
  public init(word: OpenWord<Kind>, interface: String? = nil) {
    self.word = word
    self.interface = interface
  }

  /// A part of the kernel of a known kind.
  public init(kind: Kind, interface: String? = nil) { self.init(word: .known(kind), interface: interface) }

  /// nil for a kind that this version does not know.
  public var kind: Kind? { word.known }
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
