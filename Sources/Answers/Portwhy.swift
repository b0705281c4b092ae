package import BindRules
import Evidence
import Explanation
import Linux
import Netlink
package import SocketModel

/// The answers of the library.
public enum Portwhy {
  /// Looks at the host and says what the planned binds would do. It reads only, and binds, sends and signals nothing,
  /// unless the question asks for a probe.
  ///
  /// It waits for no other process: what may have to is done by a child (clone(2), without SIGCHLD and without what
  /// pthread_atfork(3) runs), which executes async-signal-safe C alone, holds no descriptor of the caller and is left behind
  /// after half a second of waiting; of each kind (sockets, files, rtnetlink) at most one is at any time. So it may be called
  /// in a program with threads. The child's memory is copied on write: in a program of 100 MB clone(2) takes some 20 ms.
  /// Descriptors of the calling program itself are asked without a child. A thread that is started before an ok has all
  /// signals blocked and lives as long as one dump.
  public static func answer(_ question: Question) throws(PortwhyError) -> Report {
    guard let namespace = question.namespace else { return try answerHere(question) }
    return try namespace.look(opened: question.openedNamespace) { () throws(PortwhyError) in try answerHere(question)
    }
  }

  static func answerHere(
    _ question: Question, _ evidenceSources: EvidenceSources = EvidenceSources()
  ) throws(PortwhyError) -> Report {
    var moving: Set<TransportProtocol> = []
    for _ in 0..<SecondLook.answers {
      let (report, gathering) = try look(question, evidenceSources)
      moving = try unconfirmed(report, gathering, question)
      if moving.isEmpty { return report }
    }
    return try look(question, evidenceSources, moving: moving).report
  }

  /// Of which transports a socket has moved against the dump that could stand in the way of an ok, or may not be what a
  /// refusal rests on.
  private static func unconfirmed(
    _ report: Report, _ gathering: Gathering, _ question: Question
  ) throws(PortwhyError) -> Set<TransportProtocol> {
    var moving: Set<TransportProtocol> = []
    for transport in TransportProtocol.allCases {
      guard let ports = question.portsByTransport[transport] else { continue }
      let isAsked: (UInt16) -> Bool = { port in
        question.items.contains { $0.transport == transport && $0.numbers.contains(port) }
      }
      let own = question.ownSocket
      var isConfirmed = try SecondLook.confirmsRefusals(
        report, gathering, transport, ports, own: own, isAsked: isAsked)
      if isConfirmed, report.hasOk(transport, ofVerdict: question.isVerdictOnly) {
        isConfirmed = try SecondLook.confirms(gathering, transport, ports, own: own, isAsked: isAsked)
      }
      if !isConfirmed { moving.insert(transport) }
    }
    return moving
  }

  /// One answer from one dump; nothing that moves is sure of the transports in `moving`, unless a probe gives it.
  private static func look(
    _ question: Question, _ evidenceSources: EvidenceSources, moving: Set<TransportProtocol> = []
  ) throws(PortwhyError) -> (report: Report, gathering: Gathering) {
    let started = Clock.now
    defer { Errand.reap() }
    _ = Errand.takeRefusal()
    var gathering = try Gathering(question, evidenceSources)
    let deep = question.isDeep && !question.isVerdictOnly ? DeepFindings(question.portsByTransport) : nil
    var targets: [TargetReport] = []
    for item in question.items {
      var unused = UnusedPorts()
      for port in item.ports {
        // A probe is of one port.
        let isAlone = gathering.isUsed(item.transport, port) || question.probes
        var target: TargetReport
        if !isAlone, let known = unused.answer(port, gathering.host) {
          target = known
        } else {
          target = try answer(port, item, question, &gathering, isMoving: moving.contains(item.transport))
          unused.keep(target, gathering.host)
        }
        if !question.isVerdictOnly { target.notes += gathering.notes(item.transport, port, question) }
        target.notes += deep?.notes(item.transport, port) ?? []
        if !question.ours.isEmpty { target.decideOurs(question.ours, gathering.host, gathering.visibility) }
        targets.append(target)
      }
    }
    // It belongs to no port in particular, and is said once.
    if gathering.vanished > 0, !question.isVerdictOnly { targets[0].notes.append(.vanished(gathering.vanished)) }
    gathering.addSilentFiles()
    if let silent = deep?.silent { gathering.add(silent: silent) }
    if let error = Errand.takeRefusal() { gathering.add(silent: .unstarted(error)) }
    if gathering.visibility.reasons.contains(.noAnswer), !question.isVerdictOnly {
      targets[0].notes.append(.noAnswer(gathering.visibility.silent))
    }
    var report = Report(
      version: Portwhy.version, capturedAt: started, host: gathering.host, visibility: gathering.visibility,
      targets: targets)
    if !question.isVerdictOnly { report.addForeign(question.systems) }
    return (report, gathering)
  }

