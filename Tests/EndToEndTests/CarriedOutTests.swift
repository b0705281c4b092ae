import Glibc
import JSONTestSupport
import KernelLab
import Testing

// What portwhy prints is done here, word for word, and then the planned bind works.

/// Starts a server in a fresh network namespace, asks about its port, runs the command of the first suggestion of this
/// kind, and asks again until the port is free.
private func carriedOut(
  _ kind: String, beside script: String, port: UInt16 = 38080, sysctls: [String: String] = [:],
  target: String? = nil, through: [String] = [], shell: [String]? = nil
) throws -> (before: Answer, argv: [String], ran: Ending, after: Ending) {
  try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (namespace: inout NetworkNamespace) in
    for (name, value) in sysctls { try namespace.setSysctl(name, value) }
    return try withServer(unblocked + script, port: port, through: through) { _ in
      let question = [target ?? "0.0.0.0:\(port)"]
      let before = try Answer(question)
      let all = before.attempts.flatMap { $0["suggestions"]?.elements ?? [] }
      let argv = all.first { $0["kind"]?.text == kind }?["argv"]?.elements.compactMap(\.text) ?? []
      guard let name = argv.first else {
        throw StartError(what: "no \(kind): \(before.ending.output)")
      }
      let program = try name == "sh" ? shell ?? [path(of: name)] : [path(of: name)]
      let ran = try run(program + argv.dropFirst(), Start())
      var after = try portwhy(question)
      // A signal takes its time.
      for _ in 0..<600 where after.status != 0 {
        usleep(50_000)
        after = try portwhy(question)
      }
      return (before, argv, ran, after)
    }
  }
}

/// Swift Testing's threads block signals, and a child inherits that: a server as a shell starts it has none blocked.
private let unblocked = "use POSIX (); POSIX::sigprocmask(POSIX::SIG_SETMASK(), POSIX::SigSet->new);\n"

/// Where a shell would find a program.
func path(of name: String) throws -> String {
  let folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
  guard let folder = folders.first(where: { access("\($0)/\(name)", X_OK) == 0 }) else {
    throw StartError(what: "no \(name) here")
  }
  return "\(folder)/\(name)"
}

