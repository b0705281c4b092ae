public import BindRules
import PortwhyExplanation
public import SocketModel

/// What is asked of a saved report: each part that is given takes the place of the saved one.
public struct SavedQuestion: Sendable, Hashable {
  /// The binds of TARGET; nil for those of the report.
  public var items: [QuestionItem]?
  /// The families of `-4` and `-6`, for the wildcards of `items`.
  public var families: Set<AddressFamily>?
  /// Only the ports of these transports; nil for all. For `items` their own transport counts.
  public var transports: Set<TransportProtocol>?
  public var options: ReuseOptions?
  public var v6only: Bool?
  public var device: String?
  public var uid: UInt32?

  public init(
    items: [QuestionItem]? = nil, families: Set<AddressFamily>? = nil, transports: Set<TransportProtocol>? = nil,
    options: ReuseOptions? = nil, v6only: Bool? = nil, device: String? = nil, uid: UInt32? = nil
  ) {
    self.items = items
    self.families = families
    self.transports = transports
    self.options = options
    self.v6only = v6only
    self.device = device
    self.uid = uid
  }

}

/// What a saved report cannot answer.
public enum SavedReportError: Error, Sendable, Hashable {
  /// The report is not about this port.
  case portMissing(Port, TransportProtocol)
  /// It is about no port of the transports asked for.
  case nothingToAnswer
  /// The question names an interface, and the report does not say which the host has.
  case interfacesMissing(String)
}

extension Portwhy {
  /// Answers from a saved report instead of this host: the same verdicts as the host that wrote it.
  ///
  /// The rules judge the saved sockets and facts once more, with the parts of the plan that `question` replaces. A
  /// fact that the report lacks makes an answer undetermined. An outcome found by a real bind is kept, as long as
  /// its bind is still the one that is asked about.
  public static func answer(
    from saved: Report, _ question: SavedQuestion = SavedQuestion()
  ) throws(SavedReportError) -> Report {
    var report = saved
    report.version = portwhyVersion
    report.targets = []
    if let items = question.items {
      for item in items {
        for port in item.ports { report.targets.append(try target(Port(port), item, question, saved)) }
      }
    } else {
      for target in saved.targets where question.transports?.contains(target.transport) ?? true {
        report.targets.append(try judgedAgain(target, question, saved))
      }
      if report.targets.isEmpty && !saved.targets.isEmpty { throw .nothingToAnswer }
    }
    return report
  }

  /// A port of TARGET: its addresses are new, what else is not given is that of the saved plan.
  private static func target(
    _ port: Port, _ item: QuestionItem, _ changes: SavedQuestion, _ saved: Report
  ) throws(SavedReportError) -> TargetReport {
    guard var target = saved.targets.first(where: { $0.transport == item.transport && $0.port == port }) else {
      throw .portMissing(port, item.transport)
    }
    var question = Question(items: [item], options: changes.options ?? target.plan.options)
    question.v6only = changes.v6only ?? target.plan.v6only
    question.device = changes.device ?? target.plan.device
    question.families = changes.families
    // The overview has no plan of anybody.
    question.uid = changes.uid ?? (target.attempts.isEmpty ? nil : target.plan.uid)
    if saved.host.interfaces == nil, let name = question.device ?? item.zone { throw .interfacesMissing(name) }
    let planning = Planning(question: question, item: item, port: port, host: saved.host)
    let planned: Set = ["privileged-port", "family-skipped"]
    target.notes = planning.notes + target.notes.filter { !planned.contains($0.kind) }
    target.plan = planning.plan
    return judged(target, planning.attempts, saved)
  }

  /// A port of the report with its own attempts.
  private static func judgedAgain(
    _ target: TargetReport, _ changes: SavedQuestion, _ saved: Report
  ) throws(SavedReportError) -> TargetReport {
    guard !target.attempts.isEmpty else { return target }
    var target = target
    target.plan.options = changes.options ?? target.plan.options
    target.plan.v6only = changes.v6only ?? target.plan.v6only
    target.plan.device = changes.device ?? target.plan.device
    target.plan.uid = changes.uid ?? target.plan.uid
    if let name = changes.device, saved.host.interfaces == nil { throw .interfacesMissing(name) }
    if changes.uid != nil { target.notes.removeAll { $0.kind == "privileged-port" } }
    let attempts = target.attempts.map { report in
      var attempt = report.attempt
      if let uid = changes.uid {
        attempt.uid = uid
        attempt.mayBindPrivileged = PlannedUser.mayBindPrivileged(uid, saved.host)
      }
      if let v6only = changes.v6only, attempt.family == .ipv6 { attempt.v6only = v6only }
      if let device = changes.device { attempt.device = Planning.device(device, saved.host) }
      return attempt
    }
    return judged(target, attempts, saved)
  }

  private static func judged(_ target: TargetReport, _ attempts: [BindAttempt], _ saved: Report) -> TargetReport {
    let snapshot = Snapshot(host: saved.host, visibility: saved.visibility, sockets: target.sockets)
    let planned = target.plan.options
    var result = target
    result.attempts = PortwhyKit.judged(attempts, planned: planned, in: snapshot).map { fresh in
      guard let old = target.attempts.first(where: { $0.attempt == fresh.attempt }),
        old.outcomes.contains(where: { $0.source == .probe })
      else { return fresh }
      let outcomes = fresh.outcomes.map { outcome in
        old.outcomes.first { $0.options == outcome.options && $0.source == .probe } ?? outcome
      }
      let explanation = explain(
        Case(attempt: fresh.attempt, outcomes: outcomes, planned: planned, snapshot: snapshot))
      return AttemptReport(attempt: fresh.attempt, outcomes: outcomes, explanation: explanation)
    }
    result.verdict = verdict(result.attempts, planned: planned)
    return result
  }
}

extension QuestionItem {
  /// The first interface that an address of the item names.
  fileprivate var zone: String? {
    addresses.lazy.compactMap { if case .address(_, let zone) = $0 { zone } else { nil } }.first
  }
}
