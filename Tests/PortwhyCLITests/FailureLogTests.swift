import SocketModel
import Testing

@testable import PortwhyCLI

private let loopback = IPAddress.v4(.loopback)

private func at(_ port: UInt16, _ address: IPAddress = loopback) -> Endpoint {
  Endpoint(address: address, port: Port(port))
}

/// A log with failures that are explained already, by a holder named `shop (pid 9)`.
private struct Story {
  var log: FailureLog
  private var number: UInt64 = 0

  init(_ log: FailureLog = FailureLog()) { self.log = log }

  /// The number of a failure of a process; `likeness` nil for one whose explanation is not there yet.
  @discardableResult
  mutating func fails(
    _ endpoint: Endpoint, process: Int32 = 4, transport: TransportProtocol = .tcp, function: SocketCall = .bind,
    inode: UInt64 = 1, likeness: String? = "taken", holder: String? = "shop (pid 9)", at moment: UInt64 = 0
  ) -> UInt64? {
    number += 1
    let isNew = log.failed(
      FailedAttempt(
        number: number,
        kind: .init(
          process: process, function: function, transport: transport, endpoint: endpoint, errno: .addressInUse),
        command: "vite", inode: inode, printAt: moment + FailureLog.patience))
    guard isNew else { return nil }
    if let likeness { _ = log.explained(number, likeness: likeness, holder: holder) }
    return number
  }

  mutating func gets(_ endpoint: Endpoint, process: Int32 = 4, inode: UInt64 = 2) -> [FailureLog.Output] {
    log.got(endpoint, .tcp, process: process, inode: inode)
  }
}

@Suite("What is printed about failed calls, and when")
struct FailureLogTests {
  @Test("nothing before the process ends or a second has passed")
  func isHeld() {
    var story = Story()
    story.fails(at(8080), at: 1000)
    #expect(story.log.tick(1_000_999) == [])
    #expect(story.log.deadline == 1_001_000)
    #expect(story.log.tick(1_001_000) == [.screen([1])])
    #expect(story.log.deadline == nil)
    #expect(story.log.ended(4) == [] && story.log.finish() == [])
  }

  @Test("the end of its process has a failure printed, the end of another has not")
  func processEnds() {
    var story = Story()
    story.fails(at(8080))
    #expect(story.log.ended(5) == [])
    #expect(story.log.ended(4) == [.screen([1])])
  }

  @Test("an explanation that comes after the end of its process is printed at once")
  func lateExplanation() {
    var story = Story()
    story.fails(at(8080), likeness: nil)
    #expect(story.log.ended(4) == [])
    #expect(story.log.explained(1, likeness: "taken", holder: nil) == [])
    #expect(story.log.tick(1) == [.screen([1])])
  }

  @Test("a port that was taken before the explanation came is told when it comes")
  func earlyRecovery() {
    var story = Story()
    story.fails(at(8080), likeness: nil)
    story.fails(at(8081), likeness: nil)
    #expect(story.gets(at(8082)) == [])
    #expect(story.log.ended(4) == [])
    #expect(story.log.explained(1, likeness: "taken", holder: "shop (pid 9)") == [])
    let line =
      "vite (pid 4) did not get 127.0.0.1:8080, which shop (pid 9) has, nor 127.0.0.1:8081 and took 8082"
    #expect(story.log.explained(2, likeness: "taken", holder: "shop (pid 9)") == [.line(line)])
    #expect(story.log.tick(.max) == [] && story.log.finish() == [])
  }

  @Test("the same call again is counted, and said in a line where it was printed before")
  func retries() {
    var story = Story()
    #expect(story.fails(at(8080)) == 1)
    #expect(story.fails(at(8080)) == nil)
    #expect(story.log.failure(1)?.tries == 2)
    #expect(story.log.tick(.max) == [.screen([1])])
    #expect(story.fails(at(8080)) == nil)
    #expect(story.log.ended(4) == [.line("bind() of vite (pid 4) on 127.0.0.1:8080 failed 3 times")])
    #expect(story.log.finish() == [])
  }

