package import BindRules
package import SocketModel

// What a BSD would answer otherwise, in sentences: lower case, no full stop.

/// A sentence about one system.
package struct ForeignSentence: Sendable, Hashable {
  /// What holds for the system alone.
  package var text: String
  /// The same without "likely": what systems have in common can be said once, under `foreignHeading`.
  package var shared: String

  /// The same for both where only one text is given.
  package init(_ text: String, shared: String? = nil) {
    self.text = text
    self.shared = shared ?? text
  }
}

/// What stands before a sentence and its colon: the systems that it holds for, and those for which it is likely.
package func foreignHeading(sure: [BSDSystem], likely: [BSDSystem]) -> String {
  let names = [sure, likely].map { $0.map(\.description).listed(atMost: .max) }
  return sure.isEmpty ? "likely \(names[1])" : likely.isEmpty ? names[0] : "\(names[0]), and likely \(names[1])"
}

/// A system's answer to all that is planned, in few words: `FreeBSD EADDRINUSE`, `macOS likely ok`.
package func foreignWord(_ system: BSDSystem, bind: CallResult, likely: CallResult?) -> String {
  "\(system.description) " + (likely.map { "likely \($0)" } ?? "\(bind)")
}

/// What to say of one answer: the differences from Linux, and nothing that is the same.
///
/// - Parameters:
///   - linux: What Linux answers to the attempt.
///   - planned: The options of the planned bind.
///   - sockets: Those of the port, to which the answer's indices belong.
package func foreignSentences(
  _ answer: ForeignAnswer, of attempt: BindAttempt, linux: [BindOutcome], planned: ReuseOptions,
  sockets: [SocketObservation]
) -> [ForeignSentence] {
  let texts = [true, false].map { saysLikely in
    ForeignWriter(
      answer: answer, attempt: attempt, linux: linux, planned: planned, sockets: sockets, saysLikely: saysLikely
    ).sentences
  }
  return zip(texts[0], texts[1]).map { ForeignSentence($0, shared: $1) }
}

/// What holds for every answer of the system, and what was left out of this one.
package func foreignRemarks(_ answer: ForeignAnswer) -> [String] {
  let leftOut = answer.leftOut.map { omission in
    switch omission {
    case .device: "judged without SO_BINDTODEVICE and VRFs, as nothing there is like them"
    }
  }
  let filters = "by socket rules alone; content filters or Skywalk can still refuse"
  return leftOut + (answer.system == .macos ? [filters] : [])
}

private struct ForeignWriter {
  var answer: ForeignAnswer
  var attempt: BindAttempt
  var linux: [BindOutcome]
  var planned: ReuseOptions
  var sockets: [SocketObservation]
  /// Where the rules allow a bind and more can be in its way.
  var saysLikely: Bool

  var sentences: [String] {
    let sentences =
      refusedBefore + differences + undetermined + v6only + receives + balanced + earlier
    if !sentences.isEmpty { return sentences }
    let isGuess = answer.outcomes.contains { $0.likely == .ok }
    return [(isGuess && saysLikely ? "likely " : "") + "the same answers as here"]
  }

  // MARK: The sockets that are there

  var refusedBefore: [String] {
    guard let refusal = answer.refusedBefore, sockets.indices.contains(refusal.socket) else { return [] }
    let socket = sockets[refusal.socket]
    let why: String? =
      switch refusal.rule.check {
      case .otherUser: "another user has the port"
      case .sameAddress, .overlap:
        socket.reuseaddr.sure == true && socket.reuseport.sure == false
          ? "SO_REUSEADDR does not let sockets share an address" : nil
      case .address: noInterface(socket.local.address)
      case .protocolAddress: "TCP cannot be bound to it"
      case .scope, .reservedPort: nil
      }
    let isConflict = [.otherUser, .sameAddress, .overlap].contains(refusal.rule.check)
    let beside = isConflict ? " beside the others" : ""
    return [
      "\(socket.holderText) could not have bound \(socket.local.text) there\(beside): \(refusal.error)"
        + (why.map { ", as \($0)" } ?? "")
    ]
  }

  // MARK: The four combinations

  /// Those that differ in the same way, in one sentence.
  var differences: [String] {
    var groups: [(like: BSDDifference, options: [ReuseOptions])] = []
    for difference in answer.differences {
      let index = groups.firstIndex {
        ($0.like.linux, $0.like.bsd.expected, $0.like.reason)
          == (difference.linux, difference.bsd.expected, difference.reason)
      }
      if let index {
        groups[index].options.append(difference.options)
      } else {
        groups.append((difference, [difference.options]))
      }
    }
    return groups.map { group in
      let reason = group.like.reason.map { ": " + text($0, group.like) } ?? ""
      return "\(combinations(group.options)) the bind \(ending(group.like.bsd.expected)), "
        + "here \(ownEnding(group.like.linux))" + reason
    }
  }

