import Evidence
import BindRules
import Explanation
import Glibc
import KernelLab
import SocketModel
import Testing

@testable import Answers

@Suite("An answer of the verdict alone", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct VerdictOnlyTests {
  @Test("is the same verdict, with the same planned outcome, and not a word", arguments: TransportProtocol.allCases)
  func sameVerdict(_ transport: TransportProtocol) throws {
    let (full, bare) = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
      let port = try namespace.freshPort()
      let held = listener(port)
      defer { close(held) }
      let item = QuestionItem(addresses: [.wildcard], ports: port...port, transport: transport)
      var question = Question(items: [item], plan: Plan(uid: 0, runtime: Runtime(named: "node")))
      let full = try Portwhy.answerHere(question)
      question.isVerdictOnly = true
      question.isDeep = true
      return (full, try Portwhy.answerHere(question))
    }
    #expect(bare.targets.map(\.verdict) == full.targets.map(\.verdict))
    #expect(bare.targets.map(\.plan) == full.targets.map(\.plan))
    let attempts = bare.targets.flatMap(\.attempts)
    #expect(attempts.map(\.attempt) == full.targets.flatMap(\.attempts).map(\.attempt))
    // What is likely is said, never part of the verdict.
    let planned = full.targets.flatMap(\.attempts).map { $0.outcome([]).map(withoutLikely) }
    #expect(attempts.map { $0.outcome([]) } == planned)
    #expect(attempts.allSatisfy { $0.explanation == Diagnosis() } && bare.targets.allSatisfy(\.notes.isEmpty))
    #expect(full.targets.contains { !$0.notes.isEmpty || $0.attempts.contains { $0.explanation != Diagnosis() } })
  }

  @Test("of every address, which was typed, passes over where the runtime binds by default")
  func everyAddress() throws {
    let judged = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
      let port = try namespace.freshPort()
      return try [QuestionAddress.wildcard, .everyAddress].map { address in
        let item = QuestionItem(addresses: [address], ports: port...port, transport: .tcp)
        let plan = Plan(uid: 0, runtime: Runtime(named: "postgres"))
        return try Portwhy.answer(Question(items: [item], plan: plan)).targets[0].attempts.map(\.attempt.address)
      }
    }
    #expect(judged == [[.v4(.loopback), .v6(.loopback)], [.v4(.any), .v6(.any)]])
  }

  @Test("looks for no holder where the dump decides, and for all of them where their options do")
  func holders() throws {
    for (options, isAsked) in [(ReuseOptions(), false), (.reuseaddr, false), (.reuseport, true)] {
      let socket = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
        let port = try namespace.freshPort()
        let held = listener(port)
        defer { close(held) }
        let item = QuestionItem(addresses: [.wildcard], ports: port...port, transport: .tcp)
        let question = Question(items: [item], plan: Plan(options: options, uid: 0), isVerdictOnly: true)
        return try Portwhy.answerHere(question).targets.first?.sockets.first
      }
      #expect(socket?.processes.isEmpty == !isAsked, "\(options)")
      #expect((socket?.reuseport.sure == nil) == !isAsked, "\(options)")
    }
  }

  @Test("from a saved report is that of the report")
  func saved() throws {
    let report = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
      let port = try namespace.freshPort()
      let held = listener(port)
      defer { close(held) }
      let item = QuestionItem(addresses: [.wildcard], ports: port...port, transport: .tcp)
      return try Portwhy.answerHere(Question(items: [item], plan: Plan(uid: 0)))
    }
    var question = SavedQuestion()
    question.isVerdictOnly = true
    let bare = try Portwhy.answer(from: report, question)
    #expect(bare.targets.map(\.verdict) == report.targets.map(\.verdict))
    #expect(bare.targets.flatMap(\.attempts).allSatisfy { $0.explanation == Diagnosis() })
  }
}

@Suite("Sockets that end while portwhy looks", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct VanishedTests {
  @Test("are told of once, however many ports are asked for")
  func once() throws {
    let targets = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
      let port = try namespace.freshPort()
      let held = [listener(port), listener(Port(port.rawValue + 1))]
      defer { for descriptor in held { close(descriptor) } }
      let sources = EvidenceSources(
        evidence: { _, _, dump, _, _, _, _ in EvidenceMerge(sockets: dump, buckets: [], vanished: 2) },
        holders: { _, _, _, _ in nil }, bucket: { _, _, _, _, _ in nil })
      let ports = port...port.advanced(by: 1)
      let item = QuestionItem(addresses: [.address(.v4(.loopback), zone: nil)], ports: ports, transport: .tcp)
      let question = Question(items: [item], plan: Plan(uid: 0))
      return try Portwhy.answerHere(question, sources).targets
    }
    #expect(targets.count == 2)
    #expect(targets.flatMap(\.notes).filter { $0.kind == .vanished } == [.vanished(2)])
  }
}

private func withoutLikely(_ outcome: BindOutcome) -> BindOutcome {
  var outcome = outcome
  outcome.likely = nil
  return outcome
}
