/// One promise of the design about speed or memory, and how it was kept.
struct Budget: Sendable {
  var promise: String
  /// The measured figure and its limit, in the unit of the promise.
  var measured: Double
  var limit: Double

  var isMet: Bool { measured <= limit }
}

/// The budgets that the measured loads can judge.
func budgets(_ results: [LoadResult]) -> [Budget] {
  let byName = Dictionary(results.map { ($0.load.name, $0) }) { first, _ in first }
  var all: [Budget] = []
  func add(_ load: Load, _ tool: Tool, _ limit: Double, _ other: Tool, _ subject: Subject) {
    guard let measured = byName[load.name]?.ratio(tool, to: other, subject) else { return }
    let one = Command(tool: tool, subject: subject).text
    let two = Command(tool: other, subject: subject).text
    all.append(Budget(promise: "\(load.name): `\(one)` / `\(two)`, wall", measured: measured, limit: limit))
  }
  for subject in [Subject.listener, .timeWait, .free] { add(.idle, .portwhy, 0.9, .ssWithOwners, subject) }
  // No slower than without it; 3 in 100 are the noise of two equal commands.
  add(.idle, .portwhy, 1.03, .portwhyWithoutBPF, .listener)
  for subject in [Subject.listener, .timeWait, .free] { add(.busy, .portwhy, 0.5, .ssWithOwners, subject) }
  add(.busy, .portwhyWithoutBPF, 0.5, .ssWithOwners, .listener)
  for subject in [Subject.listener, .timeWait, .free] { add(.crowded, .portwhy, 0.1, .ssWithOwners, subject) }
  for subject in [Subject.listener, .timeWait, .free] { add(.crowded, .portwhy, 3.5, .ss, subject) }
  add(.crowded, .portwhyWithoutBPF, 0.5, .ssWithOwners, .listener)
  add(.crowded, .portwhy, 1, .ssWithOwners, .overview)
  for tool in [Tool.portwhy, .portwhyWithoutBPF] {
    guard let idle = byName[Load.idle.name], let crowded = byName[Load.crowded.name] else { continue }
    for subject in [Subject.listener, .timeWait, .free] {
      guard let before = idle.peakMemory(tool, subject), let after = crowded.peakMemory(tool, subject) else {
        continue
      }
      let text = Command(tool: tool, subject: subject).text
      all.append(
        Budget(
          promise: "peak memory of `\(text)`, crowded above idle, MiB", measured: (after - before) / 1024, limit: 2))
    }
  }
  for saved in results.compactMap(\.savedReports) {
    let these = "\(grouped(saved.reports)) saved reports"
    if let wall = saved.wall {
      all.append(Budget(promise: "\(these), the slowest question, seconds", measured: wall / 1e6, limit: 5))
    }
    if let memory = saved.peakMemory {
      all.append(Budget(promise: "\(these), peak memory, MiB", measured: memory / 1024, limit: 200))
    }
    if let growth = saved.growth {
      all.append(
        Budget(
          promise: "\(these) / half as many, processor time", measured: growth, limit: 2.2))
    }
  }
  return all
}
