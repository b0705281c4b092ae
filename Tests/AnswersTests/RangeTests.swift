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
    let (together, alone) = try NetworkNamespace.run(NamespaceConfiguration(devices: false, sysctls: sysctls)) {
      (_: inout NetworkNamespace) in
      let held = [Port(1021), Port(1024), Port(41001)].map { listener($0) }
      defer { for descriptor in held { close(descriptor) } }
      let ranges: [ClosedRange<Port>] = [1019...1027, 40999...41009]
      let together = try TransportProtocol.allCases.flatMap { transport in
        try ranges.flatMap { try ask($0, transport, uid: uid) }
      }
      let alone = try TransportProtocol.allCases.flatMap { transport in
        try ranges.flatMap { range in
          try (range.lowerBound.rawValue...range.upperBound.rawValue).flatMap { number in
            try ask(Port(number)...Port(number), transport, uid: uid)
          }
        }
      }
      return (together, alone)
    }
    #expect(together.count == 40 && together.count == alone.count)
    for (one, other) in zip(together, alone) {
      // A free port to offer is looked for only beside a single one.
      var (one, other) = (one, other)
      for index in other.attempts.indices {
        one.attempts[index].explanation.suggestions.removeAll { $0.kind == .otherPort }
        other.attempts[index].explanation.suggestions.removeAll { $0.kind == .otherPort }
      }
      #expect(one == other, "\(one.transport) \(one.port)")
    }
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
