package import BindRules
package import SocketModel

// Small pieces of text that several sentences share.

/// `1 socket`, `3 sockets`.
package func counted(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

/// The id of a container as its engine's commands take and show it: the first 12 digits of 64.
package func shortContainer(_ id: String) -> String { id.count == 64 ? String(id.prefix(12)) : id }

extension ReuseOptions {
  /// `SO_REUSEADDR`, `SO_REUSEADDR and SO_REUSEPORT`; empty for none.
  package var names: String { socketOptions.listed() }
}

extension Endpoint {
  /// `127.0.0.1:80`, `[::1]:80`.
  var text: String {
    switch address {
    case .v4: "\(address):\(port)"
    case .v6: "[\(address)]:\(port)"
    }
  }
}

/// A short command name, in quotes where it could be read as more than that: anybody may call himself `nginx (pid 1),`.
package func commandText(_ name: String) -> String {
  // One that keeps its name from being read.
  if name.isEmpty { return "a process" }
  guard name.utf8.contains(where: { " (),\"".utf8.contains($0) }) else { return name }
  var quoted = "\""
  for scalar in name.unicodeScalars {
    if scalar == "\"" { quoted += "\\" }
    quoted.unicodeScalars.append(scalar)
  }
  return quoted + "\""
}

/// A directory as it stands in a sentence: quoted where it could be read as more than one word, and of a long one its end.
func placeText(_ name: String) -> String {
  let most = 60
  let end = name.count > most ? "…" + name.suffix(most - 1) : name
  guard end.utf8.contains(where: { " (),\"".utf8.contains($0) }) else { return end }
  return commandText(end)
}

extension ProcessRecord {
  /// `nginx (pid 812)`.
  package var text: String { "\(commandText(command)) (pid \(pid))" }
}

extension KernelOwner {
  /// `vxlan interface vx0`, `the IPVS synchronisation daemon on eth0`.
  package var text: String {
    if kind == .ipvs { return "the IPVS synchronisation daemon" + (interface.map { " on \($0)" } ?? "") }
    return interface.map { "\(word.rawValue) interface \($0)" } ?? word.rawValue
  }
}

extension SocketObservation {
  /// Who holds the socket, in a few words that can stand in a sentence.
  var holderText: String {
    switch owner {
    case .process:
      guard let first = processes.first else { return "a process" }
      if let activation { return "\(commandText(first.command)) (pid \(first.pid), for \(activation.unit))" }
      if processes.count == 1 { return first.servesLogin ? "\(first.text), for an ssh login," : first.text }
      return "\(first.text) and \(processes.count - 1) more"
    case .kernel: return kernelText(kernelOwner)
    case .none: return "no process"
    case .hidden: return hiddenText(uid)
    }
  }
}

extension Collection where Element == String {
  /// `a`, `a and b`, `a, b and 3 more`.
  package func listed(atMost limit: Int = 2, _ conjunction: String = "and") -> String {
    let shown = Array(prefix(limit))
    if count > limit { return "\(shown.joined(separator: ", ")) and \(count - limit) more" }
    guard let last = shown.last, shown.count > 1 else { return shown.first ?? "" }
    return "\(Array(shown.dropLast()).joined(separator: ", ")) \(conjunction) \(last)"
  }
}

extension Collection where Element == SocketObservation {
  /// The longest time until the kernel lets one of its timewait sockets go, in whole seconds, rounded up.
  package var secondsLeft: UInt32? {
    compactMap { $0.timer?.kind == .timeWait ? $0.timer?.expires : nil }.max().map {
      $0 / 1000 + ($0 % 1000 == 0 ? 0 : 1)
    }
  }
}

/// How many letters have to be inserted, removed or replaced to make one word of the other (Levenshtein).
package func editDistance<Letter: Equatable>(_ first: [Letter], _ second: [Letter]) -> Int {
  var row = Array(0...second.count)
  for (index, letter) in first.enumerated() {
    var diagonal = row[0]
    row[0] = index + 1
    for column in second.indices {
      let changed = diagonal + (second[column] == letter ? 0 : 1)
      diagonal = row[column + 1]
      row[column + 1] = min(changed, row[column] + 1, row[column + 1] + 1)
    }
  }
  return row[second.count]
}

// Who stands behind a socket and what is known of it, as a table of sockets says it. Nothing is escaped here.

/// Who stands behind the sockets of a port.
package struct OwnerWords {
  private var sockets: [SocketObservation]
  private var showsAll: Bool
  private var listeners: Listeners

  /// - Parameter showsAll: every process, and container ids whole.
  package init(_ sockets: [SocketObservation], showsAll: Bool) {
    self.sockets = sockets
    self.showsAll = showsAll
    listeners = Listeners(sockets)
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
    var known: [[String]: Int] = [:]
    for record in records {
      let place = place(record)
      let index = known[[record.command, place], default: groups.count]
      if index == groups.count {
        known[[record.command, place]] = index
        groups.append((record.command, place, []))
      }
      groups[index].pids.append(record.pid)
    }
    let shown = showsAll ? groups[...] : groups.prefix(3)
    let rest = groups.count - shown.count
    return shown.map { "\(commandText($0.name)) (\(pids($0.pids)))\($0.place)" }.joined(separator: ", ")
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
      let relation = record.publishesForContainer ? " for" : " in"
      return "\(relation) container " + (showsAll ? container : String(container.prefix(12)))
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
    index = index ?? listeners.only(of: socket)
    guard let index, sockets.indices.contains(index), let first = sockets[index].processes.first else { return "" }
    return " of \(first.text)"
  }
}

func kernelText(_ owner: KernelOwner?) -> String { "the kernel" + (owner.map { " (\($0.text))" } ?? "") }

/// A holder that could not be looked at, of this user; a table leaves the noun out.
func hiddenText(_ uid: UInt32?) -> String { "a process that is hidden from you" + ofUser(uid) }

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
    case .noAnswer: "what could tell gave no answer in time, or could not be asked"
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

/// What the library says where there is no answer: one line, lower case, what is wrong with what.
package enum ErrorWords {
  // MARK: The kernel

  package static func sockDiagMissing(_ errno: SystemError) -> String {
    "the kernel's sock_diag interface is missing or forbidden (\(errno)): check for a seccomp filter,"
      + " and for CONFIG_INET_DIAG (modprobe inet_diag tcp_diag udp_diag)"
  }

  package static func internalError(_ text: String) -> String { "internal error: \(text)" }

  // MARK: A failed bind

  package static let portZero = "port 0 means any free port: there is nothing to explain"

  package static func noAnswer(_ port: Port) -> String { "no answer for \(port)" }

  package static func noPort(_ text: String) -> String { "\"\(text)\" has no port: ADDRESS:PORT is expected" }

  package static func noAddress(_ text: String) -> String { "\"\(text)\" is no address: names are not looked up" }

  package static func noSocket(_ descriptor: Int32, _ errno: SystemError) -> String {
    "descriptor \(descriptor) is no TCP or UDP socket (\(errno))"
  }

  // MARK: A network namespace

  package static func noProcess(_ pid: Int32) -> String { "no process \(pid)" }

  package static func noNamedNamespace(_ name: String) -> String {
    "no network namespace \"\(name)\" in /run/netns"
  }

  package static func noFile(_ path: String) -> String { "no file \"\(path)\"" }

  package static func noNamespace(_ word: String) -> String { "\"\(word)\" is no network namespace" }

  package static func noAnswer(from namespace: String) -> String {
    "network namespace \(namespace) cannot be entered: somebody keeps the directory of its file locked"
  }

  package static func mayNotOpenNamespaces(of pid: Int32) -> String {
    "the namespaces of process \(pid) may not be opened: this needs CAP_SYS_PTRACE (sudo)"
  }

  package static func mayNotOpen(_ word: String, _ errno: SystemError, isRoot: Bool) -> String {
    let reason =
      isRoot ? "root is refused too, by fs.protected_symlinks or a security module" : "this needs root (sudo)"
    return "\"\(word)\" may not be opened (\(errno)): \(reason)"
  }

  package static func mayNotEnter(_ word: String) -> String {
    "the network namespace \"\(word)\" may not be entered: this needs CAP_SYS_ADMIN in the user namespace"
      + " that owns it and in your own (sudo)"
  }

  package static func failed(_ call: String, _ errno: SystemError) -> String { "\(call): \(errno)" }
}

// `--ours`, in words.

/// Who of those in the way is not one's own; nil where no socket is in the way.
///
/// - Parameters:
///   - sockets: those that are not, with the holders alone that do not match.
///   - predicates: as they were given.
///   - isDoubted: one of them has the path that was given, as far as its own mounts go.
package func notOursNote(_ sockets: [SocketObservation], _ predicates: [String], isDoubted: Bool = false) -> Note? {
  var named: Set<String> = []
  let holders = sockets.map(\.foreignText).filter { named.insert($0).inserted }
  guard !holders.isEmpty else { return nil }
  let (are, `do`) = holders.count > 1 ? ("are", "do") : ("is", "does")
  let isHidden = sockets.allSatisfy { $0.owner == .hidden }
  let reason =
    isHidden ? "a holder that cannot be seen never is" : "\(`do`) not match \(predicates.listed(atMost: 8, "or"))"
  let doubt =
    isDoubted ? ", and its path is not known to be this host's: users mount what they like for themselves" : ""
  return Note(kind: .notOurs, text: "\(holders.listed(atMost: 3)) \(are) not ours: \(reason)\(doubt)")
}

/// `ours (unit=nginx.service)`: what stands for `taken` where the port is one's own.
func oursText(_ matched: [String]) -> String {
  "ours\(matched.isEmpty ? "" : " (\(matched.listed(atMost: 3)))")"
}

extension SocketObservation {
  fileprivate var foreignText: String {
    switch owner {
    case .process:
      guard let first = processes.first else { return "a process" }
      let place = first.container.map { "container " + shortContainer($0) } ?? first.unit
      let rest = processes.count == 1 ? "" : " and \(processes.count - 1) more"
      return "\(commandText(first.command)) (pid \(first.pid)\(place.map { ", " + $0 } ?? ""))\(rest)"
    case .none: return state == .timeWait ? "TIME_WAIT without a listener" : "\(state) without a process"
    case .kernel, .hidden: return holderText
    }
  }
}
