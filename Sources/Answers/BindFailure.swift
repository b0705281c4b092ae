public import BindRules
package import Evidence
public import Explanation
package import Linux
public import SocketModel

/// Why a bind(2) or listen(2) failed: the whole report as data; `text` is what `portwhy` prints of it.
public struct BindFailure: Sendable, Hashable {
  /// The report about the one address and port.
  public var report: Report
  /// The bind that was judged, its four outcomes and the explanation.
  public var attempt: AttemptReport
  /// What bind and listen do with the options the socket has. Works where the cause has gone meanwhile.
  public var outcome: BindOutcome
  /// The sockets in the way.
  public var blockers: [SocketObservation]
  /// This program itself holds every socket in the way.
  public var isOwnProgram: Bool

  /// A stable slug, such as `listener` or `time-wait`; nil where nothing fails.
  public var cause: Cause? { attempt.explanation.cause }
}

extension Portwhy {
  /// Explains why bind(2) or listen(2) on this socket failed, from its options, its owner and its address.
  ///
  /// Call it in the error path, before the socket is closed. It reads what `portwhy ADDRESS:PORT` reads, and
  /// changes nothing. A program needs no privilege to learn that it is in its own way.
  /// - Parameters:
  ///   - descriptor: the socket, still open.
  ///   - address: what was passed to bind(2): `127.0.0.1:8080`, `[::1]:8080`, `[fe80::1%eth0]:8080`; `*:8080` is the
  ///     wildcard of the socket's family.
  ///   - call: which of the two failed; nil where both may have.
  ///   - errno: what it said, errno(3). With it the answer is about the call that was made: it tells what a policy
  ///     refused and what has gone meanwhile from what is still in the way.
  public static func explainBindFailure(
    descriptor: Int32, address: String, call: SocketCall? = nil, errno: Int32? = nil
  ) throws(PortwhyError) -> BindFailure {
    let socket = try readSocket(descriptor)
    let place = try BindAddress(address, family: socket.family)
    return try explainCall(
      MadeCall(of: socket, place.address, place.port, function: call, errno: errno.map(SystemError.init)))
  }

  /// The same for an address that is no text; an IPv6 address that needs a zone is none of them.
  public static func explainBindFailure(
    descriptor: Int32, address: Endpoint, call: SocketCall? = nil, errno: Int32? = nil
  ) throws(PortwhyError) -> BindFailure {
    try explainCall(
      MadeCall(
        of: readSocket(descriptor), .address(address.address, zone: nil), address.port, function: call,
        errno: errno.map(SystemError.init)))
  }

  /// The same for a socket that is closed already: what it was is said by hand.
  /// - Parameters:
  ///   - plan: its options and its owner.
  ///   - transport: TCP for SOCK_STREAM, UDP for SOCK_DGRAM.
  ///   - family: AF_INET or AF_INET6, where `*:8080` is the wildcard of one of them; AF_INET where it is not said.
  ///   - address: as above.
  ///   - call: as above.
  ///   - errno: as above.
  public static func explainBindFailure(
    of plan: Plan, _ transport: TransportProtocol = .tcp, family: AddressFamily? = nil, address: String,
    call: SocketCall? = nil, errno: Int32? = nil
  ) throws(PortwhyError) -> BindFailure {
    let place = try BindAddress(address, family: family)
    return try explainCall(
      MadeCall(plan, transport, place.address, place.port, function: call, errno: errno.map(SystemError.init)))
  }

  private static func readSocket(_ descriptor: Int32) throws(PortwhyError) -> OwnSocket {
    do throws(SystemError) { return try OwnSocket(descriptor: descriptor) } catch {
      throw .invalidQuestion(ErrorWords.noSocket(descriptor, error))
    }
  }

  /// Explains a call that was made, by this or another process.
  package static func explainCall(_ call: MadeCall) throws(PortwhyError) -> BindFailure {
    guard call.port.rawValue > 0 else { throw .invalidQuestion(ErrorWords.portZero) }
    var report = try answer(call.question)
    guard var target = report.targets.first, var attempt = target.attempts.first,
      let outcome = attempt.outcome(call.plan.options)
    else { throw .internalError(ErrorWords.noAnswer(call.port)) }
    let blockers = target.planBlockers
    let own = blockers.compactMap { blocker in blocker.processes.first { $0.pid == call.process } }
    let isOwnProgram = !blockers.isEmpty && own.count == blockers.count
    attempt.explanation.addOwnProgram(
      isOwnProgram ? own.flatMap(\.descriptors) : nil, wouldWork: outcome.verdict == .ok)
    target.attempts[0] = attempt
    report.targets[0] = target
    return BindFailure(
      report: report, attempt: attempt, outcome: outcome, blockers: blockers, isOwnProgram: isOwnProgram)
  }
}

