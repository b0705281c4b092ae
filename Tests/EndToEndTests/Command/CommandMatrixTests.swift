import Glibc
import JSONTestSupport
import KernelLab
import Testing

/// A command and what is the same with and without portwhy before it.
struct MatrixCase: Sendable, CustomTestStringConvertible {
  var name: String
  var words: [String]
  /// The failed calls that portwhy sees.
  var failures: Int

  var testDescription: String { name }
}

private func perl(_ script: String) -> [String] { ["/usr/bin/perl", "-MSocket=:all", "-e", script] }

private let perlServer = perl(
  """
  socket(my $s, AF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
  bind($s, pack_sockaddr_in(8080, INADDR_LOOPBACK)) or die "bind: $!"; listen($s, 5) or die; print "up\\n";
  """)

private let commands: [MatrixCase] = [
  MatrixCase(name: "a server whose port is taken", words: perlServer, failures: 1),
  MatrixCase(name: "a server whose port is free", words: [binder, "-l", "127.0.0.1", "8081"], failures: 0),
  MatrixCase(
    name: "a server that tries the next port", words: [binder, "-rfl", "127.0.0.1", "5173", "5174"], failures: 1),
  MatrixCase(name: "a thread", words: [binder, "-T", "127.0.0.1", "8080"], failures: 1),
  MatrixCase(name: "a child of vfork(2)", words: [binder, "-V", "127.0.0.1", "8080"], failures: 1),
  MatrixCase(name: "UDP", words: [binder, "-u", "127.0.0.1", "5353"], failures: 1),
  MatrixCase(name: "IPv6", words: [binder, "-6", "::", "8080"], failures: 1),
  MatrixCase(name: "an address that is not here", words: [binder, "192.0.2.1", "8081"], failures: 1),
  MatrixCase(name: "a second bind of one socket", words: [binder, "twice", "127.0.0.1", "8081"], failures: 1),
  MatrixCase(name: "two sockets that listen", words: [binder, "pair", "127.0.0.1", "8081"], failures: 1),
  MatrixCase(
    name: "a shell with children, and a status of its own",
    words: ["/bin/sh", "-c", "(\(binder) -l 127.0.0.1 8080); \(binder) -l 127.0.0.1 8081; exit 7"], failures: 1),
  MatrixCase(
    name: "children in the background",
    words: ["/bin/sh", "-c", "\(binder) 127.0.0.1 8080 & wait; \(binder) 127.0.0.1 5173 & wait"], failures: 2),
  MatrixCase(
    name: "a chain of programs",
    words: ["/usr/bin/env", "nice", "timeout", "9", "sh", "-c", "\(binder) 127.0.0.1 8080"],
    failures: 1),
  MatrixCase(
    name: "another user without the privilege", words: Start.asNobody.through + [binder, "127.0.0.1", "80"],
    failures: 1),
  MatrixCase(
    name: "a sandbox that forbids binds", words: [binder, "landlock", binder, "127.0.0.1", "8081"], failures: 1),
  MatrixCase(name: "a filter of its own", words: [binder, "refused", binder, "127.0.0.1", "8081"], failures: 0),
  MatrixCase(
    name: "threads, and execve(2) beside them", words: [binder, "exec", "3", "127.0.0.1", "8080", "echo", "hi"],
    failures: -1),
  MatrixCase(name: "a crowd", words: [binder, "crowd", "8", "127.0.0.1", "8080"], failures: 8),
  MatrixCase(name: "SIGTERM", words: ["/bin/sh", "-c", "kill -TERM $$"], failures: 0),
  MatrixCase(name: "SIGSEGV", words: ["/bin/sh", "-c", "kill -SEGV $$"], failures: 0),
  MatrixCase(name: "status 42", words: ["/bin/sh", "-c", "exit 42"], failures: 0),
  MatrixCase(name: "standard input", words: ["/bin/sh", "-c", "cat; echo end"], failures: 0),
  MatrixCase(
    name: "a user namespace with a network of its own",
    words: ["/usr/bin/unshare", "-rn", binder, "-l", "127.0.0.1", "80"], failures: 0),
  MatrixCase(
    name: "strace(1)", words: ["/usr/bin/strace", "-qq", "-e", "trace=none", binder, "127.0.0.1", "8080"], failures: 0
  ),
  MatrixCase(name: "MPTCP", words: [binder, "-m", "127.0.0.1", "8080"], failures: 1),
  MatrixCase(name: "the i386 table", words: [binder, "-i", "127.0.0.1", "8080"], failures: 1),
  MatrixCase(name: "socketcall(2)", words: [binder, "-i", "-i", "127.0.0.1", "8080"], failures: 2),
].filter { test in
  (test.name != "MPTCP" || kernelHasMPTCP) && access(test.words[0], X_OK) == 0
    && (isX86 || !test.words.contains("-i"))
}

