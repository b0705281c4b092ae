import BindRules
import Explanation
import SocketModel

/// A bind(2) or listen(2) that was really made, beside what the rules say to the same socket a moment later.
struct ObservedCall: Sendable, Hashable {
  var function: SocketCall
  /// What the kernel answered; nil where the program did not say.
  var errno: SystemError?
  /// CAP_NET_BIND_SERVICE of the thread that called; nil where it is not known, `.some(nil)` where it cannot be.
  var mayBindPrivileged: Bool??
  /// The socket has a port.
  var isBound = false
  /// What may refuse a call besides the port.
  var policies = Policies()

  /// The outcomes with what was observed in the place of what the rules say to it, and how the two go together.
  func settle(
    _ outcomes: [BindOutcome], planned: ReuseOptions, on kernel: KernelVersion
  ) -> (outcomes: [BindOutcome], finding: CallFinding?) {
    guard let index = outcomes.firstIndex(where: { $0.options == planned }) else { return (outcomes, nil) }
    var judged = outcomes
    if function == .listen { judged[index] = judged[index].ofBoundSocket }
    guard let errno else { return (judged, nil) }
    let now = judged[index].verdict
    let finding = finding(errno, judged[index])
    switch finding {
    case nil where now == .fails(errno): break
    case nil: judged[index] = answered(judged[index], errno, on: kernel)
    case .refusedByPolicy, .alreadyBound:
      // Both are checked before any option is looked at (`__sys_bind`, `__inet_bind`).
      for each in judged.indices {
        judged[each].bind = function == .bind ? .fails(errno) : .ok
        judged[each].listen = function == .bind ? nil : .fails(errno)
        judged[each].blockers = []
        judged[each].missing = []
        judged[each].likely = nil
      }
      judged[index].source = .probe
    case .goneMeanwhile, .unexplained:
      // What the options would have done to what was there is not known.
      for each in judged.indices where each != index {
        judged[each] = BindOutcome(
          options: judged[each].options, bind: .undetermined,
          listen: judged[each].listen == nil ? nil : .undetermined)
      }
      judged[index] = answered(judged[index], errno, on: kernel)
      judged[index].blockers = []
    }
    return (judged, finding)
  }

  private func answered(_ outcome: BindOutcome, _ errno: SystemError, on kernel: KernelVersion) -> BindOutcome {
    guard function == .listen else { return outcome.settled(by: .fails(errno), on: kernel) }
    var settled = outcome
    settled.bind = .ok
    settled.listen = .fails(errno)
    settled.source = .probe
    settled.missing = []
    settled.likely = nil
    return settled
  }

  /// nil where the rules explain it.
  private func finding(_ errno: SystemError, _ outcome: BindOutcome) -> CallFinding? {
    if function == .bind, isBound, errno == .invalidArgument { return .alreadyBound }
    let now = outcome.verdict
    if now == .fails(errno) { return nil }
    if now == .undetermined, mayBe(errno, outcome) { return nil }
    switch errno {
    case .accessDenied, .notPermitted: return .refusedByPolicy(now: now, policies)
    case .addressInUse, .addressNotAvailable, .noDevice: return .goneMeanwhile(now: now)
    default: return .unexplained(now: now)
    }
  }

  /// Whether what is not known may have led to this error.
  private func mayBe(_ errno: SystemError, _ outcome: BindOutcome) -> Bool {
    let missing = Set(outcome.missing.map(\.kind))
    switch errno {
    case .addressInUse: return !outcome.blockers.isEmpty || missing.contains(.boundSockets)
    case .accessDenied: return !missing.isDisjoint(with: [.capability, .unprivilegedPortStart])
    case .addressNotAvailable: return !missing.isDisjoint(with: [.localAddresses, .nonlocalBind, .interfaces])
    case .noDevice: return missing.contains(.interfaces)
    default: return false
    }
  }
}

extension BindOutcome {
  /// What listen(2) answers to a socket that is bound already: the second get_port, which finds every conflict of the
  /// port (`inet_csk_listen_start`). What is checked before it was checked at bind(2) and counts no more.
  fileprivate var ofBoundSocket: BindOutcome {
    var result = self
    result.bind = .ok
    result.likely = nil
    switch (bind, listen) {
    case (.fails(.addressInUse), _): result.listen = bind
    case (.fails, _): result.listen = .undetermined
    case (.undetermined, _), (.ok, nil): result.listen = .undetermined
    case (.ok, let listen?): result.listen = listen
    }
    return result
  }
}