/// A call that was made, and everything about it that decides its explanation.
package struct MadeCall: Sendable {
  /// The socket's options and owner.
  package var plan: Plan
  package var transport: TransportProtocol
  /// The socket itself, where it is there: it does not stand in its own way.
  package var socket: OwnSocket?
  package var address: QuestionAddress
  package var port: Port
  /// Which of the two it was, where that was told.
  package var function: SocketCall?
  /// What it returned; nil where that was not said.
  package var errno: SystemError?
  /// The process that called.
  package var process = ownProcess()
  /// CAP_NET_BIND_SERVICE of the thread that called; nil for what its uid is to have, `.some(nil)` for not known.
  package var mayBindPrivileged: Bool??
  package var policies = Policies()
  /// The socket's network namespace, where it is not the reader's: how it is called, and itself.
  package var namespace: NamespaceReference?
  package var openedNamespace: OpenFile?
  /// Whose words the suggestions use.
  package var wording: Runtime?
  package var bpf = true

  /// A call on a socket that is described by hand.
  package init(
    _ plan: Plan, _ transport: TransportProtocol, _ address: QuestionAddress, _ port: Port,
    function: SocketCall? = nil, errno: SystemError? = nil
  ) {
    self.plan = plan
    self.transport = transport
    self.address = address
    self.port = port
    self.function = function
    self.errno = errno
  }

  /// A call on this socket.
  package init(
    of socket: OwnSocket, _ address: QuestionAddress, _ port: Port, function: SocketCall? = nil,
    errno: SystemError? = nil
  ) {
    self.init(Plan(socket), socket.transport, address, port, function: function, errno: errno)
    self.socket = socket
  }

  fileprivate var question: Question {
    let item = QuestionItem(addresses: [address], ports: port...port, transport: transport)
    var question = Question(items: [item], plan: plan, namespace: namespace)
    question.openedNamespace = openedNamespace
    question.ownSocket = socket?.inode
    question.ownFreebind = socket?.freebind ?? false
    let isBound = socket?.isBound == true
    // The bind bucket remembers this socket's own bind as well, and only the others are asked about.
    question.usesBPF = bpf && !isBound
    question.wording = wording
    // A socket that has its port can only have failed to listen, unless the error is that of a second bind(2).
    let isListening = isBound && transport == .tcp && errno != .invalidArgument
    let function = function ?? (isListening ? .listen : errno == nil ? nil : .bind)
    guard let function else { return question }
    question.observed = ObservedCall(
      function: function, errno: errno, mayBindPrivileged: function == .listen ? true : mayBindPrivileged,
      isBound: isBound, policies: policies)
    return question
  }
}

extension Plan {
  /// The options and the owner of this socket (getsockopt(2), fstat(2)).
  init(_ socket: OwnSocket) {
    self.init(v6only: socket.v6only, device: socket.device, uid: socket.uid)
    if socket.reuseaddr { options.insert(.reuseaddr) }
    if socket.reuseport { options.insert(.reuseport) }
  }
}

/// The text of an address with a port, as a server has it.
private struct BindAddress {
  var address: QuestionAddress
  var port: Port

  init(_ text: String, family: AddressFamily?) throws(PortwhyError) {
    guard let colon = text.lastIndex(of: ":"), let port = Port(decimal: text[text.index(after: colon)...]) else {
      throw .invalidQuestion(ErrorWords.noPort(text))
    }
    self.port = port
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    if host.isEmpty || host == "*" {
      address = .address(family == .ipv6 ? .v6(.any) : .v4(.any), zone: nil)
      return
    }
    let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard let parsed = parts.first.flatMap({ IPAddress($0) }) else {
      throw .invalidQuestion(ErrorWords.noAddress(text))
    }
    address = .address(parsed, zone: parts.count > 1 ? String(parts[1]) : nil)
  }
}

/// The call of a program that a report explains (`portwhy -- COMMAND`), the object `call` of the JSON form.
package struct ReportedCall: Sendable, Hashable {
  /// What became of the program afterwards.
  package struct Sequel: Sendable, Hashable {
    /// The address that it has now.
    package var endpoint: Endpoint
    /// Whether that is the address that it asked for first.
    package var isSame: Bool

    /// The program has this address now.
    package init(endpoint: Endpoint, isSame: Bool) {
      self.endpoint = endpoint
      self.isSame = isSame
    }
  }

  /// bind(2) or listen(2).
  package var function: SocketCall
  /// What it answered.
  package var errno: SystemError
  /// What was to be bound; for listen(2) what was bound.
  package var endpoint: Endpoint
  /// The process.
  package var pid: Int32
  /// The thread.
  package var tid: Int32
  /// The thread's name (proc(5)).
  package var command: String
  /// The number of the socket's descriptor in the program.
  package var descriptor: Int32
  /// How often the same call of this process failed.
  package var tries: Int
  /// nil where the program got no port since.
  package var then: Sequel?
  /// How long the thread stood still, in microseconds.
  package var stoppedMicroseconds: UInt64

  /// A call that failed once.
  package init(
    function: SocketCall, errno: SystemError, endpoint: Endpoint, pid: Int32, tid: Int32, command: String,
    descriptor: Int32, tries: Int = 1, then: Sequel? = nil, stoppedMicroseconds: UInt64 = 0
  ) {
    self.function = function
    self.errno = errno
    self.endpoint = endpoint
    self.pid = pid
    self.tid = tid
    self.command = command
    self.descriptor = descriptor
    self.tries = tries
    self.then = then
    self.stoppedMicroseconds = stoppedMicroseconds
  }
}

