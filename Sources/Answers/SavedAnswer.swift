package import BindRules
import Explanation
package import SocketModel

/// What is asked of a saved report: each part that is given takes the place of the saved one.
@dynamicMemberLookup
package struct SavedQuestion: Sendable, Hashable {
  /// The binds of TARGET; nil for those of the report.
  package var items: [QuestionItem]?
  /// The families of `-4` and `-6`, for the wildcards of `items`.
  package var families: Set<AddressFamily>?
  /// Only the ports of these transports; nil for all. For `items` their own transport counts.
  package var transports: Set<TransportProtocol>?
  /// What replaces its part of the saved plan: whatever is given here, and all that a given runtime sets by default.
  package var plan: Plan
  /// Whether the options of `plan` replace the saved ones even where there are none.
  package var withoutOptions: Bool
  /// What is one's own, as `Question.ours`; without any what the report says of that stays, where it still holds.
  package var ours: [OursPredicate] = []
  /// The systems that are asked besides, as `Question.systems`.
  package var systems: [BSDSystem] = []
  /// Answer with the verdict alone, as `Question.isVerdictOnly`.
  package var isVerdictOnly = false

  /// Without arguments the question that the report was the answer to.
  package init(
    items: [QuestionItem]? = nil, families: Set<AddressFamily>? = nil, transports: Set<TransportProtocol>? = nil,
    plan: Plan = Plan(), withoutOptions: Bool = false
  ) {
    self.items = items
    self.families = families
    self.transports = transports
    self.plan = plan
    self.withoutOptions = withoutOptions
  }

  /// A part of what replaces the saved plan.
  package subscript<Part>(dynamicMember part: WritableKeyPath<Plan, Part>) -> Part {
    get { plan[keyPath: part] }
    set { plan[keyPath: part] = newValue }
  }

  /// The question about a saved target of this transport.
  func question(replacing saved: Plan, _ transport: TransportProtocol) -> Question {
    var question = Question(items: items ?? [], plan: plan, families: families)
    question.isVerdictOnly = isVerdictOnly
    question.ours = ours
    // A runtime means nothing for UDP.
    if plan.runtimeName == nil || transport == .udp {
      if plan.options.isEmpty && !withoutOptions { question.plan.options = saved.options }
      question.plan.v6only = plan.v6only ?? saved.v6only
      question.plan.runtimeName = plan.runtimeName ?? saved.runtimeName
    } else if saved.v6only != Plan(runtime: saved.runtime).resolved(transport).v6only {
      // For TCP it takes the place of what the saved one set, not of what was asked for.
      question.plan.v6only = plan.v6only ?? saved.v6only
    }
    question.plan.device = plan.device ?? saved.device
    question.plan.hasBindCapability = plan.hasBindCapability || saved.hasBindCapability
    question.plan.uid = plan.uid ?? saved.uid
    return question
  }
}

