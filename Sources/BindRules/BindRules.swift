package import SocketModel

/// What bind(2), and for TCP listen(2) after it, would answer to `attempt`, for each combination of reuse options.
///
/// The sockets of `snapshot` must be all of the attempt's port and transport, in the order of the kernel's dump.
/// - Returns: four outcomes in the order of `ReuseOptions.combinations`.
package func outcomes(of attempt: BindAttempt, in snapshot: Snapshot) -> [BindOutcome] {
  guard attempt.isV6onlyKnown else { return outcomesOfBoth(attempt, snapshot) }
  let traits = KernelTraits(snapshot.host)
  let table = BindTable(attempt.transport, snapshot)
  let isOdd = snapshot.host.freshSocket(attempt.transport, attempt.family)?.oddOptions.isEmpty == false
  let common = errorBeforePort(attempt, [], snapshot.host)
  return ReuseOptions.combinations.map { options in
    let before = isOdd ? errorBeforePort(attempt, options, snapshot.host) : common
    return outcome(of: attempt, options, before: before, in: snapshot, traits, table)
  }
}

/// Those on which an attempt with IPV6_V6ONLY and one without agree; the others are undetermined.
private func outcomesOfBoth(_ attempt: BindAttempt, _ snapshot: Snapshot) -> [BindOutcome] {
  var (with, without) = (attempt, attempt)
  (with.v6only, with.isV6onlyKnown) = (true, true)
  (without.v6only, without.isV6onlyKnown) = (false, true)
  return zip(outcomes(of: with, in: snapshot), outcomes(of: without, in: snapshot)).map { first, second in
    if (first.bind, first.listen) == (second.bind, second.listen) { return second }
    let mayWork = [first, second].contains { $0.bind == .ok || $0.bind == .undetermined }
    return BindOutcome(
      options: first.options, bind: first.bind == second.bind ? first.bind : .undetermined,
      listen: attempt.transport == .tcp && mayWork ? .undetermined : nil, blockers: second.blockers,
      missing: [MissingFact(.v6only)])
  }
}

/// The outcome of one combination of options.
///
/// - Parameters:
///   - before: what fails before the port is looked at.
///   - table: that of the snapshot, the same for every combination.
func outcome(
  of attempt: BindAttempt, _ options: ReuseOptions, before: Possible<SystemError?>, in snapshot: Snapshot,
  _ traits: KernelTraits, _ table: BindTable
) -> BindOutcome {
  guard before.answers.contains(nil) else {
    let error = before.sure.flatMap { $0 }
    return BindOutcome(
      options: options, bind: error.map(CallResult.fails) ?? .undetermined,
      listen: error == nil && attempt.transport == .tcp ? .undetermined : nil, missing: before.deciding.asFacts)
  }
  let sk = attempt.kernelSocket(options, snapshot.host)
  var portAnswer =
    switch attempt.transport {
    case .tcp: tcpPortAnswer(sk, snapshot, traits, table)
    case .udp: udpPortAnswer(sk, snapshot, traits)
    }
  if let error = snapshot.host.filteredCalls?.listen, portAnswer.bind == .ok { portAnswer.refuseListen(error) }
  return portAnswer.withRoomInGroup(for: sk, attempt.transport, snapshot)
    .outcome(of: attempt, options: options, before: before)
}

/// What get_port answers, with the sockets behind it.
struct PortAnswer {
  var bind: CallResult
  /// The second get_port, that of listen(2): only of TCP, and only where bind(2) works.
  var listen = CallResult.undetermined
  var blockers: [Blocker] = []
  var missing: [MissingFact] = []

  /// A filter of system calls keeps listen(2) from the kernel.
  mutating func refuseListen(_ error: SystemError) { (listen, blockers, missing) = (.fails(error), [], []) }

  func outcome(of attempt: BindAttempt, options: ReuseOptions, before: Possible<SystemError?>) -> BindOutcome {
    let listen: CallResult? =
      switch (attempt.transport, bind) {
      case (.udp, _), (_, .fails): nil
      case (.tcp, .ok): self.listen
      case (.tcp, .undetermined): .undetermined
      }
    guard before.sure == .some(nil) else {
      return BindOutcome(
        options: options, bind: .undetermined, listen: attempt.transport == .tcp ? .undetermined : nil,
        blockers: blockers, missing: before.deciding.asFacts + missing)
    }
    return BindOutcome(options: options, bind: bind, listen: listen, blockers: blockers, missing: missing)
  }
}

