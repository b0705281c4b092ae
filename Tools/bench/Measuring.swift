import KernelLab
import SocketModel

/// Measures every load in a network namespace of its own and writes the tables; the exit status.
func measureAll(_ settings: Settings) -> Int32 {
  do {
    for word in Set(Command.all.map { $0.words(portwhy: settings.portwhy)[0] }) where !SystemCalls.isInstalled(word) {
      say("bench: there is no \(word) on this host: its rows are missing")
    }
    if settings.commandOnly {
      let overhead = try CommandOverhead(settings)
      print((table(overhead.budgets) + table(overhead)).joined(separator: "\n"))
      return 0
    }
    var results: [LoadResult] = []
    for load in settings.loads { try measure(load, settings).map { results.append($0) } }
    if settings.shellCommand != nil { return 0 }
    let isWhole = Set(settings.loads).isSuperset(of: Settings().loads)
    let extras = isWhole || settings.loads == [.smoke] ? try Extras(settings) : nil
    let text = resultText(results, extras, host: HostDescription())
    guard let file = settings.file else {
      if let chart = settings.chart { try SystemCalls.replaceFile(chart, chartText(results)) }
      print(text)
      return 0
    }
    guard isWhole else {
      print(text)
      say("bench: \(file) stays as it is: it has all loads")
      return 0
    }
    if let chart = settings.chart { try SystemCalls.replaceFile(chart, chartText(results)) }
    try SystemCalls.replaceFile(file, replacingGenerated(SystemCalls.text(ofFile: file), with: text))
    say("bench: the tables are in \(file)")
    return 0
  } catch {
    say("bench: \(error)")
    return 70
  }
}

/// nil where a shell command ran instead.
private func measure(_ load: Load, _ settings: Settings) throws -> LoadResult? {
  // The host's own tables, as a container sees them.
  try NetworkNamespace.run(NamespaceConfiguration(devices: false, ownTables: false)) { _ in
    say("bench: \(load.description): building")
    let start = SystemCalls.now()
    let processes = try LoadProcesses(load)
    var sockets = HeldSockets()
    try sockets.listen(on: .v4(.any), Port(Subject.listener.port))
    var server = HeldSockets()
    if load.hasServer { try server.connect(50, through: Port(Subject.server.port)) }
    say("bench: \(load.name): there after \(Int((SystemCalls.now() - start) / 1e6)) s")
    let result: LoadResult?
    if let command = settings.shellCommand {
      var remains = Remains()
      try remains.renew(load, server)
      _ = SystemCalls.wait(for: try SystemCalls.start(["sh", "-c", command], output: .descriptor(1)))
      result = nil
    } else {
      result = try measureRounds(load, server, settings)
    }
    // Both are held until here.
    _ = (sockets.count, server.count, processes.count)
    return result
  }
}

/// Every command once a round, each round from another one on, so that none always runs in another one's wake.
private func measureRounds(
  _ load: Load, _ server: borrowing HeldSockets, _ settings: Settings
) throws -> LoadResult {
  var result = LoadResult(
    load: load, processes: SystemCalls.processCount(), loadAverages: [loadAverage()], measurements: [:])
  var remains = Remains()
  let known = Command.all.filter {
    SystemCalls.isInstalled($0.words(portwhy: settings.portwhy)[0]) && (load.hasServer || $0.subject != .server)
  }
  for (commands, rounds) in [
    (known.filter { $0.subject != .overview }, load.rounds(settings.rounds)),
    (known.filter { $0.subject == .overview }, min(load.overviewRounds, load.rounds(settings.rounds))),
  ] {
    // The first round warms the caches and does not count.
    for round in -1..<rounds {
      for step in commands.indices {
        try remains.renew(load, server)
        let command = commands[(step + max(0, round)) % commands.count]
        let (wall, usage) = try time(command.words(portwhy: settings.portwhy), rightStatus: command.rightStatus)
        if round >= 0 { result.measurements[command, default: Measurement()].add(wall, usage) }
      }
    }
  }
  for command in known {
    try remains.renew(load, server)
    for _ in 0..<3 {
      let usage = SystemCalls.wait(for: try SystemCalls.startCopied(command.words(portwhy: settings.portwhy)))
      result.measurements[command]?.peakMemory.append(Double(usage.peakMemory))
    }
    if settings.callgrind, load.sockets == 0 {
      result.measurements[command]?.instructions = try countInstructions(
        command.words(portwhy: settings.portwhy), rightStatus: command.rightStatus)
    }
  }
  result.loadAverages.append(loadAverage())
  result.savedReports = try measureSavedReports(load, settings)
  return result
}

extension Measurement {
  mutating func add(_ wall: Double, _ usage: Usage) {
    self.wall.append(wall)
    user.append(usage.user)
    system.append(usage.system)
  }
}

/// From before posix_spawn(3) until the process has been waited for.
func time(_ words: [String], rightStatus: Int32) throws -> (wall: Double, usage: Usage) {
  let start = SystemCalls.now()
  let usage = SystemCalls.wait(for: try SystemCalls.start(words, errors: .null))
  let wall = SystemCalls.now() - start
  guard usage.status == rightStatus else {
    throw BenchError("\(words.joined(separator: " ")) ended with status \(usage.status), not \(rightStatus)")
  }
  return (wall, usage)
}

/// `Collected : N` of valgrind(1), which is no error where valgrind is missing or cannot run the command.
func countInstructions(_ words: [String], rightStatus: Int32) throws -> Int? {
  let pipe = try SystemCalls.pipe()
  defer { pipe.closeReading() }
  let valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
  let process: Int32?
  do {
    defer { pipe.closeWriting() }
    process = try? SystemCalls.start(valgrind + words, errors: .descriptor(pipe.write))
  }
  guard let process else { return nil }
  let told = String(decoding: try SystemCalls.readToEnd(pipe.read), as: UTF8.self)
  guard SystemCalls.wait(for: process).status == rightStatus else { return nil }
  // The children that it starts are told of before it.
  let line = told.split(separator: "\n").last { $0.contains("Collected :") }
  return line.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) }
}

/// The sockets in TIME_WAIT, which the kernel keeps for 60 s only.
private struct Remains {
  private var made = -Double.infinity

  mutating func renew(_ load: Load, _ server: borrowing HeldSockets) throws {
    // What is left of the time before has gone by then, or the server would have more and more of them.
    guard SystemCalls.now() - made > (load.hasServer ? 50e6 : 20e6) else { return }
    try HeldSockets.leaveTimeWait(3, on: Port(Subject.timeWait.port))
    if load.hasServer { try server.leaveTimeWait(50, through: Port(Subject.server.port)) }
    made = SystemCalls.now()
  }
}

func loadAverage() -> String {
  SystemCalls.text(ofFile: "/proc/loadavg").split(separator: " ").first.map(String.init) ?? "unknown"
}
