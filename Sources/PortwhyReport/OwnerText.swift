internal import Explanation
internal import SocketModel

/// Who stands behind a socket, as the OWNER column says it.
struct OwnerText {
  var sockets: [SocketObservation]
  var style: ScreenStyle
  /// Indices into `sockets`.
  private var listeners: [Int]

  init(sockets: [SocketObservation], style: ScreenStyle) {
    self.sockets = sockets
    self.style = style
    listeners = sockets.indices.filter { sockets[$0].state == .listen }
  }

  func text(_ socket: SocketObservation) -> String {
    switch socket.owner {
    case .process where !socket.processes.isEmpty:
      processes(socket.processes) + (socket.activation.map { " for " + TerminalText.escaped($0.unit) } ?? "")
    case .kernel: "kernel" + (socket.kernelOwner.map { ", " + TerminalText.escaped($0.text) } ?? "")
    case .none: nobody(socket)
    case .hidden, .process: (socket.uid.map { style.user($0) + ", " } ?? "process ") + "hidden"
    }
  }

  /// What makes rows alike: the owner without pids and times.
  func foldingKey(_ socket: SocketObservation) -> String {
    switch socket.owner {
    case .process where !socket.processes.isEmpty:
      socket.processes.map { "\($0.command) \($0.unit ?? "") \($0.container ?? "")" }.sorted().first ?? ""
    case .none: "none" + (socket.isQueuedChild ? listener(of: socket) : "")
    default: text(socket)
    }
  }

  // MARK: Processes

  /// `nginx(812, 813, … 40 processes) in nginx.service, curl(77)`: one entry for each command and place.
  private func processes(_ records: [ProcessRecord]) -> String {
    var groups: [(name: String, place: String, pids: [Int32])] = []
    for record in records {
      let (name, place) = (TerminalText.escaped(record.command), place(record))
      if let index = groups.firstIndex(where: { $0.name == name && $0.place == place }) {
        groups[index].pids.append(record.pid)
      } else {
        groups.append((name, place, [record.pid]))
      }
    }
    let shown = style.verbose ? groups[...] : groups.prefix(3)
    let rest = groups.count - shown.count
    return shown.map { "\($0.name)(\(pids($0.pids)))\($0.place)" }.joined(separator: ", ")
      + (rest > 0 ? ", … and \(rest) more" : "")
  }

  private func pids(_ pids: [Int32]) -> String {
    let all = pids.map(String.init)
    if all.count <= 3 || style.verbose { return all.joined(separator: ", ") }
    return all.prefix(2).joined(separator: ", ") + ", … \(all.count) processes"
  }

  private func place(_ record: ProcessRecord) -> String {
    if let container = record.container {
      return " in container " + TerminalText.escaped(String(container.prefix(style.verbose ? 64 : 12)))
    }
    if let target = record.forwardsTo { return " to \(target.address) port \(target.port)" }
    return record.unit.map { " in " + TerminalText.escaped($0) } ?? ""
  }

  // MARK: Nobody

  private func nobody(_ socket: SocketObservation) -> String {
    if let timer = socket.timer, timer.kind == .timeWait {
      let left = "\((timer.expires / 1000) + (timer.expires % 1000 == 0 ? 0 : 1)) s"
      return socket.state == .timeWait ? "none, \(left) left" : "none, given up in \(left)"
    }
    if socket.isQueuedChild { return "none, in the accept queue" + listener(of: socket) }
    switch socket.state {
    case _ where socket.isRequest: return "none, a connection request"
    case .finWait1, .finWait2, .lastAck, .closing: return "none, closed by its process"
    default: return "none"
    }
  }

  /// ` of nginx(812)`: the listener the flags were guessed from, else the only one that fits.
  private func listener(of socket: SocketObservation) -> String {
    var index: Int?
    if case .inferred(_, let from, _) = socket.reuseaddr { index = from }
    if index == nil {
      let fitting = listeners.filter {
        sockets[$0].local.port == socket.local.port
          && (sockets[$0].local.address == socket.local.address || sockets[$0].local.address.isUnspecified)
      }
      if fitting.count == 1 { index = fitting.first }
    }
    guard let index, sockets.indices.contains(index), let first = sockets[index].processes.first else { return "" }
    return " of \(TerminalText.escaped(first.command))(\(first.pid))"
  }
}