extension BindAttempt {
  /// `sk_bound_dev_if` at get_port: a link-local scope replaces SO_BINDTODEVICE (`__inet6_bind`).
  var boundDevice: InterfaceIndex? {
    if case .v6(let address) = address, needsScope(address), let scope { return scope }
    if case .interface(let index, _) = device { return index }
    return nil
  }

  /// The planned socket as get_port sees it. Binding to one IPv6 address sets IPV6_V6ONLY before get_port
  /// (`__inet6_bind`).
  func kernelSocket(_ planned: ReuseOptions, _ host: HostFacts) -> KernelSocket {
    let options = host.freshSocket(transport, family)?.taken(planned) ?? planned
    var socket = KernelSocket(
      family: family, receiveAddress: address.asReceiveAddress, ipv6only: family == .ipv6 && v6only,
      reuse: options.contains(.reuseaddr), reuseport: options.contains(.reuseport), uid: uid,
      boundDevice: boundDevice, state: .other)
    if socket.addressType == .other { socket.ipv6only = true }
    return socket
  }
}

extension Set<MissingFact.Kind> {
  /// The facts of the host, in a stable order.
  var asFacts: [MissingFact] {
    MissingFact.Kind.allCases.filter(contains).map { MissingFact($0) }
  }
}

// The rules themselves are two-valued, like the kernel's. Where facts are unknown, a rule is asked for every way
// the facts could be: only if the answers differ is the outcome undetermined. So an unknown fact can never turn an
// answer into the other one, and never spoils an answer that it cannot change.

/// The answers of a rule over all possible worlds, and the facts that would narrow them.
struct Possible<Answer: Hashable>: Hashable {
  var answers: Set<Answer>
  /// The unknown facts on which the answer depends; empty where there is one answer.
  var deciding: Set<MissingFact.Kind>

  init(_ answer: Answer) {
    answers = [answer]
    deciding = []
  }

  init(answers: Set<Answer>, deciding: Set<MissingFact.Kind>) {
    self.answers = answers
    self.deciding = deciding
  }

  /// The answer, where all worlds agree.
  var sure: Answer? { answers.count == 1 ? answers.first : nil }
}

/// What is known of an existing socket as far as the rules look at it: a `KernelSocket` with gaps.
struct SocketFacts: Hashable {
  var family: AddressFamily
  var receiveAddress: IPv6Address
  var ipv6only: Bool?
  var reuse: Bool?
  var reuseport: Bool?
  var uid: UInt32?
  var boundDevice: InterfaceIndex?
  /// As in `SocketObservation.bucketDomain`.
  var bucketDomain: UInt32?
  /// As in `SocketObservation.addressBucketFamily`.
  var addressBucketFamily: AddressFamily?
  var state: KernelSocket.State

  init(_ socket: SocketObservation) {
    family = socket.family
    receiveAddress = socket.local.address.asReceiveAddress
    ipv6only = socket.family == .ipv4 ? false : socket.v6only?.sure
    reuse = socket.reuseaddr.sure
    reuseport = socket.reuseport.sure
    uid = socket.uid
    boundDevice = socket.device
    bucketDomain = socket.bucketDomain
    addressBucketFamily = socket.addressBucketFamily
    state = KernelSocket.State(socket)
  }
}

extension KernelSocket.State {
  init(_ socket: SocketObservation) {
    if socket.state == .listen {
      self = .listen
    } else if socket.isTimeWaitSocket {
      // Its sk_state is TCP_TIME_WAIT whatever the substate.
      self = .timeWait
    } else {
      self = .other
    }
  }
}

