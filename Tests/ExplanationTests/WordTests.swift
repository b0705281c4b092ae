import BindRules
import FixtureTestSupport
import SocketModel
import Testing

@testable import Explanation

// Sentences that are not about a made-up port: remarks of the look, calls that were made, errors, the words of tables.

private func notes() -> [Note?] {
  let (host, other) = (madeUpHost(), made(.listen, nginx))
  var limited = host
  limited.unprivilegedPortStart = 80
  var unread = host
  unread.unprivilegedPortStart = nil
  let inContainer = made(.listen, program(8, "node") { $0.container = String(repeating: "0f", count: 32) })
  let hidden = made(.listen, owner: .hidden)
  return [
    .judgedAsRoot(insteadOf: 1000, host), .judgedAsRoot(insteadOf: 1000, limited),
    .judgedAsRoot(insteadOf: 1000, unread), .familySkipped, .placeDevice("blue"), .vanished(1), .vanished(2),
    .noAnswer(nil), .noAnswer(.process(7, command: "nginx")), .noAnswer(.iterator("tcp")), .noAnswer(.routes),
    .noAnswer(.directory("/proc/7", of: 7, command: "nginx")), .noAnswer(.directory("/proc/7", of: 7, command: nil)),
    .noAnswer(.unstarted(.tryAgain)), .noAnswer(.unstarted(.outOfMemory)),
    .noAnswer(.longWalk), .noAnswer(.tooManyHolders),
    .noAnswer(.directory("/proc", of: nil, command: nil)), .noAnswer(.directory("/proc/sys", of: nil, command: nil)),
    .otherProtocol(1, of: .udp, Command(argv: ["portwhy", "8080/udp"])),
    .otherProtocol(2, of: .tcp, Command(argv: ["portwhy", "8080"])), .redirected(chain: "nat PREROUTING", to: nil),
    .redirected(chain: "nat OUTPUT", to: "10.0.0.2:80"), .otherNamespace([other], name: "blue", inode: 4026),
    .otherNamespace([inContainer], name: nil, inode: 4026),
    .otherNamespace([other, inContainer], name: nil, inode: 4026),
    .otherNamespace([other], name: nil, inode: 4026), .otherNamespace([hidden], name: nil, inode: 4026),
    .namespacesLeftOut(1), .namespacesLeftOut(2), .probed([[], .reuseaddr, [.reuseaddr, .reuseport]]), .probeMemory,
    .probeRefused("UDP is never probed"), .probeChanged, .probeOutside(.accessDenied),
    .probeContradiction(BindOutcome(options: [], bind: .ok, listen: .ok), .fails(.addressInUse)),
    .probeContradiction(BindOutcome(options: .reuseport, bind: .fails(.addressInUse), listen: nil), .ok),
    notOursNote([], ["pid=7"]), notOursNote([other], ["pid=8"]),
    notOursNote([other, inContainer], ["pid=9", "user=bob"]),
    notOursNote([hidden], ["pid=9"]), notOursNote([hidden, other], ["pid=9"]),
    notOursNote([other], ["exe=/usr/bin/web"], isDoubted: true),
    notOursNote(
      [made(.timeWait, "0.0.0.0", to: ("192.0.2.1", 4)), made(.finWait1, "0.0.0.0", to: ("192.0.2.1", 5))], ["a"]),
    notOursNote([made(.listen, service(7, "web"))], ["pid=8"]),
    notOursNote(
      [made(.listen, "0.0.0.0", nginx, program(8, "nginx")), made(.listen, "0.0.0.0", nginx, program(8, "nginx"))],
      ["a"]),
    notOursNote([made(.listen, owner: .process)], ["a"]), notOursNote([made(.listen, owner: .kernel)], ["a"]),
    notOursNote((1...4).map { made(.listen, program($0, "x")) }, (1...9).map { "pid=\($0 + 10)" }),
  ]
}

