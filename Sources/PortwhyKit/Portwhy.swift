public import BindRules
import Glibc
import HostEvidence
import Netlink
import PortwhyExplanation
public import SocketModel

/// The answers of the library.
public enum Portwhy {
  /// Looks at the host and says what the planned binds would do. Reads only: nothing is bound, sent or signalled.
  public static func answer(_ question: Question) throws(PortwhyError) -> Report {
    let started = Clock.now
    let scene = try Scene(ports: question.portsByTransport, needs: question.hostNeeds) { transport, port in
      question.items.contains { $0.transport == transport && $0.ports.contains(port) }
    }
    var targets: [TargetReport] = []
    for item in question.items {
      for port in item.ports { targets.append(target(Port(port), item, question, scene)) }
    }
    return Report(
      version: portwhyVersion, capturedAt: started, host: scene.host, visibility: scene.visibility, targets: targets)
  }

  /// Looks at every port in use of these transports.
  public static func overview(_ transports: [TransportProtocol]) throws(PortwhyError) -> Report {
    let started = Clock.now
    let ports = Dictionary(uniqueKeysWithValues: transports.map { ($0, UInt16(0)...UInt16.max) })
    let scene = try Scene(ports: ports, needs: [.networkNamespace, .localPortRange])
    let plan = Plan(uid: scene.host.uid)
    let targets = transports.flatMap { transport in
      Dictionary(grouping: scene.sockets[transport] ?? [], by: \.local.port).sorted { $0.key < $1.key }.map {
        TargetReport(transport: transport, port: $0.key, plan: plan, verdict: nil, sockets: $0.value, attempts: [])
      }
    }
    return Report(
      version: portwhyVersion, capturedAt: started, host: scene.host, visibility: scene.visibility, targets: targets)
  }

  /// The four outcomes of one attempt on this host, in the order of `ReuseOptions.combinations`, with the snapshot
  /// they were drawn from; the raw material of `answer`.
  public static func judge(_ attempt: BindAttempt) throws(PortwhyError) -> (
    outcomes: [BindOutcome], snapshot: Snapshot
  ) {
    let port = attempt.port.rawValue
    let scene = try Scene(ports: [attempt.transport: port...port], needs: attempt.hostNeeds)
    let snapshot = scene.snapshot(attempt.transport, attempt.port)
    return (outcomes(of: attempt, in: snapshot), snapshot)
  }

  private static func target(
    _ port: Port, _ item: QuestionItem, _ question: Question, _ scene: Scene
  ) -> TargetReport {
    let snapshot = scene.snapshot(item.transport, port)
    let planning = Planning(question: question, item: item, port: port, host: scene.host)
    let attempts = judged(planning.attempts, planned: question.options, in: snapshot)
    return TargetReport(
      transport: item.transport, port: port, plan: planning.plan,
      verdict: verdict(attempts, planned: question.options), sockets: snapshot.sockets, attempts: attempts,
      notes: planning.notes + scene.notes(item.transport, port))
  }
}

/// Each attempt with what the rules say of it and why.
func judged(_ attempts: [BindAttempt], planned: ReuseOptions, in snapshot: Snapshot) -> [AttemptReport] {
  attempts.map { attempt in
    let outcomes = outcomes(of: attempt, in: snapshot)
    let explanation = explain(Case(attempt: attempt, outcomes: outcomes, planned: planned, snapshot: snapshot))
    return AttemptReport(attempt: attempt, outcomes: outcomes, explanation: explanation)
  }
}

/// bind and listen of the planned combination over all attempts: one that fails decides, then one that is
/// undetermined.
func verdict(_ attempts: [AttemptReport], planned: ReuseOptions) -> CallResult {
  let verdicts = attempts.map { $0.outcome(planned)?.verdict ?? .undetermined }
  let failed = verdicts.first { if case .fails = $0 { true } else { false } }
  return failed ?? (verdicts.contains(.undetermined) ? .undetermined : .ok)
}

enum Clock {
  /// Seconds since the epoch, CLOCK_REALTIME.
  static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
