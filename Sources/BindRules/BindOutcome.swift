public import SocketModel

/// What a system call would answer.
public enum CallResult: Sendable, Hashable, CustomStringConvertible {
  case ok
  case fails(SystemError)
  /// Facts are missing that decide.
  case undetermined

  /// The word of the report: `ok`, the errno's name, `undetermined`.
  public var description: String {
    switch self {
    case .ok: "ok"
    case .fails(let errno): errno.description
    case .undetermined: "undetermined"
    }
  }
}

/// The rule that makes a socket stand in the way; `rawValue` is stable and in the report.
package enum BindRule: String, Sendable, Hashable, CaseIterable {
  /// A TCP socket in LISTEN: SO_REUSEADDR never helps against it (`inet_bind_conflict`).
  case tcpListener = "tcp.listener"
  /// A TCP socket in any other state, without SO_REUSEADDR on both sides (`inet_bind_conflict`).
  case tcpReuseaddr = "tcp.reuseaddr"
  /// Both set SO_REUSEPORT, but belong to different users (`inet_bind_conflict`).
  case tcpReuseportUser = "tcp.reuseport-user"
  /// A UDP socket without SO_REUSEADDR on both sides (`udp_lib_lport_inuse`).
  case udpReuseaddr = "udp.reuseaddr"
  /// Both set SO_REUSEPORT, but belong to different users (`udp_lib_lport_inuse`).
  case udpReuseportUser = "udp.reuseport-user"
}

/// A socket of the snapshot that is, or may be, in the way.
public struct Blocker: Sendable, Hashable {
  /// Index into `Snapshot.sockets`.
  public var socket: Int
  /// The rule that finds it in the way.
  package var rule: BindRule

  package init(socket: Int, rule: BindRule) {
    self.socket = socket
    self.rule = rule
  }
}

/// A fact that is missing and could change the answer.
public struct MissingFact: Sendable, Hashable {
  /// What is missing; `rawValue` is stable and in the report.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case reuseaddr
    case reuseport
    case v6only
    case uid
    /// The order of earlier binds, kept in the kernel's bind bucket or hash chain and shown nowhere.
    case bindOrder = "bind-order"
    /// Whether the SO_REUSEPORT group that the socket comes into takes one more.
    case reuseportGroup = "reuseport-group"
    /// Sockets that are bound but not listening, on kernels that do not list them.
    case boundSockets = "bound-sockets-of-other-users"
    case capability
    case unprivilegedPortStart = "ip_unprivileged_port_start"
    case localAddresses = "local-addresses"
    case nonlocalBind = "ip_nonlocal_bind"
    case interfaces
    case addressFamily = "address-family"
    case l3mdevAccept = "tcp_l3mdev_accept"
    /// The layer-3 domain (VRF) in which a TCP socket was bound.
    case layer3Domain = "layer3-domain"
    /// Sockets of the port that moved between the kernel's tables each time it was looked at.
    case movingSockets = "moving-sockets"
    /// A rule that differs between kernel versions in a way that cannot be observed.
    case kernelVersion = "kernel-version"
    /// What decides beside the rules of the sockets and cannot be seen from outside: content filters, flow divert and
    /// the network namespace of Skywalk on macOS.
    case filters
  }

  /// What is not known.
  public var kind: Kind
  /// The socket whose fact it is (index into `Snapshot.sockets`); nil for a fact of the host.
  package var socket: Int?

  package init(_ kind: Kind, socket: Int? = nil) {
    self.kind = kind
    self.socket = socket
  }
}

/// How an outcome was found.
package enum OutcomeSource: String, Sendable, Hashable {
  case rules
  case probe
}

/// What bind(2) and listen(2) answer to one attempt with one combination of options.
public struct BindOutcome: Sendable, Hashable {
  /// The combination of options that was judged.
  public var options: ReuseOptions
  /// The first failing call of if_nametoindex(3), socket(2), setsockopt(2) and bind(2).
  public var bind: CallResult
  /// nil for UDP and where bind fails; undetermined where bind is.
  public var listen: CallResult?
  /// The rules, or a real bind.
  package var source: OutcomeSource
  /// The sockets that make it fail, or may; ascending.
  public var blockers: [Blocker]
  /// What is missing where `bind` or `listen` is undetermined; empty otherwise.
  public var missing: [MissingFact]
  /// What happens under ordinary assumptions, where `bind` or `listen` is undetermined and there is ground for a guess.
  package var likely: LikelyOutcome?

  package init(
    options: ReuseOptions, bind: CallResult, listen: CallResult?, source: OutcomeSource = .rules,
    blockers: [Blocker] = [], missing: [MissingFact] = [], likely: LikelyOutcome? = nil
  ) {
    self.options = options
    self.bind = bind
    self.listen = listen
    self.source = source
    self.blockers = blockers
    self.missing = missing
    self.likely = likely
  }

  /// The first call that fails decides; then undetermined; else both work.
  public var verdict: CallResult {
    switch (bind, listen ?? .ok) {
    case (.fails, _): bind
    case (_, .fails(let errno)): .fails(errno)
    case (.ok, .ok): .ok
    default: .undetermined
    }
  }
}

extension BindOutcome {
  /// This outcome with the answer of a real bind(2) in the place of the rules'.
  ///
  /// A probe never listens. From Linux 6.8 on what let a fresh socket pass at bind(2) lets it pass at listen(2), so
  /// that one is known too. Before, bind(2) may have taken the kernel's SO_REUSEADDR shortcut, which listen(2) does
  /// not take: then it stays undetermined.
  package func settled(by answer: CallResult, on kernel: KernelVersion) -> BindOutcome {
    var settled = self
    settled.source = .probe
    settled.bind = answer
    settled.missing = []
    settled.likely = nil
    switch answer {
    case .undetermined: return self
    case .fails(let errno):
      settled.listen = nil
      if errno != .addressInUse { settled.blockers = [] }
    case .ok where options.contains(.reuseaddr) && KernelTraits(kernel).hasReuseaddrShortcut:
      settled.listen = .undetermined
      settled.missing = [MissingFact(.bindOrder)]
    case .ok:
      settled.listen = .ok
      settled.blockers = []
    }
    return settled
  }
}
