public import BindRules
public import Explanation
package import SocketModel

/// The planned socket, apart from its address and port: what the question says of it, and in a report what was judged.
public struct Plan: Sendable, Hashable {
  /// The reuse options it sets.
  public var options: ReuseOptions
  /// IPV6_V6ONLY; nil for the host's default (`net.ipv6.bindv6only`).
  public var v6only: Bool?
  /// The interface of SO_BINDTODEVICE.
  public var device: String?
  /// Its owner. nil in a question is the user who called sudo(8), else the effective one; by sudo(8) 0 for a privileged
  /// port. A report always names one.
  public var uid: UInt32?
  /// The program has CAP_NET_BIND_SERVICE whoever starts it, by file capabilities or as an ambient one (capabilities(7)).
  package var hasBindCapability = false
  /// The name of the server's runtime; a report may have one that this version does not know.
  package var runtimeName: String?

  /// Without arguments a socket without options, as the default user has it.
  public init(
    options: ReuseOptions = [], v6only: Bool? = nil, device: String? = nil, uid: UInt32? = nil,
    runtime: Runtime? = nil
  ) {
    self.options = options
    self.v6only = v6only
    self.device = device
    self.uid = uid
    runtimeName = runtime?.name
  }

  /// The runtime of the planned server: what it sets by default, and where it binds, counts where nothing else was said.
  public var runtime: Runtime? {
    get { runtimeName.flatMap(Runtime.init(named:)) }
    set { runtimeName = newValue?.name }
  }
}

extension Plan {
  /// With what the runtime sets by itself: the socket that a server of it makes.
  package func resolved(_ transport: TransportProtocol) -> Plan {
    guard let defaults = runtime?.defaults(transport) else { return self }
    var plan = self
    plan.options.formUnion(ReuseOptions(defaults))
    switch defaults.v6only {
    case .set: plan.v6only = v6only ?? true
    case .cleared: plan.v6only = v6only ?? false
    case .host: break
    }
    return plan
  }

  /// The options of the command line that plan this socket.
  package var commandOptions: [String] {
    var words: [String] = []
    if options.contains(.reuseaddr) { words.append("--reuseaddr") }
    if options.contains(.reuseport) { words.append("--reuseport") }
    if let v6only { words.append(v6only ? "--v6only" : "--no-v6only") }
    if let device { words += option("--device", device) }
    if let uid { words += ["--uid", String(uid)] }
    if hasBindCapability { words.append("--cap-net-bind") }
    if let runtimeName { words += option("--runtime", runtimeName) }
    return words
  }
}

/// The binds that one item of a question means for one port, with what of them was not said but assumed.
struct PlannedBinds {
  let attempts: [BindAttempt]
  /// What was judged: resolved by the runtime's defaults, the user named.
  let plan: Plan
  /// Whether `::` was left out because there is no IPv6.
  private let skipsFamily: Bool
  private let privilegedFor: UInt32?
  /// The device that every socket has here from the start, where the plan names none.
  private let devicePlace: String?

  init(question: Question, item: QuestionItem, port: Port, host: HostFacts) {
    let user = PlannedUser(question.plan, port: port, host: host)
    let mayBindPrivileged = question.observed?.mayBindPrivileged ?? user.mayBindPrivileged
    var plan = question.plan.resolved(item.transport)
    plan.uid = user.uid
    let defaults = plan.runtime?.defaults(item.transport)
    let ownAddresses = question.families == nil ? defaults?.addresses : nil
    let addresses = item.addresses.flatMap {
      PlannedAddress.all($0, families: question.families, of: ownAddresses, host: host)
    }
    attempts = addresses.map { planned in
      let family = planned.address.family
      var attempt = BindAttempt(
        transport: item.transport, address: planned.address, scope: planned.scope, missingZone: planned.missingZone,
        port: port,
        v6only: family == .ipv6 && (Self.v6only(plan, item.transport, host) ?? false),
        device: Self.device(plan, item.transport, family, host),
        uid: user.uid, mayBindPrivileged: mayBindPrivileged)
      attempt.isV6onlyKnown = family == .ipv4 || Self.v6only(plan, item.transport, host) != nil
      attempt.v6onlyRefusal = Self.v6onlyRefusal(plan, item.transport, family, host)
      attempt.freebind = question.ownFreebind || defaults?.freebind ?? false
      return attempt
    }
    if case .interface(_, let name)? = attempts.lazy.compactMap(\.device).first, name != plan.device {
      devicePlace = name
    } else {
      devicePlace = nil
    }
    self.plan = plan
    let isForEveryFamily = item.addresses.contains { [.wildcard, .everyAddress].contains($0) }
    skipsFamily = isForEveryFamily && question.families == nil && host.ipv6Available == false
    privilegedFor = user.judgedAsRootFor
  }

