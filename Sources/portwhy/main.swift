import CArguments
import Glibc
import Linux
import PortwhyCLI

// The words after the program's name, as execve(2) got them; invalid UTF-8 is repaired. `CommandLine.arguments` would be
// empty where no /proc is mounted, and every command line the overview.
let words = (1..<max(1, portwhy_argument_count())).compactMap { number in
  unsafe portwhy_argument(number).map { unsafe String(cString: $0) }
}
let start = unsafe ProgramStart(words: portwhy_arguments(), environment: portwhy_environment())
exit(CommandLineProgram.run(words, start: start))