private func calls() -> [String] {
  var labelled = Policies()
  labelled.label = "httpd_t"
  var (withModules, withoutModules, withPrograms) = (madeUpHost(), madeUpHost(), madeUpHost())
  withModules.securityModules = ["apparmor", "landlock"]
  withoutModules.securityModules = []
  withPrograms.controlGroupBindPrograms = true
  let judged = Diagnosis(
    headline: "x", cause: .listener, why: ["y"], notes: [Note.probeChanged],
    suggestions: [Suggestion(kind: .wait, certainty: .checked, text: "wait")])
  let rows: [(String, CallFinding, SocketCall, SystemError, HostFacts)] = [
    (
      "a security module, the rules say ok", .refusedByPolicy(now: .ok, Policies()), .bind, .accessDenied,
      madeUpHost()
    ),
    (
      "a security module with a context", .refusedByPolicy(now: .undetermined, labelled), .bind, .accessDenied,
      withModules
    ),
    ("no security module", .refusedByPolicy(now: .ok, Policies()), .bind, .accessDenied, withoutModules),
    (
      "a control group, the rules say EADDRINUSE", .refusedByPolicy(now: .fails(.addressInUse), labelled), .bind,
      .notPermitted, madeUpHost()
    ),
    ("a control group with programs", .refusedByPolicy(now: .ok, Policies()), .bind, .notPermitted, withPrograms),
    ("gone, and it works now", .goneMeanwhile(now: .ok), .bind, .addressInUse, madeUpHost()),
    ("gone, and something else is there", .goneMeanwhile(now: .undetermined), .listen, .addressInUse, madeUpHost()),
    ("bound already", .alreadyBound, .bind, .invalidArgument, madeUpHost()),
    ("not explained", .unexplained(now: .ok), .listen, .addressInUse, madeUpHost()),
    ("not explained, with an error", .unexplained(now: .fails(.accessDenied)), .bind, .noEntry, madeUpHost()),
  ]
  var lines = rows.flatMap { name, finding, call, errno, host in
    let diagnosis = finding.explanation(call, errno, judged, host: host)
    return ["# \(name)", "= \(diagnosis.ofCall ?? "-")"] + diagnosis.written
  }
  var own = Diagnosis(
    notes: [Note(kind: .olderCopy, text: "older"), Note.probeChanged],
    suggestions: [
      Suggestion(kind: .stopHolder, certainty: .checked, text: "stop"),
      Suggestion(kind: .findHolder, certainty: .checked, text: "find"),
      Suggestion(kind: .wait, certainty: .checked, text: "wait"),
    ])
  let before = own
  own.addOwnTree(nginx)
  own.addAddressChanged()
  lines += ["# of the command itself"] + own.written
  for (name, descriptors, wouldWork) in [
    ("of this very program", [5, 3] as [Int32]?, false), ("of one descriptor of this very program", [3], true),
    ("of nobody any more", nil, true), ("of nobody, and still", nil, false),
  ] {
    var own = before
    own.addOwnProgram(descriptors, wouldWork: wouldWork)
    lines += ["# \(name)"] + own.written
  }
  return lines
}

private func errors() -> [String] {
  [
    ErrorWords.sockDiagMissing(.noEntry), ErrorWords.internalError("x"), ErrorWords.portZero,
    ErrorWords.noAnswer(Port(80)), ErrorWords.noPort("a"), ErrorWords.noAddress("a"),
    ErrorWords.noSocket(3, .notSupported), ErrorWords.noProcess(7), ErrorWords.noNamedNamespace("blue"),
    ErrorWords.noFile("/x"), ErrorWords.noNamespace("/x"), ErrorWords.mayNotOpenNamespaces(of: 7),
    ErrorWords.mayNotOpen("/x", .accessDenied, isRoot: true),
    ErrorWords.mayNotOpen("/x", .accessDenied, isRoot: false),
    ErrorWords.mayNotEnter("blue"), ErrorWords.failed("setns", .notPermitted), TableWords.nothingInUse,
    TableWords.outgoing, TableWords.more(3, .timeWait), TableWords.moreSockets(1), TableWords.moreSockets(2),
    TableWords.hiddenOwners(1), TableWords.hiddenOwners(2), oursText([]), oursText(["a", "b", "c", "d"]),
    Catalogue.hint,
  ]
    + KernelOwner.Kind.allCases.flatMap {
      [KernelOwner(kind: $0).text, KernelOwner(kind: $0, interface: "if0").text]
    } + [KernelOwner(word: .other("new"), interface: "if0").text]
    + BindRule.allCases.map { "\($0.rawValue): \($0.kernelFunction)" }
    + ReuseOptions.combinations.map { "\($0.label); \($0.names)" }
    + [CallResult.ok, .fails(.addressInUse), .undetermined, nil].flatMap { verdict in
      [(true, true), (false, true), (false, false)].map {
        "\(verdict?.description ?? "-") \($0) \($1): " + shortEnding(verdict, isFree: $0, bindWorks: $1)
      }
    }
    + flagLegend(
      UnknownReason.allCases.map { .unknown($0) } + [.inferred(true, from: 0, because: .noOwner), .known(true, .bpf)])
    + flagLegend([.known(true, .bpf), .unknown(.yama)])
}

