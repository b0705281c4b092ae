@testable import BindRules
import BSDModel
import SocketModel
import Testing

/// Random sets of sockets, some of their facts unknown, in the words of the tables.
struct RandomSets {
  var random: Numbers

  mutating func chance(_ count: Int) -> Bool { random.pick(count) == 0 }

  /// A socket that is there.
  mutating func socket(_ transport: String) -> String {
    let plain =
      ["0.0.0.0", "0.0.0.0", "127.0.0.1", "192.0.2.10", "::", "::", "::", "::1", "2001:db8::10", "::ffff:127.0.0.1"]
      + ["::ffff:0.0.0.0", "fe80::1"]
    let groups = ["239.1.1.1", "::ffff:239.1.1.1", "ff02::1", "ff05::1"]
    var words = [transport]
    if transport == "udp" && chance(8) {
      words += [random.pick(["::", "::", "::1", "::ffff:127.0.0.1"]), "disconnected"]
      if words[1] == "::ffff:127.0.0.1" || (words[1] == "::" && chance(2)) { words.append("peer4") }
    } else if chance(3) {
      let address = random.pick(["127.0.0.1", "127.0.0.1", "192.0.2.10", "::1", "::1", "::ffff:127.0.0.1", "fe80::1"])
      words += [address, transport == "tcp" ? random.pick(["connected", "time-wait"]) : "connected"]
    } else {
      words.append(random.pick(transport == "udp" ? plain + groups : plain))
      if transport == "tcp" { words.append(random.pick(["listen", "bound"])) }
    }
    if words[1].hasPrefix("ff02") || words[1].hasPrefix("fe80") { words.append("scope=1") }
    let letters = random.pick(["", "", "A", "P", "AP", "L"])
    if !letters.isEmpty { words.append(letters) }
    if words[1].contains(":") {
      let isDual = words[1].hasPrefix("::ffff") || words.contains("peer4")
      words.append(isDual ? "dual" : random.pick(["dual", "dual", "v6only"]))
      if chance(8) { words.append("v6only?") }
    }
    words.append("uid=\(random.pick([0, 1001, 1001, 1001, 1002]))")
    for fact in ["P?", "A?"] where chance(8) { words.append(fact) }
    if chance(8) || words.contains("time-wait") { words.append("uid?") }
    return words.joined(separator: " ")
  }

  /// A bind.
  mutating func planned(_ transport: String) -> String {
    let plain =
      ["0.0.0.0", "0.0.0.0", "127.0.0.1", "192.0.2.10", "::", "::", "::", "::1", "2001:db8::10", "::ffff:127.0.0.1"]
      + ["::ffff:0.0.0.0"]
    let groups = ["239.1.1.1", "::ffff:239.1.1.1", "ff02::1", "ff05::1"]
    let odd =
      ["127.0.0.2", "203.0.113.9", "192.0.2.255", "255.255.255.255", "2001:db8::9", "2001:db8::77", "fe80::1"]
      + ["fe80::2", "::ffff:224.0.0.1", "::ffff:255.255.255.255", "::224.0.0.1", "::ffff:203.0.113.9"] + groups
    let table = chance(5) ? odd : transport == "udp" ? plain + groups : plain
    var words = [transport, random.pick(table)]
    let isLinkLocal = words[1].hasPrefix("ff02") || words[1].hasPrefix("fe80")
    if isLinkLocal {
      let scope = random.pick([1, 1, 1, 9, 0])
      if scope != 0 { words.append("scope=\(scope)") }
    }
    let letters = random.pick(["", "", "A", "P", "AP", "L", "AL", "PL"])
    if !letters.isEmpty { words.append(letters) }
    if words[1].contains(":") {
      let word = random.pick(["dual", "dual", "dual", "v6only", "v6only", ""])
      if !word.isEmpty { words.append(word) }
    }
    if chance(8) { words.append("port=\(random.pick([1, 80, 1023, 1024]))") }
    words.append("uid=\(random.pick([0, 1001, 1001, 1001, 1002]))")
    return words.joined(separator: " ")
  }
}

@Suite("The rules of a BSD, stated twice")
struct BSDAgreementTests {
  private static let systems: [(ModelKernel, BSDSystem)] = [
    (.thirteen, .freebsd13), (.fourteen, .freebsd14), (.newer, .freebsd), (.darwin, .macos),
  ]

  /// The host of the tables with an address that is tentative: BSDs refuse it as long as it is.
  private static func host() -> HostFacts {
    var host = bsdHost()
    if let address = IPAddress("2001:db8::77") {
      host.ipv6Addresses?.append(
        InterfaceAddress(address: address, interface: InterfaceIndex(rawValue: 1), flags: 0xc0))
    }
    return host
  }

