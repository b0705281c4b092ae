import Glibc
import PortwhyCLI

exit(CommandLineProgram.run(Array(CommandLine.arguments.dropFirst())))
