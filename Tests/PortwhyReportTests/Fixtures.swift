import BindRules
import Explanation
import Answers
import SocketModel

// What the answers of the tests are made of: sockets and host facts by hand, the rest by the rules and the engine.

let users: [UInt32: String] = [0: "root", 33: "www-data", 1000: "alice"]

func host() -> HostFacts {
  var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18, stable: 44, release: "6.18.44"), uid: 1000)
  host.networkNamespace = 4_026_531_840
  host.localPortRange = 32768...60999
  host.unprivilegedPortStart = 1024
  host.ipv6Available = true
  host.tcpL3mdevAccept = false
  host.mayHaveVRFs = false
  host.interfaces = [
    NetworkInterface(index: InterfaceIndex(rawValue: 1), name: "lo", isUp: true),
    NetworkInterface(index: InterfaceIndex(rawValue: 2), name: "eth0", isUp: true),
  ]
  return host
}

func ip(_ text: String) -> IPAddress { IPAddress(text) ?? .v4(.any) }

func yes(_ source: EvidenceSource = .getsockopt) -> Knowledge<Bool> { .known(true, source) }
func no(_ source: EvidenceSource = .getsockopt) -> Knowledge<Bool> { .known(false, source) }

func socket(
  _ state: SocketState, _ local: String, _ port: UInt16, peer: (String, UInt16)? = nil,
  transport: TransportProtocol = .tcp, reuseaddr: Knowledge<Bool> = yes(), reuseport: Knowledge<Bool> = no(),
  v6only: Knowledge<Bool>? = nil, device: UInt32? = nil, uid: UInt32? = nil, inode: UInt64? = nil,
  cookie: UInt64 = 0, timer: UInt32? = nil, owner: SocketOwner = .none, processes: [ProcessRecord] = []
) -> SocketObservation {
  SocketObservation(
    transport: transport, family: ip(local).family, local: Endpoint(address: ip(local), port: Port(port)),
    remote: peer.map { Endpoint(address: ip($0.0), port: Port($0.1)) }, state: state, reuseaddr: reuseaddr,
    reuseport: reuseport, v6only: v6only, device: device.map { InterfaceIndex(rawValue: $0) }, uid: uid,
    inode: inode, cookie: cookie, timer: timer.map { SocketTimer(kind: .timeWait, expires: $0) }, owner: owner,
    processes: processes)
}

func nginx(_ pid: Int32 = 812, inGroupOf size: Int? = nil) -> ProcessRecord {
  var record = ProcessRecord(
    pid: pid, command: "nginx", executable: "/usr/sbin/nginx", descriptors: [6], unit: "nginx.service")
  (record.group, record.groupSize) = (size.map { _ in 812 }, size)
  return record
}

let inUse = CallResult.fails(.addressInUse)

/// The four outcomes from (bind, listen) pairs in the order of the report.
func outcomes(
  _ results: [(CallResult, CallResult?)], blockers: [Blocker] = [], missing: [MissingFact] = []
) -> [BindOutcome] {
  zip(ReuseOptions.combinations, results).map { options, result in
    let fails = result.0 != .ok || (result.1 ?? .ok) != .ok
    let isOpen = result.0 == .undetermined || result.1 == .undetermined
    return BindOutcome(
      options: options, bind: result.0, listen: result.1, blockers: fails ? blockers : [],
      missing: isOpen ? missing : [])
  }
}

let worksFourTimes: [(CallResult, CallResult?)] = Array(repeating: (.ok, .ok), count: 4)
let worksWithReuseaddr: [(CallResult, CallResult?)] = [(inUse, nil), (.ok, .ok), (inUse, nil), (.ok, .ok)]
let listenerInTheWay: [(CallResult, CallResult?)] = [(inUse, nil), (inUse, nil), (inUse, nil), (inUse, nil)]

/// One attempt; where `outcomes` is nil, `target` has the rules judge it.
func attempt(
  _ address: String, port: UInt16 = 8080, transport: TransportProtocol = .tcp, v6only: Bool = false,
  uid: UInt32 = 1000, outcomes: [BindOutcome]? = nil
) -> AttemptReport {
  AttemptReport(
    attempt: BindAttempt(
      transport: transport, address: ip(address), port: Port(port), v6only: v6only, uid: uid),
    outcomes: outcomes ?? [])
}

/// A target whose outcomes come from the rules and whose words come from the engine, as a real one's do.
func target(
  port: UInt16 = 8080, transport: TransportProtocol = .tcp, plan: Plan = Plan(uid: 1000),
  sockets: [SocketObservation], attempts: [AttemptReport], notes: [Note] = [], visibility: Visibility = Visibility()
) -> TargetReport {
  let snapshot = Snapshot(host: host(), visibility: visibility, sockets: sockets)
  let attempts = attempts.map { attempt in
    var attempt = attempt
    if attempt.outcomes.isEmpty { attempt.outcomes = BindRules.outcomes(of: attempt.attempt, in: snapshot) }
    attempt.explanation = explain(
      Situation(
        attempt: attempt.attempt, outcomes: attempt.outcomes, planned: plan.options, snapshot: snapshot,
        runtime: plan.runtime, questionOptions: plan.commandOptions))
    return attempt
  }
  let verdicts = attempts.map { $0.outcome(plan.options)?.verdict ?? .undetermined }
  let failed = verdicts.first { if case .fails = $0 { true } else { false } }
  let verdict = failed ?? (verdicts.contains(.undetermined) ? .undetermined : .ok)
  return TargetReport(
    transport: transport, port: Port(port), plan: plan, verdict: attempts.isEmpty ? nil : verdict, sockets: sockets,
    attempts: attempts, notes: notes)
}

func report(_ targets: [TargetReport], visibility: Visibility = Visibility()) -> Report {
  Report(
    version: "0.1.0", capturedAt: 1_769_860_800, host: host(), visibility: visibility, targets: targets)
}
