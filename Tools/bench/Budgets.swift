/// One promise of the design about speed, memory or size, and how it was kept.
struct Budget: Sendable {
  var promise: String
  /// The measured figure and its limit, in the unit of the promise.
  var measured: Double
  var limit: Double
  /// The limit is the least that is promised, not the most.
  var isFloor = false

  var isMet: Bool { isFloor ? measured >= limit : measured <= limit }
}

/// How long a command may take, as a part of what `ss -tanp` takes for the same port.
struct WallBudget: Sendable {
  var load: Load
  var tool = Tool.portwhy
  var subject: Subject
  var limit: Double

  static let all = [
    WallBudget(load: .idle, subject: .server, limit: 1),
    WallBudget(load: .idle, tool: .portwhyQuietly, subject: .server, limit: 0.75),
    WallBudget(load: .idle, tool: .portwhyAsJSON, subject: .server, limit: 1),
    WallBudget(load: .idle, subject: .listener, limit: 0.9),
    WallBudget(load: .idle, subject: .timeWait, limit: 1.2),
    WallBudget(load: .idle, subject: .free, limit: 0.45),
    WallBudget(load: .busy, subject: .listener, limit: 0.08),
    WallBudget(load: .busy, tool: .portwhyWithoutBPF, subject: .listener, limit: 0.4),
    WallBudget(load: .crowded, subject: .listener, limit: 0.06),
    WallBudget(load: .crowded, subject: .timeWait, limit: 0.09),
    WallBudget(load: .crowded, subject: .free, limit: 0.06),
    WallBudget(load: .crowded, subject: .overview, limit: 0.08),
  ]

  /// nil for a load that was not measured.
  func judged(_ results: [LoadResult]) -> Budget? {
    let result = results.first { $0.load.name == load.name }
    guard let ratio = result?.ratio(tool, to: .ssWithOwners, subject) else { return nil }
    let commands = [tool, .ssWithOwners].map { "`\(Command(tool: $0, subject: subject).text)`" }
    let note = subject == .server ? " (50 connections, 50 TIME_WAIT)" : subject == .timeWait ? " (TIME_WAIT)" : ""
    return Budget(
      promise: "\(load.name): \(commands.joined(separator: " / "))\(note)", measured: ratio, limit: limit)
  }
}

/// The budgets that the measured loads can judge.
func budgets(_ results: [LoadResult], _ extras: Extras?) -> [Budget] {
  var all = WallBudget.all.compactMap { $0.judged(results) }
  let byName = Dictionary(results.map { ($0.load.name, $0) }) { first, _ in first }
  if let peak = byName[Load.crowded.name]?.peakMemory(.portwhy, .overview) {
    all.append(Budget(promise: "peak memory of `portwhy`, crowded, MiB", measured: peak / 1024, limit: 60))
  }
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
  return all + (extras?.budgets ?? [])
}
