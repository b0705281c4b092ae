import CArguments
import Linux
import PortwhyCLI

/// Runs the command line of this process; its exit status.
///
/// The words after the program's name are as execve(2) got them; invalid UTF-8 is repaired. `CommandLine.arguments` would be
/// empty where no /proc is mounted, and every command line the overview.
func run() -> Int32 {
  let words = (1..<max(1, portwhy_argument_count())).compactMap { number in
    unsafe portwhy_argument(number).map { unsafe String(cString: $0) }
  }
  let start = unsafe ProgramStart(words: portwhy_arguments(), environment: portwhy_environment())
  return CommandLineProgram.run(words, start: start)
}
