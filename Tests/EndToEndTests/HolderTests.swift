import BindRules
import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// Sockets on a port, what portwhy is asked about it, and what it must say.
struct Situation: Sendable, CustomTestStringConvertible {
  var sentence: String
  var holders: [Holder]
  /// What TARGET names; nil for no address, so both wildcards.
  var address: String?
  var transport = TransportProtocol.tcp
  /// The phrase after the user in the first line, or its beginning.
  var headline: String
  /// The states of the sockets in the report, `-` added where nobody has a descriptor.
  var states: [String]
  /// Combinations that may be undetermined; without BPF nobody knows the options of TIME_WAIT sockets, and what
  /// the bind bucket remembers of SO_REUSEPORT.
  var open: Set<ReuseOptions> = [reuseport, both]

  /// IPV6_V6ONLY of the planned socket.
  var v6only: Bool?

  var testDescription: String { sentence }

  var attempts: [Attempt] {
    (address.map { [$0] } ?? ["0.0.0.0", "::"]).map { Attempt(transport, ip($0), v6only: v6only) }
  }

  var isMPTCP: Bool { holders.contains { $0.transport == .mptcp } }

  var arguments: [String] { v6only.map { [$0 ? "--v6only" : "--no-v6only"] } ?? [] }

  func target(_ port: Port) -> String {
    let bracketed = address.map { ($0.contains(":") ? "[\($0)]" : $0) + ":" } ?? ""
    return "\(bracketed)\(port)\(transport == .udp ? "/udp" : "")"
  }
}

private let any = ip("0.0.0.0")
private let loopback = ip("127.0.0.1")
private let inUse = "fails (EADDRINUSE)"

private func listening(_ options: ReuseOptions, _ address: IPAddress = any) -> Holder {
  Holder(.listening, .tcp, address, options: options)
}

private let listenerSituations = [
  Situation(
    sentence: "nothing on the port", holders: [], headline: "works", states: [], open: []),
  Situation(
    sentence: "a listener without options", holders: [listening([])], address: "0.0.0.0", headline: inUse,
    states: ["LISTEN"]),
  Situation(
    sentence: "a listener with SO_REUSEADDR", holders: [listening(.reuseaddr)], address: "0.0.0.0", headline: inUse,
    states: ["LISTEN"]),
  Situation(
    sentence: "a listener with SO_REUSEPORT", holders: [listening(.reuseport)], address: "0.0.0.0", headline: inUse,
    states: ["LISTEN"], open: []),
  Situation(
    sentence: "a listener with both options", holders: [listening(both)], address: "0.0.0.0", headline: inUse,
    states: ["LISTEN"], open: []),
  Situation(
    sentence: "a listener on loopback, another address asked for", holders: [listening([], ip("127.0.0.2"))],
    address: "127.0.0.1", headline: "works", states: ["LISTEN"], open: []),
  Situation(
    sentence: "an IPv4 listener blocks the dual-stack [::] too", holders: [listening([])], headline: inUse,
    states: ["LISTEN"]),
  Situation(
    sentence: "an IPv4 listener leaves [::] with V6ONLY alone", holders: [listening([])], address: "::",
    headline: "works", states: ["LISTEN"], open: [], v6only: true),
  Situation(
    sentence: "a connection of a dual-stack listener blocks 0.0.0.0 for its own address",
    holders: [Holder(.child(.established, listenerStays: false), .tcp, ip("::"), peer: loopback)],
    address: "127.0.0.1", headline: inUse, states: ["ESTABLISHED"]),
  Situation(
    sentence: "a dual-stack listener blocks 0.0.0.0 too",
    holders: [Holder(.listening, .tcp, ip("::"), v6only: false)], headline: inUse, states: ["LISTEN"]),
  Situation(
    sentence: "a V6ONLY listener blocks [::] and not 0.0.0.0",
    holders: [Holder(.listening, .tcp, ip("::"), v6only: true)],
    headline: "works; to [::] it fails (EADDRINUSE)", states: ["LISTEN"]),
  Situation(
    sentence: "two SO_REUSEPORT listeners", holders: [listening(.reuseport), listening(.reuseport)],
    address: "0.0.0.0", headline: inUse, states: ["LISTEN", "LISTEN"], open: []),
  Situation(
    sentence: "a SO_REUSEPORT listener of another user",
    holders: [Holder(.listening, .tcp, any, options: .reuseport, uid: 1000)], address: "0.0.0.0", headline: inUse,
    states: ["LISTEN"]),
  Situation(
    sentence: "an MPTCP listener", holders: [Holder(.listening, .mptcp, any)], address: "0.0.0.0", headline: inUse,
    states: ["LISTEN"]),
]

