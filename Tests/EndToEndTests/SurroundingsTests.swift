import BindRules
import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// Runs beside a listener with this command name, in a fresh namespace.
private func besideListener<Result>(
  name: String = "", _ body: (_ port: String) throws -> Result
) throws -> Result {
  try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (namespace: inout NetworkNamespace) in
    let port = try namespace.freshPort().rawValue
    let rename = name.isEmpty ? "" : "$0 = \"\(name)\";"
    return try withServer("our $s = listener($port); \(rename)", port: port) { _ in try body("\(port)") }
  }
}

/// A command name that a hostile process gives itself, as Perl writes it, and the bytes the screen must not have.
private struct HostileName: Sendable, CustomTestStringConvertible {
  var name: String
  /// What is on the screen and, decoded, in the report.
  var shown: String
  var testDescription: String { shown }
}

private let hostileNames = [
  HostileName(name: #"\e[31mred\e[0m"#, shown: "[31mred"),
  HostileName(name: #"a\nb: works"#, shown: "works"),
  HostileName(name: #"\xff\xfe\x80bytes"#, shown: "bytes"),
  HostileName(name: #"a\r\x7f\x9bb"#, shown: "a"),
  HostileName(name: #"\xe2\x80\xaertl"#, shown: "rtl"),
  HostileName(name: #"q\"q\\\\q"#, shown: "q"),
]

@Suite("Any surroundings", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct SurroundingsTests {
  @Test("a hostile command name reaches neither terminal nor report unescaped", arguments: hostileNames)
  private func hostile(_ hostile: HostileName) throws {
    let (screen, overview, answer) = try besideListener(name: hostile.name) { port in
      (try portwhy([port]), try portwhy([]), try Answer([port]))
    }
    for ending in [screen, overview] {
      let scalars = ending.output.unicodeScalars
      #expect(scalars.allSatisfy { $0 == "\n" || ($0.value >= 0x20 && !(0x7f...0x9f).contains($0.value)) })
      // Direction overrides would turn the line around.
      #expect(!scalars.contains { (0x202a...0x202e).contains($0.value) || (0x2066...0x2069).contains($0.value) })
      #expect(ending.output.contains(hostile.shown), "\(ending.output)")
      #expect(ending.lines.allSatisfy { $0.unicodeScalars.count <= 80 })
    }
    #expect(answer.violations() == [])
    #expect(answer.ending.output.filter { $0 == "\n" }.count == 1)
    let commands = answer.sockets.flatMap { $0["processes"]?.elements ?? [] }.compactMap { $0["command"]?.text }
    #expect(commands.count == 1 && commands.allSatisfy { $0.contains(hostile.shown) })
  }

  @Test("a closed pipe is silent and keeps the verdict's status", arguments: [[], ["--json"], ["-v"]])
  func closedPipe(_ options: [String]) throws {
    var start = Start()
    start.output = .closedPipe
    let (held, free) = try besideListener { port in
      (try portwhy(options + [port], start), try portwhy(options + ["127.0.0.1:1"], start))
    }
    #expect(held == Ending(status: 1, output: "", errors: ""))
    #expect(free == Ending(status: 0, output: "", errors: ""))
  }

  @Test("leaves no child to whoever gets its orphans", arguments: [["-q"], ["--json"], ["--no-bpf"]])
  func orphans(_ options: [String]) throws {
    // prctl(2) PR_SET_CHILD_SUBREAPER
    let adopts = """
      syscall(-e '/lib64/ld-linux-x86-64.so.2' ? 157 : 167, 36, 1, 0, 0, 0) == 0 or die;
      my $status = system(@ARGV) >> 8; my $left = 0; $left++ while waitpid(-1, 0) > 0;
      print STDERR "$left left"; exit $status
      """
    let ending = try besideListener { port in
      try portwhy(options + [port], Start(through: ["/usr/bin/perl", "-e", adopts, "--"]))
    }
    #expect(ending.status == 1 && ending.errors == "0 left")
  }

  @Test(
    "where no process can be started to ask, that is said, and nobody is blamed for it",
    .enabled(if: geteuid() == 0, "root alone lowers another user's limit"))
  func noMoreProcesses() throws {
    // A user of whom nothing else runs; root is held to no such limit.
    let user = ["/usr/bin/setpriv", "--reuid=64998", "--regid=64998", "--clear-groups"]
    let limited = Start(through: ["/usr/bin/prlimit", "--nproc=1"] + user)
    try besideListener { port in
      let answer = try Answer(["0.0.0.0:" + port], limited)
      #expect(answer.verdict == "undetermined" && answer.violations() == [])
      #expect(answer.notes.contains("no-answer"))
      let silent = answer.document["visibility"]?["silent"]
      #expect(silent?["error"]?.text == "EAGAIN" && silent?["pid"] == .null && silent?["directory"] == .null)
      let screen = try portwhy(["0.0.0.0:" + port], limited)
      #expect(screen.status == 2)
      #expect(screen.untimed.contains("portwhy could not start the process that looks for it (EAGAIN"))
      #expect(!screen.untimed.contains("kept waiting") && !screen.untimed.contains("keeps"))
      let free = try portwhy(["127.0.0.9:1025"], limited)
      #expect(free.status == 2 && free.untimed.contains("could not start the process"))
    }
  }

  @Test(
    "connected UDP sockets that could take turns without the port keep an ok from being sure",
    arguments: [
      ("one", "narrow(AF_INET);", "ok"), ("two of one family", "narrow(AF_INET); narrow(AF_INET);", "ok"),
      ("both families", "narrow(AF_INET); narrow(AF_INET6);", "undetermined"),
      ("more than one message has room for", "narrow(AF_INET) for 1 .. 13;", "undetermined"),
      ("two of which only one is connected", "narrow(AF_INET6); plain('127.0.0.4');", "ok"),
    ])
  func turns(_ name: String, _ sockets: String, _ verdict: String) throws {
    let words = """
      my @held;
      sub narrow {
        my $s = bound($port, $_[0], [SO_REUSEPORT], SOCK_DGRAM);
        connect($s, $_[0] == AF_INET ? pack_sockaddr_in(9, inet_aton('127.0.0.2'))
          : pack_sockaddr_in6(9, inet_pton(AF_INET6, '::ffff:127.0.0.2'))) or die "connect: $!";
        push @held, $s;
      }
      sub plain {
        socket(my $s, AF_INET, SOCK_DGRAM, 0) or die "socket: $!"; setsockopt($s, SOL_SOCKET, SO_REUSEPORT, 1);
        bind($s, pack_sockaddr_in($port, inet_aton($_[0]))) or die "bind: $!";
        push @held, $s;
      }
      """
    try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (namespace: inout NetworkNamespace) in
      let port = try namespace.freshPort().rawValue
      try withServer(words + sockets, port: port) { _ in
        let answer = try Answer(["-u", "127.0.0.3:\(port)"])
        #expect(answer.verdict == verdict && answer.violations() == [], "\(name)")
        if verdict == "ok" { return }
        let outcome = answer.attempts.first?["outcomes"]?.elements.first
        let missing = outcome?["missing"]?.elements.compactMap(\.text) ?? []
        #expect(missing.contains { $0.hasPrefix("moving") }, "\(name): \(missing)")
      }
    }
  }

  @Test("a file that may not grow is an error: status 70 and one line")
  func noRoom() throws {
    let ending = try inDirectory { directory in
      let file = directory + "/out"
      try write("", to: file)
      // A sparse file at its limit, so that the thread sanitizer, which writes a small one of its own, has room.
      #expect(truncate(file, 1 << 32) == 0)
      let start = Start(through: [
        "/bin/sh", "-c", #"ulimit -f 1048576; file=$1; shift; exec "$@" >>"$file""#, "sh", file,
      ])
      return try besideListener { try portwhy(["--json", $0], start) }
    }
    #expect(ending.status == 70)
    #expect(ending.errors == "portwhy: cannot write to standard output: File too large\n")
  }

  @Test(
    "a full disk is an error: status 70 and one line",
    arguments: [[], ["--json"], ["-v"], ["--watch"], ["--watch", "--json"], ["--wait", "--timeout", "0"], ["-h"]])
  func fullDisk(_ options: [String]) throws {
    var start = Start()
    start.output = .file("/dev/full")
    let ending = try besideListener { try portwhy(options + [$0], start) }
    #expect(ending.status == 70)
    #expect(ending.errors == "portwhy: cannot write to standard output: No space left on device\n")
  }

  @Test("standard descriptors that are closed at the start change no answer")
  func closedDescriptors() throws {
    let closed: [(Bool, Bool, Bool)] = [
      (true, false, false), (false, false, true), (true, false, true), (false, true, false), (true, true, true),
    ]
    let endings = try besideListener { port in
      try closed.map { input, output, errors in
        var start = Start()
        if input { start.input = .closed }
        if output { start.output = .closed }
        if errors { start.errors = .closed }
        return (try portwhy([port], start), try portwhy(["-q", port], start), try portwhy([port]))
      }
    }
    for (index, (ending, quiet, normal)) in endings.enumerated() {
      #expect(quiet.status == 1, "-q, \(closed[index])")
      #expect(normal.status == 1)
      if closed[index].1 {
        #expect(ending.status == 70, "nowhere to write: \(closed[index])")
      } else {
        #expect(ending.status == 1, "\(closed[index])")
        #expect(ending.untimed == normal.untimed, "\(closed[index])")
      }
    }
  }

  @Test("16 descriptors, no environment, a foreign directory: the answer is the same")
  func meagre() throws {
    // Nothing that other tests have open just now is passed on.
    let alone = ["/usr/bin/perl", "-e", "use POSIX (); POSIX::close($_) for 3..999; exec @ARGV"]
    var limited = Start(through: alone + ["/bin/sh", "-c", "ulimit -n 16; exec \"$@\"", "sh"])
    limited.environment = []
    // What the caller left open takes numbers too: 4 of the 16 are left.
    let files = (3...11).map { "\($0)</dev/null" }.joined(separator: " ")
    let crowded = Start(through: alone + ["/bin/bash", "-c", "exec \(files); ulimit -n 16; exec \"$@\"", "bash"])
    var bare = Start()
    bare.environment = []
    let foreign = Start(through: ["/usr/bin/env", "-i", "-C", "/proc"])
    let (normal, others) = try besideListener { port in
      let normal = try portwhy([port])
      let others = try [limited, crowded, bare, foreign].map { try portwhy([port], $0) }
      return (normal, others)
    }
    for (start, other) in zip(["limited", "crowded", "bare", "foreign"], others) {
      #expect(other.untimed == normal.untimed, "\(start)")
    }
    #expect(normal.status == 1)
  }

  @Test("what is no terminal gets 80 columns and no colour, whatever COLUMNS says")
  func columns() throws {
    var start = Start()
    start.environment += ["COLUMNS=30", "TERM=xterm-256color"]
    let (normal, told) = try besideListener { (try portwhy([$0]), try portwhy([$0], start)) }
    #expect(told.untimed == normal.untimed && told.status == normal.status)
    #expect(!normal.output.contains("\u{1b}"))
    #expect(normal.lines.contains { $0.unicodeScalars.count > 40 })
  }

  @Test("a terminal gets its own width and colour", arguments: [40, 60, 80, 132] as [UInt16])
  func terminal(_ columns: UInt16) throws {
    var start = Start()
    start.environment += ["TERM=xterm"]
    start.output = .terminal(columns: columns)
    let ending = try besideListener { try portwhy(["-v", $0], start) }
    #expect(ending.status == 1)
    #expect(ending.output.contains("\u{1b}["))
    let plain = ending.output.replacing(/\u{1b}\[[0-9;]*m/, with: "").replacing("\r\n", with: "\n")
    let widest = plain.split(separator: "\n").map(\.unicodeScalars.count).max() ?? 0
    #expect(widest <= Int(max(columns, 80)) && (columns < 132 || widest > 80), "\(widest): \(plain)")
  }

  @Test("--color, NO_COLOR and TERM=dumb decide on colour")
  func color() throws {
    func hasColor(_ arguments: [String], _ environment: [String], terminal: Bool, _ port: String) throws -> Bool {
      var start = Start()
      start.environment += environment
      if terminal { start.output = .terminal(columns: 80) }
      return try portwhy(arguments + [port], start).output.contains("\u{1b}[")
    }
    let seen = try besideListener { port in
      [
        try hasColor([], ["TERM=xterm"], terminal: true, port),
        try hasColor([], ["TERM=xterm", "NO_COLOR=1"], terminal: true, port),
        try hasColor([], ["TERM=xterm", "NO_COLOR="], terminal: true, port),
        try hasColor([], ["TERM=dumb"], terminal: true, port),
        try hasColor(["--color", "never"], ["TERM=xterm"], terminal: true, port),
        try hasColor(["--color", "always"], ["NO_COLOR=1"], terminal: false, port),
        try hasColor(["--color", "auto"], ["TERM=xterm"], terminal: false, port),
        try hasColor(["--color", "always", "--json"], [], terminal: false, port),
      ]
    }
    #expect(seen == [true, false, true, false, false, true, false, false])
  }

  @Test("without TARGET every port in use is one line, with its owner")
  func overview() throws {
    let (ending, report) = try besideListener { port in
      (try portwhy([]), try Answer([]))
    }
    #expect(ending.status == 0 && ending.lines.filter { !$0.isEmpty }.count == 2, "\(ending.output)")
    #expect(ending.output.contains("perl"))
    #expect(report.violations() == [])
    #expect(report.verdict == nil && report.attempts.isEmpty && report.sockets.count == 1)
  }
}
