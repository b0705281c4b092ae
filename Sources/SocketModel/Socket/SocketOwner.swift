/// Who stands behind a socket.
public enum SocketOwner: String, Sendable, Hashable, CaseIterable {
  /// At least one process holds a descriptor of it.
  case process
  /// The kernel itself, on positive evidence only.
  case kernel
  /// Nobody: TIME_WAIT, an orphan, a queued child.
  case none
  /// Somebody that cannot be seen: not permitted, another pid namespace, a descriptor in flight, io_uring.
  case hidden
}

/// The systemd socket unit that a port belongs to (systemd.socket(5)).
package struct SocketActivation: Sendable, Hashable {
  /// The unit, such as `ssh.socket`.
  package var unit: String
  /// What it starts, such as `ssh.service`; an instance of a template is written `NAME@.service`.
  package var activates: String
  /// The uid of the user manager that holds it; nil for the system manager, process 1.
  package var userManager: UInt32?

  package init(unit: String, activates: String, userManager: UInt32? = nil) {
    self.unit = unit
    self.activates = activates
    self.userManager = userManager
  }
}

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
