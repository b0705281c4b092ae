import BindRules
import KernelLab
import Linux
import Netlink
import Explanation
import Glibc
import SocketModel
import Synchronization
import Testing

@testable import Answers

/// A host whose sockets go when the test says, and a clock that only a pause moves.
private struct Stage {
  var time: UInt64 = 1000
  var looks: [UInt64] = []
  /// How long a look takes.
  var effort: UInt64 = 0
  /// The looks in turn; the last stays.
  var reports: [Report]
  /// When a socket goes.
  var announcements: [UInt64] = []
  var signal: (moment: UInt64, number: Int32)?

  mutating func look() -> Report {
    looks.append(time)
    time += effort
    return reports[min(looks.count, reports.count) - 1]
  }

  mutating func pause(until moment: UInt64, wakesForSockets: Bool) -> SocketEvent {
    if let signal, signal.moment <= moment {
      time = max(time, signal.moment)
      return .signal(signal.number)
    }
    if wakesForSockets, let next = announcements.first, next <= moment {
      announcements.removeFirst()
      time = max(time, next)
      return .socketGone
    }
    time = max(time, moment)
    if !wakesForSockets { announcements.removeAll { $0 <= time } }
    return .momentCame
  }

  /// The end, and whether it was the last report.
  mutating func wait(timeout: UInt64? = nil) throws -> WaitEnd {
    let stage = Mutex(self)
    defer { self = stage.withLock { $0 } }
    return try waitUntilItWorks(
      timeout: timeout, now: { stage.withLock { $0.time } }, look: { stage.withLock { $0.look() } },
      pause: { moment, wakesForSockets in stage.withLock { $0.pause(until: moment, wakesForSockets: wakesForSockets) }
      },
      progress: { _ in }
    ).end
  }
}

private func report(_ verdict: CallResult, timers: [UInt32] = []) -> Report {
  let sockets = timers.map { left in
    SocketObservation(
      transport: .tcp, family: .ipv4, local: Endpoint(address: .v4(.loopback), port: Port(80)), state: .timeWait,
      reuseaddr: .unknown(.noOwner), reuseport: .unknown(.noOwner),
      timer: SocketTimer(kind: .timeWait, expires: left))
  }
  let outcomes = ReuseOptions.combinations.map {
    BindOutcome(
      options: $0, bind: verdict, listen: nil,
      blockers: timers.indices.map { Blocker(socket: $0, rule: .tcpReuseaddr) })
  }
  let attempt = AttemptReport(
    attempt: BindAttempt(transport: .tcp, address: .v4(.any), port: Port(80), uid: 0), outcomes: outcomes,
    explanation: Diagnosis(cause: nil, why: []))
  return Report(
    version: "", capturedAt: 0, host: HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 0),
    visibility: Visibility(),
    targets: [
      TargetReport(
        transport: .tcp, port: Port(80), plan: Plan(uid: 0), verdict: verdict, sockets: sockets, attempts: [attempt])
    ])
}

private let inUse = report(.fails(.addressInUse))
private let works = report(.ok)

@Suite("A wait")
struct WaitingTests {
  @Test("that has nothing to wait for looks twice: what is free must be so once more")
  func atOnce() throws {
    var stage = Stage(reports: [works])
    #expect(try stage.wait(timeout: 0) == .works)
    #expect(stage.looks == [1000, 1000])
  }

  @Test("does not end on an answer that held for an instant")
  func heldOnce() throws {
    var stage = Stage(reports: [works, inUse, works, inUse, works])
    #expect(try stage.wait() == .works)
    #expect(stage.looks == [1000, 1000, 2000, 2000, 3000, 3000])
  }

  @Test("goes on while the answer is undetermined")
  func undetermined() throws {
    var stage = Stage(reports: [report(.undetermined), works])
    #expect(try stage.wait() == .works)
  }

  @Test("looks once a second where nothing is announced")
  func unannounced() throws {
    var stage = Stage(reports: [inUse, inUse, inUse, works])
    #expect(try stage.wait() == .works)
    #expect(stage.looks == [1000, 2000, 3000, 4000, 4000])
  }

  @Test("looks at once when a socket goes, but not twice within 50 ms")
  func announced() throws {
    var stage = Stage(reports: [inUse, inUse, inUse, works], announcements: [1300, 1310, 1320, 1340])
    #expect(try stage.wait() == .works)
    // The look of 1300 sees what went then; what went in the 50 ms after it is looked at once.
    #expect(stage.looks == [1000, 1300, 1350, 2350, 2350])
  }

  @Test("of a thousand announcements in a second takes at most 20 looks")
  func storm() throws {
    var stage = Stage(
      reports: Array(repeating: inUse, count: 200) + [works], announcements: (1001...2000).map { UInt64($0) })
    #expect(try stage.wait(timeout: 1000) == .timedOut)
    #expect(stage.looks.count <= 21)
  }

  @Test("looks when the last TIME_WAIT is over, and not when the others are")
  func timers() throws {
    var stage = Stage(reports: [report(.fails(.addressInUse), timers: [100, 700, 300]), works])
    #expect(try stage.wait() == .works)
    #expect(stage.looks == [1000, 1720, 1720])
    stage = Stage(reports: [report(.fails(.addressInUse), timers: [59_000]), works])
    #expect(try stage.wait() == .works)
    #expect(stage.looks == [1000, 2000, 2000])
  }

