public import BindRules
import Linux
public import Explanation
import Evidence
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
  /// Explains why bind(2) or listen(2) on this very socket failed, from its options, its owner and its address.
  ///
  /// Call it in the error path, before the socket is closed. It reads what `portwhy ADDRESS:PORT` reads, and
  /// changes nothing. A program needs no privilege to learn that it is in its own way.
  /// - Parameters:
  ///   - descriptor: the socket, still open.
  ///   - address: what was passed to bind(2): `127.0.0.1:8080`, `[::1]:8080`, `[fe80::1%eth0]:8080`; `*:8080` is the
  ///     wildcard of the socket's family.
  public static func explainBindFailure(
    descriptor: Int32, address: String
  ) throws(PortwhyError) -> BindFailure {
    let socket = try readSocket(descriptor)
    let place = try BindAddress(address, family: socket.family)
    return try explain(Plan(socket), socket.transport, socket, place.address, place.port)
  }

  /// The same for an address that is no text; an IPv6 address that needs a zone is none of them.
  public static func explainBindFailure(
    descriptor: Int32, address: Endpoint
  ) throws(PortwhyError) -> BindFailure {
    let socket = try readSocket(descriptor)
    return try explain(Plan(socket), socket.transport, socket, .address(address.address, zone: nil), address.port)
  }

  /// The same for a socket that is closed already: what it was is said by hand.
  /// - Parameters:
  ///   - plan: its options and its owner.
  ///   - transport: TCP for SOCK_STREAM, UDP for SOCK_DGRAM.
  ///   - family: AF_INET or AF_INET6, where `*:8080` is the wildcard of one of them; AF_INET where it is not said.
  ///   - address: as above.
  public static func explainBindFailure(
    of plan: Plan, _ transport: TransportProtocol = .tcp, family: AddressFamily? = nil, address: String
  ) throws(PortwhyError) -> BindFailure {
    let place = try BindAddress(address, family: family)
    return try explain(plan, transport, nil, place.address, place.port)
  }

  private static func readSocket(_ descriptor: Int32) throws(PortwhyError) -> OwnSocket {
    do throws(SystemError) { return try OwnSocket(descriptor: descriptor) } catch {
      throw .invalidQuestion(ErrorWords.noSocket(descriptor, error))
    }
  }

  /// - Parameter socket: the socket itself, where it is there: it does not stand in its own way.
  private static func explain(
    _ plan: Plan, _ transport: TransportProtocol, _ socket: OwnSocket?, _ address: QuestionAddress, _ port: Port
  ) throws(PortwhyError) -> BindFailure {
    guard port.rawValue > 0 else { throw .invalidQuestion(ErrorWords.portZero) }
    let item = QuestionItem(addresses: [address], ports: port...port, transport: transport)
    var question = Question(items: [item], plan: plan)
    question.ownSocket = socket?.inode
    // The bind bucket remembers this socket's own bind as well, and only the others are asked about.
    question.usesBPF = socket?.isBound != true
    var report = try answer(question)
    guard var target = report.targets.first, var attempt = target.attempts.first,
      let outcome = attempt.outcome(plan.options)
    else { throw .internalError(ErrorWords.noAnswer(port)) }
    let blockers = target.planBlockers
    let own = blockers.compactMap { blocker in blocker.processes.first { $0.pid == ownProcess() } }
    let isOwnProgram = !blockers.isEmpty && own.count == blockers.count
    attempt.explanation.addOwnProgram(
      isOwnProgram ? own.flatMap(\.descriptors) : nil, wouldWork: outcome.verdict == .ok)
    target.attempts[0] = attempt
    report.targets[0] = target
    return BindFailure(
      report: report, attempt: attempt, outcome: outcome, blockers: blockers, isOwnProgram: isOwnProgram)
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
