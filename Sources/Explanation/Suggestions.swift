import BindRules
import SocketModel

/// What can be done, best first. Everything marked `checked` was run through the rules on the changed situation.
func suggestions(_ situation: Situation, outcome: BindOutcome, cause: Cause?) -> [Suggestion] {
  switch outcome.verdict {
  case .ok: return []
  case .fails(.addressInUse):
    return ourOption(situation, cause) + waiting(situation) + stopHolder(situation) + whereToChange(situation)
      + lookCloser(situation, outcome) + otherAddress(situation) + theirOption(situation, cause)
      + otherUser(situation, cause)
      + reservePort(situation, cause) + otherPort(situation)
  case .fails: return beforeThePort(situation, cause)
  case .undetermined:
    return lookCloser(situation, outcome) + ourOption(situation, cause) + stopHolder(situation) + waiting(situation)
      + theirOption(situation, cause) + otherUser(situation, cause) + otherPort(situation)
  }
}

extension Situation {
  /// Asking portwhy again about this attempt; the engine adds the options of the question.
  func command(_ options: [String]) -> String {
    snapshot.host.asNow(portwhy(options))
  }

  fileprivate func portwhy(_ options: [String]) -> String {
    (["portwhy"] + options + [target]).joined(separator: " ")
  }

  /// TARGET of a command that asks about this attempt again; a wildcard as the bare port.
  private var target: String {
    let suffix = "\(attempt.port)\(attempt.transport == .udp ? "/udp" : "")"
    let scope = attempt.missingZone ?? attempt.scope.map { snapshot.host.interface($0)?.name ?? String($0.rawValue) }
    let zone = scope.map { "%" + $0 } ?? ""
    switch attempt.address {
    case _ where attempt.address.isUnspecified: return suffix
    case .v4(let address): return "\(address):\(suffix)"
    case .v6(let address): return shellWord("[\(address)\(zone)]:\(suffix)")
    }
  }

  /// Whether no holder can be hidden from the reader, so that a socket is free when its visible holders have gone.
  var seesEveryHolder: Bool { snapshot.host.uid == 0 && snapshot.visibility.unreadableProcesses == 0 }
}

/// A word of a shell command, sh(1): quoted where it needs it, so that a hostile name stays a word.
public func shellWord(_ word: String) -> String {
  let plain = word.utf8.allSatisfy { byte in
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "@._-:/".utf8.contains(byte)
  }
  if plain && !word.isEmpty && !word.hasPrefix("-") { return word }
  return "'\(word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
}

private func waiting(_ situation: Situation) -> [Suggestion] {
  let blocking = situation.blockingSockets
  guard !blocking.isEmpty, blocking.allSatisfy(\.isTimeWaitSocket), let seconds = blocking.secondsLeft
  else { return [] }
  var after = situation.snapshot
  after.sockets.removeAll(where: \.isTimeWaitSocket)
  guard situation.verdict(in: after) == .ok else { return [] }
  // The end of a FIN_WAIT2 is near or, once the peer closes too, a whole TIME_WAIT away (`tcp_timewait_state_process`).
  let isHalfClosed = blocking.contains { $0.state == .finWait2 }
  return [
    Suggestion(
      kind: "wait",
      certainty: isHalfClosed
        ? .conditional("the peer does not close meanwhile, as TIME_WAIT would follow") : .checked,
      text: isHalfClosed
        ? "wait \(seconds) s until the kernel gives the connection up"
        : "wait \(seconds) s until TIME_WAIT is over, which nothing shortens",
      command: situation.command(["--wait"]))
  ]
}

/// What settles an undetermined answer, or names a hidden holder: the cheapest way first.
private func lookCloser(_ situation: Situation, _ outcome: BindOutcome) -> [Suggestion] {
  let host = situation.snapshot.host
  let isOpen = outcome.verdict == .undetermined
  let hidden = situation.blockingSockets.contains { $0.owner == .hidden || $0.reuseaddr.unknownReason == .hidden }
  let lookAsRoot = Suggestion(
    kind: "look-as-root", certainty: .conditional("you may use sudo"),
    text: "ask again as root, who sees the owner and the options of every socket",
    command: host.asRoot(situation.portwhy([])))
  return (host.uid != 0 && (isOpen || hidden) ? [lookAsRoot] : []) + probing(situation, outcome)
}

/// A real bind settles an undetermined TCP outcome; UDP is never probed.
private func probing(_ situation: Situation, _ outcome: BindOutcome) -> [Suggestion] {
  guard situation.attempt.transport == .tcp, outcome.bind == .undetermined, outcome.source == .rules else {
    return []
  }
  return [
    Suggestion(
      kind: "probe", certainty: .conditional("a socket may hold the port for a moment"),
      text: "settle it by a real bind that never listens", command: situation.command(["--probe"]))
  ]
}
