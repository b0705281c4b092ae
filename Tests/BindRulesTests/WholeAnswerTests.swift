@testable import BindRules
import FixtureTestSupport
import SocketModel
import Testing

/// Made-up ports, the same ones in every run, with everything that the rules say of them. That the answers are right,
/// other tests and the kernel say; here a change of any part of one is seen as a changed line.
@Suite("The whole answer")
struct WholeAnswerTests {
  private static func word(_ result: CallResult?) -> String {
    result.map { BindRulesTests.word($0) } ?? "-"
  }

  private static func fact(_ fact: MissingFact) -> String {
    fact.kind.rawValue + (fact.socket.map { "@\($0)" } ?? "")
  }

  // MARK: - Linux

  private static func text(_ outcome: BindOutcome) -> String {
    var text = "\(word(outcome.bind))/\(word(outcome.listen))"
    text += outcome.blockers.map { " \($0.rule.rawValue)@\($0.socket)" }.joined()
    if !outcome.missing.isEmpty { text += " lacks " + outcome.missing.map(fact).joined(separator: ",") }
    if let likely = outcome.likely {
      text += " likely \(word(likely.bind))/\(word(likely.listen)) by "
      text += likely.assuming.map(\.rawValue).joined(separator: ",")
    }
    return text
  }

  private struct LinuxPort {
    var random: Numbers

    mutating func chance(_ count: Int) -> Bool { random.pick(count) == 0 }

    mutating func socket(_ isUDP: Bool, _ inode: Int) -> String {
      let states = ["LISTEN", "LISTEN", "BOUND", "ESTABLISHED", "TIME_WAIT", "SYN_RECV", "CLOSE_WAIT", "SYN_SENT"]
      let state = isUDP ? random.pick(["UDP", "UDP", "UDP-CONNECTED"]) : random.pick(states)
      let isConnected = !["LISTEN", "BOUND", "UDP"].contains(state)
      let own = ["127.0.0.1", "127.0.0.1", "127.0.0.6", "10.0.0.1", "::1", "::1", "::ffff:127.0.0.1"]
      let address = random.pick(isConnected ? own : own + ["0.0.0.0", "0.0.0.0", "::", "::", "::ffff:0.0.0.0"])
      var words = [state, address]
      words.append(random.pick(["ra?", "ra?", "ra~", "", "", "", "RA", "RA", "RA"]))
      words.append(random.pick(["rp?", "rp?", "rp~", "", "", "", "", "RP", "RP"]))
      if address.contains(":"), !address.hasPrefix("::ffff:") {
        words.append(random.pick(["v6only?", "v6only~", "", "", "V6ONLY"]))
      }
      if chance(3) { words.append(random.pick(["uid=5", "uid=0", "uid?"])) }
      if chance(6) { words.append(random.pick(["dev=2", "dev=3", "domain=2"])) }
      if isConnected {
        words.append(random.pick(["remote=50000", "remote=50000", "port=40000 remote=443", "remote=8080"]))
      }
      if isUDP, chance(8) { words.append(random.pick(["port=1900", "port=3702", "port=5353"])) }
      if !chance(4) { words.append("inode=\(inode)") }
      return words.filter { !$0.isEmpty }.joined(separator: " ")
    }

    mutating func planned(_ isUDP: Bool) -> String {
      var words = [
        random.pick(["0.0.0.0", "0.0.0.0", "127.0.0.1", "127.0.0.6", "::", "::", "::1", "::ffff:127.0.0.1"])
      ]
      if isUDP { words.insert("UDP", at: 0) }
      if words.last?.hasPrefix("::") == true, words.last?.hasPrefix("::ffff") == false, chance(4) {
        words.append("V6ONLY")
      }
      if chance(4) { words.append(random.pick(["uid=0", "uid=5"])) }
      if chance(8) { words.append(random.pick(["dev=2", "dev=3"])) }
      return words.joined(separator: " ")
    }

