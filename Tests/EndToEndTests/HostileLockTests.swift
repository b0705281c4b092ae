import CProcessTestSupport
import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

// A user who keeps whoever looks at his sockets waiting (Tests/Support/hostile). What is asserted is what is answered and
// how a look ends, never how long it takes: a look that waits for him would not end while the test runs.

/// Runs `body` while the user nobody holds a lock on `port`, as the mode says; nil where this host has no FUSE or MPTCP.
private func withHostileUser<Result>(_ mode: String, _ port: UInt16, _ body: (Server) throws -> Result) throws
  -> Result?
{
  do {
    return try withServer(words: [testDirectory + "/hostile", mode, "\(port)"], body)
  } catch let error as StartError where error.what.contains("ended early") {
    let status = try run([testDirectory + "/hostile", mode, "\(port)"], Start()).status
    guard status == 2 || status == 3 else { throw error }
    print("skipped: this host has no \(status == 2 ? "FUSE for users" : "MPTCP")")
    return nil
  }
}

/// The children that portwhy left behind: processes of that name which still wait for somebody.
private func stuckProcesses() -> [Int32] {
  var stuck: [Int32] = []
  guard let directory = opendir("/proc") else { return [] }
  defer { closedir(directory) }
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    guard let pid = Int32(name), let file = fopen("/proc/\(pid)/stat", "re") else { continue }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 256)
    guard fgets(&text, 256, file) != nil else { continue }
    let stat = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if stat.contains("(portwhy) D") { stuck.append(pid) }
  }
  return stuck
}

/// A connection on the port that waits in TIME_WAIT: only an iterator tells its options.
private let timeWait = """
  my $l = listener($port, AF_INET, [SO_REUSEADDR]);
  socket(my $c, AF_INET, SOCK_STREAM, 0); connect($c, pack_sockaddr_in($port, INADDR_LOOPBACK)) or die;
  accept(my $s, $l); close($s); sysread($c, my $x, 1); close($c); close($l);
  """

private func reasons(_ answer: Answer) -> [String] {
  (answer.document["visibility"]?["reasons"]?.elements ?? []).compactMap(\.text)
}

private func binds(_ answer: Answer) -> [String] {
  (answer.attempts.first?["outcomes"]?.elements ?? []).map { $0["bind"]?.text ?? "null" }
}

@Suite(
  "Who keeps others waiting", .enabled(if: endToEndTestsRun && !isSanitized, "need CAP_SYS_ADMIN and no sanitizer"))
