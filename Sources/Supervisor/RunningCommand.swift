import CLinux
import Glibc
package import Linux
package import SocketModel

/// A command that was started under the filter, with its keeper.
package struct RunningCommand: Sendable {
  package let process: Int32
  let listener: Int32
  let signals: Int32
  let keeper: Int32

  /// Why a command was not started.
  package enum Failure: Error, Sendable, Hashable {
    /// It cannot be watched, and was not run; the text says why and what to do.
    case unwatchable(String)
    /// It could not be executed.
    case notExecuted(SystemError)
  }

  /// Starts the command, as execvp(3) finds it. To be called before there is a second thread.
  ///
  /// - Parameters:
  ///   - start: how this program was started; the command gets its words from that number on, and its environment.
  ///   - number: of the command's own word; 0 is the name of this program.
  package static func start(_ start: ProgramStart, command number: Int) throws(Failure) -> RunningCommand {
    guard let words = start.words, let environment = start.environment else {
      throw .unwatchable("the words of the command are not there")
    }
    let signals = portwhy_take_signals()
    guard signals >= 0 else { throw .unwatchable("signals cannot be read: \(SystemError(rawValue: errno))") }
    var command = portwhy_command()
    var step = portwhy_fork_command(words + number, environment, &command)
    guard step == PORTWHY_STARTED else {
      let error = SystemError(rawValue: command.error)
      portwhy_drop_command(&command)
      throw .unwatchable(Refusal.text(step, error))
    }
    let keeper = portwhy_fork_keeper(command.listener)
    guard keeper > 0 else {
      let error = SystemError(rawValue: errno)
      portwhy_drop_command(&command)
      throw .unwatchable("the keeper cannot be started: \(error)")
    }
    portwhy_adopt_orphans()
    step = portwhy_run_command(&command)
    guard step == PORTWHY_STARTED else {
      let error = SystemError(rawValue: command.error)
      portwhy_drop_command(&command)
      if step == PORTWHY_NOT_EXECUTED { throw .notExecuted(error) }
      throw .unwatchable(Refusal.text(step, error))
    }
    return RunningCommand(process: command.process, listener: command.listener, signals: signals, keeper: keeper)
  }
}

/// Ends this process as a signal ended the command.
package func end(bySignal number: Int32) -> Never {
  portwhy_end_by_signal(number)
  exit(128 &+ number)
}

/// Which signals the command is sent, and whether portwhy stops when the command does.
///
/// A terminal's signals reach the whole process group, so the command has them already. What a process sends to
/// portwhy's number is meant for the command, whose number nobody knows.
struct JobControl {
  let command: Int32
  var isCommandStopped = false
  /// A signal that stops came to this process too, since both ran last.
  private var isToldToStop = false

  init(command: Int32) { self.command = command }

  /// The signal to send to the command; nil for none.
  mutating func relayed(_ number: Int32, code: Int32, sender: Int32) -> Int32? {
    if [SIGTSTP, SIGTTIN, SIGTTOU].contains(number) { isToldToStop = true }
    if number == SIGCHLD { return nil }
    // An alarm(2) of before portwhy ran: the kernel sends it, and to this process alone.
    if number == SIGALRM { return number }
    guard code <= 0, sender != command else { return nil }
    // A shell continues the whole group.
    if number == SIGCONT { return isStoppedNow ? number : nil }
    return number
  }

  /// Asked where the command has stopped. A shell waits for portwhy, so it must see it stop; but who stops the command's
  /// number in the background continues that number too, and not portwhy.
  func stopsToo() -> Bool {
    if isToldToStop { return isStoppedNow }
    let terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard terminal >= 0 else { return false }
    defer { close(terminal) }
    // A shell has a process group of its own, and gives the terminal back only when it is asked to.
    let front = tcgetpgrp(terminal)
    return (front == getpgrp() || front == getpgid(command)) && isStoppedNow
  }

  /// Both run again.
  mutating func resumed() {
    isToldToStop = false
    isCommandStopped = isStoppedNow
  }

  /// By now it may have been continued.
  private var isStoppedNow: Bool {
    let reply = ProcessFiles.asked(ProcessQuestion(.named([command]), [.contents("stat")]))
    guard let stat = reply.processes.first?.contents("stat"), let end = stat.lastIndex(of: UInt8(ascii: ")")),
      stat.count > end + 2
    else { return isCommandStopped }
    return stat[end + 2] == UInt8(ascii: "T")
  }
}

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
