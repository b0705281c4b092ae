import Glibc

// Times portwhy beside ss, lsof and fuser in private network namespaces under three loads, in turn, in one run, and
// keeps the tables in a Markdown file. Needs root. Exit status 0: everything was measured; whether the budgets are
// met is said in the tables, because a busy machine is no defect.
//
//   bench [--portwhy PATH] [--write FILE] [--chart FILE] [--loads idle,busy,crowded,smoke] [--rounds N] [--no-callgrind]
//   bench [--portwhy PATH] --command       prints what `portwhy --` costs a command, and nothing else
//   bench [--loads NAME] --run COMMAND     runs a shell command under the load instead, a profiler say

switch BenchWord(CommandLine.arguments.dropFirst()) {
case .measure(let settings): exit(measureAll(settings))
case .holdSockets(let count, let port): exit(holdSockets(count, listeningOn: port))
case .holdFiles(let count): exit(holdFiles(count))
case .spawn(let count): exit(spawn(count))
case .bind(let port): exit(bindOnce(port))
case .unknown(let word):
  say("bench: cannot use \"\(word)\"")
  exit(64)
}
