package import Answers
internal import BindRules
internal import Explanation
internal import SocketModel

/// The answers of many hosts as one: hosts that end alike, for the same reason and because of the same holder, are one
/// group. Of each report only the group is kept.
package struct Fold: Sendable {
  /// Questions in the order in which they were met.
  private(set) var questions: [FoldQuestion] = []
  private var places: [FoldQuestion.Key: Int] = [:]
  /// Lines and files that were no reports, and reports that do not answer.
  package private(set) var problems: [FoldProblem] = []
  /// When each host was looked at, and by which version.
  private(set) var looks: [String: FoldLook] = [:]
  /// Reports that a newer one of the same host and question took the place of.
  private(set) var replaced = 0

  package init() {}

  /// The hosts that gave an answer.
  package var answered: Int { looks.count }

  /// An answered report of this host.
  ///
  /// - Parameters:
  ///   - version: of the portwhy that looked.
  ///   - users: the names that the host has for uids.
  ///   - asUser: the user that was asked about for all hosts; nil where each report has its own.
  package mutating func add(
    _ report: Report, host: String, version: String, users: [UInt32: String], asUser: String? = nil
  ) {
    for target in report.targets {
      let key = FoldQuestion.Key(target, report.host, asUser: asUser)
      let place = places[key] ?? questions.count
      if place == questions.count {
        questions.append(FoldQuestion(key: key))
        places[key] = place
      }
      let group = FoldGroup(target, report.visibility, users)
      if questions[place].add(group, host, capturedAt: report.capturedAt) { replaced += 1 }
    }
    if let look = looks[host], look.capturedAt > report.capturedAt { return }
    looks[host] = FoldLook(capturedAt: report.capturedAt, version: version)
  }

  /// What was no report, or none that answers.
  package mutating func add(_ problem: FoldProblem) { problems.append(problem) }

  /// Hosts without any answer, each once with its first reason.
  var silent: [(host: String, reason: String)] {
    var seen = Set<String>()
    return problems.compactMap { problem in
      guard let host = problem.host, looks[host] == nil, seen.insert(host).inserted else { return nil }
      return (host, problem.problem)
    }
  }

  /// The same, those with one reason together.
  var silentByReason: [(reason: String, hosts: [String])] {
    let hosts = Dictionary(grouping: silent, by: \.reason)
    return hosts.map { ($0.key, $0.value.map(\.host)) }.sorted { ($1.1.count, $0.0) < ($0.1.count, $1.0) }
  }

  /// Those that the fold does not show as hosts without an answer.
  package var otherProblems: [FoldProblem] { problems.filter { $0.host.map { looks[$0] != nil } ?? true } }

  /// Whether a host is without an answer.
  package var hasSilentHosts: Bool { problems.contains { isSilent($0) } }

  private func isSilent(_ problem: FoldProblem) -> Bool { problem.host.map { looks[$0] == nil } ?? false }

  /// `fails` where any host fails, else `undetermined` where one is, is without an answer or could not be read, else `ok`.
  package var worst: CallWord {
    let verdicts = questions.flatMap { $0.groups.keys }.map(\.verdict)
    if verdicts.contains(.fails) { return .fails }
    // Whatever else a host says that has answered, it has answered.
    let isIncomplete = problems.contains { $0.host == nil || isSilent($0) }
    return verdicts.contains(.undetermined) || isIncomplete ? .undetermined : .ok
  }

  package enum CallWord: String, Sendable {
    case ok
    case fails
    case undetermined
  }

  // MARK: Ages

  var newest: Double? { looks.values.map(\.capturedAt).max() }
  var oldest: Double? { looks.values.map(\.capturedAt).min() }

  /// In seconds: reports this much older than the newest are named.
  static let notableAge: Double = 3600

  /// The hosts whose report is much older than the newest one.
  var old: [String] {
    guard let newest else { return [] }
    return looks.filter { newest - $0.value.capturedAt > Self.notableAge }.map(\.key).sorted()
  }

  /// The hosts by the version that looked; empty where it is one everywhere.
  var versions: [(version: String, hosts: [String])] {
    let groups = Dictionary(grouping: looks.keys) { looks[$0]?.version ?? "" }
    guard groups.count > 1 else { return [] }
    return groups.map { ($0.key, $0.value.sorted()) }.sorted {
      ($1.hosts.count, $0.version) < ($0.hosts.count, $1.version)
    }
  }
}