  /// The four outcomes of one attempt on this host, in the order of `ReuseOptions.combinations`, with the snapshot
  /// they were drawn from; the raw material of `answer`.
  ///
  /// - Parameter bpf: whether BPF iterators may be asked where they decide.
  package static func judge(
    _ attempt: BindAttempt, bpf: Bool = true
  ) throws(PortwhyError) -> (outcomes: [BindOutcome], snapshot: Snapshot) {
    let port = attempt.port.rawValue
    var gathering = try Gathering(
      ports: ByTransport([attempt.transport], port...port), needs: attempt.hostNeeds,
      lookups: attempt.address.localIPv4.map { [$0] } ?? [], bpf: bpf)
    let judged = try gathering.settled(
      attempt.transport, attempt.port, [attempt], planned: [], bpf ? .everything : nil)
    var snapshot = judged.snapshot
    snapshot.localServers = gathering.localServers(snapshot.sockets)
    let outcomes = withLikelyOutcomes(judged.outcomes[0], of: attempt, in: snapshot, usual: \.usualOptions)
    return (outcomes, snapshot)
  }

  private static func answer(
    _ port: Port, _ item: QuestionItem, _ question: Question, _ gathering: inout Gathering,
    isMoving: Bool
  ) throws(PortwhyError) -> TargetReport {
    let binds = PlannedBinds(question: question, item: item, port: port, host: gathering.host)
    var judged = try gathering.settled(
      item.transport, port, binds.attempts, planned: binds.plan.options, question.evidenceScope)
    if !question.isVerdictOnly,
      binds.attempts.indices.contains(where: { wantsAddresses(judged, $0, binds.plan.options) })
    {
      try gathering.readAddresses()
      judged = Judgement(of: binds.attempts, in: gathering.snapshot(item.transport, port))
    }
    if isMoving { judged = judged.doubtingWhatMoves() }
    let mayOffer = judged.outcomes.contains { outcomes in
      outcomes.contains { $0.options == binds.plan.options && $0.verdict != .ok }
    }
    if mayOffer && !question.isVerdictOnly { gathering.readServices(item.transport) }
    var snapshot = judged.snapshot
    if judged.outcomes.contains(where: { $0.contains { $0.verdict == .undetermined } }), !question.isVerdictOnly {
      snapshot.localServers = gathering.localServers(snapshot.sockets)
    }
    var attempts: [AttemptReport] = []
    for (attempt, outcomes) in zip(binds.attempts, judged.outcomes) {
      attempts.append(try report(attempt, outcomes, question, snapshot, gathering))
    }
    return TargetReport(
      transport: item.transport, port: port, plan: binds.plan,
      verdict: verdict(attempts, planned: binds.plan.options), sockets: snapshot.sockets, attempts: attempts,
      notes: question.isVerdictOnly ? [] : binds.notes(snapshot.host), buckets: snapshot.buckets,
      isChainOrdered: snapshot.isChainOrdered, wildcardMissesAddresses: snapshot.wildcardMissesAddresses)
  }

  private static func report(
    _ attempt: BindAttempt, _ judged: [BindOutcome], _ question: Question, _ snapshot: Snapshot,
    _ gathering: Gathering
  ) throws(PortwhyError) -> AttemptReport {
    var probed =
      question.probes ? try probe(attempt, judged, question, gathering) : Probing.Result(outcomes: judged)
    guard !question.isVerdictOnly else {
      return AttemptReport(attempt: attempt, outcomes: probed.outcomes, contradictions: probed.contradictions)
    }
    probed.outcomes = withLikelyOutcomes(probed.outcomes, of: attempt, in: snapshot, usual: \.usualOptions)
    let planned = question.plan.resolved(attempt.transport).options
    var settled: (outcomes: [BindOutcome], finding: CallFinding?) = (probed.outcomes, nil)
    if let observed = question.observed {
      settled = observed.settle(probed.outcomes, planned: planned, on: gathering.host.kernel)
    }
    let situation = Situation(
      attempt: attempt, outcomes: settled.outcomes, planned: planned, snapshot: snapshot,
      nearby: gathering.nearby(attempt.transport), runtime: question.plan.runtime ?? question.wording,
      questionOptions: question.commandOptions)
    var explanation = explain(situation)
    // A socket that is there has its options, whatever its runtime sets by default.
    if question.plan.runtime == nil { explanation.notes.removeAll { $0.kind == .runtimeDefault } }
    if let finding = settled.finding, let observed = question.observed, let errno = observed.errno {
      explanation = finding.explanation(observed.function, errno, explanation, host: gathering.host)
      var headline = Headline(attempt.port, attempt.transport, [situation])
      headline.ofCall = explanation.ofCall
      explanation.headline = headline.first
    }
    explanation.notes += probed.notes
    if question.probes { explanation.suggestions.removeAll { $0.kind == .probe } }
    return AttemptReport(
      attempt: attempt, outcomes: settled.outcomes, explanation: explanation, contradictions: probed.contradictions)
  }

