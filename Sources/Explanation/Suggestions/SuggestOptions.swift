import BindRules
import SocketModel

// Options on the planned socket, on the sockets in the way, or on both.

/// An option on the planned socket that gets past what is in the way: remains, a socket that never listens, IPv4.
func ourOption(_ situation: Situation) -> [Suggestion] {
  if let v6only = ourV6only(situation) { return [v6only] }
  return reuseOption(situation).filter { !Suggestion.Condition.sharing.contains($0.certainty) }
}

/// An option by which the planned socket shares the port with others that receive. SO_REUSEPORT is offered only beside
/// sockets that all have it: against an older copy of the same server it would split the traffic, and nobody is told.
func sharing(_ situation: Situation) -> [Suggestion] {
  reuseOption(situation).filter { Suggestion.Condition.sharing.contains($0.certainty) }
}

extension Suggestion.Condition {
  /// The conditions of sharing.
  fileprivate static let sharing: Set<Suggestion.Certainty> = [
    .when(.sharingIsMeant), .when(.unicastToLast), .when(.othersKeepTheirs),
  ]
}

private func reuseOption(_ situation: Situation) -> [Suggestion] {
  for (option, name) in [(ReuseOptions.reuseaddr, Suggestion.Option.reuseaddr), (.reuseport, .reuseport)]
  where !situation.planned.contains(option) {
    guard let with = situation.outcome(situation.planned.union(option)) else { continue }
    let isAboutReuseaddr = with.missing.allSatisfy { $0.kind == .reuseaddr }
    let condition = sharingCondition(situation, option, with)
    switch with.verdict {
    case .ok:
      return [
        Suggestion(
          kind: .setOption, option: name, certainty: condition.map(Suggestion.Certainty.when) ?? .checked,
          text: "set \(name.rawValue) before bind()")
      ]
    case .undetermined where option == .reuseaddr && isAboutReuseaddr && condition == nil:
      return [
        Suggestion(
          kind: .setOption, option: name,
          certainty: .when(.leftWithReuseaddr),
          text: "set SO_REUSEADDR before bind()")
      ]
    default: continue
    }
  }
  return []
}

/// What must be meant for the option to be the right one; nil where it only gets past remains that receive nothing.
private func sharingCondition(
  _ situation: Situation, _ option: ReuseOptions, _ outcome: BindOutcome
) -> Suggestion.Condition? {
  let blocking = situation.blockingSockets
  let receiving = blocking.filter { $0.state == .listen || $0.transport == .udp }
  if receiving.isEmpty {
    let bound = blocking.contains { situation.role($0) == .bound }
    return bound ? .otherNeverListens : nil
  }
  guard situation.attempt.transport == .udp, option == .reuseaddr, !situation.attempt.address.isMulticast else {
    return .sharingIsMeant
  }
  // Who gets what is what the kernel's look-up says, not the option.
  let unicast = deliveries(situation, outcome).filter { $0.traffic == .unicast }
  let goesToLast = unicast.contains { $0.rule == .lastBound }
  return goesToLast && !unicast.contains { $0.rule == .specificFirst && $0.receiver == .others }
    ? .unicastToLast : .othersKeepTheirs
}

/// Leaving IPv4 to the server that has it; no answer to mere remains, which are gone in a minute.
private func ourV6only(_ situation: Situation) -> Suggestion? {
  guard situation.attempt.address == .v6(.any), !situation.attempt.v6only,
    !Set(situation.blockingSockets.map(situation.role)).isSubset(of: SocketRole.remains)
  else { return nil }
  var changed = situation.attempt
  changed.v6only = true
  guard situation.verdict(nil, changed) == .ok else { return nil }
  return Suggestion(
    kind: .setOption, option: .v6only, certainty: .checked,
    text: "set IPV6_V6ONLY before bind(), which leaves IPv4 alone")
}

/// An option of the sockets in the way, which their programs have to set.
func optionThere(_ situation: Situation) -> [Suggestion] {
  if let v6only = v6onlyThere(situation) { return [v6only] }
  let blocking = situation.blockingSockets
  let roles = Set(blocking.map(situation.role))
  guard !roles.isEmpty, roles.isSubset(of: SocketRole.remains),
    blocking.contains(where: { $0.reuseaddr.sure != true }),
    situation.verdict(situation.planned.union(.reuseaddr), in: situation.withOptionThere(.reuseaddr)) == .ok
  else { return [] }
  return [
    Suggestion(
      kind: .setOptionThere, option: .reuseaddr, certainty: .when(.serverIsYours),
      text: "let it set SO_REUSEADDR before listen(), so that the next restart need not wait")
  ]
}

extension CauseEntry {
  /// SO_REUSEPORT on the sockets in the way, for somebody who plans to share the port.
  static let reuseportThere: Remedies = { situation in
    guard situation.planned.contains(.reuseport), v6onlyThere(situation) == nil,
      situation.verdict(in: situation.withOptionThere(.reuseport)) == .ok
    else { return [] }
    return [
      Suggestion(
        kind: .setOptionThere, option: .reuseport, certainty: .when(.sharingIsMeant),
        text: "let \(situation.blockingSockets.holderNames) set SO_REUSEPORT before bind() too")
    ]
  }
}

private func v6onlyThere(_ situation: Situation) -> Suggestion? {
  let indices = (situation.outcome(situation.planned)?.blockers ?? []).map(\.socket)
  let dual = indices.filter { index in
    let socket = situation.snapshot.sockets[index]
    return socket.local.address == .v6(.any) && socket.v6only?.sure == false && socket.remote == nil
  }
  guard !dual.isEmpty, situation.attempt.address.plain.family == .ipv4 else { return nil }
  var changed = situation.snapshot
  for index in dual { changed.sockets[index].v6only = .known(true, .sockDiag) }
  guard situation.verdict(in: changed) == .ok else { return nil }
  return Suggestion(
    kind: .setOptionThere, option: .v6only, certainty: .checked,
    text: "let \(dual.map { situation.snapshot.sockets[$0] }.holderNames) set IPV6_V6ONLY before bind(), which leaves"
      + " IPv4 to you")
}

extension Situation {
  /// The situation with this option on every socket in the way.
  fileprivate func withOptionThere(_ option: ReuseOptions) -> Snapshot {
    var changed = snapshot
    for index in (outcome(planned)?.blockers ?? []).map(\.socket) {
      if option == .reuseaddr { changed.sockets[index].reuseaddr = .known(true, .getsockopt) }
      if option == .reuseport { changed.sockets[index].reuseport = .known(true, .getsockopt) }
    }
    return changed
  }
}
