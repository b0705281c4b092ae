internal import BindRules
internal import Linux
internal import Answers
internal import PortwhyReport
internal import SocketModel

// `--from`: what is asked of saved reports, and the answer of one of them. `ManyReports` has those of several.

extension Invocation {
  /// Without TARGET the binds are those of the report; what plans a bind replaces its part of the saved plan.
  static func savedQuestion(_ given: GivenOptions, _ lookup: Lookup) throws(UsageError) -> SavedQuestion {
    var question = SavedQuestion(families: given.families, plan: Plan(v6only: given.v6only))
    question.ours = try ours(given, lookup)
    question.isVerdictOnly = (given.has(.quiet) || given.has(.free)) && question.ours.isEmpty
    question.hasBindCapability = given.has(.capNetBind)
    question.systems = systems(given)
    if !given.transports.isEmpty { question.transports = Set(given.transports) }
    if !given.reuseOptions.isEmpty { question.options = given.reuseOptions }
    question.runtime = try runtime(given)
    question.device = try device(given)
    question.uid = try uid(given, lookup)
    question.items = try given.operand.map { target throws(UsageError) in
      do throws(UsageError) {
        return try items(target, given, lookup)
      } catch {
        // A glob of the shell makes a TARGET of its second file.
        guard target.contains("/") || target.hasSuffix(".json") || target.hasSuffix(".jsonl") else { throw error }
        throw UsageError("\(error.message); --from takes one file: repeat it, or give a directory")
      }
    }
    return question
  }

  /// Whether it is the overview that is to be printed: asked for, or all that a saved report has.
  func asksForOverview(_ report: Report) -> Bool {
    switch task {
    case .overview: true
    case .saved: report.targets.allSatisfy(\.attempts.isEmpty)
    case .answer, .explain, .runtimes, .help, .version, .command: false
    }
  }
}

extension SavedQuestion {
  /// The answer of this report, with the names of users that it brings.
  func answer(_ saved: SavedReport) throws(SavedReportError) -> Report {
    var question = self
    question.ours = ours.map { $0.resolved(saved.users) }
    return try Portwhy.answer(from: saved.report, question)
  }

  /// What such a report lacks, after its name: `does not have 80/tcp`.
  func text(_ error: SavedReportError) -> String {
    switch error {
    case .portMissing(let port, let transport): "does not have \(port)/\(transport.rawValue)"
    case .nothingToAnswer:
      "has no \((transports ?? []).map(\.rawValue).sorted().joined(separator: " or ")) port"
    case .interfacesMissing(let interface): "does not list the interfaces, so not \(Shown(interface))"
    }
  }
}
