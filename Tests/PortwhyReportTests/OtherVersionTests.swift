import BindRules
import Explanation
import FixtureTestSupport
import JSONTestSupport
import Answers
import SocketModel
import Testing

@testable import PortwhyReport

/// Two sockets, one guessed from the other, and something at every place that has a word.
private let full: Report = {
  var listener = socket(
    .listen, "0.0.0.0", 8080, uid: 33, inode: 4711, cookie: 42, timer: 41_000, owner: .process, processes: [nginx()])
  listener.kernelOwner = KernelOwner(kind: .nfsd)
  let child = socket(
    .established, "127.0.0.1", 8080, peer: ("127.0.0.1", 50000), reuseaddr: .inferred(true, from: 0, because: .yama),
    reuseport: .unknown(.vanished), uid: 33)
  let explanation = Diagnosis(
    headline: "8080/tcp is taken: nginx (pid 812) listens on 0.0.0.0:8080", cause: .listener, why: ["as was seen"],
    deliveries: [
      Delivery(
        traffic: .unicast, family: .ipv4, receiver: .split, rule: .reuseportHash, sockets: [0, 1], text: "are split")
    ], notes: [Note(kind: .otherProtocol, text: "one socket of UDP")],
    suggestions: [
      Suggestion(
        kind: .stopHolder, certainty: .checked, text: "stop nginx",
        command: Command(argv: ["systemctl", "stop", "nginx.service"]))
    ])
  var fails = outcomes(listenerInTheWay, blockers: [Blocker(socket: 0, rule: .tcpListener)])
  fails[3] = BindOutcome(
    options: [.reuseaddr, .reuseport], bind: .undetermined, listen: .undetermined, source: .probe,
    missing: [MissingFact(.bindOrder), MissingFact(.reuseaddr, socket: 1)])
  var failing = attempt("0.0.0.0", outcomes: fails)
  failing.explanation = explanation
  var target = TargetReport(
    transport: .tcp, port: Port(8080), plan: Plan(uid: 1000), verdict: inUse, sockets: [listener, child],
    attempts: [failing], notes: [Note(kind: .privilegedPort, text: "as root")])
  let bucket = BindBucket(
    port: Port(8080), fastReuse: true, fastReuseport: .strict, fastUID: 33, fastFamily: .ipv4, fastAddress: .any,
    fastAddress4: .any, fastIPv6only: false)
  target.buckets = [bucket]
  let unused = PortwhyReportTests.target(port: 53, transport: .udp, sockets: [], attempts: [])
  return report([target, unused])
}()

private let fullText = JSONReport.render(full, users: users)

private func read(_ text: String) throws -> Report { try JSONReport.read(Array(text.utf8)).report }

