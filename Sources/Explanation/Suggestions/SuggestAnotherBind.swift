import BindRules
package import SocketModel

// A different address, another port, another user; and what helps where the port was not even looked at.

/// One address of the host instead of the wildcard, where nobody has that one.
func otherAddress(_ situation: Situation) -> [Suggestion] {
  let named: Set<SocketRole> = [.listener, .bound, .udp]
  // A probe may have met what nobody sees, wherever that is.
  guard !situation.blockingSockets.isEmpty, named.isSuperset(of: situation.blockingSockets.map(situation.role)) else {
    return []
  }
  guard situation.attempt.address.isUnspecified else { return [] }
  // A host may have thousands of addresses, with a socket on each.
  let taken = Set(situation.blockingSockets.map(\.local.address.plain))
  let free = situation.snapshot.host.ownAddresses.lazy.filter {
    $0.family == situation.attempt.family && !taken.contains($0)
  }
  for address in free.prefix(8) {
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
func addressThere(_ situation: Situation) -> [Suggestion] {
  let named: Set<SocketRole> = [.listener, .bound, .udp]
  guard named.isSuperset(of: situation.blockingSockets.map(situation.role)),
    !situation.attempt.address.isUnspecified
  else { return [] }
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

/// Another port on which the planned bind works and can serve: none where the protocol has fixed the number, none that
/// clients get from the kernel, none that belongs to something else.
func otherPort(_ situation: Situation) -> [Suggestion] {
  guard !situation.isFixedByProtocol else { return [] }
  if let usual = situation.usualAlternative { return [portOf(usual, situation)] }
  let (host, asked) = (situation.snapshot.host, situation.attempt.port.rawValue)
  if let range = host.localPortRange, range.contains(asked) {
    return range.lowerBound > 20999 ? [portOf(20000...20999, situation)] : []
  }
  guard let nearby = situation.nearby, UInt32(asked) >= host.unprivilegedPortStart ?? 1024 else { return [] }
  let byPort = Dictionary(grouping: nearby.sockets, by: \.local.port)
  let seesAll = situation.snapshot.visibility.boundSocketsComplete
  for number in nearby.ports where number != asked {
    guard host.localPortRange?.contains(number) != true, !nearby.named.contains(number), !situation.isOwned(number)
    else { continue }
    var changed = situation.attempt
    changed.port = Port(number)
    var there = situation.snapshot
    there.sockets = byPort[changed.port] ?? []
    there.visibility.boundSocketsComplete = true
    guard there.sockets.isEmpty, situation.verdict(nil, changed, in: there) == .ok else { continue }
    let certainty: Suggestion.Certainty = seesAll ? .checked : .when(.nobodyBoundUnseen)
    let text = seesAll ? "use port \(number), which is free" : "use port \(number)"
    return [Suggestion(kind: .otherPort, certainty: certainty, text: text)]
  }
  return []
}

/// A free port of these, which the command finds: none of them was looked at.
private func portOf(_ ports: ClosedRange<UInt16>, _ situation: Situation) -> Suggestion {
  let suffix = situation.attempt.transport == .udp ? "/udp" : ""
  let words =
    ["portwhy"] + situation.questionOptions + ["--free", "\(ports.lowerBound)-\(ports.upperBound)\(suffix)"]
  return Suggestion(
    kind: .otherPort, certainty: .when(.anyPortWillDo), text: "find one",
    command: situation.snapshot.host.asNow(words))
}

// MARK: Errors before the port

extension CauseEntry {
  /// An address that the host has, or IPv4 where that is meant by IPv6.
  static let localAddress: Remedies = { situation in
    let family = situation.attempt.address.plain.family
    // None where a bind is sure to fail once more, now because the port is taken there.
    func mayWork(_ address: IPAddress) -> Bool {
      var changed = situation.attempt
      changed.address = address
      return situation.verdict(nil, changed).errno == nil
    }
    let own = situation.snapshot.host.ownAddresses.filter { $0.family == family }
    let free = own.prefix(8).filter(mayWork)
    let isWildcardFree = mayWork(family == .ipv4 ? .v4(.any) : .v6(.any))
    guard isWildcardFree || !free.isEmpty else { return [] }
    let named = free.prefix(3).map { Endpoint(address: $0, port: situation.attempt.port).text }
    return [
      Suggestion(
        kind: .localAddress, certainty: .when(.needNotBeThisAddress),
        text: "bind \(isWildcardFree ? "the wildcard, or " : "")an address that this host has"
          + (named.isEmpty ? " (ip address shows them)" : ": \(named.listed(atMost: 3, "or"))"))
    ]
  }

  /// An address that a host has lost, or never got, is a matter of its interfaces.
  static let addressesNow = [
    Suggestion(
      kind: .lookAtInterfaces, certainty: .when(.addressBelongsHere),
      text: "see which addresses its interfaces have", command: Command(["ip", "address"]))
  ]

  /// Binding an address before the host has it, judged as if any might be bound: by the planned server's own setting,
  /// IP_FREEBIND in a program of one's own, or the sysctl that counts for all.
  static let freebind: Remedies = { situation in
    var changed = situation.snapshot
    changed.host.ipv4NonlocalBind = true
    changed.host.ipv6NonlocalBind = true
    guard situation.verdict(in: changed) == .ok else { return [] }
    let host = situation.snapshot.host
    let family = situation.attempt.address.plain.family == .ipv4 ? "ipv4" : "ipv6"
    return [
      Suggestion(
        kind: .setOption, option: .freebind, certainty: .when(.addressComesLater),
        text: "set IP_FREEBIND before bind()"),
      Suggestion(
        kind: .nonlocalBind, certainty: .when(.addressComesLater),
        text: "let every program bind addresses that the host does not have yet",
        command: host.asRoot(["sysctl", "net.\(family).ip_nonlocal_bind=1"])),
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
        text: "give the server CAP_NET_BIND_SERVICE: AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit, or"
          + " setcap cap_net_bind_service=+ep on the file of its program (of an interpreter: every script gets it)"),
      Suggestion(
        kind: .unprivilegedPortStart, certainty: certainty,
        text: "let every user bind ports from \(attempt.port) up, until the next boot",
        command: host.asRoot(["sysctl", "net.ipv4.ip_unprivileged_port_start=\(attempt.port)"])),
    ]
      + (situation.isFixedByProtocol
        ? []
        : [
          situation.usualAlternative.map { portOf($0, situation) }
            ?? Suggestion(
              kind: .otherPort, certainty: .when(.isFree),
              text: "use a port from \(host.unprivilegedPortStart ?? 1024) up")
        ])
  }
}

extension HostFacts {
  /// The addresses that may be bound on their own, the most useful first: what others see of this host, more on the
  /// same interface, on other interfaces, what is temporary (RFC 8981), loopback. None of an interface that is down or
  /// has no carrier: nobody reaches it. Empty where they were not read.
  package var ownAddresses: [IPAddress] {
    let routes = (ipv4LocalRoutes ?? []).filter { $0.type == .local && $0.prefixLength == 32 && $0.table == 255 }
    let shown = ipv4Lookups?.first { $0.type == .unicast && $0.source != nil }?.source
    let outward = routes.first { $0.destination == shown }
    var ranks: [[IPAddress]] = [[], [], [], [], []]
    func rank(_ address: IPAddress, _ index: InterfaceIndex?, _ isTemporary: Bool = false) {
      let interface = index.flatMap { self.interface($0) }
      if address == .v6(.loopback) { return ranks[4].append(address) }
      if case .v4(let ipv4) = address, ipv4.bits >> 24 == 127 { return ranks[4].append(address) }
      guard interface?.isUp != false, interface?.isRunning != false else { return }
      ranks[isTemporary ? 3 : index != nil && index == outward?.interface ? 1 : 2].append(address)
    }
    for route in routes where route.destination != shown { rank(.v4(route.destination), route.interface) }
    if let outward { ranks[0] = [.v4(outward.destination)] }
    for entry in ipv6Addresses ?? [] where !entry.isTentative {
      guard case .v6(let address) = entry.address, !address.isLinkLocal else { continue }
      rank(entry.address, entry.interface, entry.isTemporary)
    }
    return ranks.flatMap(\.self)
  }
}

// Ports whose number a protocol has fixed: whoever needs one is not helped by another, and nobody should be sent there.

extension Situation {
  /// Whether the clients of the port cannot be told another one: the protocol itself, or a table that every host has,
  /// says the number (IANA's registry, and the RFC of each).
  var isFixedByProtocol: Bool {
    let port = attempt.port.rawValue
    return attempt.transport == .tcp ? Self.fixedTCP.contains(port) : Self.fixedUDP.contains(port)
  }

  /// Whether several programs of a host share the port, as the protocol wants: multicast DNS and SSDP.
  var isSharedByProtocol: Bool { attempt.transport == .udp && Self.multicastUDP.contains(attempt.port.rawValue) }

  /// SMTP, DNS, Kerberos, rpcbind, NetBIOS, BGP, SMB, DNS over TLS, NFS, multicast DNS.
  private static let fixedTCP: Set<UInt16> = [25, 53, 88, 111, 135, 137, 138, 139, 179, 445, 853, 2049, 5353]

  /// DNS, DHCP, TFTP, Kerberos, rpcbind, NTP, NetBIOS, SNMP, PTP, IKE, syslog, RIP, DHCPv6, L2TP, SSDP, NFS,
  /// BFD, WS-Discovery, IPsec, VXLAN, NAT-PMP, multicast DNS, LLMNR, GENEVE.
  private static let fixedUDP: Set<UInt16> = [
    53, 67, 68, 69, 88, 111, 123, 137, 138, 161, 162, 319, 320, 500, 514, 520, 521, 546, 547, 1701, 1900, 2049, 3702,
    3784, 4500, 4789, 5350, 5351, 5353, 5355, 6081,
  ]

  private static let multicastUDP: Set<UInt16> = [1900, 5353]

  /// A port that belongs to a protocol or a well-known server, whether or not `/etc/services` of the host names it.
  func isOwned(_ port: UInt16) -> Bool {
    if attempt.transport == .udp && Self.fixedUDP.contains(port) { return true }
    return Self.wellKnown.contains(port)
  }

  /// Above 1023, where servers of that name are looked for: databases, queues, remote desktops, monitors.
  private static let wellKnown: Set<UInt16> = [
    1080, 1194, 1433, 1521, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3128, 3260, 3306, 3389, 4369, 5060, 5061, 5222,
    5353, 5432, 5601, 5672, 5900, 5985, 5986, 6000, 6379, 6443, 6667, 7687, 8883, 9042, 9090, 9092, 9100, 9200, 9300,
    9418, 10250, 11211, 15672, 25672, 27017,
  ]

  /// Where servers of a privileged port go that may not have it, or may not have it alone.
  var usualAlternative: ClosedRange<UInt16>? {
    guard attempt.transport == .tcp else { return nil }
    return switch attempt.port.rawValue {
    case 21: 2121...2199
    case 22: 2222...2299
    case 80: 8080...8099
    case 443: 8443...8499
    default: nil
    }
  }
}

// Options on the planned socket, on the sockets in the way, or on both.

/// An option on the planned socket that gets past what is in the way: remains, a socket that never listens, IPv4.
func ourOption(_ situation: Situation) -> [Suggestion] {
  if let v6only = ourV6only(situation) { return [v6only] }
  return reuseOption(situation).filter { !Suggestion.Condition.sharing.contains($0.certainty) }
}

/// An option by which the planned socket shares the port with others that receive. SO_REUSEPORT is offered only beside
/// sockets that all have it: against an older copy of the same server it would split the traffic, and nobody is told.
func sharing(_ situation: Situation) -> [Suggestion] {
  reuseOption(situation).filter { Suggestion.Condition.sharing.contains($0.certainty) }
}

extension Suggestion.Condition {
  /// The conditions of sharing.
  fileprivate static let sharing: Set<Suggestion.Certainty> = [
    .when(.sharingIsMeant), .when(.unicastToLast), .when(.othersKeepTheirs),
  ]
}

private func reuseOption(_ situation: Situation) -> [Suggestion] {
  for (option, name) in [(ReuseOptions.reuseaddr, Suggestion.Option.reuseaddr), (.reuseport, .reuseport)]
  where !situation.planned.contains(option) {
    guard let with = situation.outcome(situation.planned.union(option)) else { continue }
    let isAboutReuseaddr = with.missing.allSatisfy { $0.kind == .reuseaddr }
    let condition = sharingCondition(situation, option, with)
    switch with.verdict {
    case .ok:
      return [
        Suggestion(
          kind: .setOption, option: name, certainty: condition.map(Suggestion.Certainty.when) ?? .checked,
          text: "set \(name.rawValue) before bind()")
      ]
    case .undetermined where option == .reuseaddr && isAboutReuseaddr && condition == nil:
      return [
        Suggestion(
          kind: .setOption, option: name,
          certainty: .when(.leftWithReuseaddr),
          text: "set SO_REUSEADDR before bind()")
      ]
    default: continue
    }
  }
  return []
}

/// What must be meant for the option to be the right one; nil where it only gets past remains that receive nothing.
private func sharingCondition(
  _ situation: Situation, _ option: ReuseOptions, _ outcome: BindOutcome
) -> Suggestion.Condition? {
  let blocking = situation.blockingSockets
  let receiving = blocking.filter { $0.state == .listen || $0.transport == .udp }
  if receiving.isEmpty {
    let bound = blocking.contains { situation.role($0) == .bound }
    return bound ? .otherNeverListens : nil
  }
  guard situation.attempt.transport == .udp, option == .reuseaddr, !situation.attempt.address.isMulticast else {
    return .sharingIsMeant
  }
  // Who gets what is what the kernel's look-up says, not the option.
  let unicast = deliveries(situation, outcome).filter { $0.traffic == .unicast }
  let goesToLast = unicast.contains { $0.rule == .lastBound }
  return goesToLast && !unicast.contains { $0.rule == .specificFirst && $0.receiver == .others }
    ? .unicastToLast : .othersKeepTheirs
}

/// Leaving IPv4 to the server that has it; no answer to mere remains, which are gone in a minute.
private func ourV6only(_ situation: Situation) -> Suggestion? {
  guard situation.attempt.address == .v6(.any), !situation.attempt.v6only,
    !Set(situation.blockingSockets.map(situation.role)).isSubset(of: SocketRole.remains)
  else { return nil }
  var changed = situation.attempt
  changed.v6only = true
  guard situation.verdict(nil, changed) == .ok else { return nil }
  return Suggestion(
    kind: .setOption, option: .v6only, certainty: .checked,
    text: "set IPV6_V6ONLY before bind(), which leaves IPv4 to \(situation.blockingSockets.holderNames)")
}

/// An option of the sockets in the way, which their programs have to set.
func optionThere(_ situation: Situation) -> [Suggestion] {
  if let v6only = v6onlyThere(situation) { return [v6only] }
  let blocking = situation.blockingSockets
  let roles = Set(blocking.map(situation.role))
  guard !roles.isEmpty, roles.isSubset(of: SocketRole.remains),
    blocking.contains(where: { $0.reuseaddr.sure != true }),
    situation.verdict(situation.planned.union(.reuseaddr), in: situation.withOptionThere(.reuseaddr)) == .ok
  else { return [] }
  return [
    Suggestion(
      kind: .setOptionThere, option: .reuseaddr, certainty: .when(.serverIsYours),
      text: "let it set SO_REUSEADDR before listen(), so that the next restart need not wait")
  ]
}

extension CauseEntry {
  /// SO_REUSEPORT on the sockets in the way, for somebody who plans to share the port.
  static let reuseportThere: Remedies = { situation in
    guard situation.planned.contains(.reuseport), v6onlyThere(situation) == nil,
      situation.verdict(in: situation.withOptionThere(.reuseport)) == .ok
    else { return [] }
    return [
      Suggestion(
        kind: .setOptionThere, option: .reuseport, certainty: .when(.sharingIsMeant),
        text: "let \(situation.blockingSockets.holderNames) set SO_REUSEPORT before bind() too")
    ]
  }
}

private func v6onlyThere(_ situation: Situation) -> Suggestion? {
  let indices = (situation.outcome(situation.planned)?.blockers ?? []).map(\.socket)
  let dual = indices.filter { index in
    let socket = situation.snapshot.sockets[index]
    return socket.local.address == .v6(.any) && socket.v6only?.sure == false && socket.remote == nil
  }
  guard !dual.isEmpty, situation.attempt.address.plain.family == .ipv4 else { return nil }
  var changed = situation.snapshot
  for index in dual { changed.sockets[index].v6only = .known(true, .sockDiag) }
  guard situation.verdict(in: changed) == .ok else { return nil }
  return Suggestion(
    kind: .setOptionThere, option: .v6only, certainty: .checked,
    text: "let \(dual.map { situation.snapshot.sockets[$0] }.holderNames) set IPV6_V6ONLY before bind(), which leaves"
      + " IPv4 to you")
}

extension Situation {
  /// The situation with this option on every socket in the way.
  fileprivate func withOptionThere(_ option: ReuseOptions) -> Snapshot {
    var changed = snapshot
    for index in (outcome(planned)?.blockers ?? []).map(\.socket) {
      if option == .reuseaddr { changed.sockets[index].reuseaddr = .known(true, .getsockopt) }
      if option == .reuseport { changed.sockets[index].reuseport = .known(true, .getsockopt) }
    }
    return changed
  }
}