    /// What of the host is not as everywhere, in words, and the host.
    mutating func host() -> (name: String, host: HostFacts) {
      let release = random.pick([
        "5.10.100", "5.15.1", "6.1.15", "6.1.40", "6.1.100", "6.1.192", "6.2.1", "6.5.1", "6.7.1", "6.12.90",
        "6.18.44",
        "6.18.44", "6.18.44", "6.18.44", "7.0.1",
      ])
      let numbers = release.split(separator: ".").map { Int($0) ?? 0 }
      let kernel = KernelVersion(major: numbers[0], minor: numbers[1], stable: numbers[2], release: release)
      var (names, host) = ([release], openHost(kernel: kernel))
      func with(_ name: String, _ change: (inout HostFacts) -> Void) {
        names.append(name)
        change(&host)
      }
      switch random.pick(24) {
      case 0: with("port-start?") { $0.unprivilegedPortStart = nil }
      case 1: with("vrfs") { $0.mayHaveVRFs = true }
      case 2: with("vrfs?") { $0.mayHaveVRFs = nil }
      case 3: with("interfaces?") { $0.interfaces = nil }
      case 4: with("accept?") { $0.tcpL3mdevAccept = nil }
      case 5: with("family?") { $0.ipv6Available = nil }
      case 6:
        with("listen-filtered") { $0.filteredCalls = FilteredCalls(areKnown: true, listen: .notPermitted) }
      case 7:
        with("addresses?") {
          $0.ipv4NonlocalBind = nil
          $0.ipv6NonlocalBind = nil
        }
      case 8: with("bindv6only") { $0.bindv6only = true }
      case 9...11 where numbers[0] == 5: with("by-address") { $0.bindsByAddress = true }
      case 12...13 where numbers[0] == 5: with("whole-port") { $0.bindsByAddress = false }
      default: break
      }
      return (names.joined(separator: " "), host)
    }
  }