  @Test("does not hurry where a timer that ran out changed nothing")
  func lateTimer() throws {
    var stage = Stage(reports: [report(.fails(.addressInUse), timers: [0]), works])
    #expect(try stage.wait() == .works)
    #expect(stage.looks == [1000, 2000, 2000])
    stage = Stage(reports: [report(.fails(.addressInUse), timers: [1]), works])
    #expect(try stage.wait() == .works)
    #expect(stage.looks == [1000, 1050, 1050])
  }

  @Test("spends at most a tenth of its time looking, and waits ten seconds at most")
  func effort() throws {
    var stage = Stage(effort: 500, reports: [inUse, inUse, works])
    #expect(try stage.wait() == .works)
    #expect(stage.looks == [1000, 6000, 11_000, 11_500])
    stage = Stage(effort: 5000, reports: [inUse, works])
    #expect(try stage.wait() == .works)
    #expect(stage.looks == [1000, 16_000, 21_000])
    stage = Stage(effort: 500, reports: [inUse, works], announcements: [1600])
    #expect(try stage.wait() == .works)
    #expect(stage.looks == [1000, 2000, 2500])
  }

  @Test("gives up after a last look, with the answer of that")
  func timeout() throws {
    var stage = Stage(reports: [inUse])
    #expect(try stage.wait(timeout: 2500) == .timedOut)
    #expect(stage.looks == [1000, 2000, 3000, 3500])
    stage = Stage(reports: [inUse, inUse, works])
    #expect(try stage.wait(timeout: 1100) == .works)
    stage = Stage(reports: [inUse])
    #expect(try stage.wait(timeout: 0) == .timedOut)
    #expect(stage.looks == [1000])
    stage = Stage(reports: [inUse, works])
    #expect(try stage.wait(timeout: .max) == .works)
  }

  @Test("is ended by a signal, while it waits and while it lets a burst pass")
  func signals() throws {
    var stage = Stage(reports: [inUse], signal: (1400, 2))
    #expect(try stage.wait() == .stopped(2))
    stage = Stage(reports: [inUse], announcements: [1010], signal: (1030, 15))
    stage.signal = (1030, 15)
    #expect(try stage.wait() == .stopped(15))
  }
}

@Suite("A wait on this kernel", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct KernelWaitTests {
  private func question(_ port: Port, _ transport: TransportProtocol = .tcp) -> Question {
    Question(
      items: [
        QuestionItem(addresses: [.wildcard], ports: port...port, transport: transport)
      ])
  }

  @Test("hears of a socket that goes, and of no other port", arguments: [TransportProtocol.tcp, .udp])
  func announcements(_ transport: TransportProtocol) throws {
    let heard = try NetworkNamespace.run { namespace in
      let kind: HolderKind = transport == .tcp ? .listening : .bound
      let proto: HolderProtocol = transport == .tcp ? .tcp : .udp
      let scenario = Scenario([Holder(kind, proto, .v4(.loopback))], Attempt(transport, .v4(.any)))
      let first = try namespace.build(scenario)
      let second = try namespace.build(scenario)
      let signals = StopSignals([])
      let events = SocketEvents(ByTransport([transport], second.port.rawValue...second.port.rawValue))
      func pause() -> SocketEvent {
        events.pause(until: Clock.milliseconds + 300, wakesForSockets: true, signals: signals)
      }
      _ = consume first
      let other = pause()
      _ = consume second
      return [other, pause(), pause()]
    }
    #expect(heard == [.momentCame, .socketGone, .momentCame])
  }

  @Test("that one of two bound sockets has ended is told, so that no look beside them counts as still")
  func boundInTurn() throws {
    try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let port = try namespace.freshPort()
      let events = SocketEvents(ByTransport(tcp: port.rawValue...port.rawValue, udp: nil))
      let isFirst = events.tellOfNone()
      #expect(isFirst)
      var rest = 300
      try MovingSocket.boundInTurn.move(port, isBound: {}) {
        rest -= 1
        return rest < 0
      }
      // On a busy machine the kernel announces it later.
      var isTold = false
      for _ in 0..<30_000 where !isTold {
        usleep(1000)
        isTold = !events.tellOfNone()
      }
      #expect(isTold)
    }
  }

  @Test("gives up with the answer of the last look, and ends when the socket in the way has gone")
  func ends() throws {
    let result = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(Scenario([Holder(.listening, .tcp, .v4(.any))], Attempt(.tcp, .v4(.any))))
      let question = question(copy.port)
      let blocked = try Portwhy.wait(for: question, timeout: 1200)
      _ = consume copy
      // A child of another test may have a copy of the listener for a moment.
      let freed = try Portwhy.wait(for: question, timeout: 60_000)
      return (blocked.end, blocked.report.targets.first?.verdict, freed.end)
    }
    #expect(result.0 == .timedOut)
    #expect(result.1 == .fails(.addressInUse))
    #expect(result.2 == .works)
  }
}