  /// Those that only one of the two systems leaves undetermined, in one sentence where they end alike.
  var undetermined: [String] {
    struct Ending: Hashable {
      var there: CallResult
      var here: CallResult
      var missing: [MissingFact.Kind]
    }
    var groups: [(ending: Ending, options: [ReuseOptions])] = []
    for outcome in answer.outcomes {
      guard let options = outcome.options.onLinux,
        let here = linux.first(where: { $0.options == options })?.verdict,
        (here == .undetermined) != (outcome.expected == .undetermined)
      else { continue }
      let missing = outcome.missing.map(\.kind).filter { $0 != .filters }
      let ending = Ending(there: outcome.expected, here: here, missing: missing)
      if let index = groups.firstIndex(where: { $0.ending == ending }) {
        groups[index].options.append(options)
      } else {
        groups.append((ending, [options]))
      }
    }
    return groups.map { group in
      let words = group.ending.missing.map(word).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
      let missing = words.isEmpty ? "" : ": it depends on \(words.listed(atMost: 4))"
      return "\(combinations(group.options)) the bind \(ending(group.ending.there)), "
        + "here \(ownEnding(group.ending.here))\(missing)"
    }
  }

  /// What becomes of a bind there. Of macOS no rule promises that it works.
  private func ending(_ result: CallResult) -> String {
    switch result {
    case .ok: answer.system == .macos && saysLikely ? "likely works" : "works"
    case .fails(let error): "fails with \(error)"
    case .undetermined: "is undetermined"
    }
  }

  /// The same of Linux, after "here".
  private func ownEnding(_ result: CallResult) -> String {
    switch result {
    case .ok: "it works"
    case .fails(let error): "it fails with \(error)"
    case .undetermined: "it is undetermined"
    }
  }

  /// In few words: an option stands for all combinations that have it, where it means them all.
  private func combinations(_ options: [ReuseOptions]) -> String {
    if options.count == ReuseOptions.combinations.count { return "with or without options" }
    let shown = options.filter { candidate in
      let supersets = ReuseOptions.combinations.filter { $0.isSuperset(of: candidate) }
      let isCovered = options.contains { other in
        !other.isEmpty && other.isStrictSubset(of: candidate)
          && ReuseOptions.combinations.allSatisfy { !$0.isSuperset(of: other) || options.contains($0) }
      }
      return candidate.isEmpty || supersets.isEmpty || !isCovered
    }
    let names = shown.map { $0.isEmpty ? "without options" : "with " + $0.socketOptions.listed() }
    guard let last = names.last, names.count > 1 else { return names.first ?? "" }
    return names.dropLast().joined(separator: ", ") + " or " + last
  }

  private func text(_ reason: BSDDifferenceReason, _ difference: BSDDifference) -> String {
    switch reason {
    case .newOptionSuffices: "against connections and TIME_WAIT the new socket's own option is enough there"
    case .exactAddress: "with a reuse option only sockets on exactly this address count there"
    case .reuseaddrSharesNothing: "there SO_REUSEPORT lets sockets share a unicast address, SO_REUSEADDR does not"
    case .otherUser: "the best match on the port is another user's, which no option gets past there"
    case .rootJoins: "root may share an address with any user there"
    case .usersShareWildcard: "two users may share a wildcard address there"
    case .v6onlyDefault where attempt.address == .v6(.any): "it takes no IPv4 there"
    case .v6onlyDefault: "IPV6_V6ONLY is on there unless the program clears it"
    case .ipv4WildcardStays: "[::] may follow 0.0.0.0 there, which keeps the IPv4 traffic"
    case .familiesApart: "sockets without a common address do not meet there"
    case .multicastOptions: "on a multicast address either reuse option goes with the other there, for all users"
    case .address where difference.bsd.expected == .ok: "the address needs no interface there"
    case .address: noInterface(attempt.address)
    case .protocolAddress: "TCP cannot be bound to it there"
    case .reservedPort:
      difference.bsd.expected == .ok
        ? "anybody may bind a port below 1024 on a wildcard address there"
        : "only the user root may bind a port below 1024 there"
    case .connectionOver: "a connection that is over has given up its port there"
    case .device: "SO_BINDTODEVICE does not exist there to keep sockets apart"
    case .errno: "for another reason"
    }
  }

