/// What else is on the host while the commands are timed, in the namespace they look into.
struct Load: Sendable, Hashable {
  var name: String
  /// TCP sockets, both ends of connections over the loopback; processes hold up to `socketsAtMost` of them.
  var sockets: Int
  var processes: Int
  var filesInEach: Int
  /// How often each command is timed.
  var rounds: Int
  /// The same for the overview, which is timed apart.
  var overviewRounds: Int
  /// How many saved reports `--from` answers from, after everything else; none by most loads.
  var savedReports = 0

  /// No more than asked for; an idle host's rounds are short, so twenty times as many.
  func rounds(_ atMost: Int?) -> Int {
    guard let atMost else { return rounds }
    return min(rounds, sockets == 0 ? atMost * 20 : atMost)
  }

  /// Whether there is a server at work, too: where nothing else is, its own sockets are what costs.
  var hasServer: Bool { sockets < 1000 }

  static let socketsAtMost = 18_000

  static let idle = Load(
    name: "idle", sockets: 0, processes: 0, filesInEach: 0, rounds: 200, overviewRounds: 40,
    savedReports: 10_000)
  static let busy = Load(
    name: "busy", sockets: 40_000, processes: 300, filesInEach: 100, rounds: 20, overviewRounds: 5)
  static let crowded = Load(
    name: "crowded", sockets: 180_000, processes: 1000, filesInEach: 100, rounds: 12, overviewRounds: 3)
  /// For the test of the bench itself.
  static let smoke = Load(
    name: "smoke", sockets: 60, processes: 3, filesInEach: 5, rounds: 2, overviewRounds: 1, savedReports: 20)

  static func named(_ name: String) -> Load? { [idle, busy, crowded, smoke].first { $0.name == name } }

  var description: String {
    if sockets == 0 { return "\(name): the host as it is" }
    let holders = socketShares.count
    return "\(name): \(grouped(sockets)) sockets in \(holders) process\(holders == 1 ? "" : "es"), "
      + "\(processes) processes with \(filesInEach) files each"
  }

  /// How many sockets each process holds.
  var socketShares: [Int] {
    stride(from: 0, to: sockets, by: Self.socketsAtMost).map { min(Self.socketsAtMost, sockets - $0) }
  }
}

/// 180000 as 180,000.
func grouped(_ number: Int) -> String {
  let digits = Array(String(number))
  let groups = stride(from: digits.count, to: 0, by: -3).map { String(digits[max(0, $0 - 3)..<$0]) }
  return groups.reversed().joined(separator: ",")
}
