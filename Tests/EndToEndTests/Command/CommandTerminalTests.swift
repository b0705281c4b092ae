import Glibc
import KernelLab
import Testing

/// Control characters of a terminal (termios(3)): VINTR, VQUIT, VSUSP, VEOF.
private let interrupt = "\u{03}"
private let quit = "\u{1c}"
private let suspend = "\u{1a}"
private let endOfFile = "\u{04}"

/// Counts its signals, and says so after each.
private let counter = """
  use POSIX; $| = 1; my $n = 0; my $end = time + 60;
  $SIG{$_} = sub { my $s = shift; $n++; print "got $s $n\\n" } for qw(INT TERM USR1 WINCH HUP);
  print "up\\n"; sleep 1 while time < $end;
  """

@Suite(
  "Under portwhy in a terminal", .enabled(if: endToEndTestsRun && commandModeRuns, "needs CAP_SYS_ADMIN and 5.19"),
  .serialized)
struct CommandTerminalTests {
  /// A shell with the test's programs, in a fresh namespace with taken ports.
  private func inShell<Result>(_ shell: Shell = .bash, _ body: (inout InteractiveShell) throws -> Result) throws
    -> Result
  {
    try inDirectory { directory in
      try write(counter, to: directory + "/counter")
      return try withTakenPorts { _ in
        var shell = try InteractiveShell(
          shell, in: directory, path: "\(testDirectory):/usr/bin:/bin", completions: projectFolder + "/completions")
        return try body(&shell)
      }
    }
  }

  @Test("Control-C and Control-\\ end the command and portwhy as they end the command alone")
  func ends() throws {
    try inShell { shell in
      for before in ["", "portwhy -- "] {
        _ = shell.run("\(before)sh -c 'echo up; exec sleep 50'", until: "\nup")
        _ = shell.press(interrupt, until: "> ")
        #expect(shell.run("echo rc=$?", until: "\nrc=").contains("rc=130"))
        _ = shell.run("\(before)sh -c 'echo up; exec sleep 50'", until: "\nup")
        _ = shell.press(quit, until: "> ")
        #expect(shell.run("echo rc=$?", until: "\nrc=").contains("rc=131"))
      }
    }
  }

  @Test("Control-Z stops the job, fg and bg continue it, and a program that reads in the background stops")
  func jobs() throws {
    try inShell { shell in
      _ = shell.run("portwhy -- sh -c 'echo up; exec sleep 50'", until: "\nup")
      #expect(shell.press(suspend, until: "Stopped").contains("Stopped"))
      #expect(shell.run("fg", until: "sleep 50").contains("sleep 50"))
      _ = shell.press(interrupt, until: "> ")
      #expect(shell.run("echo rc=$?", until: "\nrc=").contains("rc=130"))

      _ = shell.run("portwhy -- sh -c 'echo up; exec sleep 51'", until: "\nup")
      _ = shell.press(suspend, until: "Stopped")
      _ = shell.run("bg", until: "&")
      #expect(shell.run("jobs", until: "Running").contains("Running"))
      #expect(shell.run("kill %1; wait %1; echo rc=$?", until: "\nrc=").contains("rc=143"))

      let stopped = "until jobs | grep -q Stopped; do sleep 0.1; done; jobs"
      #expect(shell.run("portwhy -- cat & \(stopped)", until: "Stopped").contains("Stopped"))
      _ = shell.run("kill -KILL %1; wait; echo do''ne", until: "\ndone")
    }
  }

  @Test("the terminal is read and written as without, its end included")
  func terminal() throws {
    try inShell { shell in
      _ = shell.run("portwhy -- cat", until: "cat")
      #expect(shell.run("hello", until: "hello\n\nhello").contains("hello\n\nhello"))
      _ = shell.press(endOfFile, until: "> ")
      #expect(shell.run("echo rc=$?", until: "\nrc=").contains("rc=0"))
    }
  }

