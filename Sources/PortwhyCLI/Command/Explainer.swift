internal import Explanation
internal import Linux
internal import Answers
internal import PortwhyReport
internal import Evidence
internal import SocketModel
internal import Supervisor
internal import Synchronization

/// A thread that explains and prints, so that the calls of a command do not wait while portwhy reads /proc or a terminal
/// does not take what is written.
final class Explainer: Sendable {
  /// An explanation, or a sentence in its place.
  struct Explained: Sendable {
    var number: UInt64
    var failure: BindFailure?
    /// What is said where there is none.
    var sentence: String
    var likeness: String
    var holder: String?
  }

  enum Task: Sendable {
    case explain(FailedCall)
    case write(@Sendable () -> Void)
    case stop
  }

  private struct State {
    var tasks: [Task] = []
    var explained: [Explained] = []
    var isOver = false
  }

  private let state = Mutex(State())
  private let work: Alarm
  private let done: Alarm
  private let settings: CommandSettings

  /// `done` is raised when an explanation is there, and at the end.
  init(_ settings: CommandSettings, work: Alarm, done: Alarm) {
    self.settings = settings
    self.work = work
    self.done = done
  }

  /// Starts the thread; false where there is none.
  func start() -> Bool { startThread { self.run() } }

  func add(_ task: Task) {
    state.withLock { $0.tasks.append(task) }
    work.raise()
  }

  /// What was explained since.
  func takeExplained() -> [Explained] {
    state.withLock { state in
      defer { state.explained = [] }
      return state.explained
    }
  }

  /// Everything is done, after `stop`.
  var isOver: Bool { state.withLock { $0.isOver } }

  private func run() {
    while true {
      let task: Task? = state.withLock { $0.tasks.isEmpty ? nil : $0.tasks.removeFirst() }
      switch task {
      case nil: _ = work.wait()
      case .explain(let call):
        let explained = explain(call)
        state.withLock { $0.explained.append(explained) }
        done.raise()
      case .write(let body): body()
      case .stop:
        state.withLock { $0.isOver = true }
        done.raise()
        return
      }
    }
  }

  // MARK: Explaining

  private func explain(_ call: FailedCall) -> Explained {
    guard let own = call.socket, let address = call.address else {
      return sentence(call, "its socket could not be looked at")
    }
    guard address.endpoint.port.rawValue > 0 else {
      return sentence(
        call,
        call.errno == .addressInUse
          ? "no port of net.ipv4.ip_local_port_range was free for it" : "it asked for any free port")
    }
    if let namespace = call.namespace, namespace.file == nil { return sentence(call, Self.elsewhere) }
    do throws(PortwhyError) {
      var failure = try Portwhy.explainCall(madeCall(call, own, address))
      tellOwnTree(&failure, call)
      if call.addressChanged { failure.change { $0.addAddressChanged() } }
      return Explained(
        number: call.number, failure: failure, sentence: "", likeness: likeness(call, failure),
        holder: holder(failure))
    } catch {
      if case .notPermitted = error, call.namespace != nil { return sentence(call, Self.elsewhere) }
      return sentence(call, error.description)
    }
  }

  private static let elsewhere = "in a network namespace of its own, which only root may enter (sudo)"

  private func madeCall(_ call: FailedCall, _ own: OwnSocket, _ address: CallAddress) -> MadeCall {
    var made = MadeCall(
      of: own, .address(address.endpoint.address, zone: address.scope.map { String($0) }), address.endpoint.port,
      function: call.function, errno: call.errno)
    made.process = call.caller.process
    // A capability counts in the user namespace that owns the network namespace; elsewhere it stays open.
    let isHere = call.namespace == nil && call.caller.isInOurUserNamespace == true
    made.mayBindPrivileged = isHere ? .some(.some(call.caller.mayBindPrivileged)) : .some(nil)
    made.policies.label = call.caller.securityLabel
    if let namespace = call.namespace {
      made.namespace = .process(call.caller.thread)
      made.openedNamespace = namespace.file
    }
    made.wording = Runtime(executable: call.caller.executable)
    made.bpf = settings.bpf
    return made
  }

  /// A holder that the command itself started is said to be one.
  private func tellOwnTree(_ failure: inout BindFailure, _ call: FailedCall) {
    guard !failure.isOwnProgram else { return }
    let own = ownProcess()
    let files = ProcessFiles()
    defer { files.end() }
    for process in failure.blockers.flatMap(\.processes).prefix(20)
    // It may have ended since it was looked at.
    where process.pid != call.caller.process
      && (process.parents?.contains { $0.pid == own } ?? false || isBelowThisProcess(process.pid, files))
    {
      failure.change { $0.addOwnTree(process) }
      return
    }
  }

  private func sentence(_ call: FailedCall, _ text: String) -> Explained {
    Explained(number: call.number, failure: nil, sentence: text, likeness: "\(call.errno) \(text)", holder: nil)
  }

  private func likeness(_ call: FailedCall, _ failure: BindFailure) -> String {
    let blockers = failure.blockers.map { "\($0.inode ?? $0.cookie)" }.joined(separator: ",")
    let port = call.address.map { "\($0.endpoint.port)" } ?? ""
    let place = blockers.isEmpty ? call.address?.endpoint.text ?? "" : port
    return "\(call.function) \(call.errno) \(place) \(failure.cause?.rawValue ?? "") \(blockers)"
  }

  private func holder(_ failure: BindFailure) -> String? {
    failure.blockers.lazy.compactMap { $0.processes.first?.text }.first.map(TerminalText.escaped)
  }
}

extension BindFailure {
  /// Changes the explanation, in both places where it stands.
  fileprivate mutating func change(_ body: (inout Diagnosis) -> Void) {
    body(&attempt.explanation)
    report.targets[0].attempts[0] = attempt
  }
}