private let connectionSituations = [
  Situation(
    sentence: "bound only, without options", holders: [Holder(.bound, .tcp, any)], address: "0.0.0.0",
    headline: inUse, states: ["BOUND"]),
  Situation(
    sentence: "bound only, with SO_REUSEADDR", holders: [Holder(.bound, .tcp, any, options: .reuseaddr)],
    address: "0.0.0.0", headline: inUse, states: ["BOUND"]),
  Situation(
    sentence: "an accepted child beside its listener",
    holders: [Holder(.child(.established, listenerStays: true), .tcp, loopback)], address: "127.0.0.1",
    headline: inUse, states: ["ESTABLISHED", "LISTEN"]),
  Situation(
    sentence: "an accepted child whose listener has gone, with SO_REUSEADDR",
    holders: [Holder(.child(.established, listenerStays: false), .tcp, loopback, options: .reuseaddr)],
    address: "127.0.0.1", headline: inUse + "; with SO_REUSEADDR it works", states: ["ESTABLISHED"]),
  Situation(
    sentence: "an accepted child whose listener has gone, without options",
    holders: [Holder(.child(.established, listenerStays: false), .tcp, loopback)], address: "127.0.0.1",
    headline: inUse, states: ["ESTABLISHED"]),
  Situation(
    sentence: "a queued child", holders: [Holder(.queuedChild, .tcp, loopback)], address: "127.0.0.1",
    headline: inUse, states: ["ESTABLISHED-", "LISTEN"]),
  Situation(
    sentence: "a request in SYN_RECV is listed and in nobody's way",
    holders: [Holder(.requestInProgress, .tcp, loopback)], address: "127.0.0.2", headline: "works",
    states: ["LISTEN", "SYN_RECV-"], open: []),
  Situation(
    sentence: "TIME_WAIT of a listener without SO_REUSEADDR",
    holders: [Holder(.child(.timeWait, listenerStays: false), .tcp, loopback)], address: "127.0.0.1",
    headline: inUse, states: ["TIME_WAIT-"], open: [reuseaddr, reuseport, both]),
  Situation(
    sentence: "TIME_WAIT of a listener with SO_REUSEADDR",
    holders: [Holder(.child(.timeWait, listenerStays: false), .tcp, loopback, options: .reuseaddr)],
    address: "127.0.0.1", headline: inUse, states: ["TIME_WAIT-"], open: [reuseaddr, reuseport, both]),
  Situation(
    sentence: "CLOSE_WAIT, with SO_REUSEADDR",
    holders: [Holder(.child(.closeWait, listenerStays: false), .tcp, loopback, options: .reuseaddr)],
    address: "127.0.0.1", headline: inUse + "; with SO_REUSEADDR it works", states: ["CLOSE_WAIT"]),
  Situation(
    sentence: "CLOSE_WAIT, without options",
    holders: [Holder(.child(.closeWait, listenerStays: false), .tcp, loopback)],
    address: "127.0.0.1", headline: inUse, states: ["CLOSE_WAIT"]),
  Situation(
    sentence: "an outgoing connection on its ephemeral port",
    holders: [Holder(.client(.established), .tcp, loopback, port: .automatic)], address: "127.0.0.1",
    headline: inUse, states: ["ESTABLISHED"]),
  Situation(
    sentence: "an outgoing connection leaves other addresses alone",
    holders: [Holder(.client(.established), .tcp, loopback, port: .automatic)], address: "127.0.0.2",
    headline: "works", states: ["ESTABLISHED"], open: []),
]

private let udpSituations = [ReuseOptions]([[], .reuseaddr, .reuseport, both]).map { options in
  Situation(
    sentence: "UDP with options \(options.rawValue)", holders: [Holder(.bound, .udp, any, options: options)],
    address: "0.0.0.0", transport: .udp, headline: inUse, states: ["BOUND"], open: [])
}