  @Test("a signal comes once: from the terminal, or to portwhy's number")
  func once() throws {
    try inShell { shell in
      _ = shell.run("portwhy -- perl counter", until: "\nup")
      #expect(shell.press(interrupt, until: "got INT").contains("got INT 1"))
      #expect(!shell.press(quit, until: "> ").contains("got INT 2"))

      _ = shell.run("portwhy -- perl counter &", until: "\nup")
      #expect(shell.run("kill -USR1 $!", until: "got USR1").contains("got USR1 1"))
      // Each is counted, so one that came twice shows in the next.
      #expect(shell.run("kill -TERM $!", until: "got TERM").contains("got TERM 2"))
      #expect(shell.run("kill -HUP $!", until: "got HUP").contains("got HUP 3"))
      _ = shell.run("kill -KILL $!; wait; echo do''ne", until: "\ndone")
    }
  }

  @Test("a shell inside has its own job control, and its suspend is seen outside")
  func innerShell() throws {
    try inShell { shell in
      _ = shell.run("portwhy -- bash --norc --noprofile -i", until: "\nbash-")
      _ = shell.run("sh -c 'echo up; exec sleep 50'", until: "\nup")
      #expect(shell.press(suspend, until: "Stopped").contains("Stopped"))
      #expect(shell.run("suspend -f", until: "> ").contains("Stopped"))
      // The inner shell's prompt: what is typed before it has the terminal again may be thrown away.
      _ = shell.run("fg", until: "\nbash-")
      _ = shell.run("kill -KILL %1; wait; echo in''side", until: "\ninside")
      _ = shell.run("exit 9", until: "> ")
      #expect(shell.run("echo rc=$?", until: "\nrc=").contains("rc=9"))
    }
  }

  @Test("a command that is stopped and continued by its number binds afterwards")
  func stoppedAlone() throws {
    let ending = try withTakenPorts { _ in
      try portwhy(
        running: [
          "/bin/sh", "-c",
          "(sleep 0.3; kill -STOP $$; sleep 0.3; kill -CONT $$) & sleep 0.8; \(binder) 127.0.0.1 8081; exit 3",
        ])
    }
    #expect(ending.status == 3 && ending.output.contains("has 8081"))
  }

  @Test("binds of what still runs are made while the job is stopped")
  func stoppedJob() throws {
    try inShell { shell in
      _ = shell.run(
        "portwhy -- bash --norc -c 'echo up; setsid sh -c \"sleep 1; \(binder) 127.0.0.1 8081 > bound\" & sleep 50'",
        until: "\nup")
      _ = shell.press(suspend, until: "Stopped")
      let bound = "until [ -s bound ]; do sleep 0.1; done; cat bound; echo do''ne"
      #expect(shell.run(bound, until: "\ndone").contains("has 8081"))
      _ = shell.run("fg", until: "sleep 50")
      _ = shell.press(interrupt, until: "> ")
    }
  }

  @Test(
    "the explanation stands below the program's own error and above the prompt", arguments: [Shell.bash, .zsh, .fish])
  func order(_ kind: Shell) throws {
    guard access(kind.words[0], X_OK) == 0 else { return say("NOT RUN: \(kind) is not installed\n") }
    try inShell(kind) { shell in
      let said = shell.run("portwhy --color never -- binder 0.0.0.0 8080", until: "--explain listener")
      let places = ["Address already in use", "portwhy: bind() of binder", "shop (pid", "--explain listener"].map {
        said.range(of: $0)
      }
      #expect(!places.contains(nil) && places == places.sorted(by: before), "\(said)")
    }
  }
}

private func before(_ left: Int?, _ right: Int?) -> Bool { (left ?? 0) < (right ?? 0) }

extension String {
  /// The place of a text, in bytes.
  fileprivate func range(of text: String) -> Int? {
    let (bytes, wanted) = (Array(utf8), Array(text.utf8))
    guard bytes.count >= wanted.count else { return nil }
    return (0...(bytes.count - wanted.count)).first { bytes[$0..<($0 + wanted.count)].elementsEqual(wanted) }
  }
}
