package import BindRules
import SocketModel

// How bind(2) and listen(2) end, in words: one wording for the first line, the four combinations and a range.

extension ReuseOptions {
  /// The name of a combination: `no option`, `SO_REUSEADDR`, `SO_REUSEPORT`, `both`.
  package var label: String {
    switch self {
    case []: "no option"
    case [.reuseaddr, .reuseport]: "both"
    default: names
    }
  }
}

extension BindOutcome {
  /// `ok`, `EADDRINUSE`, `listen EADDRINUSE`, `undetermined`; `?` where it was left open, which is no answer.
  package var resultText: String {
    switch (bind, verdict) {
    case (.ok, .fails(let errno)): "listen \(errno)"
    case (.ok, .undetermined): "listen undetermined" + probably
    case (_, let verdict): verdict.description + probably
    }
  }

  /// What is likely of an undetermined outcome, where there is ground for a guess.
  fileprivate var probably: String {
    guard let likely else { return "" }
    return ", probably \((likely.bind == .ok ? likely.listen : nil) ?? likely.bind)"
  }
}

/// How attempts that end alike with every combination of options end, as a predicate: `fails (EADDRINUSE); no option
/// helps`.
struct Ending {
  private var planned: BindOutcome?
  private var others: [BindOutcome]
  private var isFree: Bool
  private var missing: [MissingFact]

  /// - Parameters:
  ///   - outcomes: the four of one of the attempts.
  ///   - missing: what any of them lacks for the planned combination.
  ///   - isFree: nothing uses the port, and every combination works.
  init(
    _ outcomes: [BindOutcome], planned: ReuseOptions, missing: [MissingFact], isFree: Bool
  ) {
    self.planned = outcomes.first { $0.options == planned }
    others = outcomes.filter { $0.options != planned }
    self.isFree = isFree
    self.missing = missing
  }

  /// How the planned combination ends, and which others end otherwise.
  var text: String {
    guard let planned else { return "is undetermined" }
    if isFree { return "works" }
    return ending(planned) + otherwise(planned)
  }

  private func ending(_ outcome: BindOutcome) -> String {
    switch (outcome.bind, outcome.verdict) {
    case (_, .ok): "works"
    case (.ok, .fails(let errno)): "works, but listen() fails (\(errno))"
    case (_, .fails(let errno)): "fails (\(errno))"
    case (let bind, .undetermined):
      (bind == .ok ? "works, but listen() is undetermined" : "is undetermined") + outcome.probably
        + missing.inBrackets
    }
  }

  /// Which other combinations end better, or for a planned option: that it is needed.
  private func otherwise(_ planned: BindOutcome) -> String {
    if planned.verdict == .ok { return withoutThePlanned(planned) }
    // What comes before the port is no matter of these options.
    if let errno = planned.verdict.errno, errno != .addressInUse { return "" }
    let working = minimal(others.filter { $0.verdict == .ok }.map(\.options))
    if !working.isEmpty { return "; \(with(working)) it works" }
    if planned.verdict == .undetermined { return "" }
    let undetermined = others.filter { $0.verdict == .undetermined }
    if undetermined.isEmpty { return "; no option helps" }
    // The order of earlier binds is no fact to hope for: it stands in the section "bind".
    let open = minimal(
      undetermined.filter { outcome in outcome.missing.contains { $0.kind != .bindOrder } }.map(\.options))
    if !open.isEmpty { return "; \(with(open)) it is undetermined" }
    let failing = minimal(others.filter(\.fails).map(\.options))
    return failing.isEmpty ? "" : "; \(with(failing)) it fails too"
  }

  private func withoutThePlanned(_ planned: BindOutcome) -> String {
    if planned.options.isEmpty {
      let failing = others.filter(\.fails)
      return failing.isEmpty ? "" : "; \(with(minimal(failing.map(\.options)))) it fails"
    }
    guard let bare = others.first(where: { $0.options.isEmpty }) else { return "" }
    return switch bare.verdict {
    case .ok: ", and without options too"
    case .fails(let errno): "; without options it fails (\(errno))"
    case .undetermined: "; without options it is undetermined"
    }
  }

