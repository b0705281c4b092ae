import BindRules
import CProcessTestSupport
import Glibc
import JSONTestSupport
import KernelLab
import Answers
import SocketModel
import Testing

// `make churn` runs these with the release binary and the numbers of its own.

/// A number of the environment, or the one that `make test` has time for.
private func number(_ name: String, else usual: Int) -> Int {
  getenv(name).flatMap { Int(String(cString: $0)) } ?? usual
}

private let churnBinary = testDirectory + "/churn"

private let manyDescriptors = ["/bin/sh", "-c", "ulimit -n 16384; exec \"$@\"", "sh"]

/// The ports of one run: three that nothing but the test touches, and eight where servers come and go on 127.0.0.2.
private struct Ports: Sendable {
  var held: UInt16
  var shared: UInt16
  var free: UInt16
  /// The first of the eight; on the fourth of them a stable listener has 127.0.0.1.
  var churned: UInt16
  var beside: UInt16 { churned + 3 }

  init(_ namespace: inout NetworkNamespace) throws {
    held = try namespace.freshPort().rawValue
    // What is offered instead is looked at too: the 16 ports above.
    for _ in 0..<20 { _ = try namespace.freshPort() }
    shared = try namespace.freshPort().rawValue
    for _ in 0..<20 { _ = try namespace.freshPort() }
    free = try namespace.freshPort().rawValue
    for _ in 0..<20 { _ = try namespace.freshPort() }
    churned = try namespace.freshPort().rawValue
    for _ in 0..<7 { _ = try namespace.freshPort() }
  }
}

/// From some thousand open files on, BPF is asked who holds a socket.
private let stableServer = """
  our @files; for (1..FILES) { open($files[$_], '<', '/dev/null') or die; }
  our $s = listener($port);
  our $t = listener(SHARED, AF_INET, [SO_REUSEPORT]);
  socket(our $u, AF_INET, SOCK_STREAM, 0); bind($u, pack_sockaddr_in(BESIDE, INADDR_LOOPBACK)) or die; listen($u, 8);
  """

/// What was wrong with one look, nil for nothing.
private typealias Check = () throws -> String?

/// The looks of the binary, in turn; `server` holds all that is stable.
private func checks(_ ports: Ports, server: Int) -> [Check] {
  func status(_ expected: ClosedRange<Int32>, _ words: [String], holds text: String = "") -> Check {
    return {
      let ending = try portwhy(words)
      let isRight = expected.contains(ending.status) && ending.errors.isEmpty && ending.output.contains(text)
      return isRight ? nil : "\(words): \(ending)"
    }
  }
  func report(_ words: [String], isValidated: Bool = true, _ isRight: @escaping (Answer) -> Bool) -> Check {
    return {
      let answer = try Answer(words)
      let violations = isValidated ? answer.violations() : []
      if !violations.isEmpty || !answer.ending.errors.isEmpty {
        return "\(words): \(violations) \(answer.ending.errors)"
      }
      return isRight(answer) ? nil : "\(words): \(answer.ending.output)"
    }
  }
  return [
    status(1...1, ["\(ports.held)"], holds: "perl (pid \(server))"),
    report(["0.0.0.0:\(ports.held)"]) { $0.binds.prefix(2) == ["EADDRINUSE", "EADDRINUSE"] && $0.pids == [server] },
    status(0...0, ["-q", "--reuseport", "0.0.0.0:\(ports.shared)"]),
    report(["0.0.0.0:\(ports.shared)"]) {
      $0.binds == ["EADDRINUSE", "EADDRINUSE", "ok", "ok"] && $0.pids == [server]
    },
    status(0...0, ["-q", "\(ports.free)"]),
    report(["127.0.0.1:\(ports.beside)"]) {
      $0.binds.prefix(2) == ["EADDRINUSE", "EADDRINUSE"] && $0.pids.contains(server)
    },
    report(["127.0.0.3:\(ports.beside)"]) { $0.binds.first == "ok" && $0.verdict == "ok" },
    status(0...2, ["-v", "\(ports.churned)"]),
    // A report of hundreds of sockets takes longer to hold against the schema than to make.
    report(["-t", "-u", "\(ports.churned)-\(ports.churned + 7)"], isValidated: false) {
      $0.document["targets"]?.elements.count == 16
    },
    status(0...0, [], holds: "\(ports.held)/tcp"),
  ]
}

extension Answer {
  /// What bind(2) would do with each combination of the first attempt.
  fileprivate var binds: [String] {
    (attempts.first?["outcomes"]?.elements ?? []).map { $0["bind"]?.text ?? "null" }
  }
}

/// The library's looks, in turn.
private func libraryChecks(_ ports: Ports) -> [Check] {
  func verdict(_ expected: CallResult, _ address: IPv4Address, _ port: UInt16, _ options: ReuseOptions = []) -> Check
  {
    let item = QuestionItem(
      addresses: [.address(.v4(address), zone: nil)], ports: Port(port)...Port(port), transport: .tcp)
    let question = Question(items: [item], plan: Plan(options: options))
    return {
      let report = try Portwhy.answer(question)
      return report.targets.first?.verdict == expected ? nil : "\(port): \(report)"
    }
  }
  func anything(_ transport: TransportProtocol, _ port: UInt16) -> Check {
    let item = QuestionItem(addresses: [.wildcard], ports: Port(port)...Port(port + 7), transport: transport)
    return { try Portwhy.answer(Question(items: [item])).targets.count == 8 ? nil : "not 8 targets" }
  }
  return [
    verdict(.fails(.addressInUse), .any, ports.held), verdict(.ok, .any, ports.shared, .reuseport),
    anything(.tcp, ports.churned), verdict(.ok, .any, ports.free), anything(.udp, ports.churned),
    verdict(.fails(.addressInUse), .loopback, ports.beside), verdict(.ok, IPv4Address(127, 0, 0, 3), ports.beside),
    { try Portwhy.overview(TransportProtocol.allCases).targets.isEmpty ? "an empty overview" : nil },
  ]
}

