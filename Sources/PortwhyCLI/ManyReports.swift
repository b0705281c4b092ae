internal import Answers
internal import BindRules
internal import Linux
internal import PortwhyReport
internal import SocketModel

// `--from`, whatever it names: files, directories of files, standard input, each with one report or many. One report is
// answered as the host would; of more, the answers are folded into one.

extension CommandLineProgram {
  /// Only what is wrong with all that was given is wrong with the command line.
  static func saved(
    _ files: [String], _ question: SavedQuestion, _ invocation: Invocation
  ) throws(UsageError) -> ExitStatus {
    let (sources, folds) = SavedSource.all(files)
    var many = ManyReports(question: question, invocation: invocation, folds: folds)
    // A report is somebody else's text: from here on files are read, and nothing is connected, written or started.
    SystemCalls.confine(readsFiles: true)
    for source in sources { many.read(source, SystemCalls.openForReading(source.path, isListed: source.isListed)) }
    return try many.end(files)
  }
}

/// A file that may have reports.
private struct SavedSource {
  /// `-` for standard input.
  var path: String
  /// The host whose name no report says.
  var host: String
  /// It stood in a directory.
  var isListed: Bool

  init(_ path: String, isListed: Bool = false) {
    (self.path, self.isListed) = (path, isListed)
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let ends = [".json", ".jsonl", ".ndjson", ".txt", ".out"]
    let stem = ends.first { name.hasSuffix($0) && name.utf8.count > $0.utf8.count }.map { name.dropLast($0.count) }
    host = path == "-" ? "standard input" : stem.map(String.init) ?? name
  }

  /// The files, those of directories in their order; hidden ones, and what is no file, are left out.
  static func all(_ files: [String]) -> (sources: [SavedSource], areMany: Bool) {
    var sources: [SavedSource] = []
    var areMany = files.count > 1
    for file in files {
      guard file != "-", let names = namesOfFiles(inDirectory: file) else {
        sources.append(SavedSource(file))
        continue
      }
      areMany = true
      sources += names.map { SavedSource(file.hasSuffix("/") ? file + $0 : file + "/" + $0, isListed: true) }
    }
    return (sources, areMany)
  }

  var shown: String { path == "-" ? "standard input" : "\(Shown(path))" }
}

/// The reports of all sources, one after another: no two are kept.
private struct ManyReports {
  let question: SavedQuestion
  let invocation: Invocation
  /// Several were announced, or met.
  var folds: Bool
  var fold = Fold()
  /// The only report so far.
  private var first: Answered?
  /// Reports that could be read, whether they answer or not.
  private var readable = 0
  /// Where a name was met: two hosts may call themselves alike.
  private var files: [String: String] = [:]
  private var output = ""
  private var outputEnded = false
  private var writeFailure: ExitStatus?
  /// The name that this host has for the user that is asked about, looked up before reports are read.
  private let askedUser: String?

  init(question: SavedQuestion, invocation: Invocation, folds: Bool) {
    self.question = question
    self.invocation = invocation
    self.folds = folds
    askedUser = question.uid.flatMap(SystemCalls.user)
  }

  /// One report with its answer.
  private struct Answered {
    var report: Report
    var host: String
    var version: String
    var users: [UInt32: String]
  }

  // MARK: Reading

  /// At once, in bytes.
  private static let chunk = 1 << 20

  mutating func read(_ source: SavedSource, _ file: SystemCalls.OpenResult) {
    var stream = ReportStream()
    var foreign: [FoldProblem] = []
    var place = Place()
    let failure: String?
    do throws(SystemError) {
      failure = try pieces(file, source, &stream, &foreign, &place)
    } catch {
      failure = error.message
    }
    if let failure {
      fold.add(FoldProblem(file: source.path, line: nil, problem: "cannot be read: \(failure)", host: source.host))
    }
    if place.documents == 0, foreign.isEmpty, !fold.problems.contains(where: { $0.file == source.path }) {
      fold.add(FoldProblem(file: source.path, line: nil, problem: "empty", host: source.host))
    }
    // Where no line names its host, a word before a colon is no host; and what the line says is not repeated, as the file
    // may be one that was never meant to be shown.
    for problem in foreign {
      var problem = problem
      if !place.hasNames { problem.host = place.documents == 0 ? source.host : nil }
      if !place.hasNames || problem.host == nil { problem.problem = "no report" }
      fold.add(problem)
    }
  }

