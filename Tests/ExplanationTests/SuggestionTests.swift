import FixtureTestSupport
import BindRules
import Glibc
@testable import KernelLab
import Explanation
import Answers
import SocketModel
import Testing

/// A situation, the suggestion that it must bring, and what the test does about it: carry it out, then really bind.
struct SuggestionCase: Sendable, CustomTestStringConvertible {
  var situation: CauseCase
  var kind: Suggestion.Kind
  var option: Suggestion.Option?
  /// Does what the suggestion says and says how to bind then.
  var follow:
    @Sendable (inout NetworkNamespace, borrowing BuiltScenario, Suggestion) throws -> (Attempt, ReuseOptions)

  var testDescription: String { "\(kind) \(option?.rawValue ?? "") for \(situation.name)" }
}

private let any = ip("0.0.0.0")
private let a = ip("127.0.0.1")

private func row(
  _ name: String, _ kind: Suggestion.Kind, _ option: Suggestion.Option? = nil,
  _ follow:
    @escaping @Sendable (inout NetworkNamespace, borrowing BuiltScenario, Suggestion) throws -> (
      Attempt, ReuseOptions
    )
) -> SuggestionCase? {
  causeCases.first { $0.name == name }.map {
    SuggestionCase(situation: $0, kind: kind, option: option, follow: follow)
  }
}

private func close(_ scenario: borrowing BuiltScenario) throws {
  // What the processes would do: every descriptor of the port is shut, none is closed twice.
  for descriptor in scenario.sockets.flatMap({ [$0.connection, $0.main] }).compactMap({ $0 }) {
    let replacement = try SystemCalls.socket(family: 1, type: 1)
    _ = dup2(replacement, descriptor)
    SystemCalls.close(replacement)
  }
}

private let suggestionCases: [SuggestionCase] = [
  row("leftover-connection", .setOption, .reuseaddr) { _, _, _ in (Attempt(.tcp, any), reuseaddr) },
  row("udp-socket", .setOption, .reuseaddr) { _, _, _ in (Attempt(.udp, any), reuseaddr) },
  row("udp-mixed-options", .setOption, .reuseport) { _, _, _ in (Attempt(.udp, any), both) },
  row("listener-reuseport", .setOption, .reuseport) { _, _, _ in (Attempt(.tcp, any), reuseport) },
  row("dual-stack-overlap-reverse", .setOption, .v6only) { _, _, _ in
    (Attempt(.tcp, ip("::"), v6only: true), none)
  },
  row("reuseport-other-user", .otherUser) { _, _, _ in (Attempt(.tcp, any, uid: 1000), reuseport) },
  row("wildcard-overlap", .otherAddress) { _, _, suggestion in
    let address = suggestion.text.split(separator: " ")[1].split(separator: ":")[0]
    return (Attempt(.udp, ip(String(address))), none)
  },
  row("listener", .stopHolder) { _, scenario, _ in
    try close(scenario)
    return (Attempt(.tcp, any), none)
  },
  row("leftover-connection", .stopHolder) { _, scenario, _ in
    try close(scenario)
    return (Attempt(.tcp, any), reuseaddr)
  },
  row("time-wait-reuseaddr", .setOptionThere, .reuseaddr) { _, _, _ in
    // The next restart: that server had the option.
    (Attempt(.tcp, any), reuseaddr)
  },
  row("privileged-port", .unprivilegedPortStart) { lab, _, _ in
    try lab.setSysctl("ipv4/ip_unprivileged_port_start", "1")
    return (Attempt(.tcp, any, uid: 1000, mayBindPrivileged: false), none)
  },
  row("privileged-port", .raisePrivilege) { _, _, _ in (Attempt(.tcp, any, uid: 1000), none) },
  row("mapped-on-v6only", .setOption, .v6only) { _, _, _ in
    (Attempt(.tcp, ip("::ffff:127.0.0.1"), v6only: false), none)
  },
  row("scope-missing", .addScope) { _, _, suggestion in
    // The interface that has the address, by its name.
    #expect(suggestion.text.hasSuffix(": [fe80::77%dev0]:2000"), "\(suggestion.text)")
    return (Attempt(.tcp, ip("fe80::77"), scope: .dev0), none)
  },
  row("wildcard-overlap-reverse", .otherAddressThere) { _, scenario, _ in
    try close(scenario)
    // The holder once more, on an address of its own, as long as the tests run.
    let again = try boundSoon("127.0.0.2", scenario.port, reuseaddr)
    try again.listen()
    _ = dup(again.descriptor)
    return (Attempt(.tcp, a), reuseaddr)
  },
  row("address-not-local", .localAddress) { _, _, suggestion in
    let named = try #require(suggestion.text.split(separator: ": ").last?.split(separator: ":").first)
    return (Attempt(.tcp, ip(String(named))), none)
  },
  row("address-not-local-beside", .localAddress) { _, _, suggestion in
    let named = try #require(suggestion.text.split(separator: ": ").last?.split(separator: ":").first)
    #expect(named != "127.0.0.1" && suggestion.text.hasPrefix("bind an address"), "\(suggestion.text)")
    return (Attempt(.tcp, ip(String(named))), none)
  },
  row("address-not-local", .nonlocalBind) { lab, _, suggestion in
    #expect(suggestion.command?.argv?.last == "net.ipv4.ip_nonlocal_bind=1")
    try lab.setSysctl("ipv4/ip_nonlocal_bind", "1")
    return (Attempt(.tcp, ip("203.0.113.1")), none)
  },
  row("ipv6-disabled", .enableFamily) { lab, _, suggestion in
    #expect(suggestion.command?.argv?.last == "net.ipv6.conf.lo.disable_ipv6=0")
    try lab.setSysctl("ipv6/conf/lo/disable_ipv6", "0")
    return (Attempt(.tcp, ip("::1")), none)
  },
  row("multicast-tcp", .otherProtocol) { _, _, _ in (Attempt(.udp, ip("ff02::1"), scope: .dev0), none) },
].compactMap { $0 }

