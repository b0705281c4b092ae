package import SocketModel

// Who stands behind a socket and what is known of it, as a table of sockets says it. Nothing is escaped here.

/// Who stands behind the sockets of a port.
package struct OwnerWords {
  private var sockets: [SocketObservation]
  private var showsAll: Bool
  /// Indices into `sockets`.
  private var listeners: [Int]

  /// - Parameter showsAll: every process, and container ids whole.
  package init(_ sockets: [SocketObservation], showsAll: Bool) {
    self.sockets = sockets
    self.showsAll = showsAll
    listeners = sockets.indices.filter { sockets[$0].state == .listen }
  }

  package func text(_ socket: SocketObservation) -> String {
    switch socket.owner {
    case .process where !socket.processes.isEmpty:
      processes(socket.processes) + (socket.activation.map { " for \($0.unit)" } ?? "")
    case .kernel: kernelText(socket.kernelOwner)
    case .none: nobody(socket)
    case .hidden, .process: "hidden" + ofUser(socket.uid)
    }
  }

  /// What makes rows alike: the owner without pids and times.
  package func foldingKey(_ socket: SocketObservation) -> String {
    switch socket.owner {
    case .process where !socket.processes.isEmpty:
      socket.processes.map { "\($0.command) \($0.unit ?? "") \($0.container ?? "")" }.sorted().first ?? ""
    case .none: "none" + (socket.isQueuedChild ? listener(of: socket) : "")
    default: text(socket)
    }
  }

  // MARK: Processes

  /// `nginx (pids 812, 813, … 40 processes) in nginx.service, curl (pid 77)`: one entry for each command and place.
  private func processes(_ records: [ProcessRecord]) -> String {
    var groups: [(name: String, place: String, pids: [Int32])] = []
    for record in records {
      let place = place(record)
      if let index = groups.firstIndex(where: { $0.name == record.command && $0.place == place }) {
        groups[index].pids.append(record.pid)
      } else {
        groups.append((record.command, place, [record.pid]))
      }
    }
    let shown = showsAll ? groups[...] : groups.prefix(3)
    let rest = groups.count - shown.count
    return shown.map { "\($0.name) (\(pids($0.pids)))\($0.place)" }.joined(separator: ", ")
      + (rest > 0 ? ", … and \(rest) more" : "")
  }

  private func pids(_ pids: [Int32]) -> String {
    let all = pids.map(String.init)
    if all.count == 1 { return "pid \(all[0])" }
    if all.count <= 3 || showsAll { return "pids " + all.joined(separator: ", ") }
    return "pids " + all.prefix(2).joined(separator: ", ") + ", … \(all.count) processes"
  }

  private func place(_ record: ProcessRecord) -> String {
    if let container = record.container {
      return " in container " + (showsAll ? container : String(container.prefix(12)))
    }
    if let target = record.forwardsTo { return " to \(target.address) port \(target.port)" }
    return record.unit.map { " in \($0)" } ?? ""
  }

  // MARK: Nobody

  private func nobody(_ socket: SocketObservation) -> String {
    if let left = [socket].secondsLeft {
      return socket.state == .timeWait ? "none, \(left) s left" : "none, given up in \(left) s"
    }
    if socket.isQueuedChild { return "none, in the accept queue" + listener(of: socket) }
    switch socket.state {
    case _ where socket.isRequest: return "none, a connection request"
    case .finWait1, .finWait2, .lastAck, .closing: return "none, closed by its process"
    default: return "none"
    }
  }

  /// ` of nginx (pid 812)`: the listener the flags were guessed from, else the only one that fits.
  private func listener(of socket: SocketObservation) -> String {
    var index: Int?
    if case .inferred(_, let from, _) = socket.reuseaddr { index = from }
    if index == nil {
      let fitting = listeners.filter {
        sockets[$0].local.port == socket.local.port && sockets[$0].mayHaveAccepted(socket)
      }
      if fitting.count == 1 { index = fitting.first }
    }
    guard let index, sockets.indices.contains(index), let first = sockets[index].processes.first else { return "" }
    return " of \(first.text)"
  }
}

func kernelText(_ owner: KernelOwner?) -> String { "the kernel" + (owner.map { " (\($0.text))" } ?? "") }

/// A holder that could not be looked at, of this user; a table leaves the noun out.
func hiddenText(_ uid: UInt32?) -> String { "a hidden process" + ofUser(uid) }

private func ofUser(_ uid: UInt32?) -> String { uid.map { " (uid \($0))" } ?? "" }

// MARK: What is known

/// `yes`, `no`, guessed `yes?`, unknown `?`.
package func flagText(_ flag: Knowledge<Bool>) -> String {
  switch flag {
  case .known(let value, _): value ? "yes" : "no"
  case .inferred(let value, _, _): value ? "yes?" : "no?"
  case .unknown: "?"
  }
}

/// The sentences below a table that has `?`, `yes?` or `no?`.
package func flagLegend(_ flags: [Knowledge<Bool>]) -> [String] {
  let unknown = Set(
    flags.compactMap { flag -> UnknownReason? in
      if case .unknown(let reason) = flag { reason } else { nil }
    })
  let isGuessed = flags.contains { if case .inferred = $0 { true } else { false } }
  return UnknownReason.allCases.filter(unknown.contains).map { "? not known: " + $0.text }
    + (isGuessed ? ["yes? no? guessed from the listener it came from, never relied on"] : [])
}

extension UnknownReason {
  /// Why a flag is not known.
  var text: String {
    switch self {
    case .hidden: "the owner could not be looked at"
    case .yama: "the Yama security module forbids looking at the owner (kernel.yama.ptrace_scope)"
    case .noOwner: "no process holds the socket, so nobody can be asked"
    case .kernel: "the kernel itself holds the socket"
    case .vanished: "the socket or its owner was gone before it could be read"
    case .subflow: "a subflow of an MPTCP connection, whose descriptor tells of the first one alone"
    case .noAnswer: "what could tell is kept waiting by another process, and was not waited for"
    case .oldKernel: "this kernel has no way to tell (pidfd_getfd needs Linux 5.6)"
    }
  }
}

/// What all of these sockets set: `reuseaddr`, `reuseport`, `both`, `none`; `mixed` where they differ, `?` where a flag
/// is not known.
package func sharingText(_ sockets: [SocketObservation]) -> String {
  let words = Set(sockets.map(sharingText))
  return words.count > 1 ? (words.contains("?") ? "?" : "mixed") : words.first ?? ""
}

private func sharingText(_ socket: SocketObservation) -> String {
  guard let address = socket.reuseaddr.sure, let port = socket.reuseport.sure else { return "?" }
  return switch (address, port) {
  case (true, true): "both"
  case (true, false): "reuseaddr"
  case (false, true): "reuseport"
  case (false, false): "none"
  }
}

// MARK: The lines around tables

package enum TableWords {
  package static let nothingInUse = "no port is in use"
  package static let outgoing = "outgoing"

  /// Alike rows that are not shown.
  package static func more(_ count: Int, _ state: SocketState) -> String { "… and \(count) more \(state)" }

  /// Rows of whatever kind that are not shown.
  package static func moreSockets(_ count: Int) -> String {
    "… and \(count) more \(count == 1 ? "socket" : "sockets") (-v shows all)"
  }

  /// Ports whose owners only root sees.
  package static func hiddenOwners(_ ports: Int) -> String {
    "\(counted(ports, "port")) with a hidden owner: sudo portwhy shows more"
  }
}