/// When a host was looked at.
struct FoldLook: Sendable {
  var capturedAt: Double
  var version: String
}

/// A line or a file that is no report.
package struct FoldProblem: Sendable, Hashable {
  /// As it was given; `-` for standard input.
  package var file: String
  /// Counted from 1; nil for a file that could not be read at all.
  package var line: Int?
  package var problem: String
  /// The host that it comes from; nil where that is not known.
  package var host: String?

  package init(file: String, line: Int?, problem: String, host: String? = nil) {
    self.file = file
    self.line = line
    self.problem = problem
    self.host = host
  }
}

/// What was asked of hosts, and how they answered.
struct FoldQuestion: Sendable {
  /// What the hosts of one table have in common.
  struct Key: Sendable, Hashable {
    var transport: TransportProtocol
    var port: Port
    var addresses: [String]
    var options: ReuseOptions
    var device: String?
    /// Nil where each report has its own user.
    var user: String?
  }

  let key: Key
  private(set) var groups: [FoldGroup: [String: Double]] = [:]
  /// The group of each host.
  private var groupOf: [String: FoldGroup] = [:]

  init(key: Key) { self.key = key }

  var hosts: Int { groupOf.count }

  /// True where the host had answered before: the newer report counts.
  mutating func add(_ group: FoldGroup, _ host: String, capturedAt: Double) -> Bool {
    let before = groupOf[host]
    if let before {
      if let time = groups[before]?[host], time > capturedAt { return true }
      groups[before]?[host] = nil
      if groups[before]?.isEmpty == true { groups[before] = nil }
    }
    groupOf[host] = group
    groups[group, default: [:]][host] = capturedAt
    return before != nil
  }

  /// Of one verdict the largest first.
  var sorted: [(group: FoldGroup, hosts: [String])] {
    groups.map { ($0.key, $0.value.keys.sorted()) }.sorted {
      ($0.0.verdict.rawValue, -$0.1.count, $0.0.cause, $0.0.holder, $0.1.first ?? "")
        < ($1.0.verdict.rawValue, -$1.1.count, $1.0.cause, $1.0.holder, $1.1.first ?? "")
    }
  }
}

extension FoldQuestion.Key {
  init(_ target: TargetReport, _ host: HostFacts, asUser: String?) {
    self.init(
      transport: target.transport, port: target.port,
      addresses: target.attempts.map { addressText($0.attempt, host: host) },
      options: target.plan.options, device: target.plan.device, user: asUser)
  }
}

/// What hosts that end alike have in common.
struct FoldGroup: Sendable, Hashable {
  /// In the order of a table.
  enum Verdict: Int, Sendable {
    case ok
    case ours
    case fails
    case undetermined
    /// Nothing was planned.
    case none

    var word: String? {
      switch self {
      case .ok: "ok"
      case .ours: OursFinding.verdictWord
      case .fails: "fails"
      case .undetermined: "undetermined"
      case .none: nil
      }
    }
  }

  var verdict: Verdict
  /// The errno's name; empty for none.
  var errno = ""
  /// The word of the cause; nil for none.
  var causeWord: String?
  /// The same for a table, or what is not known; empty for none.
  var cause = ""
  /// Who is in the way, without what differs from host to host; empty for nobody.
  var holder = ""
  var missing: [String] = []
  /// What other systems would answer; empty where none was asked about.
  var foreign: [ForeignVerdict] = []

  /// A host on which the bind works.
  init() { verdict = .ok }

  init(_ target: TargetReport, _ visibility: Visibility, _ users: [UInt32: String]) {
    switch target.verdict {
    case _ where target.isOurs: verdict = .ours
    case .ok: verdict = .ok
    case .fails(let error):
      verdict = .fails
      errno = error.description
    case .undetermined: verdict = .undetermined
    case nil: verdict = .none
    }
    foreign = target.foreignVerdicts
    guard verdict != .ok, verdict != .none else { return }
    holder = Self.holders(target, users)
    if verdict == .ours { return }
    let decisive = target.attempts.first { $0.outcome(target.plan.options)?.verdict == target.verdict }
    causeWord = decisive?.explanation.causeWord?.rawValue
    cause = causeWord ?? ""
    guard verdict == .undetermined else { return }
    let facts = target.attempts.flatMap { $0.outcome(target.plan.options)?.missing ?? [] }
    missing = Set(facts.map(\.kind.rawValue)).sorted()
    let reason = visibility.reasonWords.first?.rawValue
    cause =
      (missing.isEmpty ? "" : "not known: " + missing.joined(separator: ", ")) + (reason.map { " (\($0))" } ?? "")
  }

