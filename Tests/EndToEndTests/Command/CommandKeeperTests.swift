import Glibc
import KernelLab
import Testing

@Suite(
  "Whatever becomes of portwhy", .enabled(if: endToEndTestsRun && commandModeRuns, "needs CAP_SYS_ADMIN and 5.19"),
  .serialized)
struct CommandKeeperTests {
  /// Kills portwhy at a random moment, of its start or of the storm; what its command then says.
  private func storm(killedAfter microseconds: UInt32, inStorm: Bool) throws -> String {
    try inDirectory { directory in
      let file = directory + "/out"
      var program = try RunningProgram([
        "-o", "/dev/null", "--", "/bin/sh", "-c",
        "\(binder) storm 2 40 0 0 8080 > \(file) 2>&1; echo over >> \(file)",
      ])
      let start = ContinuousClock.now
      while inStorm, access(file, F_OK) != 0, ContinuousClock.now < start + .seconds(60) { usleep(1000) }
      usleep(microseconds)
      program.send(SIGKILL)
      _ = program.wait(seconds: 30)
      let killed = ContinuousClock.now
      while ContinuousClock.now < killed + .seconds(60) {
        let text = try? contents(of: file)
        if let text, text.hasSuffix("over\n") { return text }
        // Killed before it started the command, portwhy runs none.
        if text == nil, ContinuousClock.now > killed + .seconds(1) { return "not started" }
        usleep(5000)
      }
      return "hangs: \((try? contents(of: file)) ?? "")"
    }
  }

  @Test("its binds and listens work as before: killed at random moments")
  func killed() throws {
    var generator = SystemRandomNumberGenerator()
    let rounds = getenv("PORTWHY_KEEPER_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 40
    let texts = try withTakenPorts { _ in
      try (0..<rounds).map { round in
        try storm(killedAfter: UInt32.random(in: 0...60_000, using: &generator), inStorm: round % 2 == 1)
      }
    }
    #expect(texts.filter { $0 != "fine 120 odd 0\nover\n" && $0 != "not started" } == [])
    #expect(texts.contains { $0.hasPrefix("fine") })
  }

  @Test("a daemon that outlives portwhy binds as before, and the keeper goes with it")
  func daemon() throws {
    // It waits for the test's word: a portwhy that waited for it would never end.
    let script =
      "(while [ ! -e $0.go ]; do sleep 0.05; done; \(binder) -l 127.0.0.1 8081; \(binder) 127.0.0.1 8080) > $0 2>&1 &"
    let (ending, text, keepers) = try inDirectory { directory in
      try withTakenPorts { _ in
        let file = directory + "/out"
        let ending = try portwhy(running: ["/bin/sh", "-c", script, file])
        try write("", to: file + ".go")
        let end = ContinuousClock.now + .seconds(60)
        var text = ""
        while ContinuousClock.now < end, !text.contains("bind 8080") {
          usleep(20_000)
          text = (try? contents(of: file)) ?? ""
        }
        while ContinuousClock.now < end, try keepersOfThisNamespace() > 0 { usleep(20_000) }
        return (ending, text, try keepersOfThisNamespace())
      }
    }
    #expect(ending.status == 0 && ending.errors == "")
    #expect(text == "has 8081\nbind 8080: Address already in use\n")
    #expect(keepers == 0)
  }

  @Test("$(portwhy -- daemon) ends when the daemon's starter does")
  func substitution() throws {
    let ending = try run(
      [
        "/bin/sh", "-c",
        "x=$(\(portwhyBinary) -- /bin/sh -c '(sleep 3) > /dev/null 2>&1 & echo started'); echo \"got $x\"",
      ],
      Start())
    #expect(ending.output == "got started\n")
  }

  /// Keepers in the calling thread's network namespace that are no zombies.
  private func keepersOfThisNamespace() throws -> Int {
    let own = link("/proc/thread-self/ns/net")
    guard let directory = opendir("/proc") else { throw StartError(what: "/proc") }
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard Int32(name) != nil, (try? contents(of: "/proc/\(name)/comm")) == "portwhy-keeper\n" else { continue }
      if link("/proc/\(name)/ns/net") == own { count += 1 }
    }
    return count
  }

  private func link(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 256)
    let length = readlink(path, &buffer, buffer.count)
    return length > 0 ? String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
  }
}