  @Test("a server that gets its port at the next try is not spoken of, unless the screen is there already")
  func recovers() {
    var story = Story()
    story.fails(at(8080))
    #expect(story.gets(at(8080)) == [])
    #expect(story.log.finish() == [])

    story = Story()
    story.fails(at(8080))
    story.fails(at(8080))
    _ = story.log.tick(.max)
    #expect(story.gets(at(8080)) == [.line("vite (pid 4) has 127.0.0.1:8080 now, after 2 failed tries")])

    story = Story(FailureLog(isVerbose: true))
    story.fails(at(8080))
    #expect(story.gets(at(8080)) == [.line("vite (pid 4) has 127.0.0.1:8080 now, after 1 failed try")])
  }

  @Test(
    "a server that takes another port gets one line in the place of a screen",
    arguments: [
      ([at(5173)], at(5174), "vite (pid 4) did not get 127.0.0.1:5173, which shop (pid 9) has, and took 5174"),
      (
        [at(5173), at(5174)], at(5175),
        "vite (pid 4) did not get 127.0.0.1:5173, which shop (pid 9) has, nor 127.0.0.1:5174 and took 5175"
      ),
      (
        [at(5173), at(5174), at(5175)], at(5176),
        "vite (pid 4) did not get 127.0.0.1:5173, which shop (pid 9) has, nor 2 more and took 5176"
      ),
      (
        [at(8080, .v6(.any))], at(8080, .v4(.any)),
        "vite (pid 4) did not get [::]:8080, which shop (pid 9) has, and has 0.0.0.0:8080 alone"
      ),
      (
        [at(8080, .v6(.any))], at(8081, .v4(.any)),
        "vite (pid 4) did not get [::]:8080, which shop (pid 9) has, and took 0.0.0.0:8081"
      ),
    ])
  func drifts(_ failed: [Endpoint], _ taken: Endpoint, _ line: String) {
    var story = Story()
    for endpoint in failed { story.fails(endpoint) }
    #expect(story.gets(taken) == [.line(line)])
    #expect(story.log.finish() == [])
  }

  @Test("the errno stands where nobody is known to have the port")
  func nobody() {
    var story = Story()
    story.fails(at(5173), holder: nil)
    #expect(story.gets(at(5174)) == [.line("vite (pid 4) did not get 127.0.0.1:5173 (EADDRINUSE), and took 5174")])
  }

  @Test("listen() on the socket whose bind failed has a port that nobody asked for")
  func unasked() {
    var story = Story()
    story.fails(at(8080), inode: 7)
    #expect(
      story.gets(at(43211, .v4(.any)), inode: 7) == [
        .line("vite (pid 4) did not get 127.0.0.1:8080, which shop (pid 9) has, and listens on port 43211, unasked")
      ])
  }

  @Test("another port of the same server, and one of another process, say nothing about the failure")
  func unrelated() {
    var story = Story()
    story.fails(at(8080))
    #expect(story.gets(at(9443)) == [])
    #expect(story.gets(at(8081), process: 5) == [])
    #expect(story.gets(at(8079)) == [])
    #expect(story.log.finish() == [.screen([1])])
  }

  @Test("several addresses with one cause are one screen, and other causes are not")
  func groups() {
    var story = Story()
    story.fails(at(80, .v4(.any)))
    story.fails(at(80, .v6(.any)))
    story.fails(at(443, .v4(.any)), likeness: "other")
    #expect(story.log.ended(4) == [.screen([1, 2]), .screen([3])])
  }

  @Test("the same trouble of more processes is one screen and a number")
  func workers() {
    var story = Story()
    for process in Int32(10)...14 { story.fails(at(8080), process: process) }
    #expect(story.log.finish() == [.screen([1]), .line("the same happened to 4 more processes")])
  }

  @Test("at most five screens and five lines, then a number")
  func limits() {
    var story = Story()
    for port in UInt16(1)...20 { story.fails(at(port), likeness: "\(port)") }
    let outputs = story.log.finish()
    #expect(outputs.count == 6)
    #expect(outputs.last == .line("15 more failed calls are not shown"))

    story = Story()
    var lines: [FailureLog.Output] = []
    for process in Int32(1)...8 {
      story.fails(at(5173), process: process)
      lines += story.gets(at(5174), process: process)
    }
    #expect(lines.count == 5)
    #expect(story.log.finish() == [.line("3 more failed calls are not shown")])
  }

  @Test("reports for programs leave nothing out but repetitions")
  func complete() {
    var story = Story(FailureLog(isComplete: true))
    for process in Int32(1)...20 { story.fails(at(8080), process: process) }
    story.fails(at(8080), process: 1)
    #expect(story.log.finish().count == 20)
  }

  @Test("programs are told what a process got afterwards")
  func sequels() {
    var story = Story(FailureLog(isComplete: true))
    story.fails(at(8080))
    story.fails(at(5173))
    #expect(story.gets(at(8080)) == [.sequel([1], at(8080), isSame: true)])
    #expect(story.gets(at(5174)) == [.sequel([2], at(5174), isSame: false)])
    #expect(story.log.finish() == [])
  }

  @Test("UDP has its port with bind(), and TCP of the same port is another matter")
  func transports() {
    var story = Story()
    story.fails(at(5353), transport: .udp)
    #expect(story.gets(at(5353)) == [])
    #expect(story.log.finish() == [.screen([1])])
  }
}

