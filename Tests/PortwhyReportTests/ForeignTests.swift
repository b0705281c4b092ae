import FixtureTestSupport
import BindRules
@testable import JSONTestSupport
import Explanation
import SocketModel
import Testing

@testable import Answers
@testable import PortwhyReport

/// A port with real answers of Linux' rules, and the systems it is asked under.
struct ForeignCase: Sendable, CustomTestStringConvertible {
  var name: String
  var target: TargetReport
  var systems: [BSDSystem] = [.freebsd, .macos]
  var host = foreignHost()

  var testDescription: String { name }

  init(
    _ name: String, _ sockets: [SocketObservation], _ addresses: [String], transport: TransportProtocol = .tcp,
    options: ReuseOptions = [], port: UInt16 = 8080, uid: UInt32 = 1000
  ) {
    self.name = name
    let snapshot = Snapshot(host: host, sockets: sockets)
    let attempts = addresses.map { text in
      let attempt = BindAttempt(
        transport: transport, address: ip(text), port: Port(port), uid: uid, mayBindPrivileged: uid == 0)
      return AttemptReport(attempt: attempt, outcomes: outcomes(of: attempt, in: snapshot))
    }
    target = TargetReport(
      transport: transport, port: Port(port), plan: Plan(options: options, uid: uid), verdict: .ok, sockets: sockets,
      attempts: attempts)
    for index in target.attempts.indices {
      target.attempts[index].foreign = target.foreignReports(
        target.attempts[index], under: systems, host: host, visibility: Visibility())
    }
  }

  func screen(width: Int = 80) -> String {
    let screen = TargetScreen(
      target: target, host: host, visibility: Visibility(), style: ScreenStyle(width: width, users: users))
    return screen.foreign().joined(separator: "\n") + "\n"
  }
}

func foreignHost() -> HostFacts {
  var host = host()
  host.unprivilegedPortStart = 1024
  host.ipv4NonlocalBind = false
  host.ipv6NonlocalBind = false
  host.ipv6Available = true
  host.mayHaveVRFs = false
  host.ipv4RulesAreDefault = false
  host.ipv4AbsentTables = []
  host.ipv4LocalRoutes = [
    LocalRoute(destination: IPv4Address(127, 0, 0, 0), prefixLength: 8, type: .local),
    LocalRoute(destination: .loopback, prefixLength: 32, type: .local),
    LocalRoute(destination: IPv4Address(192, 0, 2, 10), prefixLength: 32, type: .local),
  ]
  host.ipv6Addresses = [
    InterfaceAddress(address: .v6(.loopback), interface: InterfaceIndex(rawValue: 1), flags: 0x80)
  ]
  return host
}

private func udp(
  _ address: String, _ port: UInt16, inode: UInt64, reuseaddr: Bool = false, reuseport: Bool = false,
  uid: UInt32 = 1000,
  _ command: String
) -> SocketObservation {
  socket(
    .close, address, port, transport: .udp, reuseaddr: .known(reuseaddr, .bpf), reuseport: .known(reuseport, .bpf),
    uid: uid, inode: inode, owner: .process,
    processes: [ProcessRecord(pid: Int32(inode), command: command, descriptors: [3])])
}

private let listener = socket(
  .listen, "0.0.0.0", 8080, uid: 1000, inode: 4711, owner: .process, processes: [nginx()])
private let sharing = socket(
  .listen, "0.0.0.0", 8080, reuseport: yes(), uid: 1000, inode: 4711, owner: .process, processes: [nginx()])

let foreignCases: [ForeignCase] = [
  ForeignCase("as-free", [], ["0.0.0.0", "::"]),
  ForeignCase("as-specific-beside-wildcard", [listener], ["127.0.0.1"], options: .reuseaddr),
  ForeignCase("as-other-user", [listener], ["127.0.0.1"], options: .reuseaddr, uid: 1001),
  ForeignCase("as-group", [sharing], ["0.0.0.0"], options: .reuseport),
  ForeignCase(
    "as-time-wait",
    [socket(.timeWait, "192.0.2.10", 8080, peer: ("192.0.2.9", 40_000), reuseaddr: no(.bpf), timer: 41_000)],
    ["0.0.0.0"]),
  ForeignCase(
    "as-mdns",
    [
      udp("0.0.0.0", 5353, inode: 20, reuseaddr: true, "avahi-daemon"),
      udp("0.0.0.0", 5353, inode: 10, reuseaddr: true, uid: 33, "chromium"),
    ], ["0.0.0.0"], transport: .udp, options: .reuseaddr, port: 5353),
  ForeignCase(
    "as-resolver", [udp("127.0.0.53", 53, inode: 9, uid: 0, "systemd-resolve")], ["0.0.0.0"], transport: .udp,
    port: 53,
    uid: 0),
  ForeignCase(
    "as-old-connection",
    [
      socket(
        .established, "192.0.2.10", 8080, peer: ("192.0.2.9", 40_000), reuseaddr: .unknown(.hidden),
        reuseport: .unknown(.hidden), uid: 1000, inode: 7, owner: .hidden)
    ], ["0.0.0.0"], options: .reuseaddr),
  ForeignCase("as-unknown-flag", [unreadable], ["0.0.0.0"], options: .reuseport),
  ForeignCase(
    "as-dual-stack",
    [
      socket(
        .listen, "::", 8080, v6only: .known(false, .sockDiag), uid: 1000, inode: 4711, owner: .process,
        processes: [nginx()])
    ], ["0.0.0.0", "::"], options: .reuseaddr),
  ForeignCase(
    "as-multicast",
    [udp("224.0.0.251", 5353, inode: 20, reuseaddr: true, uid: 33, "avahi-daemon")], ["224.0.0.251"],
    transport: .udp, options: .reuseport, port: 5353),
  ForeignCase(
    "as-two-users", [sharing], ["0.0.0.0"], options: .reuseport, uid: 1001),
  ForeignCase("as-privileged", [], ["0.0.0.0", "127.0.0.2"], port: 80, uid: 1000),
  ForeignCase("as-disconnected", [disconnected], ["0.0.0.0"], transport: .udp, port: 5000),
]