struct HostileLockTests {
  private func inNamespace(_ body: (UInt16, UInt16, UInt16) throws -> Void) throws {
    try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (namespace: inout NetworkNamespace) in
      let ports = try [namespace.freshPort(), namespace.freshPort(), namespace.freshPort()].map(\.rawValue)
      try body(ports[0], ports[1], ports[2])
    }
  }

  @Test("a locked connection of another port leaves a listener's answer whole, for every reader")
  func otherPort() throws {
    try inNamespace { used, locked, _ in
      try withServer("our $s = listener($port);", port: used) { server in
        _ = try withHostileUser("tcp", locked) { _ in
          for start in [Start(), Start.asNobody] {
            let answer = try Answer(["0.0.0.0:\(used)"], start)
            #expect(answer.verdict == "fails" && answer.violations() == [])
            #expect(!reasons(answer).contains("no-answer"))
          }
          let answer = try Answer(["0.0.0.0:\(used)"])
          #expect(binds(answer) == Array(repeating: "EADDRINUSE", count: 4))
          #expect(answer.pids == [Int(server.pid)])
          let itself = try Answer(["0.0.0.0:\(locked)"])
          #expect(itself.verdict == "fails", "the locked port too")
          #expect(try Answer([]).violations() == [], "the overview")
        }
      }
    }
  }

  @Test(
    "a locked TCP socket keeps the iterator from answering: what is sure stays, and the rest is not known for that")
  func lockedTable() throws {
    try inNamespace { left, locked, _ in
      try withServer(timeWait, port: left) { _ in
        _ = try withHostileUser("tcp", locked) { _ in
          let answer = try Answer(["0.0.0.0:\(left)"])
          #expect(binds(answer) == ["EADDRINUSE", "undetermined", "undetermined", "undetermined"])
          #expect(answer.verdict == "fails" && answer.violations() == [])
          #expect(reasons(answer) == ["no-answer"] && answer.notes.contains("no-answer"))
          #expect(answer.document["visibility"]?["silent"]?["iterator"]?.text == "tcp")
          #expect(answer.sockets.first?["unknown_because"]?.text == "no-answer")
          let screen = try portwhy(["0.0.0.0:\(left)"])
          #expect(screen.output.contains("a process keeps a TCP socket of this network namespace locked"))
          let without = try Answer(["--no-bpf", "0.0.0.0:\(left)"])
          #expect(!reasons(without).contains("no-answer"), "nobody was asked")
        }
      }
    }
  }

  @Test("a locked UDP socket does so for the order of UDP sockets")
  func lockedUDP() throws {
    try inNamespace { used, locked, _ in
      let two = """
        our $a = bound($port, AF_INET, [SO_REUSEADDR, SO_REUSEPORT], SOCK_DGRAM);
        our $b = bound($port, AF_INET6, [SO_REUSEADDR, SO_REUSEPORT], SOCK_DGRAM); setsockopt($b, SOL_SOCKET, SO_REUSEADDR, 0);
        setsockopt($b, SOL_SOCKET, SO_REUSEPORT, 0);
        """
      try withServer(two, port: used) { _ in
        _ = try withHostileUser("udp", locked) { _ in
          let answer = try Answer(["-u", "--reuseport", "[::]:\(used)"])
          #expect(answer.violations() == [] && !binds(answer).isEmpty)
          #expect(reasons(answer) == ["no-answer"])
        }
      }
    }
  }

  @Test("a process whose descriptor does not answer is named, and nobody else's socket is less known for it")
  func silentDescriptor() throws {
    try inNamespace { _, locked, used in
      try withServer("our $s = listener($port);", port: used) { _ in
        _ = try withHostileUser("mptcp", locked) { hostile in
          let answer = try Answer(["--no-bpf", "0.0.0.0:\(locked)"])
          #expect(answer.verdict == "fails" && answer.violations() == [])
          #expect(reasons(answer).contains("no-answer"))
          #expect(answer.document["visibility"]?["silent"]?["pid"]?.integer == Int(hostile.pid))
          let screen = try portwhy(["--no-bpf", "0.0.0.0:\(locked)"])
          #expect(screen.output.contains("hostile(\(hostile.pid)) keeps whoever looks"))
          let other = try Answer(["--no-bpf", "0.0.0.0:\(used)"])
          #expect(!reasons(other).contains("no-answer") && other.verdict == "fails")
        }
      }
    }
  }

  @Test("a descriptor that turns into a file which cannot be closed ends no look", arguments: 1...8)
  func race(_ run: Int) throws {
    try inNamespace { port, _, _ in
      _ = try withHostileUser("race", port) { _ in
        let answer = try Answer(["0.0.0.0:\(port)"])
        #expect(answer.verdict == "fails" && answer.violations() == [])
      }
    }
  }

  @Test("a descriptor that turns into one whose fdinfo waits for its holder ends no look", arguments: 1...4)
  func fdinfo(_ run: Int) throws {
    try inNamespace { port, _, _ in
      _ = try withHostileUser("fdinfo", port) { _ in
        let answer = try Answer(["0.0.0.0:\(port)"])
        #expect(answer.verdict == "fails" && answer.violations() == [])
      }
    }
  }

  /// Runs `body` with a port on which process 2 listens, and with how portwhy is started there while process 3 holds the lock
  /// of a directory of /proc.
  private func besideLock(of directory: String, _ body: (UInt16, [String]) throws -> Void) throws {
    try inNamespace { port, _, _ in
      func hostile(_ directory: String) -> [String] {
        [testDirectory + "/hostile", "locked", directory, "\(port)"]
      }
      let through = hostile(directory)
      let status = try run(
        hostile(["itself", "list"].contains(directory) ? "own" : directory) + ["/usr/bin/true"], Start()
      ).status
      guard status != 2 else { return print("skipped: this host has no FUSE for users") }
      try #require(status == 0)
      try body(port, through)
    }
  }

  /// Whether the holder was found without a walk through /proc: an iterator tells it where the host has many open files.
  private func isUnwalked(_ answer: Answer, _ words: [String]) -> Bool {
    !words.contains("--no-bpf") && reasons(answer).isEmpty
  }

  @Test("who keeps the list of his descriptors locked is named, and everybody else is told in whole")
  func lockedDescriptors() throws {
    try besideLock(of: "own") { port, through in
      for words in [["0.0.0.0:\(port)"], ["--no-bpf", "0.0.0.0:\(port)"]] {
        let answer = try Answer(words, Start(through: through))
        #expect(answer.verdict == "fails" && answer.violations() == [] && answer.pids == [2])
        // What the port remembers of SO_REUSEPORT only BPF tells.
        let other = words.contains("--no-bpf") ? "undetermined" : "EADDRINUSE"
        #expect(binds(answer) == ["EADDRINUSE", "EADDRINUSE", other, other])
        #expect(answer.sockets.first?["processes"]?.elements.first?["command"]?.text == "victim")
        #expect(answer.sockets.first?["reuseport"] == .bool(false))
        if isUnwalked(answer, words) { continue }
        #expect(reasons(answer) == ["no-answer"] && answer.notes.contains("no-answer"))
        let silent = answer.document["visibility"]?["silent"]
        #expect(silent?["pid"]?.integer == 3 && silent?["directory"]?.text == "/proc/3")
        #expect(silent?["command"]?.text == "hostile")
      }
      let screen = try portwhy(["--no-bpf", "0.0.0.0:\(port)"], Start(through: through)).untimed
      #expect(screen.contains("somebody keeps /proc/3 locked, the directory of hostile(3): it was not waited for"))
      #expect(screen.contains("is taken: victim (pid 2, root"))
      let nobodys = try Answer(["0.0.0.0:\(port)"], Start(through: through + Start.asNobody.through))
      #expect(nobodys.verdict == "fails" && nobodys.violations() == [] && reasons(nobodys).contains("no-answer"))
      #expect(nobodys.document["visibility"]?["silent"]?["pid"]?.integer == 3)
    }
  }

  @Test("where the directory of the holder is locked, its descriptor tells as much as it does otherwise")
  func lockedHolder() throws {
    try besideLock(of: "/proc/2") { port, through in
      let answer = try Answer(["0.0.0.0:\(port)"], Start(through: through))
      #expect(answer.verdict == "fails" && answer.violations() == [])
      #expect(binds(answer) == Array(repeating: "EADDRINUSE", count: 4))
      #expect(reasons(answer) == ["no-answer"] && answer.document["visibility"]?["silent"]?["pid"]?.integer == 2)
      #expect(answer.document["visibility"]?["silent"]?["command"] == .null)
      let without = try Answer(["--no-bpf", "0.0.0.0:\(port)"], Start(through: through))
      #expect(without.verdict == "fails" && without.violations() == [] && without.pids == [])
      #expect(without.sockets.first?["owner"]?.text == "hidden")
      #expect(without.sockets.first?["unknown_because"]?.text == "no-answer")
      #expect(reasons(without) == ["no-answer"])
      let screen = try portwhy(["--no-bpf", "0.0.0.0:\(port)"], Start(through: through)).untimed
      #expect(screen.contains("somebody keeps /proc/2 locked, the directory of a process: it was not waited for"))
      if answer.pids == [2] {
        #expect(answer.sockets.first?["reuseport"] == .bool(false), "an iterator finds it")
        let screen = try portwhy(["0.0.0.0:\(port)"], Start(through: through)).untimed
        // Whose it is and what else it does is not known: no command ends it.
        #expect(screen.contains("is taken: a process (pid 2) listens") && !screen.contains("kill 2"))
        #expect(screen.contains("if you may stop it, find and end what pid 2 is"))
      }
    }
  }

  @Test("where the directory of the first process is locked, everybody behind it is found")
  func lockedFirst() throws {
    try besideLock(of: "/proc/1") { port, through in
      for words in [["0.0.0.0:\(port)"], ["--no-bpf", "0.0.0.0:\(port)"]] {
        let answer = try Answer(words, Start(through: through))
        #expect(answer.verdict == "fails" && answer.violations() == [] && answer.pids == [2])
        #expect(isUnwalked(answer, words) || answer.document["visibility"]?["silent"]?["pid"]?.integer == 1)
      }
      // Each of them ends, with or without the names of who holds what.
      for words in [["-q", "0.0.0.0:\(port)"], ["--deep", "0.0.0.0:\(port)"], ["--brief", "0.0.0.0:\(port)"]] {
        #expect(try portwhy(words, Start(through: through)).status == 1)
      }
      let others = [[], ["---complete", "targets", ""], ["---complete", "namespaces", ""], ["127.0.0.9:\(port)"]]
      for words in others { #expect(try portwhy(words, Start(through: through)).status == 0, "\(words)") }
    }
  }

  @Test("a watch beside locked sysctls tells at its tenth look what it told at the first")
  func watchedSettings() throws {
    try besideLock(of: "/proc/sys/net") { port, through in
      var running = try RunningProgram(
        ["--watch", "--json", "--interval", "0.1", "127.0.0.1:\(port)"], through: through)
      #expect(running.read { output, _ in output.split(separator: "\n").count >= 11 })
      for line in running.text.split(separator: "\n").prefix(10) {
        #expect(line.contains(#""command":"victim""#) && line.contains(#""directory":"/proc/sys""#))
      }
      running.send(SIGINT)
      #expect(running.wait(seconds: 60) == 130)
    }
  }

  @Test("where the list of all processes is locked, what is sure stays, and every look ends")
  func lockedList() throws {
    // A program that is linked dynamically looks for its libraries there, before any of this can be: the release binary does
    // not, and the tests' one is started by the time.
    try besideLock(of: "list") { port, through in
      var running = try RunningProgram(
        ["--watch", "--json", "--interval", "0.1", "127.0.0.1:\(port)"], through: through)
      #expect(running.read { _, errors in errors.contains("locked") })
      let before = running.text.split(separator: "\n").count
      #expect(running.read { output, _ in output.split(separator: "\n").count >= before + 3 })
      let last = running.text.split(separator: "\n").dropLast().last.map(String.init) ?? ""
      // Once three children wait there, nobody is sent any more who could be named.
      #expect(last.contains(#""no-answer""#) && last.contains(#""state":"LISTEN""#), "\(last)")
      running.send(SIGINT)
      #expect(running.wait(seconds: 60) == 130)
    }
  }

  @Test("where a directory of sysctls is locked, what is sure stays, and its settings are not known for that")
  func lockedSettings() throws {
    try besideLock(of: "/proc/sys/net") { port, through in
      let asked = [
        (["0.0.0.0:\(port)"], "fails"), (["--no-bpf", "0.0.0.0:\(port)"], "fails"), (["127.0.0.9:\(port + 1)"], "ok"),
      ]
      for (words, verdict) in asked {
        let answer = try Answer(words, Start(through: through))
        // Root may bind every port, whatever the setting is.
        #expect(answer.violations() == [] && answer.verdict == verdict, "\(words): \(answer.ending.output)")
        #expect(reasons(answer).contains("no-answer"))
        #expect(answer.document["visibility"]?["silent"]?["directory"]?.text == "/proc/sys")
        #expect(answer.document["host"]?["ip_unprivileged_port_start"] == .null)
        if words.last == "0.0.0.0:\(port)" { #expect(answer.pids == [2], "the holder is told") }
      }
      let screen = try portwhy(["0.0.0.0:\(port)"], Start(through: through)).untimed
      #expect(screen.contains("somebody keeps /proc/sys locked, and with it settings of the kernel"))
      #expect(screen.contains("victim (pid 2, root"))
      // Each of them ends.
      for words in [["-q", "0.0.0.0:\(port)"], [], ["--brief", "0.0.0.0:\(port)"]] {
        #expect((0...2).contains(try portwhy(words, Start(through: through)).status), "\(words)")
      }
    }
  }

  @Test("where the directory of portwhy itself is locked meanwhile, every answer is as whole as it is without that")
  func lockedItself() throws {
    try besideLock(of: "itself") { port, through in
      for start in [Start(through: through), Start(through: through + Start.asNobody.through)] {
        let answer = try Answer(["0.0.0.0:\(port)"], start)
        #expect(answer.verdict == "fails" && answer.violations() == [])
        // Whoever looks for holders passes portwhy itself over.
        let silent = answer.document["visibility"]?["silent"]
        #expect(silent == .null || silent?["pid"]?.integer == 4)
        let free = try Answer(["127.0.0.9:\(port + 1)"], start)
        #expect(free.verdict == "ok" && free.violations() == [])
        #expect(free.document["visibility"]?["silent"] == .null)
      }
      let answer = try Answer(["0.0.0.0:\(port)"], Start(through: through))
      #expect(answer.pids == [2] && binds(answer) == Array(repeating: "EADDRINUSE", count: 4))
      // Each of them ends.
      let others = [
        ["-q", "127.0.0.1:\(port)"], ["--deep", "127.0.0.1:\(port)"], ["--brief", "127.0.0.1:\(port)"],
      ]
      for words in others { #expect(try portwhy(words, Start(through: through)).status == 1, "\(words)") }
      #expect(try portwhy(["--netns", "2", "127.0.0.1:\(port)"], Start(through: through)).status == 1)
      for words in [[], ["---complete", "namespaces", ""]] {
        #expect(try portwhy(words, Start(through: through)).status == 0, "\(words)")
      }
    }
  }

  @Test("a watch goes on while somebody holds the lock of its own directory, and SIGINT ends it")
  func watchedItself() throws {
    try besideLock(of: "itself") { port, through in
      var running = try RunningProgram(
        ["--watch", "--json", "--interval", "0.1", "127.0.0.9:\(port + 1)"], through: through)
      #expect(
        running.read { _, errors in errors.contains("locked") })
      let before = running.text.split(separator: "\n").count
      #expect(running.read { output, _ in output.split(separator: "\n").count >= before + 5 })
      running.send(SIGINT)
      #expect(running.wait(seconds: 60) == 130)
    }
  }

  @Test("the network namespace of a process whose directory is locked is not entered, and that is said")
  func lockedNamespace() throws {
    try besideLock(of: "/proc/2") { port, through in
      let ending = try portwhy(["--netns", "2", "\(port)"], Start(through: through))
      #expect(ending.status == 69 && ending.output.isEmpty)
      #expect(ending.errors.contains("network namespace 2 cannot be entered: somebody keeps"))
    }
  }

  @Test("a command whose directory is locked ends, and portwhy with it, as it does without that")
  func lockedCommand() throws {
    guard commandModeRuns else { return print("NOT RUN: no command can be supervised") }
    try besideLock(of: "own") { port, through in
      let command = ["-v", "--", testDirectory + "/hostile", "command", "\(port)"]
      let ending = try portwhy(command, Start(through: through))
      #expect(ending.status == 7, "\(ending.errors)")
      #expect(ending.errors.contains("a bind or listen of the command could not be looked at"), "\(ending.errors)")
    }
  }

  @Test("where a directory of /sys or /run is locked, every answer ends, and the holder is told")
  func lockedSys() throws {
    for directory in ["/sys/kernel", "/sys/fs/cgroup", "/sys/kernel/btf", "/run"] where access(directory, F_OK) == 0 {
      try besideLock(of: directory) { port, through in
        let answer = try Answer(["0.0.0.0:\(port)"], Start(through: through))
        #expect(answer.verdict == "fails" && answer.violations() == [] && answer.pids == [2], "\(directory)")
        // What lies below the first directory is asked for no more.
        let place = "/" + (directory.split(separator: "/").first ?? "")
        #expect(answer.document["visibility"]?["silent"]?["directory"]?.text == place, "\(directory)")
      }
    }
  }

  @Test("SIGINT ends a watch beside a locked directory at once, and who was left behind ends with the lock")
  func interruptedBesideLock() throws {
    try besideLock(of: "/proc/2") { port, through in
      var running = try RunningProgram(
        ["--watch", "--json", "--interval", "0.1", "0.0.0.0:\(port)"], through: through)
      #expect(running.read { output, _ in output.split(separator: "\n").count >= 3 })
      running.send(SIGINT)
      // Once nobody is left in its pid namespace.
      #expect(running.wait(seconds: 60) == 130)
    }
  }

  /// portwhy, which gets no answer over rtnetlink.
  private let withoutRoutes = Start(through: [testDirectory + "/hostile", "routes"])

  @Test("where the kernel does not answer over rtnetlink, what is sure stays, and the rest is not known for that")
  func silentRoutes() throws {
    try inNamespace { used, free, other in
      try withServer("our $s = listener($port);", port: used) { server in
        let answer = try Answer(["127.0.0.1:\(used)"], withoutRoutes)
        #expect(answer.violations() == [] && answer.pids == [Int(server.pid)])
        #expect(binds(answer).allSatisfy { $0 != "ok" }, "no address is in question where the port is")
        #expect(reasons(answer) == ["no-answer"] && answer.notes.contains("no-answer"))
        #expect(answer.document["visibility"]?["silent"]?["netlink"]?.text == "rtnetlink")
        let screen = try portwhy(["127.0.0.1:\(used)"], withoutRoutes)
        #expect(screen.output.contains("a process keeps the kernel's lock of all interfaces (RTNL)"))
        for question in [["--device", "lo", "\(free)"], ["192.0.2.1:\(free)"], ["[2001:db8::1]:\(free)"]] {
          let answer = try Answer(question, withoutRoutes)
          #expect(answer.verdict == "undetermined" && answer.violations() == [], "\(question)")
          #expect(reasons(answer) == ["no-answer"], "\(question)")
        }
        let wildcard = try Answer(["0.0.0.0:\(used)"], withoutRoutes)
        #expect(binds(wildcard) == Array(repeating: "EADDRINUSE", count: 4) && wildcard.violations() == [])
        let names = try portwhy(["---complete", "interfaces", ""], withoutRoutes)
        #expect(names.status == 0 && names.output.isEmpty)
        #expect(try Answer(["-u", "\(free)"], withoutRoutes).violations() == [])
      }
      let here = "our $s = bound($port, AF_INET, [], SOCK_DGRAM); our $t = listener($port);"
      try withServer(here.replacing("bound($port", with: "bound(0, AF_INET, []); our $u = bound($port"), port: other)
      {
        _ in
        for question in [["\(other)"], ["-u", "\(other)"], ["--free", "\(other)-\(other + 3)"]] {
          let ending = try portwhy(question, withoutRoutes)
          #expect((0...2).contains(ending.status), "\(question): \(ending.errors)")
        }
      }
    }
  }

  @Test(
    "a command that binds a file which cannot be closed leaves no portwhy behind",
    .enabled(if: commandModeRuns, "needs 5.19"))
  func boundFile() throws {
    try inNamespace { port, _, _ in
      // The file system lives until this pipe is closed.
      let input = try makePipe()
      defer {
        close(input.read)
        close(input.write)
      }
      let ending = try runReading(input.read, ["--", testDirectory + "/hostile", "bind", "\(port)"])
      if ending.status == 2 { return print("skipped: this host has no FUSE for users") }
      #expect(ending.status == 0, "\(ending.errors)")
    }
  }

  @Test(
    "a command that binds to an address which its memory never gives leaves no portwhy behind",
    .enabled(if: commandModeRuns, "needs 5.19"))
  func boundMemory() throws {
    try inNamespace { port, _, _ in
      let ending = try portwhy(["-v", "--", testDirectory + "/hostile", "memory", "\(port)"])
      if ending.status == 2 { return print("skipped: this host has no FUSE") }
      #expect(ending.status == 7, "\(ending.errors)")
      #expect(ending.errors.contains("a bind or listen of the command could not be looked at"), "\(ending.errors)")
      let words = ending.output.split(whereSeparator: \.isWhitespace)
      let server = try #require(words.last.flatMap { Int32($0) }, "\(ending.output)")
      #expect(words.first == "server" && kill(server, 0) == 0, "portwhy did not wait for its end")
      kill(server, SIGKILL)
    }
  }

  /// portwhy with this standard input.
  private func runReading(_ descriptor: Int32, _ arguments: [String]) throws -> Ending {
    try portwhy(arguments, Start(input: .file("/proc/\(getpid())/fd/\(descriptor)")))
  }

  @Test(
    "SIGINT ends a look and a watch at once, a pipe closes with them, and no process stays behind", arguments: [0, 2])
  func interrupted(looks: Int) throws {
    try inNamespace { left, locked, _ in
      try withServer(timeWait, port: left) { _ in
        _ = try withHostileUser("tcp", locked) { _ in
          var running = try RunningProgram(["--watch", "--json", "--interval", "0.1", "0.0.0.0:\(left)"])
          if looks > 0 {
            #expect(running.read { output, _ in output.split(separator: "\n").count >= looks })
          }
          running.send(SIGINT)
          #expect(running.wait(seconds: 60) == -130)
        }
      }
    }
    // Whoever else looks in another test does not stay in state D either.
    while !stuckProcesses().isEmpty { usleep(20_000) }
  }
}
