import CProcessTestSupport
import Glibc
import KernelLab
import Testing

/// Keys, and the line as it stands after TAB.
private struct Typed: Sendable {
  var keys: String
  var line: String

  init(_ keys: String, becomes line: String) {
    self.keys = keys
    self.line = line
  }
}

/// Every shell: 8080 and 8081 are TCP listeners, 5353 is a UDP socket; `80` and `8080` lie in the directory.
private let typed = [
  Typed("portwhy 80", becomes: "portwhy 808"),
  Typed("portwhy 9", becomes: "portwhy 9090 "),
  Typed("portwhy 8080,9", becomes: "portwhy 8080,9090 "),
  Typed("portwhy 127.0.0.1:9", becomes: "portwhy 127.0.0.1:9090 "),
  Typed("portwhy '[::1]:9", becomes: "portwhy '[::1]:9090' "),
  Typed("portwhy 8080,127.0.0.1:9", becomes: "portwhy 8080,127.0.0.1:9090 "),
  Typed("portwhy 5", becomes: "portwhy 5353/udp "),
  Typed("portwhy -u 5", becomes: "portwhy -u 5353 "),
  Typed("portwhy -nu --reuseaddr 5", becomes: "portwhy -nu --reuseaddr 5353 "),
  Typed("portwhy 9090/u", becomes: "portwhy 9090/udp "),
  Typed("portwhy localho", becomes: "portwhy localhost:"),
  Typed("portwhy localhost:9", becomes: "portwhy localhost:9090 "),
  Typed("portwhy --reusea", becomes: "portwhy --reuseaddr "),
  Typed("portwhy --runtime nod", becomes: "portwhy --runtime node "),
  Typed("portwhy --runtime=nod", becomes: "portwhy --runtime=node "),
  Typed("portwhy --runtime node 9", becomes: "portwhy --runtime node 9090 "),
  Typed("portwhy --device dev", becomes: "portwhy --device dev"),
  Typed("portwhy --device dev0 9", becomes: "portwhy --device dev0 9090 "),
  Typed("portwhy --uid nobod", becomes: "portwhy --uid nobody "),
  Typed("portwhy --color alw", becomes: "portwhy --color always "),
  Typed("portwhy --color=alw", becomes: "portwhy --color=always "),
  Typed("portwhy --explain time-w", becomes: "portwhy --explain time-wait "),
  Typed("portwhy --explain=time-w", becomes: "portwhy --explain=time-wait "),
  Typed("portwhy --from ./repor", becomes: "portwhy --from ./report.json "),
  Typed("portwhy --timeout 9", becomes: "portwhy --timeout 9"),
  // After -- what the shell itself offers.
  Typed("portwhy -- mktem", becomes: "portwhy -- mktemp "),
  Typed("portwhy -n -o f -- cat ./repor", becomes: "portwhy -n -o f -- cat ./report.json "),
  Typed("portwhy -o ./repor", becomes: "portwhy -o ./report.json "),
  // Nothing fits, and nothing is made up.
  Typed("portwhy 7", becomes: "portwhy 7"),
  Typed("portwhy 9090 9", becomes: "portwhy 9090 9"),
  Typed("portwhy http://localhost:9", becomes: "portwhy http://localhost:9"),
]

/// Unquoted brackets are patterns to a shell; each completes them in its own way, and none loses the port.
private let brackets: [Shell: Typed] = [
  .bash: Typed("portwhy [::1]:9", becomes: "portwhy [::1]:9090 "),
  .zsh: Typed("portwhy [::1]:9", becomes: "portwhy [::1]:9090 "),
  .fish: Typed("portwhy [::1]:9", becomes: #"portwhy \[::1\]:9090 "#),
]

/// A directory in which names of ports lie about.
private func inLitteredDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
  try inDirectory { path in
    mkdir(path + "/80", 0o755)
    for name in ["8080", "report.json"] { try write("", to: "\(path)/\(name)") }
    return try body(path)
  }
}

/// Runs beside the sockets that the tests complete.
private func besideServers<Result>(_ body: () throws -> Result) throws -> Result {
  try NetworkNamespace.run { (_: inout NetworkNamespace) in
    let script = """
      $0 = "shop";
      our @held = (listener(8080), listener(8081), listener(9090), bound(5353, AF_INET, [], SOCK_DGRAM));
      """
    return try withServer(script, port: 8080) { _ in try body() }
  }
}

/// The words of a list, without the line that was typed and the prompt that is drawn again below.
private func listed(_ shown: String) -> [Substring] {
  shown.split(separator: "\n").filter { !$0.hasPrefix("portwhy") && !$0.hasPrefix(">") }.flatMap {
    $0.split(separator: " ")
  }
}