  /// Why it could not be read; nil where it could.
  private mutating func pieces(
    _ file: SystemCalls.OpenResult, _ source: SavedSource, _ stream: inout ReportStream,
    _ foreign: inout [FoldProblem],
    _ place: inout Place
  ) throws(SystemError) -> String? {
    guard case .opened(let number) = file else {
      if case .failed(let reason) = file { return reason }
      return nil
    }
    let descriptor = try Descriptor(owning: number)
    var isWhole = false
    while !isWhole {
      let bytes = try descriptor.bytes(atMost: Self.chunk, expecting: Self.chunk - 1)
      isWhole = bytes.count < Self.chunk
      stream.append(bytes)
      while let piece = stream.next(isWhole: isWhole) { take(piece, source, &foreign, &place) }
    }
    return nil
  }

  /// What was met in a source.
  private struct Place {
    var documents = 0
    var hasNames = false
  }

  private mutating func take(
    _ piece: ReportStream.Piece, _ source: SavedSource, _ foreign: inout [FoldProblem], _ place: inout Place
  ) {
    switch piece {
    case .foreign(let text, let name, let line):
      let message = name.map { text.hasPrefix($0 + ": ") ? String(text.dropFirst($0.count + 2)) : text } ?? text
      foreign.append(
        FoldProblem(file: source.path, line: line, problem: message.shortened, host: name))
    case .tooLong(let name, let line):
      place.documents += 1
      fold.add(
        FoldProblem(
          file: source.path, line: line, problem: "longer than \(JSONReport.maximumSize >> 20) MiB",
          host: name))
    case .document(let bytes, let name, let line):
      place.documents += 1
      if name != nil { place.hasNames = true }
      do throws(ReportReadError) {
        let saved = try JSONReport.read(bytes)
        readable += 1
        take(saved, name, source, line, isFirst: place.documents == 1)
      } catch {
        fold.add(FoldProblem(file: source.path, line: line, problem: "\(error)", host: name))
      }
    }
  }

  private mutating func take(
    _ saved: SavedReport, _ name: String?, _ source: SavedSource, _ line: Int, isFirst: Bool
  ) {
    let ownName = name ?? saved.report.host.hostname
    // Hosts of 0.1 do not say who they are.
    var host = ownName ?? (isFirst ? source.host : "\(source.host):\(line)")
    if let file = files[host], file != source.path { host += " (\(source.path))" }
    files[host] = source.path
    var answered = Answered(
      report: saved.report, host: host, version: saved.report.version, users: saved.users)
    do throws(SavedReportError) {
      answered.report = try question.answer(saved)
    } catch {
      fold.add(
        FoldProblem(file: source.path, line: line, problem: "the report " + question.text(error), host: host))
      return
    }
    if !folds, first == nil, fold.answered == 0 {
      first = answered
      return
    }
    folds = true
    if let first { add(first) }
    first = nil
    add(answered)
  }

  private mutating func add(_ answered: Answered) {
    var report = answered.report
    if report.host.hostname == nil { report.host.hostname = answered.host }
    if report.targets.contains(where: \.attempts.isEmpty) {
      fold.add(
        FoldProblem(
          file: files[answered.host] ?? "", line: nil, problem: "an overview: give a TARGET",
          host: answered.host))
    } else {
      fold.add(
        report, host: answered.host, version: answered.version, users: answered.users,
        asUser: question.uid.map { uid in answered.users[uid] ?? askedUser ?? "uid \(uid)" })
    }
    guard !invocation.quiet else { return }
    if invocation.json { output += JSONReport.render(report, users: invocation.numeric ? [:] : answered.users) }
    if invocation.brief { output += BriefLines.render(report, of: answered.host) }
    if output.utf8.count > Self.chunk { flush() }
  }

