import BindRules
@testable import KernelLab
import Answers
import SocketModel
import Testing

/// UDP sockets that connect(2) moves between the chains by address, at the one moment or the other: no dump shows
/// when.
struct MovedByConnect: Sendable, CustomTestStringConvertible {
  var testDescription: String
  /// Where the second socket is bound; the first is on 0.0.0.0, with both options.
  var second: String
  /// Whether the first is disconnected again, which brings it back to the wildcard's chain.
  var comesBack: Bool

  /// The answer to a bind on 127.0.0.1 with SO_REUSEPORT alone, said and tried, and what was seen.
  func observe(connectsFirst: Bool) throws -> (predicted: String, actual: String, sockets: [String]) {
    try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let crowd = Scenario([holder("udp neighbours 127.0.0.1")], attempt("udp 127.0.0.1"))
      let copy = try namespace.build(crowd)
      let port = copy.port.rawValue
      let first = try bind(ip("0.0.0.0"), port, [.reuseaddr, .reuseport])
      defer { SystemCalls.close(first) }
      if connectsFirst { try move(first) }
      let other = try bind(ip(second), port, [.reuseaddr])
      defer { SystemCalls.close(other) }
      if !connectsFirst { try move(first) }
      let planned = crowd.attempt.bindAttempt(port: copy.port, interfaces: namespace.interfaces)
      let (outcomes, snapshot) = try Portwhy.judge(planned, bpf: false)
      let seen = snapshot.sockets.map { "\($0.local.address) \($0.state) \($0.reuseport)" }
      return (word(outcomes[2]), word(copy.tryBind(.reuseport)), seen)
    }
  }

  private func bind(_ address: IPAddress, _ port: UInt16, _ options: ReuseOptions) throws -> Int32 {
    let descriptor = try SystemCalls.socket(family: 2, type: 2)
    if options.contains(.reuseaddr) { try SystemCalls.setOption(descriptor, .reuseaddr, 1) }
    if options.contains(.reuseport) { try SystemCalls.setOption(descriptor, .reuseport, 1) }
    try SystemCalls.bind(descriptor, SocketAddress(address, port: port))
    return descriptor
  }

  private func move(_ descriptor: Int32) throws {
    try SystemCalls.connect(descriptor, SocketAddress(ip("127.0.0.1"), port: 9))
    if comesBack { try SystemCalls.connect(descriptor, .unspecified) }
  }
}

@Suite(.enabled(if: kernelTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct MovedByConnectTests {
  @Test(
    "a crowded chain has the order of binds but for what connect() moved",
    arguments: [
      MovedByConnect(testDescription: "to its address", second: "127.0.0.1", comesBack: false),
      MovedByConnect(testDescription: "and back to the wildcard", second: "0.0.0.0", comesBack: true),
    ])
  func order(_ situation: MovedByConnect) throws {
    var late = try situation.observe(connectsFirst: false)
    var early = try situation.observe(connectsFirst: true)
    // The chains of two addresses are one in one of 128 namespaces (`udpTableSlots`).
    for _ in 0..<4 where [late.actual, early.actual] != ["ok", "in-use"] {
      late = try situation.observe(connectsFirst: false)
      early = try situation.observe(connectsFirst: true)
    }
    #expect(late.sockets == early.sockets)
    #expect([late.actual, early.actual] == ["ok", "in-use"])
    #expect([late.predicted, early.predicted] == ["?", "?"])
  }
}
