import BindRules
import Glibc
import JSONTestSupport
import KernelLab
import SocketModel

/// One run with `--json`, read, checked against the shipped schema, and ready to be held against the kernel.
struct Answer {
  var ending: Ending
  var document: JSONDocument

  init(_ arguments: [String], _ start: Start = Start()) throws {
    ending = try portwhy(arguments + ["--json"], start)
    guard let document = try? JSONDocument(parsing: ending.output) else {
      throw StartError(what: "no JSON, status \(ending.status): \(ending.output)\(ending.errors)")
    }
    self.document = document
  }

  var target: JSONDocument { document["targets"]?.elements.first ?? .null }
  var attempts: [JSONDocument] { target["attempts"]?.elements ?? [] }
  var sockets: [JSONDocument] { target["sockets"]?.elements ?? [] }
  var verdict: String? { target["verdict"]?.text }
  var notes: [String] {
    let all = [target] + attempts
    return all.flatMap { ($0["notes"]?.elements ?? []).compactMap { $0["kind"]?.text } }
  }

  /// The states of the sockets, `-` added where nobody has a descriptor.
  var states: [String] {
    sockets.map { ($0["state"]?.text ?? "?") + ($0["inode"]?.integer == nil ? "-" : "") }.sorted()
  }

  /// The pids of everybody who is named as a holder.
  var pids: Set<Int> {
    Set(sockets.flatMap { $0["processes"]?.elements ?? [] }.compactMap { $0["pid"]?.integer })
  }

  /// What the schema in schema/ finds wrong.
  func violations() -> [String] {
    guard let schema = try? shippedSchema.get() else { return ["the schema cannot be read"] }
    return SchemaValidator(schema: schema).violations(document)
  }

  /// Where the answer and the kernel differ, one sentence each.
  ///
  /// - Parameter trials: for each attempt the four real results, in the order of `ReuseOptions.combinations`.
  /// - Parameter open: combinations for which "undetermined" is allowed; it is a promise that all others are sure.
  func disagreements(with trials: [[TrialResult]], open: Set<ReuseOptions> = []) -> [String] {
    if attempts.count != trials.count { return ["\(attempts.count) attempts, not \(trials.count)"] }
    return zip(attempts, trials).flatMap { attempt, results -> [String] in
      let outcomes = attempt["outcomes"]?.elements ?? []
      if outcomes.count != 4 || results.count != 4 { return ["\(outcomes.count) outcomes"] }
      return zip(zip(ReuseOptions.combinations, outcomes), results).compactMap { pair, result in
        let (options, outcome) = pair
        let said = [outcome["bind"], outcome["listen"]].map { $0?.text ?? "null" }
        let done = [result.bind, result.listen].map(Self.word)
        let place = "\(attempt["address"]?.text ?? "?") with options \(options.rawValue)"
        if !said.contains("undetermined") {
          return said == done ? nil : "\(place): portwhy says \(said), the kernel does \(done)"
        }
        if !open.contains(options) { return "\(place): undetermined, where the kernel does \(done)" }
        // What comes before the word is sure.
        return said[0] == "undetermined" || said[0] == done[0] ? nil : "\(place): bind \(said[0]), not \(done[0])"
      }
    }
  }

  private static func word(_ result: CallResult?) -> String {
    switch result {
    case nil: "null"
    case .ok: "ok"
    case .fails(let error): "\(error)"
    case .undetermined: "undetermined"
    }
  }
}

/// The exit status that the real results of one combination call for.
func status(of trials: [[TrialResult]], _ options: ReuseOptions) -> Int32 {
  let index = ReuseOptions.combinations.firstIndex(of: options) ?? 0
  return trials.allSatisfy { if case .works = $0[index] { true } else { false } } ? 0 : 1
}

let projectFolder: String = {
  let parts = #filePath.split(separator: "/").dropLast(3)
  return "/" + parts.joined(separator: "/")
}()

let shippedSchema = Result { try JSONDocument(parsing: text(of: "schema/portwhy.report-1.schema.json")) }

/// The text of a file of the project.
func text(of path: String) throws -> String {
  try contents(of: projectFolder + "/" + path)
}

// MARK: where the tests can run

func say(_ text: String) {
  _ = text.withCString { write(2, $0, strlen($0)) }
}

/// Whether namespaces are possible; where not, it is said aloud once, and in CI the tests run and fail.
let endToEndTestsRun: Bool = {
  let isPossible = NetworkNamespace.isPermittedOrRequired
  if !isPossible { say("NOT RUN: the end-to-end tests need CAP_SYS_ADMIN for a network namespace\n") }
  return isPossible
}()

/// The address of a table; a text that is none fails every row that uses it.
func ip(_ text: String) -> IPAddress { IPAddress(text) ?? .v6(IPv6Address(high: .max, low: .max)) }

let reuseaddr = ReuseOptions.reuseaddr
let reuseport = ReuseOptions.reuseport
let both: ReuseOptions = [.reuseaddr, .reuseport]
