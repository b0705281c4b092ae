import Glibc
import KernelLab

// Holds portwhy's verdicts against the running kernel: random scenarios with real sockets in private network
// namespaces, each asked about through the whole pipeline and then tried for real. Exit status 0: nothing wrong.
//
//   conformance [--scenarios N] [--seed N] [--from N] [--as root|nobody] [--mix]

let settings = Settings(CommandLine.arguments.dropFirst())
if settings.printsMix {
  print(ScenarioGenerator.mix)
  exit(0)
}
exit(run(settings))
