import BindRules
import SocketModel

/// What can be done, best first. Everything marked `checked` was run through the rules on the changed situation.
func suggestions(_ case: Case, outcome: BindOutcome, cause: Cause?) -> [Suggestion] {
  switch outcome.verdict {
  case .ok: return []
  case .fails(.addressInUse):
    return ourOption(`case`) + stopHolder(`case`) + whereToChange(`case`) + waiting(`case`)
      + lookCloser(`case`, outcome) + otherPort(`case`)
  case .fails: return beforeThePort(`case`, cause)
  case .undetermined: return lookCloser(`case`, outcome) + ourOption(`case`) + stopHolder(`case`) + waiting(`case`)
  }
}

/// SO_REUSEADDR on the planned socket. SO_REUSEPORT is offered only beside sockets that all have it: against an
/// older copy of the same server it would split the traffic in silence.
private func ourOption(_ case: Case) -> [Suggestion] {
  guard !`case`.planned.contains(.reuseaddr), let with = `case`.outcome(`case`.planned.union(.reuseaddr)) else {
    return sharePort(`case`)
  }
  switch with.verdict {
  case .ok:
    return [
      Suggestion(
        kind: "set-option", option: "SO_REUSEADDR", certainty: .checked, text: "set SO_REUSEADDR before bind()")
    ]
  case .undetermined where with.missing.allSatisfy({ $0.kind == .reuseaddr }):
    return [
      Suggestion(
        kind: "set-option", option: "SO_REUSEADDR",
        certainty: .conditional("the socket in the way had set SO_REUSEADDR too"),
        text: "set SO_REUSEADDR before bind()")
    ]
  default: return sharePort(`case`)
  }
}

private func sharePort(_ case: Case) -> [Suggestion] {
  guard !`case`.planned.contains(.reuseport), let with = `case`.outcome(`case`.planned.union(.reuseport)),
    with.verdict == .ok
  else { return [] }
  return [
    Suggestion(
      kind: "set-option", option: "SO_REUSEPORT",
      certainty: .conditional("you mean to share the port: the traffic is split between all of them"),
      text: "set SO_REUSEPORT before bind()")
  ]
}

/// Stopping whoever holds the port, judged with the holder gone and its connections left over.
private func stopHolder(_ case: Case) -> [Suggestion] {
  let holders = Holders(`case`.blockingSockets)
  guard !holders.pids.isEmpty else { return [] }
  guard holders.isDecisive else {
    return [
      Suggestion(
        kind: "find-holder", certainty: .conditional("you may stop it"), text: "find and stop \(holders.name)",
        command: holders.command)
    ]
  }
  let after = `case`.snapshot.withoutProcesses(holders.pids)
  let outcomesAfter = outcomes(of: `case`.attempt, in: after)
  func works(_ options: ReuseOptions) -> Bool { outcomesAfter.first { $0.options == options }?.verdict == .ok }
  let certainty: Suggestion.Certainty
  let consequence: String
  if works(`case`.planned) {
    certainty = .checked
    consequence = "then the bind works"
  } else if works(`case`.planned.union(.reuseaddr)) {
    certainty = .checked
    consequence = "then SO_REUSEADDR is needed until its connections are gone (about 60 s)"
  } else {
    certainty = .conditional("nothing else is left on the port")
    consequence = "its connections may stay on the port for about 60 s"
  }
  return [
    Suggestion(
      kind: "stop-holder", certainty: certainty, text: "stop \(holders.name): \(consequence)",
      command: holders.command)
  ]
}

private func waiting(_ case: Case) -> [Suggestion] {
  let blocking = `case`.blockingSockets
  guard !blocking.isEmpty, blocking.allSatisfy({ `case`.role($0) == .timeWait }), let seconds = blocking.secondsLeft
  else { return [] }
  var after = `case`.snapshot
  after.sockets.removeAll { $0.state == .timeWait || $0.timer?.kind == .timeWait }
  let works = outcomes(of: `case`.attempt, in: after).first { $0.options == `case`.planned }?.verdict == .ok
  guard works else { return [] }
  return [
    Suggestion(
      kind: "wait", certainty: .conditional("no new connection is closed meanwhile"),
      text: "wait \(seconds) s: TIME_WAIT cannot be shortened")
  ]
}

/// What settles an undetermined answer, or names a hidden holder.
private func lookCloser(_ case: Case, _ outcome: BindOutcome) -> [Suggestion] {
  let host = `case`.snapshot.host
  let hidden = `case`.blockingSockets.contains { $0.owner == .hidden || $0.reuseaddr.unknownReason == .hidden }
  let needsRoot = hidden || outcome.missing.contains { $0.kind == .boundSockets }
  guard needsRoot, host.uid != 0 else { return [] }
  let port = "\(`case`.attempt.port)\(`case`.attempt.transport == .udp ? "/udp" : "")"
  return [
    Suggestion(
      kind: "look-as-root", certainty: .conditional("you may use sudo"),
      text: "ask again as root, who sees the owner and the options of every socket", command: "sudo portwhy \(port)")
  ]
}

private func otherPort(_ case: Case) -> [Suggestion] {
  [Suggestion(kind: "other-port", certainty: .conditional("nothing else holds it"), text: "or bind another port")]
}

private func beforeThePort(_ case: Case, _ cause: Cause?) -> [Suggestion] {
  let attempt = `case`.attempt
  switch cause {
  case .privilegedPort:
    let start = `case`.snapshot.host.unprivilegedPortStart ?? 1024
    return [
      Suggestion(
        kind: "raise-privilege", certainty: .checked,
        text: "give the server CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)",
        command: "setcap cap_net_bind_service=+ep /path/to/server"),
      Suggestion(
        kind: "unprivileged-port-start", certainty: .checked,
        text: "let every user bind ports from \(attempt.port) up",
        command: "sysctl net.ipv4.ip_unprivileged_port_start=\(attempt.port)"),
      Suggestion(kind: "other-port", certainty: .conditional("it is free"), text: "or use a port from \(start) up"),
    ]
  case .addressNotLocal:
    return [
      Suggestion(
        kind: "local-address", certainty: .conditional("the server need not have this very address"),
        text: "bind the wildcard or an address that `ip address` shows")
    ]
  case .addressTentative:
    return [
      Suggestion(kind: "wait", certainty: .conditional("no duplicate is found"), text: "try again in 2 seconds")
    ]
  case .scopeMissing:
    return [
      Suggestion(
        kind: "add-scope", certainty: .conditional("the interface has the address"),
        text: "name the interface, as in [\(attempt.address)%eth0]:\(attempt.port)")
    ]
  case .mappedOnV6only:
    return [
      Suggestion(
        kind: "set-option", option: "IPV6_V6ONLY", certainty: .checked,
        text: "switch IPV6_V6ONLY off, or bind the IPv4 address")
    ]
  default: return []
  }
}
