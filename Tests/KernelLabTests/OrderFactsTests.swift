import BindRules
import KernelLab
import SocketModel
import Testing

private let a = ip("127.0.0.1")
private let any = ip("0.0.0.0")

/// Sections 1.4 and 2.2: results that depend on the order of earlier binds.
private let orderFacts: [KernelFact] = [
  KernelFact(
    "TCP: a SO_REUSEPORT wildcard bound after a socket without it opens the shortcut for the next",
    [Holder(.bound, .tcp, a, options: reuseaddr), Holder(.bound, .tcp, any, options: both)],
    Attempt(.tcp, a), reuseport, "ok"),
  KernelFact(
    "TCP: the same two bound the other way round do not",
    [Holder(.bound, .tcp, any, options: both), Holder(.bound, .tcp, a, options: reuseaddr)],
    Attempt(.tcp, a), reuseport, inUse),
  KernelFact(
    "TCP: RA, then RA and RP, then RP on one address works",
    [Holder(.bound, .tcp, a, options: reuseaddr), Holder(.bound, .tcp, a, options: both)],
    Attempt(.tcp, a), reuseport, "ok"),
  KernelFact(
    "TCP: a cleared SO_REUSEPORT stays in the bucket's memory",
    [Holder(.bound, .tcp, a, options: reuseport, changes: [Change(.afterBind, .reuseport(false))])],
    Attempt(.tcp, a), reuseport, "ok"),
  KernelFact(
    "UDP: the socket bound last is examined first: one with SO_REUSEPORT lets in",
    [Holder(.bound, .udp, a), Holder(.bound, .udp, ip("127.0.0.2"), options: reuseport)],
    Attempt(.udp, any), reuseport, "ok"),
  KernelFact(
    "UDP: one without it refuses",
    [Holder(.bound, .udp, ip("127.0.0.2"), options: reuseport), Holder(.bound, .udp, a)],
    Attempt(.udp, any), reuseport, inUse),
  KernelFact(
    "UDP: with few sockets on the port a specific bind sees the newest relevant socket",
    [Holder(.bound, .udp, any, options: reuseaddr), Holder(.bound, .udp, a, options: both)],
    Attempt(.udp, a), reuseport, "ok"),
  KernelFact(
    "UDP: with more than ten it also sees the wildcard's chain",
    [
      Holder(.bound, .udp, any, options: reuseaddr), Holder(.bound, .udp, a, options: both),
      Holder(.crowd(12), .udp, a, options: reuseaddr),
    ], Attempt(.udp, a), reuseport, inUse),
  KernelFact(
    "UDP: SO_REUSEADDR on both shares", [Holder(.bound, .udp, a, options: reuseaddr)], Attempt(.udp, a), reuseaddr,
    "ok"),
  KernelFact(
    "UDP: a connected socket counts with its own address", [Holder(.connected, .udp, any, peer: a)],
    Attempt(.udp, ip("127.0.0.2")), [], "ok"),
]

/// listen(2) that fails on a socket whose bind(2) worked: section 1.6.
private struct LateListen: Sendable, CustomTestStringConvertible {
  var sentence: String
  var holders: [Holder]
  /// The results of listen(2) on the holders in this order of indexes.
  var listens: [(holder: Int, result: String)]
  var testDescription: String { sentence }
}

private let lateListens: [LateListen] = [
  LateListen(
    sentence: "of two sockets bound with SO_REUSEADDR only one can listen",
    holders: [Holder(.bound, .tcp, a, options: reuseaddr), Holder(.listening, .tcp, a, options: reuseaddr)],
    listens: [(0, "EADDRINUSE")]),
  LateListen(
    sentence: "SO_REUSEADDR lets different users bind, SO_REUSEPORT does not let the second listen",
    holders: [
      Holder(.bound, .tcp, a, options: both), Holder(.bound, .tcp, a, options: both, uid: 1000),
    ], listens: [(0, "ok"), (1, "EADDRINUSE")]),
  LateListen(
    sentence: "SO_REUSEADDR cleared after bind makes one's own listen fail beside a leftover",
    holders: [
      Holder(.child(.timeWait, listenerStays: false), .tcp, a, options: reuseaddr),
      Holder(.bound, .tcp, a, options: reuseaddr, changes: [Change(.end, .reuseaddr(false))]),
    ], listens: [(1, "EADDRINUSE")]),
  LateListen(
    sentence: "setting it again cures",
    holders: [
      Holder(.child(.timeWait, listenerStays: false), .tcp, a, options: reuseaddr),
      Holder(
        .bound, .tcp, a, options: reuseaddr,
        changes: [Change(.end, .reuseaddr(false)), Change(.end, .reuseaddr(true))]),
    ], listens: [(1, "ok")]),
  LateListen(
    sentence: "a device taken away after bind makes both listens fail",
    holders: [
      Holder(.bound, .tcp, any, device: .dev0, changes: []),
      Holder(.bound, .tcp, any, device: .dev1, changes: [Change(.end, .device(nil))]),
    ], listens: [(0, "EADDRINUSE"), (1, "EADDRINUSE")]),
  LateListen(
    sentence: "who came in through the remembered SO_REUSEPORT locks the first one out",
    holders: [
      Holder(.bound, .tcp, a, options: reuseport, changes: [Change(.afterBind, .reuseport(false))]),
      Holder(.bound, .tcp, a, options: reuseport),
    ], listens: [(0, "EADDRINUSE"), (1, "ok")]),
]

@Suite(.enabled(if: kernelTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct OrderFactsTests {
  @Test("order", arguments: orderFacts)
  func order(_ fact: KernelFact) throws {
    var observed = try fact.observe()
    // The chains of 0.0.0.0 and of another address are one in one of 128 namespaces (`udpTableSlots`).
    for _ in 0..<4 where fact.attempt.transport == .udp && observed != fact.expected { observed = try fact.observe() }
    #expect(observed == fact.expected)
  }

  @Test("listen after bind", arguments: lateListens)
  private func listenAfterBind(_ row: LateListen) throws {
    let observed = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let copy = try namespace.build(Scenario(row.holders, Attempt(.tcp, any)))
      return copy.outcomes.map(\.description)
        + row.listens.map { listen in
          switch copy.tryListen(holder: listen.holder) {
          case .ok: "ok"
          case .fails(let error): error.description
          case .undetermined: "undetermined"
          }
        }
    }
    #expect(observed == row.holders.map { _ in "built" } + row.listens.map(\.result))
  }
}