  private static func probe(
    _ attempt: BindAttempt, _ judged: [BindOutcome], _ question: Question, _ gathering: Gathering
  ) throws(PortwhyError) -> Probing.Result {
    let (host, evidenceSources) = (gathering.host, gathering.evidenceSources)
    let planned = question.plan.resolved(attempt.transport).options
    let probing = Probing(
      attempt: attempt, planned: planned, kernel: host.kernel, bind: { evidenceSources.bind(attempt, $0, host) },
      // As thoroughly as the first time: what only an iterator told would be undetermined without it.
      judgeAgain: { () throws(PortwhyError) in
        var anew = try Gathering(question, evidenceSources)
        let judged = try anew.settled(
          attempt.transport, attempt.port, [attempt], planned: planned, question.evidenceScope)
        let port = attempt.port.rawValue
        let isWhole = try SecondLook.confirms(anew, attempt.transport, port...port, own: question.ownSocket) {
          $0 == port
        }
        return (isWhole ? judged : judged.doubtingWhatMoves()).outcomes[0]
      })
    return try probing.settle(judged)
  }
}

/// What an answer asks the kernel with besides the dumps; tests put in their own.
struct EvidenceSources {
  /// Whether dumps show TCP sockets that are bound and neither listen nor are connected.
  var listsBoundSockets: (KernelVersion) -> Bool = { $0 >= KernelVersion(major: 6, minor: 8) }
  /// The same sockets found through their holders' descriptors, but for the inodes that are known already.
  var boundSockets: (ClosedRange<UInt16>, Set<UInt64>) -> FoundBoundSockets = {
    ProcessReader().boundSockets(on: $0, notIn: $1)
  }
  /// The same, all of them, as BPF iterators find them.
  var allBoundSockets: KernelEvidence.BoundSource = KernelEvidence.boundSockets
  var evidence: KernelEvidence.Source = KernelEvidence.gather
  var holders: KernelEvidence.HolderSource = KernelEvidence.holders
  /// The bind bucket of the sockets that one process holds.
  var bucket: KernelEvidence.BucketSource = KernelEvidence.bucket
  /// Whether the network namespace may have VRFs, and so more than one bind table for a TCP port.
  var mayHaveVRFs: (ProcessFiles) -> Bool = { HostReader().mayHaveVRFs($0) }
  var bind: (BindAttempt, ReuseOptions, HostFacts) -> ProbeAnswer = { probe($0, $1, on: $2) }
}

extension Gathering {
  fileprivate init(_ question: Question, _ evidenceSources: EvidenceSources) throws(PortwhyError) {
    try self.init(
      ports: question.portsByTransport, needs: question.hostNeeds, lookups: question.lookups,
      programs: question.plan.runtime?.executables ?? [], device: question.plan.device, bpf: question.usesBPF,
      verdictOnly: question.isVerdictOnly,
      ownersMayWait: question.isVerdictOnly && question.ours.isEmpty && !question.probes, evidenceSources
    ) { transport, port in
      question.items.contains { $0.transport == transport && $0.numbers.contains(port) }
    }
    findAlternativeNames(question.interfaceNames)
    if question.observed != nil { forgetPlace() }
    if let own = question.ownSocket { forget(own) }
  }
}

/// Whether a wildcard fails because of sockets that have one address each, so that another address may do.
private func wantsAddresses(_ judged: Judgement, _ index: Int, _ planned: ReuseOptions) -> Bool {
  guard judged.attempts[index].address.isUnspecified,
    let outcome = judged.outcomes[index].first(where: { $0.options == planned })
  else { return false }
  let inTheWay = outcome.blockers.map { judged.snapshot.sockets[$0.socket].local.address }
  return !inTheWay.isEmpty && inTheWay.allSatisfy { !$0.isUnspecified }
}