  // MARK: Writing

  private mutating func flush() {
    if !outputEnded, !output.isEmpty {
      let status = CommandLineProgram.write(output, status: .ok)
      if status != .ok {
        writeFailure = status
        outputEnded = true
      }
    }
    output = ""
  }

  mutating func end(_ given: [String]) throws(UsageError) -> ExitStatus {
    if let first, fold.problems.isEmpty {
      return CommandLineProgram.show(first.report, invocation, users: first.users)
    }
    guard readable > 0, first != nil || fold.answered > 0 || folds || readable > 1 else {
      throw UsageError(unusable(given))
    }
    if invocation.free != nil { throw UsageError("--free answers from one report") }
    if let first { add(first) }
    let status = ExitStatus(fold.worst)
    if !invocation.quiet {
      output += ending(status)
      flush()
    }
    complain()
    return writeFailure ?? status
  }

  /// What follows the hosts' own lines.
  private func ending(_ status: ExitStatus) -> String {
    if invocation.json { return fold.json(version: Portwhy.version, status: status.rawValue) }
    return invocation.brief ? BriefLines.unanswered(fold) : fold.text(style: style)
  }

  private var style: ScreenStyle { CommandLineProgram.textStyle(invocation) }

  /// Lines that no table names; all of them with `-v`.
  private func complain() {
    let problems = fold.otherProblems
    let shown = invocation.verbose ? problems[...] : problems.prefix(10)
    for problem in shown { CommandLineProgram.complain(problem.text) }
    if problems.count > shown.count {
      CommandLineProgram.complain("\(problems.count - shown.count) more lines are no reports: -v names them")
    }
  }

  /// Why none could be used: the first thing that was wrong.
  private func unusable(_ given: [String]) -> String {
    let all = given.map { $0 == "-" ? "standard input" : "\(Shown($0))" }
    guard let problem = fold.problems.first, let file = all.first else {
      return "cannot use \(all.joined(separator: ", ")): no report there"
    }
    if fold.problems.count == 1, !folds {
      if problem.problem.hasPrefix("cannot be read: ") {
        return "cannot read \(file): \(problem.problem.dropFirst("cannot be read: ".count))"
      }
      if problem.problem.hasPrefix("the report ") {
        return "the report in \(file) \(problem.problem.dropFirst("the report ".count))"
      }
    }
    let rest = fold.problems.count - 1
    let place = folds ? "a report of \(all.joined(separator: ", "))" : "the report in \(file)"
    let line = problem.line.map { folds || fold.problems.count > 1 ? "line \($0): " : "" } ?? ""
    let where_ = folds ? "\(Shown(problem.file)) " : ""
    return "cannot use \(place): \(where_)\(line)\(problem.problem)\(rest > 0 ? ", and \(rest) more" : "")"
  }
}

extension FoldProblem {
  /// `"web.jsonl" line 17: byte 3: expected a number`.
  fileprivate var text: String {
    let name = file == "-" ? "standard input" : "\(Shown(file))"
    return "\(name)\(line.map { " line \($0)" } ?? ""): \(problem)\(host.map { ", of \($0)" } ?? "")"
  }
}

extension ExitStatus {
  fileprivate init(_ worst: Fold.CallWord) {
    switch worst {
    case .ok: self = .ok
    case .fails: self = .fails
    case .undetermined: self = .undetermined
    }
  }
}

extension String {
  /// As much of a foreign line as tells what it is.
  fileprivate var shortened: String {
    let trimmed = prefix(60)
    return trimmed.endIndex == endIndex ? self : trimmed + "…"
  }
}

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
