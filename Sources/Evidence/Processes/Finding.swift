import SocketModel

/// What the walk found out about one inode; MPTCP subflows share theirs, so it can serve several sockets.
struct Finding: Sendable, Hashable {
  /// Ascending by pid, as the walk goes.
  var processes: [ProcessRecord] = []
  /// The cgroup2 paths of the holders, each once.
  private(set) var controlGroupPaths: [String] = []
  var flags: SocketFlags?
  /// A fact is wanted that only a duplicate tells.
  private var wantsFlags = false
  private var isKernels = false
  private var refusal: UnknownReason?

  /// Notes what this socket wants to know.
  mutating func expect(_ socket: SocketObservation) {
    if socket.lacksFlags { wantsFlags = true }
    if socket.owner == .kernel { isKernels = true }
  }

  /// Notes a holder with the path of its cgroup2 group.
  mutating func add(_ process: ProcessRecord, controlGroup path: String?) {
    processes.append(process)
    if let path, !controlGroupPaths.contains(path) { controlGroupPaths.append(path) }
  }

  /// A duplicate is still worth making.
  var lacksFlags: Bool { wantsFlags && flags == nil }

  /// Notes why one holder's descriptor told nothing. That one of them went away says less than any other reason.
  mutating func fail(_ reason: UnknownReason) {
    if refusal == nil || refusal == .vanished { refusal = reason }
  }

  /// Why the flags are not known; without any holder the owner is hidden.
  var unknownReason: UnknownReason { refusal ?? .hidden }

  /// No process was found that holds it, though one should be.
  var isWithoutHolder: Bool { processes.isEmpty && !isKernels }

  /// Something is missing that did not just go away.
  var isIncomplete: Bool {
    switch missing {
    case nil, .vanished: false
    default: true
    }
  }

  /// Why a fact is missing; nil where none is, or where it is the kernel's socket, which no process holds.
  var missing: UnknownReason? {
    if processes.isEmpty { return isKernels ? nil : .hidden }
    return lacksFlags ? unknownReason : nil
  }
}

extension SocketObservation {
  /// A fact that getsockopt(2) would tell is not known for sure.
  var lacksFlags: Bool {
    reuseaddr.sure == nil || reuseport.sure == nil || (family == .ipv6 && v6only?.sure == nil)
  }

  /// Takes over what was found; nil for a socket without inode.
  mutating func settle(_ finding: Finding?) {
    var reason = UnknownReason.noOwner
    if let finding {
      processes = finding.processes
      reason = finding.unknownReason
      if !processes.isEmpty {
        owner = .process
      } else if owner == .kernel {
        reason = .kernel
      } else {
        owner = .hidden
      }
      uid = uid ?? finding.flags?.uid
      if transport == .tcp { ulp = ulp ?? finding.flags?.upperLayer }
    } else {
      owner = .none
      processes = []
    }
    if let first = finding?.flags?.firstSubflow, !first.isSurely(self) {
      // getsockopt(2) reaches no subflow but the first.
      reuseaddr = reuseaddr.settled(by: nil, else: .subflow)
      reuseport = reuseport.settled(by: nil, else: .subflow)
    } else {
      reuseaddr = reuseaddr.settled(by: finding?.flags?.reuseaddr, else: reason)
      reuseport = reuseport.settled(by: finding?.flags?.reuseport, else: reason)
    }
    if family == .ipv6 {
      let told = finding?.flags?.v6only
      v6only =
        told == false && finding?.flags?.firstSubflow != nil && mayHaveOwnV6only
        ? (v6only ?? .unknown(.subflow)).settled(by: nil, else: .subflow)
        : (v6only ?? .unknown(reason)).settled(by: told, else: reason)
    }
  }

  /// An MPTCP descriptor answers for itself, not for the subflow in the bind table, which bind(2) to one IPv6
  /// address made V6ONLY (`mptcp_bind`, `__inet6_bind`).
  private var mayHaveOwnV6only: Bool {
    guard case .v6(let address) = local.address else { return false }
    return address != .any && address.mapped == nil
  }
}

extension Knowledge where Value == Bool {
  /// What is known for sure stays, then what was read counts, then a guess, then the reason for neither.
  func settled(by value: Bool?, else reason: UnknownReason) -> Self {
    switch self {
    case .known: self
    case .inferred: value.map { .known($0, .getsockopt) } ?? self
    case .unknown: value.map { .known($0, .getsockopt) } ?? .unknown(reason)
    }
  }
}
