import BPFEvidence
import BindProbe
import BindRules
import Glibc
import KernelLab
import PortwhyExplanation
import SocketModel
import Testing

@testable import PortwhyKit

/// What was asked of the kernel for one answer.
private struct Asked {
  var evidence = 0
  var binds: [ReuseOptions] = []
}

/// Asks with `--probe` about a listener without options, with BPF evidence of its bucket and binds that answer as told.
private func probe(
  _ options: ReuseOptions, answers: @escaping (ReuseOptions) -> CallResult
) throws -> (attempt: AttemptReport?, asked: Asked) {
  try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
    let port = try namespace.freshPort()
    let held = listener(port)
    defer { close(held) }
    var asked = Asked()
    let instruments = Instruments(
      evidence: { _, _, dump, _, _ in
        asked.evidence += 1
        let bucket = BindBucket(
          port: port, fastReuse: false, fastReuseport: nil, fastUID: 0, fastFamily: .ipv4,
          fastAddress: .any, fastAddress4: .any, fastIPv6only: false)
        return EvidenceMerge(sockets: dump, buckets: [bucket])
      },
      bind: { _, options, _ in
        asked.binds.append(options)
        return .answered(answers(options))
      })
    let item = QuestionItem(
      addresses: [.address(.v4(.loopback), zone: nil)], ports: port.rawValue...port.rawValue, transport: .tcp)
    let question = Question(items: [item], options: options, uid: 0, probe: true)
    let report = try Portwhy.answerHere(question, instruments)
    return (report.targets.first?.attempts.first, asked)
  }
}

@Suite("A probe beside BPF evidence", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct ProbedEvidenceTests {
  @Test("that contradicts what only the evidence made sure is a contradiction, judged with evidence each time")
  func contradiction() throws {
    let (attempt, asked) = try probe(.reuseport) { _ in .ok }
    #expect(attempt?.contradictions.map(\.predicted.bind) == [.fails(.addressInUse)])
    #expect(attempt?.explanation.notes.map(\.kind).contains("probe-contradiction") == true)
    #expect(asked.evidence == 4, "once for the answer and once for each confirmation")
  }

  @Test("binds only what the evidence leaves open: all four combinations are asked of it first")
  func evidenceFirst() throws {
    let (attempt, asked) = try probe([]) { _ in .fails(.addressInUse) }
    #expect(asked.binds == [[]], "the planned combination is always checked")
    #expect(asked.evidence == 1 && attempt?.outcomes.map(\.source) == Array(repeating: .rules, count: 4))
  }
}
