internal import Answers
internal import BindRules
internal import Explanation
internal import SocketModel

/// The sockets of a port: what is in the way first, alike ones folded together.
struct SocketTable {
  var target: TargetReport
  var host: HostFacts
  var style: ScreenStyle
  /// 0 for a socket that is in the way of the planned bind, 1 of another combination of options.
  private var ranks: [Int: Int]

  init(target: TargetReport, host: HostFacts, style: ScreenStyle) {
    self.target = target
    self.host = host
    self.style = style
    ranks = [:]
    for outcome in target.attempts.flatMap(\.outcomes) {
      let rank = outcome.options == target.plan.options ? 0 : 1
      for blocker in outcome.blockers { ranks[blocker.socket] = min(rank, ranks[blocker.socket] ?? 2) }
    }
  }

  /// As many of a kind as are shown before the rest is counted, and as many rows in all.
  private static let alikeShown = 3
  private static let rowsShown = 12

  func lines() -> [String] {
    if target.sockets.isEmpty { return [] }
    let groups = shownGroups()
    let layouts = Layout.allCases.map { layout in
      var table = filled(groups, columns(layout))
      if layout == .narrow { table.gap = 1 }
      return table
    }
    let table =
      layouts.first { $0.fits(width: style.width) } ?? layouts.first { $0.fits(width: style.width, wrapped: 24) }
      ?? layouts[layouts.count - 1]
    var lines = table.lines(width: style.width)
    lines[0] = style.paint(lines[0], .dim)
    return lines + flagLegend()
  }

  private func filled(_ groups: [Group], _ columns: [Column]) -> TextTable {
    var table = TextTable(header: columns.map(\.title), rows: [])
    for group in groups {
      for index in group.shown { table.rows.append(.init(columns.map { $0.cell(target.sockets[index]) })) }
      if group.hidden > 0 {
        table.rows.append(.init(remark: group.remark))
      }
    }
    return table
  }

  // MARK: Columns

  /// How much stands in columns of its own; the rest goes into the last one, which may be wrapped.
  private enum Layout: CaseIterable {
    case full
    /// The same with one blank between columns.
    case narrow
    case peerWithOwner
    case endpointsWithOwner
  }

  private struct Column {
    var title: String
    var cell: (SocketObservation) -> String
  }

  private func columns(_ layout: Layout) -> [Column] {
    let owners = style.owners(target.sockets)
    let hasPeers = target.sockets.contains { $0.remote != nil }
    var columns = [Column(title: "STATE") { stateName($0) + ($0.ulp.map { " " + TerminalText.escaped($0) } ?? "") }]
    switch layout {
    case .full, .narrow, .peerWithOwner: columns.append(Column(title: "LOCAL", cell: local))
    case .endpointsWithOwner: break
    }
    let peerStandsAlone = layout == .full || layout == .narrow
    if peerStandsAlone && hasPeers { columns.append(Column(title: "PEER") { peer($0) ?? "-" }) }
    if target.sockets.contains(where: { $0.device != nil }) {
      columns.append(
        Column(title: "DEVICE") { $0.device.map { TerminalText.escaped(deviceName($0, host: host)) } ?? "-" })
    }
    if showsV6only { columns.append(Column(title: "V6ONLY") { $0.v6only.map(flagText) ?? "-" }) }
    columns.append(Column(title: "REUSEADDR") { flagText($0.reuseaddr) })
    columns.append(Column(title: "REUSEPORT") { flagText($0.reuseport) })
    let owner = Column(title: layout == .endpointsWithOwner ? "LOCAL, PEER, OWNER" : "OWNER") { socket in
      let owner = owners(socket)
      let peer = peerStandsAlone ? nil : peer(socket).map { "peer " + $0 }
      let parts = layout == .endpointsWithOwner ? [local(socket), peer, owner] : [owner, peer]
      return parts.compactMap(\.self).joined(separator: ", ")
    }
    return columns + [owner]
  }

  /// IPV6_V6ONLY matters where it decides about IPv4: on the wildcard.
  private var showsV6only: Bool {
    target.sockets.contains { $0.family == .ipv6 && $0.local.address.isUnspecified }
  }

  private func local(_ socket: SocketObservation) -> String {
    endpointText(socket.local, device: socket.device, host: host)
  }

  private func peer(_ socket: SocketObservation) -> String? {
    socket.remote.map { endpointText($0, device: socket.device, host: host) }
  }

  // MARK: Order and folding

  private struct Group {
    var shown: [Int]
    var hidden = 0
    /// Says what is hidden.
    var remark = ""
  }

  private func shownGroups() -> [Group] {
    var groups: [[Int]] = []
    var places: [FoldingKey: Int] = [:]
    let owners = style.owners(target.sockets)
    for index in ordered() {
      let foldingKey = FoldingKey(target.sockets[index], rank: rank(index), owner: owners)
      if let place = places[foldingKey] {
        groups[place].append(index)
      } else {
        places[foldingKey] = groups.count
        groups.append([index])
      }
    }
    if style.verbose { return groups.map { Group(shown: $0) } }
    return folded(groups)
  }

  private func folded(_ groups: [[Int]]) -> [Group] {
    var result: [Group] = []
    var rows = 0
    var rest = 0
    for indices in groups {
      if rows >= Self.rowsShown {
        rest += indices.count
        continue
      }
      // A remark takes a line too, so four of a kind are shown as four.
      let count = indices.count > Self.alikeShown + 1 ? Self.alikeShown : indices.count
      let hidden = indices.count - count
      let remark = TableWords.more(hidden, target.sockets[indices[0]].state)
      result.append(Group(shown: Array(indices.prefix(count)), hidden: hidden, remark: remark))
      rows += count + (indices.count > count ? 1 : 0)
    }
    if rest > 0 {
      result.append(Group(shown: [], hidden: rest, remark: TableWords.moreSockets(rest)))
    }
    return result
  }

