import Evidence
import BindRules
import Glibc
import KernelLab
import Linux
import Explanation
import Netlink
import SocketModel
import Testing

@testable import Answers

/// What was asked of the kernel for one answer.
private struct Asked {
  var evidence = 0
  var binds: [ReuseOptions] = []
}

/// Asks about a listener without options, with BPF evidence of its bucket and binds that answer as told.
private func ask(
  _ options: ReuseOptions, probe: Bool = false, bpf: Bool = true, verdictOnly: Bool = false,
  hasBucket: Bool = false,
  answers: @escaping (ReuseOptions) -> CallResult = { _ in .ok }
) throws -> (attempt: AttemptReport?, asked: Asked) {
  try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
    let port = try namespace.freshPort()
    let held = listener(port)
    defer { close(held) }
    var asked = Asked()
    let bucket = BindBucket(
      port: port, fastReuse: false, fastReuseport: nil, fastUID: 0, fastFamily: .ipv4,
      fastAddress: .any, fastAddress4: .any, fastIPv6only: false)
    let evidenceSources = EvidenceSources(
      evidence: { _, _, dump, _, _, _, _ in
        asked.evidence += 1
        return EvidenceMerge(sockets: dump, buckets: [bucket])
      },
      // An iterator that finds the holders, as where many files are open, finds the real bucket too.
      holders: { _, _, _, _ in nil }, bucket: { _, _, _, _, _ in hasBucket ? bucket : nil },
      bind: { _, options, _ in
        asked.binds.append(options)
        return .answered(answers(options))
      })
    let item = QuestionItem(
      addresses: [.address(.v4(.loopback), zone: nil)], ports: port...port, transport: .tcp)
    var question = Question(items: [item], plan: Plan(options: options, uid: 0), probes: probe)
    question.usesBPF = bpf
    question.isVerdictOnly = verdictOnly
    let report = try Portwhy.answerHere(question, evidenceSources)
    return (report.targets.first?.attempts.first, asked)
  }
}

@Suite("A probe beside BPF evidence", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct ProbedEvidenceTests {
  @Test("that contradicts what only the evidence made sure is a contradiction, judged with evidence each time")
  func contradiction() throws {
    let (attempt, asked) = try ask(.reuseport, probe: true) { _ in .ok }
    #expect(attempt?.contradictions.map(\.predicted.bind) == [.fails(.addressInUse)])
    #expect(attempt?.explanation.notes.map(\.kind).contains(.probeContradiction) == true)
    #expect(asked.evidence == 4, "once for the answer and once for each confirmation")
  }

  @Test("binds only what the evidence leaves open: all four combinations are asked of it first")
  func evidenceFirst() throws {
    let (attempt, asked) = try ask([], probe: true) { _ in .fails(.addressInUse) }
    #expect(asked.binds == [[]], "the planned combination is always checked")
    #expect(asked.evidence == 1 && attempt?.outcomes.map(\.source) == Array(repeating: .rules, count: 4))
  }
}

@Suite("All four combinations", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct CompleteTests {
  @Test("are settled where one of them is open, whatever is planned")
  func complete() throws {
    let (attempt, asked) = try ask([])
    #expect(asked.evidence == 1)
    #expect(attempt?.outcomes.allSatisfy { $0.bind == .fails(.addressInUse) } == true)
  }

  @Test("need no table where the bucket of a held socket settles them")
  func bucketFirst() throws {
    let (attempt, asked) = try ask([], hasBucket: true)
    #expect(asked.evidence == 0)
    #expect(attempt?.outcomes.allSatisfy { $0.bind == .fails(.addressInUse) } == true)
  }

  @Test("are left as they are with --no-bpf, and where the verdict alone is asked and settled")
  func notAsked() throws {
    for (bpf, verdictOnly) in [(false, false), (true, true)] {
      let (attempt, asked) = try ask([], bpf: bpf, verdictOnly: verdictOnly)
      #expect(asked.evidence == 0)
      #expect(attempt?.outcomes.map(\.verdict).contains(.undetermined) == true)
    }
  }
}

@Suite("What tells VRFs", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct VRFReadTests {
  @Test("is read beside a TCP socket without a device only where there may be some", arguments: [false, true])
  func vrfs(mayHaveVRFs: Bool) throws {
    let host = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
      let port = try namespace.freshPort()
      let held = listener(port)
      defer { close(held) }
      let item = QuestionItem(
        addresses: [.address(.v4(.any), zone: nil)], ports: port...port, transport: .tcp)
      let question = Question(items: [item], plan: Plan(options: [], uid: 0))
      return try Portwhy.answerHere(question, EvidenceSources(mayHaveVRFs: { _ in mayHaveVRFs })).host
    }
    #expect((host.tcpL3mdevAccept != nil) == mayHaveVRFs && (host.mayHaveVRFs != nil) == mayHaveVRFs)
  }
}

@Suite("Sockets that are only bound", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct AllBoundSocketsTests {
  /// On this kernel the dump lists them, which is what the descriptors have to find on one whose dumps do not.
  @Test("are found through descriptors as the dump lists them, whatever they were before")
  func asListed() throws {
    try NetworkNamespace.run(NamespaceConfiguration()) { namespace in
      var found: [SocketState] = []
      let kinds: [HolderKind] = [.bound, .shutDownListener, .disconnected, .refused, .listening, .synSent]
      for (kind, transport) in kinds.map({ ($0, HolderProtocol.tcp) }) + [
        (.bound, .mptcp), (.shutDownListener, .mptcp),
      ] {
        for choice in [PortChoice.explicit, .automatic] {
          var holder = Holder(kind, transport, .v6(.any))
          holder.options = .reuseaddr
          holder.peer = .v6(.loopback)
          holder.port = choice
          let copy = try namespace.build(Scenario([holder], Attempt(.tcp, .v4(.any))))
          let ports = copy.port.rawValue...copy.port.rawValue
          var use: BPFUse?
          let host = try HostReader().read(.networkNamespace)
          let all = try #require(KernelEvidence.boundSockets(ports, host, &use, ProcessFiles()))
          let listed = try SocketDump().sockets(.tcp, ports: ports).filter { $0.state == .close }
          #expect(Set(all.map(\.inode)) == Set(listed.map(\.inode)), "\(kind) \(transport) \(choice)")
          #expect(all.map(\.local) == listed.map(\.local) && all.map(\.uid) == listed.map(\.uid))
          #expect(all.allSatisfy { $0.reuseaddr == .known(true, .bpf) })
          #expect(use?.iterators == ["task_file"])
          found += all.map(\.state)
        }
      }
      #expect(found.count >= 6 && Set(found) == [.close])
    }
  }
}
