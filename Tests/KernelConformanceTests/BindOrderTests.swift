import BindRules
import KernelLab
import Answers
import SocketModel
import Testing

/// Two ways to the same sockets, and a bind that works after the one and fails after the other: why the rules may
/// answer `bind-order` and nothing surer in situations of this class.
struct TwoHistories: Sendable, CustomTestStringConvertible {
  var situation: String
  var options: ReuseOptions
  var attempt: String
  var works: [String]
  var fails: [String]

  init(
    _ situation: String, _ attempt: String, works: [String], fails: [String],
    options: ReuseOptions = .reuseport
  ) {
    self.situation = situation
    self.attempt = attempt
    self.works = works
    self.fails = fails
    self.options = options
  }

  var testDescription: String { situation }
}

/// What one history shows and what the kernel then does.
private struct Observed: Equatable {
  var problems: [String]
  var sockets: [SocketObservation]
  var predicted: String
  var actual: String
}

private func observe(_ holders: [String], _ row: TwoHistories, bpf: Bool) throws -> Observed {
  try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
    let scenario = Scenario(holders.map(holder), attempt(row.attempt))
    let copy = try namespace.build(scenario)
    let planned = scenario.attempt.bindAttempt(port: copy.port, interfaces: namespace.interfaces)
    let (outcomes, snapshot) = try Portwhy.judge(planned, bpf: bpf)
    // TCP's are listed by the hash of their address and port, which says nothing.
    let sockets = snapshot.sockets.map(comparable)
    let isTCP = scenario.attempt.transport == .tcp
    return Observed(
      problems: copy.outcomes.filter { !$0.isBuilt }.map(\.description),
      sockets: isTCP ? sockets.sorted { "\($0)" < "\($1)" } : sockets,
      predicted: outcomes.first { $0.options == row.options }.map { word($0) } ?? "no answer",
      actual: word(copy.tryBind(row.options)))
  }
}

/// Without what differs from run to run and decides nothing: numbers, clocks, ports, descriptors.
private func comparable(_ socket: SocketObservation) -> SocketObservation {
  var socket = socket
  socket.inode = socket.inode.map { _ in 1 }
  socket.cookie = 0
  socket.timer?.expires = 0
  socket.remote?.port = Port(1)
  socket.processes = []
  return socket
}

private let tcp: [TwoHistories] = [
  TwoHistories(
    "a bound socket", "127.0.0.1", works: ["bound 127.0.0.1 RP after-bind:RP=0"], fails: ["bound 127.0.0.1"]),
  TwoHistories(
    "a bound socket with SO_REUSEADDR, where another one came and went", "127.0.0.1",
    works: ["bound 127.0.0.1 RA", "visitor 127.0.0.1 RA RP"], fails: ["bound 127.0.0.1 RA"]),
  TwoHistories(
    "a listener", "127.0.0.1", works: ["listening 127.0.0.1 RP after-listen:RP=0"], fails: ["listening 127.0.0.1"]),
  TwoHistories(
    "a listener, for a bind that sets both options", "127.0.0.1",
    works: ["listening 127.0.0.1 RP after-listen:RP=0 after-listen:RA=1"], fails: ["listening 127.0.0.1 RA"],
    options: [.reuseaddr, .reuseport]),
  TwoHistories(
    "a listener of another user, given away by fchown(2)", "127.0.0.1",
    works: ["listening 127.0.0.1 RP end:owner=1000"], fails: ["listening 127.0.0.1 RP uid=1000"]),
  TwoHistories(
    "a child of another user", "127.0.0.1", works: ["child-only 127.0.0.1 RP uid=0 accept=1000"],
    fails: ["child-only 127.0.0.1 RP uid=1000 accept=1000"]),
  TwoHistories(
    "TIME_WAIT", "127.0.0.1", works: ["timewait-only 127.0.0.1 RP after-listen:RP=0"],
    fails: ["timewait-only 127.0.0.1"]),
  TwoHistories(
    "an orphan", "127.0.0.1", works: ["orphan-only 127.0.0.1 RP after-listen:RP=0"],
    fails: ["orphan-only 127.0.0.1"]),
  TwoHistories(
    "a client", "127.0.0.1", works: ["client 127.0.0.1 RP after-bind:RP=0"], fails: ["client 127.0.0.1"]),
  TwoHistories(
    "a socket on a device, where one on another device came and went", "0.0.0.0",
    works: ["bound 0.0.0.0 dev=dev0", "visitor 0.0.0.0 dev=dev1 RP"], fails: ["bound 0.0.0.0 dev=dev0"]),
  TwoHistories(
    "0.0.0.0, where a V6ONLY :: came and went", ":: DUAL",
    works: ["bound 0.0.0.0", "visitor :: V6ONLY RP"], fails: ["bound 0.0.0.0"]),
  TwoHistories(
    "two sockets with mixed options", "127.0.0.1", works: ["bound 127.0.0.1 RA", "bound 0.0.0.0 RA RP"],
    fails: ["bound 0.0.0.0 RA RP", "bound 127.0.0.1 RA"]),
]

private let udp: [TwoHistories] = [
  TwoHistories(
    "UDP: sockets of both families", "udp :: DUAL",
    works: ["udp bound 127.0.0.1 RA", "udp bound :: DUAL RA after-bind:RP=1"],
    fails: ["udp bound :: DUAL RA after-bind:RP=1", "udp bound 127.0.0.1 RA"]),
  TwoHistories(
    "UDP: a chain crowded by other ports", "udp 127.0.0.1",
    works: ["udp bound 0.0.0.0 RA", "udp bound 127.0.0.1 RA RP"],
    fails: ["udp bound 0.0.0.0 RA", "udp bound 127.0.0.1 RA RP", "udp neighbours 127.0.0.1"]),
  TwoHistories(
    "UDP: 127.0.0.6 beside an IPv6 connection in a crowded chain", "udp 127.0.0.6",
    works: ["udp connected :: DUAL peer=::1", "udp neighbours 127.0.0.1"], fails: ["udp connected :: DUAL peer=::1"],
    options: []),
]

@Suite(
  "The order of earlier binds",
  .enabled(if: kernelTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct BindOrderTests {
  @Test("decides beside sockets that look the same", arguments: tcp + udp)
  func histories(_ row: TwoHistories) throws {
    var works = try observe(row.works, row, bpf: false)
    var fails = try observe(row.fails, row, bpf: false)
    // UDP: the chains of two addresses are one in one of 128 namespaces (`udpTableSlots`).
    for _ in 0..<4 where [works.actual, fails.actual] != ["ok", "in-use"] {
      works = try observe(row.works, row, bpf: false)
      fails = try observe(row.fails, row, bpf: false)
    }
    #expect(works.problems + fails.problems == [])
    #expect(works.sockets == fails.sockets)
    #expect([works.actual, fails.actual] == ["ok", "in-use"])
    #expect([works.predicted, fails.predicted] == ["?", "?"])
  }

  @Test("of TCP is settled by the bind bucket that BPF reads", arguments: tcp)
  func bucket(_ row: TwoHistories) throws {
    let works = try observe(row.works, row, bpf: true)
    let fails = try observe(row.fails, row, bpf: true)
    #expect([works.predicted, fails.predicted] == ["ok", "in-use"])
    #expect([works.actual, fails.actual] == ["ok", "in-use"])
  }

  @Test("of UDP sockets of both families is read from the chain")
  func chain() throws {
    let row = try #require(udp.first)
    #expect(try observe(row.works, row, bpf: true).predicted == "ok")
    #expect(try observe(row.fails, row, bpf: true).predicted == "in-use")
  }
}