private func task(_ words: [String]) throws -> Invocation.Task {
  try Invocation(
    GivenOptions(words), lookup: .init(services: { ServiceTable(parsing: "") }, uid: { _ in nil })
  ).task
}

@Suite("The words before -- COMMAND")
struct CommandSettingsTests {
  @Test("are the few that say how it is told")
  func taken() throws {
    let words = ["-nv", "--json", "--no-bpf", "--color=never", "-o", "file", "--", "npm", "start"]
    guard case .command(["npm", "start"], let settings) = try task(words) else { return #expect(Bool(false)) }
    #expect(settings.numeric && settings.verbose && settings.json && !settings.bpf)
    #expect(settings.color == .never && settings.output == "file")
    var short = CommandSettings()
    #expect(try task(["--", "npm"]) == .command(["npm"], short))
    short.output = "file"
    #expect(try task(["-ofile", "--", "npm"]) == .command(["npm"], short))
  }

  @Test(
    "that ask or plan something else are refused",
    arguments: [["8080"], ["-q"], ["--wait"], ["-o"], ["--color"], ["--color", "blue"], ["-t"], ["-"]])
  func refused(_ words: [String]) {
    #expect(throws: UsageError.self) { try task(words + ["--", "npm"]) }
  }

  @Test("end at the first --, which a command must follow")
  func separator() throws {
    #expect(try task(["-n", "--", "a", "--", "b"]) != task(["--", "a", "--", "b"]))
    guard case .command(let words, _) = try task(["-n", "--", "a", "--", "b"]) else { return #expect(Bool(false)) }
    #expect(words == ["a", "--", "b"])
    #expect(throws: UsageError.self) { try task(["--"]) }
  }
}

@Suite("What is said of a command at its end")
struct CommandRemarksTests {
  private func remarks(
    _ command: String, failed: Bool = true, saw: Bool = true, missed: Int = 0, verbose: Bool = false,
    user: String? = nil, uid: UInt32 = 0
  ) -> [String] {
    var remarks = CommandRemarks(
      command: command, failed: failed, sawFailures: saw, missedCalls: missed, isVerbose: verbose)
    remarks.sudoUser = user
    remarks.uid = uid
    return remarks.lines
  }

  @Test("a program that sudo made root is said to have been, unless it changes the user itself")
  func sudo() {
    #expect(
      remarks("/usr/bin/npm", user: "alice") == [
        "npm ran as root; as alice: sudo portwhy -- sudo -u alice npm …"
      ])
    for command in ["sudo", "/usr/bin/su", "runuser", "setpriv"] { #expect(remarks(command, user: "alice") == []) }
    #expect(remarks("npm") == [] && remarks("npm", user: "root") == [] && remarks("npm", saw: false, user: "a") == [])
  }

  @Test("a client of a daemon is told who binds, if it failed and nothing was seen")
  func daemons() {
    #expect(remarks("docker", saw: false).count == 1 && remarks("systemctl", saw: false).count == 1)
    #expect(remarks("docker") == [] && remarks("docker", failed: false, saw: false) == [])
    #expect(remarks("nginx", saw: false) == [])
  }

  @Test("calls that could not be looked at are told where they may be what failed")
  func missed() {
    #expect(remarks("a", saw: false, missed: 1).count == 1)
    #expect(remarks("a", failed: false, saw: false, missed: 1) == [])
    #expect(remarks("a", failed: false, saw: false, missed: 2, verbose: true).count == 1)
    #expect(remarks("a", missed: 1) == [])
  }
}
