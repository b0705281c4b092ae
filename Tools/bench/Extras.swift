import KernelLab
import SocketModel

/// What is measured once, beside no load and no other program.
struct Extras: Sendable {
  /// How much longer a port with four times the connections takes.
  var growth: Double
  /// MiB of saved reports a second, by what they are.
  var reports: [(name: String, rate: Double)]
  /// Bytes.
  var binary: Int
  var command: CommandOverhead

  var budgets: [Budget] {
    let sizes = Self.connections.map { "with \(grouped($0)) connections" }
    let growth = Budget(promise: "one port \(sizes[1]) / \(sizes[0]), wall", measured: growth, limit: 5)
    let rates = reports.map {
      Budget(promise: "`portwhy -q --from` of \($0.name), MiB/s", measured: $0.rate, limit: 20, isFloor: true)
    }
    return [growth] + rates + command.budgets
      + [Budget(promise: "the binary, MB", measured: Double(binary) / 1e6, limit: 10)]
  }

  private static let connections = [1000, 4000]
  private static let rounds = 15

  init(_ settings: Settings) throws {
    command = try CommandOverhead(settings)
    let portwhy = settings.portwhy
    let isSmoke = settings.loads == [.smoke]
    let counts = Self.connections.map { isSmoke ? $0 / 100 : $0 }
    say("bench: ports with \(counts.map(grouped).joined(separator: " and ")) connections, and saved reports")
    try SystemCalls.allowDescriptors(2 * counts.reduce(0, +) + 1000)
    (growth, reports) = try NetworkNamespace.run(NamespaceConfiguration(devices: false, ownTables: false)) { _ in
      let ports = [Port(8084), Port(8085)]
      var few = HeldSockets()
      var many = HeldSockets()
      try few.connect(counts[0], through: ports[0])
      try many.connect(counts[1], through: ports[1])
      let walls = try ports.map { port in try Self.wall([portwhy, "\(port)"], isSmoke ? 1 : Self.rounds) }
      let report = try Self.output([portwhy, "--json", "\(ports[0])"])
      let reports = try Self.reportRates(report, isSmoke ? 1 : 16, portwhy)
      _ = (few.count, many.count)
      return (walls[1] / walls[0], reports)
    }
    binary = SystemCalls.size(ofFile: portwhy)
  }

  /// The median, in microseconds.
  private static func wall(_ words: [String], _ rounds: Int) throws -> Double {
    var walls: [Double] = []
    for _ in 0..<rounds {
      let start = SystemCalls.now()
      let status = SystemCalls.wait(for: try SystemCalls.start(words, errors: .null)).status
      walls.append(SystemCalls.now() - start)
      guard status < 128 else { throw BenchError("\(words.joined(separator: " ")) ended with status \(status)") }
    }
    return median(walls) ?? 0
  }

  private static func output(_ words: [String]) throws -> [UInt8] {
    let pipe = try SystemCalls.pipe()
    defer { pipe.closeReading() }
    let process: Int32
    do {
      defer { pipe.closeWriting() }
      process = try SystemCalls.start(words, output: .descriptor(pipe.write))
    }
    defer { _ = SystemCalls.wait(for: process) }
    return try SystemCalls.readToEnd(pipe.read)
  }

  /// Reports as they are, one a line, and one report made to be read slowly: of keys that are written with an escape.
  private static func reportRates(
    _ report: [UInt8], _ mebibytes: Int, _ portwhy: String
  ) throws -> [(name: String, rate: Double)] {
    let size = mebibytes << 20
    let many = Array(repeating: report, count: max(1, size / max(1, report.count))).joined()
    let key = Array(#""\u0041bcdef":0,"#.utf8)
    let head = Array(#"{"schema":"portwhy.report/1","version":"1","host":{"#.utf8)
    let escaped = head + Array(repeating: key, count: size / key.count).joined() + Array(#""z":0}}"#.utf8)
    return try [("reports, one a line", Array(many)), ("one report of escaped keys", escaped)].map { name, bytes in
      let path = "/tmp/portwhy-bench.\(SystemCalls.ownProcess()).json"
      try SystemCalls.replaceFile(path, String(decoding: bytes, as: UTF8.self))
      defer { SystemCalls.remove(path) }
      let wall = try wall([portwhy, "-q", "--from", path], 3)
      return (name, Double(bytes.count) / 1_048_576 / (wall / 1e6))
    }
  }
}
