/// What one command cost under one load: microseconds, KiB, instructions.
struct Measurement: Sendable {
  var wall: [Double] = []
  var user: [Double] = []
  var system: [Double] = []
  var peakMemory: [Double] = []
  /// Of one run in user space (callgrind's Ir).
  var instructions: Int?

  /// User and system, the least of the rounds: what else runs can only add to it.
  var processorTime: Double? { zip(user, system).map(+).min() }
}

/// The middle one of the values, or the mean of the two in the middle.
func median(_ values: [Double]) -> Double? {
  let sorted = values.sorted()
  guard !sorted.isEmpty else { return nil }
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

func mean(_ values: [Double]) -> Double? {
  values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
}

/// Everything measured under one load.
struct LoadResult: Sendable {
  var load: Load
  /// On the whole host, those of the load included.
  var processes: Int
  /// Of one minute, before the first and after the last round: more than the bench itself means disturbed figures.
  var loadAverages: [String]
  var measurements: [Command: Measurement]
  var savedReports: SavedReportsResult?

  /// The median wall time of the one, measured against that of the other.
  func ratio(_ tool: Tool, to other: Tool, _ subject: Subject) -> Double? {
    guard let one = wall(tool, subject), let other = wall(other, subject), other > 0 else { return nil }
    return one / other
  }

  /// Microseconds, the median.
  func wall(_ tool: Tool, _ subject: Subject) -> Double? {
    measurements[Command(tool: tool, subject: subject)].flatMap { median($0.wall) }
  }

  /// KiB, the most in any run.
  func peakMemory(_ tool: Tool, _ subject: Subject) -> Double? {
    measurements[Command(tool: tool, subject: subject)]?.peakMemory.max()
  }
}