/// Looks `runs` times while 300 servers live for at most a second each beside one with so many files; what was wrong.
private func lookInChurn(
  runs: Int, files: Int, _ checks: (Ports, _ server: Int) -> [Check]
) throws -> (wrong: [String], descriptors: [[String]]) {
  try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (namespace: inout NetworkNamespace) in
    // A table of descriptors of this thread's own: other tests open and close theirs meanwhile.
    guard test_unshare_files() == 0 else { throw StartError(what: "unshare") }
    let ports = try Ports(&namespace)
    let numbers = ["SHARED": Int(ports.shared), "BESIDE": Int(ports.beside), "FILES": files]
    let script = numbers.reduce(stableServer) { $0.replacing($1.key, with: "\($1.value)") }
    return try withServer(script, port: ports.held, through: manyDescriptors) { server in
      try withServer(words: [churnBinary, "servers", "300", "\(ports.churned)"]) { _ in
        let looks = checks(ports, Int(server.pid))
        var wrong: [String] = []
        // What is opened once for all runs is open after the first.
        for look in looks { if let text = try look() { wrong.append(text) } }
        let before = try openDescriptors()
        for index in 0..<max(0, runs - looks.count) {
          if let text = try looks[index % looks.count]() { wrong.append("run \(index): \(text)") }
          if wrong.count > 5 { break }
        }
        return (wrong, [before, try openDescriptors()])
      }
    }
  }
}

/// The open descriptors of this thread's table, with what they are.
private func openDescriptors() throws -> [String] {
  guard let directory = opendir("/proc/thread-self/fd") else { throw StartError(what: "/proc/thread-self/fd") }
  defer { closedir(directory) }
  var found: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != ".", name != ".." { found.append(name) }
  }
  return found.sorted()
}

@Suite("Churn", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct ChurnTests {
  private let runs = number("PORTWHY_CHURN_RUNS", else: 30)

  @Test(
    "the binary answers beside servers that come and go: no crash, no wrong word about what is stable",
    arguments: [0, 5000])
  func binary(_ files: Int) throws {
    let seen = try lookInChurn(runs: runs / 2, files: files, checks)
    #expect(seen.wrong == [])
  }

  @Test("so does the library, and leaves no descriptor open", arguments: [0, 5000])
  func library(_ files: Int) throws {
    let seen = try lookInChurn(runs: runs / 2, files: files) { ports, _ in libraryChecks(ports) }
    #expect(seen.wrong == [])
    #expect(seen.descriptors.first == seen.descriptors.last)
    #expect(seen.descriptors.first?.isEmpty == false)
  }
}

@Suite("A crowd", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct CrowdTests {
  @Test("all processes that hold one socket are counted and reported, on one screen, in little memory")
  func processes() throws {
    let count = number("PORTWHY_HOLDERS", else: 1000)
    let (screen, answer, said) = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (namespace: inout NetworkNamespace) in
      let port = try namespace.freshPort().rawValue
      return try withServer(words: [churnBinary, "holders", "\(count)", "\(port)"]) { server in
        // Memory: of 1 GB of address space most is mapped, not used.
        let start = Start(through: [
          "/bin/sh", "-c", "ulimit -v \(isSanitized ? "unlimited" : "1000000"); exec \"$@\"", "sh",
        ])
        return (try portwhy(["127.0.0.2:\(port)"], start), try Answer(["127.0.0.2:\(port)"], start), server.words)
      }
    }
    #expect(said == ["\(count)"])
    #expect(screen.status == 1 && screen.output.contains("\(count)"), "\(screen)")
    #expect(screen.lines.count <= 24)
    // A command stands whole on its line, however many processes it ends.
    #expect(screen.lines.allSatisfy { $0.unicodeScalars.count <= 80 || $0.contains("kill ") })
    #expect(answer.pids.count == count)
  }

  @Test("thousands of descriptors of one socket in one process are one holder")
  func descriptors() throws {
    let (screen, answer) = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (namespace: inout NetworkNamespace) in
      let port = try namespace.freshPort().rawValue
      let script = "our $s = listener($port); our @d; for (1..15999) { open($d[$_], '>&', $s) or die; }"
      return try withServer(script, port: port, through: manyDescriptors) { _ in
        (try portwhy(["\(port)"]), try Answer(["\(port)"]))
      }
    }
    #expect(screen.status == 1 && screen.lines.count <= 24, "\(screen)")
    #expect(screen.lines.allSatisfy { $0.unicodeScalars.count <= 80 })
    #expect(answer.pids.count == 1)
    #expect(answer.sockets.first?["processes"]?.elements.first?["fds"]?.elements.count == 16_000)
  }
}