  private static let hosts: [ModelHost] = {
    var ready = modelHost
    ready.six.insert("2001:db8::77")
    var waiting = ready
    waiting.notReady = ["2001:db8::77"]
    return [ready, waiting]
  }()

  /// The orders of bind(2) that a dump leaves possible: TCP's says nothing, UDP's has the newest first within a family, and
  /// a socket that connected may be newer than its place says.
  private static func knownOrder(_ existing: [String]) -> [(newer: Int, older: Int)] {
    guard existing.first?.hasPrefix("udp") == true else { return [] }
    func isIPv6(_ index: Int) -> Bool { existing[index].split(separator: " ")[1].contains(":") }
    return existing.indices.flatMap { older in
      existing[older].contains("connected")
        ? [] : (0..<older).filter { isIPv6($0) == isIPv6(older) }.map { (newer: $0, older: older) }
    }
  }

  @Test("give no two sure answers to 20,000 sets of sockets, and leave open hardly more than they must")
  func random() throws {
    var sets = RandomSets(random: Numbers(state: 20_260_801))
    let host = Self.host()
    var (different, sure, open, needless) = (0, 0, 0, 0)
    var errors: [String: Int] = [:]
    for _ in 0..<20_000 {
      let transport = sets.random.pick(["tcp", "udp"])
      let count = sets.random.pick([0, 1, 1, 2, 2, 3, 3, 4])
      let existing = (0..<count).map { _ in sets.socket(transport) }
      let planned = sets.planned(transport)
      let words = BSDWords(planned)
      var (kernel, system) = sets.random.pick(Self.systems)
      if words.options.contains(.reuseportLB) && system == .macos { (kernel, system) = (.newer, .freebsd) }
      let attempt = words.attempt()
      let facts = existing.enumerated().compactMap { index, text in
        BSDWords(text).facts(system).map { (index: index, facts: $0) }
      }
      let table = PCBTable(
        facts, order: transport == "tcp" ? .unknown : .newestFirstWithinFamily, plannedUID: attempt.uid)
      let outcome = try #require(bsdOutcome(of: attempt, words.options, among: table, host, system))
      let there = existing.filter { !ModelSocket.fillings($0, uid: 0, kernel).isEmpty }
      let worlds = ModelWorlds(
        sockets: there.map { ModelSocket.fillings($0, uid: Int(attempt.uid), kernel) },
        newerThan: Self.knownOrder(there), hosts: planned.contains("::77") ? Self.hosts : [Self.hosts[0]])
      let answers = worlds.answers(ModelProgram(words: planned), kernel)
      let said: Set<String> =
        switch outcome.expected {
        case .ok: ["ok"]
        case .fails(let errno): [errno.description]
        case .undetermined: []
        }
      let isRight: Bool
      if said.isEmpty {
        open += 1
        isRight = !outcome.missing.isEmpty
        if answers.count == 1 { needless += 1 }
      } else {
        isRight = said == answers
        if isRight { sure += 1 }
        errors[said.joined(), default: 0] += 1
      }
      if !isRight {
        different += 1
        if different < 40 { Issue.record("\(system): \(existing), then \(planned): \(said), not \(answers)") }
      }
    }
    #expect(different == 0)
    #expect(sure > 10_000)
    #expect(open > 1_000)
    #expect(needless * 20 <= open, "\(needless) of \(open)")
    for error in ["ok", "EADDRINUSE", "EADDRNOTAVAIL", "EACCES", "EAFNOSUPPORT", "ENXIO", "EINVAL"] {
      #expect((errors[error] ?? 0) > 5, "\(error) \(errors)")
    }
    print("bsd agreement: \(sure) sure, \(open) open, \(needless) needlessly, \(different) different; \(errors)")
  }
}

@Suite("The second statement of a BSD's rules")
struct BSDModelTests {
  /// The pairs of which `BSDBindTests` holds the first statement: both stand or fall by the same rows.
  @Test("answers as each kernel does", arguments: BSDPairs.all + BSDBindTests.stated + BSDBindTests.disconnected)
  func pairs(_ row: BSDRow) {
    for (kernel, expected) in zip(ModelKernel.allCases, row.expected.dropFirst()) where expected != "-" {
      let program = ModelProgram(words: row.planned)
      let sockets = row.existing.reversed().flatMap {
        ModelSocket.fillings($0, uid: program.uid, kernel, only6: kernel != .darwin)
      }
      let (answer, _) = ModelMachine(kernel, modelHost, sockets).answer(program)
      #expect((answer == "EADDRINUSE" ? "in-use" : answer) == expected, "\(kernel)")
    }
  }
}

/// SplitMix64: the same numbers in every run.
struct Numbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
  mutating func pick(_ count: Int) -> Int { Int(next() % UInt64(count)) }
  mutating func pick<Value>(_ values: [Value]) -> Value { values[pick(values.count)] }
}
