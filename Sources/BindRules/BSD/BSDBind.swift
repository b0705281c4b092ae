package import SocketModel

/// What bind(2) of `system` would answer to `attempt` if the sockets of `snapshot` stood there.
///
/// The sockets must be all of the attempt's port and transport, in the order of Linux' dump. Devices and VRFs have no
/// counterpart and are not looked at.
/// - Returns: One outcome for each of `system.combinations`, in that order.
package func bsdOutcomes(of attempt: BSDAttempt, in snapshot: Snapshot, under system: BSDSystem) -> [BSDOutcome] {
  bsdOutcomes(of: attempt, in: snapshot, under: system, sharing: .reuseport)
}

/// The same with SO_REUSEPORT of the existing sockets read as `sharing`.
package func bsdOutcomes(
  of attempt: BSDAttempt, in snapshot: Snapshot, under system: BSDSystem, sharing: BSDSharing
) -> [BSDOutcome] {
  let table = PCBTable(snapshot, attempt.transport, sharing: sharing, plannedUID: attempt.uid)
  return system.combinations.compactMap { options in
    bsdOutcome(of: attempt, options, among: table, snapshot.host, system)?
      .withUnseenSockets(attempt, system, snapshot.visibility)
  }
}

/// One combination, among sockets whose order may be known better than a snapshot says.
func bsdOutcome(
  of attempt: BSDAttempt, _ options: BSDOptions, among table: PCBTable, _ host: HostFacts, _ system: BSDSystem
) -> BSDOutcome? {
  steps(of: attempt, options, table, host, system).outcome(options)?.withFilters(system)
}

/// The checks of one bind in the order of the kernel.
func steps(
  of attempt: BSDAttempt, _ options: BSDOptions, _ table: PCBTable, _ host: HostFacts, _ system: BSDSystem,
  asksPrivilege: Bool = true
) -> BSDSteps {
  var steps = BSDSteps()
  let names = BSDFunctions(attempt, system)
  steps.make { zoneStep(attempt, host) }
  guard let binder = attempt.binder(options, system) else {
    steps.make { .fails(BSDRule(check: .protocolAddress, function: names.usrBind), .addressFamilyNotSupported) }
    return steps
  }
  let port = PortCheck(binder: binder, table: table, system: system, function: names.available(binder))
  steps.make {
    .check(
      BSDRule(check: .scope, function: names.pcbBind(binder)), attempt.scopeExists(host), else: system.missingScope,
      missing: .interfaces)
  }
  steps.make { addressStep(binder, host, port.rule(.address)) }
  if asksPrivilege { steps.make { reservedPortStep(binder, attempt.port, system, port.rule(.reservedPort)) } }
  port.make(&steps)
  return steps
}

/// if_nametoindex(3), with which a program finds the scope id before it has a socket.
private func zoneStep(_ attempt: BSDAttempt, _ host: HostFacts) -> BSDStep {
  let exists: Bool? = attempt.missingZone == nil ? true : host.interfaces == nil ? nil : false
  return .check(
    BSDRule(check: .scope, function: "if_nametoindex"), exists, else: .noDeviceOrAddress, missing: .interfaces)
}

/// EADDRNOTAVAIL. A multicast address needs no interface that has it. FreeBSD 13 and macOS also refuse every bind of a family
/// of which no interface has any address: not asked, as lo0 has one of each.
private func addressStep(_ binder: BSDBinder, _ host: HostFacts, _ rule: BSDRule) -> BSDStep {
  if binder.isMulticast || binder.isWildcard { return .passes(rule) }
  let isThere: Bool? =
    switch binder.address {
    case .ipv4(let address, _): interfaceHas(address, host)
    case .ipv6(let address, _): interfaceHas(address, host)
    }
  return .check(rule, isThere, else: .addressNotAvailable, missing: .localAddresses)
}

/// `net.inet.ip.portrange.reservedlow` and `reservedhigh` as they are by default: 0 and 1023. macOS lets everybody have them
/// on a wildcard.
private func reservedPortStep(_ binder: BSDBinder, _ port: Port, _ system: BSDSystem, _ rule: BSDRule) -> BSDStep {
  let isReserved = port.rawValue <= 1023 && !(system == .macos && binder.isWildcard)
  return isReserved && !binder.isRoot ? .fails(rule, .accessDenied) : .passes(rule)
}

/// The kernel functions behind the checks, whose names hang on family and release.
private struct BSDFunctions {
  var usrBind: String
  private var system: BSDSystem

  init(_ attempt: BSDAttempt, _ system: BSDSystem) {
    self.system = system
    let isIPv6 = attempt.address.family == .ipv6
    switch attempt.transport {
    case .tcp: usrBind = isIPv6 ? "tcp6_usr_bind" : "tcp_usr_bind"
    case .udp: usrBind = isIPv6 ? "udp6_bind" : "udp_bind"
    }
  }

  func pcbBind(_ binder: BSDBinder) -> String {
    if case .ipv6 = binder.address { "in6_pcbbind" } else { "in_pcbbind" }
  }

  /// Where address, port and conflicts are checked.
  func available(_ binder: BSDBinder) -> String {
    switch (system, binder.address) {
    case (.freebsd, .ipv4): "in_pcbbind_avail"
    case (.freebsd, .ipv6): "in6_pcbbind_avail"
    case (.freebsd13, .ipv4), (.freebsd14, .ipv4): "in_pcbbind_setup"
    default: pcbBind(binder)
    }
  }
}

extension BSDOutcome {
  /// Sockets that are bound and cannot be seen may be in the way, or be the newer one that shares the address.
  fileprivate func withUnseenSockets(_ attempt: BSDAttempt, _ system: BSDSystem, _ visibility: Visibility)
    -> BSDOutcome
  {
    guard attempt.transport == .tcp, !visibility.boundSocketsComplete else { return self }
    switch bind {
    case .fails(.addressInUse) where options.isEmpty && attempt.binder(options, system)?.isDual != true: return self
    case .fails(let error) where error != .addressInUse: return self
    default:
      var outcome = self
      outcome.bind = .undetermined
      outcome.likely = bind == .undetermined ? likely : nil
      outcome.missing.append(MissingFact(.boundSockets))
      return outcome
    }
  }

  /// macOS answers by more than the rules of its sockets.
  fileprivate func withFilters(_ system: BSDSystem) -> BSDOutcome {
    guard system == .macos, bind == .ok || bind == .undetermined else { return self }
    var outcome = self
    if bind == .ok {
      outcome.likely = .ok
      outcome.bind = .undetermined
    }
    outcome.missing.append(MissingFact(.filters))
    return outcome
  }
}

extension BSDBinder {
  fileprivate var isDual: Bool {
    if case .ipv6(_, let isDual) = address { isDual } else { false }
  }
}
