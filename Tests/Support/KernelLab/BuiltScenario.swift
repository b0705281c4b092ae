package import BindRules
package import SocketModel

/// A copy of a scenario with real sockets on a port of its own; all are closed when it goes.
///
/// It belongs to the thread and the namespace that built it.
package struct BuiltScenario: ~Copyable {
  /// What was built.
  package let scenario: Scenario
  /// The port under test.
  package let port: Port
  /// One for each holder, in order. Two copies of a scenario are the same only where these are the same.
  package let outcomes: [HolderOutcome]
  /// One for each holder, in order; all nil where it was not built.
  package let sockets: [HolderSockets]
  let interfaces: [LabDevice: InterfaceIndex]

  deinit {
    for descriptor in sockets.flatMap(\.all) { SystemCalls.close(descriptor) }
  }

  /// The state of a descriptor as getsockopt(TCP_INFO) says; nil for other protocols and for nil.
  package func state(of descriptor: Int32?) -> SocketState? {
    descriptor.flatMap { tcpInfo($0)?.state }
  }

  /// Makes the attempt for real with these options: socket(2), setsockopt(2), fchown(2), bind(2), and for TCP
  /// listen(2); everything is closed at once.
  ///
  /// It changes the copy's history (the kernel's caches in the bind bucket): after one that counts, take a new
  /// copy.
  package func tryBind(_ options: ReuseOptions) -> TrialResult {
    tryBind(scenario.attempt, options)
  }

  /// The same with another attempt.
  package func tryBind(_ attempt: Attempt, _ options: ReuseOptions) -> TrialResult {
    bindForReal(attempt, options, port, scope: attempt.scope.flatMap { interfaces[$0]?.rawValue } ?? 0)
  }

  /// listen(2) on the main socket of a holder: what became of a holder that was bound before.
  package func tryListen(holder index: Int) -> CallResult {
    guard sockets.indices.contains(index), let main = sockets[index].main else {
      return .fails(SystemError(rawValue: 9))
    }
    do {
      try SystemCalls.listen(main, backlog: 1)
      return .ok
    } catch {
      return .fails(error)
    }
  }
}

/// Makes an attempt for real in the place of the calling thread: socket(2), setsockopt(2), fchown(2), bind(2), and for TCP
/// listen(2); everything is closed at once.
///
/// - Parameter scope: the interface of the attempt's zone, 0 for none.
package func bindForReal(_ attempt: Attempt, _ options: ReuseOptions, _ port: Port, scope: UInt32) -> TrialResult {
  do throws(CallFailure) {
    let descriptor = try SocketRecipe(attempt, options).open()
    defer { SystemCalls.close(descriptor) }
    let address = SocketAddress(attempt.address, port: port.rawValue, scope: scope)
    try step(.bind) { () throws(SystemError) in
      if attempt.mayBindPrivileged { return try SystemCalls.bind(descriptor, address) }
      try SystemCalls.withoutBindCapability { () throws(SystemError) in
        try SystemCalls.bind(descriptor, address)
      }
    }
    if attempt.transport == .tcp {
      try step(.listen) { () throws(SystemError) in try SystemCalls.listen(descriptor, backlog: 1) }
    }
    return .works(attempt.transport)
  } catch {
    return .fails(error, attempt.transport)
  }
}

/// What a trial came to.
package enum TrialResult: Sendable, Hashable, CustomStringConvertible {
  /// bind(2) worked, and for TCP listen(2).
  case works(TransportProtocol)
  /// The first call that failed.
  case fails(CallFailure, TransportProtocol)

  /// As in `BindOutcome.bind`: an error of socket(2) or setsockopt(2) stands here too.
  package var bind: CallResult {
    if case .fails(let failure, _) = self, failure.call != .listen { .fails(failure.error) } else { .ok }
  }

  /// As in `BindOutcome.listen`: nil for UDP and where bind(2) fails.
  package var listen: CallResult? {
    switch self {
    case .works(let transport): transport == .tcp ? .ok : nil
    case .fails(let failure, _): failure.call == .listen ? .fails(failure.error) : nil
    }
  }

  package var description: String {
    switch self {
    case .works: "ok"
    case .fails(let failure, _): failure.description
    }
  }
}

