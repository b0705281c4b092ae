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

  /// Has to be called first of all: remembers the signals that the command is to have.
  package static func rememberSignals() { portwhy_remember_signals() }

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
