import CProcessTestSupport
import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// What portwhy prints of a host whose names are chosen by somebody hostile.
private struct Printed: Sendable {
  var screens: [Ending]
  var answer: Answer

  init(_ port: UInt16) throws {
    screens = [
      try portwhy(["\(port)"]), try portwhy(["-v", "\(port)"]), try portwhy([]), try portwhy(["--deep", "\(port)"]),
      try portwhy(["---complete", "targets", ""]), try portwhy(["---complete", "interfaces", ""]),
    ]
    answer = try Answer(["\(port)"])
  }

  /// Nothing that drives a terminal, breaks a line or hides text, on the screens or decoded from the report.
  func expectHarmless(at location: SourceLocation = #_sourceLocation) {
    for (index, ending) in screens.enumerated() {
      let scalars = ending.output.unicodeScalars
      let isHarmless = scalars.allSatisfy { scalar in
        switch scalar.properties.generalCategory {
        case .control: scalar == "\n" || scalar == "\t" && index >= 4
        case .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate: false
        default: true
        }
      }
      #expect(isHarmless, "\(ending.output)", sourceLocation: location)
      #expect(ending.errors == "" && ending.status < 64, "\(ending.errors)", sourceLocation: location)
    }
    #expect(answer.violations() == [], sourceLocation: location)
    #expect(answer.ending.output.utf8.allSatisfy { $0 >= 0x20 || $0 == 0x0a }, sourceLocation: location)
    #expect(answer.ending.output.filter { $0 == "\n" }.count == 1, sourceLocation: location)
  }

  var processes: [JSONDocument] { answer.sockets.flatMap { $0["processes"]?.elements ?? [] } }

  var commands: [String] {
    answer.attempts.flatMap { $0["suggestions"]?.elements ?? [] }.compactMap { $0["command"]?.text }
  }
}

/// Starts the listener of `script` through Perl words, which see `directory` as `$d` and the other words as `@ARGV`.
private func besideServer(
  through perl: String, _ script: String = "our $s = listener($port);",
  prepare: (String) throws -> Void = { _ in }, then: (Printed, String) throws -> Void = { _, _ in },
  cleanUp: () -> Void = {}
) throws -> Printed {
  try inPrivateMounts { (namespace: inout NetworkNamespace) in
    let port = try namespace.freshPort().rawValue
    return try inDirectory { directory in
      try prepare(directory)
      // After the server's end.
      defer { cleanUp() }
      let through = ["/usr/bin/perl", "-e", "my $d = shift; \(perl) exec {$ARGV[0]} @ARGV or die;", directory]
      return try withServer(script, port: port, through: through) { _ in
        let printed = try Printed(port)
        try then(printed, directory)
        return printed
      }
    }
  }
}

/// How the words after it are given a command line of 4 MB: more than the usual stack lets through.
private let fourMegabytes = [
  "/bin/sh", "-c", "ulimit -s 65536; exec /usr/bin/perl -e 'exec {$ARGV[0]} @ARGV, (q(8) x 100_000) x 41' -- \"$@\"",
  "sh",
]

