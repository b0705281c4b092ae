public import BindRules
public import Explanation
public import SocketModel

/// What is asked of a saved report: each part that is given takes the place of the saved one.
public struct SavedQuestion: Sendable, Hashable {
  /// The binds of TARGET; nil for those of the report.
  public var items: [QuestionItem]?
  /// The families of `-4` and `-6`, for the wildcards of `items`.
  public var families: Set<AddressFamily>?
  /// Only the ports of these transports; nil for all. For `items` their own transport counts.
  public var transports: Set<TransportProtocol>?
  /// The reuse options; nil for those of the report.
  public var options: ReuseOptions?
  /// IPV6_V6ONLY; nil for that of the report.
  public var v6only: Bool?
  /// The interface; nil for that of the report.
  public var device: String?
  /// The owner; nil for that of the report.
  public var uid: UInt32?
  /// The runtime; nil for that of the report.
  public var runtime: Runtime?

  /// One with these parts, each as its property says.
  public init(
    items: [QuestionItem]? = nil, families: Set<AddressFamily>? = nil, transports: Set<TransportProtocol>? = nil,
    options: ReuseOptions? = nil, v6only: Bool? = nil, device: String? = nil, uid: UInt32? = nil,
    runtime: Runtime? = nil
  ) {
    self.items = items
    self.families = families
    self.transports = transports
    self.options = options
    self.v6only = v6only
    self.device = device
    self.uid = uid
    self.runtime = runtime
  }

  /// The plan of a saved target with what replaces its parts, as a question.
  func plan(replacing saved: Plan, _ transport: TransportProtocol) -> Question {
    var plan = Question(items: items ?? [], families: families)
    plan.runtime = runtime ?? saved.runtime.flatMap(Runtime.init(named:))
    plan.options = options ?? (runtime == nil ? saved.options : [])
    plan.v6only = v6only ?? (runtime == nil ? saved.v6only : nil)
    plan.device = device ?? saved.device
    plan.uid = uid ?? saved.uid
    return plan
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
    var question = changes.plan(replacing: target.plan, item.transport)
    // The overview has no plan of anybody.
    if target.attempts.isEmpty { question.uid = changes.uid }
    if saved.host.interfaces == nil, let name = question.device ?? item.zone { throw .interfacesMissing(name) }
    let planning = Planning(question: question, item: item, port: port, host: saved.host)
    let savedOptions = target.plan.options
    let planned: Set = ["privileged-port", "family-skipped"]
    target.notes = planning.notes + target.notes.filter { !planned.contains($0.kind) }
    target.plan = planning.plan
    return judged(target, planning.attempts, question, saved, keepsOptions: target.plan.options == savedOptions)
  }

  /// A port of the report with its own attempts.
  private static func judgedAgain(
    _ target: TargetReport, _ changes: SavedQuestion, _ saved: Report
  ) throws(SavedReportError) -> TargetReport {
    guard !target.attempts.isEmpty else { return target }
    var target = target
    let savedOptions = target.plan.options
    let question = changes.plan(replacing: target.plan, target.transport)
    let v6only = question.v6only(target.transport)
    let changesV6only = changes.v6only != nil || changes.runtime != nil
    target.plan = Plan(
      options: question.options(target.transport), v6only: v6only, device: question.device,
      uid: changes.uid ?? target.plan.uid, runtime: changes.runtime?.name ?? target.plan.runtime)
    if let name = changes.device, saved.host.interfaces == nil { throw .interfacesMissing(name) }
    if changes.uid != nil { target.notes.removeAll { $0.kind == "privileged-port" } }
    let attempts = target.attempts.map { report in
      var attempt = report.attempt
      if let uid = changes.uid {
        attempt.uid = uid
        attempt.mayBindPrivileged = PlannedUser.mayBindPrivileged(uid, saved.host)
      }
      if changesV6only, attempt.family == .ipv6 { attempt.v6only = v6only ?? saved.host.bindv6only ?? false }
      if let device = changes.device { attempt.device = Planning.device(device, saved.host) }
      return attempt
    }
    return judged(target, attempts, question, saved, keepsOptions: target.plan.options == savedOptions)
  }

  /// `target` has the new plan and still the saved attempts.
  private static func judged(
    _ target: TargetReport, _ attempts: [BindAttempt], _ question: Question, _ saved: Report,
    keepsOptions: Bool
  ) -> TargetReport {
    let snapshot = Snapshot(
      host: saved.host, visibility: saved.visibility, sockets: target.sockets, buckets: target.buckets,
      isChainOrdered: target.isChainOrdered)
    var result = target
    result.attempts = attempts.map { attempt in
      let before = target.attempts.first { $0.attempt == attempt }
      let probed = before?.outcomes.filter { $0.source == .probe } ?? []
      let outcomes = outcomes(of: attempt, in: snapshot).map { outcome in
        probed.first { $0.options == outcome.options } ?? outcome
      }
      var explanation = explain(
        Situation(
          attempt: attempt, outcomes: outcomes, planned: target.plan.options, snapshot: snapshot,
          runtime: question.runtime))
      if let before, keepsOptions {
        // What only the writing host could say, of a probe for instance.
        let kinds = Set(explanation.notes.map(\.kind))
        explanation.notes += before.explanation.notes.filter { !kinds.contains($0.kind) }
      }
      explanation.suggestions = question.completing(explanation.suggestions)
      return AttemptReport(attempt: attempt, outcomes: outcomes, explanation: explanation)
    }
    result.verdict = verdict(result.attempts, planned: target.plan.options)
    return result
  }
}

extension QuestionItem {
  /// The first interface that an address of the item names.
  fileprivate var zone: String? {
    addresses.lazy.compactMap { if case .address(_, let zone) = $0 { zone } else { nil } }.first
  }
}
