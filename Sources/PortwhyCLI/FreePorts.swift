internal import BindRules
internal import Answers
internal import SocketModel

/// The ports of a report on which every planned bind works, in the order asked for.
struct FreePorts {
  private(set) var ports: [Port] = []
  /// False where sockets that are only bound cannot be seen, so that the ports are likely at best.
  private(set) var areSure = true

  init(_ report: Report) {
    var targets: [Port: [TargetReport]] = [:]
    var order: [Port] = []
    for target in report.targets {
      if targets[target.port] == nil { order.append(target.port) }
      targets[target.port, default: []].append(target)
    }
    for port in order {
      let all = targets[port] ?? []
      if all.allSatisfy({ $0.verdict == .ok }) {
        ports.append(port)
      } else if all.allSatisfy(\.isLikely) {
        ports.append(port)
        areSure = false
      }
    }
  }
}

extension TargetReport {
  /// Whether nothing that can be seen is in the way, and nothing else is open.
  fileprivate var isLikely: Bool {
    guard verdict != .ok else { return true }
    guard verdict == .undetermined else { return false }
    return attempts.allSatisfy { attempt in
      guard let outcome = attempt.outcome(plan.options) else { return false }
      return outcome.verdict == .ok
        || (outcome.blockers.isEmpty && outcome.missing.allSatisfy { $0.kind == .boundSockets })
    }
  }
}