/// Asks `rule` for every socket that `facts` could stand for.
///
/// An unknown uid has two worlds, that of the planned socket and any other.
func overPossibleWorlds<Answer>(
  of facts: SocketFacts, plannedUID: UInt32, rule: (KernelSocket) -> Answer
) -> Possible<Answer> {
  var gaps: [MissingFact.Kind] = []
  if facts.ipv6only == nil { gaps.append(.v6only) }
  if facts.reuse == nil { gaps.append(.reuseaddr) }
  if facts.reuseport == nil { gaps.append(.reuseport) }
  if facts.uid == nil && facts.state != .timeWait { gaps.append(.uid) }

  let answers = (0..<(1 << gaps.count)).map { world in
    func isSet(_ kind: MissingFact.Kind) -> Bool {
      gaps.firstIndex(of: kind).map { world & (1 << $0) != 0 } ?? false
    }
    return rule(
      KernelSocket(
        family: facts.family, receiveAddress: facts.receiveAddress,
        ipv6only: facts.ipv6only ?? isSet(.v6only), reuse: facts.reuse ?? isSet(.reuseaddr),
        reuseport: facts.reuseport ?? isSet(.reuseport),
        uid: facts.uid ?? (isSet(.uid) ? plannedUID : plannedUID ^ 1), boundDevice: facts.boundDevice,
        state: facts.state))
  }
  let deciding = gaps.indices.filter { gap in
    answers.indices.contains { answers[$0] != answers[$0 ^ (1 << gap)] }
  }
  return Possible(answers: Set(answers), deciding: Set(deciding.map { gaps[$0] }))
}

/// How `inet_csk_get_port` looks for the sockets in the way of a TCP bind to one address.
enum BucketSearch: Hashable {
  /// In the bucket of the address and those of wildcards (bhash2, since 6.1), as fixed until 6.9.
  case byAddress
  /// ::ffff:0.0.0.0 does not cover ::ffff:127.0.0.1, nor does 0.0.0.0 in the bucket that the former made: 6.1.192
  /// (`inet_bind2_bucket_match_addr_any` there compares the bucket's family).
  case byAddressWithoutMappedWildcards
  /// An IPv4-mapped address of one socket is not that of an AF_INET socket. Until "tcp: Fix bind()
  /// regression for v4-mapped-v6 non-wildcard address" (6.6 and stable releases of autumn 2023).
  case byAddressWithoutMapping
  /// Nor does :: cover 127.0.0.1. Until "tcp: Fix bind() conflict check for dual-stack wildcard address"
  /// (6.3 and 6.1.21).
  case byAddressWithinFamily
  /// TIME_WAIT sockets are not in the table: until "tcp: Add TIME_WAIT sockets in bhash2" (6.2 and stable releases).
  case byAddressWithoutTimeWait
  /// Of several buckets of wildcards this one is not the first, the only one that is looked at: until "tcp: Fix bind()
  /// regression for v6-only wildcard and v4-mapped-v6 non-wildcard addresses" (6.9 and stable releases).
  case byAddressWithoutWildcards
  /// A wildcard with IPV6_V6ONLY covers ::ffff:127.0.0.1: until the same commit.
  case byAddressMappedUnderV6only
  /// Among all sockets of the port, as for a wildcard: before 6.1.
  case wholePort
}

/// How the rules of the running kernel differ from those of 6.8 and later, and which of its ways it takes.
struct KernelTraits {
  /// The bucket's `fastreuse` still lets SO_REUSEADDR sockets pass unseen: until the bhash2 rewrite of 6.8.
  var hasReuseaddrShortcut: Bool
  /// A wildcard UDP bind looks for conflicts in the address table too when the slot of the port is crowded (by
  /// sockets of other ports and namespaces as well), and misses sockets bound to one address: until "udp: Fix
  /// wildcard bind conflict check when using hash2" (7.0 and stable releases of spring 2026). nil where the version
  /// number does not tell.
  var udpWildcardBindMayMissAddresses: Bool?
  /// How a TCP bind to one address may find the sockets in its way: more than one where the version number does not
  /// tell, as stable releases and distributions backport the fixes.
  var bucketSearches: [BucketSearch]
  /// Of several wildcard buckets that cover an address the first alone may be looked at.
  var mayLookInOneWildcardBucket: Bool
  /// Whether a UDP chain holds more than ten sockets, those of other ports and namespaces included, so that a bind to one
  /// address looks at the chains of addresses instead. nil: it cannot be seen.
  var udpChainIsCrowded: Bool?

