import BindRules
@testable import KernelLab
import Explanation
import Answers
import SocketModel
import Testing

/// A socket as the cases below write it.
struct Planned: Sendable {
  var address: String
  var options: ReuseOptions
  var v6only = false
}

/// Two sockets on one port and a destination: who gets it, by the answer and in truth.
struct ReceiveCase: Sendable, CustomTestStringConvertible {
  var transport: TransportProtocol
  var other: Planned
  var planned: Planned
  var destination: String
  var rule: Delivery.Rule
  var receiver: Delivery.Receiver

  var testDescription: String {
    "\(rule.rawValue): \(transport.rawValue) \(planned.address) beside \(other.address), to \(destination)"
  }
}

private func row(
  _ transport: TransportProtocol, _ other: String, _ planned: String, _ options: ReuseOptions, to destination: String,
  _ rule: Delivery.Rule, _ receiver: Delivery.Receiver, othersOptions: ReuseOptions? = nil
) -> ReceiveCase {
  ReceiveCase(
    transport: transport, other: Planned(address: other, options: othersOptions ?? options),
    planned: Planned(address: planned, options: options), destination: destination, rule: rule, receiver: receiver)
}

private let receiveCases: [ReceiveCase] = [
  row(.udp, "0.0.0.0", "0.0.0.0", reuseaddr, to: "127.0.0.1", .lastBound, .this),
  row(.udp, "127.0.0.1", "127.0.0.1", reuseaddr, to: "127.0.0.1", .lastBound, .this),
  row(.udp, "::1", "::1", reuseaddr, to: "::1", .lastBound, .this),
  row(.udp, "0.0.0.0", "127.0.0.1", reuseaddr, to: "127.0.0.1", .specificFirst, .this),
  row(.udp, "127.0.0.1", "0.0.0.0", reuseaddr, to: "127.0.0.1", .specificFirst, .others),
  row(.udp, "::", "0.0.0.0", reuseaddr, to: "127.0.0.1", .ipv4First, .this),
  row(.udp, "0.0.0.0", "::", reuseaddr, to: "127.0.0.1", .ipv4First, .others),
  row(.udp, "0.0.0.0", "0.0.0.0", reuseport, to: "127.0.0.1", .reuseportHash, .split),
  row(.udp, "::1", "::1", reuseport, to: "::1", .reuseportHash, .split),
  row(.udp, "::1", "::1", both, to: "::1", .reuseportLast, .others, othersOptions: reuseaddr),
  row(.udp, "127.0.0.1", "127.0.0.1", both, to: "127.0.0.1", .lastBound, .this, othersOptions: reuseaddr),
  row(.tcp, "0.0.0.0", "0.0.0.0", reuseport, to: "127.0.0.1", .reuseportHash, .split),
  row(.tcp, "::", "::", reuseport, to: "::1", .reuseportHash, .split),
  row(.tcp, "::", "::", reuseport, to: "127.0.0.1", .reuseportHash, .split),
  row(.tcp, "0.0.0.0", "127.0.0.1", reuseport, to: "127.0.0.1", .specificFirst, .this),
  row(.tcp, "127.0.0.1", "0.0.0.0", reuseport, to: "127.0.0.1", .specificFirst, .others),
  row(.tcp, "::", "0.0.0.0", reuseport, to: "127.0.0.1", .ipv4First, .this),
  row(.tcp, "0.0.0.0", "::", reuseport, to: "127.0.0.1", .ipv4First, .others),
]

@Suite("Who receives")
struct ReceivesTests {
  @Test("is what real traffic shows", .enabled(if: kernelTestsRun), arguments: receiveCases)
  func traffic(_ example: ReceiveCase) throws {
    let (deliveries, truth) = try NetworkNamespace.run { (lab: inout NetworkNamespace) in
      let port = try lab.freshPort()
      let other = try open(example.transport, example.other, port)
      let item = QuestionItem(
        addresses: [.address(ip(example.planned.address), zone: nil)], ports: port...port,
        transport: example.transport)
      let question = Question(items: [item], plan: Plan(options: example.planned.options, v6only: false, uid: 0))
      let report = try Portwhy.answer(question)
      let deliveries = report.targets[0].attempts[0].explanation.deliveries
      let planned = try open(example.transport, example.planned, port)
      if example.transport == .udp {
        try send(32, to: example.destination, port)
      } else {
        try connect(32, to: example.destination, port)
      }
      return (deliveries, (planned.pending(example.transport), other.pending(example.transport)))
    }
    let family = ip(example.destination).family
    let fitting = deliveries.filter { $0.traffic != .multicast && ($0.family ?? family) == family }
    #expect(fitting.map(\.rule) == [example.rule])
    #expect(fitting.map(\.receiver) == [example.receiver])
    #expect(truth.0 + truth.1 == 32)
    switch example.receiver {
    case .this: #expect(truth.1 == 0)
    case .others: #expect(truth.0 == 0)
    case .split, .each: #expect(truth.0 > 0 && truth.1 > 0)
    }
  }

