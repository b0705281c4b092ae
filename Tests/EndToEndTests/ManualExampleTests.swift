import Glibc
import KernelLab
import Testing

/// What an example of the manual page must do.
private struct Expectation: Sendable {
  /// The example begins with this.
  var example: String
  /// A server listens on port 8080 meanwhile.
  var isTaken = true
  var status: Int32 = 0
  /// All that it prints, or a part of it for a screen; `PID` is the server's.
  var prints = ""
  var isWhole = false
}

/// In the order of the page.
private let expectations = [
  Expectation(example: "portwhy 8080", status: 1, prints: "fails (EADDRINUSE)"),
  Expectation(example: "portwhy --reuseaddr --uid www-data localhost:8080", status: 1, prints: "as www-data fails"),
  Expectation(example: "portwhy --runtime node 8080", status: 1, prints: "node sets SO_REUSEADDR by itself"),
  Expectation(example: "portwhy -q --reuseaddr 5353/udp && start-server", prints: "started\n", isWhole: true),
  Expectation(
    example: "portwhy -q --wait --timeout 90 8080 && start-server", isTaken: false, prints: "started\n", isWhole: true
  ),
  Expectation(example: "portwhy -q 8080\ncase $? in\n", status: 1, prints: "fails (EADDRINUSE)"),
  Expectation(example: "portwhy --json 8080 |\n  jq -r '.targets[].sockets", prints: "PID shop\n", isWhole: true),
  Expectation(example: "portwhy --free 8080-8089", prints: "8081\n", isWhole: true),
  Expectation(example: "portwhy --json |", prints: "8080/tcp\n", isWhole: true),
  Expectation(example: "portwhy --json 8080 > report.json", status: 1, prints: "SO_REUSEADDR"),
  Expectation(
    example: "portwhy --json 8080 |\n  jq -c", prints: #"[false,false,"EADDRINUSE","tcp.listener"]"#),
  Expectation(example: "sudo portwhy --netns \"$pid\" 80", prints: "80/tcp is free"),
]

@Suite(
  "The examples of the manual page", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct ManualExampleTests {
  /// The literal blocks of the section EXAMPLES.
  private func examples() throws -> [String] {
    let page = try text(of: "man/portwhy.1")
    let examples = try #require(page.split(separator: "\n.Sh EXAMPLES\n").last)
    let section = try #require(examples.split(separator: "\n.Sh ").first)
    let blocks = section.split(separator: "\n.Bd -literal -offset indent\n").dropFirst()
    return blocks.map { block in
      let lines = block.split(separator: "\n.Ed").first ?? ""
      return String(lines).replacing(#"\e"#, with: #"\"#)
    }
  }

  @Test("there are at least ten, and each is run here")
  func all() throws {
    let examples = try examples()
    #expect(examples.count >= 10 && examples.count == expectations.count)
    for (example, expectation) in zip(examples, expectations) {
      #expect(example.hasPrefix(expectation.example))
    }
  }

  @Test("each does what it says", arguments: expectations.indices)
  func run(_ index: Int) throws {
    let examples = try examples()
    let example = try #require(examples.indices.contains(index) ? examples[index] : nil)
    let expectation = expectations[index]
    let (ending, pid) = try NetworkNamespace.run { (_: inout NetworkNamespace) in
      let script = expectation.isTaken ? "$0 = 'shop'; our $s = listener(8080);" : ""
      return try withServer(script, port: 8080) { server in
        (try Self.run(example, pid: server.pid), server.pid)
      }
    }
    #expect(ending.status == expectation.status, "\(ending)")
    let printed = ending.output + ending.errors
    let expected = expectation.prints.replacing("PID", with: "\(pid)")
    #expect(expectation.isWhole ? printed == expected : printed.contains(expected), "\(example):\n\(printed)")
  }

  /// As a shell script, in a directory of its own, with a server that can be started and a sudo(8) that may.
  private static func run(_ example: String, pid: Int32) throws -> Ending {
    try inDirectory { directory in
      try write("#!/bin/sh\necho started\n", to: directory + "/bin/start-server", mode: 0o755)
      try write("#!/bin/sh\nexec \"$@\"\n", to: directory + "/bin/sudo", mode: 0o755)
      var start = Start()
      start.environment = ["PATH=\(directory)/bin:\(portwhyDirectory):/usr/bin:/bin", "LC_ALL=C.UTF-8", "pid=\(pid)"]
      return try EndToEndTests.run(["/bin/sh", "-c", "cd '\(directory)' || exit\n\(example)"], start)
    }
  }
}