  /// What of the binds was not said but assumed.
  func notes(_ host: HostFacts) -> [Note] {
    (privilegedFor.map { [Note.judgedAsRoot(insteadOf: $0, host)] } ?? [])
      + (devicePlace.map { [Note.placeDevice($0)] } ?? []) + (skipsFamily ? [.familySkipped] : [])
  }

  /// IPV6_V6ONLY at bind(2), unless its setsockopt(2) is refused; nil where it is not known.
  static func v6only(_ plan: Plan, _ transport: TransportProtocol, _ host: HostFacts) -> Bool? {
    guard let planned = plan.v6only else { return host.bindv6only }
    guard let odd = host.freshSocket(transport, .ipv6)?.odd(.v6only), planned != odd.initially else { return planned }
    return odd.afterwards
  }

  static func v6onlyRefusal(
    _ plan: Plan, _ transport: TransportProtocol, _ family: AddressFamily, _ host: HostFacts
  ) -> SystemError? {
    guard family == .ipv6, plan.v6only != nil else { return nil }
    return host.freshSocket(transport, family)?.odd(.v6only)?.refusal
  }

  /// The device at bind(2): the planned one, unless this place keeps SO_BINDTODEVICE from the kernel.
  static func device(
    _ plan: Plan, _ transport: TransportProtocol, _ family: AddressFamily, _ host: HostFacts
  ) -> BindDevice? {
    let given = host.deviceOfFreshSocket(transport, family)
    guard let name = plan.device else { return given }
    if let odd = host.freshSocket(transport, family)?.odd(.device), odd.refusal == nil { return given }
    return device(name, host)
  }

  static func device(_ name: String, _ host: HostFacts) -> BindDevice {
    host.interface(named: name).map { .interface($0.index, name: name) } ?? .missing(name: name)
  }
}

/// One address to bind, its zone resolved.
private struct PlannedAddress {
  var address: IPAddress
  var scope: InterfaceIndex?
  /// The zone, where the host has no interface of that name.
  var missingZone: String?

  /// - Parameter own: where the planned server binds by default, in place of both wildcards. Servers pass over IPv6 on a
  ///   host without it.
  static func all(
    _ address: QuestionAddress, families: Set<AddressFamily>?, of own: [IPAddress]?, host: HostFacts
  ) -> [PlannedAddress] {
    switch address {
    case .wildcard, .everyAddress:
      if let own, address == .wildcard {
        let hasIPv6 = host.ipv6Available != false
        let isSwitchedOff = host.ipv6Disabled?.contains("lo") ?? false
        let usable = own.filter { $0.family == .ipv4 || (hasIPv6 && !(isSwitchedOff && $0 == .v6(.loopback))) }
        // A runtime with one dual-stack socket falls back to IPv4.
        return (usable.isEmpty ? [.v4(.any)] : usable).map { PlannedAddress(address: $0) }
      }
      var wildcards: [PlannedAddress] = []
      if families?.contains(.ipv4) ?? true { wildcards.append(PlannedAddress(address: .v4(.any))) }
      if families?.contains(.ipv6) ?? (host.ipv6Available != false) {
        wildcards.append(PlannedAddress(address: .v6(.any)))
      }
      return wildcards
    case .address(let address, let zone):
      guard let zone else { return [PlannedAddress(address: address)] }
      if let scope = host.interface(named: zone)?.index { return [PlannedAddress(address: address, scope: scope)] }
      // As getaddrinfo(3) reads a number: digits alone, 0 for no interface.
      guard zone.isDecimal, let number = UInt32(zone) else {
        return [PlannedAddress(address: address, missingZone: zone)]
      }
      return [PlannedAddress(address: address, scope: InterfaceIndex(kernel: number))]
    }
  }
}