#if arch(x86_64)
  private let isX86 = true
#else
  private let isX86 = false
#endif

@Suite(
  "A command under portwhy", .enabled(if: endToEndTestsRun && commandModeRuns, "needs CAP_SYS_ADMIN and Linux 5.19"))
struct CommandMatrixTests {
  @Test("ends and writes as it does without", arguments: commands)
  func same(_ test: MatrixCase) throws {
    let (bare, watched) = try withTakenPorts { _ in
      (try run(test.words, Start()), try CommandReports(test.words))
    }
    #expect(watched.ending == bare)
    // 77: what it needs, the kernel does not have.
    if test.failures >= 0, bare.status != 77 {
      #expect(watched.calls.compactMap { $0["tries"]?.integer }.reduce(0, +) == test.failures, "\(watched.lines)")
    }
    let problems = try watched.problems()
    #expect(problems == [])
  }

  @Test("has the descriptors, signals, ids, capabilities, directory and environment that portwhy was given")
  func report() throws {
    let start = Start(environment: ["PATH=/usr/bin:/bin", "SWIFT_BACKTRACE=enable=no", "ODD=\u{1}", "A=1", "A=2"])
    for start in [start, Start(input: .closed), Start(through: ["/usr/bin/env", "--ignore-signal=PIPE,CHLD,XFSZ"])] {
      let bare = try run(start.through + [binder, "report"], start)
      let watched = try portwhy(["-o", "/dev/null"], running: [binder, "report"], start)
      #expect(bare.output.contains("SigIgn") && bare.output.contains("PATH="))
      #expect(watched == bare)
    }
  }

  @Test("is not given words or bytes that were not typed: no UTF-8, empty, and more --")
  func words() throws {
    let script = #"printf '%s|' "$@" | od -c"#
    let bytes = ["/bin/sh", "-c", script, "sh", "", "--", "-x", "a b", "é"]
    let bare = try run(bytes, Start())
    #expect(try portwhy(running: bytes) == bare)
  }

  @Test("is told by status 126 and 127 what env(1) tells")
  func notRun() throws {
    let missing = try portwhy(running: ["no-such-program"])
    #expect(missing.status == 127 && missing.errors.contains("\"no-such-program\"") && missing.output == "")
    let noProgram = try portwhy(running: ["/etc/passwd"])
    #expect(noProgram.status == 126 && noProgram.errors.split(separator: "\n").count == 1)
  }

  @Test("is found with few descriptors to be had, and with closed standard streams")
  func fewDescriptors() throws {
    try withTakenPorts { _ in
      let limited = try run(
        ["/bin/sh", "-c", "ulimit -n 32; exec \(portwhyBinary) -- \(binder) 127.0.0.1 8080"], Start())
      #expect(limited.status == 3 && limited.errors.contains("bind() of binder"), "\(limited)")
      let closed = try portwhy(
        running: ["/bin/sh", "-c", "exit 5"], Start(input: .closed, output: .closed, errors: .closed))
      #expect(closed.status == 5)
      let unread = try portwhy(
        running: ["/bin/sh", "-c", "\(binder) 127.0.0.1 8080 2>/dev/null; exit 6"], Start(errors: .closedPipe))
      #expect(unread.status == 6)
    }
  }

  @Test("can be the first process of a pid namespace, and leaves no zombies there")
  func firstProcess() throws {
    let script = """
      (sleep 0.1 &); n=0
      while [ $n -lt 300 ] && ps -eo stat=,comm= | grep -q '^Z\\|sleep$'; do n=$((n + 1)); sleep 0.1; done
      ps -eo stat= | grep -c Z; exit 4
      """
    let ending = try run(
      ["/usr/bin/unshare", "-pf", "--mount-proc", portwhyBinary, "--", "/bin/sh", "-c", script], Start())
    #expect(ending.status == 4 && ending.output == "0\n", "\(ending)")
  }
}
