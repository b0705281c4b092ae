import Glibc
import PortwhyCLI

exit(CommandLineProgram.run())
