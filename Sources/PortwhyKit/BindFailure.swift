public import BindRules
import Glibc
public import Explanation
import ProcessEvidence
public import SocketModel

/// Why a bind(2) or listen(2) failed: the whole report as data. `PortwhyReport` renders it as text and as JSON.
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
  /// Explains why bind(2) or listen(2) on this very socket failed, from its options, its owner and its address.
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
    try explainBindFailure(
      of: PlannedSocket(descriptor: descriptor), address: address, call: call, errno: errno)
  }

  /// The same for an address that is no text; an IPv6 address that needs a zone is none of them.
  public static func explainBindFailure(
    descriptor: Int32, address: Endpoint, call: SocketCall? = nil, errno: Int32? = nil
  ) throws(PortwhyError) -> BindFailure {
    try explainCall(
      MadeCall(
        socket: PlannedSocket(descriptor: descriptor), address: .address(address.address, zone: nil),
        port: address.port, function: call, errno: errno.map(SystemError.init)))
  }

  /// The same for a socket that is closed already, described by hand.
  public static func explainBindFailure(
    of socket: PlannedSocket, address: String, call: SocketCall? = nil, errno: Int32? = nil
  ) throws(PortwhyError) -> BindFailure {
    let place = try BindAddress(address, family: socket.family)
    return try explainCall(
      MadeCall(
        socket: socket, address: place.address, port: place.port, function: call,
        errno: errno.map(SystemError.init)))
  }

  /// Explains a call that was made, by this or another process.
  package static func explainCall(_ call: MadeCall) throws(PortwhyError) -> BindFailure {
    guard call.port.rawValue > 0 else {
      throw .invalidQuestion("port 0 means any free port: there is nothing to explain")
    }
    let socket = call.socket
    let question = call.question
    var report = try answer(question)
    guard var target = report.targets.first, var attempt = target.attempts.first,
      let outcome = attempt.outcome(socket.options)
    else { throw .internalError("no answer for \(call.port)") }
    let blockers = target.planBlockers
    let own = blockers.compactMap { blocker in blocker.processes.first { $0.pid == call.process } }
    let isOwnProgram = !blockers.isEmpty && own.count == blockers.count
    attempt.explanation.tell(isOwnProgram, own.flatMap(\.descriptors), outcome)
    target.attempts[0] = attempt
    report.targets[0] = target
    return BindFailure(
      report: report, attempt: attempt, outcome: outcome, blockers: blockers, isOwnProgram: isOwnProgram)
  }
}

/// A call that was made, and everything about it that decides its explanation.
package struct MadeCall: Sendable {
  package var socket: PlannedSocket
  package var address: QuestionAddress
  package var port: Port
  /// nil where it was not said.
  package var function: SocketCall?
  /// nil where it was not said.
  package var errno: SystemError?
  /// The process that called.
  package var process: Int32 = getpid()
  /// CAP_NET_BIND_SERVICE of the thread that called; nil for what its uid is to have, `.some(nil)` for not known.
  package var mayBindPrivileged: Bool??
  package var policies = Policies()
  /// The socket's network namespace, where it is not the reader's.
  package var namespace: NamespaceReference?
  /// Whose words the suggestions use.
  package var wording: Runtime?
  package var bpf = true
  package var isThorough = false

  package init(
    socket: PlannedSocket, address: QuestionAddress, port: Port, function: SocketCall? = nil,
    errno: SystemError? = nil
  ) {
    self.socket = socket
    self.address = address
    self.port = port
    self.function = function
    self.errno = errno
  }

  fileprivate var question: Question {
    let item = QuestionItem(addresses: [address], ports: port.rawValue...port.rawValue, transport: socket.transport)
    var question = Question(
      items: [item], options: socket.options, v6only: socket.v6only, device: socket.device, uid: socket.uid,
      namespace: namespace)
    question.ownSocket = socket.own?.inode
    let isBound = socket.own?.isBound == true
    // The bind bucket remembers this socket's own bind as well, and only the others are asked about.
    question.bpf = bpf && !isBound
    question.thorough = isThorough
    question.wording = wording
    // A socket that has its port can only have failed to listen, unless the error is that of a second bind(2).
    let isListening = isBound && socket.transport == .tcp && errno != .invalidArgument
    let function = function ?? (isListening ? .listen : errno == nil ? nil : .bind)
    guard let function else { return question }
    question.observed = ObservedCall(
      function: function, errno: errno, mayBindPrivileged: function == .listen ? true : mayBindPrivileged,
      isBound: isBound, policies: policies)
    return question
  }
}

extension Explanation {
  /// Adds what only the program itself can say.
  fileprivate mutating func tell(_ isOwnProgram: Bool, _ descriptors: [Int32], _ outcome: BindOutcome) {
    if outcome.verdict == .ok {
      notes.append(
        Note(kind: "gone-meanwhile", text: "what made it fail is not there any more: the same bind would work now"))
    }
    guard isOwnProgram else { return }
    let numbers = descriptors.sorted().map(String.init).joined(separator: ", ")
    let which = descriptors.count == 1 ? "descriptor \(numbers)" : "descriptors \(numbers)"
    notes.append(
      Note(kind: "own-program", text: "this program itself is in its own way, with \(which): does it bind twice?"))
    suggestions.removeAll { $0.kind == "stop-holder" || $0.kind == "find-holder" }
    suggestions.insert(
      Suggestion(
        kind: "close-own", certainty: .conditional("\(which) \(descriptors.count == 1 ? "is" : "are") not needed"),
        text: "close that before this bind, or bind once and use the one socket"), at: 0)
  }
}

/// The text of an address with a port, as a server has it.
private struct BindAddress {
  var address: QuestionAddress
  var port: Port

  init(_ text: String, family: AddressFamily?) throws(PortwhyError) {
    guard let colon = text.lastIndex(of: ":"), let port = Port(decimal: text[text.index(after: colon)...]) else {
      throw .invalidQuestion("\"\(text)\" has no port: ADDRESS:PORT is expected")
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
      throw .invalidQuestion("\"\(text)\" is no address: names are not looked up")
    }
    address = .address(parsed, zone: parts.count > 1 ? String(parts[1]) : nil)
  }
}