/// A client of a listener in the same process, whose own port the kernel chose: `$port`, the one port that was left to it.
private let client = #"""
  our $l = listener(8443); socket(our $c, AF_INET, SOCK_STREAM, 0) or die;
  connect($c, pack_sockaddr_in(8443, INADDR_LOOPBACK)) or die "connect: $!";
  my ($got) = sockaddr_in(getsockname($c)); $got == $port or die "port $got";

  """#
private let oneEphemeralPort = ["ipv4/ip_local_port_range": "38080 38080"]

@Suite(
  "What is advised, done word for word", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace")
)
struct CarriedOutTests {
  @Test("kill ends the holder of a listening, a bound and a UDP socket, and the port is free")
  func kill() throws {
    for (script, target) in [
      ("our $s = listener($port);", "0.0.0.0:38080"), ("our $s = bound($port);", "0.0.0.0:38080"),
      ("our $s = bound($port, AF_INET, [], SOCK_DGRAM);", "0.0.0.0:38080/udp"),
    ] {
      // A child, so that the program of the test's pipe lives on.
      let inChild = "if (my $p = fork) { waitpid($p, 0) if 0 } else { \(script) print \"ready\\n\"; sleep 20; exit }"
      let done = try carriedOut(
        "stop-holder", beside: "\(inChild) select(undef, undef, undef, 0.3);", target: target)
      #expect(done.argv.first == "kill" && done.ran.status == 0, "\(done.argv)")
      #expect(done.before.pids == Set(done.argv.dropFirst().compactMap { Int($0) }))
      #expect(done.after.status == 0, "\(target): \(done.after.output)")
    }
  }

  @Test("all workers of an unknown program are named, their parent first, and ended")
  func workers() throws {
    let done = try carriedOut(
      "stop-holder",
      beside: #"""
        unless (fork) { our $s = listener($port); for (1..5) { fork or do { sleep 20; exit } } sleep 20; exit }
        select(undef, undef, undef, 0.5);
        """#)
    #expect(done.before.pids.count == 6 && done.argv.count == 7, "\(done.argv)")
    #expect(done.after.status == 0, "\(done.after.output)")
  }

  @Test("40 workers are ended as their process group, or as the children of a parent that has no part in it")
  func crowds() throws {
    // A leader that goes, so that all of the group are alike.
    let group = Self.crowd("1")
    // The parent has no socket, and shares the group with the server that the test has started.
    let children = #"""
      unless (fork) { our $s = listener($port); for (1..40) { fork or do { sleep 20; exit } } close $s; sleep 20; exit }
      select(undef, undef, undef, 0.5);
      """#
    // The group in every shell that is here: what kill(1) makes of a group differs, as a program even dangerously.
    let shells = [["/bin/sh"], ["/bin/bash"], ["/bin/dash"], ["/usr/bin/busybox", "sh"]]
    let here = shells.filter { access($0[0], X_OK) == 0 }
    for (script, words, shell) in here.map({ (group, ["sh", "-c"], $0) }) + [(children, ["pkill", "-P"], [])] {
      let done = try carriedOut("stop-holder", beside: script, shell: shell)
      #expect(done.before.pids.count == 40 && done.argv.starts(with: words), "\(done.argv)")
      #expect(done.argv.count == 3 && done.ran.status == 0, "\(shell): \(done.ran.errors)")
      #expect(done.after.status == 0, "\(shell): \(done.after.output)")
    }
  }

  /// 40 processes of one group and one listener, whose leader has gone; each says when it does what it does.
  private static func crowd(_ does: String) -> String {
    #"""
    pipe(my $r, my $w);
    unless (fork) { setpgrp(0, 0); our $s = listener($port);
      for my $n (1..40) { fork or do { \#(does); syswrite $w, "x"; sleep 60; exit } }
      exit }
    wait; for (1..40) { sysread $r, my $x, 1 }
    """#
  }

  @Test("of 40 workers those that ignore SIGTERM get SIGKILL, and where they are many all do, as the line says")
  func deafCrowd() throws {
    let few = try carriedOut("stop-holder", beside: Self.crowd("$SIG{TERM} = 'IGNORE' if $n == 3"))
    #expect(few.argv.last?.hasPrefix("kill -- -") == true && few.argv.last?.contains("; kill -KILL ") == true)
    #expect(few.after.status == 0, "\(few.argv): \(few.after.output)")
    for shell in [["/bin/sh"], ["/usr/bin/busybox", "sh"]] where access(shell[0], X_OK) == 0 {
      let many = try carriedOut(
        "stop-holder", beside: Self.crowd("$SIG{TERM} = 'IGNORE' if $n > 3"), shell: shell)
      #expect(many.argv.last?.hasPrefix("kill -s KILL -- -") == true, "\(many.argv)")
      #expect(many.after.status == 0, "\(many.argv): \(many.after.output)")
    }
  }

  @Test("a server that a debugger holds is ended past it, and the debugger is named")
  func traced() throws {
    let done = try carriedOut(
      "stop-holder",
      beside: #"""
        pipe(my $r, my $w); my $p = fork // die;
        unless ($p) { our $s = listener($port); syswrite $w, "x"; sleep 60; exit }
        sysread $r, my $x, 1; $0 = "debugger";
        my $ptrace = (POSIX::uname())[4] eq "aarch64" ? 117 : 101;
        syscall($ptrace, 16, $p, 0, 0) == 0 or die "ptrace: $!"; waitpid($p, 0);
        """#)
    #expect(done.argv.starts(with: ["kill", "-KILL"]) && done.argv.count == 3, "\(done.argv)")
    let texts = done.before.attempts.flatMap { $0["suggestions"]?.elements ?? [] }.compactMap { $0["text"]?.text }
    #expect(texts.contains { $0.contains("to which debugger (pid ") && $0.contains("lets no SIGTERM through") })
    #expect(done.before.violations() == [] && done.before.notes.contains("stopped"))
    #expect(done.after.status == 0, "\(done.after.output)")
  }

  @Test("a server stopped by Ctrl-Z, one that ignores SIGTERM and a shell are ended by what is advised")
  func deaf() throws {
    for (does, words) in [
      ("kill 'STOP', $$; sleep 20", ["sh", "-c"]), ("$SIG{TERM} = 'IGNORE'; sleep 20", ["kill", "-KILL"]),
      ("$SIG{TERM} = 'IGNORE'; exec '/bin/sh', '-c', 'read x'", ["kill", "-KILL"]),
    ] {
      let script = "unless (fork) { our $s = listener($port); \(does); exit } select(undef, undef, undef, 0.5);"
      let done = try carriedOut("stop-holder", beside: script)
      #expect(done.argv.starts(with: words) && done.ran.status == 0, "\(done.argv): \(done.ran.errors)")
      #expect(done.after.status == 0, "\(does): \(done.after.output)")
    }
  }

  @Test("a client's connection is closed by ss -K, its program lives on, and the port is free")
  func closedConnection() throws {
    let done = try carriedOut("close-connection", beside: client, sysctls: oneEphemeralPort)
    #expect(done.before.attempts.first?["cause"]?.text == "outgoing-connection")
    #expect(
      done.argv.prefix(4).elementsEqual(["ss", "-K", "-t", "src"]) && done.argv.contains("127.0.0.1:8443"),
      "\(done.argv)")
    guard !done.ran.output.isEmpty, done.ran.output.contains("38080") else {
      return say("NOT RUN: this kernel closes no sockets for others (CONFIG_INET_DIAG_DESTROY)\n")
    }
    #expect(done.after.status == 0, "\(done.after.output)")
  }

  @Test("a reserved port goes to no client any more, those reserved before stay so")
  func reserved() throws {
    let argv = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (namespace: inout NetworkNamespace) in
      try namespace.setSysctl("ipv4/ip_local_port_range", "38080 38081")
      try namespace.setSysctl("ipv4/ip_local_reserved_ports", "38081")
      let argv = try withServer(client, port: 38080) { _ in
        let suggestions = try Answer(["0.0.0.0:38080"]).attempts.first?["suggestions"]?.elements ?? []
        let kinds = suggestions.compactMap { $0["kind"]?.text }
        // The client is not to blame.
        #expect(kinds.last == "stop-holder" && kinds.contains("close-connection"), "\(kinds)")
        return suggestions.first { $0["kind"]?.text == "reserve-port" }?["argv"]?.elements.compactMap(\.text) ?? []
      }
      #expect(argv == ["sysctl", "net.ipv4.ip_local_reserved_ports=38080,38081"])
      let ran = try run([try path(of: "sysctl")] + argv.dropFirst(), Start())
      #expect(ran.status == 0, "\(ran.errors)")
      #expect(throws: StartError.self) { try withServer(client, port: 38080) { _ in } }
      return argv
    }
    #expect(!argv.isEmpty)
  }

  @Test("a client on a reserved port is a client, whose port no list of reserved ports keeps from it")
  func reservedPortClient() throws {
    let answer = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (_: inout NetworkNamespace) in
      let script = #"""
        our $l = listener(2049); our $c = bound($port);
        connect($c, pack_sockaddr_in(2049, INADDR_LOOPBACK)) or die "connect: $!";
        """#
      return try withServer(script, port: 993) { _ in try Answer(["--reuseaddr", "0.0.0.0:993"]) }
    }
    #expect(answer.attempts.first?["cause"]?.text == "reserved-port-client")
    let kinds = answer.attempts.first?["suggestions"]?.elements.compactMap { $0["kind"]?.text } ?? []
    #expect(kinds.contains("change-setting") && kinds.last == "stop-holder" && !kinds.contains("reserve-port"))
    #expect(answer.violations() == [])
  }

  /// What a process sleeps in, which tells an heir from a server, x86 kernels say from 5.16 on (`get_wchan`).
  @Test(
    "a helper that a killed server left with its listener is called an heir, however the server was started",
    .enabled(if: kernelTellsWhatSleeps, "this kernel does not say what a process sleeps in"))
  func heir() throws {
    for start in ["", "POSIX::setsid();", "setpgrp(0, 0);"] {
      let done = try carriedOut(
        "stop-holder",
        beside: #"""
          pipe(my $r, my $w);
          unless (fork) { \#(start) our $s = listener($port); unless (fork) { exec "/bin/sleep", "20" }
            syswrite $w, "x"; sleep 20; exit }
          sysread $r, my $x, 1; select(undef, undef, undef, 0.3);
          my ($server) = split " ", `cat /proc/$$/task/$$/children`; kill 9, $server; waitpid($server, 0);
          """#,
        // Whoever runs the tests may be of the session of process 1, where nothing tells an orphan from a child.
        through: ["/usr/bin/setsid"])
      #expect(done.before.attempts.first?["cause"]?.text == "inherited-descriptor", "\(done.before.ending.output)")
      #expect(done.before.notes.contains("inherited-descriptor"))
      #expect(done.after.status == 0)
    }
  }

  @Test("a server in the background whose shell has gone is no heir")
  func lostItsShell() throws {
    let done = try carriedOut(
      "stop-holder",
      beside: #"""
        unless (fork) { unless (fork) { our $s = listener($port); accept(my $c, $s); exit } exit }
        wait; select(undef, undef, undef, 0.4);
        """#)
    #expect(done.before.attempts.first?["cause"]?.text == "listener")
    #expect(!done.before.notes.contains("inherited-descriptor"))
  }

  @Test("the report tells since when, as whom and where a holder runs, and what started it, but no argument")
  func facts() throws {
    let answer = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (_: inout NetworkNamespace) in
      try withServer("our $s = listener($port);", port: 38080) { _ in try Answer(["0.0.0.0:38080"]) }
    }
    let holder = answer.sockets.first?["processes"]?.elements.first
    #expect(holder?["uid"]?.integer == Int(geteuid()))
    #expect(holder?["started_at"]?.text?.hasSuffix(".000Z") == true)
    #expect(holder?["cwd"]?.text == cwd())
    #expect(holder?["parents"]?.elements.first?["pid"]?.integer == Int(getpid()))
    #expect(!answer.ending.output.contains("use Socket"))
    #expect(answer.violations() == [])
  }

  private func cwd() -> String? {
    guard let path = getcwd(nil, 0) else { return nil }
    defer { free(path) }
    return String(cString: path)
  }
}
