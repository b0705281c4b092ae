package import BindRules
package import SocketModel

/// Which ports a scenario is tried on.
package enum PortKind: String, Sendable, Hashable, CaseIterable {
  /// 2000...39999.
  case ordinary
  /// 1...1023, below `net.ipv4.ip_unprivileged_port_start`.
  case privileged
  /// 60001...65535, in `net.ipv4.ip_local_port_range`, where connect(2) takes ports from. Only in namespaces whose
  /// `NamespaceConfiguration.clientPorts` keeps the lab's own sockets out of it.
  case ephemeral
}

/// The bind(2), and for TCP listen(2), that is tried; the reuse options are the four combinations.
package struct Attempt: Sendable, Hashable {
  /// TCP or UDP.
  package var transport: TransportProtocol
  /// Its family is the socket's.
  package var address: IPAddress
  /// The zone of an IPv6 address.
  package var scope: LabDevice?
  /// IPV6_V6ONLY; nil leaves the namespace's default. Ignored for AF_INET.
  package var v6only: Bool?
  /// The interface it is bound to (SO_BINDTODEVICE); nil for none.
  package var device: LabDevice?
  /// Given to the fresh socket by fchown(2).
  package var uid: UInt32
  /// Whether CAP_NET_BIND_SERVICE is in force in bind(2).
  package var mayBindPrivileged: Bool

  package init(
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
  package func bindAttempt(
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

/// What changes in the namespace when the sockets are there, before the attempt.
package enum LaterChange: Sendable, Hashable {
  /// A sysctl gets another value.
  case setting(HostSetting, Int)
  /// `dev2` leaves `vrf0`.
  case released
}

/// Sockets on one port, bound in this order, and one attempt to bind beside them.
package struct Scenario: Sendable, Hashable {
  /// The sockets that are there first.
  package var holders: [Holder]
  /// The bind that is tried.
  package var attempt: Attempt
  /// Which kind of port is under test.
  package var port: PortKind
  /// Sysctls that differ from a fresh namespace's.
  package var settings: [HostSetting: Int]
  /// What changes when they are there.
  package var later: [LaterChange]
  /// Where the attempt is made and asked about.
  package var place = Place.open

  package init(
    _ holders: [Holder], _ attempt: Attempt, port: PortKind = .ordinary, settings: [HostSetting: Int] = [:],
    later: [LaterChange] = []
  ) {
    self.holders = holders
    self.attempt = attempt
    self.port = port
    self.settings = settings
    self.later = later
  }
}

extension Scenario {
  /// Whether no socket's option was changed after its bind(2), and none was bound and closed again.
  package var leavesOptions: Bool {
    later.isEmpty
      && holders.allSatisfy { holder in
        guard holder.changes.isEmpty, holder.kind != .visitor else { return false }
        // fchown(2), and accept(2) as another user, change whose a socket is.
        return holder.acceptUID == holder.uid || !holder.kind.hasConnection
      }
  }
}
