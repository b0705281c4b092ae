import BindRules
import Glibc
import KernelLab
import SocketModel
import Testing

/// What the kernel must show of a holder that was built.
private struct StateFact: Sendable, CustomTestStringConvertible {
  var sentence: String
  var holder: Holder
  /// getsockopt(TCP_INFO) of the main socket; nil where it is closed or not TCP.
  var main: SocketState?
  /// The lines of /proc/net of the port under test, without order: the state, `-` added where nobody has a
  /// descriptor.
  var table: [String]
  var testDescription: String { sentence }
}

private let a = ip("127.0.0.1")

private func connectionFacts(_ state: ConnectionState, _ shown: SocketState, orphan: Bool) -> [StateFact] {
  let line = "\(shown)" + (orphan ? "-" : "")
  return [a, ip("::1")].flatMap { address in
    [
      StateFact(
        sentence: "\(state.rawValue) of a listener that stays, \(address)",
        holder: Holder(.child(state, listenerStays: true), .tcp, address), main: .listen, table: ["LISTEN", line]),
      StateFact(
        sentence: "\(state.rawValue) of a listener that has gone, \(address)",
        holder: Holder(.child(state, listenerStays: false), .tcp, address), main: nil, table: [line]),
    ]
      + PortChoice.allCases.map { port in
        StateFact(
          sentence: "\(state.rawValue) of a client, port \(port.rawValue), \(address)",
          holder: Holder(.client(state), .tcp, address, port: port), main: orphan ? nil : shown, table: [line])
      }
  }
}

private let facts: [StateFact] =
  connectionFacts(.established, .established, orphan: false)
  + connectionFacts(.finWait1, .finWait1, orphan: false)
  + connectionFacts(.finWait1Orphan, .finWait1, orphan: true)
  + connectionFacts(.finWait2, .finWait2, orphan: false)
  + connectionFacts(.finWait2Orphan, .finWait2, orphan: true)
  + connectionFacts(.finWait2TimeWait, .finWait2, orphan: true)
  + connectionFacts(.timeWait, .timeWait, orphan: true)
  + connectionFacts(.closeWait, .closeWait, orphan: false)
  + connectionFacts(.lastAck, .lastAck, orphan: false)
  + connectionFacts(.lastAckOrphan, .lastAck, orphan: true)
  + connectionFacts(.closing, .closing, orphan: false)
  + connectionFacts(.closingOrphan, .closing, orphan: true)
  + [
    StateFact(
      sentence: "bound: in no line of /proc/net", holder: Holder(.bound, .tcp, a), main: .close, table: []),
    StateFact(
      sentence: "bound by port 0", holder: Holder(.bound, .tcp, a, port: .automatic), main: .close, table: []),
    StateFact(
      sentence: "listening", holder: Holder(.listening, .tcp, ip("::")), main: .listen, table: ["LISTEN"]),
    StateFact(
      sentence: "listening on a port the kernel chose", holder: Holder(.listening, .tcp, a, port: .automatic),
      main: .listen, table: ["LISTEN"]),
    StateFact(
      sentence: "a shut-down listener", holder: Holder(.shutDownListener, .tcp, a), main: .close, table: []),
    StateFact(
      sentence: "a queued child", holder: Holder(.queuedChild, .tcp, a), main: .listen,
      table: ["LISTEN", "ESTABLISHED-"]),
    StateFact(
      sentence: "a child on its device", holder: Holder(.queuedChild, .tcp, ip("0.0.0.0"), device: .dev0),
      main: .listen, table: ["LISTEN", "ESTABLISHED-"]),
    StateFact(
      sentence: "a client on its device", holder: Holder(.client(.established), .tcp, ip("10.77.0.1"), device: .dev0),
      main: .established, table: ["ESTABLISHED"]),
    StateFact(
      sentence: "a request in progress", holder: Holder(.requestInProgress, .tcp, a), main: .listen,
      table: ["LISTEN", "SYN_RECV-"]),
    StateFact(
      sentence: "connect without an answer", holder: Holder(.synSent, .tcp, a), main: .synSent, table: ["SYN_SENT"]),
    StateFact(
      sentence: "the same over IPv6, by connect alone", holder: Holder(.synSent, .tcp, ip("::1"), port: .automatic),
      main: .synSent, table: ["SYN_SENT"]),
    StateFact(
      sentence: "the same with an IPv4-mapped address", holder: Holder(.synSent, .tcp, ip("::ffff:127.0.0.1")),
      main: .synSent, table: ["SYN_SENT"]),
    StateFact(sentence: "refused", holder: Holder(.refused, .tcp, a), main: .close, table: []),
    StateFact(sentence: "disconnected", holder: Holder(.disconnected, .tcp, a), main: .close, table: []),
    StateFact(
      sentence: "connected to itself", holder: Holder(.selfConnected, .tcp, a), main: .established,
      table: ["ESTABLISHED"]),
    StateFact(
      sentence: "connected to itself by connect alone", holder: Holder(.selfConnected, .tcp, a, port: .automatic),
      main: .established, table: ["ESTABLISHED"]),
    StateFact(
      sentence: "an MPTCP listener is a TCP listener below", holder: Holder(.listening, .mptcp, a), main: .listen,
      table: ["LISTEN"]),
    StateFact(sentence: "UDP bound", holder: Holder(.bound, .udp, ip("::")), main: nil, table: ["BOUND"]),
    StateFact(
      sentence: "UDP connected", holder: Holder(.connected, .udp, a), main: nil, table: ["ESTABLISHED"]),
    StateFact(
      sentence: "UDP connected, port by the kernel", holder: Holder(.connected, .udp, a, port: .automatic), main: nil,
      table: ["ESTABLISHED"]),
    StateFact(sentence: "UDP disconnected", holder: Holder(.disconnected, .udp, a), main: nil, table: ["BOUND"]),
    StateFact(
      sentence: "UDP in numbers", holder: Holder(.crowd(11), .udp, ip("::ffff:0.0.0.0")), main: nil,
      table: Array(repeating: "BOUND", count: 11)),
  ]

