import CProcessTestSupport
import Glibc
import JSONTestSupport
import KernelLab
import Testing

@Suite(
  "What a person reads after a command",
  .enabled(if: endToEndTestsRun && commandModeRuns, "needs CAP_SYS_ADMIN and 5.19"))
struct CommandWordingTests {
  @Test("nothing where nothing fails, and nothing where the next try works")
  func silence() throws {
    let endings = try withTakenPorts { _ in
      [
        try portwhy(running: [binder, "-l", "127.0.0.1", "8081"]),
        try portwhy(running: ["/bin/sh", "-c", "exit 1"]),
      ]
    }
    #expect(endings.map(\.errors) == ["", ""])
  }

  @Test("the call and the program, then the screen of portwhy PORT")
  func screen() throws {
    let (ending, pid) = try withTakenPorts { server in
      (try portwhy(running: [binder, "0.0.0.0", "8080"]), server.pid)
    }
    let lines = ending.errors.split(separator: "\n").map(String.init)
    #expect(lines.first == "bind 8080: Address already in use")
    #expect(
      lines.dropFirst().first?.contains(
        /^portwhy: bind\(\) of binder \(pid \d+\) on 0\.0\.0\.0:8080 failed: EADDRINUSE$/) == true)
    #expect(ending.errors.contains("8080/tcp is taken: shop (pid \(pid)"))
    #expect(ending.errors.contains("kill \(pid)"))
    #expect(ending.output == "")
  }

  @Test(
    "a headline of what only the call tells, and nothing of ports and privileges",
    arguments: [
      (["landlock", binder, "127.0.0.1", "8081"], "8081/tcp: a policy refuses the bind, not the port", "EACCES"),
      (["landlock", binder, "127.0.0.1", "8080"], "8080/tcp: a policy refuses the bind, not the port", "EACCES"),
      (["twice", "127.0.0.1", "8081"], "8081/tcp: the socket is bound already", "EINVAL"),
    ])
  func ofCall(_ words: [String], _ headline: String, _ errno: String) throws {
    let ending = try withTakenPorts { _ in try portwhy(running: [binder] + words) }
    guard ending.status != 77 else { return say("NOT RUN: no Landlock here\n") }
    let lines = ending.errors.split(separator: "\n").map(String.init)
    #expect(lines.dropFirst(2).first == headline, "\(ending.errors)")
    #expect(lines.dropFirst(3).first == "a bind to 127.0.0.1 as root fails (\(errno))", "\(ending.errors)")
  }

  @Test("one line where the server took another port, and nothing but that")
  func drift() throws {
    let (ending, pid) = try withTakenPorts { server in
      (try portwhy(running: [binder, "-fl", "127.0.0.1", "5173", "5174"]), server.pid)
    }
    #expect(ending.status == 0 && ending.output == "has 5174\n")
    let said = ending.errors.split(separator: "\n").filter { $0.hasPrefix("portwhy") }
    // Where it took longer than a second, the failure has been told before.
    #expect(said.count == 1 || said.count == 2 && said[1].contains("5174"), "\(ending.errors)")
    #expect(
      said.count > 1
        || said.first?.contains("did not get 127.0.0.1:5173, which shop (pid \(pid)) has, and took 5174") == true,
      "\(ending.errors)")
  }

  @Test("the port that the server took, in the report too")
  func sequel() throws {
    let reports = try withTakenPorts { _ in try CommandReports([binder, "-fl", "127.0.0.1", "5173", "5174"]) }
    #expect(reports.lines == ["bind EADDRINUSE 127.0.0.1:5173"])
    let then = reports.calls.first?["then"]
    #expect(then?["address"]?.text == "127.0.0.1" && then?["port"]?.integer == 5174 && then?["same"]?.bool == false)
    #expect(try reports.problems() == [])
  }

  @Test("retries once, with their number")
  func retries() throws {
    let ending = try withTakenPorts { _ in
      try portwhy(running: [binder, "-n", "4", "-w", "50", "127.0.0.1", "8080"])
    }
    let said = ending.errors.split(separator: "\n").filter { $0.hasPrefix("portwhy") }
    #expect(said.count <= 2 && said.last?.contains("failed 4 times") == true, "\(said)")
  }

  @Test("a long wait is explained while it lasts, and its end is told")
  func patience() throws {
    // The holder goes after the explanation has come.
    let script = """
      (\(binder) -lk 127.0.0.1 9000 | { read line; : > $0.up; until [ -s $0 ]; do sleep 0.1; done; }) &
      until [ -e $0.up ]; do sleep 0.1; done; exec \(binder) -l -n 900 -w 100 127.0.0.1 9000
      """
    let (ending, text) = try inDirectory { directory in
      let file = directory + "/why"
      let ending = try withTakenPorts { _ in try portwhy(["-o", file], running: ["/bin/sh", "-c", script, file]) }
      return (ending, try contents(of: file))
    }
    #expect(ending.status == 0, "\(ending)")
    #expect(text.contains("9000 failed") && text.contains("has 127.0.0.1:9000 now, after"), "\(text)")
  }

  @Test("a crowd with one trouble is one screen and a number")
  func crowd() throws {
    let ending = try withTakenPorts { _ in try portwhy(running: [binder, "crowd", "6", "127.0.0.1", "8080"]) }
    let said = ending.errors.split(separator: "\n").filter { $0.hasPrefix("portwhy: ") }
    #expect(said.count == 2 && said.last == "portwhy: the same happened to 5 more processes", "\(said)")
  }

  @Test("-o FILE gets it all, behind what it has, and standard error is the command's alone")
  func file() throws {
    let (endings, text) = try inDirectory { directory in
      let file = directory + "/why"
      let endings = try withTakenPorts { _ in
        try (0..<2).map { _ in try portwhy(["-o", file], running: [binder, "127.0.0.1", "8080"]) }
      }
      return (endings, try contents(of: file))
    }
    #expect(endings.allSatisfy { $0.errors == "bind 8080: Address already in use\n" })
    #expect(text.split(separator: "\n").filter { $0.hasPrefix("portwhy: bind() of binder") }.count == 2)
    let missing = try portwhy(["-o", "/no/such/file"], running: ["/bin/true"])
    #expect(missing.status == 125 && missing.errors.contains("/no/such/file"))
  }

  @Test("-o names nothing of somebody else's: no FIFO without a reader, no link or file in a shared directory")
  func foreignFile() throws {
    try inDirectory { directory in
      let (fifo, shared) = (directory + "/fifo", directory + "/shared")
      #expect(mkfifo(fifo, 0o622) == 0 && mkdir(shared, 0o777) == 0 && chmod(shared, 0o1777) == 0)
      func refused(_ path: String) throws {
        let ending = try portwhy(["-o", path], running: ["/bin/sh", "-c", ": > \(directory)/ran"])
        #expect(ending.status == 125 && ending.errors.contains("cannot write to"), "\(ending)")
        #expect(access(directory + "/ran", F_OK) != 0, "nothing is run")
      }
      try refused(fifo)
      let user: uid_t = 65534
      let (link, target, file) = (shared + "/link", directory + "/target", shared + "/file")
      #expect(symlink(target, link) == 0 && lchown(link, user, user) == 0)
      try write("", to: file)
      #expect(chown(file, user, user) == 0)
      // The kernel sees to it where it is told to (proc_sys_fs(5)).
      if (try? contents(of: "/proc/sys/fs/protected_symlinks"))?.hasPrefix("1") == true {
        try refused(link)
        #expect(access(target, F_OK) != 0)
      }
      if (try? contents(of: "/proc/sys/fs/protected_regular")).map({ !$0.hasPrefix("0") }) == true {
        try refused(file)
        #expect(try contents(of: file) == "")
      }
    }
  }

  @Test("a reader of -o who does not read keeps nobody: a signal ends portwhy once the command has ended")
  func fullPipe() throws {
    try inDirectory { directory in
      let fifo = directory + "/fifo"
      #expect(mkfifo(fifo, 0o600) == 0)
      let reader = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC)
      defer { close(reader) }
      let bytes = [UInt8](repeating: 0, count: 4096)
      while Glibc.write(reader, bytes, bytes.count) > 0 {}
      let script = "\(binder) 127.0.0.1 8080; : > \(directory)/ended"
      try withTakenPorts { _ in
        var running = try RunningProgram(["-o", fifo, "--", "/bin/sh", "-c", script])
        #expect(running.read { _, _ in access(directory + "/ended", F_OK) == 0 })
        var ending: Int32?
        // What comes before the shell has ended is the shell's.
        for _ in 0..<30 where ending == nil {
          running.send(SIGTERM)
          ending = running.wait(seconds: 1)
        }
        #expect(ending == -143)
      }
    }
  }

  @Test("--json is a report a line, which --from reads")
  func json() throws {
    let (reports, again) = try inDirectory { directory in
      let reports = try withTakenPorts { _ in try CommandReports([binder, "0.0.0.0", "8080"]) }
      let ending = try withTakenPorts { _ in
        try portwhy(["--json", "-o", directory + "/a"], running: [binder, "0.0.0.0", "8080"])
      }
      #expect(ending.status == 3)
      return (reports, try portwhy(["--from", directory + "/a"]))
    }
    #expect(reports.lines.count == 1)
    #expect(try reports.problems() == [])
    #expect(again.status == 1 && again.output.contains("shop"))
  }

  @Test("a hostile name of a program or of a file controls no terminal")
  func hostile() throws {
    let script =
      "$0 = \"\\e[2Jx\"; socket(S,AF_INET,SOCK_STREAM,0); bind(S,pack_sockaddr_in(8080,INADDR_ANY)); exit 0"
    let ending = try withTakenPorts { _ in
      try portwhy(running: ["/usr/bin/perl", "-MSocket=:all", "-e", script])
    }
    #expect(ending.errors.contains("bind() of \\x1b[2Jx") && !ending.errors.contains("\u{1b}"), "\(ending.errors)")
  }
}