  /// The combinations that contain no other of the list.
  private func minimal(_ combinations: [ReuseOptions]) -> [ReuseOptions] {
    combinations.filter { candidate in !combinations.contains { $0.isStrictSubset(of: candidate) } }
  }

  private func with(_ combinations: [ReuseOptions]) -> String {
    if combinations.contains([]) { return "without options" }
    return "with " + combinations.map(\.names).listed(atMost: .max, "or")
  }
}

extension BindOutcome {
  fileprivate var fails: Bool {
    if case .fails = verdict { true } else { false }
  }
}

/// The answer of a port in a word or two, for a line of a range: `free`, `works`, `bind fails (EADDRINUSE)`.
package func shortEnding(_ verdict: CallResult?, isFree: Bool, bindWorks: Bool) -> String {
  switch verdict {
  case .ok: isFree ? "free" : "works"
  case .fails(let errno): (bindWorks ? "listen" : "bind") + " fails (\(errno))"
  case .undetermined: CallResult.undetermined.description
  case nil: "not asked"
  }
}

extension BindRule {
  /// The kernel function whose conflict it is.
  package var kernelFunction: String {
    switch self {
    case .tcpListener, .tcpReuseaddr, .tcpReuseportUser: "inet_bind_conflict"
    case .udpReuseaddr, .udpReuseportUser: "udp_lib_lport_inuse"
    }
  }
}

// MARK: What is missing

extension Collection where Element == MissingFact {
  /// ` (not known: …)`; what only hides is said as what is seen.
  fileprivate var inBrackets: String {
    if isEmpty { return "" }
    if allSatisfy({ $0.kind == .boundSockets }) {
      return ": sockets that are only bound cannot be seen"
    }
    return " (not known: \(items.listed(atMost: .max)))"
  }

  /// Facts of the same sockets together: `SO_REUSEADDR and SO_REUSEPORT of 2 sockets`.
  private var items: [String] {
    var groups: [(names: [String], sockets: Set<Int>)] = []
    for kind in MissingFact.Kind.allCases {
      let matching = filter { $0.kind == kind }
      if matching.isEmpty { continue }
      let sockets = Set(matching.compactMap(\.socket))
      if let index = groups.firstIndex(where: { $0.sockets == sockets && !sockets.isEmpty }) {
        groups[index].names.append(kind.text)
      } else {
        groups.append(([kind.text], sockets))
      }
    }
    return groups.map { group in
      group.names.listed(atMost: .max)
        + (group.sockets.isEmpty ? "" : " of " + counted(group.sockets.count, "socket"))
    }
  }
}

extension MissingFact.Kind {
  /// The fact, as "not known:" goes on.
  fileprivate var text: String {
    switch self {
    case .reuseaddr: "SO_REUSEADDR"
    case .reuseport: "SO_REUSEPORT"
    case .v6only: "IPV6_V6ONLY"
    case .uid: "the user"
    case .bindOrder: "the order of earlier binds"
    case .filters: "what filters say"
    case .reuseportGroup: "whether the SO_REUSEPORT group is full"
    case .boundSockets: "sockets that are only bound"
    case .capability: "CAP_NET_BIND_SERVICE"
    case .unprivilegedPortStart: "net.ipv4.ip_unprivileged_port_start"
    case .localAddresses: "the local addresses"
    case .nonlocalBind: "ip_nonlocal_bind"
    case .interfaces: "the interfaces"
    case .addressFamily: "whether the family is there"
    case .l3mdevAccept: "net.ipv4.tcp_l3mdev_accept"
    case .layer3Domain: "the VRF"
    case .movingSockets: "where sockets are that may move between listening, bound and connected"
    case .kernelVersion: "this kernel version's rule"
    case .systemCallFilter: "what the seccomp filter does to bind() and listen()"
    }
  }
}