@Suite("Hostile names", .enabled(if: endToEndTestsRun, "need CAP_SYS_ADMIN for namespaces"))
struct HostileNameTests {
  @Test("an executable with escape sequences, newlines and no UTF-8 in its path is shown harmless")
  func executable() throws {
    let printed = try besideServer(
      through: #"""
        my $n = "$d/\e]0;title\a\e[31m\nx\xff\xc3\xe2\x80\xae";
        system("/usr/bin/env", "cp", "/usr/bin/perl", $n) == 0 or die;
        $ARGV[0] = $n;
        """#)
    printed.expectHarmless()
    #expect(printed.processes.count == 1)
    #expect(
      printed.processes.first?["executable"]?.text?.contains("\u{1b}]0;title\u{7}\u{1b}[31m\nx\u{fffd}") == true)
  }

  @Test("an executable that was deleted, and a command line that says something else, change nobody's name")
  func deletedAndLying() throws {
    let printed = try besideServer(
      through: #"""
        system("/usr/bin/env", "cp", "/usr/bin/perl", "$d/real") == 0 or die; $ARGV[0] = "$d/real";
        """#, #"our $s = listener($port); unlink $^X; $0 = "x" x 100_000;"#)
    printed.expectHarmless()
    #expect(printed.processes.first?["command"]?.text == String(repeating: "x", count: 15))
  }

  @Test(
    "a control group whose name no unit can have is no unit, and what a unit may be called runs nothing",
    arguments: [
      ("x; touch PWNED; $(touch PWNED) `touch PWNED` '\u{1b}]0;x\u{202e}.service", false),
      ("x\\x3btouch\\x20PWNED.service", true),
    ])
  func controlGroup(_ name: String, _ isUnit: Bool) throws {
    let group = "/mnt/system.slice/" + name
    var hadSlice = true
    let printed = try besideServer(
      through: #"""
        open(my $n, "<", "$d/group"); my $g = <$n>; open(my $f, ">", "$g/cgroup.procs") or die "$!";
        print $f $$; close $f or die;
        """#
    ) { directory in
      try mount("cgroup2", on: "/mnt")
      hadSlice = mkdir("/mnt/system.slice", 0o755) != 0
      guard mkdir(group, 0o755) == 0 else { throw StartError(what: "mkdir") }
      try write(group, to: directory + "/group")
    } then: { printed, directory in
      // What a user would copy: no word of it may run but systemctl's.
      for command in printed.commands {
        let script = "cd \(directory); systemctl() { :; }; sudo() { :; }; kill() { :; }; \(command)"
        _ = try run(["/bin/sh", "-c", script], Start())
        #expect(access(directory + "/PWNED", F_OK) != 0, "\(command)")
      }
    } cleanUp: {
      rmdir(group)
      if !hadSlice { rmdir("/mnt/system.slice") }
    }
    printed.expectHarmless()
    #expect(printed.processes.first?["unit"]?.text == (isUnit ? name : nil))
    // A group of that name proves no unit, so the process is ended and nothing else.
    #expect(printed.commands.contains { $0.contains("kill ") })
  }

  @Test("interfaces with escape sequences and without UTF-8 in their names are shown harmless, and never mixed up")
  func interfaces() throws {
    let (printed, devices) = try inPrivateMounts { (namespace: inout NetworkNamespace) in
      let port = try namespace.freshPort().rawValue
      let script = #"""
        my $n = "\e[31mr\xff;\$(x)";
        system("ip", "link", "add", $n, "type", "veth", "peer", "name", "\xfe") == 0 or die;
        socket(our $s, AF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, 25, $n) or die;
        bind($s, pack_sockaddr_in($port, INADDR_ANY)) or die; listen($s, 5) or die;
        """#
      return try withServer(script, port: port) { _ in
        let words = ["\u{1b}[31mr", "a:b", "a\u{a0}", "\u{fffd}", "[fe80::1%\u{fffd}]:\(port)"]
        return (
          try Printed(port),
          try words.map { try portwhy($0.hasPrefix("[") ? [$0] : ["--device", $0, "\(port)"]) }
        )
      }
    }
    printed.expectHarmless()
    #expect(printed.answer.sockets.first?["device"]?.text == "\u{1b}[31mr\u{fffd};$(x)")
    // A name that an interface may have is looked for, one that cannot be told apart is refused.
    #expect(devices.map(\.status) == [1, 64, 64, 64, 64], "\(devices)")
    #expect(devices[0].output.contains("ENODEV") && !devices[0].output.contains("\u{1b}"))
  }

  @Test("a server with a command line of 4 MB is named, and its arguments are not read")
  func longCommandLine() throws {
    let (plain, proxy) = try inPrivateMounts { (namespace: inout NetworkNamespace) in
      let ports = try (0..<2).map { _ in try namespace.freshPort().rawValue }
      let plain = try withServer("our $s = listener($port);", port: ports[0], through: fourMegabytes) { _ in
        try Printed(ports[0])
      }
      // The one program whose arguments are read.
      let proxy = try inDirectory { directory in
        _ = try run(["/usr/bin/env", "cp", "/usr/bin/perl", directory + "/docker-proxy"], Start())
        let through =
          fourMegabytes + [
            "/usr/bin/perl", "-e", "my $n = shift; splice(@ARGV, 0, 1); exec {$n} $n, @ARGV",
            "\(directory)/docker-proxy",
          ]
        return try withServer("our $s = listener($port);", port: ports[1], through: through) { _ in
          try Printed(ports[1])
        }
      }
      return (plain, proxy)
    }
    for printed in [plain, proxy] {
      printed.expectHarmless()
      #expect(printed.processes.count == 1)
      #expect(!printed.screens.contains { $0.output.contains("8888888888") })
    }
    #expect(plain.processes.first?["command"]?.text == "perl")
    #expect(proxy.processes.first?["command"]?.text == "docker-proxy")
  }

  @Test("a command line of 4 MB given to portwhy is a short message and status 64, at once")
  func longWords() throws {
    let long = try portwhy([], Start(through: fourMegabytes))
    let many = try portwhy(
      [],
      Start(
        through: [
          "/bin/sh", "-c",
          "ulimit -s 65536; exec /usr/bin/perl -e 'exec {$ARGV[0]} @ARGV, (q(-t)) x 400_000, q(80x)' -- \"$@\"",
          "sh",
        ]))
    let one = try portwhy([String(repeating: "8", count: 130_000)])
    let unknown = try portwhy(["--device=" + String(repeating: "\u{1b}", count: 30_000), "80"])
    for ending in [long, many, one, unknown] {
      #expect(ending.status == 64 && ending.output == "")
      #expect(ending.errors.utf8.count < 2500 && ending.errors.filter { $0 == "\n" }.count == 1)
      #expect(ending.errors.utf8.dropLast().allSatisfy { $0 >= 0x20 })
    }
    #expect(many.errors == "portwhy: \"80x\" is neither a port nor a known service\n")
  }
}
