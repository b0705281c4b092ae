import CProcessTestSupport
import Glibc
import KernelLab
import SocketModel
import Testing

/// What becomes of a listener while portwhy is stopped between two of its system calls.
private struct Fate: Sendable, CustomTestStringConvertible {
  var testDescription: String
  /// Perl; `$v` is the socket, and the answer is written by whoever is left.
  var script: String
}

private let fates = [
  Fate(testDescription: "it closes the socket", script: "close($v); syswrite(STDOUT, 'x');"),
  Fate(testDescription: "it exits", script: "exit;"),
  Fate(
    testDescription: "it becomes another program that keeps the socket",
    script: "exec('/bin/sh', '-c', 'printf x; exec /bin/cat');"),
  Fate(
    testDescription: "the descriptor stands for another socket of the port, with other options",
    script: """
      my $w = open_victim(); duplicate(fileno($w), fileno($v)); syswrite(STDOUT, 'x');
      """),
  Fate(
    testDescription: "it leaves the socket to a child and exits",
    script: "if (fork() == 0) { syswrite(STDOUT, 'x'); close(STDOUT); <STDIN>; } exit;"),
]

private let victim = """
  sub open_victim {
    socket(my $s, AF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_REUSEPORT, 1) or die;
    bind($s, pack_sockaddr_in($port, pack('C4', 127, 0, 0, 2))) or die; listen($s, 8); return $s;
  }
  # dup3(2), which is in no module of perl-base.
  sub duplicate { syscall(\(test_dup3_number), @_, 0) >= 0 or die "dup2: $!" }
  our $v = open_victim(); print "ready\\n"; sysread(STDIN, my $byte, 1);
  """

/// Looks at a port while the listener on its 127.0.0.2 meets its fate before system call `step`.
private func look(
  _ fate: Fate, step: Int, _ words: [String], _ port: UInt16
) throws -> (status: Int32, lines: [String]) {
  try withServer(victim + fate.script, port: port) { server in
    let interruption = test_interruption(step: step, command: server.input, answer: server.output)
    return watch(words, interruption: interruption)
  }
}

@Suite("Interrupted looks", .enabled(if: endToEndTestsRun && !isSanitized, "need CAP_SYS_ADMIN and no sanitizer"))
struct InterruptedLookTests {
  @Test(
    "whatever becomes of a process between two system calls, nothing breaks and stable sockets are judged right",
    arguments: fates)
  private func interrupted(_ fate: Fate) throws {
    let wrong = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (namespace: inout NetworkNamespace) in
      let port = try namespace.freshPort().rawValue
      let stable = """
        socket(our $s, AF_INET, SOCK_STREAM, 0);
        bind($s, pack_sockaddr_in($port, INADDR_LOOPBACK)) or die; listen($s, 8);
        """
      return try withServer(stable, port: port) { _ -> [String] in
        var wrong: [String] = []
        // A stable listener, nobody's address, and the victim's own, of which anything may be true.
        let looks: [([String], ClosedRange<Int32>)] = [
          (["--json", "127.0.0.1:\(port)"], 1...1), (["--json", "127.0.0.3:\(port)"], 0...0),
          (["--json", "--reuseport", "127.0.0.2:\(port)"], 0...2),
        ]
        var step = 1
        while wrong.count < 5 {
          let (words, expected) = looks[step % looks.count]
          let (status, lines) = try look(fate, step: step, words, port)
          let strange = lines.filter { !expectedLines.contains($0) }
          if !expected.contains(status) || !strange.isEmpty { wrong.append("\(step) \(words): \(status) \(strange)") }
          // Past the end of the look.
          if !lines.contains("interrupted") { break }
          step += stride
        }
        return step > 100 ? wrong : wrong + ["the look ended after \(step) steps"]
      }
    }
    #expect(wrong == [])
  }
}

/// A slow machine's child does not answer in time, and is killed.
private let expectedLines: Set<String> =
  getenv("PORTWHY_STRIDE") == nil ? ["interrupted", "duplicate"] : ["interrupted", "duplicate", "call kill"]

/// Every so many system calls; 1 takes five minutes. Prime, so that each of the looks meets each part of its way.
private let stride = getenv("PORTWHY_STRIDE").flatMap { Int(String(cString: $0)) } ?? 53
