import BindRules
package import Linux
import Netlink
public import SocketModel

/// How a wait ended.
package enum WaitEnd: Sendable, Hashable {
  /// Every planned bind works, or its port is one's own already (`Question.ours`).
  case works
  /// It fails for a reason that no wait changes: a right, a family or a protocol that is missing.
  case hopeless
  /// The time was up first.
  case timedOut
  /// This signal came first (signal(7)).
  case stopped(Int32)
  /// Another thread turned the `StopSwitch` first.
  case cancelled
}

extension Portwhy {
  /// Blocks until every planned bind works, or one's own server has the port (`Question.ours`); what is undetermined is
  /// waited for as well, and what no wait changes ends it.
  ///
  /// On the calling thread; the library's own waits on another.
  /// - Parameters:
  ///   - timeout: milliseconds after which it gives up; nil for never.
  ///   - stopSignals: signals that end the wait and not the program while it lasts.
  ///   - stop: what another thread ends the wait with.
  ///   - progress: called after each look that did not end the wait.
  package static func wait(
    for question: Question, timeout: UInt64? = nil, stopSignals: [Int32] = [], stop: StopSwitch? = nil,
    progress: (Report) -> Void = { _ in }
  ) throws(PortwhyError) -> (report: Report, end: WaitEnd) {
    // Before a thread is started for another namespace, so that no thread takes the signals as usual.
    let signals = StopSignals(stopSignals)
    guard let namespace = question.namespace else { return try waitHere(question, timeout, signals, stop, progress) }
    return try namespace.look { () throws(PortwhyError) in try waitHere(question, timeout, signals, stop, progress) }
  }

  private static func waitHere(
    _ question: Question, _ timeout: UInt64?, _ signals: borrowing StopSignals, _ stop: StopSwitch?,
    _ progress: (Report) -> Void
  ) throws(PortwhyError) -> (report: Report, end: WaitEnd) {
    // Subscribed before the first look: a socket that goes in between is not missed.
    let events = SocketEvents(question.portsByTransport)
    return try waitUntilItWorks(
      timeout: timeout, now: { Clock.milliseconds },
      look: { () throws(PortwhyError) in try answerHere(question) },
      pause: { events.pause(until: $0, wakesForSockets: $1, signals: signals, stop: stop) }, progress: progress)
  }
}

/// The loop of a wait; times are milliseconds of one clock that only goes forward.
func waitUntilItWorks(
  timeout: UInt64?, now: () -> UInt64, look: () throws(PortwhyError) -> Report,
  pause: (_ until: UInt64, _ wakesForSockets: Bool) -> SocketEvent, progress: (Report) -> Void
) throws(PortwhyError) -> (report: Report, end: WaitEnd) {
  let start = now()
  let end = timeout.map { start.addingReportingOverflow($0) }.map { $0.overflow ? .max : $0.partialValue } ?? .max
  while true {
    let started = now()
    var report = try look()
    // What was free for an instant may have been a socket on its way: an answer that holds is given twice.
    if report.works { report = try look() }
    let ended = now()
    if report.works { return (report, .works) }
    if report.isHopeless { return (report, .hopeless) }
    if ended >= end { return (report, .timedOut) }
    progress(report)
    let schedule = LookSchedule(started: started, ended: ended, report: report)
    var event = pause(min(schedule.unannounced, end), true)
    // What comes in a burst is looked at once.
    if event == .socketGone { event = pause(min(schedule.earliest, end), false) }
    switch event {
    case .signal(let number): return (report, .stopped(number))
    case .stopped: return (report, .cancelled)
    case .momentCame, .socketGone: continue
    }
  }
}

/// When to look again after a look.
struct LookSchedule {
  /// Between two looks, however much happens.
  static let shortestPause: UInt64 = 50
  /// For what is not announced. A look that takes long is repeated less often: at most a tenth of the time is spent
  /// looking.
  static let usualPause: UInt64 = 1000
  static let longestPause: UInt64 = 10_000
  /// The timer of a TIME_WAIT runs out a little late, never early (kernel function `inet_twsk_schedule`).
  static let timerDelay: UInt64 = 20

  /// After an announcement.
  let earliest: UInt64
  /// Without one.
  let unannounced: UInt64

  init(started: UInt64, ended: UInt64, report: Report) {
    let duration = ended - min(started, ended)
    earliest = ended &+ max(Self.shortestPause, duration)
    let pause = max(Self.usualPause, min(duration.multipliedReportingOverflow(by: 9).partialValue, Self.longestPause))
    guard let left = report.timeWaitLeft, left > 0 else {
      unannounced = ended &+ pause
      return
    }
    unannounced = min(ended &+ pause, max(earliest, started &+ UInt64(left) &+ Self.timerDelay))
  }
}

extension Report {
  /// Every planned bind would work.
  fileprivate var works: Bool { targets.allSatisfy { $0.verdict == .ok || $0.isOurs } }

  /// Whether a planned bind fails for what is no state of the port or of the host's addresses.
  fileprivate var isHopeless: Bool {
    let errors: Set<SystemError> = [.accessDenied, .invalidArgument, .addressFamilyNotSupported]
    return targets.contains { target in
      if case .fails(let errno) = target.verdict { errors.contains(errno) } else { false }
    }
  }

  /// Milliseconds until the last timer of a timewait socket in the way of the planned binds ends; nil where there is
  /// none.
  package var timeWaitLeft: UInt32? {
    targets.flatMap { target in
      target.planBlockers.compactMap { $0.timer?.kind == .timeWait ? $0.timer?.expires : nil }
    }.max()
  }
}

extension TargetReport {
  /// The sockets that are, or may be, in the way of the planned binds, each once.
  public var planBlockers: [SocketObservation] {
    let indices = Set(attempts.flatMap { $0.outcome(plan.options)?.blockers ?? [] }.map(\.socket))
    return sockets.indices.filter(indices.contains).map { sockets[$0] }
  }
}