@Suite("A suggestion")
struct SuggestionTests {
  @Test("carried out, makes the bind work", .enabled(if: kernelTestsRun), arguments: suggestionCases)
  func works(_ example: SuggestionCase) throws {
    let (suggestion, before, after) = try NetworkNamespace.run { (lab: inout NetworkNamespace) in
      let situation = example.situation
      let scenario = Scenario(situation.holders, Attempt(situation.transport, any), port: situation.port)
      let copy = try lab.build(scenario)
      guard copy.outcomes.allSatisfy(\.isBuilt) else { throw NotBuilt(what: "\(copy.outcomes)") }
      for (name, value) in situation.sysctls { try lab.setSysctl(name, value) }
      let report = try Portwhy.answer(situation.question(copy.port))
      let found = report.targets.flatMap(\.attempts).flatMap(\.explanation.suggestions).first {
        $0.kind == example.kind && $0.option == example.option
      }
      guard let found else { return (Suggestion?.none, report.targets[0].verdict, "") }
      let (attempt, options) = try example.follow(&lab, copy, found)
      var result = copy.tryBind(attempt, options)
      // A program that another test is just starting holds a copy of every descriptor until its exec.
      for _ in 0..<6000 where result.description != "ok" {
        usleep(5000)
        result = copy.tryBind(attempt, options)
      }
      return (found, report.targets[0].verdict, result.description)
    }
    #expect(before != .ok)
    #expect(suggestion != nil)
    #expect(after == "ok", "\(suggestion?.text ?? "")")
  }

