import BindRules
package import SocketModel

// A different address, another port, another user; and what helps where the port was not even looked at.

/// One address of the host instead of the wildcard, where nobody has that one.
func otherAddress(_ situation: Situation) -> [Suggestion] {
  let named: Set<SocketRole> = [.listener, .bound, .udp]
  guard named.isSuperset(of: situation.blockingSockets.map(situation.role)) else { return [] }
  guard situation.attempt.address.isUnspecified else { return hostsOwnAddress(situation) }
  for address in situation.snapshot.host.ownAddresses where address.family == situation.attempt.family {
    var changed = situation.attempt
    changed.address = address
    guard situation.verdict(nil, changed) == .ok else { continue }
    return [
      Suggestion(
        kind: .otherAddress, certainty: .checked,
        text: "bind \(Endpoint(address: address, port: situation.attempt.port).text) instead of the wildcard:"
          + " nobody holds the port there")
    ]
  }
  return []
}

/// The other way round: whoever has the wildcard could bind what it needs.
private func hostsOwnAddress(_ situation: Situation) -> [Suggestion] {
  let blocking = situation.blockingSockets.filter { $0.remote == nil }
  guard !blocking.isEmpty, blocking.allSatisfy({ $0.local.address.plain.isUnspecified }) else { return [] }
  return [
    Suggestion(
      kind: .otherAddressThere, certainty: .when(.needNotServeAll),
      text: "let \(blocking.holderNames) bind an address of its own instead of the wildcard")
  ]
}

extension CauseEntry {
  /// The owner of the sockets in the way, where only the user keeps SO_REUSEPORT from working.
  static let otherUser: Remedies = { situation in
    let owners = Set(situation.blockingSockets.map(\.uid))
    guard owners.count == 1, let owner = owners.first, let uid = owner else { return [] }
    var changed = situation.attempt
    changed.uid = uid
    guard situation.verdict(nil, changed) == .ok else { return [] }
    return [
      Suggestion(
        kind: .otherUser, certainty: .checked,
        text: "create the socket as uid \(uid), as the others are: what counts is who calls socket()")
    ]
  }

  /// Keeping clients off the port from now on.
  static let reservePort: Remedies = { situation in
    let (host, port) = (situation.snapshot.host, situation.attempt.port.rawValue)
    guard let range = host.localPortRange, range.contains(port), let reserved = host.localReservedPorts,
      !reserved.contains(where: { $0.contains(port) })
    else { return [] }
    let list = (reserved + [port...port]).sorted { $0.lowerBound < $1.lowerBound }.map { ports in
      ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)"
    }
    return [
      Suggestion(
        kind: .reservePort, certainty: .when(.happensAgain),
        text: "reserve the port, so that no client gets it once it is free",
        command: host.asRoot(["sysctl", "net.ipv4.ip_local_reserved_ports=\(list.joined(separator: ","))"]))
    ]
  }
}

/// The nearest port on which the planned bind works.
func otherPort(_ situation: Situation) -> [Suggestion] {
  guard let nearby = situation.nearby else { return [] }
  let byPort = Dictionary(grouping: nearby.sockets, by: \.local.port)
  let seesAll = situation.snapshot.visibility.boundSocketsComplete
  let isEphemeral = { (port: UInt16) in situation.snapshot.host.localPortRange?.contains(port) ?? false }
  for number in nearby.ports where number != situation.attempt.port.rawValue {
    guard isEphemeral(situation.attempt.port.rawValue) || !isEphemeral(number) else { continue }
    var changed = situation.attempt
    changed.port = Port(number)
    var there = situation.snapshot
    there.sockets = byPort[changed.port] ?? []
    there.visibility.boundSocketsComplete = true
    guard there.sockets.isEmpty, situation.verdict(nil, changed, in: there) == .ok else { continue }
    let certainty: Suggestion.Certainty =
      seesAll ? .checked : .when(.nobodyBoundUnseen)
    let text = seesAll ? "use port \(number), which is free" : "use port \(number)"
    return [Suggestion(kind: .otherPort, certainty: certainty, text: text)]
  }
  return []
}

// MARK: Errors before the port

extension CauseEntry {
  /// IP_FREEBIND, judged as if any address might be bound.
  static let freebind: Remedies = { situation in
    var changed = situation.snapshot
    changed.host.ipv4NonlocalBind = true
    changed.host.ipv6NonlocalBind = true
    guard situation.verdict(in: changed) == .ok else { return [] }
    return [
      Suggestion(
        kind: .setOption, option: .freebind, certainty: .checked,
        text: "set IP_FREEBIND before bind(), to bind an address that the host does not have yet")
    ]
  }

  /// The right to bind a privileged port, or a port that needs none.
  static let privilege: Remedies = { situation in
    let (attempt, host) = (situation.attempt, situation.snapshot.host)
    var permitted = attempt
    permitted.mayBindPrivileged = true
    let certainty = situation.certainty(situation.verdict(nil, permitted))
    return [
      Suggestion(
        kind: .raisePrivilege, certainty: certainty,
        text: "give the server CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)",
        command: host.asRoot(["setcap", "cap_net_bind_service=+ep", "/path/to/server"])),
      Suggestion(
        kind: .unprivilegedPortStart, certainty: certainty,
        text: "let every user bind ports from \(attempt.port) up",
        command: host.asRoot(["sysctl", "net.ipv4.ip_unprivileged_port_start=\(attempt.port)"])),
      Suggestion(
        kind: .otherPort, certainty: .when(.isFree),
        text: "use a port from \(host.unprivilegedPortStart ?? 1024) up"),
    ]
  }
}

extension HostFacts {
  /// The addresses that may be bound on their own, those other hosts can reach first; empty where they were not read.
  package var ownAddresses: [IPAddress] {
    let ipv4 = (ipv4LocalRoutes ?? []).filter { $0.type == .local && $0.prefixLength == 32 && $0.table == 255 }
      .map(\.destination)
    let ipv6 = (ipv6Addresses ?? []).filter { !$0.isTentative }.compactMap { entry -> IPv6Address? in
      if case .v6(let address) = entry.address, !address.isLinkLocal { address } else { nil }
    }
    let reachable =
      ipv4.filter { $0 != .loopback }.map(IPAddress.v4) + ipv6.filter { $0 != .loopback }.map(IPAddress.v6)
    let own = ipv4.filter { $0 == .loopback }.map(IPAddress.v4) + ipv6.filter { $0 == .loopback }.map(IPAddress.v6)
    return reachable + own
  }
}
