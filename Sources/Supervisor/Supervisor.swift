import CLinux
import Glibc
import Linux
package import SocketModel

/// Runs beside a command: sees each bind(2) and listen(2) of its tree, and what the kernel answered.
///
/// A class with one owner: only the thread that seized a thread may ask ptrace(2) about it, so everything here happens on
/// the thread that called `run`.
package final class Supervisor {
  /// How long a thread stands still at most.
  package static let longestHold: UInt64 = 1_000_000
  /// From then on a call that is made and does not end is asked about: its thread may be gone without a word (execve(2) of
  /// another thread).
  private static let suspicious: UInt64 = 200_000

  private let command: Int32
  private let listener: Int32
  private let signals: Int32
  private let keeper: Int32
  private let alarm: Alarm
  private weak var delegate: (any SupervisorDelegate)?
  private var running: [Int32: RunningCall] = [:]
  private var watched: [Int32: Int32] = [:]
  private var failures: UInt64 = 0
  private var ending: CommandEnding?
  private var jobControl: JobControl
  private let ownNamespace: UInt64
  private var looks = BoundedLooks()

  /// Takes over what `RunningCommand` started. `alarm` is how another thread calls `SupervisorDelegate.alarmed`.
  package init(_ started: RunningCommand, alarm: Alarm, delegate: any SupervisorDelegate) {
    command = started.process
    listener = started.listener
    signals = started.signals
    keeper = started.keeper
    self.alarm = alarm
    self.delegate = delegate
    jobControl = JobControl(command: started.process)
    ownNamespace = ownNamespaceCookie()
  }

  /// Until the command has ended. A signal that comes later ends this process.
  package func run() -> CommandEnding {
    _ = portwhy_prepare_seizing()
    while true {
      if let ending {
        letEverythingGo()
        portwhy_end_keeper(listener, keeper)
        portwhy_heed_signals(signals)
        return ending
      }
      step()
    }
  }

  private func step() {
    let processes = Array(watched)
    let ready = ready([listener, signals, alarm.descriptor] + processes.map(\.value), until: nextMoment)
    // Stops first: a thread that has its result goes on before others are asked.
    if ready[1] { takeSignals() }
    reap()
    if ready[0] { receive() }
    if ready[2] {
      alarm.clear()
      delegate?.alarmed()
    }
    for (process, isOver) in zip(processes, ready[3...]) where isOver {
      watched[process.key] = nil
      close(process.value)
      delegate?.ended(process: process.key)
    }
    let now = Clock.microseconds
    if let deadline = delegate?.deadline, deadline <= now { delegate?.tick(now: now) }
    checkRunning(now)
  }

  private var nextMoment: UInt64? {
    let ofCalls = running.values.map { $0.heldUntil ?? ($0.startedAt + Self.suspicious) }
    return (ofCalls + [delegate?.deadline].compactMap { $0 }).min()
  }

  // MARK: Calls

  private func receive() {
    var notification = portwhy_notification()
    guard portwhy_receive(listener, &notification) == 0 else { return }
    let (waiting, listener) = (Notification(value: notification), listener)
    switch looks.find({ WaitingCall.look(waiting, listener: listener, $0) }) {
    case .call(let call): seize(call, notification.id)
    case .nothing: break
    case .notPermitted: missed(notification, .notPermitted)
    case .noAnswer, nil: missed(notification, .tooSlow)
    }
    // Whatever was found out, the kernel makes the call.
    _ = portwhy_go_on(listener, notification.id)
  }

  private func missed(_ notification: portwhy_notification, _ reason: UnseenReason) {
    let isListen = portwhy_call_of(notification.architecture, notification.number) == PORTWHY_LISTEN
    delegate?.unseen(isListen ? .listen : .bind, thread: notification.thread, reason)
  }

  /// Has the thread stand still when the call has been made.
  private func seize(_ waiting: WaitingCall, _ id: UInt64) {
    let thread = waiting.call.thread
    guard seized(thread) else {
      delegate?.unseen(waiting.call.function, thread: thread, .notPermitted)
      return
    }
    _ = portwhy_interrupt(thread)
    // If the call is not waited for any more, the number may be another's by now; that is let go when it stops.
    guard portwhy_still_waits(listener, id) != 0 else { return }
    running[thread] = RunningCall(
      call: waiting.call, address: waiting.address, inode: waiting.inode, startedAt: Clock.microseconds)
  }

  private func seized(_ thread: Int32) -> Bool {
    // On a busy host the deadline may have come while this thread waited for a processor, before or after it seized.
    for _ in 0..<3 {
      let error = portwhy_seize(thread)
      if error == 0 || error == ETIMEDOUT && isTraced(thread) { return true }
      if error != ETIMEDOUT { return false }
    }
    return false
  }

  /// Whether this process has seized the thread. PTRACE_INTERRUPT works for its tracer alone, and once more does no harm: a
  /// thread that stands still already does not stop again when it is let go of.
  private func isTraced(_ thread: Int32) -> Bool { portwhy_interrupt(thread) == 0 }

  /// A seized thread stands still: its call has been made.
  private func stopped(_ thread: Int32, _ status: WaitStatus) {
    guard var run = running[thread], run.heldUntil == nil else {
      _ = portwhy_detach(thread, status.signalToPass)
      return
    }
    run.signal = status.signalToPass
    var (instruction, result) = (UInt64(0), Int64(0))
    guard portwhy_registers(thread, &instruction, &result) == 0, instruction == run.call.instruction else {
      letGo(run)
      delegate?.unseen(run.call.function, thread: thread, .lostTrack)
      return
    }
    if result >= 0 {
      let made = run
      let worked = delegate?.wantsWorkedCalls == true ? looks.find { WorkedCall(made, $0) } : nil
      letGo(run)
      if let worked = worked.flatMap({ $0 }) { delegate?.worked(worked) }
      return
    }
    guard let error = Self.explainable(result), let failed = failedCall(run, error) else { return letGo(run) }
    guard delegate?.failed(failed) == true else { return letGo(run) }
    run.number = failed.number
    run.heldUntil = Clock.microseconds + Self.longestHold
    running[thread] = run
  }

  /// A failure that is about the port. EFAULT, EBADF and ENOTSOCK are about the program, EINTR and the restarts of the
  /// kernel (from 512 on) are no answers.
  private static func explainable(_ result: Int64) -> SystemError? {
    guard result > -512, let number = Int32(exactly: -result) else { return nil }
    return [EFAULT, EBADF, ENOTSOCK, EINTR].contains(number) ? nil : SystemError(rawValue: number)
  }

  /// What is to be known of the failure; nil where the thread is gone.
  private func failedCall(_ run: RunningCall, _ errno: SystemError) -> FailedCall? {
    failures += 1
    let (number, ownNamespace) = (failures, ownNamespace)
    let found = looks.find { files in
      Result { () throws(SystemError) in
        try FailedCall(run, errno, number: number, ownNamespace: ownNamespace, files)
      }
    }
    switch found {
    case .success(let call): return call
    case .failure(let error) where error != .timedOut: return nil
    case .failure, nil:
      delegate?.unseen(run.call.function, thread: run.call.thread, .tooSlow)
      return nil
    }
  }

  private func letGo(_ run: RunningCall) {
    running[run.call.thread] = nil
    _ = portwhy_detach(run.call.thread, run.signal)
  }

  /// The thread of this failure has stood still long enough.
  package func release(call number: UInt64) {
    if let run = running.values.first(where: { $0.heldUntil != nil && $0.number == number }) { letGo(run) }
  }

  private func checkRunning(_ now: UInt64) {
    for run in running.values {
      if let end = run.heldUntil {
        if end <= now { letGo(run) }
      } else if run.startedAt + Self.suspicious <= now {
        if isTraced(run.call.thread) {
          running[run.call.thread]?.startedAt = now
        } else {
          running[run.call.thread] = nil
        }
      }
    }
  }

  private func letEverythingGo() {
    // A thread in its call is not stopped yet; the end of this process lets it go.
    for run in running.values where run.heldUntil != nil { letGo(run) }
  }

  // MARK: Processes

  /// Has `SupervisorDelegate.ended` called when a process ends; false where it has ended already.
  package func watch(process: Int32) -> Bool {
    if process == command || watched[process] != nil { return ending == nil }
    let handle = portwhy_pidfd_open(process)
    guard handle >= 0 else { return false }
    watched[process] = handle
    return true
  }

  /// Takes every change of a child or a seized thread; as adopter of orphans also what the command left behind.
  private func reap() {
    var number: Int32 = 0
    while true {
      let child = portwhy_wait_any(&number)
      guard child > 0 else { return }
      let status = WaitStatus(rawValue: number)
      switch status.change {
      case .stopped where running[child] != nil: stopped(child, status)
      case .stopped(let signal) where status.isTraceStop:
        // A thread that was given up, maybe of the command.
        _ = portwhy_detach(child, signal == SIGTRAP ? 0 : signal)
      case .stopped(let signal):
        // One that was given up may stop for a signal first; what is not traced has stopped by itself.
        if portwhy_detach(child, signal) != 0, child == command { commandStopped(by: signal) }
      case .continued where child == command: jobControl.isCommandStopped = false
      case .continued: break
      case .exited(let code):
        running[child] = nil
        if child == command { end(.exited(code)) }
      case .killed(let signal):
        running[child] = nil
        if child == command { end(.killed(signal)) }
      }
    }
  }

  private func end(_ how: CommandEnding) {
    ending = how
    delegate?.ended(process: command)
  }

  // MARK: Signals and job control

  private func takeSignals() {
    var (number, code, sender) = (Int32(0), Int32(0), Int32(0))
    while portwhy_next_signal(signals, &number, &code, &sender) != 0 {
      if let relayed = jobControl.relayed(number, code: code, sender: sender) { kill(command, relayed) }
    }
  }

  private func commandStopped(by signal: Int32) {
    takeSignals()
    jobControl.isCommandStopped = true
    guard jobControl.stopsToo() else { return }
    // Nobody stands still because portwhy does, and calls of what still runs go on.
    letEverythingGo()
    portwhy_rest()
    portwhy_stop_by_signal(signal)
    portwhy_resume()
    jobControl.resumed()
  }
}

/// What is done about the calls of a command. Everything is called on the thread of `Supervisor.run`, and quickly: the
/// calls of the whole tree wait meanwhile.
package protocol SupervisorDelegate: AnyObject {
  /// Whether calls that work are worth the time to look at them.
  var wantsWorkedCalls: Bool { get }

  /// A call failed. The answer is whether its thread is to stand still until `Supervisor.release(call:)`, one second
  /// at most.
  func failed(_ call: FailedCall) -> Bool

  /// A call worked.
  func worked(_ call: WorkedCall)

  /// A call of this thread could not be looked at.
  func unseen(_ function: SocketCall, thread: Int32, _ reason: UnseenReason)

  /// A process that was watched has ended.
  func ended(process: Int32)

  /// The alarm was raised.
  func alarmed()

  /// Time has come for `deadline`.
  func tick(now: UInt64)

  /// When to call `tick`, CLOCK_MONOTONIC in microseconds; nil for never.
  var deadline: UInt64? { get }
}