  /// Units and containers by name, else programs: pids and users differ from host to host.
  private static func holders(_ target: TargetReport, _ users: [UInt32: String]) -> String {
    var names = Set<String>()
    for socket in target.planBlockers {
      switch socket.owner {
      case .process where !socket.processes.isEmpty: names.formUnion(socket.processes.map(name))
      case .kernel: names.insert(socket.kernelOwner?.text ?? "the kernel")
      case .none: names.insert("no process (\(socket.state))")
      case .hidden, .process:
        names.insert("hidden" + (socket.uid.map { " (\(users[$0] ?? "uid \($0)"))" } ?? ""))
      }
    }
    return names.sorted().listed(atMost: 3)
  }

  private static func name(_ process: ProcessRecord) -> String {
    if let container = process.container {
      return "container " + (process.containerName ?? shortContainer(container))
    }
    return process.unit ?? (process.command.isEmpty ? "hidden" : process.command)
  }
}

// The fold as JSON, schema `portwhy.fold/1`: written, never read back.

extension Fold {
  /// `schema` of an answer folded from several reports.
  package static let schema = "portwhy.fold/1"

  /// One line, fixed key order, every key always present.
  ///
  /// - Parameters:
  ///   - version: of the portwhy that folds.
  ///   - status: its exit status.
  package func json(version: String, status: Int32) -> String {
    let silent = silent
    var object = WrittenObject()
    object.add("schema", Self.schema)
    object.add("version", version)
    object.add("hosts", answered + silent.count)
    object.add("answered", answered)
    object.add("verdict", worst.rawValue)
    object.add("exit_status", status)
    object.add("oldest", oldest.map(Timestamp.text(secondsSinceEpoch:)))
    object.add("newest", newest.map(Timestamp.text(secondsSinceEpoch:)))
    object.add("questions", questions.map(WrittenObject.init))
    object.add("unanswered", silent.map { WrittenObject(("host", $0.host), ("reason", $0.reason)) })
    object.add("problems", otherProblems.map(WrittenObject.init))
    object.add("old", old)
    object.add("versions", versions.map { WrittenObject(("version", $0.version), ("hosts", $0.hosts)) })
    object.add("replaced", replaced)
    var writer = JSONWriter()
    object.write(to: &writer)
    writer.literal("\n")
    return writer.text
  }
}

extension WrittenObject {
  fileprivate init(_ first: (key: String, value: some JSONCoded), _ second: (key: String, value: some JSONCoded)) {
    self.init()
    add(first.key, first.value)
    add(second.key, second.value)
  }

  fileprivate init(_ question: FoldQuestion) {
    self.init()
    let key = question.key
    add("protocol", key.transport.rawValue)
    add("port", key.port)
    add("addresses", key.addresses)
    add("reuseaddr", key.options.contains(.reuseaddr))
    add("reuseport", key.options.contains(.reuseport))
    add("device", key.device)
    add("user", key.user)
    add("hosts", question.hosts)
    add("groups", question.sorted.map { WrittenObject($0.group, hosts: $0.hosts) })
  }

  private init(_ group: FoldGroup, hosts: [String]) {
    self.init()
    add("verdict", group.verdict.word)
    add("errno", group.errno.isEmpty ? nil : group.errno)
    add("cause", group.causeWord)
    add("missing", group.missing)
    add("holder", group.holder.isEmpty ? nil : group.holder)
    add("as", group.foreign.map(WrittenObject.init))
    add("count", hosts.count)
    add("folded", FoldedNames.entries(hosts).joined(separator: ","))
    add("hosts", hosts)
  }

  private init(_ verdict: ForeignVerdict) {
    self.init()
    add("system", verdict.system.rawValue)
    add("bind", verdict.bind.description)
    add("likely", verdict.likely?.description)
  }

  fileprivate init(_ problem: FoldProblem) {
    self.init()
    add("file", problem.file)
    add("line", problem.line)
    add("problem", problem.problem)
    add("host", problem.host)
  }
}
