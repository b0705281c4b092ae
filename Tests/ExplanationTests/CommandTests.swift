import BindRules
import Explanation
import SocketModel
import Testing

/// A process with a name of somebody else's choice in the place that a command takes it from.
private struct Foreign: Sendable, CustomTestStringConvertible {
  var says: String
  var kind = Suggestion.Kind.stopHolder
  var change: @Sendable (inout SocketObservation, String) -> Void
  /// The words of the command with `-Hevil.service` as the name; nil for no command.
  var argv: [String]?

  var testDescription: String { says }
}

private let name = "-Hevil.service"

private let rows: [Foreign] = [
  Foreign(
    says: "a unit", change: { $0.setUnit($1) }, argv: ["sudo", "systemctl", "stop", "--", name]),
  Foreign(
    says: "a unit of one's own manager",
    change: {
      $0.setUnit($1)
      $0.processes[0].userManager = 1000
    }, argv: ["systemctl", "--user", "stop", "--", name]),
  Foreign(
    says: "a unit of another's manager",
    change: {
      $0.setUnit($1)
      $0.processes[0].userManager = 1001
    }, argv: ["sudo", "sh", "-c", "systemctl --user -M 1001@ stop -- \(name) 2>/dev/null"]),
  Foreign(
    says: "a socket unit",
    change: {
      $0.processes[0].isServiceManager = true
      $0.activation = SocketActivation(unit: $1, activates: "x.service")
    },
    argv: ["sudo", "systemctl", "stop", "--", name]),
  Foreign(
    says: "a socket unit that is edited", kind: .changeSocketUnit,
    change: {
      $0.processes[0].isServiceManager = true
      $0.activation = SocketActivation(unit: $1, activates: "x.service")
    },
    argv: ["sudo", "systemctl", "edit", "--", name]),
  Foreign(
    says: "a pod's container", kind: .findHolder,
    change: {
      $0.processes[0].container = $1
      $0.processes[0].containerEngine = "kubernetes"
    }, argv: ["sudo", "crictl", "ps", "--id=\(name)"]),
  Foreign(
    says: "a WireGuard interface", kind: .changeInterface,
    change: {
      $0.owner = .kernel
      $0.kernelOwner = KernelOwner(kind: .wireguard, interface: $1)
    }, argv: nil),
]

private let engines: [(String, [String])] = [
  ("docker", ["sudo", "docker", "stop", "--", name]), ("podman", ["sudo", "podman", "stop", "--", name]),
  ("nerdctl", ["sudo", "nerdctl", "stop", "--", name]),
  ("lxc", ["sudo", "lxc-stop", "--name=\(name)"]),
]

extension SocketObservation {
  /// Makes its holder the main process of this unit.
  fileprivate mutating func setUnit(_ unit: String) {
    processes[0].unit = unit
    processes[0].unitMain = UnitMain(pid: 9, command: "x", executable: nil)
  }
}

private func socket() -> SocketObservation {
  SocketObservation(
    transport: .tcp, family: .ipv4, local: Endpoint(address: .v4(.any), port: Port(8080)), state: .listen,
    reuseaddr: .known(true, .getsockopt), reuseport: .known(false, .getsockopt), uid: 0, inode: 1, owner: .process,
    processes: [ProcessRecord(pid: 9, command: "x", descriptors: [3])])
}

private func commands(_ socket: SocketObservation) -> [(kind: Suggestion.Kind?, argv: [String]?)] {
  var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 1000)
  host.unprivilegedPortStart = 1024
  let attempt = BindAttempt(transport: .tcp, address: .v4(.any), port: Port(8080), uid: 1000)
  let snapshot = Snapshot(host: host, sockets: [socket])
  return explain(
    Situation(attempt: attempt, outcomes: outcomes(of: attempt, in: snapshot), planned: [], snapshot: snapshot)
  ).suggestions.map { ($0.kind, $0.command?.argv) }
}

@Suite("A word of a command that comes from elsewhere")
struct ForeignWordTests {
  @Test("is no option, whatever it begins with", arguments: rows)
  private func neverAnOption(_ row: Foreign) throws {
    var socket = socket()
    row.change(&socket, name)
    let found = try #require(commands(socket).first { $0.kind == row.kind })
    #expect(found.argv == row.argv)
    // Each command that has the word has `--` somewhere before it.
    for case let (_, argv?) in commands(socket) where argv.contains(name) {
      #expect(argv.firstIndex(of: "--").map { argv[$0...].contains(name) } == true, "\(argv)")
    }
    var plain = self.plain(row)
    plain.argv = plain.argv?.filter { $0 != "--" }
    #expect(plain.argv?.contains("--") != true)
  }

  /// The command for a name without a dash, which needs no `--`.
  private func plain(_ row: Foreign) -> (kind: Suggestion.Kind?, argv: [String]?) {
    var socket = socket()
    row.change(&socket, "evil.service")
    return commands(socket).first { $0.kind == row.kind } ?? (nil, nil)
  }

  @Test("of a container engine neither", arguments: engines)
  private func engine(_ engine: String, _ argv: [String]) {
    var socket = socket()
    socket.processes[0].container = name
    socket.processes[0].containerEngine = engine
    #expect(commands(socket).first { $0.kind == .stopHolder }?.argv == argv)
    socket.processes[0].container = "web"
    #expect(commands(socket).first { $0.kind == .stopHolder }?.argv?.contains("--") == false)
  }

  @Test(
    "names no other unit: systemctl takes *, ? and [ for patterns", arguments: ["*.service", "a?.service", "[a-z].x"])
  func patterns(_ unit: String) {
    var socket = socket()
    socket.setUnit(unit)
    #expect(commands(socket).first { $0.kind == .stopHolder }?.argv == ["sudo", "kill", "9"])
    socket.activation = SocketActivation(unit: unit, activates: "x.service")
    #expect(!commands(socket).contains { $0.argv?.contains(unit) == true })
  }

  @Test("is one word for a shell")
  func quoted() {
    for word in ["a b", "it's", "", "$(reboot)", "`reboot`", "a;b", "*", "=x", "a\nb", "~root", "#x"] {
      let text = Command(argv: ["echo", word]).text
      #expect(text.hasPrefix("echo '") && text.hasSuffix("'"), "\(text)")
    }
    #expect(Command(argv: ["portwhy", "--uid", "0", "8080/udp"]).text == "portwhy --uid 0 8080/udp")
    #expect(Command(argv: ["it's"]).text == "'it'\\''s'")
  }

  @Test("is kept as a report of 0.1 has it, which has no words")
  func saved() {
    let old = Command(saved: "sudo kill 7", argv: nil)
    #expect(old.text == "sudo kill 7" && old.argv == nil)
    #expect(Command(saved: "kill 7", argv: ["kill", "7"]) == Command(argv: ["kill", "7"]))
  }
}