  private func noInterface(_ address: IPAddress) -> String {
    if case .v4(let ipv4) = address, ipv4.bits >> 24 == 127, ipv4 != .loopback {
      return "of 127.0.0.0/8 only 127.0.0.1 is there"
    }
    if case .v6(let ipv6) = address, ipv6.mapped != nil {
      return "an IPv4-mapped address needs IPV6_V6ONLY cleared"
    }
    return "no interface has the address there"
  }

  private func word(_ kind: MissingFact.Kind) -> String {
    switch kind {
    case .reuseaddr: "SO_REUSEADDR of a socket"
    case .reuseport: "SO_REUSEPORT of a socket"
    case .v6only: "IPV6_V6ONLY of a socket"
    case .uid: "which user a socket belongs to"
    case .bindOrder: "which socket was bound last"
    case .boundSockets: "sockets that are bound and do not listen"
    case .localAddresses: "the addresses of the interfaces"
    default: kind.rawValue
    }
  }

  // MARK: IPv6

  /// That `::` takes no IPv4 is a difference even where no answer shows it.
  var v6only: [String] {
    guard attempt.address == .v6(.any), answer.usesDefaultV6only, answer.system.isV6onlyByDefault, !attempt.v6only
    else { return [] }
    let cleared = answer.withV6onlyOfLinux?.first { $0.options == BSDOptions(planned) }.map {
      "; cleared, the bind \(ending($0.expected))"
    }
    return ["the socket takes no IPv4 there: IPV6_V6ONLY is on unless the program clears it" + (cleared ?? "")]
  }

  // MARK: Earlier releases

  /// What they answer otherwise than the system now.
  var earlier: [String] {
    answer.earlier.flatMap { release -> [String] in
      var groups: [(ending: CallResult, options: [ReuseOptions])] = []
      for outcome in release.outcomes {
        guard let options = outcome.options.onLinux else { continue }
        if let index = groups.firstIndex(where: { $0.ending == outcome.expected }) {
          groups[index].options.append(options)
        } else {
          groups.append((outcome.expected, [options]))
        }
      }
      return groups.map {
        "\(combinations($0.options)) the bind \(ending($0.ending)) under \(release.system.description)"
      }
    }
  }

  // MARK: Traffic

  var receives: [String] {
    answer.receives.map { receipt in
      let what = attempt.transport == .tcp ? "connections" : "datagrams"
      let family = answer.receives.count > 1 ? (receipt.family == .ipv4 ? "IPv4 " : "IPv6 ") : ""
      let isShared = planned.contains(.reuseport) ? "SO_REUSEPORT does not spread the load there: " : ""
      let new = attempt.transport == .tcp ? "new " : ""
      var sentence = isShared + new + family + what + " " + text(receipt.receiver)
      if let first = receipt.earlier.first {
        sentence += "; under \(receipt.earlier.map(\.system.description).listed()) they \(text(first.receiver))"
      }
      return sentence
    }
  }

  private func text(_ receiver: BSDReceiver) -> String {
    switch receiver {
    case .one(.planned): "all go to the planned socket, the last one bound"
    case .one(let member): "all go to \(holder(member))"
    case .hash: "are spread over the sockets by a hash of the peer"
    case .each: "go to each socket that joined"
    case .reset(let member): "are reset: \(holder(member)) is found, and does not listen"
    case .silence(let member): "get no answer: \(holder(member)) is found, and does not listen"
    case .nobody: "go to nobody"
    case .undetermined(let members) where families(of: members).count > 1:
      "all go to one socket: by the kernel's code the last one bound, by inet6(4) the IPv4 one"
    case .undetermined: "all go to one socket, and the order of the binds decides to which"
    }
  }

  private func holder(_ member: BSDMember) -> String {
    switch member {
    case .planned: "the planned socket"
    case .socket(let index): sockets.indices.contains(index) ? sockets[index].holderText : "another socket"
    }
  }

  private func families(of members: [BSDMember]) -> Set<AddressFamily> {
    Set(
      members.compactMap {
        switch $0 {
        case .planned: attempt.family
        case .socket(let index): sockets.indices.contains(index) ? sockets[index].family : nil
        }
      })
  }

  var balanced: [String] {
    guard let answers = answer.ifBalanced, let now = answers.first else { return [] }
    let others = answers.dropFirst().filter { $0.bind != now.bind }
    let before = others.isEmpty ? "" : "; under \(others.map(\.system.description).listed()) it "
    return [
      "with SO_REUSEPORT_LB on every socket, which spreads the load by a hash, the bind \(ending(now.bind))"
        + before + (others.first.map { ending($0.bind) } ?? "")
    ]
  }
}
