import BindRules
import Glibc
import KernelLab
import Explanation
import SocketModel
import Testing

@testable import Answers

private func ask(
  _ ports: ClosedRange<Port>, _ transport: TransportProtocol = .tcp, uid: UInt32? = nil
) throws -> [TargetReport] {
  var question = Question(
    items: [QuestionItem(addresses: [.wildcard], ports: ports, transport: transport)], plan: Plan(uid: uid))
  question.usesBPF = false
  return try Portwhy.answerHere(question).targets
}

@Suite("A range of ports", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct RangeTests {
  @Test(
    "gets of each port the answer that the port gets alone: used, privileged, a client's, reserved",
    arguments: [nil, 0, 65534] as [UInt32?])
  func sameAsAlone(_ uid: UInt32?) throws {
    let sysctls = ["ipv4/ip_local_reserved_ports": "41003,41005-41006", "ipv4/ip_unprivileged_port_start": "1022"]
    let pairs = try NetworkNamespace.run(NamespaceConfiguration(devices: false, sysctls: sysctls)) {
      (_: inout NetworkNamespace) in
      let held = [Port(1021), Port(1024), Port(41001)].map { listener($0) }
      defer { for descriptor in held { close(descriptor) } }
      var pairs: [(together: TargetReport, alone: TargetReport)] = []
      // A child of another test may hold copies of this process's sockets for a moment, and is a holder more then.
      for _ in 0..<5 where pairs.isEmpty || pairs.contains(where: { $0.together != $0.alone }) {
        pairs = try askBoth(uid)
      }
      return pairs
    }
    #expect(pairs.count == 40)
    for (together, alone) in pairs { #expect(together == alone, "\(together.transport) \(together.port)") }
  }

  /// Each port's answer among others, and alone.
  private func askBoth(_ uid: UInt32?) throws -> [(together: TargetReport, alone: TargetReport)] {
    let ranges: [ClosedRange<Port>] = [1019...1027, 40999...41009]
    return try TransportProtocol.allCases.flatMap { transport in
      try ranges.flatMap { range in
        let numbers = range.lowerBound.rawValue...range.upperBound.rawValue
        let alone = try numbers.flatMap { try ask(Port($0)...Port($0), transport, uid: uid) }
        let together = try ask(range, transport, uid: uid)
        #expect(together.count == alone.count)
        // A free port to offer is looked for only beside a single one.
        return zip(together.map(withoutOtherPorts), alone.map(withoutOtherPorts)).map { ($0, $1) }
      }
    }
  }

  private func withoutOtherPorts(_ target: TargetReport) -> TargetReport {
    var target = target
    for index in target.attempts.indices {
      target.attempts[index].explanation.suggestions.removeAll { $0.kind == .otherPort }
    }
    return target
  }

  @Test("of every port is answered, and no port looks through the sockets of the others")
  func everyPort() throws {
    // A look through all sockets for each port would take minutes; how fast it is, `make bench` says.
    let count = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (_: inout NetworkNamespace) in
      let held = (20000..<20300).map { listener(Port($0)) }
      defer { for descriptor in held { close(descriptor) } }
      return try TransportProtocol.allCases.reduce(0) { try $0 + ask(1...65535, $1).count }
    }
    #expect(count == 2 * 65535)
  }
}