/// What a saved report cannot answer.
package enum SavedReportError: Error, Sendable, Hashable {
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
  package static func answer(
    from saved: Report, _ question: SavedQuestion = SavedQuestion()
  ) throws(SavedReportError) -> Report {
    var report = saved
    report.version = Portwhy.version
    report.targets = []
    var saved = saved
    saved.host.checkedNames = saved.missingNames
    if let items = question.items {
      for item in items {
        for port in item.ports { report.targets.append(try target(port, item, question, saved)) }
      }
    } else {
      for target in saved.targets where question.transports?.contains(target.transport) ?? true {
        report.targets.append(try judgedAgain(target, question, saved))
      }
      if report.targets.isEmpty && !saved.targets.isEmpty { throw .nothingToAnswer }
    }
    if !question.isVerdictOnly { report.addForeign(question.systems) }
    return report
  }

  /// A port of TARGET: its addresses are new, what else is not given is that of the saved plan.
  private static func target(
    _ port: Port, _ item: QuestionItem, _ changes: SavedQuestion, _ saved: Report
  ) throws(SavedReportError) -> TargetReport {
    guard var target = saved.targets.first(where: { $0.transport == item.transport && $0.port == port }) else {
      throw .portMissing(port, item.transport)
    }
    var question = changes.question(replacing: target.plan, item.transport)
    // The overview has no plan of anybody.
    if target.attempts.isEmpty { question.plan.uid = changes.plan.uid }
    if saved.host.interfaces == nil, let name = question.plan.device ?? item.zone { throw .interfacesMissing(name) }
    let binds = PlannedBinds(question: question, item: item, port: port, host: saved.host)
    let savedOptions = target.plan.options
    target.notes.removeAll { $0.kind == .privilegedPort || $0.kind == .familySkipped }
    if !question.isVerdictOnly { target.notes = binds.notes(saved.host) + target.notes }
    target.plan = binds.plan
    return judged(target, binds.attempts, question, saved, keepsOptions: target.plan.options == savedOptions)
  }

  /// A port of the report with its own attempts.
  private static func judgedAgain(
    _ target: TargetReport, _ changes: SavedQuestion, _ saved: Report
  ) throws(SavedReportError) -> TargetReport {
    guard !target.attempts.isEmpty else { return target }
    var target = target
    let savedOptions = target.plan.options
    let question = changes.question(replacing: target.plan, target.transport)
    let changesV6only = changes.plan.v6only != nil || changes.plan.runtimeName != nil
    let uid = target.plan.uid
    target.plan = question.plan.resolved(target.transport)
    target.plan.uid = changes.plan.uid ?? uid
    let plan = target.plan
    if let name = changes.plan.device, saved.host.interfaces == nil { throw .interfacesMissing(name) }
    if changes.plan.uid != nil { target.notes.removeAll { $0.kind == .privilegedPort } }
    let attempts = target.attempts.map { report in
      var attempt = report.attempt
      if let uid = changes.plan.uid {
        attempt.uid = uid
        attempt.mayBindPrivileged = PlannedUser.mayBindPrivileged(uid, saved.host)
      }
      if changes.plan.hasBindCapability { attempt.mayBindPrivileged = saved.host.rootMayBindPrivileged }
      if changesV6only, attempt.family == .ipv6 {
        attempt.v6only = PlannedBinds.v6only(plan, target.transport, saved.host) ?? false
        attempt.isV6onlyKnown = PlannedBinds.v6only(plan, target.transport, saved.host) != nil
      }
      attempt.v6onlyRefusal = PlannedBinds.v6onlyRefusal(plan, target.transport, attempt.family, saved.host)
      if changes.plan.device != nil {
        attempt.device = PlannedBinds.device(plan, target.transport, attempt.family, saved.host)
      }
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
      isChainOrdered: target.isChainOrdered, wildcardMissesAddresses: target.wildcardMissesAddresses)
    var result = target
    result.attempts = attempts.map { attempt in
      let before = target.attempts.first { $0.attempt == attempt }
      let probed = before?.outcomes.filter { $0.source == .probe } ?? []
      let judged = outcomes(of: attempt, in: snapshot).map { outcome in
        probed.first { $0.options == outcome.options } ?? outcome
      }
      guard !question.isVerdictOnly else { return AttemptReport(attempt: attempt, outcomes: judged) }
      let outcomes = withLikelyOutcomes(judged, of: attempt, in: snapshot, usual: \.usualOptions)
      var explanation = explain(
        Situation(
          attempt: attempt, outcomes: outcomes, planned: target.plan.options, snapshot: snapshot,
          runtime: question.plan.runtime, questionOptions: question.commandOptions))
      if let before, keepsOptions {
        // What only the writing host could say, of a probe for instance.
        let words = Set(explanation.notes.map(\.word))
        explanation.notes += before.explanation.notes.filter { !words.contains($0.word) }
      }
      return AttemptReport(attempt: attempt, outcomes: outcomes, explanation: explanation)
    }
    result.verdict = verdict(result.attempts, planned: target.plan.options)
    if question.ours.isEmpty {
      result.keepOurs(from: target, saved.host, saved.visibility)
    } else {
      result.decideOurs(question.ours, saved.host, saved.visibility)
    }
    return result
  }
}

extension Report {
  /// The interface names that the writing host looked for and did not find: nobody's, as an alternative name either.
  fileprivate var missingNames: [String] {
    targets.flatMap(\.attempts).map(\.attempt).flatMap { attempt -> [String] in
      var names = attempt.missingZone.map { [$0] } ?? []
      if case .missing(let name)? = attempt.device { names.append(name) }
      return names
    }
  }
}

extension QuestionItem {
  /// The first interface that an address of the item names.
  fileprivate var zone: String? {
    addresses.lazy.compactMap { if case .address(_, let zone) = $0 { zone } else { nil } }.first
  }
}
