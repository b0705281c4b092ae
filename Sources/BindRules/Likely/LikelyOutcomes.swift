import SocketModel

// A guess for each outcome that the rules leave open: the same rules, asked in one world, the ordinary one. Every fact
// that is filled in there names the assumption it rests on; those that the answer does not need are taken back, so what
// is named is what would have to be otherwise for the guess to be wrong.

/// The outcome in the ordinary world; nil where even there it is open, or where what is sure of `outcome` contradicts it.
func likelyOutcome(
  of outcome: BindOutcome, _ attempt: BindAttempt, _ snapshot: Snapshot, _ world: inout OrdinaryWorld
) -> LikelyOutcome? {
  if outcome.missing.contains(where: { $0.kind == .reuseportGroup }),
    isGroupFull(for: attempt.kernelSocket(outcome.options, snapshot.host), attempt.transport, snapshot)
  {
    let isTCP = attempt.transport == .tcp
    return LikelyOutcome(
      bind: isTCP ? .ok : .fails(.addressInUse), listen: isTCP ? .fails(.outOfMemory) : nil,
      assuming: [.optionsUnchanged])
  }
  var allowed = Set(Assumption.allCases)
  let whole = world.answer(outcome, allowed)
  guard let likely = whole.likely, outcome.bind == .undetermined || outcome.bind == likely.bind else { return nil }
  allowed = whole.made
  if outcome.missing.contains(where: { $0.kind == .reuseportGroup }) { allowed.insert(.optionsUnchanged) }
  // What is least sure is taken back first.
  for assumption in Assumption.allCases.reversed() where whole.made.contains(assumption) {
    let without = world.answer(outcome, allowed.subtracting([assumption]))
    if without.likely?.bind == likely.bind, without.likely?.listen == likely.listen { allowed.remove(assumption) }
  }
  // Where no assumption is needed, what is missing is none of the facts of this world, as with sockets that move.
  if allowed.isEmpty { return nil }
  return LikelyOutcome(
    bind: likely.bind, listen: likely.listen, assuming: Assumption.allCases.filter(allowed.contains))
}

extension OrdinaryWorld {
  /// What the rules answer to the combination of `outcome` in the world of these assumptions, and which of them were made.
  mutating func answer(
    _ outcome: BindOutcome, _ allowed: Set<Assumption>
  ) -> (likely: LikelyOutcome?, made: Set<Assumption>) {
    let reading = reading(allowed, missing: Set(outcome.missing.map(\.kind)))
    var (snapshot, made) = (reading.snapshot, reading.made)
    let sk = reading.attempt.kernelSocket(outcome.options, snapshot.host)
    if reading.attempt.transport == .tcp, bucket(of: sk, snapshot) == nil,
      let remembered = ordinaryBucket(for: sk, snapshot, reading.traits, allowed)
    {
      snapshot.buckets.append(remembered.bucket)
      made.formUnion(remembered.made)
    }
    let answer = BindRules.outcome(
      of: reading.attempt, outcome.options,
      before: errorBeforePort(reading.attempt, outcome.options, snapshot.host), in: snapshot, reading.traits,
      BindTable(reading.attempt.transport, snapshot))
    guard answer.verdict != .undetermined else { return (nil, made) }
    return (LikelyOutcome(bind: answer.bind, listen: answer.listen, assuming: []), made)
  }
}

/// Something that is ordinarily so, and that `LikelyOutcome` takes for granted; `rawValue` is stable and in the report.
package enum Assumption: String, Sendable, Hashable, CaseIterable {
  /// A connection, or what is left of one, has the options that the listener has which covers its address.
  case listenersOptions = "listener-options"
  /// A socket has the options that the runtime of its program sets by default.
  case runtimesOptions = "runtime-options"
  /// A socket has the options that are usual for its kind: a TCP server's SO_REUSEADDR alone, a client's and a UDP
  /// socket's none.
  case usualOptions = "usual-options"
  /// No option was changed after bind(2).
  case optionsUnchanged = "options-unchanged"
  /// A socket whose user is not mapped here belongs to another user than the planned one.
  case otherUser = "other-user"
  /// No socket of the port came and went and left something behind in the memory of the bind bucket.
  case noEarlierSockets = "no-earlier-sockets"
  /// Sockets were bound in the order of their inodes.
  case orderOfInodes = "inode-order"
  /// There is no bound socket that nobody may see.
  case noHiddenSockets = "no-hidden-sockets"
  /// A UDP chain holds more than ten sockets only where the port alone has that many.
  case chainOfThePort = "chain-of-the-port"
  /// Devices and `net.ipv4.tcp_l3mdev_accept` are what they were at bind(2), and VRFs that cannot be seen are not there.
  case devicesUnchanged = "devices-unchanged"
  /// A setting that cannot be read is what the kernel starts with.
  case defaultSettings = "default-settings"
  /// A program of uid 0 may bind privileged ports, one of another user may not.
  case usualCapabilities = "usual-capabilities"
  /// The kernel does what its version was released with, and what later stable releases of it mended.
  case kernelOfItsVersion = "kernel-version"
}

/// What happens under ordinary assumptions where facts are missing that decide; never part of a verdict.
package struct LikelyOutcome: Sendable, Hashable {
  /// As in `BindOutcome.bind`; never undetermined.
  package var bind: CallResult
  /// As in `BindOutcome.listen`; never undetermined.
  package var listen: CallResult?
  /// The assumptions without which the answer would be open, in the order of their declaration; never empty.
  package var assuming: [Assumption]

  /// A guess with its grounds.
  package init(bind: CallResult, listen: CallResult?, assuming: [Assumption]) {
    self.bind = bind
    self.listen = listen
    self.assuming = assuming
  }
}

/// The options that a program's runtime sets on its listening TCP sockets.
package struct UsualOptions: Sendable, Hashable {
  /// SO_REUSEADDR.
  package var reuseaddr: Bool
  /// SO_REUSEPORT.
  package var reuseport: Bool
  /// IPV6_V6ONLY; nil for the host's default.
  package var v6only: Bool?

  /// The three options.
  package init(reuseaddr: Bool, reuseport: Bool, v6only: Bool?) {
    self.reuseaddr = reuseaddr
    self.reuseport = reuseport
    self.v6only = v6only
  }
}
