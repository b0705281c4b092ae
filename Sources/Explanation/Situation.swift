package import BindRules
package import SocketModel

/// What one attempt is explained from: the rules' answers and the facts they were drawn from.
package struct Situation: Sendable, Hashable {
  /// The bind that was judged.
  package var attempt: BindAttempt
  /// The four outcomes, in the order of `ReuseOptions.combinations`.
  package var outcomes: [BindOutcome]
  /// The options the user plans to set.
  package var planned: ReuseOptions
  /// The sockets of the port, as given to the rules.
  package var snapshot: Snapshot {
    didSet { listeners = snapshot.listeners }
  }
  /// Every socket's role asks for it.
  private var listeners: [SocketObservation]
  /// Other ports, and every socket on them, for a free one to offer; nil where they were not looked at.
  package var nearby: NearbyPorts?
  /// The planned server's runtime (`--runtime`); nil where it was not said.
  package var runtime: Runtime?
  /// The options of the question, as the command line has them: without them a command that asks portwhy again would
  /// ask another question.
  package var questionOptions: [String]

  /// What is judged, what came of it and the facts; the rest where it is known.
  package init(
    attempt: BindAttempt, outcomes: [BindOutcome], planned: ReuseOptions, snapshot: Snapshot,
    nearby: NearbyPorts? = nil,
    runtime: Runtime? = nil, questionOptions: [String] = []
  ) {
    self.attempt = attempt
    self.outcomes = outcomes
    self.planned = planned
    self.snapshot = snapshot
    self.listeners = snapshot.listeners
    self.nearby = nearby
    self.runtime = runtime
    self.questionOptions = questionOptions
  }

  func outcome(_ options: ReuseOptions) -> BindOutcome? {
    outcomes.first { $0.options == options }
  }

  func socket(_ blocker: Blocker) -> SocketObservation { snapshot.sockets[blocker.socket] }

  /// The sockets in the way of the planned bind.
  var blockingSockets: [SocketObservation] { (outcome(planned)?.blockers ?? []).map(socket) }

  func role(_ socket: SocketObservation) -> SocketRole {
    SocketRole(socket, host: snapshot.host, listeners: listeners)
  }

  /// What the rules say to a changed plan or situation.
  func verdict(
    _ options: ReuseOptions? = nil, _ attempt: BindAttempt? = nil, in snapshot: Snapshot? = nil
  ) -> CallResult {
    let changed = BindRules.outcomes(of: attempt ?? self.attempt, in: snapshot ?? self.snapshot)
    return changed.first { $0.options == options ?? planned }?.verdict ?? .undetermined
  }
}

/// Ports beside the one asked for, with every socket on them.
package struct NearbyPorts: Sendable, Hashable {
  /// The ports that were looked at.
  package var ports: ClosedRange<UInt16>
  /// What the kernel lists; options and owners need not be known.
  package var sockets: [SocketObservation]
  /// Those of `ports` that `/etc/services` gives to a service of the transport: never offered.
  package var named: Set<UInt16>

  /// Every socket on these ports, and which of them have a name.
  package init(ports: ClosedRange<UInt16>, sockets: [SocketObservation], named: Set<UInt16> = []) {
    self.ports = ports
    self.sockets = sockets
    self.named = named
  }
}
