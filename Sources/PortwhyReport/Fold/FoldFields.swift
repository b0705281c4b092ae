internal import BindRules
internal import Explanation
internal import SocketModel

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
    add("count", hosts.count)
    add("folded", FoldedNames.entries(hosts).joined(separator: ","))
    add("hosts", hosts)
  }

  fileprivate init(_ problem: FoldProblem) {
    self.init()
    add("file", problem.file)
    add("line", problem.line)
    add("problem", problem.problem)
    add("host", problem.host)
  }
}
