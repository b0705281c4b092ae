import BindRules
import FixtureTestSupport
import KernelLab
import Explanation
import Answers
import SocketModel
import Testing

@testable import PortwhyReport

private func bytes(_ report: Report) -> [UInt8] { Array(JSONReport.render(report, users: users).utf8) }

extension String {
  fileprivate func replacingCharacters(in range: Range<Index>, with text: String) -> String {
    var changed = self
    changed.replaceSubrange(range, with: text)
    return changed
  }
}

private func problem(_ text: String) -> ReportReadError? {
  do {
    _ = try JSONReport.read(Array(text.utf8))
    return nil
  } catch {
    return error
  }
}

@Suite("A report that is read back")
struct ReadBackTests {
  @Test("is rendered as the same bytes", arguments: cases)
  func sameBytes(_ example: Case) throws {
    let text = JSONReport.render(example.report, users: users)
    let saved = try JSONReport.read(Array(text.utf8))
    #expect(JSONReport.render(saved.report, users: saved.users) == text)
  }

  @Test("gets the same verdicts from the rules as the report that was written", arguments: cases)
  func sameVerdicts(_ example: Case) throws {
    let saved = try JSONReport.read(bytes(example.report)).report
    #expect(
      JSONReport.render(try Portwhy.answer(from: saved))
        == JSONReport.render(try Portwhy.answer(from: example.report)))
  }

  @Test("keeps every fact of the host")
  func hostFacts() throws {
    var report = report([])
    report.host.networkNamespace = .max
    report.host.sudoUID = 1000
    report.host.readerMayBindPrivileged = false
    report.host.unprivilegedPortStart = 1024
    report.host.localReservedPorts = [80...90, 8080...8080]
    report.host.ipv4NonlocalBind = false
    report.host.ipv6NonlocalBind = true
    report.host.bindv6only = false
    report.host.tcpL3mdevAccept = false
    report.host.mayHaveVRFs = true
    report.host.ipv6Available = true
    report.host.interfaces?.append(
      NetworkInterface(
        index: InterfaceIndex(rawValue: 7), name: "vrf0", isUp: false, master: InterfaceIndex(rawValue: 1),
        vrfTable: 100))
    report.host.ipv6Addresses = [
      InterfaceAddress(address: ip("fe80::1"), interface: InterfaceIndex(rawValue: 2), flags: 0x80)
    ]
    report.host.ipv4LocalRoutes = [LocalRoute(destination: IPv4Address(127, 0, 0, 0), prefixLength: 8, type: .local)]
    report.host.securityModules = ["apparmor"]
    report.host.ipv6Disabled = ["lo"]
    report.host.enforcingModules = ["selinux"]
    report.host.appArmorProfiles = [AppArmorProfile(name: "nginx", file: nil, isEnforced: true)]
    report.host.filteredCalls = FilteredCalls(areKnown: true, bind: .notPermitted, listen: nil)
    report.host.dockerRuns = true
    report.host.kernel.build = "#1 SMP Debian 6.18.44-1 (2026-11-12)"
    report.host.bindsByAddress = true
    report.host.namespaceMaker = 1000
    report.visibility = Visibility(unreadableProcesses: 3, boundSocketsComplete: false, reasons: [.notRoot])
    #expect(try JSONReport.read(bytes(report)).report == report)
  }

  @Test("keeps every fact of a socket and an attempt")
  func socketFacts() throws {
    var odd = socket(
      SocketState(rawValue: 200), "fe80::1", 8080, peer: ("fe80::2", 1),
      reuseaddr: .inferred(true, from: 0, because: .yama),
      reuseport: .unknown(.vanished), v6only: .known(false, .bpf), device: 9, uid: .max, inode: .max, cookie: .max,
      owner: .kernel, processes: [hostile])
    odd.timer = SocketTimer(kind: SocketTimer.Kind(rawValue: 77), expires: .max)
    odd.receiveQueue = 5
    odd.cgroupID = 6
    odd.bucketDomain = 0
    odd.addressBucketFamily = .ipv6
    odd.cgroup = "/a\u{0}\"b"
    odd.ulp = "mptcp"
    var listening = attempt("fe80::1", v6only: true, outcomes: outcomes(worksFourTimes))
    listening.attempt.scope = InterfaceIndex(rawValue: 2)
    listening.attempt.device = .interface(InterfaceIndex(rawValue: 3), name: "eth9")
    listening.attempt.mayBindPrivileged = nil
    var elsewhere = attempt("::ffff:127.0.0.1", outcomes: outcomes(worksFourTimes))
    elsewhere.attempt.device = .missing(name: "gone")
    elsewhere.attempt.missingZone = "gone too"
    elsewhere.attempt.mayBindPrivileged = true
    elsewhere.outcomes[1].source = .probe
    elsewhere.outcomes[2].bind = .fails(SystemError(rawValue: 12345))
    let plan = Plan(options: .reuseport, v6only: false, device: "eth9", uid: 7, runtime: Runtime(named: "node"))
    let report = report([
      target(plan: plan, sockets: [odd], attempts: [listening, elsewhere])
    ])
    #expect(try JSONReport.read(bytes(report)).report == report)
  }

  @Test("keeps what the kernel remembers of a port", arguments: [BindBucket.FastReuseport.any, .strict, nil])
  func buckets(_ fastReuseport: BindBucket.FastReuseport?) throws {
    var report = report([timeWaitTarget(count: 1)])
    report.targets[0].buckets = [
      BindBucket(
        port: Port(8080), layer3Domain: InterfaceIndex(rawValue: 7), fastReuse: true, fastReuseport: fastReuseport,
        fastUID: 33, fastFamily: .ipv6, fastAddress: .loopback, fastAddress4: .loopback, fastIPv6only: true),
      BindBucket(
        port: Port(8080), fastReuse: false, fastReuseport: nil, fastUID: 0, fastFamily: .ipv4, fastAddress: .any,
        fastAddress4: .any, fastIPv6only: false),
    ]
    #expect(try JSONReport.read(bytes(report)).report == report)
  }

  @Test("keeps what a real bind answered, and asks the rules for the rest")
  func probed() throws {
    var report = report([timeWaitTarget(count: 1)])
    report.host.ipv6Available = true
    report.host.unprivilegedPortStart = 1024
    for index in report.targets[0].attempts.indices {
      report.targets[0].attempts[index].outcomes[0] = BindOutcome(
        options: [], bind: .ok, listen: .ok, source: .probe)
    }
    #expect(try Portwhy.answer(from: report).targets[0].verdict == .ok)
    let other = try Portwhy.answer(from: report, SavedQuestion(plan: Plan(uid: 5)))
    #expect(other.targets[0].verdict == inUse)
  }

  @Test("is undetermined by the VRF of a socket where there is one, and says so")
  func vrf() throws {
    var saved = report([timeWaitTarget(count: 1)])
    saved.host.ipv6Available = true
    saved.host.unprivilegedPortStart = 1024
    saved.host.tcpL3mdevAccept = false
    saved.host.mayHaveVRFs = true
    #expect(try Portwhy.answer(from: saved, SavedQuestion(withoutOptions: true)).targets[0].verdict == inUse)
    saved.host.interfaces?.append(
      NetworkInterface(index: InterfaceIndex(rawValue: 7), name: "red", isUp: true, vrfTable: 100))
    let answer = try Portwhy.answer(from: saved, SavedQuestion(withoutOptions: true))
    #expect(answer.targets[0].verdict == .undetermined)
    let explanation = answer.targets[0].attempts[0].explanation
    #expect(explanation.cause == .timeWait, "seen, and not hidden")
    let because = "it depends on the VRF in which each socket was bound, which BPF iterators may tell root"
    #expect(explanation.why.contains(because))
    let screen = Screen.render(answer, style: ScreenStyle(users: [:])).replacing("\n  ", with: " ")
    #expect(screen.contains("(not known: the VRF of 1 socket)"))
    saved.targets[0].sockets[0].bucketDomain = 0
    #expect(try Portwhy.answer(from: saved, SavedQuestion(withoutOptions: true)).targets[0].verdict == inUse)
  }

  @Test("lets the maker of the namespace, and no other uid, bind privileged ports")
  func maker() throws {
    var saved = report([timeWaitTarget(count: 1)])
    saved.host.namespaceMaker = 5
    for (uid, expected) in [(5, true), (6, false)] as [(UInt32, Bool?)] {
      let answer = try Portwhy.answer(from: saved, SavedQuestion(plan: Plan(uid: uid)))
      #expect(Set(answer.targets[0].attempts.map(\.attempt.mayBindPrivileged)) == [expected], "uid \(uid)")
    }
  }

  @Test("has a time that is written again as it was", arguments: 0..<500)
  func times(_ index: Int) throws {
    let text = Timestamp.text(secondsSinceEpoch: 1_769_860_800 + Double(index) * 1_234_567.891)
    let seconds = try #require(Timestamp.secondsSinceEpoch(text))
    #expect(Timestamp.text(secondsSinceEpoch: seconds) == text)
  }

  @Test(
    "says what is wrong with it, and where",
    arguments: [
      ("", 0, "empty"), (" \n", 2, "empty"), ("{", 1, "cut off, expected a key"),
      ("nonsense", 0, "expected \"null\""),
      ("{\"schema\":\"portwhy.report/2\"}", 10, "expected \"portwhy.report/1\""),
      ("[]", 0, "expected an object"), ("{}", 0, "an object without \"schema\""),
      ("{} {}", 3, "a second report starts here; give one, as in tail -n 1"),
      ("{\"a\":1,}", 7, "expected a key"), ("{\"a\" 1}", 5, "expected \":\""),
      ("{\"a\":01}", 6, "expected \",\" or \"}\""),
      ("{\"a\":+1}", 5, "expected a value"), ("{\"a\":1.}", 7, "expected a digit"),
      ("{\"a\":\"\u{1}\"}", 6, "a control character in a string"),
      ("{\"a\":\"\\ud800\"}", 6, "half a surrogate pair"), ("{\"a\":\"\\udc00\"}", 6, "half a surrogate pair"),
      ("{\"a\":\"\\ud800\\u0041\"}", 6, "half a surrogate pair"),
      ("{\"a\":\"\\x\"}", 7, "expected an escape sequence"),
      ("{\"a\":\"\\u00g0\"}", 10, "expected four hexadecimal digits"),
      ("{\"a\":[1 2]}", 8, "expected \",\" or \"]\""),
      ("{\"schema\":1}", 10, "expected a string"),
      ("{\"schema\":\"a\",\"schema\":\"b\"}", 14, "\"schema\" for the second time"),
      ("{\"a\":NaN}", 5, "expected a value"), ("{'a':1}", 1, "expected a key"), ("tru", 0, "expected \"true\""),
    ])
  func malformed(_ text: String, _ offset: Int, _ expected: String) {
    let error = problem(text)
    #expect(error?.offset == offset)
    #expect(error?.problem == expected)
  }

  @Test("may be deep and big only within bounds")
  func bounds() {
    #expect(problem(String(repeating: "[", count: 100_000))?.problem == "more than 32 levels deep")
    let deep = String(repeating: "[", count: 31) + String(repeating: "]", count: 31)
    #expect(problem("{\"schema\":\(deep)}")?.problem == "expected a string")
    let long = [UInt8](repeating: UInt8(ascii: " "), count: JSONReport.maximumSize + 1)
    #expect(throws: ReportReadError(offset: 128 << 20, problem: "longer than 128 MiB")) { try JSONReport.read(long) }
  }

  @Test(
    "must mean something",
    arguments: [
      ("\"port\":8080", "\"port\":70000"), ("\"port\":8080", "\"port\":8080.0"), ("\"port\":8080", "\"port\":8081"),
      ("\"pid\":812", "\"pid\":-1"), ("\"fds\":[6]", "\"fds\":[6,null]"), ("\"socket\":0", "\"socket\":1"),
      ("\"socket\":0", "\"socket\":-1"), ("\"socket\":0", "\"socket\":99999999999999999999"),
      ("\"rule\":\"tcp.listener\"", "\"rule\":1"), ("\"state\":\"LISTEN\"", "\"state\":10"),
      ("\"bind\":\"EADDRINUSE\"", "\"bind\":98"),
      ("\"cookie\":\"000000000000002a\"", "\"cookie\":\"00000000000000+a\""),
      ("\"local_address\":\"0.0.0.0\"", "\"local_address\":\"::\""),
      ("\"index\":1", "\"index\":0"), ("\"ip_local_port_range\":[32768,60999]", "\"ip_local_port_range\":[2,1]"),
      ("T12:00:00.000Z", "T12:60:00.000Z"), ("2026-01-31", "2026-02-31"),
      ("\"reuseaddr\":\"getsockopt\"", "\"reuseaddr\":null"),
      ("\"reuseaddr\":\"getsockopt\"", "\"reuseaddr\":\"inferred\""),
      ("\"certainty\":\"checked\"", "\"certainty\":true"), ("\"uid\":33", "\"uid\":-33"),
      ("\"missing\":[]", "\"missing\":[\"reuseaddr:1\"]"),
      ("\"missing\":[]", "\"missing\":[\"reuseaddr:-1\"]"), ("\"missing\":[]", "\"missing\":[null]"),
      ("\"owner\":\"process\"", "\"owner\":{}"), ("\"executable\":\"/usr", "\"executable\":\"\u{0}/usr"),
      ("\"errno\":\"EADDRINUSE\"", "\"errno\":98"), ("\"address\":\"0.0.0.0\"", "\"address\":\"0.0.0\""),
    ])
  func meaningless(_ found: String, _ replaced: String) throws {
    var text = JSONReport.render(report([listenerTarget(processes: [nginx()])]), users: users)
    let range = try #require(text.firstRange(of: found))
    text.replaceSubrange(range, with: replaced)
    let error = try #require(problem(text))
    #expect(error.offset > 0 && error.offset < text.utf8.count)
    #expect(!error.problem.contains("\n"))
  }

  /// Something at every place that can have something.
  private static let filled: Report = {
    var report = queuedChild
    report.targets[0].sockets[1].processes[0].parents = [ParentProcess(pid: 3, command: "sh", uid: 0)]
    report.targets[0].sockets[1].processes[0].startedAt = 0
    report.targets[0].sockets[1].activation = SocketActivation(unit: "a.socket", activates: nil)
    report.targets[0].sockets[1].timer = SocketTimer(kind: .keepalive, expires: 5)
    report.host.localReservedPorts = [80...90]
    let loopback = InterfaceIndex(rawValue: 1)
    report.host.ipv6Addresses = [InterfaceAddress(address: ip("::1"), interface: loopback, flags: 0)]
    report.host.ipv4LocalRoutes = [LocalRoute(destination: .loopback, prefixLength: 32, type: .local)]
    report.host.ipv4Lookups = [RouteLookup(destination: .loopback, type: .local)]
    report.host.appArmorProfiles = [AppArmorProfile(name: "nginx", file: nil, isEnforced: true)]
    report.host.freshSockets = [FreshSocket(.tcp, .ipv6, refusal: .accessDenied, v6only: true)]
    report.visibility.bpf = BPFUse(iterators: ["tcp"], microseconds: 5)
    report.visibility.silent = .process(7, command: "x")
    report.call = ReportedCall(
      function: .bind, errno: .addressInUse, endpoint: report.targets[0].sockets[1].local, pid: 7, tid: 8,
      command: "x", descriptor: 3)
    report.targets[0].sockets[1].uid = 33
    report.targets[0].sockets[1].receiveQueue = 4
    report.targets[0].sockets[1].processes[0].isServiceManager = true
    report.targets[0].attempts[0].attempt.freebind = true
    report.targets[0].plan.hasBindCapability = true
    report.targets[0].isChainOrdered = true
    report.targets[0].wildcardMissesAddresses = true
    report.targets[0].notes = [.vanished(1)]
    report.targets[0].ours = OursFinding(matched: ["pid=7"], decides: false)
    report.host.hostname = "web1"
    report.host.kernel.build = "#1 SMP"
    return report
  }()

  /// Each value of a report in turn replaced by others, most of which it cannot have.
  @Test("says of every value that is wrong what was expected, and where")
  func everyValue() {
    let text = JSONReport.render(Self.filled, users: users)
    var lines: [String] = []
    var told: Set<String> = []
    for match in text.matches(of: /"([a-z0-9_]+)":("[^"\\]*"|-?[0-9]+|true|false|null)/) {
      for wrong in ["-1", "\"?\"", "true", "{}", "[]", "null"] where wrong.first != match.output.2.first {
        guard told.insert("\(match.output.1) \(wrong)").inserted else { continue }
        let changed = text.replacingCharacters(in: match.output.2.startIndex..<match.output.2.endIndex, with: wrong)
        let error = problem(changed)
        lines.append("\(match.output.1) \(wrong): \(error.map { "\($0.path): \($0.problem)" } ?? "is read")")
      }
    }
    GoldenFile.check(lines.joined(separator: "\n") + "\n", "wrong-values.txt")
  }

  @Test("may be without some of its keys, which then mean what an older version knew, and not without others")
  func withoutKeys() {
    let text = JSONReport.render(Self.filled, users: users)
    var lines: [String] = []
    var told: Set<Substring> = []
    let pattern = /,?"([a-z0-9_]+)":("[^"\\]*"|-?[0-9]+|true|false|null|\[[^\[\]{}]*\])/
    for match in text.matches(of: pattern) where match.output.2 != "null" && told.insert(match.output.1).inserted {
      let changed = text.replacingCharacters(in: match.range, with: "").replacing("{,", with: "{")
      do {
        let saved = try JSONReport.read(Array(changed.utf8))
        let again = JSONReport.render(saved.report, users: saved.users)
        lines.append("\(match.output.1): \(match.output.2.prefix(40)) is read as \(difference(again, from: text))")
      } catch {
        lines.append("\(match.output.1): \(error.path): \(error.problem)")
      }
    }
    GoldenFile.check(lines.joined(separator: "\n") + "\n", "missing-keys.txt")
  }

  /// What stands in `text` where it first differs, up to where it is the same again.
  private func difference(_ text: String, from other: String) -> String {
    let (now, then) = (Array(text.utf8), Array(other.utf8))
    let start = zip(now, then).prefix { $0 == $1 }.count
    let end = zip(now.reversed(), then.reversed()).prefix { $0 == $1 }.count
    let from = now[..<start].lastIndex(of: UInt8(ascii: ":")) ?? 0
    guard start < now.count - end || now.count != then.count else { return "the same" }
    let stop = max(start, now.count - end)
    return String(decoding: now[from..<min(stop + 12, now.count)].prefix(60), as: UTF8.self)
  }

  @Test("is refused when cut off, wherever that is")
  func truncated() throws {
    let whole = Array(JSONReport.render(report([timeWaitTarget(count: 1)]), users: users).utf8)
    for length in 0..<whole.count - 1 {
      let error = #expect(throws: ReportReadError.self) { try JSONReport.read(Array(whole[..<length])) }
      #expect(error?.offset ?? .max <= length)
    }
  }

  @Test(
    "never stops the program when bits are flipped",
    arguments: ["nginx-listener", "undetermined", "queued-child", "udp", "long-ipv6"])
  func flipped(_ name: String) throws {
    let example = try #require(cases.first { $0.name == name })
    let whole = bytes(example.report)
    var random = SplitMix64(seed: 42)
    var refused = 0
    for _ in 0..<300 {
      var damaged = whole
      for _ in 0...(random.next() % 3) {
        damaged[Int(random.next() % UInt64(damaged.count))] ^= 1 << UInt8(random.next() % 8)
      }
      guard let saved = try? JSONReport.read(damaged) else {
        refused += 1
        continue
      }
      // What is accepted is a report: it can be judged, shown and written, and comes back.
      let text = JSONReport.render(saved.report, users: saved.users)
      let again = try JSONReport.read(Array(text.utf8))
      #expect(JSONReport.render(again.report, users: again.users) == text)
      let answer = try Portwhy.answer(from: saved.report)
      _ = Screen.render(answer, style: ScreenStyle(width: 80, verbose: true))
      _ = Screen.renderOverview(answer, style: ScreenStyle(width: 80))
    }
    #expect(refused > 100)
  }
}