/// Owners as a table has them: shortened, and with everything.
private func owners() -> [String] {
  func inferring(_ socket: SocketObservation) -> SocketObservation {
    var socket = socket
    socket.reuseaddr = .inferred(true, from: 0, because: .noOwner)
    return socket
  }
  let id = String(repeating: "0f", count: 32)
  let crowd = made(.listen, owner: .process) { $0.processes = (1...4).map { program($0 + 10, "nginx") } }
  let kinds = made(.listen, owner: .process) {
    $0.processes = ["a", "b", "c", "d", "e"].enumerated().map { program(Int32($0.offset) + 20, $0.element) }
  }
  let queue = made(.established, "192.0.2.10", to: ("198.51.100.7", 4))
  let rows: [SocketObservation] = [
    made(.listen, nginx), crowd, kinds, made(.listen, "127.0.0.1", service(8, "web"), service(9, "web")),
    made(.listen, program(10, "node") { $0.container = id }),
    made(
      .listen,
      program(10, "docker-proxy") {
        ($0.container, $0.forwardsTo) = (id, Endpoint(address: ip("172.17.0.2"), port: Port(80)))
      }),
    made(
      .listen, program(10, "docker-proxy") { $0.forwardsTo = Endpoint(address: ip("172.17.0.2"), port: Port(80)) }),
    made(.listen, program(1, "systemd")) { $0.activation = SocketActivation(unit: "x.socket", activates: nil) },
    made(.listen, owner: .kernel) { $0.kernelOwner = KernelOwner(kind: .nfsd) }, made(.listen, owner: .kernel),
    made(.listen, uid: 33, owner: .hidden), made(.listen, uid: nil, owner: .hidden), made(.listen, owner: .process),
    made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 4), left: 41_000),
    made(.finWait2, "192.0.2.10", to: ("198.51.100.7", 4), left: 41_000), queue, inferring(queue),
    made(.synRecv, "192.0.2.10", to: ("198.51.100.7", 4)), made(.finWait1, "192.0.2.10", to: ("198.51.100.7", 4)),
    made(.finWait2, "192.0.2.10", to: ("198.51.100.7", 4)), made(.lastAck, "192.0.2.10", to: ("198.51.100.7", 4)),
    made(.closing, "192.0.2.10", to: ("198.51.100.7", 4)), made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 4)),
  ]
  let (short, whole) = (OwnerWords(rows, showsAll: false), OwnerWords(rows, showsAll: true))
  let alone = OwnerWords([rows[0], queue], showsAll: false)
  return rows.map { "\(short.text($0)) | \(whole.text($0)) | \(short.foldingKey($0)) | \(sharingText([$0]))" }
    + ["\(alone.text(queue)) | \(alone.foldingKey(queue))"]
}

@Suite("Words and sentences")
struct WordTests {
  @Test("are what somebody read and found right")
  func golden() {
    let parts: [(String, [String])] = [
      ("notes", notes().map { $0.map { "\($0.word.rawValue): \($0.text)" } ?? "-" }), ("calls", calls()),
      ("errors and words", errors()), ("owners", owners()),
    ]
    GoldenFile.check(
      parts.map { "== \($0.0)\n" + $0.1.joined(separator: "\n") + "\n" }.joined(separator: "\n"), "words.txt")
  }

  @Test("of flags say yes, no, what is guessed and what is not known")
  func flags() {
    let flags: [Knowledge<Bool>] = [
      .known(true, .bpf), .known(false, .bpf), .inferred(true, from: 0, because: .noOwner),
      .inferred(false, from: 0, because: .noOwner), .unknown(.hidden),
    ]
    #expect(flags.map(flagText) == ["yes", "no", "yes?", "no?", "?"])
    func shares(_ rows: [(Bool?, Bool?)]) -> String {
      sharingText(rows.map { made(.listen, reuseaddr: $0.0, reuseport: $0.1) })
    }
    #expect(shares([]) == "")
    #expect(shares([(true, true)]) == "both" && shares([(true, false)]) == "reuseaddr")
    #expect(shares([(false, true)]) == "reuseport" && shares([(false, false)]) == "none")
    #expect(shares([(nil, true)]) == "?" && shares([(true, nil)]) == "?")
    #expect(shares([(true, true), (true, false)]) == "mixed" && shares([(true, true), (nil, false)]) == "?")
    #expect(shares([(true, false), (true, false)]) == "reuseaddr")
  }

  @Test("in a list are counted and joined")
  func lists() {
    let words = ["a", "b", "c"]
    #expect([String]().listed() == "" && words.prefix(1).listed() == "a" && words.prefix(2).listed() == "a and b")
    #expect(words.listed() == "a, b and 1 more" && words.listed(atMost: 3) == "a, b and c")
    #expect(words.listed(atMost: 3, "or") == "a, b or c" && words.listed(atMost: 1) == "a and 2 more")
    #expect(counted(0, "port") == "0 ports" && counted(1, "port") == "1 port" && counted(2, "port") == "2 ports")
    #expect(shortContainer(String(repeating: "a", count: 64)).count == 12)
    #expect(shortContainer(String(repeating: "a", count: 63)).count == 63)
  }

  @Test("of two names have the distance of the letters that differ")
  func distance() {
    for (first, second, distance) in [
      ("", "", 0), ("a", "", 1), ("", "ab", 2), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "bc", 1),
      ("bc", "abc", 1), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("ab", "ba", 2),
    ] {
      #expect(editDistance(Array(first), Array(second)) == distance, "\(first) \(second)")
    }
  }

  @Test("a name that could be read as more than a name stands in quotes")
  func quotes() {
    #expect(commandText("nginx") == "nginx" && commandText("a b") == "\"a b\"")
    #expect(commandText("nginx (pid 1),") == "\"nginx (pid 1),\"" && commandText("a\"b") == "\"a\\\"b\"")
    #expect(commandText("a)") == "\"a)\"" && commandText("a,b") == "\"a,b\"")
  }
}
