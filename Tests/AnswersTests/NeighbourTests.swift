import Evidence
import BindRules
import Evidence
import Glibc
import KernelLab
import Explanation
import SocketModel
import Testing

@testable import Answers

/// The port offered instead of one that is taken, on a kernel that lists no sockets that are only bound.
private func offer(complete: Bool) throws -> (offset: Int?, certainty: Suggestion.Certainty?) {
  try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
    let port = try namespace.freshPort()
    let held = listener(port)
    defer { close(held) }
    let boundOnly = SocketObservation(
      transport: .tcp, family: .ipv4, local: Endpoint(address: .v4(.any), port: Port(port.rawValue + 1)),
      state: .close,
      reuseaddr: .known(false, .getsockopt), reuseport: .known(false, .getsockopt), uid: 0, inode: 1)
    let evidenceSources = EvidenceSources(
      listsBoundSockets: { _ in false },
      boundSockets: { ports, _ in
        FoundBoundSockets(
          sockets: ports.contains(boundOnly.local.port.rawValue) && complete ? [boundOnly] : [], complete: complete)
      },
      allBoundSockets: { _, _, _, _ in nil })
    let item = QuestionItem(
      addresses: [.address(.v4(.loopback), zone: nil)], ports: port...port, transport: .tcp)
    let report = try Portwhy.answerHere(Question(items: [item], plan: Plan(uid: 0)), evidenceSources)
    let suggestions = report.targets.first?.attempts.first?.explanation.suggestions ?? []
    let found = suggestions.first { $0.kind == .otherPort }
    let number = found.flatMap { $0.text.split { !$0.isNumber }.first.flatMap { Int($0) } }
    return (number.map { $0 - Int(port.rawValue) }, found?.certainty)
  }
}

@Suite("The free port nearby", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct NeighbourTests {
  @Test("is not one that somebody has only bound, on a kernel that does not list that")
  func boundOnly() throws {
    let found = try offer(complete: true)
    #expect(found.offset == 2 && found.certainty == .checked)
  }

  @Test("is no promise where sockets that are only bound cannot all be found")
  func unseen() throws {
    let found = try offer(complete: false)
    #expect(found.offset == 1)
    guard case .conditional = found.certainty else {
      Issue.record("\(String(describing: found.certainty))")
      return
    }
  }
}
