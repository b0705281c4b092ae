import KernelLab
import SocketModel

/// What `portwhy --` costs the command behind it, where nothing fails, and how long the thread of a call that fails stands
/// still.
struct CommandOverhead: Sendable {
  /// A command without and with portwhy before it, in turn.
  struct Row: Sendable {
    var name: String
    var limit: Double
    var bare = Measurement()
    var watched = Measurement()

    var wall: Double? { ratio { median($0.wall) } }
    /// Of all processes of the command, portwhy among them: the least of the rounds.
    var processorTime: Double? { ratio(\.processorTime) }

    private func ratio(_ figure: (Measurement) -> Double?) -> Double? {
      guard let bare = figure(bare), let watched = figure(watched), bare > 0 else { return nil }
      return watched / bare
    }
  }

  var rows: [Row] = []
  /// Microseconds, one for each failing bind.
  var stops: [Double] = []
  var loadAverages: [String]

  var budgets: [Budget] {
    let ofRows = rows.flatMap { row in
      [(row.wall, "wall"), (row.processorTime, "processor time")].compactMap { ratio, what in
        ratio.map {
          Budget(promise: "\(row.name) behind `portwhy --` / bare, \(what)", measured: $0, limit: row.limit)
        }
      }
    }
    let stop = median(stops).map {
      Budget(promise: "a failing bind behind `portwhy --` stands still, ms", measured: $0 / 1000, limit: 10)
    }
    return ofRows + [stop].compactMap { $0 }
  }

  init(_ settings: Settings) throws {
    let isSmoke = settings.loads == [.smoke]
    let (files, spawns, rounds, binds) = isSmoke ? (2, 5, 1, 1) : (100, 2000, 9, 40)
    say("bench: a command behind portwhy --")
    loadAverages = [loadAverage()]
    let (bench, stem) = (SystemCalls.ownProgram(), "/tmp/portwhy-bench.\(SystemCalls.ownProcess())")
    if SystemCalls.isInstalled("make"), SystemCalls.isInstalled("cc") {
      try SystemCalls.replaceFile(stem + ".c", Self.source)
      try SystemCalls.replaceFile(stem + ".mk", Self.makefile(stem, files))
      defer { for ending in [".c", ".mk"] { SystemCalls.remove(stem + ending) } }
      rows.append(
        try Self.row(
          Row(name: "`make -j2` of \(files) C files", limit: 1.1), ["make", "-s", "-j2", "-f", stem + ".mk"], rounds,
          settings))
    } else {
      say("bench: there is no make, or no cc, on this host: its row is missing")
    }
    rows.append(
      try Self.row(
        Row(name: "\(grouped(spawns)) spawns", limit: 1.15), [bench, "spawn", "\(spawns)"], rounds, settings))
    stops = try Self.stops(bench, stem + ".json", binds, settings)
    loadAverages.append(loadAverage())
  }

  private static func row(_ empty: Row, _ words: [String], _ rounds: Int, _ settings: Settings) throws -> Row {
    var row = empty
    // The first round warms the caches and does not count.
    for round in -1..<rounds {
      for isWatched in round % 2 == 0 ? [false, true] : [true, false] {
        let (wall, usage) = try time((isWatched ? [settings.portwhy, "--"] : []) + words, rightStatus: 0)
        guard round >= 0 else { continue }
        if isWatched { row.watched.add(wall, usage) } else { row.bare.add(wall, usage) }
      }
    }
    return row
  }

  /// `call.stopped_us` of reports of portwhy's own.
  private static func stops(_ bench: String, _ file: String, _ count: Int, _ settings: Settings) throws -> [Double] {
    defer { SystemCalls.remove(file) }
    return try NetworkNamespace.run(NamespaceConfiguration(devices: false, ownTables: false)) { _ in
      var holder = HeldSockets()
      try holder.listen(on: .v4(.any), Port(8080))
      for _ in 0..<count {
        let words = [settings.portwhy, "--json", "-o", file, "--", bench, "bind", "8080"]
        _ = try time(words, rightStatus: 1)
      }
      _ = holder.count
      let key = "\"stopped_us\":"
      let stops = SystemCalls.text(ofFile: file).split(separator: "\n").compactMap { line -> Double? in
        let bytes = Array(line.utf8)
        let start = bytes.indices.first { bytes[$0...].starts(with: key.utf8) }
        guard let start else { return nil }
        let digits = bytes[(start + key.utf8.count)...].prefix { (0x30...0x39).contains($0) }
        return Double(String(decoding: digits, as: UTF8.self))
      }
      guard stops.count == count else { throw BenchError("\(stops.count) of \(count) failing binds were explained") }
      return stops
    }
  }

  private static let source = """
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <math.h>
    #include <time.h>
    int main(int argc, char **argv) { printf("%d %s %f\\n", argc, argv[0], sin((double)time(0))); return 0; }

    """

  private static func makefile(_ stem: String, _ files: Int) -> String {
    """
    all: $(addprefix file,$(shell seq \(files)))
    file%:
    \t@cc -O1 -c -o \(stem).$@.o \(stem).c && rm \(stem).$@.o

    """
  }
}

/// Starts so many programs, one after the other.
func spawn(_ count: Int) -> Int32 {
  do {
    for _ in 0..<count where SystemCalls.wait(for: try SystemCalls.start(["/bin/true"])).status != 0 { return 1 }
    return 0
  } catch {
    say("bench: \(error)")
    return 1
  }
}

/// Binds a port and ends; status 1 where it cannot.
func bindOnce(_ port: Port) -> Int32 {
  var sockets = HeldSockets()
  do { try sockets.listen(on: .v4(.any), port) } catch { return 1 }
  return sockets.count > 0 ? 0 : 1
}