/// bind and listen of the planned combination over all attempts: one that fails decides, then one that is
/// undetermined.
func verdict(_ attempts: [AttemptReport], planned: ReuseOptions) -> CallResult {
  let verdicts = attempts.map { $0.outcome(planned)?.verdict ?? .undetermined }
  let failed = verdicts.first { if case .fails = $0 { true } else { false } }
  return failed ?? (verdicts.contains(.undetermined) ? .undetermined : .ok)
}

/// Why there is no answer at all.
public enum PortwhyError: Error, Sendable, Hashable, CustomStringConvertible {
  /// sock_diag(7) or another interface that the answer needs is missing; the text says which, and what to check.
  case kernelInterfaceMissing(String)
  /// The reader may not do what the question needs; the text says what is needed.
  case notPermitted(String)
  /// The question names something that is not there; the text says what.
  case invalidQuestion(String)
  /// Something that must not happen; the text says what.
  case internalError(String)

  /// The text, as a line of a log.
  public var description: String {
    switch self {
    case .kernelInterfaceMissing(let text), .notPermitted(let text), .invalidQuestion(let text): text
    case .internalError(let text): ErrorWords.internalError(text)
    }
  }

  init(_ error: NetlinkError) {
    switch error {
    case .interfaceMissing(.sockDiag, let errno):
      self = .kernelInterfaceMissing(ErrorWords.sockDiagMissing(errno))
    case .interfaceMissing: self = .kernelInterfaceMissing("\(error)")
    default: self = .internalError("\(error)")
    }
  }
}

extension Portwhy {
  /// The version of portwhy, the one place it is written.
  public static let version = "0.2.0"
}

/// What `--deep` finds besides the answer: where else the port is used, and what takes its traffic first.
///
/// None of it decides a bind, so it becomes notes; what cannot be looked at is left out.
struct DeepFindings {
  private var elsewhere: [(namespace: OtherNamespace, sockets: [SocketObservation])] = []
  private let redirects: [PortRedirect]
  /// Namespaces that were not entered.
  private let leftOut: Int
  /// Who was not waited for.
  let silent: SilentSource?

  /// A user may have thousands; each costs a thread and a dump.
  private static let mostNamespaces = 256

  /// One dump for each other namespace and transport.
  init(_ ports: ByTransport<ClosedRange<UInt16>>) {
    let reader = ProcessReader()
    let files = reader.newFiles()
    redirects = HostReader().portRedirects()
    let namespaces = reader.otherNetworkNamespaces(files)
    leftOut = max(0, namespaces.count - Self.mostNamespaces)
    // Those that somebody gave a name to come first.
    for namespace in (namespaces.filter { $0.name != nil } + namespaces.filter { $0.name == nil }).prefix(
      Self.mostNamespaces)
    {
      let found = try? inNetworkNamespace(at: namespace.entrance, files) {
        ports.transports.flatMap { (try? SocketDump().sockets($0, ports: ports[$0])) ?? [] }
      }
      // Connections are no use of the port that somebody looks for.
      let sockets = (found ?? []).filter { $0.remote == nil }
      if !sockets.isEmpty { elsewhere.append((namespace, sockets)) }
    }
    // Who holds them is asked once: it takes a look at every file of the host.
    var all = elsewhere.flatMap(\.sockets)
    _ = reader.examine(&all, asks: { _ in false }, files)
    silent = files.silentSource()
    var rest = all[...]
    for index in elsewhere.indices {
      let count = elsewhere[index].sockets.count
      elsewhere[index].sockets = Array(rest.prefix(count))
      rest = rest.dropFirst(count)
    }
  }

  func notes(_ transport: TransportProtocol, _ port: Port) -> [Note] {
    var notes: [Note] = []
    for rule in redirects where rule.transport == transport && rule.ports.contains(port.rawValue) {
      let note = Note.redirected(chain: rule.chain, to: rule.target.map { "\($0)" })
      if !notes.contains(note) { notes.append(note) }
    }
    for (namespace, sockets) in elsewhere {
      let ofPort = sockets.filter { $0.transport == transport && $0.local.port == port }
      guard !ofPort.isEmpty else { continue }
      notes.append(.otherNamespace(ofPort, name: namespace.name, inode: namespace.inode))
    }
    if leftOut > 0 { notes.append(.namespacesLeftOut(leftOut)) }
    return notes
  }
}

extension Probing {
  /// What the probes made of the outcomes.
  struct Result {
    var outcomes: [BindOutcome]
    var notes: [Note] = []
    var contradictions: [ProbeContradiction] = []
  }
}
