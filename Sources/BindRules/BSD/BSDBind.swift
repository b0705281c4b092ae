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
  let table = PCBTable(snapshot, attempt.transport, system, sharing: sharing, plannedUID: attempt.uid)
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
      outcome.likely = nil
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

/// What one check of bind(2) does, over all ways the unknown facts could be.
struct BSDStep {
  var rule: BSDRule
  /// What it fails with; nil where it surely passes.
  var error: SystemError?
  /// Some way the facts could be passes.
  var mayPass = true
  /// Indices into `Snapshot.sockets`.
  var blockers: [Int] = []
  var missing: [MissingFact] = []

  static func passes(_ rule: BSDRule) -> BSDStep { BSDStep(rule: rule) }
  static func fails(_ rule: BSDRule, _ error: SystemError) -> BSDStep {
    BSDStep(rule: rule, error: error, mayPass: false)
  }
  /// nil: it may be either.
  static func check(_ rule: BSDRule, _ condition: Bool?, else error: SystemError, missing: MissingFact.Kind)
    -> BSDStep
  {
    switch condition {
    case true?: passes(rule)
    case false?: fails(rule, error)
    case nil: BSDStep(rule: rule, error: error, missing: [MissingFact(missing)])
    }
  }
}

/// What the checks come to, one after the other: the first that fails decides, and those after it are not made.
struct BSDSteps {
  private var possible: [BSDStep] = []
  /// The check that let the bind pass, or fails surely.
  private(set) var last: BSDStep?
  private(set) var mayPass = true

  mutating func make(_ step: () -> BSDStep) {
    guard mayPass else { return }
    let step = step()
    last = step
    if step.error != nil { possible.append(step) }
    mayPass = step.mayPass
  }

  /// nil where no check was made.
  func outcome(_ options: BSDOptions) -> BSDOutcome? {
    guard let last else { return nil }
    guard let first = possible.first else {
      return BSDOutcome(options: options, bind: .ok, rule: last.rule, blockers: [], missing: [])
    }
    let errors = Set(possible.compactMap(\.error))
    guard !mayPass, errors.count == 1, let error = errors.first else {
      return BSDOutcome(
        options: options, bind: .undetermined, rule: first.rule, blockers: Set(possible.flatMap(\.blockers)).sorted(),
        missing: possible.flatMap(\.missing).reduce(into: []) { if !$0.contains($1) { $0.append($1) } })
    }
    return BSDOutcome(options: options, bind: .fails(error), rule: last.rule, blockers: last.blockers, missing: [])
  }
}

extension PCBTable {
  /// A check of the socket that `lookup` ends with.
  func step(_ rule: BSDRule, _ lookup: LocalLookup, refuses: (InternetPCB) -> Bool) -> BSDStep {
    let found = find(lookup)
    let refusing = found.candidates.filter { refuses($0.world.pcb) }
    guard !refusing.isEmpty else { return .passes(rule) }
    let mayPass = found.mayFindNone || refusing.count < found.candidates.count
    return BSDStep(
      rule: rule, error: .addressInUse, mayPass: mayPass,
      blockers: Set(refusing.flatMap { entries[$0.entry].sockets }).sorted(),
      missing: mayPass ? missing(lookup, found, refuses) : [])
  }

  /// The facts that would settle it.
  private func missing(_ lookup: LocalLookup, _ found: LookupResult, _ refuses: (InternetPCB) -> Bool)
    -> [MissingFact]
  {
    var missing: [MissingFact] = []
    for entry in entries {
      let ends = entry.worlds.map { world -> [Int] in
        guard let cost = lookup.cost(of: world.pcb), cost <= found.bound else { return [] }
        return [cost, refuses(world.pcb) ? 1 : 0]
      }
      for (bit, gap) in entry.facts.gaps.enumerated()
      where ends.indices.contains(where: { ends[$0] != ends[$0 ^ (1 << bit)] }) {
        missing += entry.sockets.map { MissingFact(gap, socket: $0) }
      }
    }
    // Where no fact of a socket changes what the search ends with, all candidates cost the same: the order is what is left.
    if orderDecides(found, refuses) { missing.append(MissingFact(.bindOrder)) }
    return missing
  }

  /// Whether two sockets fit equally well, one of them refuses, and nothing tells which is newer.
  private func orderDecides(_ found: LookupResult, _ refuses: (InternetPCB) -> Bool) -> Bool {
    /// Sockets of one cost that stand in one known order, or in none.
    struct Place: Hashable {
      var cost: Int
      var sequence: Sequence?
      var isInPlace: Bool
    }
    var refusing: [Place: Set<Int>] = [:]
    var passing: [Place: Set<Int>] = [:]
    for candidate in found.candidates {
      let entry = entries[candidate.entry]
      let place = Place(cost: candidate.cost, sequence: sequence(of: entry), isInPlace: isInPlace(entry))
      if refuses(candidate.world.pcb) {
        refusing[place, default: []].insert(candidate.entry)
      } else {
        passing[place, default: []].insert(candidate.entry)
      }
    }
    return refusing.contains { place, refusers in
      passing.contains { otherPlace, passers in
        guard place == otherPlace else { return place.cost == otherPlace.cost }
        let isOrdered = place.sequence != nil && place.isInPlace
        return !isOrdered && (refusers != passers || refusers.count > 1)
      }
    }
  }
}

/// A check of bind(2) on a BSD; `rawValue` is the second half of its word in the report.
package enum BSDCheck: String, Sendable, Hashable, CaseIterable {
  /// The address is none that this protocol may be bound to: multicast, and on macOS 255.255.255.255, with TCP.
  case protocolAddress = "address-family"
  /// The scope id names no interface.
  case scope
  /// An interface has the address.
  case address
  /// The port is one of root's.
  case reservedPort = "reserved-port"
  /// The best fitting socket of the port belongs to another user.
  case otherUser = "user"
  /// Without a reuse option: any socket whose address overlaps.
  case overlap
  /// With one: the newest unconnected socket on exactly the address, unless both have SO_REUSEPORT or SO_REUSEPORT_LB.
  case sameAddress = "same-address"
}

/// A check with the kernel function that makes it.
package struct BSDRule: Sendable, Hashable, CustomStringConvertible {
  /// What is checked.
  package var check: BSDCheck
  /// The kernel function, in the words of that kernel.
  package var function: String

  /// `in_pcbbind_avail.user`: the word of the report.
  package var description: String { function + "." + check.rawValue }
}

/// What bind(2) of a BSD would answer to one attempt with one combination of options. listen(2) checks nothing again.
package struct BSDOutcome: Sendable, Hashable {
  /// The options that the planned socket sets.
  package var options: BSDOptions
  /// Never `.ok` on macOS, which has more in the way than can be seen.
  package var bind: CallResult
  /// What it comes to if what is missing is not in the way; nil where `bind` says it.
  package var likely: CallResult?
  /// The check that refuses, or may; where none does the last one, which lets it pass.
  package var rule: BSDRule
  /// The sockets that the bind meets where it fails, or may: indices into `Snapshot.sockets`, ascending.
  package var blockers: [Int]
  /// What is missing where `bind` is undetermined; empty otherwise.
  package var missing: [MissingFact]

  /// `bind`, or what is likely.
  package var expected: CallResult { likely ?? bind }
}
