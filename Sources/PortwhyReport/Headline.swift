internal import BindRules
internal import PortwhyKit
internal import SocketModel

/// The first line: what is attempted, by whom, how it ends, and which options would end it otherwise.
struct Headline {
  var target: TargetReport
  var host: HostFacts
  var visibility: Visibility
  var style: ScreenStyle

  var text: String {
    let subject = "\(target.port)/\(target.transport.rawValue)"
    let groups = attemptGroups(target)
    guard let first = target.attempts.first else { return subject + ": nothing to attempt" }
    let user = ", as \(style.user(first.attempt.uid))"
    if groups.count == 1 {
      return subject + " on " + addresses(groups[0]) + device + user + ": " + phrase(groups[0])
    }
    let parts = groups.map { "on " + addresses($0) + " " + phrase($0) }
    return subject + device + user + ": " + parts.joined(separator: "; ")
  }

  /// Whether there is nothing to say but that the port is free.
  var isFree: Bool {
    target.sockets.isEmpty && visibility.boundSocketsComplete && !target.attempts.isEmpty
      && target.attempts.allSatisfy { attempt in
        attempt.outcomes.allSatisfy { $0.verdict == .ok }
      }
  }

  var ink: ScreenStyle.Ink {
    switch target.verdict {
    case .ok: .works
    case .fails: .fails
    case .undetermined: .undetermined
    case nil: .bold
    }
  }

  private var device: String {
    target.plan.device.map { ", device " + TerminalText.escaped($0) } ?? ""
  }

  private func addresses(_ group: [AttemptReport]) -> String {
    enumeration(group.map { addressText($0.attempt, host: host) })
  }

  // MARK: How it ends

  private func phrase(_ group: [AttemptReport]) -> String {
    guard let attempt = group.first, let planned = attempt.outcome(target.plan.options) else {
      return "undetermined"
    }
    let options = target.plan.options
    if isFree && !options.isEmpty { return ending(planned, of: group) + " with and without \(options.names)" }
    let core = (options.isEmpty ? "" : "with \(options.names) ") + ending(planned, of: group)
    return core + otherwise(planned, in: attempt)
  }

  /// How the planned combination ends.
  private func ending(_ outcome: BindOutcome, of group: [AttemptReport]) -> String {
    switch (outcome.bind, outcome.verdict) {
    case (_, .ok):
      return (isFree ? "free, " : "") + (target.transport == .tcp ? "bind and listen work" : "bind works")
    case (.ok, .fails(let errno)): return "bind works, listen fails (\(errno))"
    case (_, .fails(let errno)): return "bind fails (\(errno))"
    case (let bind, .undetermined):
      let missing = group.flatMap { $0.outcome(outcome.options)?.missing ?? [] }
      let call = bind == .ok ? "bind works, listen undetermined" : "undetermined"
      return call + MissingText(facts: missing).inBrackets
    }
  }

  /// Which other combinations end better, or for a planned option: that it is needed.
  private func otherwise(_ planned: BindOutcome, in attempt: AttemptReport) -> String {
    if planned.verdict == .ok { return withoutThePlanned(planned, in: attempt) }
    let others = attempt.outcomes.filter { $0.options != planned.options }
    let working = minimal(others.filter { $0.verdict == .ok }.map(\.options))
    if !working.isEmpty { return ", works " + with(working) }
    if planned.verdict == .undetermined { return "" }
    let undetermined = others.filter { $0.verdict == .undetermined }
    if undetermined.isEmpty { return ", no option helps" }
    // The order of earlier binds is no fact to hope for, and what was not looked into need not be undetermined: both
    // stand in the section "bind".
    let open = minimal(
      undetermined.filter { outcome in
        !attempt.leftOpen.contains(outcome.options) && outcome.missing.contains { $0.kind != .bindOrder }
      }.map(\.options))
    if !open.isEmpty { return ", undetermined " + with(open) }
    let failing = minimal(others.filter { if case .fails = $0.verdict { true } else { false } }.map(\.options))
    return failing.isEmpty ? "" : ", also " + with(failing)
  }

  private func withoutThePlanned(_ planned: BindOutcome, in attempt: AttemptReport) -> String {
    let others = attempt.outcomes.filter { $0.options != planned.options }
    if planned.options.isEmpty {
      let failing = others.filter { if case .fails = $0.verdict { true } else { false } }
      return failing.isEmpty ? "" : ", fails " + with(minimal(failing.map(\.options)))
    }
    guard let bare = others.first(where: { $0.options.isEmpty }) else { return "" }
    switch bare.verdict {
    case .ok: return ", and without options too"
    case .fails(let errno): return ", fails without options (\(errno))"
    case .undetermined: return ", undetermined without options"
    }
  }

  /// The combinations that contain no other of the list.
  private func minimal(_ combinations: [ReuseOptions]) -> [ReuseOptions] {
    combinations.filter { candidate in !combinations.contains { $0.isStrictSubset(of: candidate) } }
  }

  private func with(_ combinations: [ReuseOptions]) -> String {
    if combinations.contains([]) { return "without options" }
    return "with " + enumeration(combinations.map(\.names), last: "or")
  }
}
