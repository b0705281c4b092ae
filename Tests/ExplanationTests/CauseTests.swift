import FixtureTestSupport
import BindRules
import Glibc
@testable import KernelLab
import Explanation
import Answers
import PortwhyReport
import SocketModel
import Testing

@Suite("A cause that is produced for real")
struct CauseTests {
  @Test("is named, and explained as was once found right", .enabled(if: kernelTestsRun), arguments: causeCases)
  func golden(_ example: CauseCase) throws {
    let report = try example.report()
    let causes = report.targets.flatMap(\.attempts).map(\.explanation.cause)
    #expect(example.cause.map { causes.contains($0) } ?? true, "\(causes)")
    let notes = report.targets.flatMap(\.attempts).flatMap(\.explanation.notes).map(\.kind)
    #expect(example.note.map { notes.contains($0) } ?? true, "\(notes)")
    let style = ScreenStyle(width: 80, users: [0: "root", 1000: "alice", 65534: "nobody"])
    GoldenFile.check(Screen.render(try #require(report.scrubbed(example)), style: style), example.name + ".txt")
  }

  @Test("every cause that user space can produce is among them")
  func complete() {
    // family-missing needs a kernel started without IPv6, listen-only one before 6.8: see WithoutKernelTests.
    let ofCalls: [Cause] = [.refusedByPolicy, .goneMeanwhile, .alreadyBound]  // CommandTruthTests, BindFailureTests
    let shown = Set(causeCases.compactMap(\.cause) + [.familyMissing, .listenOnly] + ofCalls)
    #expect(Set(Cause.allCases).subtracting(shown) == [])
  }
}

extension CauseCase {
  /// What portwhy answers to it.
  func report() throws -> Report {
    try NetworkNamespace.run { (lab: inout NetworkNamespace) in
      if isTentative { try makeTentative(lab) }
      let copy = try lab.build(Scenario(holders, Attempt(transport, any), port: port))
      guard copy.outcomes.allSatisfy(\.isBuilt) else { throw NotBuilt(what: "\(copy.outcomes)") }
      for (name, value) in sysctls { try lab.setSysctl(name, value) }
      guard let child else { return try answer(copy.port) }
      return try answerBesideChild(child, copy.port)
    }
  }

  private func answer(_ port: Port) throws -> Report {
    guard asNobody else { return try Portwhy.answer(question(port)) }
    var result: Result<Report, any Error>?
    try KernelLab.asNobody { result = Result { try Portwhy.answer(question(port)) } }
    guard let result else { throw NotBuilt(what: "nobody") }
    return try result.get()
  }

  /// A client that asked for port 993, as bindresvport(3) does, connected to an NFS server.
  private func answerBesideReservedClient() throws -> Report {
    let server = try Socket.open(.tcp, .ipv4, reuseaddr)
    try server.bind("127.0.0.1", Port(2049))
    try server.listen()
    let client = try Socket.open(.tcp, .ipv4)
    try client.bind("0.0.0.0", Port(993))
    try client.connectTCP("127.0.0.1", Port(2049))
    let report = try answer(Port(993))
    server.keep()
    client.keep()
    return report
  }

  /// A listener that another program holds too, or alone.
  private func answerBesideChild(_ child: Child, _ port: Port) throws -> Report {
    if child == .reservedClient { return try answerBesideReservedClient() }
    let options: ReuseOptions = child == .sharesByReuseport ? reuseport : reuseaddr
    let listener = try Socket.open(.tcp, .ipv4, options, closeOnExec: child == .hidesConnection)
    try listener.bind("0.0.0.0", port)
    try listener.listen()
    guard child == .hidesConnection else {
      let pid = try spawnSleep()
      defer { reap(pid) }
      if child == .inherits {
        let report = try answer(port)
        listener.keep()
        return report
      }
      _ = consume listener
      return try answer(port)
    }
    let client = try Socket.open(.tcp, .ipv4)
    try client.connectTCP("127.0.0.1", port)
    let accepted = try listener.accept()
    _ = consume listener
    _ = fcntl(accepted.descriptor, F_SETFD, 0)
    let pid = try spawnSleep()
    defer { reap(pid) }
    _ = consume accepted
    let report = try answer(port)
    client.keep()
    return report
  }
}

private let any = ip("0.0.0.0")

extension Report {
  /// The same answer with every number that differs from run to run replaced, explained once more.
  ///
  /// Flags that BPF read are taken away, so that the screens are the same where it is not permitted.
  func scrubbed(_ example: CauseCase) -> Report? {
    guard var target = targets.first else { return nil }
    var names = Names()
    target.sockets = target.sockets.map { names.scrub($0) }
    var report = self
    report.host.securityModules = nil
    report.host.dockerRuns = nil
    report.visibility = Visibility(reasons: example.asNobody ? [.notRoot] : [])
    let snapshot = Snapshot(host: report.host, visibility: report.visibility, sockets: target.sockets)
    let nearby = NearbyPorts(ports: (target.port.rawValue + 1)...(target.port.rawValue + 16), sockets: [])
    target.attempts = target.attempts.map { attempt in
      let outcomes = outcomes(of: attempt.attempt, in: snapshot)
      let explanation = explain(
        Situation(
          attempt: attempt.attempt, outcomes: outcomes, planned: target.plan.options, snapshot: snapshot,
          nearby: nearby))
      return AttemptReport(attempt: attempt.attempt, outcomes: outcomes, explanation: explanation)
    }
    report.targets = [target]
    return report
  }
}

/// Stands in for pids, inodes and cookies, in the order they appear.
private struct Names {
  var pids: [Int32] = []
  var sockets = 0

  mutating func scrub(_ socket: SocketObservation) -> SocketObservation {
    var socket = socket
    sockets += 1
    socket.cookie = UInt64(sockets)
    if socket.inode != nil { socket.inode = UInt64(4700 + sockets) }
    socket.cgroup = nil
    socket.cgroupID = nil
    if let remote = socket.remote, remote.port.rawValue >= 40000 {
      socket.remote = Endpoint(address: remote.address, port: Port(50000 + UInt16(sockets)))
    }
    if socket.timer?.kind == .timeWait { socket.timer?.expires = 59_000 } else { socket.timer = nil }
    if case .known(_, .bpf) = socket.reuseaddr { socket.reuseaddr = .unknown(.noOwner) }
    if case .known(_, .bpf) = socket.reuseport { socket.reuseport = .unknown(.noOwner) }
    if case .known(_, .bpf) = socket.v6only { socket.v6only = .unknown(.noOwner) }
    // This process first: a child has the lower pid where the numbers have begun anew.
    let (others, this) = (
      socket.processes.filter { $0.pid != getpid() }, socket.processes.filter { $0.pid == getpid() }
    )
    socket.processes = (this + others).map { scrub($0) }
    return socket
  }

  private mutating func scrub(_ process: ProcessRecord) -> ProcessRecord {
    if !pids.contains(process.pid) { pids.append(process.pid) }
    let isThis = process.pid == getpid()
    let pid = 101 + Int32(pids.firstIndex(of: process.pid) ?? 0)
    return ProcessRecord(
      pid: pid, command: isThis ? "server" : process.command,
      executable: isThis ? "/usr/sbin/server" : "/usr/bin/\(process.command)", descriptors: [3])
  }
}

@Suite("A cause that this kernel does not produce")
struct WithoutKernelTests {
  private func explained(_ attempt: BindAttempt, _ snapshot: Snapshot, _ options: ReuseOptions) -> Diagnosis {
    let outcomes = outcomes(of: attempt, in: snapshot)
    return explain(
      Situation(attempt: attempt, outcomes: outcomes, planned: options, snapshot: snapshot))
  }

  @Test("a host without IPv6 is family-missing")
  func family() {
    var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 0)
    host.ipv6Available = false
    let attempt = BindAttempt(transport: .tcp, address: .v6(.any), port: Port(80), uid: 0, mayBindPrivileged: true)
    #expect(explained(attempt, Snapshot(host: host, sockets: []), []).cause == .familyMissing)
  }

  @Test("a bind that works before a listen that fails is listen-only")
  func listenOnly() {
    let host = HostFacts(kernel: KernelVersion(major: 6, minor: 1), uid: 0)
    let attempt = BindAttempt(
      transport: .tcp, address: .v4(.any), port: Port(8080), uid: 0, mayBindPrivileged: true)
    let outcomes = ReuseOptions.combinations.map {
      BindOutcome(options: $0, bind: .ok, listen: .fails(.addressInUse))
    }
    let found = explain(
      Situation(
        attempt: attempt, outcomes: outcomes, planned: reuseaddr, snapshot: Snapshot(host: host, sockets: [])))
    #expect(found.cause == .listenOnly)
  }
}
