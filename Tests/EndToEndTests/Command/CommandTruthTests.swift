import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// Linux 5.19 has what `portwhy -- COMMAND` needs.
let commandModeRuns: Bool = {
  var name = utsname()
  guard uname(&name) == 0 else { return false }
  let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  let isNew = KernelVersion(release: release).map { $0 >= KernelVersion(major: 5, minor: 19) } ?? false
  if !isNew { say("NOT RUN: portwhy -- COMMAND: this kernel is older than 5.19\n") }
  return isNew
}()

@Suite(
  "What is said about a failed call",
  .enabled(if: endToEndTestsRun && commandModeRuns, "needs CAP_SYS_ADMIN and 5.19"))
struct CommandTruthTests {
  @Test(
    "is about that call: function, errno, address, cause",
    arguments: [
      (["127.0.0.1", "8080"], "bind EADDRINUSE 127.0.0.1:8080", "wildcard-overlap"),
      (["0.0.0.0", "8080"], "bind EADDRINUSE 0.0.0.0:8080", "listener"),
      (["-6", "::", "8080"], "bind EADDRINUSE :::8080", "dual-stack-overlap"),
      (["-T", "0.0.0.0", "8080"], "bind EADDRINUSE 0.0.0.0:8080", "listener"),
      (["-u", "0.0.0.0", "5353"], "bind EADDRINUSE 0.0.0.0:5353", "udp-socket"),
      (["-6", "fe80::1", "8081"], "bind EINVAL fe80::1:8081", "scope-missing"),
      (["192.0.2.1", "8081"], "bind EADDRNOTAVAIL 192.0.2.1:8081", "address-not-local"),
      (["twice", "127.0.0.1", "8081"], "bind EINVAL 127.0.0.1:8081", "already-bound"),
      (["pair", "127.0.0.1", "8081"], "listen EADDRINUSE 127.0.0.1:8081", "listen-only"),
      (["landlock", binder, "127.0.0.1", "8081"], "bind EACCES 127.0.0.1:8081", "refused-by-policy"),
      (["landlock", binder, "127.0.0.1", "8080"], "bind EACCES 127.0.0.1:8080", "refused-by-policy"),
    ])
  func causes(_ words: [String], _ line: String, _ cause: String) throws {
    let reports = try withTakenPorts { _ in try CommandReports([binder] + words) }
    // Landlock knows ports since Linux 6.7.
    guard reports.ending.status != 77 else { return say("NOT RUN: no Landlock here\n") }
    #expect(reports.lines == [line])
    #expect(reports.causes == [cause])
    #expect(try reports.problems() == [])
  }

  @Test("is about a policy where a BPF program of the control group refused, and not about the port")
  func controlGroup() throws {
    for (port, rules) in [("8081", "the same call works"), ("8080", "the same call fails with EADDRINUSE")] {
      let reports = try withTakenPorts { _ in try CommandReports([binder, "group", binder, "127.0.0.1", port]) }
      guard reports.ending.status != 77 else { return say("NOT RUN: no BPF program for a control group here\n") }
      #expect(reports.lines == ["bind EPERM 127.0.0.1:\(port)"] && reports.causes == ["refused-by-policy"])
      #expect(try reports.problems() == [])
      let attempt = reports.reports.first?["targets"]?.elements.first?["attempts"]?.elements.first
      let why = attempt?["why"]?.elements.compactMap(\.text).joined(separator: " ") ?? ""
      #expect(why.contains("by the port's rules \(rules)"), "\(why)")
      #expect(why.contains("EPERM comes from a program of the control group"), "\(why)")
    }
  }

  @Test("has the options that the socket had")
  func options() throws {
    let reports = try withTakenPorts { _ in try CommandReports([binder, "-r", "-p", "127.0.0.1", "8080"]) }
    let plan = reports.reports.first?["targets"]?.elements.first?["plan"]
    #expect(plan?["reuseaddr"]?.bool == true && plan?["reuseport"]?.bool == true)
  }

  @Test("counts the capability of the very thread, not that of its user")
  func capability() throws {
    let bounding = ["/usr/bin/setpriv", "--bounding-set=-net_bind_service", binder, "127.0.0.1", "80"]
    let root = try withTakenPorts { _ in try CommandReports(bounding) }
    #expect(root.lines == ["bind EACCES 127.0.0.1:80"] && root.causes == ["privileged-port"])
    #expect(try root.problems() == [])
    let ambient = [
      "/usr/bin/setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=+net_bind_service",
      "--ambient-caps=+net_bind_service", binder, "-f", "127.0.0.1", "80",
    ]
    let user = try NetworkNamespace.run { (_: inout NetworkNamespace) in
      try withServer("our $s = listener(80);", port: 80) { _ in try CommandReports(ambient) }
    }
    #expect(user.lines == ["bind EADDRINUSE 127.0.0.1:80"])
    #expect(try user.problems() == [])
  }

