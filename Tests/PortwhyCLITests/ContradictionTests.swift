import BindRules
import Explanation
import Answers
import SocketModel
import Testing

@testable import PortwhyCLI

@Suite("A probe that contradicts a sure answer")
struct ContradictionTests {
  private func report(contradicted: Bool) -> Report {
    let attempt = BindAttempt(transport: .tcp, address: .v4(.loopback), port: Port(8080), uid: 1000)
    let predicted = BindOutcome(options: .reuseaddr, bind: .ok, listen: .ok)
    let found = ProbeContradiction(predicted: predicted, answered: .fails(.addressInUse))
    let target = TargetReport(
      transport: .tcp, port: Port(8080), plan: Plan(options: .reuseaddr, uid: 1000), verdict: .fails(.addressInUse),
      sockets: [],
      attempts: [
        AttemptReport(
          attempt: attempt, outcomes: [], explanation: Diagnosis(cause: nil, why: []),
          contradictions: contradicted ? [found] : [])
      ])
    return Report(
      version: "0", capturedAt: 0, host: HostFacts(kernel: KernelVersion(major: 6, minor: 1), uid: 0),
      visibility: Visibility(), targets: [target])
  }

  @Test("ends with 70, and nothing else does")
  func status() {
    #expect(ExitStatus(report(contradicted: true)) == .software)
    #expect(ExitStatus(report(contradicted: false)) == .fails)
  }

  @Test("is told with everything needed to reproduce it: the socket, both answers, the whole report")
  func lines() throws {
    let lines = contradictionLines(report(contradicted: true))
    #expect(contradictionLines(report(contradicted: false)).isEmpty)
    try #require(lines.count == 3)
    #expect(lines[0].contains("report") && lines.allSatisfy { !$0.contains("\n") })
    for part in ["8080/tcp", "127.0.0.1", "uid 1000", "SO_REUSEADDR true", "predicted ok", "EADDRINUSE"] {
      #expect(lines[1].contains(part))
    }
    #expect(lines[2].hasPrefix("{\"schema\":\"portwhy.report/1\"") && lines[2].hasSuffix("}"))
  }
}