/// A bind(2) or listen(2) that was really made, beside what the rules say to the same socket a moment later.
struct ObservedCall: Sendable, Hashable {
  var function: SocketCall
  /// What the kernel answered; nil where the program did not say.
  var errno: SystemError?
  /// CAP_NET_BIND_SERVICE of the thread that called; nil where it is not known, `.some(nil)` where it cannot be.
  var mayBindPrivileged: Bool??
  /// The socket has a port.
  var isBound = false
  /// What may refuse a call besides the port.
  var policies = Policies()

  /// The outcomes with what was observed in the place of what the rules say to it, and how the two go together.
  func settle(
    _ outcomes: [BindOutcome], planned: ReuseOptions, on kernel: KernelVersion
  ) -> (outcomes: [BindOutcome], finding: CallFinding?) {
    guard let index = outcomes.firstIndex(where: { $0.options == planned }) else { return (outcomes, nil) }
    var judged = outcomes
    if function == .listen { judged[index] = judged[index].ofBoundSocket }
    guard let errno else { return (judged, nil) }
    let now = judged[index].verdict
    let isBeside = judged.contains {
      $0.options == planned.subtracting(.reuseport) && $0.options != planned && !$0.blockers.isEmpty
    }
    let finding = finding(errno, judged[index], besideSharers: isBeside)
    switch finding {
    case nil where now == .fails(errno): break
    case nil: judged[index] = answered(judged[index], errno, on: kernel)
    case .refusedByPolicy, .alreadyBound:
      // Both are checked before any option is looked at (`__sys_bind`, `__inet_bind`).
      for each in judged.indices {
        judged[each].bind = function == .bind ? .fails(errno) : .ok
        judged[each].listen = function == .bind ? nil : .fails(errno)
        judged[each].blockers = []
        judged[each].missing = []
        judged[each].likely = nil
      }
      judged[index].source = .probe
    case .goneMeanwhile, .notShared, .unexplained:
      // What the options would have done to what was there is not known.
      for each in judged.indices where each != index {
        judged[each] = BindOutcome(
          options: judged[each].options, bind: .undetermined,
          listen: judged[each].listen == nil ? nil : .undetermined)
      }
      judged[index] = answered(judged[index], errno, on: kernel)
      judged[index].blockers = []
    }
    return (judged, finding)
  }

  private func answered(_ outcome: BindOutcome, _ errno: SystemError, on kernel: KernelVersion) -> BindOutcome {
    guard function == .listen else { return outcome.settled(by: .fails(errno), on: kernel) }
    var settled = outcome
    settled.bind = .ok
    settled.listen = .fails(errno)
    settled.source = .probe
    settled.missing = []
    settled.likely = nil
    return settled
  }

  /// nil where the rules explain it.
  ///
  /// - Parameter besideSharers: without its SO_REUSEPORT the socket would meet others that are there still.
  private func finding(
    _ errno: SystemError, _ outcome: BindOutcome, besideSharers: Bool
  ) -> CallFinding? {
    if function == .bind, isBound, errno == .invalidArgument { return .alreadyBound }
    let now = outcome.verdict
    if now == .fails(errno) { return nil }
    if now == .undetermined, mayBe(errno, outcome) { return nil }
    switch errno {
    case .accessDenied, .notPermitted: return .refusedByPolicy(now: now, policies)
    case .addressInUse where besideSharers && now == .ok: return .notShared
    case .addressInUse, .addressNotAvailable, .noDevice: return .goneMeanwhile(now: now)
    default: return .unexplained(now: now)
    }
  }

  /// Whether what is not known may have led to this error.
  private func mayBe(_ errno: SystemError, _ outcome: BindOutcome) -> Bool {
    let missing = Set(outcome.missing.map(\.kind))
    switch errno {
    case .addressInUse: return !outcome.blockers.isEmpty || missing.contains(.boundSockets)
    case .accessDenied: return !missing.isDisjoint(with: [.capability, .unprivilegedPortStart])
    case .addressNotAvailable: return !missing.isDisjoint(with: [.localAddresses, .nonlocalBind, .interfaces])
    case .noDevice: return missing.contains(.interfaces)
    default: return false
    }
  }
}

extension BindOutcome {
  /// What listen(2) answers to a socket that is bound already: the second get_port, which finds every conflict of the
  /// port (`inet_csk_listen_start`). What is checked before it was checked at bind(2) and counts no more.
  fileprivate var ofBoundSocket: BindOutcome {
    var result = self
    result.bind = .ok
    result.likely = nil
    switch (bind, listen) {
    case (.fails(.addressInUse), _): result.listen = bind
    case (.fails, _): result.listen = .undetermined
    case (.undetermined, _), (.ok, nil): result.listen = .undetermined
    case (.ok, let listen?): result.listen = listen
    }
    return result
  }
}