  @Test("of an address names first what others see of the host, and none that nobody reaches")
  func usefulAddressFirst() {
    var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 0)
    func index(_ number: UInt32) -> InterfaceIndex { InterfaceIndex(rawValue: number) }
    for (number, name) in [(1, "lo"), (2, "podman0"), (3, "eth0"), (4, "wg0"), (5, "eth1")] as [(UInt32, String)] {
      let interface = NetworkInterface(
        index: index(number), name: name, isUp: name != "eth1", isRunning: name != "podman0")
      host.interfaces = (host.interfaces ?? []) + [interface]
    }
    let routes: [(String, UInt32)] = [
      ("10.1.0.1", 5), ("10.88.0.1", 2), ("10.200.0.2", 4), ("127.0.0.1", 1), ("192.168.1.9", 3), ("192.168.1.20", 3),
    ]
    host.ipv4LocalRoutes = routes.compactMap { (text, number) -> LocalRoute? in
      guard case .v4(let address) = ip(text) else { return nil }
      return LocalRoute(destination: address, prefixLength: 32, type: .local, interface: index(number))
    }
    let addresses: [(String, UInt32, UInt32)] = [
      ("2001:db8::7", 3, 0x01), ("2001:db8::8", 3, 0x20), ("2001:db8::1", 3, 0x80), ("fd00::2", 4, 0x80),
      ("fe80::1", 3, 0x80), ("::1", 1, 0x80), ("fd00::88", 2, 0x80),
    ]
    host.ipv6Addresses = addresses.map { InterfaceAddress(address: ip($0.0), interface: index($0.1), flags: $0.2) }
    let rest = ["2001:db8::7", "2001:db8::8", "127.0.0.1", "::1"]
    #expect(
      host.ownAddresses.map(\.description)
        == ["10.200.0.2", "192.168.1.9", "192.168.1.20", "2001:db8::1", "fd00::2"] + rest)
    host.ipv4Lookups = [
      RouteLookup(destination: IPv4Address(192, 168, 1, 9), type: .local, source: IPv4Address(192, 168, 1, 9)),
      RouteLookup(destination: RouteLookup.elsewhere, type: .unicast, source: IPv4Address(192, 168, 1, 20)),
    ]
    #expect(
      host.ownAddresses.map(\.description)
        == ["192.168.1.20", "192.168.1.9", "2001:db8::1", "10.200.0.2", "fd00::2"] + rest)
  }

  @Test("of another port names one that is free", .enabled(if: kernelTestsRun))
  func otherPort() throws {
    let (asked, offered) = try NetworkNamespace.run { (lab: inout NetworkNamespace) in
      let port = try lab.freshPort()
      let first = try listening("0.0.0.0", port, reuseaddr)
      let second = try listening("127.0.0.1", Port(port.rawValue + 1))
      let third = try bound(.tcp, "0.0.0.0", Port(port.rawValue + 2))
      let item = QuestionItem(
        addresses: [.address(.v4(.any), zone: nil)], ports: port...port, transport: .tcp)
      let report = try Portwhy.answer(Question(items: [item], plan: Plan(uid: 0)))
      first.keep()
      second.keep()
      third.keep()
      let offer = report.targets[0].attempts[0].explanation.suggestions.first { $0.kind == .otherPort }
      _ = try listening("0.0.0.0", Port(port.rawValue + 3))
      return (port.rawValue, offer)
    }
    #expect(offered?.text == "use port \(asked + 3), which is free")
    #expect(offered?.certainty == .checked)
  }

  @Test("to share by SO_REUSEPORT never comes where a listener lacks it")
  func neverForAnOlderCopy() throws {
    for name in ["listener", "dual-stack-overlap", "wildcard-overlap-reverse", "bound-not-listening"] {
      let golden = try #require(GoldenFile.text("\(name).txt"))
      #expect(!golden.contains("set SO_REUSEPORT"), "\(name)")
    }
  }

  @Test("to stop a holder is not sure for a reader who may not see every holder")
  func stopIsConditional() {
    let holder = ProcessRecord(pid: 7, command: "server", descriptors: [3])
    let socket = SocketObservation(
      transport: .tcp, family: .ipv4, local: Endpoint(address: .v4(.any), port: Port(8080)), state: .listen,
      reuseaddr: .known(true, .getsockopt), reuseport: .known(false, .getsockopt), uid: 1000, inode: 1,
      owner: .process, processes: [holder])
    for (uid, isSure) in [(UInt32(0), true), (1000, false)] {
      let snapshot = Snapshot(
        host: HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: uid), sockets: [socket])
      let attempt = BindAttempt(
        transport: .tcp, address: .v4(.any), port: Port(8080), uid: uid, mayBindPrivileged: true)
      let outcomes = outcomes(of: attempt, in: snapshot)
      let found = explain(
        Situation(attempt: attempt, outcomes: outcomes, planned: [], snapshot: snapshot))
      let stop = found.suggestions.first { $0.kind == .stopHolder }
      #expect((stop?.certainty == .checked) == isSure)
      #expect(stop?.command?.argv == ["kill", "7"])
    }
  }
}
