import SocketModel

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
