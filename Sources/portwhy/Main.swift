import CArguments
import Glibc
import Linux
import PortwhyCLI

/// Not a main.swift: its statements would belong to the main actor, and bring the runtime of concurrency and libdispatch
/// into the binary, 0.9 MB.
@main
enum Main {
  nonisolated static func main() {
    // The words after the program's name, as execve(2) got them; invalid UTF-8 is repaired. `CommandLine.arguments` would
    // be empty where no /proc is mounted, and every command line the overview.
    let words = (1..<max(1, portwhy_argument_count())).compactMap { number in
      unsafe portwhy_argument(number).map { unsafe String(cString: $0) }
    }
    let start = unsafe ProgramStart(words: portwhy_arguments(), environment: portwhy_environment())
    exit(CommandLineProgram.run(words, start: start))
  }
}
