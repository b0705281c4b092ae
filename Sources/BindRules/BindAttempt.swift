public import SocketModel

/// The reuse options of a planned socket, set before bind(2).
public struct ReuseOptions: OptionSet, Sendable, Hashable {
  /// Bit 0 is SO_REUSEADDR, bit 1 SO_REUSEPORT.
  public let rawValue: UInt8
  /// Bits as `reuseaddr` and `reuseport` have them.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// SO_REUSEADDR, socket(7).
  public static let reuseaddr = ReuseOptions(rawValue: 1)
  /// SO_REUSEPORT, socket(7).
  public static let reuseport = ReuseOptions(rawValue: 2)

  /// The names of the man page, SO_REUSEADDR first; empty for none.
  package var socketOptions: [String] {
    (contains(.reuseaddr) ? ["SO_REUSEADDR"] : []) + (contains(.reuseport) ? ["SO_REUSEPORT"] : [])
  }

  /// The four combinations, in the order of the report: none, SO_REUSEADDR, SO_REUSEPORT, both.
  public static let combinations: [ReuseOptions] = [[], .reuseaddr, .reuseport, [.reuseaddr, .reuseport]]
}

/// The interface a planned socket is bound to with SO_BINDTODEVICE.
package enum BindDevice: Sendable, Hashable {
  case interface(InterfaceIndex, name: String)
  /// The host has no interface of this name: setsockopt(2) fails with ENODEV.
  case missing(name: String)
}

/// A bind(2), and for TCP the listen(2) after it, that somebody plans: everything of the socket but the two
/// reuse options.
public struct BindAttempt: Sendable, Hashable {
  /// TCP or UDP.
  package var transport: TransportProtocol
  /// AF_INET or AF_INET6.
  package var family: AddressFamily
  /// For AF_INET6 sockets always `.v6`, IPv4-mapped included.
  public var address: IPAddress
  /// `sin6_scope_id`; nil for 0.
  package var scope: InterfaceIndex?
  /// The zone of the address, where the host has no interface of that name: there is no number for `sin6_scope_id`
  /// (if_nametoindex(3)).
  package var missingZone: String?
  /// The port to bind.
  package var port: Port
  /// IPV6_V6ONLY as it is at bind(2); false for AF_INET, and where it is not known.
  package var v6only: Bool
  /// Whether `v6only` is known; false where a saved report does not tell what a new socket starts with.
  package var isV6onlyKnown = true
  /// The interface it is bound to (SO_BINDTODEVICE); nil for none.
  package var device: BindDevice?
  /// The uid the socket is created with (`sk_uid`).
  public var uid: UInt32
  /// CAP_NET_BIND_SERVICE in the user namespace that owns the network namespace; nil where not known.
  package var mayBindPrivileged: Bool?
  /// IP_FREEBIND is set before bind(2).
  package var freebind = false

  package init(
    transport: TransportProtocol, address: IPAddress, scope: InterfaceIndex? = nil, missingZone: String? = nil,
    port: Port,
    v6only: Bool = false, device: BindDevice? = nil, uid: UInt32, mayBindPrivileged: Bool? = false
  ) {
    self.transport = transport
    self.family = address.family
    self.address = address
    self.scope = scope
    self.missingZone = missingZone
    self.port = port
    self.v6only = v6only
    self.device = device
    self.uid = uid
    self.mayBindPrivileged = mayBindPrivileged
  }
}
