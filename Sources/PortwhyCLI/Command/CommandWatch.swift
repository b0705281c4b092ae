internal import Answers
internal import Evidence
internal import Linux
internal import PortwhyReport
internal import SocketModel
internal import Supervisor

/// Decides what becomes of each failed call of a command: which is explained, and what is printed when.
final class CommandWatch: SupervisorDelegate {
  private let settings: CommandSettings
  private let explainer: Explainer
  private let printer: CommandPrinter
  private var log: FailureLog
  private var calls: [UInt64: FailedCall] = [:]
  private var explained: [UInt64: Explainer.Explained] = [:]
  private var stoppedFor: [UInt64: UInt64] = [:]
  private var unseen: Set<UnseenCall> = []
  /// Set once; both need each other.
  weak var supervisor: Supervisor?

  private struct UnseenCall: Hashable {
    var function: SocketCall
    var thread: Int32
  }

  init(_ settings: CommandSettings, _ explainer: Explainer, _ printer: CommandPrinter) {
    self.settings = settings
    self.explainer = explainer
    self.printer = printer
    log = FailureLog(isVerbose: settings.verbose, isComplete: settings.json)
  }

  /// Whether a call failed, explained or not.
  var sawFailures: Bool { !log.isEmpty }
  /// Whether calls could not be looked at.
  var missedCalls: Int { unseen.count }

  // MARK: SupervisorDelegate

  var wantsWorkedCalls: Bool { log.wantsWorkedCalls }

  var deadline: UInt64? { log.deadline }

  func failed(_ call: FailedCall) -> Bool {
    let endpoint = call.address?.endpoint ?? Endpoint(address: .v4(.any), port: Port(0))
    let kind = FailedAttempt.Kind(
      process: call.caller.process, function: call.function, transport: call.socket?.transport ?? .tcp,
      endpoint: endpoint, errno: call.errno)
    let isNew = log.failed(
      FailedAttempt(
        number: call.number, kind: kind, command: TerminalText.escaped(call.caller.command),
        inode: call.socket?.inode, printAt: call.madeAt + FailureLog.patience))
    guard isNew else { return false }
    calls[call.number] = call
    if supervisor?.watch(process: call.caller.process) == false { show(log.ended(call.caller.process)) }
    explainer.add(.explain(call))
    return true
  }

  func worked(_ call: WorkedCall) {
    // bind(2) of TCP is half of it, and another socket may be tried before listen(2).
    guard call.function == .listen || call.transport == .udp else { return }
    show(log.got(call.address.endpoint, call.transport, process: call.process, inode: call.inode))
  }

  func unseen(_ function: SocketCall, thread: Int32, _ reason: UnseenReason) {
    unseen.insert(UnseenCall(function: function, thread: thread))
  }

  func ended(process: Int32) { show(log.ended(process)) }

  func alarmed() {
    for result in explainer.takeExplained() {
      explained[result.number] = result
      if let call = calls[result.number] { stoppedFor[result.number] = Clock.microseconds &- call.madeAt }
      supervisor?.release(call: result.number)
      show(log.explained(result.number, likeness: result.likeness, holder: result.holder))
    }
    show(log.tick(Clock.microseconds))
  }

  func tick(now: UInt64) { show(log.tick(now)) }

  // MARK: Printing

  /// Everything that is still held, once the command has ended; waits for explanations that are being made.
  func finish(until moment: UInt64, done: Alarm) {
    while calls.keys.contains(where: { explained[$0] == nil }), Clock.microseconds < moment {
      _ = done.wait(until: moment)
      alarmed()
    }
    show(log.finish())
  }

  /// Lines about failures whose explanation did not come in time.
  var unexplained: [String] {
    calls.keys.sorted().filter { explained[$0] == nil }.compactMap { log.failure($0) }.map {
      "\($0.call) failed: \($0.kind.errno); why could not be found in time"
    }
  }

  private func show(_ outputs: [FailureLog.Output]) {
    for output in outputs {
      switch output {
      case .line(let text): if !settings.json { printer.line(text) }
      case .screen(let numbers): show(numbers)
      case .sequel(let numbers, let endpoint, let isSame):
        let then = ReportedCall.Sequel(endpoint: endpoint, isSame: isSame)
        for failure in numbers.compactMap({ log.failure($0) }) { report(failure, then: then) }
      }
    }
  }

  private func show(_ numbers: [UInt64]) {
    let failures = numbers.compactMap { log.failure($0) }
    guard let first = failures.first, let call = calls[first.number], let result = explained[first.number] else {
      return
    }
    var addresses: [String] = []
    for failure in failures where !addresses.contains(failure.kind.endpoint.text) {
      addresses.append(failure.kind.endpoint.text)
    }
    let tries = failures.map(\.tries).max() ?? 1
    let times = tries > 1 ? " \(tries) times" : ""
    let place = addresses.count < 3 ? addresses.joined(separator: " and ") : addresses.joined(separator: ", ")
    let headline = "\(call.function.rawValue)() of \(first.who) on \(place) failed\(times): \(call.errno)"
    guard let failure = result.failure else {
      if !settings.json { printer.line("\(headline), \(result.sentence)") }
      return
    }
    if settings.json {
      for failure in failures { report(failure) }
    } else {
      printer.screen(headline, failure)
    }
  }

  private func report(_ failure: FailedAttempt, then: ReportedCall.Sequel? = nil) {
    guard let call = calls[failure.number], var report = explained[failure.number]?.failure?.report else { return }
    report.call = ReportedCall(
      function: call.function, errno: call.errno, endpoint: failure.kind.endpoint, pid: call.caller.process,
      tid: call.caller.thread, command: call.caller.command, descriptor: call.descriptor, tries: failure.tries,
      then: then,
      stoppedMicroseconds: stoppedFor[failure.number] ?? 0)
    printer.report(report)
  }
}

/// A call of the command that failed, as far as it decides what is printed about it, and when.
struct FailedAttempt: Hashable {
  /// The same call of the same process on the same address, which a server tries again and again.
  struct Kind: Hashable {
    var process: Int32
    var function: SocketCall
    var transport: TransportProtocol
    var endpoint: Endpoint
    var errno: SystemError
  }

  enum State: Hashable {
    /// Kept until it is known whether the process goes without this port.
    case held
    case printed
    /// Nobody needs to read it: the process has what it wanted, or a line said what it took instead.
    case dropped
  }

  /// The number of its first call.
  var number: UInt64
  var kind: Kind
  /// The name of the process.
  var command: String
  /// The socket; nil where it could not be looked at.
  var inode: UInt64?
  var tries = 1
  /// How many of them `printed` said.
  var triesTold = 0
  var state = State.held
  /// When it is printed at the latest, CLOCK_MONOTONIC in microseconds.
  var printAt: UInt64
  /// What is in the way, in a few words; nil where it is nobody that has a name. Known with the explanation.
  var holder: String?
  /// What makes two explanations the same for a reader; nil as long as there is none.
  var likeness: String?
}

extension Endpoint {
  /// `127.0.0.1:80`, `[::1]:80`.
  var text: String { address.family == .ipv6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
}
