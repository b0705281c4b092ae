internal import Explanation
internal import Answers
internal import SocketModel

/// Every port in use, a line each: what state, on which addresses, shared how, by whom.
struct OverviewTable {
  var report: Report
  var style: ScreenStyle

  private static let addressesShown = 2

  func lines() -> [String] {
    if report.targets.isEmpty { return [TableWords.nothingInUse] }
    let clients = report.targets.filter(isClientPort)
    let folds = clients.count > OverviewDetail.clientPortsShown && !style.verbose
    var table = TextTable(header: ["PORT", "STATE", "ADDRESSES", "SHARING", "OWNER"], rows: [], indent: 0)
    for target in report.targets where !(folds && isClientPort(target)) { table.rows.append(row(target)) }
    if folds { table.rows += folded(clients) }
    var lines = table.lines(width: style.width)
    lines[0] = style.paint(lines[0], .dim)
    return lines + hiddenOwners()
  }

  /// A port of the ephemeral range on which nobody listens and nothing waits: connections that somebody opened.
  private func isClientPort(_ target: TargetReport) -> Bool {
    target.sockets.allSatisfy { report.host.mayBeClientPort($0) && !$0.holdsPort }
  }

  // MARK: A line

  private func row(_ target: TargetReport) -> TextTable.Row {
    .init([
      "\(target.port)/\(target.transport.rawValue)", states(target), addresses(main(target.sockets)),
      sharingText(main(target.sockets)), owner(target.sockets),
    ])
  }

  /// Listening and bound sockets where there are some, else all.
  private func main(_ sockets: [SocketObservation]) -> [SocketObservation] {
    let holding = sockets.filter(\.holdsPort)
    return holding.isEmpty ? sockets : holding
  }

  /// `LISTEN +12`: the first state, and how many sockets are in others.
  private func states(_ target: TargetReport) -> String {
    let sockets = target.sockets
    guard let first = main(sockets).first(where: { $0.state == .listen }) ?? main(sockets).first else { return "" }
    let others = sockets.count { $0.state != first.state } + target.unlistedConnections
    return stateName(first) + (others > 0 ? " +\(others)" : "")
  }

  private func addresses(_ sockets: [SocketObservation]) -> String {
    var texts: [String] = []
    for socket in sockets {
      let device = socket.device.map { "%" + TerminalText.escaped(deviceName($0, host: report.host)) } ?? ""
      let text = addressText(socket.local.address) + device
      if !texts.contains(text) { texts.append(text) }
    }
    let rest = texts.count - Self.addressesShown
    if style.verbose || rest <= 0 { return texts.joined(separator: " ") }
    return texts.prefix(Self.addressesShown).joined(separator: " ") + " +\(rest)"
  }

  /// The owners of the main sockets, each once.
  private func owner(_ sockets: [SocketObservation]) -> String {
    let owners = style.owners(sockets)
    var texts: [String] = []
    var keys: Set<String> = []
    for socket in main(sockets) where keys.insert(owners.foldingKey(socket)).inserted {
      texts.append(owners(socket))
    }
    let rest = texts.count - 2
    return texts.prefix(2).joined(separator: "; ") + (rest > 0 ? "; … and \(rest) more" : "")
  }

  // MARK: Folded

  private func folded(_ clients: [TargetReport]) -> [TextTable.Row] {
    var groups: [(state: String, owner: String, ports: [UInt16])] = []
    for target in clients {
      guard let socket = target.sockets.first else { continue }
      let state = stateName(socket)
      let owner = socket.owner == .none ? "none" : style.owners(target.sockets)(socket)
      if let index = groups.firstIndex(where: { $0.state == state && $0.owner == owner }) {
        groups[index].ports.append(target.port.rawValue)
      } else {
        groups.append((state, owner, [target.port.rawValue]))
      }
    }
    return groups.map { group in
      let span = group.ports.count == 1 ? "\(group.ports[0])/tcp" : counted(group.ports.count, "port") + "/tcp"
      return .init([span, group.state, TableWords.outgoing, "", group.owner])
    }
  }

  private func hiddenOwners() -> [String] {
    let hidden = report.targets.filter { $0.sockets.contains { $0.owner == .hidden } }.count
    guard hidden > 0, report.visibility.reasons.contains(.notRoot) else { return [] }
    return ["", TableWords.hiddenOwners(hidden)]
  }
}
