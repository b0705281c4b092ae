import BindRules
import KernelLab
import SocketModel
import Testing

private let a = ip("127.0.0.1")
private let any = ip("0.0.0.0")

private func child(_ state: ConnectionState, stays: Bool = false) -> HolderKind {
  .child(state, listenerStays: stays)
}

/// Section 1.3: what the options of two sockets allow.
private let reuseFacts: [KernelFact] = [
  KernelFact("a bound socket blocks", [Holder(.bound, .tcp, a)], Attempt(.tcp, a), [], inUse),
  KernelFact(
    "SO_REUSEADDR on the new socket alone does not help", [Holder(.bound, .tcp, a)], Attempt(.tcp, a), reuseaddr,
    inUse),
  KernelFact(
    "SO_REUSEADDR on both lets a socket bind beside a bound one",
    [Holder(.bound, .tcp, a, options: reuseaddr)], Attempt(.tcp, a), reuseaddr, "ok"),
  KernelFact(
    "SO_REUSEADDR on both never helps against a listener",
    [Holder(.listening, .tcp, a, options: reuseaddr)], Attempt(.tcp, a), reuseaddr, inUse),
  KernelFact(
    "a shut-down listener is only bound", [Holder(.shutDownListener, .tcp, a, options: reuseaddr)],
    Attempt(.tcp, a), reuseaddr, "ok"),
  KernelFact(
    "SO_REUSEPORT on both shares with a listener of the same user",
    [Holder(.listening, .tcp, a, options: reuseport)], Attempt(.tcp, a), reuseport, "ok"),
  KernelFact(
    "SO_REUSEPORT of different users does not share",
    [Holder(.listening, .tcp, a, options: reuseport, uid: 1000)], Attempt(.tcp, a), reuseport, inUse),
  KernelFact(
    "root has no exception from the user check",
    [Holder(.listening, .tcp, a, options: reuseport)], Attempt(.tcp, a, uid: 1000), reuseport, inUse),
  KernelFact(
    "the user is that of the moment of socket(2): setfsuid",
    [Holder(.listening, .tcp, a, options: reuseport, uid: 1000)], Attempt(.tcp, a, uid: 1000), reuseport, "ok"),
  KernelFact(
    "fchown(2) changes the user, also after bind",
    [Holder(.listening, .tcp, a, options: reuseport, uid: 1000, changes: [Change(.end, .owner(0))])],
    Attempt(.tcp, a), reuseport, "ok"),
  KernelFact(
    "SO_REUSEPORT set on a listening socket helps later binders",
    [Holder(.listening, .tcp, a, changes: [Change(.end, .reuseport(true))])], Attempt(.tcp, a), reuseport, "ok"),
  KernelFact(
    "SO_REUSEADDR cleared after bind hinders later binders",
    [Holder(.bound, .tcp, a, options: reuseaddr, changes: [Change(.afterBind, .reuseaddr(false))])],
    Attempt(.tcp, a), reuseaddr, inUse),
  KernelFact(
    "sockets on different devices do not meet", [Holder(.listening, .tcp, any, device: .dev0)],
    Attempt(.tcp, any, device: .dev1), [], "ok"),
  KernelFact(
    "a socket on a device meets one on none", [Holder(.listening, .tcp, any, device: .dev0)], Attempt(.tcp, any), [],
    inUse),
  KernelFact(
    "a request in SYN_RECV is in nobody's way, its listener is",
    [Holder(.requestInProgress, .tcp, a, options: reuseport)], Attempt(.tcp, a), reuseport, "ok"),
  KernelFact(
    "an accepted child has the user of its accept(2)",
    [Holder(child(.established), .tcp, a, options: reuseport, uid: 0, acceptUID: 1000)],
    Attempt(.tcp, ip("0.0.0.0")), reuseport, inUse),
  KernelFact(
    "an MPTCP listener stands in TCP's way", [Holder(.listening, .mptcp, a)], Attempt(.tcp, a), [], inUse),
  KernelFact("UDP does not meet TCP", [Holder(.bound, .udp, a)], Attempt(.tcp, a), [], "ok"),
]

/// Leftovers: the flags are those of the socket that was there.
private let leftoverFacts: [KernelFact] = [
  KernelFact(
    "TIME_WAIT of a listener without SO_REUSEADDR blocks a server with it",
    [Holder(child(.timeWait), .tcp, a)], Attempt(.tcp, a), reuseaddr, inUse),
  KernelFact(
    "TIME_WAIT of a listener with SO_REUSEADDR lets a server with it in",
    [Holder(child(.timeWait), .tcp, a, options: reuseaddr)], Attempt(.tcp, a), reuseaddr, "ok"),
  KernelFact(
    "TIME_WAIT of a listener with SO_REUSEADDR blocks a server without it",
    [Holder(child(.timeWait), .tcp, a, options: reuseaddr)], Attempt(.tcp, a), [], inUse),
  KernelFact(
    "SO_REUSEADDR on the accepted socket before close is enough",
    [Holder(child(.timeWait), .tcp, a, changes: [Change(.connection, .reuseaddr(true))])],
    Attempt(.tcp, a), reuseaddr, "ok"),
  KernelFact(
    "the user of a TIME_WAIT does not count",
    [Holder(child(.timeWait), .tcp, a, options: reuseport, uid: 1000, acceptUID: 1000)],
    Attempt(.tcp, a), reuseport, "ok"),
  KernelFact(
    "nor that of a FIN_WAIT2 that is a TIME_WAIT to the kernel",
    [Holder(child(.finWait2TimeWait), .tcp, a, options: reuseport, uid: 1000, acceptUID: 1000)],
    Attempt(.tcp, a), reuseport, "ok"),
  KernelFact(
    "the user of a FIN_WAIT2 orphan does (Linux 6.17)",
    [Holder(child(.finWait2Orphan), .tcp, a, options: reuseport, uid: 1000, acceptUID: 1000)],
    Attempt(.tcp, a), reuseport, inUse),
  KernelFact(
    "a connection left behind blocks like a bound socket", [Holder(child(.closeWait), .tcp, a)],
    Attempt(.tcp, any), reuseaddr, inUse),
  KernelFact(
    "a client bound by connect(2) alone blocks its port", [Holder(.client(.established), .tcp, a, port: .automatic)],
    Attempt(.tcp, any), reuseaddr, inUse),
  KernelFact(
    "an explicitly bound client stays bound when it is refused", [Holder(.refused, .tcp, a)], Attempt(.tcp, a), [],
    inUse),
  KernelFact(
    "an automatically bound one gives its port back", [Holder(.refused, .tcp, a, port: .automatic)],
    Attempt(.tcp, a), [], "ok"),
  KernelFact(
    "connect(AF_UNSPEC) leaves an explicit bind", [Holder(.disconnected, .tcp, a)], Attempt(.tcp, a), [], inUse),
  KernelFact(
    "connect(AF_UNSPEC) undoes an automatic one", [Holder(.disconnected, .tcp, a, port: .automatic)],
    Attempt(.tcp, a), [], "ok"),
  KernelFact(
    "a socket connected to itself occupies its port", [Holder(.selfConnected, .tcp, a)], Attempt(.tcp, a), [],
    inUse),
]

@Suite(.enabled(if: kernelTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct ReuseFactsTests {
  @Test("options", arguments: reuseFacts)
  func options(_ fact: KernelFact) throws {
    let observed = try fact.observe()
    #expect(observed == fact.expected)
  }

  @Test("leftovers", arguments: leftoverFacts)
  func leftovers(_ fact: KernelFact) throws {
    let observed = try fact.observe()
    #expect(observed == fact.expected)
  }
}