/// Whose socket is planned: as asked, else the user who called sudo(8), else the reader. By sudo(8) a privileged port is
/// root's, as the server that needs it would be started the same way.
struct PlannedUser {
  let uid: UInt32
  let mayBindPrivileged: Bool?
  /// The user who called sudo(8) and would get EACCES himself, where root is judged in his place.
  let judgedAsRootFor: UInt32?

  init(_ plan: Plan, port: Port, host: HostFacts) {
    let start = host.unprivilegedPortStart ?? 1024
    let isPrivileged = UInt32(port.rawValue) < start
    let caller = host.sudoUID ?? host.uid
    let isRoots = isPrivileged && host.sudoUID != nil && !plan.hasBindCapability
    uid = plan.uid ?? (isRoots ? 0 : caller)
    mayBindPrivileged = plan.hasBindCapability ? host.rootMayBindPrivileged : Self.mayBindPrivileged(uid, host)
    let isRefused = isRoots && plan.uid == nil && caller != 0 && Self.mayBindPrivileged(caller, host) != true
    judgedAsRootFor = isRefused ? caller : nil
  }

  /// The reader's own uid has what the reader has, uid 0 has the capability unless its user namespace lies below the
  /// network namespace's, any other uid has it only as the maker of the user namespace below that owns that one.
  static func mayBindPrivileged(_ uid: UInt32, _ host: HostFacts) -> Bool? {
    if uid == host.uid { return host.readerMayBindPrivileged }
    if uid == host.namespaceMaker { return true }
    return uid == 0 ? host.rootMayBindPrivileged : false
  }
}

extension HostFacts {
  /// The device that a fresh socket of this kind has here; nil for none.
  fileprivate func deviceOfFreshSocket(_ transport: TransportProtocol, _ family: AddressFamily) -> BindDevice? {
    freshSocket(transport, family)?.device.map { index in
      .interface(index, name: interface(index)?.name ?? "interface \(index.rawValue)")
    }
  }
}

extension SocketObservation {
  /// What the runtime of the program behind the socket sets by default: that of a process that holds it, else the one
  /// that its control group is named after, as nginx.service is.
  var usualOptions: UsualOptions? {
    let programs = processes.lazy.compactMap { Runtime(executable: $0.executable) }
    let runtime = programs.first ?? cgroup.flatMap(Runtime.init(controlGroup:))
    guard let defaults = runtime?.defaults(transport) else { return nil }
    let v6only: Bool? =
      switch defaults.v6only {
      case .set: true
      case .cleared: false
      case .host: nil
      }
    return UsualOptions(reuseaddr: defaults.reuseaddr, reuseport: defaults.reuseport, v6only: v6only)
  }
}

extension Runtime {
  /// The entry that a service unit at the end of the path of a control group is named after, instances of templates
  /// included: `/system.slice/ssh.service`, `/system.slice/system-postgresql.slice/postgresql@15-main.service`.
  init?(controlGroup path: String) {
    guard let last = path.utf8.split(separator: UInt8(ascii: "/")).last, let unit = String(last),
      unit.utf8.count > 8, unit.hasSuffix(".service")
    else { return nil }
    let name = unit.utf8.dropLast(8).prefix { $0 != UInt8(ascii: "@") }
    self.init(named: String(Substring(name)))
  }
}