  private func open(_ transport: TransportProtocol, _ planned: Planned, _ port: Port) throws -> Socket {
    transport == .udp
      ? try bound(.udp, planned.address, port, planned.options)
      : try listening(planned.address, port, planned.options)
  }

  @Test("a device-bound socket goes before one that is not", .enabled(if: kernelTestsRun))
  func device() throws {
    let (deliveries, truth) = try NetworkNamespace.run { (lab: inout NetworkNamespace) in
      let port = try lab.freshPort()
      let other = try bound(.udp, "0.0.0.0", port, reuseaddr)
      let item = QuestionItem(
        addresses: [.address(.v4(.any), zone: nil)], ports: port...port, transport: .udp)
      let report = try Portwhy.answer(Question(items: [item], plan: Plan(options: .reuseaddr, device: "lo", uid: 0)))
      let planned = try Socket.open(.udp, .ipv4, reuseaddr)
      try SystemCalls.setOption(planned.descriptor, .bindToDevice, bytes: Array("lo".utf8) + [0])
      try planned.bind("0.0.0.0", port)
      let later = try bound(.udp, "0.0.0.0", port, reuseaddr)
      try send(4, to: "127.0.0.1", port)
      return (
        report.targets[0].attempts[0].explanation.deliveries,
        (planned.pending(.udp), other.pending(.udp), later.pending(.udp))
      )
    }
    let unicast = deliveries.filter { $0.traffic == .unicast }
    #expect(unicast.map(\.rule) == [.deviceFirst] && unicast.map(\.receiver) == [.this])
    #expect(truth == (4, 0, 0))
  }

  @Test("of TCP listeners that share no group the last gets every connection", .enabled(if: kernelTestsRun))
  func lastListener() throws {
    let (deliveries, truth) = try NetworkNamespace.run { (lab: inout NetworkNamespace) in
      let port = try lab.freshPort()
      let other = try listening("127.0.0.1", port, reuseport)
      // The bucket remembers root, whose next socket is let in, but into no group with another user's.
      try SystemCalls.changeOwner(other.descriptor, uid: 1000)
      let item = QuestionItem(
        addresses: [.address(.v4(.loopback), zone: nil)], ports: port...port, transport: .tcp)
      let report = try Portwhy.answer(Question(items: [item], plan: Plan(options: .reuseport, uid: 0)))
      let planned = try listening("127.0.0.1", port, reuseport)
      try connect(8, to: "127.0.0.1", port)
      return (report.targets[0].attempts[0].explanation.deliveries, (planned.pending(.tcp), other.pending(.tcp)))
    }
    #expect(deliveries.map(\.rule) == [.lastBound] && deliveries.map(\.traffic) == [.connections])
    #expect(deliveries.map(\.receiver) == [.this])
    #expect(deliveries.first?.text.contains("takes all new connections away from") == true)
    #expect(truth == (8, 0))
  }

  @Test("multicast goes to each, and is said to", .enabled(if: kernelTestsRun))
  func multicast() throws {
    let deliveries = try NetworkNamespace.run { (lab: inout NetworkNamespace) in
      let port = try lab.freshPort()
      let other = try bound(.udp, "0.0.0.0", port, reuseaddr)
      let item = QuestionItem(
        addresses: [.address(ip("224.0.0.251"), zone: nil)], ports: port...port, transport: .udp)
      let report = try Portwhy.answer(Question(items: [item], plan: Plan(options: .reuseaddr, uid: 0)))
      _ = consume other
      return report.targets[0].attempts[0].explanation.deliveries
    }
    #expect(deliveries.map(\.rule) == [.multicastCopy])
    #expect(deliveries.map(\.receiver) == [.each])
  }
}
