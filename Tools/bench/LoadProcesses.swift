import KernelLab
import SocketModel

/// The processes of a load: this program again, each holding its share until the pipe to it closes.
///
/// Nothing but that pipe keeps them alive, so they end with the bench however it ends.
struct LoadProcesses: ~Copyable {
  private let pipe: PipeEnds
  private let processes: [Int32]

  var count: Int { processes.count }

  /// Starts them in the network namespace of the calling thread and waits until all hold what they should.
  init(_ load: Load) throws {
    (pipe, processes) = try Self.start(load)
  }

  deinit { Self.end(pipe, processes) }

  private static func start(_ load: Load) throws -> (PipeEnds, [Int32]) {
    let words =
      load.socketShares.enumerated().map { ["hold-sockets", "\($0.element)", "\(20_000 + $0.offset)"] }
      + (0..<load.processes).map { _ in ["hold-files", "\(load.filesInEach)"] }
    let pipe = try SystemCalls.pipe()
    var processes: [Int32] = []
    do {
      let ready = try SystemCalls.pipe()
      defer { ready.closeReading() }
      do {
        defer { ready.closeWriting() }
        for word in words {
          processes.append(
            try SystemCalls.start(
              ["/proc/self/exe"] + word, input: .descriptor(pipe.read), output: .descriptor(ready.write)))
        }
      }
      let told = try SystemCalls.readToEnd(ready.read)
      guard told.count == words.count else {
        throw BenchError("only \(told.count) of \(words.count) processes of the load are there")
      }
    } catch {
      end(pipe, processes)
      throw error
    }
    return (pipe, processes)
  }

  private static func end(_ pipe: PipeEnds, _ processes: [Int32]) {
    pipe.closeWriting()
    pipe.closeReading()
    for process in processes { _ = SystemCalls.wait(for: process) }
  }
}

/// Holds `count` sockets: connections through a listener of its own.
func holdSockets(_ count: Int, listeningOn port: Port) -> Int32 {
  hold {
    try SystemCalls.allowDescriptors(count + 100)
    var sockets = HeldSockets()
    try sockets.connect((count - 1) / 2, through: port)
    SystemCalls.tellReadyAndWait()
    _ = sockets.count
  }
}

/// Holds `count` files.
func holdFiles(_ count: Int) -> Int32 {
  hold {
    try SystemCalls.allowDescriptors(count + 100)
    for _ in 0..<count { try SystemCalls.openNull() }
    SystemCalls.tellReadyAndWait()
  }
}

private func hold(_ body: () throws -> Void) -> Int32 {
  do {
    try body()
    return 0
  } catch {
    say("bench: a process of the load: \(error)")
    return 1
  }
}