@Suite(.enabled(if: kernelTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct HolderStateTests {
  @Test("each kind is in the state it claims", arguments: facts)
  private func state(_ fact: StateFact) throws {
    let scenario = Scenario([fact.holder], Attempt(.tcp, a))
    let (outcomes, main, table) = try NetworkNamespace.run(scenario.furniture()) {
      (namespace: inout NetworkNamespace) in
      let copy = try namespace.build(scenario)
      var lines: [String] = []
      // A child that another test has just started has a copy of every descriptor for a moment.
      for _ in 0..<200 {
        lines = try namespace.socketTable(copy.port).map { "\($0.state)" + ($0.inode == 0 ? "-" : "") }
        if lines.sorted() == fact.table.sorted() { break }
        usleep(5000)
      }
      return (copy.outcomes, copy.state(of: copy.sockets.first?.main), lines)
    }
    #expect(outcomes == [.built])
    #expect(main == fact.main)
    #expect(table.sorted() == fact.table.sorted())
  }

  @Test("the states that only a full window keeps are still there after the delayed acknowledgement")
  func fullWindowStays() throws {
    let states: [ConnectionState] = [.finWait1, .finWait1Orphan, .lastAckOrphan, .closing, .closingOrphan]
    let holders = states.enumerated().map { index, state in
      Holder(.child(state, listenerStays: false), .tcp, .v4(IPv4Address(127, 0, 0, UInt8(index + 1))))
    }
    let shown = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let copy = try namespace.build(Scenario(holders, Attempt(.tcp, a)))
      let end = ContinuousClock.now + .milliseconds(120)
      while ContinuousClock.now < end {}
      return try namespace.socketTable(copy.port).map { $0.state.description }.sorted()
    }
    #expect(shown == ["CLOSING", "CLOSING", "FIN_WAIT1", "FIN_WAIT1", "LAST_ACK"])
  }

  @Test("a socket has the uid of its maker, an accepted one that of its accepter, fchown changes both")
  func users() throws {
    let holders = [
      Holder(.listening, .tcp, a, uid: 1000),
      Holder(.child(.established, listenerStays: true), .tcp, ip("127.0.0.2"), uid: 1001, acceptUID: 1002),
      Holder(.listening, .tcp, ip("127.0.0.3"), owner: 1003),
      Holder(.listening, .tcp, ip("127.0.0.4"), uid: 1000, changes: [Change(.end, .owner(1004))]),
      Holder(.queuedChild, .tcp, ip("127.0.0.5"), uid: 1005),
    ]
    let uids = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let copy = try namespace.build(Scenario(holders, Attempt(.tcp, a)))
      return try namespace.socketTable(copy.port).map { "\($0.local.address) \($0.state) \($0.uid)" }.sorted()
    }
    #expect(
      uids == [
        "127.0.0.1 LISTEN 1000", "127.0.0.2 ESTABLISHED 1002", "127.0.0.2 LISTEN 1001", "127.0.0.3 LISTEN 1003",
        "127.0.0.4 LISTEN 1004", "127.0.0.5 ESTABLISHED 1005", "127.0.0.5 LISTEN 1005",
      ])
  }

  @Test("a holder that cannot be built is recorded, leaves no socket, and the others stand")
  func notBuilt() throws {
    let holders = [Holder(.listening, .tcp, a), Holder(.queuedChild, .tcp, ip("0.0.0.0")), Holder(.bound, .udp, a)]
    let (outcomes, lines) = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let copy = try namespace.build(Scenario(holders, Attempt(.tcp, a)))
      return (copy.outcomes, try namespace.socketTable(copy.port).map { "\($0.transport) \($0.state)" })
    }
    #expect(outcomes == [.built, .notBuilt(CallFailure(.bind, .addressInUse)), .built])
    #expect(lines == ["tcp LISTEN", "udp BOUND"])
  }

  @Test("connections reach their own holder's listener among several that share the port with SO_REUSEPORT")
  func sharedListeners() throws {
    let holders = [
      Holder(.listening, .tcp, a, options: .reuseport), Holder(.requestInProgress, .tcp, a, options: .reuseport),
      Holder(.queuedChild, .tcp, a, options: .reuseport),
      Holder(.child(.established, listenerStays: true), .tcp, a, options: .reuseport),
    ]
    let expected = ["ESTABLISHED", "ESTABLISHED-", "LISTEN", "LISTEN", "LISTEN", "LISTEN", "SYN_RECV-"]
    let tables = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      var tables: Set<[String]> = []
      for _ in 0..<50 {
        let copy = try namespace.build(Scenario(holders, Attempt(.tcp, a)))
        var rows: [String] = []
        // A busy kernel takes its time to end the connections that went to another listener and were given up.
        for _ in 0..<20 {
          rows = try namespace.socketTable(copy.port).map { "\($0.state)" + ($0.inode == 0 ? "-" : "") }.sorted()
          if rows == expected { break }
          usleep(50_000)
        }
        tables.insert(copy.outcomes.filter { !$0.isBuilt }.map(\.description) + rows)
      }
      return tables
    }
    #expect(tables == [expected])
  }
}