  /// What is in the way of the planned bind, then of any, then listeners, then the rest; TIME_WAIT that lasts
  /// longest first.
  private func ordered() -> [Int] {
    let keys = target.sockets.indices.map(orderKey)
    return target.sockets.indices.sorted { keys[$0] < keys[$1] }
  }

  private struct OrderKey: Comparable {
    var rank: Int
    var state: UInt8
    var left: UInt32
    var index: Int

    static func < (left: OrderKey, right: OrderKey) -> Bool {
      (left.rank, left.state, right.left, left.index) < (right.rank, right.state, left.left, right.index)
    }
  }

  private func orderKey(_ index: Int) -> OrderKey {
    let socket = target.sockets[index]
    let left = socket.timer.map { $0.kind == .timeWait ? $0.expires : 0 } ?? 0
    return OrderKey(
      rank: rank(index), state: socket.state == .listen ? 0 : socket.state.rawValue, left: left, index: index)
  }

  private func rank(_ index: Int) -> Int { ranks[index] ?? 2 }

  private struct FoldingKey: Hashable {
    var state: SocketState
    var family: AddressFamily
    var flags: [String]
    var rank: Int
    var owner: String

    init(_ socket: SocketObservation, rank: Int, owner: ScreenStyle.Owners) {
      state = socket.state
      family = socket.family
      flags = [flagText(socket.reuseaddr), flagText(socket.reuseport), socket.v6only.map(flagText) ?? "-"]
      self.rank = rank
      self.owner = owner.foldingKey(socket)
    }
  }

  // MARK: What ? means

  private func flagLegend() -> [String] {
    let showsV6only = showsV6only
    let flags = target.sockets.flatMap { socket in
      [socket.reuseaddr, socket.reuseport] + (showsV6only ? socket.v6only.map { [$0] } ?? [] : [])
    }
    return Explanation.flagLegend(flags).flatMap {
      TerminalText.wrapped(TerminalText.words($0), columns: style.width - 4).enumerated().map {
        ($0.offset == 0 ? "  " : "    ") + $0.element
      }
    }
  }
}

// The stable words of the report.

func verdictWord(_ result: CallResult) -> String {
  switch result {
  case .ok: "ok"
  case .fails: "fails"
  case .undetermined: "undetermined"
  }
}

func errnoName(_ result: CallResult) -> String? {
  if case .fails(let errno) = result { errno.description } else { nil }
}

/// `kind`, or `kind:socket` for a fact of one socket.
func missingWord(_ fact: MissingFact) -> String {
  fact.kind.rawValue + (fact.socket.map { ":\($0)" } ?? "")
}

/// What listen(2) answers; nil for UDP and where bind(2) fails, undetermined where bind(2) is.
func listenResult(_ outcome: BindOutcome, transport: TransportProtocol) -> CallResult? {
  transport == .tcp ? outcome.listen : nil
}

/// An unconnected UDP socket is in TCP_CLOSE, which the state already calls `BOUND`.
func stateName(_ socket: SocketObservation) -> String { socket.state.description }

/// The interface's name; its number as text where the host's interfaces do not tell.
func deviceName(_ index: InterfaceIndex, host: HostFacts) -> String {
  host.interface(index)?.name ?? String(index.rawValue)
}

func deviceName(_ device: BindDevice) -> String {
  switch device {
  case .interface(_, let name), .missing(let name): name
  }
}

func deviceIndex(_ device: BindDevice) -> InterfaceIndex? {
  if case .interface(let index, _) = device { index } else { nil }
}

/// The socket a flag was guessed from; nil where it was not guessed.
func relative(_ knowledge: Knowledge<Bool>) -> Int? {
  if case .inferred(_, let index, _) = knowledge { index } else { nil }
}

func sourceName(_ knowledge: Knowledge<Bool>) -> String? {
  switch knowledge {
  case .known(_, let source): source.rawValue
  case .inferred: "inferred"
  case .unknown: nil
  }
}

func hexadecimal(_ number: UInt64) -> String {
  let digits = String(number, radix: 16)
  return String(repeating: "0", count: 16 - digits.utf8.count) + digits
}

/// `127.0.0.1`, `[::1]`, `[fe80::1%eth0]`.
func addressText(_ address: IPAddress, zone: String? = nil) -> String {
  switch address {
  case .v4(let address): address.description
  case .v6(let address): "[\(address)" + (zone.map { "%" + TerminalText.escaped($0) } ?? "") + "]"
  }
}

/// `127.0.0.1:80`, `[::1]:80`; link-local addresses with their interface.
func endpointText(_ endpoint: Endpoint, device: InterfaceIndex?, host: HostFacts) -> String {
  var zone: String?
  if case .v6(let address) = endpoint.address, address.isLinkLocal {
    zone = device.map { deviceName($0, host: host) }
  }
  return addressText(endpoint.address, zone: zone) + ":\(endpoint.port)"
}

/// What the attempt binds; the wildcard of IPv6 says when it leaves IPv4 alone.
func addressText(_ attempt: BindAttempt, host: HostFacts) -> String {
  let address = addressText(attempt.address, zone: attempt.zone(host))
  return attempt.v6only && attempt.address.isUnspecified ? address + " (v6only)" : address
}

extension BindAttempt {
  /// The interface of its scope by name; nil for no scope.
  func zone(_ host: HostFacts) -> String? { missingZone ?? scope.map { deviceName($0, host: host) } }
}
