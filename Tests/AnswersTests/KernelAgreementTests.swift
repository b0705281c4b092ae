import BindRules
import CLinux
import Glibc
import KernelLab
import Explanation
import Answers
import SocketModel
import Testing

/// What the rules said of a bind, and whether a real one agreed.
private struct Verdict: Equatable, CustomStringConvertible {
  var bind: CallResult
  var source: OutcomeSource
  var agreed: Bool

  /// `ok`, an errno, `?`; `(probe)` where a probe settled it, `WRONG` where it contradicted.
  var description: String {
    let word =
      switch bind {
      case .ok: "ok"
      case .fails(let errno): errno.description
      case .undetermined: "?"
      }
    return word + (source == .probe ? " (probe)" : "") + (agreed ? "" : " WRONG")
  }
}

/// Asks with `--probe` in the calling thread's namespace; the first attempt's planned outcome.
private func ask(
  _ address: String, _ port: Port = 8080, device: String? = nil, options: ReuseOptions = []
) throws -> String {
  let item = QuestionItem(
    addresses: [.address(IPAddress(address) ?? .v4(.any), zone: nil)], ports: port...port, transport: .tcp)
  let report = try Portwhy.answer(Question(items: [item], plan: Plan(options: options, device: device), probes: true))
  guard let attempt = report.targets.first?.attempts.first, let outcome = attempt.outcome(options) else {
    return "none"
  }
  return Verdict(bind: outcome.bind, source: outcome.source, agreed: attempt.contradictions.isEmpty).description
}

@Suite("The rules agree with real binds", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct KernelAgreementTests {
  /// Runs commands and asks after each; `ip` missing is said.
  private func trace(
    devices: Bool = false, fresh: Bool = false, _ steps: [(String, String)]
  ) throws -> [String] {
    try NetworkNamespace.run(NamespaceConfiguration(devices: devices)) { (_: inout NetworkNamespace) in
      if fresh, portwhy_unshare_network() != 0 { throw SystemError(rawValue: errno) }
      return try steps.map { command, address in
        if !command.isEmpty {
          let words = command.split(separator: " ").map(String.init)
          let pid = try start(words)
          var status: Int32 = 0
          waitpid(pid, &status, 0)
          if status != 0 { throw CommandError(words: words, status: status) }
        }
        return try ask(address)
      }
    }
  }

  @Test("about a local address that a more specific route of main hides, until a routing rule is changed")
  func hiddenLocalAddress() throws {
    let answers = try trace([
      ("", "127.0.0.6"), ("ip route add 127.0.0.6/32 dev lo", "127.0.0.6"), ("", "127.0.0.7"),
      ("", "::ffff:127.0.0.6"),
      ("ip route add unreachable 127.0.0.8/32", "127.0.0.8"), ("ip route add prohibit 127.0.0.9/32", "127.0.0.9"),
      ("ip rule add from 192.0.2.1 lookup 77", "127.0.0.6"), ("", "127.0.0.9"),
      ("ip rule delete from 192.0.2.1 lookup 77", "127.0.0.6"),
    ])
    #expect(
      answers == [
        "ok", "EADDRNOTAVAIL", "ok", "EADDRNOTAVAIL", "EADDRNOTAVAIL", "EADDRNOTAVAIL", "ok", "ok", "ok",
      ])
  }

  @Test("about a blackhole route and a local route of main, as far as they can be sure")
  func undeterminedRoutes() throws {
    let answers = try trace([
      ("ip route add blackhole 127.0.0.8/32", "127.0.0.8"),
      ("ip route add local 198.51.100.1/32 dev lo table main", "198.51.100.1"),
      ("ip rule add from 192.0.2.1 lookup 77", "198.51.100.1"),
    ])
    #expect(answers == ["EADDRNOTAVAIL (probe)", "ok (probe)", "EADDRNOTAVAIL"])
  }

  @Test("about AnyIP: a whole network made local, and one address of it taken out")
  func anyIP() throws {
    let answers = try trace([
      ("", "198.51.100.7"), ("ip route add local 198.51.100.0/24 dev lo", "198.51.100.7"),
      ("ip route add 198.51.100.7/32 dev lo", "198.51.100.7"), ("", "198.51.100.8"),
    ])
    #expect(answers == ["EADDRNOTAVAIL", "ok", "EADDRNOTAVAIL", "ok"])
  }

  @Test("that every address is local while the table local was never made, and none when it was emptied")
  func loopbackNeverUp() throws {
    let answers = try trace(
      fresh: true,
      [
        ("", "198.51.100.7"), ("ip link set lo up", "198.51.100.7"), ("ip link set lo down", "127.0.0.1"),
        ("ip address flush dev lo", "127.0.0.1"),
      ])
    #expect(answers == ["ok", "EADDRNOTAVAIL", "ok", "EADDRNOTAVAIL"])
  }
}

@Suite("A probe settles", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct SettledByProbeTests {
  @Test("what an unprivileged reader cannot see, with the kernel's answer")
  func hiddenFlags() throws {
    let (before, after) = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
      let port = try namespace.freshPort()
      let held = listener(port, options: [SO_REUSEPORT])
      defer { close(held) }
      let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "--json", "--reuseport"]
      let target = "127.0.0.1:\(port)"
      return (try output(of: nobody + [target]), try output(of: nobody + ["--probe", target]))
    }
    let ends = { (text: String) in
      text.matches(of: /"bind":"(\w+)","listen":[^,]+,"source":"(\w+)"/).map { "\($0.1) \($0.2)" }
    }
    let sure = Array(repeating: "EADDRINUSE rules", count: 2)
    #expect(ends(before) == sure + Array(repeating: "undetermined rules", count: 2), "\(before)")
    #expect(ends(after) == sure + Array(repeating: "EADDRINUSE probe", count: 2), "\(after)")
    #expect(before.contains("portwhy --reuseport --probe 127.0.0.1:") && !after.contains("--probe"))
    #expect(after.contains("\"verdict\":\"fails\",\"errno\":\"EADDRINUSE\""))
  }

  @Test("nothing for UDP, and says so")
  func udp() throws {
    let report = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (_: inout NetworkNamespace) in
      try Portwhy.answer(
        Question(items: [QuestionItem(addresses: [.wildcard], ports: 53...53, transport: .udp)], probes: true))
    }
    let notes = report.targets[0].attempts[0].explanation.notes
    #expect(notes.contains { $0.kind == .probeRefused && $0.text.contains("UDP") })
  }

  @Test("nothing unless it is asked to")
  func notAsked() throws {
    let report = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (_: inout NetworkNamespace) in
      try Portwhy.answer(Question(items: [QuestionItem(addresses: [.wildcard], ports: 80...80, transport: .tcp)]))
    }
    #expect(report.targets[0].attempts.allSatisfy { $0.outcomes.allSatisfy { $0.source == .rules } })
  }
}
