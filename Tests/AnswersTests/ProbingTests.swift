import Evidence
import BindRules
import Explanation
import SocketModel
import Testing

@testable import Answers

/// What one run of the probes did.
private struct Run {
  var probed: [ReuseOptions] = []
  var judged = 0
}

private let kernel = KernelVersion(major: 6, minor: 18)
private let inUse = CallResult.fails(.addressInUse)

private func outcomes(_ results: [CallResult]) -> [BindOutcome] {
  zip(ReuseOptions.combinations, results).map { options, bind in
    let listen: CallResult? = if case .fails = bind { nil } else { bind }
    let missing = bind == .undetermined ? [MissingFact(.reuseport, socket: 0)] : []
    return BindOutcome(options: options, bind: bind, listen: listen, missing: missing)
  }
}

/// Settles outcomes with binds that answer as told, one after the other, the last one for ever.
private func settle(
  _ given: [CallResult], answers: [ProbeAnswer], later: [CallResult]? = nil, planned: ReuseOptions = []
) throws -> (result: Probing.Result, run: Run) {
  var run = Run()
  var answers = answers
  let attempt = BindAttempt(transport: .tcp, address: .v4(.any), port: Port(8080), uid: 0)
  let result = try withoutActuallyEscaping({ (options: ReuseOptions) -> ProbeAnswer in
    run.probed.append(options)
    return answers.count > 1 ? answers.removeFirst() : answers[0]
  }) { bind in
    try Probing(
      attempt: attempt, planned: planned, kernel: kernel, bind: bind,
      judgeAgain: {
        run.judged += 1
        return outcomes(later ?? given)
      }
    ).settle(outcomes(given))
  }
  return (result, run)
}

@Suite("Probing")
struct ProbingTests {
  @Test("asks for what is undetermined and for the planned combination, and for nothing else")
  func whatIsAsked() throws {
    let (result, run) = try settle(
      [.ok, .ok, .undetermined, .undetermined], answers: [.answered(.ok), .answered(inUse), .answered(.ok)])
    // What SO_REUSEADDR lets pass SO_REUSEPORT beside it does not stop; a probe would have changed the answer before it.
    #expect(run.probed == [[], .reuseport] && run.judged == 0)
    #expect(result.outcomes.map(\.bind) == [.ok, .ok, inUse, .ok])
    #expect(result.outcomes.map(\.source) == [.rules, .rules, .probe, .probe])
    #expect(result.outcomes.map(\.listen) == [.ok, .ok, nil, .ok])
    #expect(result.notes.map(\.kind) == [.probed] && result.contradictions.isEmpty)
    #expect(result.notes.first?.text.hasSuffix("SO_REUSEPORT, SO_REUSEADDR and SO_REUSEPORT") == true)
  }

  @Test("reports a wrong prediction that stays wrong, and shows the kernel's answer")
  func contradiction() throws {
    let (result, run) = try settle([.ok, .ok, .ok, .ok], answers: [.answered(inUse)])
    #expect(result.contradictions == [ProbeContradiction(predicted: outcomes([.ok])[0], answered: inUse)])
    #expect(result.outcomes[0].bind == inUse && result.outcomes[0].source == .probe)
    #expect(result.notes.map(\.kind) == [.probeContradiction])
    #expect(run.judged == 3 && run.probed.count == 4, "asked anew each time, the planned combination alone")
  }

  @Test("takes a socket that came or went meanwhile for what it is")
  func change() throws {
    for (answers, later, said) in [
      ([ProbeAnswer.answered(inUse), .answered(.ok)], [CallResult.ok], CallResult.ok),
      ([.answered(inUse)], [inUse], inUse),
      ([.answered(inUse)], [.fails(.addressNotAvailable)], .undetermined),
      ([.answered(inUse), .answered(.fails(.addressNotAvailable))], [.ok], .undetermined),
      ([.answered(inUse), .answered(inUse), .answered(.ok)], [.ok], .ok),
    ] {
      let (result, _) = try settle([.ok], answers: answers, later: later)
      #expect(result.contradictions.isEmpty && result.notes.map(\.kind) == [.probeChanged])
      #expect(result.outcomes.map(\.bind) == [said])
    }
  }

  @Test("takes no socket of a later look for one of the look that is shown")
  func laterSockets() throws {
    let attempt = BindAttempt(transport: .tcp, address: .v4(.any), port: Port(8080), uid: 0)
    let later = BindOutcome(
      options: [], bind: inUse, listen: nil, blockers: [Blocker(socket: 7, rule: .tcpListener)], missing: [])
    let result = try Probing(
      attempt: attempt, planned: [], kernel: kernel, bind: { _ in .answered(inUse) }, judgeAgain: { [later] }
    ).settle(outcomes([.ok]))
    #expect(result.outcomes.map(\.bind) == [inUse] && result.outcomes[0].blockers == [])
    #expect(result.outcomes[0].source == .probe && result.contradictions.isEmpty)
  }

  @Test("is not settled by what a security module or a control group program refuses")
  func outside() throws {
    for errno in [SystemError.notPermitted, .accessDenied, .outOfMemory] {
      let (result, _) = try settle([.undetermined, .ok, .ok, .ok], answers: [.answered(.fails(errno))])
      #expect(result.outcomes[0].bind == .undetermined && result.outcomes[0].source == .rules)
      #expect(result.notes.map(\.kind) == [.probeOutside])
      let (sure, _) = try settle([inUse], answers: [.answered(.fails(errno))])
      #expect(sure.contradictions.isEmpty && sure.outcomes == outcomes([inUse]))
    }
    let (privileged, _) = try settle([.fails(.accessDenied)], answers: [.answered(.ok)])
    #expect(privileged.contradictions.count == 1)
  }

  @Test("that is refused leaves everything as it was and says why once")
  func refused() throws {
    let (result, _) = try settle([.undetermined, .ok, .undetermined, .ok], answers: [.refused("no root")])
    #expect(result.outcomes == outcomes([.undetermined, .ok, .undetermined, .ok]))
    #expect(result.notes.map(\.text) == ["not probed: no root"])
  }

  @Test("asks for the planned combination first, and for no other that could change an answer already given")
  func order() throws {
    let open: [CallResult] = [inUse, .undetermined, .undetermined, .undetermined]
    // SO_REUSEPORT fails: a bind with both would enter itself in the bucket, and it would pass from then on.
    let (planned, run) = try settle(
      open, answers: [.answered(inUse), .answered(inUse), .answered(.ok)], planned: .reuseport)
    #expect(run.probed == [.reuseport, .reuseaddr])
    #expect(planned.outcomes.map(\.bind) == [inUse, inUse, inUse, .undetermined])
    #expect(planned.outcomes[2].source == .probe && !planned.notes.map(\.kind).contains(.probeMemory))
    // It works: one without SO_REUSEPORT would wipe out what it passes by.
    let (works, wide) = try settle(open, answers: [.answered(.ok)], planned: .reuseport)
    #expect(wide.probed == [.reuseport, [.reuseaddr, .reuseport]])
    #expect(works.outcomes.map(\.bind) == [inUse, .undetermined, .ok, .ok])
  }
}
