import CArguments
import Glibc
import Linux
import PortwhyCLI

/// The words after the program's name as execve(2) got them; invalid UTF-8 is repaired. In a debug build
/// `CommandLine.arguments` would be empty where no /proc is mounted, and every command line the overview.
///
/// Without a closure: one in this file would belong to the main actor, which brings the runtime of concurrency and libdispatch
/// into the binary, 0.9 MB.
func typedWords() -> [String] {
  var words: [String] = []
  for number in 1..<max(1, portwhy_argument_count()) {
    if let word = unsafe portwhy_argument(number) { unsafe words.append(String(cString: word)) }
  }
  return words
}

exit(
  CommandLineProgram.run(
    typedWords(), start: unsafe ProgramStart(words: portwhy_arguments(), environment: portwhy_environment())))
