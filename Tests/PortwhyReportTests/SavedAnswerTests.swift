import BindRules
import KernelLab
import Explanation
import Answers
import SocketModel
import Testing

@testable import PortwhyReport

/// The question of a scenario's attempt, in the words of the command line.
private func question(_ attempt: Attempt, _ port: Port, _ options: ReuseOptions) -> Question {
  Question(
    items: [
      QuestionItem(
        addresses: [.address(attempt.address, zone: attempt.scope?.rawValue)], ports: port...port,
        transport: attempt.transport)
    ],
    plan: Plan(
      options: options, v6only: attempt.address.family == .ipv6 ? attempt.v6only : nil,
      device: attempt.device?.rawValue, uid: attempt.uid))
}

/// What decides in a report.
private func verdicts(_ report: Report) -> [String] {
  report.targets.flatMap { target in
    ["\(target.verdict, default: "-")"]
      + target.attempts.flatMap { attempt in
        attempt.outcomes.map { "\($0)" } + [
          "\(attempt.attempt)", "\(attempt.explanation.cause?.rawValue, default: "-")",
        ]
      }
  }
}

/// Reports of random scenarios with real sockets.
private func reports(_ numbers: Range<UInt64>, bpf: Bool) throws -> [Report] {
  try NetworkNamespace.run { namespace in
    var reports: [Report] = []
    for number in numbers {
      let scenario = ScenarioGenerator.scenario(seed: 5, number: number)
      let copy = try namespace.build(scenario)
      var question = question(scenario.attempt, copy.port, ReuseOptions.combinations[Int(number % 4)])
      question.usesBPF = bpf
      reports.append(try Portwhy.answer(question))
    }
    return reports
  }
}

@Suite("A real report that is read back", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct SavedAnswerTests {
  @Test(
    "gives the same bytes, and on any host the same verdicts",
    arguments: [(UInt64(0)..<150, true), (150..<250, false)])
  func random(_ numbers: Range<UInt64>, _ bpf: Bool) throws {
    var words: Set<String> = []
    for report in try reports(numbers, bpf: bpf) {
      let text = JSONReport.render(report)
      let saved = try JSONReport.read(Array(text.utf8)).report
      #expect(JSONReport.render(saved) == text)
      #expect(verdicts(try Portwhy.answer(from: saved)) == verdicts(report))
      words.formUnion(report.targets.map { "\($0.verdict, default: "-")" })
    }
    #expect(words.count >= 3, "the scenarios end alike: \(words)")
  }

  @Test("answers another plan as the host would have, from the same facts")
  func otherPlans() throws {
    let pairs = try NetworkNamespace.run { namespace in
      var pairs: [(here: Report, saved: Report)] = []
      for number in UInt64(1000)..<1030 {
        let scenario = ScenarioGenerator.scenario(seed: 5, number: number)
        let copy = try namespace.build(scenario)
        var asked = question(scenario.attempt, copy.port, [])
        let first = try Portwhy.answer(asked)
        asked.options = .reuseaddr
        asked.uid = 4242
        let saved = try JSONReport.read(Array(JSONReport.render(first).utf8)).report
        let changes = SavedQuestion(plan: Plan(options: .reuseaddr, uid: 4242))
        pairs.append((try Portwhy.answer(asked), try Portwhy.answer(from: saved, changes)))
        var named = changes
        named.items = asked.items
        pairs.append((try Portwhy.answer(asked), try Portwhy.answer(from: saved, named)))
      }
      return pairs
    }
    for pair in pairs { #expect(verdicts(pair.saved) == verdicts(pair.here)) }
  }

  @Test("lacks facts for a bind that was not asked about, and says undetermined")
  func otherAddress() throws {
    let report = try NetworkNamespace.run { namespace in
      try Portwhy.answer(question(Attempt(.tcp, .v4(.any)), namespace.freshPort(), []))
    }
    let port = try #require(report.targets.first?.port)
    let item = QuestionItem(
      addresses: [.address(ip("192.0.2.1"), zone: nil)], ports: port...port, transport: .tcp)
    #expect(report.targets.first?.verdict == .ok)
    #expect(try Portwhy.answer(from: report, SavedQuestion(items: [item])).targets.first?.verdict == .undetermined)
  }
}

@Suite("A question to a saved report")
struct SavedQuestionTests {
  private var saved: Report { report([free(8080), free(8081)]) }

  private func item(_ port: Port, _ transport: TransportProtocol = .tcp, zone: String? = nil) -> QuestionItem {
    let address: QuestionAddress = zone.map { .address(ip("fe80::1"), zone: $0) } ?? .wildcard
    return QuestionItem(addresses: [address], ports: port...port, transport: transport)
  }

  @Test("must be about a port of the report")
  func ports() throws {
    #expect(try Portwhy.answer(from: saved, SavedQuestion(items: [item(8081)])).targets.map(\.port) == [Port(8081)])
    #expect(throws: SavedReportError.portMissing(Port(8082), .tcp)) {
      try Portwhy.answer(from: saved, SavedQuestion(items: [item(8082)]))
    }
    #expect(throws: SavedReportError.portMissing(Port(8080), .udp)) {
      try Portwhy.answer(from: saved, SavedQuestion(items: [item(8080, .udp)]))
    }
    #expect(throws: SavedReportError.nothingToAnswer) {
      try Portwhy.answer(from: saved, SavedQuestion(transports: [.udp]))
    }
    #expect(try Portwhy.answer(from: report([])).targets.isEmpty)
  }

  @Test("that names an interface needs a report that lists them")
  func interfaces() throws {
    var blind = saved
    blind.host.interfaces = nil
    #expect(throws: SavedReportError.interfacesMissing("eth0")) {
      try Portwhy.answer(from: blind, SavedQuestion(plan: Plan(device: "eth0")))
    }
    #expect(throws: SavedReportError.interfacesMissing("eth1")) {
      try Portwhy.answer(from: blind, SavedQuestion(items: [item(8080, zone: "eth1")]))
    }
    let attempt = try Portwhy.answer(from: saved, SavedQuestion(plan: Plan(device: "eth0"))).targets[0].attempts[0]
      .attempt
    #expect(attempt.device == .interface(InterfaceIndex(rawValue: 2), name: "eth0"))
    // It may be an alternative name, which the report does not list.
    #expect(
      try Portwhy.answer(from: saved, SavedQuestion(plan: Plan(device: "no"))).targets[0].verdict == .undetermined)
  }

  @Test("plans what the runtime sets")
  func runtime() throws {
    let node = try #require(Runtime(named: "node"))
    let target = try Portwhy.answer(from: saved, SavedQuestion(plan: Plan(runtime: node))).targets[0]
    #expect(target.plan.runtime == node)
    #expect(target.plan.options == .reuseaddr)
  }
}
