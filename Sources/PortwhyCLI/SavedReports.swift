internal import BindRules
internal import Linux
internal import Answers
internal import PortwhyReport
internal import SocketModel

// `--from`: what is asked of a saved report, and the report itself.

extension Invocation {
  /// Without TARGET the binds are those of the report; what plans a bind replaces its part of the saved plan.
  static func savedQuestion(_ given: GivenOptions, _ lookup: Lookup) throws(UsageError) -> SavedQuestion {
    var question = SavedQuestion(families: given.families, plan: Plan(v6only: given.v6only))
    question.hasBindCapability = given.has(.capNetBind)
    question.isVerdictOnly = given.has(.quiet)
    question.systems = systems(given)
    if !given.transports.isEmpty { question.transports = Set(given.transports) }
    if !given.reuseOptions.isEmpty { question.options = given.reuseOptions }
    question.runtime = try runtime(given)
    question.device = try device(given)
    question.uid = try uid(given, lookup)
    question.items = try given.operand.map { target throws(UsageError) in try items(target, given, lookup) }
    return question
  }

  /// Whether it is the overview that is to be printed: asked for, or all that a saved report has.
  func asksForOverview(_ report: Report) -> Bool {
    switch task {
    case .overview: true
    case .saved: report.targets.allSatisfy(\.attempts.isEmpty)
    case .answer, .explain, .help, .version, .command: false
    }
  }
}

extension CommandLineProgram {
  /// Whatever is wrong with the file or does not fit the question is wrong with the command line.
  static func savedReport(_ file: String, _ question: SavedQuestion) throws(UsageError) -> SavedReport {
    let name = file == "-" ? "standard input" : "\(Shown(file))"
    switch SystemCalls.read(file, limit: JSONReport.maximumSize) {
    case .failed(let reason): throw UsageError("cannot read \(name): \(reason)")
    case .bytes(let bytes):
      // A report is somebody else's text: from here on nothing is opened, connected or started any more.
      SystemCalls.confine()
      var saved: SavedReport
      do throws(ReportReadError) {
        saved = try JSONReport.read(bytes)
      } catch {
        throw UsageError("cannot use the report in \(name): \(error)")
      }
      saved.report = try answer(from: saved.report, question, name)
      return saved
    }
  }

  private static func answer(
    from report: Report, _ question: SavedQuestion, _ name: String
  ) throws(UsageError) -> Report {
    do throws(SavedReportError) {
      return try Portwhy.answer(from: report, question)
    } catch {
      switch error {
      case .portMissing(let port, let transport):
        throw UsageError("the report in \(name) does not have \(port)/\(transport.rawValue)")
      case .nothingToAnswer:
        let words = (question.transports ?? []).map(\.rawValue).sorted().joined(separator: " or ")
        throw UsageError("the report in \(name) has no \(words) port")
      case .interfacesMissing(let interface):
        throw UsageError("the report in \(name) does not list the interfaces, so not \(Shown(interface))")
      }
    }
  }
}