  @Test("is looked up in the network namespace of the socket")
  func namespace() throws {
    let hold = "ip link set lo up; \(binder) -lk 127.0.0.1 9000 | { read line; \(binder) 127.0.0.1 9000; }"
    let reports = try withTakenPorts { _ in try CommandReports(["/usr/bin/unshare", "-n", "/bin/sh", "-c", hold]) }
    #expect(reports.lines.last == "bind EADDRINUSE 127.0.0.1:9000", "\(reports.ending)")
    #expect(reports.causes.last == "listener")
    #expect(try reports.problems() == [])
  }

  @Test("says where the holder is the program itself, and where the command started it")
  func ownTree() throws {
    let itself = try withTakenPorts { _ in try CommandReports([binder, "pair", "127.0.0.1", "8081"]) }
    #expect(itself.notes.contains("own-program") && !itself.notes.contains("older-copy"), "\(itself)")
    let script = "\(binder) -lk 127.0.0.1 9000 | { read line; \(binder) 127.0.0.1 9000; }"
    let tree = try withTakenPorts { _ in try CommandReports(["/bin/sh", "-c", script]) }
    #expect(tree.notes.contains("own-tree") && !tree.notes.contains("older-copy"), "\(tree.notes)")
  }

  @Test("comes in time, whatever another thread of the program keeps from being read")
  func stuck() throws {
    // The thread never answers: without a deadline this would not end.
    let reports = try withTakenPorts { _ in try CommandReports([binder, "stuck", "127.0.0.1", "8080"]) }
    guard reports.ending.status != 77 else { return say("NOT RUN: userfaultfd(2) is not permitted\n") }
    #expect(reports.ending.status == 3 && reports.lines == ["bind EADDRINUSE 127.0.0.1:8080"])
  }

  @Test(
    "is none where another tracer has the program, which ends as without and is still that one's",
    .disabled(
      if: sanitizer == "address",
      "the leak sanitizer has to trace the program itself, and ends it with an error where another does"))
  func traced() throws {
    for port in ["8080", "8081"] {
      let (alone, beside) = try withTakenPorts { _ in
        (
          try run([binder, "traced", "127.0.0.1", port], Start()),
          try portwhy(running: [binder, "traced", "127.0.0.1", port])
        )
      }
      guard alone.status != 77 else { return say("NOT RUN: ptrace(2) of a parent is not permitted\n") }
      #expect(alone.status == (port == "8080" ? 3 : 0) && beside.status == alone.status, "\(beside)")
      let said = beside.errors.split(separator: "\n").filter { $0.hasPrefix("portwhy: ") }
      let missed = "portwhy: a bind or listen of the command could not be looked at: a debugger has the thread,"
      #expect(said.count == (port == "8080" ? 1 : 0) && said.allSatisfy { $0.hasPrefix(missed) }, "\(beside)")
      #expect(beside.errors.hasPrefix(alone.errors), "\(beside)")
    }
  }

  @Test("is as whole for another user's process, whose descriptor is asked by a child")
  func foreign() throws {
    let asNobody = Start.asNobody.through
    let reports = try withTakenPorts { _ in
      try CommandReports(asNobody + [binder, "-r", "-D", "lo", "127.0.0.1", "8080"])
    }
    #expect(reports.lines == ["bind EADDRINUSE 127.0.0.1:8080"] && reports.causes == ["wildcard-overlap"])
    let target = reports.reports.first?["targets"]?.elements.first
    #expect(target?["plan"]?["reuseaddr"]?.bool == true && target?["plan"]?["reuseport"]?.bool == false)
    #expect(target?["attempts"]?.elements.first?["uid"]?.integer == 65534, "\(reports)")
    #expect(target?["attempts"]?.elements.first?["device"]?.text == "lo", "\(reports)")
    #expect(try reports.problems() == [])
    let listen = try withTakenPorts { _ in
      try CommandReports(asNobody + [binder, "pair", "127.0.0.1", "8081"])
    }
    #expect(listen.lines == ["listen EADDRINUSE 127.0.0.1:8081"] && listen.notes.contains("own-program"))
    let drift = try withTakenPorts { _ in
      try CommandReports(asNobody + [binder, "-fl", "127.0.0.1", "5173", "5174"])
    }
    let call = drift.calls.first
    // Where the look takes most of a second, the failure has been told before.
    let isSlow = (call?["stopped_us"]?.integer ?? 0) > 500_000
    #expect(call?["then"]?["port"]?.integer == 5174 || isSlow && call?["then"]?["port"] == nil, "\(drift)")
  }

  @Test("counts every failure of a storm, invents none, and leaves every result as it is")
  func storm() throws {
    let (quiet, windy) = try withTakenPorts { _ in
      (
        try CommandReports([binder, "storm", "4", "200", "0", "0", "8080"]),
        try CommandReports([binder, "storm", "4", "100", "2000", "1", "8080"])
      )
    }
    for (reports, failures) in [(quiet, 400), (windy, 200)] {
      #expect(reports.ending.output == "fine \(failures * 3) odd 0\n", "\(reports.ending)")
      #expect(reports.lines == ["bind EADDRINUSE 127.0.0.1:8080"])
      #expect(try reports.problems() == [])
    }
  }
}