@Suite("A command that cannot be watched", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN"))
struct CommandRefusalTests {
  /// One line, status 125, and nothing was run.
  private func expectRefusal(
    _ ending: Ending, _ words: String, at location: SourceLocation = #_sourceLocation
  ) {
    #expect(ending.status == 125 && ending.output == "", "\(ending)", sourceLocation: location)
    #expect(ending.errors.split(separator: "\n").count == 1, "\(ending.errors)", sourceLocation: location)
    #expect(ending.errors.contains(words), "\(ending.errors)", sourceLocation: location)
  }

  @Test("under another listener: portwhy in portwhy", .enabled(if: commandModeRuns))
  func nested() throws {
    expectRefusal(try portwhy(running: [portwhyBinary, "--", "echo", "ran"]), "the kernel allows one")
  }

  @Test("as a user, where the command is to gain privileges", .enabled(if: commandModeRuns))
  func setUser() throws {
    expectRefusal(try portwhy(running: ["su", "nobody"], .asNobody), "sudo portwhy -- ")
    #expect(try portwhy(running: ["/bin/echo", "ran"], .asNobody).output == "ran\n")
    var powerless = Start.asNobody
    powerless.through += ["--no-new-privs"]
    // It gains nothing anyway.
    #expect(try portwhy(running: ["su", "--version"], powerless).status == 0)
  }

  @Test("where pidfd_getfd(2) is forbidden, as in a container", .enabled(if: commandModeRuns))
  func container() throws {
    let ending = try NetworkNamespace.run { (_: inout NetworkNamespace) in
      guard test_refuse_system_call(test_pidfd_getfd_number, EPERM) == 0 else { throw StartError(what: "seccomp") }
      return try portwhy(running: ["/bin/echo", "ran"])
    }
    expectRefusal(ending, "--cap-add SYS_PTRACE")
  }

  @Test("where the kernel has no such filters", .enabled(if: commandModeRuns))
  func oldKernel() throws {
    for (error, words) in [(EINVAL, "5.19"), (ENOSYS, "no seccomp"), (EBUSY, "allows one")] {
      let ending = try NetworkNamespace.run { (_: inout NetworkNamespace) in
        guard test_refuse_system_call(test_seccomp_number, error) == 0 else { throw StartError(what: "seccomp") }
        return try portwhy(running: ["/bin/echo", "ran"])
      }
      expectRefusal(ending, words)
    }
  }

  @Test("on a kernel before 5.19", .enabled(if: !commandModeRuns))
  func reallyOldKernel() throws { expectRefusal(try portwhy(running: ["/bin/echo", "ran"]), "5.19") }

  @Test(
    "with what plans something else: a usage error, and nothing was run", arguments: [["8080"], ["-q"], ["--wait"]])
  func usage(_ words: [String]) throws {
    let ending = try portwhy(words, running: ["/bin/echo", "ran"])
    #expect(ending.status == 64 && ending.output == "" && ending.errors.split(separator: "\n").count == 1)
  }
}
