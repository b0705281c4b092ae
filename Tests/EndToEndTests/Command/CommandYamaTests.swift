import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// Yama.rst: `kernel.yama.ptrace_scope`, a setting of the whole host, of which 3 stays until it is booted anew. So these
/// tests run where PORTWHY_YAMA says that they may: in the virtual machines of `make kernels`.
private let yamaMayBeSet = getenv("PORTWHY_YAMA") != nil && access(scopeFile, W_OK) == 0
private let scopeFile = "/proc/sys/kernel/yama/ptrace_scope"

private func setScope(_ number: Int) throws { try write("\(number)\n", to: scopeFile) }

@Suite(
  "A command under Yama", .enabled(if: endToEndTestsRun && yamaMayBeSet, "PORTWHY_YAMA lets them set ptrace_scope"),
  .serialized)
struct CommandYamaTests {
  /// The options that the report knows of the first socket in the way, and why it knows no more.
  private func blocker(_ reports: CommandReports) -> (reuseaddr: Bool?, reasons: [String]) {
    let report = reports.reports.last
    let socket = report?["targets"]?.elements.first?["sockets"]?.elements.first
    let reasons = report?["visibility"]?["reasons"]?.elements.compactMap(\.text) ?? []
    // That such a kernel lists no bound sockets for a user is said beside all else.
    return (socket?["reuseaddr"]?.bool, reasons.filter { kernelListsBoundSockets || $0 != "old-kernel" })
  }

  @Test(
    "1: a user is told the options of what the command itself started, and of nothing else",
    .enabled(if: commandModeRuns))
  func ancestor() throws {
    try setScope(1)
    // The holder outlives a second in which a slow machine has made no explanation.
    let tree = "\(binder) -rlk 127.0.0.1 9000 | { read line; \(binder) 127.0.0.1 9000; sleep 10; }"
    // A daemon, whose parent is gone.
    let waits = "{ read line; : > $0.up; until [ -e $0.end ]; do sleep 0.1; done; }"
    let orphan = "(\(binder) -rlk 127.0.0.1 9000 | \(waits)) > /dev/null 2>&1 &"
    let meets = "until [ -e $f.up ]; do sleep 0.1; done; \(binder) 127.0.0.1 9000"
    let own = try NetworkNamespace.run { (_: inout NetworkNamespace) in
      try CommandReports(["/bin/sh", "-c", tree], .asNobody)
    }
    #expect(own.lines == ["bind EADDRINUSE 127.0.0.1:9000"], "\(own.ending)")
    #expect(blocker(own) == (true, []))
    #expect(own.notes.contains("own-tree"))
    #expect(try own.problems() == [])

    let adopted = try inDirectory { directory in
      chmod(directory, 0o777)
      return try NetworkNamespace.run { (_: inout NetworkNamespace) in
        let file = directory + "/daemon"
        // It may be run again, with files of its own.
        let script = "f=$0.$$; sh -c '\(orphan)' $f; \(meets); sleep 10; : > $f.end"
        return try CommandReports(["/bin/sh", "-c", script, file], .asNobody)
      }
    }
    #expect(adopted.lines == ["bind EADDRINUSE 127.0.0.1:9000"], "\(adopted.ending)")
    #expect(blocker(adopted) == (true, []))

    let foreign = try inDirectory { directory in
      chmod(directory, 0o777)
      return try NetworkNamespace.run { (_: inout NetworkNamespace) in
        let file = directory + "/daemon"
        _ = try run(Start.asNobody.through + ["/bin/sh", "-c", orphan, file], Start())
        defer { try? write("", to: file + ".end") }
        return try CommandReports(["/bin/sh", "-c", "f=$0; \(meets)", file], .asNobody)
      }
    }
    #expect(foreign.lines == ["bind EADDRINUSE 127.0.0.1:9000"], "\(foreign.ending)")
    #expect(blocker(foreign) == (nil, ["yama"]))
    #expect(try foreign.problems() == [])
  }

  @Test("1: a user's storm is counted, and every result stays as it is", .enabled(if: commandModeRuns))
  func storm() throws {
    try setScope(1)
    let reports = try withTakenPorts { _ in
      try CommandReports([binder, "storm", "4", "50", "0", "0", "8080"], .asNobody)
    }
    #expect(reports.ending.output == "fine 300 odd 0\n", "\(reports.ending)")
    #expect(reports.lines == ["bind EADDRINUSE 127.0.0.1:8080"])
  }

  @Test("2: a user is refused before anything runs, root is not", .enabled(if: commandModeRuns))
  func rootAlone() throws {
    try setScope(2)
    let user = try portwhy(running: ["/bin/echo", "ran"], .asNobody)
    #expect(user.status == 125 && user.output == "" && user.lines(of: \.errors).count == 1)
    #expect(user.errors.contains("ptrace_scope is 2") && user.errors.contains("sudo portwhy -- "), "\(user.errors)")
    let root = try withTakenPorts { _ in try CommandReports([binder, "0.0.0.0", "8080"]) }
    #expect(root.causes == ["listener"] && root.ending.status == 3)
  }

  @Test("3, which stays: everybody is refused before anything runs")
  func nobody() throws {
    try setScope(3)
    for start in [Start(), .asNobody] {
      let ending = try portwhy(running: ["/bin/echo", "ran"], start)
      #expect(ending.status == 125 && ending.output == "" && ending.lines(of: \.errors).count == 1)
      #expect(ending.errors.contains("ptrace_scope is 3"), "\(ending.errors)")
    }
  }
}

extension Ending {
  fileprivate func lines(of text: KeyPath<Ending, String>) -> [Substring] {
    self[keyPath: text].split(separator: "\n")
  }
}
