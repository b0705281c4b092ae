import Glibc
@testable import PortwhyKit
import Testing

/// A listener on a free port of the loopback, which this test holds itself.
private struct Listener: ~Copyable {
  let descriptor: Int32
  let port: Port

  init() throws {
    // SOCK_STREAM | SOCK_CLOEXEC, by number: modules differ in the type of the names.
    let made = socket(AF_INET, 1 | 0o2000000, 0)
    try #require(made >= 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(made, address, length) | listen(made, 1) | getsockname(made, address, &length)
      }
    }
    try #require(status == 0)
    descriptor = made
    port = Port(UInt16(bigEndian: address.sin_port))
  }

  deinit { close(descriptor) }
}

private func question(_ port: Port) -> Question {
  Question(items: [
    QuestionItem(addresses: [.address(.v4(.loopback), zone: nil)], ports: port...port, transport: .tcp)
  ])
}

@Suite("The library behind one import")
struct DoorTests {
  @Test("answers, and says why as data, text and JSON")
  func answers() throws {
    let listener = try Listener()
    let report = try Portwhy.answer(question(listener.port))
    let target = try #require(report.targets.first)
    #expect(target.verdict == .fails(.addressInUse))
    #expect(target.attempts.first?.explanation.cause == .listener)
    #expect(target.planBlockers.map(\.local.port) == [listener.port])
    #expect(report.text.contains("\(listener.port)/tcp"))
    #expect(report.json.hasPrefix(#"{"schema":"portwhy.report/1","version":"\#(Portwhy.version)""#))
    _ = consume listener
  }

  @Test("says in one line why there is no answer")
  func errors() throws {
    let error = #expect(throws: PortwhyError.self) {
      try Portwhy.explainBindFailure(of: Plan(), address: "localhost:8080")
    }
    #expect("\(try #require(error))" == #""localhost:8080" is no address: names are not looked up"#)
    #expect("\(PortwhyError.internalError("x"))" == "internal error: x")
  }

  @Test("counts ports as numbers")
  func ports() {
    let ports: ClosedRange<Port> = 8080...8082
    #expect(ports.map(\.rawValue) == [8080, 8081, 8082])
    #expect(Port(8080).distance(to: 8090) == 10 && QuestionItem(port: 53, transport: .udp).ports == 53...53)
  }
}

@Suite("An asynchronous wait")
struct AsynchronousWaitTests {
  @Test("ends when the listener goes")
  func works() async throws {
    let listener = try Listener()
    let port = listener.port
    let waiting = Task { try await Portwhy.wait(for: question(port)) }
    try await Task.sleep(for: .milliseconds(50))
    _ = consume listener
    #expect(try await waiting.value.targets.map(\.verdict) == [.ok])
  }

  @Test("ends with its task, long before the next look")
  func cancelled() async throws {
    let listener = try Listener()
    let port = listener.port
    let waiting = Task { try await Portwhy.wait(for: question(port)) }
    try await Task.sleep(for: .milliseconds(50))
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await waiting.value }
    // Before the first look, too.
    let late = Task {
      while !Task.isCancelled { await Task.yield() }
      return try await Portwhy.wait(for: question(port))
    }
    late.cancel()
    await #expect(throws: CancellationError.self) { try await late.value }
    _ = consume listener
  }

  @Test("gives the last report when its time is up")
  func timeout() async throws {
    let listener = try Listener()
    let report = try await Portwhy.wait(for: question(listener.port), timeout: .milliseconds(1))
    #expect(report.targets.map(\.verdict) == [.fails(.addressInUse)])
    _ = consume listener
  }

  @Test(
    "takes its time as whole milliseconds",
    arguments: [
      (.milliseconds(1), 1), (.milliseconds(2_500), 2_500), (.seconds(2), 2_000), (.microseconds(1_999), 1),
      (.seconds(-5), 0), (.milliseconds(-1), 0), (.zero, 0), (.seconds(Int64.max), .max),
    ] as [(Duration, UInt64)])
  func milliseconds(timeout: Duration, expected: UInt64) { #expect(timeout.wholeMilliseconds == expected) }

  @Test("throws what a look throws")
  func error() async throws {
    var asked = question(8080)
    asked.namespace = .path("/nothing/here")
    let wrong = asked
    await #expect(throws: PortwhyError.invalidQuestion(#"no file "/nothing/here""#)) {
      try await Portwhy.wait(for: wrong)
    }
  }
}
