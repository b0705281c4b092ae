public import BindRules
public import SocketModel

/// Which ports a scenario is tried on.
public enum PortKind: String, Sendable, Hashable, CaseIterable {
  /// 2000...39999.
  case ordinary
  /// 1...1023, below `net.ipv4.ip_unprivileged_port_start`.
  case privileged
}

/// The bind(2), and for TCP listen(2), that is tried; the reuse options are the four combinations.
public struct Attempt: Sendable, Hashable {
  public var transport: TransportProtocol
  /// Its family is the socket's.
  public var address: IPAddress
  public var scope: LabDevice?
  /// IPV6_V6ONLY; nil leaves the namespace's default. Ignored for AF_INET.
  public var v6only: Bool?
  public var device: LabDevice?
  /// Given to the fresh socket by fchown(2).
  public var uid: UInt32
  /// Whether CAP_NET_BIND_SERVICE is in force in bind(2).
  public var mayBindPrivileged: Bool

  public init(
    _ transport: TransportProtocol = .tcp, _ address: IPAddress, v6only: Bool? = nil, device: LabDevice? = nil,
    scope: LabDevice? = nil, uid: UInt32 = 0, mayBindPrivileged: Bool = true
  ) {
    self.transport = transport
    self.address = address
    self.scope = scope
    self.v6only = v6only
    self.device = device
    self.uid = uid
    self.mayBindPrivileged = mayBindPrivileged
  }

  /// The same attempt in the words of BindRules.
  ///
  /// - Parameter bindv6only: `net.ipv6.bindv6only` of the namespace.
  public func bindAttempt(
    port: Port, interfaces: [LabDevice: InterfaceIndex], bindv6only: Bool = false
  ) -> BindAttempt {
    let bindDevice = device.map { name in
      interfaces[name].map { BindDevice.interface($0, name: name.rawValue) } ?? .missing(name: name.rawValue)
    }
    return BindAttempt(
      transport: transport, address: address, scope: scope.flatMap { interfaces[$0] }, port: port,
      v6only: address.family == .ipv6 && v6only ?? bindv6only, device: bindDevice, uid: uid,
      mayBindPrivileged: mayBindPrivileged)
  }
}

/// Sockets on one port, bound in this order, and one attempt to bind beside them.
public struct Scenario: Sendable, Hashable {
  public var holders: [Holder]
  public var attempt: Attempt
  public var port: PortKind
  /// Sysctls that differ from a fresh namespace's.
  public var settings: [HostSetting: Int]

  public init(
    _ holders: [Holder], _ attempt: Attempt, port: PortKind = .ordinary, settings: [HostSetting: Int] = [:]
  ) {
    self.holders = holders
    self.attempt = attempt
    self.port = port
    self.settings = settings
  }
}