/// On [::], where it was connected to an IPv4 peer.
private var disconnected: SocketObservation {
  var socket = udp("::", 5000, inode: 9, "chatty")
  socket.remote = Endpoint(address: ip("::ffff:192.0.2.9"), port: Port(0))
  socket.v6only = .known(false, .sockDiag)
  return socket
}

private var unreadable: SocketObservation {
  var socket = listener
  socket.reuseport = .unknown(.hidden)
  return socket
}

@Suite("What other systems answer")
struct ForeignTests {
  @Test("is a section that was once found right", arguments: foreignCases)
  func golden(_ example: ForeignCase) { GoldenFile.check(example.screen(), example.name + ".txt") }

  @Test("keeps within the width, and says the same in every width", arguments: foreignCases, [60, 80, 100])
  func width(_ example: ForeignCase, _ width: Int) {
    let lines = example.screen(width: width).split(separator: "\n")
    for line in lines { #expect(line.count <= width, "\(line)") }
    func words(_ text: String) -> [Substring] { text.split { $0 == " " || $0 == "\n" } }
    #expect(words(example.screen(width: width)) == words(example.screen()))
  }

  @Test("is an object of the schema, in JSON", arguments: foreignCases)
  func json(_ example: ForeignCase) throws {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let text = try #require(fileText("/" + root + "/schema/portwhy.report-1.schema.json"))
    let schema = try JSONDocument(parsing: text)
    guard case .object(let parts) = try #require(schema["$defs"]?["foreign_answer"]) else { return }
    let whole = JSONDocument.object(parts + [JSONDocument.Member(key: "$defs", value: try #require(schema["$defs"]))])
    for report in example.target.attempts.flatMap(\.foreign) {
      var writer = JSONWriter()
      WrittenObject(report).write(to: &writer)
      let document = try JSONDocument(parsing: writer.text)
      #expect(SchemaValidator(schema: whole).violations(document) == [])
      #expect(document["outcomes"]?.elements.count == report.answer.system.combinations.count)
      #expect(document["text"]?.elements.compactMap(\.text) == report.sentences.map(\.text) + report.remarks)
      let balanced = document["outcomes"]?.elements.map { $0["reuseport_lb"] }
      #expect(balanced?.contains(.null) == (report.answer.system == .macos))
      for difference in document["differences"]?.elements ?? [] {
        let outcome = document["outcomes"]?.elements.first { outcome in
          ["reuseaddr", "reuseport"].allSatisfy { outcome[$0] == difference[$0] }
        }
        for key in ["bind", "likely", "missing"] { #expect(difference[key] == outcome?[key], "\(key)") }
      }
    }
  }

  @Test("is written in JSON as somebody read it and found right")
  func writtenJSON() {
    let lines = foreignCases.flatMap { example in
      example.target.attempts.flatMap(\.foreign).map { report in
        var writer = JSONWriter()
        WrittenObject(report).write(to: &writer)
        return "\(example.name): \(writer.text)"
      }
    }
    GoldenFile.check(lines.joined(separator: "\n") + "\n", "as.txt")
  }

  @Test("never is a sure ok of macOS")
  func macos() {
    let answers = foreignCases.flatMap(\.target.attempts).flatMap(\.foreign).map(\.answer).filter {
      $0.system == .macos
    }
    #expect(answers.count > 8)
    #expect(answers.flatMap(\.differences).contains { $0.bsd.likely == .ok })
    for outcome in answers.flatMap(\.outcomes) + answers.flatMap(\.differences).map(\.bsd) {
      #expect(outcome.bind != .ok)
      if outcome.likely == .ok { #expect(outcome.missing == [MissingFact(.filters)]) }
    }
  }
}
