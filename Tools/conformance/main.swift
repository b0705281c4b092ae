import Glibc
import KernelLab

// Holds portwhy's verdicts against the running kernel: random scenarios with real sockets in private network
// namespaces, each asked about through the whole pipeline in a process of its own and then tried for real.
// Exit status 0: nothing wrong, nothing left out.
//
//   conformance [--scenarios N] [--seed N] [--from N] [--as root|nobody|both] [--vrf] [-v] [--mix]

let settings = Settings(CommandLine.arguments.dropFirst())
switch settings.mode {
case .mix: print(ScenarioGenerator.mix)
case .answer(let reader): exit(answerRequests(as: reader))
case .run: exit(run(settings))
}