/// What a run on one situation showed.
private struct Observation: Sendable {
  var outcomes: [HolderOutcome]
  var answer: Answer
  var screen: Ending
  var quiet: [ReuseOptions: Int32] = [:]
  var trials: [[TrialResult]] = []
}

private func observe(_ situation: Situation) throws -> Observation {
  let attempts = situation.attempts
  let scenario = Scenario(situation.holders, attempts[0])
  return try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (namespace: inout NetworkNamespace) in
    let copy = try namespace.build(scenario)
    let words = situation.arguments + [situation.target(copy.port)]
    var seen = Observation(outcomes: copy.outcomes, answer: try Answer(words), screen: try portwhy(words))
    seen.quiet[[]] = try portwhy(["-q"] + words).status
    seen.quiet[.reuseaddr] = try portwhy(["-q", "--reuseaddr"] + words).status
    for attempt in attempts {
      seen.trials.append(try namespace.trials(Scenario(situation.holders, attempt)).map(\.result))
    }
    return seen
  }
}

@Suite("The binary on real sockets", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct HolderTests {
  @Test(
    "its answer is what bind() and listen() then do",
    arguments: (listenerSituations + connectionSituations + udpSituations).filter { kernelHasMPTCP || !$0.isMPTCP })
  func answer(_ situation: Situation) throws {
    let seen = try observe(situation)
    #expect(seen.outcomes.allSatisfy { $0.isBuilt }, "\(seen.outcomes)")
    #expect(seen.answer.disagreements(with: seen.trials, open: situation.open) == [])
    #expect(seen.answer.violations() == [])
    #expect(seen.answer.states == situation.states)
    let hasDescriptor = situation.states.contains { !$0.hasSuffix("-") }
    #expect(seen.answer.pids.contains(Int(getpid())) == hasDescriptor)
    // Screen and status say the same as the report.
    let phrase = seen.screen.headline.components(after: " as root ")
    #expect(phrase.hasPrefix(situation.headline), "\(seen.screen.headline)")
    for options in [ReuseOptions([]), .reuseaddr] {
      let real = status(of: seen.trials, options)
      let isOpen = situation.open.contains(options) && seen.quiet[options] == 2
      #expect(seen.quiet[options] == real || isOpen, "-q with options \(options.rawValue), the kernel: \(real)")
    }
    #expect(seen.answer.ending.status == seen.quiet[[]] && seen.screen.status == seen.quiet[[]])
    #expect(seen.answer.ending.errors + seen.screen.errors == "")
    #expect(seen.screen.lines.allSatisfy { $0.unicodeScalars.count <= 80 }, "\(seen.screen.output)")
    #expect(seen.screen.lines.count <= 24)
  }

  @Test("as root a port with only TIME_WAIT gets a yes or a no for SO_REUSEADDR, and bind(2) says the same")
  func timeWait() throws {
    for (options, word) in [(ReuseOptions(), "no option helps"), (.reuseaddr, "with SO_REUSEADDR it works")] {
      let holder = Holder(.child(.timeWait, listenerStays: false), .tcp, loopback, options: options)
      let situation = Situation(
        sentence: word, holders: [holder], address: "127.0.0.1", headline: "", states: ["TIME_WAIT-"], open: [])
      let seen = try observe(situation)
      #expect(seen.outcomes.allSatisfy { $0.isBuilt } && seen.answer.states == situation.states)
      // A kernel without BTF or iterators says so, and has no answer.
      if seen.answer.document["visibility"]?["bpf"]?["problem"]?.text != nil { continue }
      #expect(seen.answer.disagreements(with: seen.trials, open: [reuseport, both]) == [])
      #expect(seen.screen.headline.contains(word), "\(seen.screen.headline)")
      #expect(seen.quiet[.reuseaddr] == status(of: seen.trials, .reuseaddr))
      #expect(seen.quiet[.reuseaddr] == (options == .reuseaddr ? 0 : 1))
    }
  }
}

extension String {
  /// What follows the first `marker`; empty where it is not there.
  func components(after marker: String) -> String {
    firstRange(of: marker).map { String(self[$0.upperBound...]) } ?? ""
  }
}
