import BindRules
import CProcessTestSupport
import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// What runs beside a server of another process showed, with what the kernel then did on the same port.
private struct Seen: Sendable {
  var server: Int
  var words: [String]
  var answer: Answer
  var screen: Ending
  var trials: [TrialResult]
}

/// Starts the server in a fresh namespace, asks about 0.0.0.0 on its port, then tries the four binds.
private func beside(
  _ script: String, _ start: Start = Start(), through: [String] = [], arguments: [String] = [],
  attempt: Attempt = Attempt(.tcp, ip("0.0.0.0")), port kind: PortKind = .ordinary
) throws -> Seen {
  try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (namespace: inout NetworkNamespace) in
    let copy = try namespace.build(Scenario([], attempt, port: kind))
    let target = "0.0.0.0:\(copy.port)\(attempt.transport == .udp ? "/udp" : "")"
    return try withServer(script, port: copy.port.rawValue, through: through) { server in
      let answer = try Answer(arguments + [target], start)
      let screen = try portwhy(arguments + [target], start)
      return Seen(
        server: Int(server.pid), words: server.words, answer: answer, screen: screen,
        trials: ReuseOptions.combinations.map { copy.tryBind($0) })
    }
  }
}

private let nobody = Attempt(.tcp, ip("0.0.0.0"), uid: 65534, mayBindPrivileged: false)
private let reusePorts: Set<ReuseOptions> = [reuseport, both]