@Suite(
  "Completion, typed into the shells",
  .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct CompletionTests {
  private let completions = projectFolder + "/completions"
  private let path = portwhyDirectory + ":/usr/bin:/bin"

  @Test("TAB completes the word and nothing but the word", arguments: Shell.allCases)
  func words(_ shell: Shell) throws {
    let namespace = "portwhy-completed-in-\(shell)"
    try withNamespace(namespace) {
      let named = Typed(
        "portwhy --netns portwhy-completed-in-\(shell.rawValue.prefix(2))", becomes: "portwhy --netns \(namespace) ")
      let cases = typed + [named] + [brackets[shell]].compactMap(\.self)
      let lines = try besideServers {
        try inLitteredDirectory { directory in
          var terminal = try InteractiveShell(shell, in: directory, path: path, completions: completions)
          return cases.map { terminal.complete($0.keys).line }
        }
      }
      for (expected, line) in zip(cases, lines) {
        #expect(line == expected.line, "\(shell): \(expected.keys)")
      }
    }
  }

  @Test("a list shows every port with protocol, state and process", arguments: [Shell.zsh, .fish])
  func descriptions(_ shell: Shell) throws {
    let shown = try besideServers {
      try inLitteredDirectory { directory in
        var terminal = try InteractiveShell(shell, in: directory, path: path, completions: completions)
        var shown = ""
        // No names where /proc takes more than 15 ms of processor time, as beside tests that open thousands of files.
        for _ in 0..<60 {
          shown = terminal.complete("portwhy ", expecting: ["8080", "8081", "9090", "5353/udp"]).shown
          if shown.contains("tcp LISTEN shop"), shown.contains("udp BOUND shop") { break }
          usleep(500_000)
        }
        return shown
      }
    }
    for word in ["8080", "8081", "9090", "5353/udp", "tcp LISTEN shop", "udp BOUND shop"] {
      #expect(shown.contains(word), "\(shell): \(shown)")
    }
  }

  @Test("bash lists plain values, whatever lies about in the directory")
  func plainList() throws {
    let (first, second, interfaces) = try besideServers {
      try inLitteredDirectory { directory in
        var terminal = try InteractiveShell(.bash, in: directory, path: path, completions: completions)
        let first = terminal.complete("portwhy ", expecting: ["5353/udp", "9090"]).shown
        let second = terminal.complete("portwhy 80", expecting: ["8081"]).shown
        return (first, second, terminal.complete("portwhy --device ", expecting: ["dev1"]).shown)
      }
    }
    #expect(listed(first) == ["5353/udp", "8080", "8081", "9090"])
    #expect(listed(second) == ["8080", "8081"])
    #expect(interfaces.contains("dev0") && interfaces.contains("lo"))
  }

  @Test("every option is offered", arguments: Shell.allCases)
  func options(_ shell: Shell) throws {
    let names = [
      "--color", "--deep", "--device", "--explain", "--from", "--help", "--interval", "--json", "--netns", "--no-bpf",
      "--no-v6only", "--numeric", "--probe", "--quiet", "--reuseaddr", "--reuseport", "--runtime", "--tcp",
      "--timeout", "--udp", "--uid", "--v6only", "--verbose", "--version", "--wait", "--watch",
    ]
    let shown = try inLitteredDirectory { directory in
      var terminal = try InteractiveShell(shell, in: directory, path: path, completions: completions)
      return terminal.complete("portwhy --", expecting: names).shown
    }
    for name in names { #expect(shown.contains(name), "\(shell)") }
  }

  @Test("an absent or broken program is silence, and options are completed all the same", arguments: Shell.allCases)
  func silence(_ shell: Shell) throws {
    let keys = [
      "portwhy 80", "portwhy 127.0.0.1:", "portwhy --runtime ", "portwhy --device ", "portwhy --netns ",
      "portwhy --explain ", "portwhy --uid ",
    ]
    let typed = keys.flatMap { $0.split(separator: " ") }
    for isThere in [false, true] {
      try inLitteredDirectory { directory in
        if isThere {
          let script = "#!/bin/sh\necho 'portwhy: unexpected' >&2\nexit 64\n"
          try write(script, to: directory + "/bin/portwhy", mode: 0o755)
        }
        let path = directory + "/bin:/usr/bin:/bin"
        var terminal = try InteractiveShell(shell, in: directory, path: path, completions: completions)
        for key in keys {
          let (line, shown) = terminal.complete(key)
          #expect(line == key, "\(shell)")
          let words = shown.split { $0.unicodeScalars.contains { !(0x21...0x7e).contains($0.value) } }
          #expect(
            // On a busy machine the line before, and the prompt, are drawn once more.
            words.filter { word in word != ">" && !typed.contains { $0.hasPrefix(word) } } == [],
            "\(shell): \(shown)")
        }
        #expect(terminal.complete("portwhy --reusea").line == "portwhy --reuseaddr ")
      }
    }
  }

  @Test("beside 10,000 listeners TAB offers their first digits, installed within 50 ms", arguments: Shell.allCases)
  func manyListeners(_ shell: Shell) throws {
    let script = """
      our @held = listener(30303); my $first = 10000;
      pipe(my $reader, my $writer);
      for (1 .. 20) {
        if (!fork) { push @held, listener($first + $_) for 0 .. 499; syswrite($writer, "."); <STDIN>; exit }
        $first += 500;
      }
      for (1 .. 20) { sysread($reader, my $byte, 1) }
      """
    let (times, stems) = try NetworkNamespace.run { (_: inout NetworkNamespace) in
      try withServer(script, port: 1) { _ in
        try inLitteredDirectory { directory in
          var terminal = try InteractiveShell(shell, in: directory, path: path, completions: completions)
          let stems = terminal.complete("portwhy 1", expecting: ["19"]).shown
          return ((0..<9).map { _ in terminal.time("portwhy 303", until: shell == .fish ? "30303" : "03") }, stems)
        }
      }
    }
    let best = try #require(times.compactMap(\.self).min())
    print("\(shell): TAB beside 10,000 listeners takes \(best) µs, the best of \(times.count)")
    // A busy machine or a program that is not optimized takes several times as long: that is no promise of `make test`.
    if getenv("PORTWHY_BINARY") != nil { #expect(best < 50_000, "\(times)") }
    for stem in 10...19 { #expect(stems.contains("\(stem)"), "\(stems)") }
  }

  /// ip-netns(8) names a namespace by a file in /run/netns, which all see.
  private func withNamespace(_ name: String, _ body: () throws -> Void) throws {
    let ip = { (words: [String]) in _ = try? run(["/usr/sbin/ip", "netns"] + words, Start()) }
    ip(["add", name])
    defer { ip(["delete", name]) }
    try body()
  }
}
