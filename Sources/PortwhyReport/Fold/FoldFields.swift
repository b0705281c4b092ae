internal import BindRules
internal import Explanation
internal import SocketModel

// The fold as JSON, schema `portwhy.fold/1`: written, never read back.

extension Fold {
  /// The name of the JSON form, `schema` in it.
  package static let schema = "portwhy.fold/1"

  /// One line, fixed key order, every key always present.
  ///
  /// - Parameters:
  ///   - version: of the portwhy that folds.
  ///   - status: its exit status.
  package func json(version: String, status: Int32) -> String {
    var writer = JSONWriter()
    writer.object(FoldDocument(fold: self, version: version, status: status))
    writer.literal("\n")
    return writer.text
  }
}

/// An object that is only written.
private protocol WrittenObject: JSONObject {}

extension WrittenObject {
  init(from reader: inout JSONReader) throws(JSONError) { throw .unknownWord }
}

private struct FoldDocument: WrittenObject {
  var fold = Fold()
  var version = ""
  var status: Int32 = 0

  static var blank: Self { Self() }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    let silent = fold.silent
    form.derived("schema", Fold.schema)
    form.derived("version", version)
    form.derived("hosts", fold.answered + silent.count)
    form.derived("answered", fold.answered)
    form.derived("verdict", fold.worst.rawValue)
    form.derived("exit_status", status)
    form.derived("oldest", fold.oldest.map(Timestamp.text(secondsSinceEpoch:)))
    form.derived("newest", fold.newest.map(Timestamp.text(secondsSinceEpoch:)))
    form.derived("questions", fold.questions.map(QuestionFields.init))
    form.derived("unanswered", silent.map { SilentFields(host: $0.host, reason: $0.reason) })
    form.derived("problems", fold.otherProblems.map(ProblemFields.init))
    form.derived("old", fold.old)
    form.derived("versions", fold.versions.map { VersionFields(version: $0.version, hosts: $0.hosts) })
    form.derived("replaced", fold.replaced)
  }
}

private struct QuestionFields: WrittenObject {
  var question: FoldQuestion

  static var blank: Self {
    Self(
      question: FoldQuestion(
        key: .init(transport: .tcp, port: Port(0), addresses: [], options: [], device: nil, user: nil)))
  }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    let key = question.key
    form.derived("protocol", key.transport.rawValue)
    form.derived("port", key.port)
    form.derived("addresses", key.addresses)
    form.derived("reuseaddr", key.options.contains(.reuseaddr))
    form.derived("reuseport", key.options.contains(.reuseport))
    form.derived("device", key.device)
    form.derived("user", key.user)
    form.derived("hosts", question.hosts)
    form.derived("groups", question.sorted.map { GroupFields(group: $0.group, hosts: $0.hosts) })
  }
}

private struct GroupFields: WrittenObject {
  var group = FoldGroup()
  var hosts: [String] = []

  static var blank: Self { Self() }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    form.derived("verdict", group.verdict.word)
    form.derived("errno", group.errno.isEmpty ? nil : group.errno)
    form.derived("cause", group.causeWord)
    form.derived("missing", group.missing)
    form.derived("holder", group.holder.isEmpty ? nil : group.holder)
    form.derived("count", hosts.count)
    form.derived("folded", FoldedNames.entries(hosts).joined(separator: ","))
    form.derived("hosts", hosts)
  }
}

private struct SilentFields: WrittenObject {
  var host = ""
  var reason = ""

  static var blank: Self { Self() }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    form.derived("host", host)
    form.derived("reason", reason)
  }
}

private struct ProblemFields: WrittenObject {
  var problem = FoldProblem(file: "", line: nil, problem: "")

  static var blank: Self { Self() }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    form.derived("file", problem.file)
    form.derived("line", problem.line)
    form.derived("problem", problem.problem)
    form.derived("host", problem.host)
  }
}

private struct VersionFields: WrittenObject {
  var version = ""
  var hosts: [String] = []

  static var blank: Self { Self() }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    form.derived("version", version)
    form.derived("hosts", hosts)
  }
}