@Suite("Who holds the port", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct OwnerTests {
  @Test(
    "a socket that no process shows, its descriptor being in a message, makes the report incomplete, and says why")
  func inFlight() throws {
    let (answer, screen) = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (_: inout NetworkNamespace) in
      let receiver = test_listener_in_flight(8080)
      defer { close(receiver) }
      return (try Answer(["127.0.0.1:8080"]), try portwhy(["127.0.0.1:8080"]))
    }
    #expect(answer.document["visibility"]?["complete"]?.bool == false)
    // In a container there is one more.
    #expect(answer.document["visibility"]?["reasons"]?.elements.first?.text == "no-holder")
    #expect(screen.output.contains("no process that could be looked at holds a socket in the way"))
  }

  @Test("a socket of the kernel itself is no gap in what was seen")
  func kernelSocket() throws {
    let answer = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (_: inout NetworkNamespace) in
      let made = try run(
        ["/bin/sh", "-c", "ip link add vx0 type vxlan id 7 dstport 4789 && ip link set vx0 up"], Start())
      return made.status == 0 ? try Answer(["4789/udp"]) : nil
    }
    guard let answer else {
      if getenv("CI") != nil { Issue.record("no VXLAN interface could be made") }
      return say("NOT RUN: no VXLAN interface could be made\n")
    }
    #expect(answer.sockets.first?["owner"]?.text == "kernel")
    #expect(answer.document["visibility"]?["reasons"]?.elements.isEmpty == true)
  }

  @Test(
    "without privilege another user's listener is in the way, its uid shown, its process called hidden",
    needsBoundSockets)
  func hiddenListener() throws {
    let seen = try beside("our $s = listener($port);", .asNobody, attempt: nobody)
    #expect(seen.answer.disagreements(with: [seen.trials], open: reusePorts) == [])
    #expect(seen.answer.violations() == [])
    #expect(seen.answer.ending.status == 1)
    let socket = seen.answer.sockets.first ?? .null
    #expect(socket["owner"]?.text == "hidden" && socket["uid"]?.integer == 0)
    #expect(socket["reuseaddr"] == .null && socket["unknown_because"]?.text == "hidden")
    #expect(seen.answer.document["visibility"]?["complete"]?.bool == false)
    #expect(seen.screen.headline.contains("as nobody fails (EADDRINUSE)"))
    #expect(seen.screen.output.contains("hidden (uid 0)") && seen.screen.output.contains("sudo portwhy"))
  }

  @Test("on a host with thousands of open files an iterator names every holder")
  func manyFiles() throws {
    let script = """
      our $s = listener($port); our @files;
      if (my $child = fork) { print "$child\\n" } else { <STDIN>; exit }
      for (1..4500) { open(my $f, '<', '/dev/null') or die "open: $!"; push @files, $f }
      """
    let seen = try beside(script, through: ["/usr/bin/prlimit", "--nofile=5000:5000"])
    let holders = seen.answer.sockets.first?["processes"]?.elements ?? []
    #expect(Set(holders.compactMap { $0["pid"]?.integer }) == Set([seen.server] + seen.words.compactMap { Int($0) }))
    #expect(seen.words.count == 1 && seen.answer.sockets.first?["reuseaddr"]?.bool == false)
    #expect(seen.answer.document["visibility"]?["bpf"]?["iterators"]?.elements.first?.text == "task_file")
  }

  @Test("without privilege, too, a busy port fits the screen, a line for each socket shown")
  func hiddenBusy() throws {
    let seen = try beside(
      """
      our $s = listener($port);
      our (@clients, @children);
      for (1..30) {
        socket(my $c, AF_INET, SOCK_STREAM, 0); connect($c, pack_sockaddr_in($port, INADDR_LOOPBACK)) or die;
        push @clients, $c; accept(my $a, $s); push @children, $a;
      }
      """, .asNobody, attempt: nobody)
    #expect(seen.answer.states.filter { $0 == "ESTABLISHED" }.count == 30)
    let rows = seen.screen.lines.filter { $0.hasPrefix("  ESTABLISHED") }
    #expect(rows.count == 3 && rows.allSatisfy { $0.contains("127.0.0.1:") && $0.hasSuffix("hidden (uid 0)") })
    #expect(seen.screen.output.contains("and 27 more ESTABLISHED"))
    #expect(seen.screen.lines.count <= 24, "\(seen.screen.output)")
  }

  @Test(
    "without privilege a bound-only socket of another user is found, and no option called sure", needsBoundSockets)
  func hiddenBound() throws {
    let seen = try beside("our $s = bound($port, AF_INET, [SO_REUSEADDR]);", .asNobody, attempt: nobody)
    #expect(
      seen.answer.disagreements(with: [seen.trials], open: [reuseaddr, reuseport, both]) == [])
    #expect(seen.answer.states == ["BOUND"])
    #expect(seen.answer.ending.status == 1)
    #expect(!seen.screen.headline.contains("free"))
  }

  @Test("without privilege one's own socket is read in full", needsBoundSockets)
  func ownSocketOfNobody() throws {
    let seen = try beside(
      "our $s = listener($port, AF_INET, [SO_REUSEADDR]);", .asNobody,
      through: Start.asNobody.through, attempt: nobody)
    #expect(seen.answer.disagreements(with: [seen.trials], open: reusePorts) == [])
    #expect(seen.answer.pids == [seen.server])
    #expect(seen.answer.sockets.first?["sources"]?["reuseaddr"]?.text == "getsockopt")
  }

  @Test("a socket inherited by a child whose parent has gone is the child's")
  func inherited() throws {
    let seen = try beside(
      """
      pipe(my $r, my $w);
      my $parent = fork() // die;
      if (!$parent) {
        our $s = listener($port);
        my $child = fork() // die;
        if ($child) { syswrite($w, "$child\\n"); exit }
        close $w; <STDIN>; exit;
      }
      close $w; print "child ", scalar <$r>; waitpid($parent, 0);
      """)
    let child = try #require(seen.words.last.flatMap { Int($0) })
    #expect(seen.answer.disagreements(with: [seen.trials], open: reusePorts) == [])
    #expect(seen.answer.pids == [child])
    #expect(seen.screen.output.contains("\(child)") && seen.screen.output.contains("kill \(child)"))
  }

  @Test("all of 40 forked workers are holders, on one screen")
  func workers() throws {
    let seen = try beside(
      """
      our $s = listener($port, AF_INET, [SO_REUSEADDR]);
      for (1..40) { my $pid = fork() // die; if (!$pid) { <STDIN>; exit } print "$pid\\n" }
      """)
    #expect(seen.answer.disagreements(with: [seen.trials], open: reusePorts) == [])
    #expect(seen.answer.pids == Set(seen.words.compactMap { Int($0) } + [seen.server]))
    #expect(seen.answer.pids.count == 41)
    #expect(seen.screen.lines.count <= 24, "\(seen.screen.output)")
  }

  @Test("stopping the holders one may look at is no sure cure where others are hidden", needsBoundSockets)
  func hiddenHolderBesideVisible() throws {
    let script = #"""
      our $s = listener($port);
      open(our $worker, "-|", "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
        "/usr/bin/perl", "-e", '$| = 1; print "$$\n"; <STDIN>') or die;
      print scalar <$worker>;
      """#
    func certainty(_ seen: Seen) -> [String?] {
      seen.answer.attempts.flatMap { $0["suggestions"]?.elements ?? [] }
        .filter { $0["kind"]?.text == "stop-holder" }.map { $0["certainty"]?.text }
    }
    let hidden = try beside(script, .asNobody, attempt: nobody)
    #expect(hidden.answer.pids == Set(hidden.words.compactMap { Int($0) }))
    #expect(certainty(hidden) == ["if"])
    let seen = try beside(script)
    #expect(seen.answer.pids == Set(seen.words.compactMap { Int($0) } + [seen.server]))
    #expect(certainty(seen) == ["checked"])
  }

  @Test("an MPTCP listener is named as one", .enabled(if: kernelHasMPTCP, "NOT RUN: this kernel has no MPTCP"))
  func mptcp() throws {
    let seen = try beside("our $s = listener($port, AF_INET, [], SOCK_STREAM, 262);")
    #expect(seen.answer.disagreements(with: [seen.trials], open: reusePorts) == [])
    #expect(seen.answer.sockets.first?["ulp"]?.text == "mptcp")
    #expect(seen.answer.pids == [seen.server])
  }

  @Test("under sudo the plan is that of the user who called it")
  func sudo() throws {
    var start = Start()
    start.environment += ["SUDO_UID=65534", "SUDO_GID=65534", "SUDO_USER=nobody"]
    let seen = try beside("our $s = listener($port, AF_INET, [SO_REUSEPORT]);", start, attempt: nobody)
    #expect(seen.answer.disagreements(with: [seen.trials], open: reusePorts) == [])
    #expect(seen.answer.target["plan"]?["uid"]?.integer == 65534)
    #expect(seen.screen.headline.contains(" as nobody fails "))
  }

  @Test("under sudo a privileged port is judged as root, and names the listener")
  func sudoPrivileged() throws {
    var start = Start()
    start.environment += ["SUDO_UID=65534"]
    let seen = try beside("our $s = listener($port);", start, port: .privileged)
    #expect(seen.answer.disagreements(with: [seen.trials], open: reusePorts) == [])
    #expect(seen.answer.target["errno"]?.text == "EADDRINUSE")
    #expect(seen.answer.pids == [seen.server])
    #expect(seen.answer.notes.contains("privileged-port"))
  }

  @Test("UDP of another user is in the way too")
  func udp() throws {
    let attempt = Attempt(.udp, ip("0.0.0.0"), uid: 65534, mayBindPrivileged: false)
    let seen = try beside(
      "our $s = bound($port, AF_INET, [], SOCK_DGRAM);", .asNobody, attempt: attempt)
    #expect(seen.answer.disagreements(with: [seen.trials], open: [reuseaddr, reuseport, both]) == [])
    #expect(seen.answer.ending.status == 1)
  }
}
