import Linux
package import SocketModel

extension ProcessReader {
  /// The TCP sockets of this network namespace that no dump shows, found through their holders' descriptors.
  ///
  /// Kernels before 6.8 list no socket that is bound but neither listens nor is connected. Each socket inode in
  /// /proc that is not in `inodes` is duplicated once (7 µs each) and asked for its protocol, namespace and name.
  /// Holders are filled in as `examine` does.
  ///
  /// - Parameters:
  ///   - ports: the local ports that matter; nil for all.
  ///   - inodes: what the dumps showed, at least for these ports.
  /// - Returns: the sockets in the order of the walk, and whether nothing can have been missed: every process and
  ///   descriptor could be read, no other pid namespace hides one, and no socket was met of which cannot be told
  ///   whether it still holds its port. A connect(2) that failed leaves a port that is free again in
  ///   getsockname(2); such sockets are not returned.
  package func boundSockets(
    on ports: ClosedRange<UInt16>? = nil, notIn inodes: Set<UInt64>
  ) -> FoundBoundSockets {
    var found = FoundBoundSockets(sockets: [], complete: false)
    let files = newFiles()
    let own = "thread-self/ns/net"
    let reply = files.ask(
      ProcessQuestion(
        .holdersOfOthers(than: Array(inodes)), [.contents("comm"), .status("ns/net")], rootFiles: [.status(own)]))
    var search = BoundSocketSearch(ports: ports, namespace: OwnNamespace(file: reply.root.status(own)))
    for process in reply.processes { search.note(process) }
    found.silent = search.ask(files) ?? files.silentSource()
    let walk = ProcessWalk(reply, files)
    found.complete =
      !search.isInDoubt && reply.end == .done && reply.silent.isEmpty && reply.processCount ?? 0 > 0
      && !walk.hidesProcesses && walk.countUnreadable() == 0 && seesAllProcesses(files)
    found.sockets = search.found
    _ = examine(&found.sockets, files)
    return found
  }
}

/// What a search for bound sockets found.
package struct FoundBoundSockets: Sendable, Hashable {
  package var sockets: [SocketObservation]
  /// Whether nothing can have been missed.
  package var complete: Bool
  /// Which source was given up.
  package var silent: SilentSource?

  package init(sockets: [SocketObservation], complete: Bool, silent: SilentSource? = nil) {
    self.sockets = sockets
    self.complete = complete
    self.silent = silent
  }
}

/// The state of one search.
private struct BoundSocketSearch {
  let ports: ClosedRange<UInt16>?
  let namespace: OwnNamespace
  var found: [SocketObservation] = []
  /// Something may have been missed.
  private(set) var isInDoubt = false
  private var questions: [SocketQuestion] = []
  /// The file of the network namespace of each question's process, where the kernel has no cookies to compare.
  private var namespaces: [FileStatus?] = []
  private var slots: [UInt64: Int] = [:]
  private var commands: [Int32: String] = [:]

  init(ports: ClosedRange<UInt16>?, namespace: OwnNamespace) {
    self.ports = ports
    self.namespace = namespace
  }

  mutating func note(_ process: ToldProcess) {
    let file = namespace.cookie == nil ? process.status("ns/net") : nil
    commands[process.pid] = process.command
    for hit in process.descriptors {
      let slot = slots[hit.inode] ?? slots.count
      slots[hit.inode] = slot
      questions.append(SocketQuestion(pid: process.pid, descriptor: hit.number, inode: hit.inode, slot: slot))
      namespaces.append(file)
    }
  }

  /// Asks one descriptor of each socket, in the order of the walk.
  mutating func ask(_ files: ProcessFiles) -> SilentSource? {
    let (answers, silent) = Errand.ask(questions, slots: slots.count, .place, by: files)
    var seen = [Bool](repeating: false, count: slots.count)
    for (number, question) in questions.enumerated() where !seen[question.slot] {
      seen[question.slot] = true
      switch answers[question.slot] {
      case .told(let answer): look(at: answer, inode: question.inode, namespaces[number])
      case .refused(let error, _): isInDoubt = isInDoubt || !error.meansGone
      case .notAsked: isInDoubt = true
      }
    }
    return silent.map { .process(questions[$0].pid, command: commands[questions[$0].pid] ?? "") }
  }

  private mutating func look(at socket: SocketAnswer, inode: UInt64, _ holders: FileStatus?) {
    guard socket.isTCP, let name = socket.local, name.endpoint.port.rawValue != 0,
      ports?.contains(name.endpoint.port.rawValue) ?? true
    else { return }
    guard let isOurs = namespace.contains(socket, holders: holders) else {
      isInDoubt = true
      return
    }
    guard isOurs else { return }
    if let state = socket.boundState {
      found.append(SocketObservation(socket, name: name, state: state, inode: inode))
    } else {
      isInDoubt = true
    }
  }
}

extension SocketObservation {
  fileprivate init(_ answer: SocketAnswer, name: SocketName, state: SocketState, inode: UInt64) {
    self.init(
      transport: .tcp, family: name.family, local: name.endpoint, remote: answer.peer?.endpoint, state: state,
      reuseaddr: .known(answer.reuseaddr, .getsockopt),
      reuseport: answer.reuseport.map { .known($0, .getsockopt) } ?? .unknown(.oldKernel),
      v6only: answer.v6only.map { .known($0, .getsockopt) }, device: answer.device, uid: answer.uid, inode: inode,
      cookie: answer.cookie, ulp: answer.protocolNumber == ProtocolNumber.mptcp ? "mptcp" : nil)
  }
}

extension SocketAnswer {
  /// A socket in TCP's port space: TCP itself, or MPTCP, whose first subflow holds the port.
  fileprivate var isTCP: Bool {
    family != nil && transport == .tcp
      && (protocolNumber == ProtocolNumber.tcp || protocolNumber == ProtocolNumber.mptcp)
  }

  /// The state of a socket that has a port; nil where cannot be told whether the port is still its own.
  ///
  /// A socket that connected or listened before and is closed now keeps its number in getsockname(2), but is bound
  /// only if its port was chosen by bind(2) (SOCK_BINDPORT_LOCK, kernel function `tcp_set_state`). Traces of the
  /// earlier life are the path MTU and the peer's MSS of connect(2), and the receive MSS that `tcp_disconnect` sets.
  fileprivate var boundState: SocketState? {
    guard let info else { return nil }
    guard info.state == .close else { return info.state }
    return info.pathMTU == 0 && info.advertisedMSS == 0 && info.receivedMSS == 0 ? .close : nil
  }
}
