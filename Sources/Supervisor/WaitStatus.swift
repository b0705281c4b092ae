import Glibc

/// How a command ended.
package enum CommandEnding: Sendable, Hashable {
  case exited(Int32)
  case killed(Int32)
}

/// What waitpid(2) says; the macros of wait(2) are none that Swift sees.
struct WaitStatus: RawRepresentable {
  let rawValue: Int32

  enum Change: Equatable {
    case exited(Int32)
    case killed(Int32)
    case stopped(Int32)
    case continued
  }

  var change: Change {
    if rawValue == 0xffff { return .continued }
    if rawValue & 0xff == 0x7f { return .stopped(rawValue >> 8 & 0xff) }
    return rawValue & 0x7f == 0 ? .exited(rawValue >> 8 & 0xff) : .killed(rawValue & 0x7f)
  }

  /// PTRACE_EVENT_STOP: PTRACE_INTERRUPT did it, or a signal that stops the whole process.
  var isTraceStop: Bool { rawValue >> 16 != 0 }

  /// The signal that the thread stopped before it gets it; 0 for a stop that is not for a signal.
  var signalToPass: Int32 {
    guard !isTraceStop, case .stopped(let signal) = change else { return 0 }
    return signal
  }
}
