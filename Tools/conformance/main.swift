import Glibc
import KernelLab

// Holds portwhy's verdicts against the running kernel: random scenarios with real sockets in private network
// namespaces, each asked about through the whole pipeline in a process of its own and then tried for real.
// Exit status 0: nothing wrong, nothing left out.
//
//   conformance [--scenarios N] [--seed N] [--from N] [--as READER|both|all] [--vrf] [--ordinary]
//               [--moving] [-v] [--mix]

let settings = Settings(CommandLine.arguments.dropFirst())
switch settings.mode {
case .mix: print(settings.mixText)
case .answer(let reader): exit(answerRequests(as: reader, in: settings.place))
case .move(let way, let port): exit(move(way, port))
case .moving: exit(runMoving(settings))
case .run: exit(run(settings))
}