/// A trial with the copy it was made on.
package struct Trial: Sendable, Hashable {
  /// The combination of options that was tried.
  package var options: ReuseOptions
  /// What the kernel answered.
  package var result: TrialResult
  /// What became of the holders of this copy.
  package var outcomes: [HolderOutcome]
}

extension NetworkNamespace {
  /// Builds a copy of a scenario on a port never used here before. Throws `outOfPorts`, and what a sysctl answers.
  ///
  /// The scenario's settings stay until the next copy is built.
  package mutating func build(_ scenario: Scenario) throws(NamespaceError) -> BuiltScenario {
    do { try apply(scenario.settings) } catch { throw .failed("sysctl", error) }
    do { try restore() } catch { throw .failed("enslave", error) }
    let port = try freshPort(scenario.port)
    var outcomes: [HolderOutcome] = []
    var sockets: [HolderSockets] = []
    var listeners: [OtherListener] = []
    for holder in scenario.holders {
      var builder = HolderBuilder(
        holder: holder, port: port.rawValue, interfaces: interfaces, otherListeners: listeners,
        blackholePort: holder.kind == .synSent ? blackholePort(for: holder) : 0)
      do {
        try builder.build()
        outcomes.append(.built)
        if let main = builder.sockets.main, tcpInfo(main)?.state == .listen {
          listeners.append(OtherListener(descriptor: main, defersAccept: holder.kind == .requestInProgress))
        }
      } catch {
        outcomes.append(.notBuilt(error))
        for descriptor in builder.sockets.all { closeForGood(descriptor) }
        builder.sockets = HolderSockets()
      }
      sockets.append(builder.sockets)
    }
    if scenario.holders.contains(where: \.changesL3mdevAccept) { forgetL3mdevAccept() }
    for change in scenario.later {
      do { try apply(change) } catch { throw .failed("\(change)", error) }
    }
    return BuiltScenario(
      scenario: scenario, port: port, outcomes: outcomes, sockets: sockets, interfaces: interfaces)
  }

  /// Makes the attempt on a fresh copy of the scenario.
  package mutating func trial(_ scenario: Scenario, _ options: ReuseOptions) throws(NamespaceError) -> Trial {
    let copy = try build(scenario)
    return Trial(options: options, result: copy.tryBind(options), outcomes: copy.outcomes)
  }

  /// The four trials of a scenario, each on a fresh copy, in the order of `ReuseOptions.combinations`.
  package mutating func trials(_ scenario: Scenario) throws(NamespaceError) -> [Trial] {
    var trials: [Trial] = []
    for options in ReuseOptions.combinations { trials.append(try trial(scenario, options)) }
    return trials
  }

  /// The port of a listener that drops every SYN; made at the first use, 0 where that fails.
  private mutating func blackholePort(for holder: Holder) -> UInt16 {
    let address = holder.peer ?? holder.address
    var family = address.family
    if case .v6(let address) = address, address.mapped != nil { family = .ipv4 }
    if blackholes[family] == nil { blackholes[family] = try? Self.blackhole(family) }
    return blackholes[family]?.port ?? 0
  }

  private static func blackhole(_ family: AddressFamily) throws(SystemError) -> Blackhole {
    let number: Int32 = family == .ipv4 ? 2 : 10
    let listener = try SystemCalls.socket(family: number, type: 1)
    if family == .ipv6 { try SystemCalls.setOption(listener, .v6only, 1) }
    try SystemCalls.bind(listener, SocketAddress(family == .ipv4 ? .v4(.any) : .v6(.any), port: 0))
    try SystemCalls.listen(listener, backlog: 0)
    let port = try SystemCalls.localAddress(listener).port
    let filler = try SystemCalls.socket(family: number, type: 1)
    let target: IPAddress = family == .ipv4 ? .v4(.loopback) : .v6(.loopback)
    try? SystemCalls.connect(filler, SocketAddress(target, port: port))
    _ = SystemCalls.poll(listener, events: 1, milliseconds: 1000)
    return Blackhole(port: port, descriptors: [listener, filler])
  }
}

extension Holder {
  fileprivate var changesL3mdevAccept: Bool {
    changes.contains { if case .l3mdevAccept = $0.action { true } else { false } }
  }
}