  @Test("of Linux is as it was read, for 500 ports")
  func linux() {
    var ports = LinuxPort(random: Numbers(state: 20_261_130))
    var lines: [String] = []
    for _ in 0..<500 {
      let isUDP = ports.chance(4)
      let inodes = Array(1...9).shuffled(using: &ports.random)
      let texts = (0..<ports.random.pick([0, 1, 1, 2, 2, 3, 4])).map {
        ports.socket(isUDP != ports.chance(20), inodes[$0])
      }
      let words = ports.planned(isUDP)
      var planned = attempt(words)
      let (name, host) = ports.host()
      let isOpen = planned.family == .ipv6 && ports.chance(8)
      planned.isV6onlyKnown = !isOpen
      let isPrivileged = ports.chance(16)
      if isPrivileged { planned.port = Port(80) }
      let buckets =
        ports.chance(3)
        ? [BindBucketTests.bucket(ports.random.pick([nil, .any, .strict]), fastReuse: ports.chance(2))] : []
      let usual = ports.chance(8) ? UsualOptions(reuseaddr: true, reuseport: true, v6only: nil) : nil
      var snapshot = Snapshot(host: host, sockets: texts.map(socket), buckets: buckets)
      snapshot.isChainOrdered = isUDP && ports.chance(2)
      if ports.chance(10) { snapshot.visibility.boundSocketsComplete = false }
      let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot) { _ in usual }
      var about = [name, words]
      if isOpen { about.append("v6only?") }
      if isPrivileged { about.append("port 80") }
      if let bucket = buckets.first {
        let memory = [bucket.fastReuse ? "reuseaddr" : nil, bucket.fastReuseport.map { "reuseport \($0)" }]
        about.append("bucket " + memory.compactMap(\.self).joined(separator: ", "))
      }
      if usual != nil { about.append("of a runtime") }
      if snapshot.isChainOrdered { about.append("in order") }
      if !snapshot.visibility.boundSocketsComplete { about.append("bound sockets?") }
      lines.append(([about.joined(separator: " | ")] + texts).joined(separator: "; "))
      lines += zip(["none", "RA", "RP", "both"], all).map { "  \($0) \(Self.text($1))" }
    }
    GoldenFile.check(lines.joined(separator: "\n") + "\n", "linux.txt")
  }

  // MARK: - BSD

  private static func text(_ outcome: BSDOutcome) -> String {
    var text = "\(outcome.options.socketOptions.map { String($0.dropFirst(3)) }.joined(separator: "+"))="
    text += word(outcome.bind) + (outcome.likely.map { "(\(word($0)))" } ?? "") + " \(outcome.rule)"
    if !outcome.blockers.isEmpty { text += "@" + outcome.blockers.map(\.description).joined(separator: ",") }
    if !outcome.missing.isEmpty { text += " lacks " + outcome.missing.map(fact).joined(separator: ",") }
    return text
  }

  private static func text(_ receiver: BSDReceiver) -> String {
    func names(_ members: [BSDMember]) -> String {
      members.map { member in
        switch member {
        case .planned: "planned"
        case .socket(let index): "\(index)"
        }
      }.joined(separator: ",")
    }
    return switch receiver {
    case .one(let member): "one " + names([member])
    case .hash(let members): "hash " + names(members)
    case .each(let members): "each " + names(members)
    case .reset(let member): "reset " + names([member])
    case .silence(let member): "silence " + names([member])
    case .nobody: "nobody"
    case .undetermined(let members): "? " + names(members)
    }
  }

  private static func lines(_ answer: ForeignAnswer) -> [String] {
    var lines = answer.outcomes.map(text)
    if let refused = answer.refusedBefore {
      lines.append("refused before \(refused.socket) \(refused.error) \(refused.rule)")
    }
    lines += answer.differences.map {
      "differs \($0.options.rawValue) \(word($0.linux)) \(word($0.bsd.expected)) \($0.reason?.rawValue ?? "for no reason")"
    }
    lines += answer.receives.map { receipt in
      "receives \(receipt.family) \(text(receipt.receiver))"
        + receipt.earlier.map { ", \($0.system) \(text($0.receiver))" }.joined()
    }
    if answer.usesDefaultV6only { lines.append("default v6only") }
    if let others = answer.withV6onlyOfLinux {
      lines.append("as on Linux " + others.map(text).joined(separator: ", "))
    }
    if let balanced = answer.ifBalanced {
      lines.append("if balanced " + balanced.map { "\($0.system) \(word($0.bind))" }.joined(separator: ", "))
    }
    lines += answer.earlier.map { "earlier \($0.system) " + $0.outcomes.map(text).joined(separator: ", ") }
    lines += answer.leftOut.map { "left out \($0.rawValue)" }
    return lines
  }

  @Test("of a BSD is as it was read, for 300 ports")
  func bsd() {
    var sets = RandomSets(random: Numbers(state: 20_261_131))
    var lines: [String] = []
    for _ in 0..<300 {
      let transport = sets.random.pick(["tcp", "udp"])
      let texts = (0..<sets.random.pick([0, 1, 1, 2, 2, 3])).map { _ in
        sets.socket(transport) + (sets.chance(12) && transport == "tcp" ? " over" : "")
      }
      let planned = sets.planned(transport)
      let words = BSDWords(planned)
      let system = sets.random.pick([BSDSystem.freebsd, .freebsd, .macos, .macos, .freebsd14, .freebsd13])
      var host = bsdHost()
      if sets.chance(8) { host.bindv6only = true }
      let isOld = sets.chance(6)
      if isOld { host.kernel = KernelVersion(major: 6, minor: 1, stable: 100, release: "6.1.100") }
      let program = words.attempt()
      var attempt = BindAttempt(
        transport: program.transport, address: program.address, scope: program.scope, port: program.port,
        v6only: program.v6only ?? host.bindv6only ?? false, uid: program.uid,
        mayBindPrivileged: program.uid == 0)
      if sets.chance(12) { attempt.device = .interface(InterfaceIndex(rawValue: 2), name: "dev2") }
      var snapshot = Snapshot(
        host: host, sockets: texts.map { BSDWords($0).observation(v6only: false) },
        buckets: [BindBucketTests.bucket(nil, fastReuse: isOld)])
      if sets.chance(10) { snapshot.visibility = Visibility(unreadableProcesses: 1, boundSocketsComplete: false) }
      if sets.chance(10) { snapshot.visibility.unreadableProcesses = 1 }
      let answer = foreignAnswer(
        of: attempt, v6only: program.v6only, planned: words.options.onLinux ?? .reuseport,
        linux: outcomes(of: attempt, in: snapshot), in: snapshot, under: system)
      var question = "\(system): \(planned)" + (attempt.device == nil ? "" : " dev=2")
      if isOld { question += " | 6.1" }
      if !snapshot.visibility.isComplete {
        question += snapshot.visibility.boundSocketsComplete ? " | processes?" : " | bound sockets?"
      }
      lines.append(([question] + texts).joined(separator: "; "))
      lines += Self.lines(answer).map { "  " + $0 }
    }
    GoldenFile.check(lines.joined(separator: "\n") + "\n", "bsd.txt")
  }
}
