import Dispatch
import Glibc
import KernelLab
import Synchronization

/// What the command line asks for.
struct Settings: Sendable {
  var scenarios: UInt64 = 20_000
  var seed = UInt64.random(in: 0...UInt64(UInt32.max))
  var first: UInt64 = 0
  var reader = Reader.root
  var printsMix = false

  /// Ends the program with status 64 for words it does not know.
  init(_ arguments: ArraySlice<String>) {
    var rest = Array(arguments)
    func refuse(_ word: String) -> Never {
      say("conformance: cannot use \"\(word)\"")
      exit(64)
    }
    while !rest.isEmpty {
      let option = rest.removeFirst()
      if option == "--mix" {
        printsMix = true
        continue
      }
      guard let value = rest.first else { refuse(option) }
      rest.removeFirst()
      switch (option, UInt64(value), Reader(rawValue: value)) {
      case ("--scenarios", let number?, _): scenarios = number
      case ("--seed", let number?, _): seed = number
      case ("--from", let number?, _): first = number
      case ("--as", _, let reader?): self.reader = reader
      default: refuse("\(option) \(value)")
      }
    }
  }
}

/// Runs the scenarios on two threads and prints the tables.
func run(_ settings: Settings) -> Int32 {
  print(
    "seed \(settings.seed), scenarios \(settings.first)...\(settings.first + settings.scenarios - 1), "
      + "as \(settings.reader.rawValue)")
  let workers = UInt64(2)
  let totals = Mutex<(Statistics, [String])>((Statistics(), []))
  DispatchQueue.concurrentPerform(iterations: Int(workers)) { worker in
    let (statistics, problem) = work(settings, worker: UInt64(worker), of: workers)
    totals.withLock { total in
      total.0 = total.0 + statistics
      if let problem { total.1.append(problem) }
    }
  }
  let (statistics, problems) = totals.withLock { $0 }
  print(statistics.text)
  for problem in problems { print("could not run: \(problem)") }
  let clean = statistics.failures.isEmpty && problems.isEmpty && statistics.compared > 0
  print(clean ? "conformance: 0 wrong" : "conformance: \(statistics.wrong) wrong, \(problems.count) not run")
  return clean ? 0 : 1
}

/// Every `workers`-th scenario from `worker` on, in as many namespaces as their ports last for.
private func work(_ settings: Settings, worker: UInt64, of workers: UInt64) -> (Statistics, String?) {
  var statistics = Statistics()
  var number = settings.first + worker
  let end = settings.first + settings.scenarios
  while number < end {
    do {
      try NetworkNamespace.run { namespace in
        while number < end, namespace.portsLeft(.ordinary) > 8, namespace.portsLeft(.privileged) > 8 {
          let scenario = ScenarioGenerator.scenario(seed: settings.seed, number: number)
          let result = try compare(scenario, in: &namespace, as: settings.reader)
          statistics.add(result, scenario: scenario, label: "seed \(settings.seed) number \(number)")
          number += workers
        }
      }
    } catch {
      return (statistics, "\(error)")
    }
  }
  return (statistics, nil)
}

/// One line on standard error.
private func say(_ line: String) {
  let bytes = Array((line + "\n").utf8)
  _ = write(STDERR_FILENO, bytes, bytes.count)
}
