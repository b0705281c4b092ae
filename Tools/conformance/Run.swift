import Dispatch
import KernelLab
import Synchronization

/// Runs the scenarios as each reader, prints the mix and the tables, and says whether all went well.
func run(_ settings: Settings) -> Int32 {
  print("the mix, as weights:\n\(settings.mixText)")
  let statuses = settings.readers.map { run(settings, as: $0) }
  return statuses.allSatisfy { $0 } ? 0 : 1
}

private func run(_ settings: Settings, as reader: Reader) -> Bool {
  let last = settings.first + max(settings.scenarios, 1) - 1
  let place = settings.vrf ? ", with a VRF" : settings.ordinary ? ", ordinary sockets" : ""
  print("\nseed \(settings.seed), scenarios \(settings.first)...\(last)\(place), as \(reader.rawValue)")
  let clock = ContinuousClock()
  let start = clock.now
  let workers: UInt64 = settings.scenarios > 1 ? 2 : 1
  let totals = Mutex<(Statistics, [String])>((Statistics(), []))
  DispatchQueue.concurrentPerform(iterations: Int(workers)) { worker in
    let (statistics, problem) = work(settings, reader, worker: UInt64(worker), of: workers)
    totals.withLock { total in
      total.0 = total.0 + statistics
      if let problem { total.1.append(problem) }
    }
  }
  Place.removeRemains()
  let (statistics, problems) = totals.withLock { $0 }
  print(statistics.text)
  for problem in problems { print("could not run: \(problem)") }
  let seconds = (clock.now - start) / .seconds(1)
  print("\(Int(Double(statistics.scenarios) / max(seconds, 0.001))) scenarios a second")
  let clean = statistics.failures.isEmpty && problems.isEmpty && statistics.compared > 0
  print(
    clean
      ? "conformance as \(reader.rawValue): 0 wrong of \(statistics.compared)"
      : "conformance as \(reader.rawValue): \(statistics.wrong) wrong, \(statistics.noAnswers) without an answer, "
        + "\(problems.count) not run")
  return clean
}

extension Settings {
  /// The weights of what is drawn.
  var mixText: String {
    ordinary ? ScenarioGenerator.ordinaryMix + "\n" + catalogueMix : ScenarioGenerator.mix
  }

  /// The scenario of this number.
  fileprivate func scenario(_ number: UInt64) -> Scenario {
    guard ordinary else { return ScenarioGenerator.scenario(seed: seed, number: number, vrf: vrf) }
    return ScenarioGenerator.ordinary(seed: seed, number: number, servers: catalogueOptions)
  }
}

/// Every `workers`-th scenario from `worker` on, in as many namespaces as their ports last for.
private func work(
  _ settings: Settings, _ reader: Reader, worker: UInt64, of workers: UInt64
) -> (Statistics, String?) {
  var statistics = Statistics()
  var number = settings.first + worker
  let end = settings.first + settings.scenarios
  while number < end {
    do {
      var configuration = NamespaceConfiguration(vrf: settings.vrf)
      configuration.clientPorts = settings.ordinary
      try NetworkNamespace.run(configuration) { namespace in
        var looking = try LookingProcess(reader)
        while number < end, PortKind.allCases.allSatisfy({ namespace.portsLeft($0) > 8 }) {
          let scenario = settings.scenario(number)
          let result = try compare(scenario, in: &namespace, with: &looking)
          let place = settings.vrf ? " --vrf" : settings.ordinary ? " --ordinary" : ""
          let label = "--seed \(settings.seed) --from \(number) --scenarios 1 --as \(reader.rawValue)\(place) -v"
          if settings.isVerbose { print(verboseText(scenario, result, number: number)) }
          statistics.add(result, scenario: scenario, label: label)
          number += workers
        }
      }
    } catch {
      return (statistics, "number \(number): \(error)")
    }
  }
  return (statistics, nil)
}