  /// Whether the kernel has that fix: releases that were observed to, or whose source was read, and what came after them in
  /// the same series. Debian's 5.10 of 2026 lacks it; who else carried it back there, the number does not tell.
  private static func hasUDPWildcardFix(_ kernel: KernelVersion) -> Bool? {
    if kernel >= KernelVersion(major: 7, minor: 0) { return true }
    let stable = kernel.stable ?? 0
    switch (kernel.major, kernel.minor) {
    case (6, 1) where stable >= 192, (6, 12) where stable >= 117, (6, 18) where stable >= 44: return true
    case (5, 10) where kernel.isDebians && 1...262 ~= stable: return false
    default: return nil
    }
  }

  /// By the version, and by what else the host tells of its kernel.
  init(_ host: HostFacts) {
    self.init(host.kernel)
    guard bucketSearches.contains(.wholePort), let bindsByAddress = host.bindsByAddress else { return }
    guard bindsByAddress else {
      bucketSearches = [.wholePort]
      return
    }
    // With which of the mends it was carried back is not known.
    bucketSearches = [
      .byAddress, .byAddressMappedUnderV6only, .byAddressWithoutMappedWildcards, .byAddressWithoutMapping,
      .byAddressWithinFamily, .byAddressWithoutTimeWait,
    ]
    mayLookInOneWildcardBucket = true
  }

  init(_ kernel: KernelVersion) {
    hasReuseaddrShortcut = kernel < KernelVersion(major: 6, minor: 8)
    udpWildcardBindMayMissAddresses = Self.hasUDPWildcardFix(kernel).map { !$0 }
    let hasTable = kernel >= KernelVersion(major: 6, minor: 1)
    // Of 6.1, the one series of these that lives on, the number tells; early means not known to be late, too.
    let isLongterm = (kernel.major, kernel.minor) == (6, 1)
    let number = kernel.stable ?? 0
    // As its source has it.
    let isLatest = isLongterm && number >= 192
    mayLookInOneWildcardBucket = hasTable && kernel < KernelVersion(major: 6, minor: 9) && !isLatest
    bucketSearches = isLatest ? [] : [.byAddress]
    // Distributions carry the second table back.
    if !hasTable { bucketSearches.append(.wholePort) }
    if mayLookInOneWildcardBucket { bucketSearches.append(.byAddressMappedUnderV6only) }
    if hasTable, kernel < KernelVersion(major: 6, minor: 8) {
      bucketSearches.append(.byAddressWithoutMappedWildcards)
    }
    let (isEarly, isMiddle) = (isLongterm && number < 21, isLongterm && number < 60)
    if hasTable, kernel < KernelVersion(major: 6, minor: 6), isMiddle || !isLongterm {
      bucketSearches.append(.byAddressWithoutMapping)
    }
    if isEarly { bucketSearches.append(.byAddressWithoutTimeWait) }
    if isEarly || (kernel.major, kernel.minor) == (6, 2) { bucketSearches.append(.byAddressWithinFamily) }
  }
}

/// These outcomes, each undetermined one with its likely outcome.
///
/// - Parameters:
///   - outcomes: those of `outcomes(of:in:)`, some of them perhaps settled by a probe since.
///   - usual: what the runtime behind a socket sets by default; nil where the socket does not tell.
package func withLikelyOutcomes(
  _ outcomes: [BindOutcome], of attempt: BindAttempt, in snapshot: Snapshot,
  usual: (SocketObservation) -> UsualOptions? = { _ in nil }
) -> [BindOutcome] {
  guard outcomes.contains(where: { $0.verdict == .undetermined }) else { return outcomes }
  var world = OrdinaryWorld(attempt, snapshot, usual)
  return outcomes.map { outcome in
    guard outcome.verdict == .undetermined else { return outcome }
    var guessed = outcome
    guessed.likely = likelyOutcome(of: outcome, attempt, snapshot, &world)
    return guessed
  }
}