private func fullText(with word: String, for known: String) throws -> String {
  var text = fullText
  text.replaceSubrange(try #require(text.firstRange(of: known)), with: word)
  return text
}

/// A word that a newer version may write, and what becomes of the report.
private struct NewWord: CustomTestStringConvertible, Sendable {
  var known: String
  var word: String
  var change: @Sendable (inout TargetReport) -> Void

  init(_ known: String, _ word: String, _ change: @escaping @Sendable (inout TargetReport) -> Void) {
    (self.known, self.word, self.change) = (known, word, change)
  }

  var testDescription: String { "\(known) -> \(word)" }
}

private let newWords: [NewWord] = [
  NewWord("\"verdict\":\"fails\"", "\"verdict\":\"later\"") { $0.verdict = .undetermined },
  NewWord("\"errno\":\"EADDRINUSE\"", "\"errno\":\"ENEW\"") { $0.verdict = .undetermined },
  NewWord("\"protocol\":\"tcp\",\"ulp\"", "\"protocol\":\"smc\",\"ulp\"") { _ in },
  NewWord("\"family\":\"ipv4\",\"local", "\"family\":\"any\",\"local") { _ in },
  NewWord("\"state\":\"LISTEN\"", "\"state\":\"BOUND_INACTIVE\"") {
    $0.sockets[0].state = SocketState(rawValue: 0)
    $0.sockets[0].reuseaddr = .unknown(.hidden)
    $0.sockets[0].reuseport = .unknown(.hidden)
  },
  NewWord("\"reuseaddr\":\"getsockopt\"", "\"reuseaddr\":\"task_iterator\"") {
    $0.sockets[0].reuseaddr = .unknown(.hidden)
  },
  NewWord("\"reuseport\":\"vanished\"", "\"reuseport\":\"io-uring\"") { $0.sockets[1].reuseport = .unknown(.hidden) },
  NewWord("\"kind\":\"time_wait\"", "\"kind\":\"paced\"") { $0.sockets[0].timer = nil },
  NewWord("\"owner\":\"process\"", "\"owner\":\"io_uring\"") { $0.sockets[0].owner = .hidden },
  NewWord("\"kind\":\"nfsd\"", "\"kind\":\"smbd\"") { $0.sockets[0].kernelOwner?.word = .other("smbd") },
  NewWord("\"address\":\"0.0.0.0\",\"family\":\"ipv4\"", "\"address\":\"0.0.0.0\",\"family\":\"any\"") { _ in },
  NewWord("\"bind\":\"EADDRINUSE\"", "\"bind\":\"ENEW\"") { $0.attempts[0].outcomes[0].bind = .undetermined },
  NewWord("\"listen\":\"undetermined\"", "\"listen\":\"?\"") { _ in },
  NewWord("\"source\":\"probe\"", "\"source\":\"oracle\"") { $0.attempts[0].outcomes[3].source = .rules },
  NewWord("\"rule\":\"tcp.listener\"", "\"rule\":\"tcp.new\"") { $0.attempts[0].outcomes[0].blockers = [] },
  NewWord("\"missing\":[\"bind-order\"", "\"missing\":[\"moon-phase:7\"") {
    $0.attempts[0].outcomes[3].missing.removeFirst()
  },
  NewWord("\"cause\":\"listener\"", "\"cause\":\"new-cause\"") {
    $0.attempts[0].explanation.causeWord = .other("new-cause")
  },
  NewWord("\"traffic\":\"unicast\"", "\"traffic\":\"anycast\"") { $0.attempts[0].explanation.deliveries = [] },
  NewWord("\"receiver\":\"split\"", "\"receiver\":\"none\"") { $0.attempts[0].explanation.deliveries = [] },
  NewWord("\"rule\":\"reuseport-hash\"", "\"rule\":\"bpf-choice\"") { $0.attempts[0].explanation.deliveries = [] },
  NewWord("\"kind\":\"other-protocol\"", "\"kind\":\"new-note\"") {
    $0.attempts[0].explanation.notes[0].word = .other("new-note")
  },
  NewWord("\"kind\":\"stop-holder\"", "\"kind\":\"new-help\"") {
    $0.attempts[0].explanation.suggestions[0].word = .other("new-help")
  },
  NewWord("\"certainty\":\"checked\"", "\"certainty\":\"likely\"") {
    $0.attempts[0].explanation.suggestions[0].certainty = .conditional(.other(""))
  },
  NewWord("\"fast_reuseport\":\"strict\"", "\"fast_reuseport\":\"new\"") { $0.buckets = [] },
  NewWord("\"fast_family\":\"ipv4\"", "\"fast_family\":\"new\"") { $0.buckets = [] },
]

@Suite("A report of another version")
struct OtherVersionTests {
  @Test("may have a word that is not known, at every place that has a word", arguments: newWords)
  private func word(_ new: NewWord) throws {
    var expected = full
    new.change(&expected.targets[0])
    let saved = try read(try fullText(with: new.word, for: new.known))
    #expect(saved == expected)
    #expect(throws: Never.self) { try Portwhy.answer(from: saved) }
  }

  @Test("is read without the targets of a protocol that is not known")
  func transport() throws {
    let text = try fullText(with: "\"protocol\":\"sctp\",\"port\":53", for: "\"protocol\":\"udp\",\"port\":53")
    let saved = try read(text)
    #expect(saved.targets == [full.targets[0]])
  }

  @Test("is not surely judged by a socket in a state that is not known")
  func state() throws {
    let report = report([timeWaitTarget(count: 1, plan: Plan(options: .reuseaddr, uid: 1000))])
    var known = report
    known.host.unprivilegedPortStart = 1024
    known.host.tcpL3mdevAccept = false
    known.host.mayHaveVRFs = false
    known.host.ipv6Available = true
    let text = JSONReport.render(known)
    let before = try Portwhy.answer(from: try read(text))
    #expect(before.targets[0].attempts[0].outcomes[1].verdict == .ok)
    let saved = try read(text.replacing("\"state\":\"TIME_WAIT\"", with: "\"state\":\"NEW\""))
    #expect(try Portwhy.answer(from: saved).targets[0].attempts[0].outcomes[1].verdict == .undetermined)
  }

  @Test("may have a key that is not known, in every object", arguments: cases.map(\.report) + [full])
  func addedKeys(_ report: Report) throws {
    let text = JSONReport.render(report, users: users)
    let added = addedToObjects("\"new\":[{\"a\":[1e3,-0.5E-2,\"\\u00e9\\ud83d\\ude00\"]},null],", text)
    #expect(added.utf8.count > text.utf8.count + 100)
    #expect(try read(added) == read(text))
  }

  @Test("may have its keys in any order, and written with escapes")
  func order() throws {
    func escaped(_ key: String) -> String { "\"\\u00\(String(key.utf8.first ?? 0, radix: 16))\(key.dropFirst())\"" }
    func turned(_ value: JSONDocument) -> String {
      switch value {
      case .object(let members):
        let parts = members.reversed().map { escaped($0.key) + ": " + turned($0.value) }
        return "{" + parts.joined(separator: ",\n") + "}"
      case .array(let elements): return "[" + elements.map(turned).joined(separator: " , ") + "]"
      case .string(let text): return "\"\(text)\""
      case .number(_, let text): return text
      case .bool(let bool): return "\(bool)"
      case .null: return "null"
      }
    }
    #expect(try read(turned(try JSONDocument(parsing: fullText))) == full)
  }

  @Test("may lack every key that may be null", arguments: cases.map(\.report) + [full])
  func missingKeys(_ report: Report) throws {
    let text = JSONReport.render(report, users: users)
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let kept = parts.filter { !$0.hasSuffix(":null") || $0.contains("{") || $0.contains("[") }
    #expect(kept.count < parts.count - 10)
    let saved = try JSONReport.read(Array(kept.joined(separator: ",").utf8))
    #expect(saved.report == (try read(text)))
    #expect(JSONReport.render(saved.report, users: saved.users) == text)
  }

  @Test(
    "may lack what an early version did not have",
    arguments: [
      ",\"buckets\":[]", ",\"chain_is_ordered\":false", ",\"receive_queue\":0", ",\"receives\":[]", ",\"notes\":[]",
      ",\"bpf\":null",
    ])
  func laterKeys(_ part: String) throws {
    let text = JSONReport.render(report([timeWaitTarget(count: 1)]))
    #expect(text.contains(part))
    #expect(try read(text.replacing(part, with: "")) == read(text))
  }

  @Test(
    "is refused where a fact is none, with the keys that lead there",
    arguments: [
      ("\"port\":8080,", "\"port\":80800,", "targets[0].port", "expected a whole number from 0 to 65535"),
      ("\"port\":53,", "\"port\":-53,", "targets[1].port", "expected a whole number from 0 to 65535"),
      (
        "\"pid\":812", "\"pid\":0", "targets[0].sockets[0].processes[0].pid",
        "expected a whole number from 1 to 2147483647"
      ),
      (
        "\"remote_address\":\"127.0.0.1\"", "\"remote_address\":\"::1\"", "targets[0].sockets[1].remote_address",
        "expected an address of the family ipv4"
      ),
      (
        "\"remote_port\":50000", "\"remote_port\":null", "targets[0].sockets[1].remote_port",
        "an address without its port"
      ),
      ("\"uid\":1000,\"captured", "\"captured", "host", "an object without \"uid\""),
      (
        "\"reuseaddr\":0", "\"reuseaddr\":2", "targets[0].sockets[1].inferred_from.reuseaddr", "there is no socket 2"
      ),
      (
        "\"sockets\":[0,1]", "\"sockets\":[0,9]", "targets[0].attempts[0].receives[0].sockets[1]",
        "there is no socket 9"
      ),
      ("\"up\":true", "\"up\":1", "host.interfaces[0].up", "expected true or false"),
      ("\"notes\":[{", "\"notes\":[5,{", "targets[0].attempts[0].notes[0]", "expected an object"),
      (
        "\"uid\":33,\"user\"", "\"uid\":33,\"uid\":33,\"user\"", "targets[0].sockets[0]",
        "\"uid\" for the second time"
      ),
    ])
  func facts(_ found: String, _ replaced: String, _ path: String, _ expected: String) throws {
    let text = try fullText(with: replaced, for: found)
    let error = #expect(throws: ReportReadError.self) { try read(text) }
    #expect(error?.path == path)
    #expect(error?.problem == expected)
    #expect(error?.description == "byte \(error?.offset ?? -1), \(path): \(expected)")
  }
}

/// The text with a member at the start of every object that has others.
private func addedToObjects(_ member: String, _ text: String) -> String {
  var result = ""
  var isInString = false
  var isEscaped = false
  for character in text.unicodeScalars {
    result.unicodeScalars.append(character)
    if character == "\"" && !isEscaped { isInString.toggle() }
    isEscaped = character == "\\" && !isEscaped
    if character == "{" && !isInString { result += member }
  }
  return result
}
