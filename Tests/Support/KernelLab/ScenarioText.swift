import BindRules
import SocketModel

// One line says all there is to a scenario. Defaults are left out: options none, uid 0, no device.

extension HolderKind: CustomStringConvertible {
  package var description: String {
    switch self {
    case .bound: "bound"
    case .listening: "listening"
    case .shutDownListener: "shut-down-listener"
    case .queuedChild: "queued-child"
    case .requestInProgress: "request-in-progress"
    case .child(let state, let listenerStays): "child(\(state.rawValue)\(listenerStays ? "" : ",no-listener"))"
    case .client(let state): "client(\(state.rawValue))"
    case .synSent: "syn-sent"
    case .disconnected: "disconnected"
    case .refused: "refused"
    case .selfConnected: "self-connected"
    case .connected: "connected"
    case .crowd(let count): "crowd(\(count))"
    case .spread(let count): "spread(\(count))"
    case .neighbours(let count): "neighbours(\(count))"
    case .visitor: "visitor"
    }
  }
}

extension Change: CustomStringConvertible {
  package var description: String {
    let action =
      switch action {
      case .reuseaddr(let on): "RA=\(on ? 1 : 0)"
      case .reuseport(let on): "RP=\(on ? 1 : 0)"
      case .owner(let uid): "owner=\(uid)"
      case .device(let device): "device=\(device?.rawValue ?? "none")"
      case .repair(let on): "repair=\(on ? 1 : 0)"
      case .l3mdevAccept(let on): "l3mdev-accept=\(on ? 1 : 0)"
      }
    return "\(moment.rawValue):\(action)"
  }
}

extension Holder: CustomStringConvertible {
  package var description: String {
    var words = [transport.rawValue, kind.description, address.description + (scope.map { "%\($0.rawValue)" } ?? "")]
    if port != .explicit { words.append("port=\(port.rawValue)") }
    words += optionWords(options, v6only: v6only, device: device, uid: uid)
    if acceptUID != 0 { words.append("accept-uid=\(acceptUID)") }
    if let owner { words.append("owner=\(owner)") }
    if let peer { words.append("peer=\(peer)") }
    words += changes.map(\.description)
    return words.joined(separator: " ")
  }
}

extension Attempt: CustomStringConvertible {
  package var description: String {
    var words = [transport.rawValue, address.description + (scope.map { "%\($0.rawValue)" } ?? "")]
    words += optionWords([], v6only: v6only, device: device, uid: uid)
    if !mayBindPrivileged { words.append("unprivileged") }
    return words.joined(separator: " ")
  }
}

extension LaterChange: CustomStringConvertible {
  package var description: String {
    switch self {
    case .setting(let setting, let value): "\(setting.rawValue)=\(value)"
    case .released: "dev2-released"
    }
  }
}

extension Scenario: CustomStringConvertible {
  package var description: String {
    let holders = holders.map { "{\($0)}" }.joined(separator: " ")
    let settings = settings.sorted { $0.key < $1.key }.map { " \($0.key.rawValue)=\($0.value)" }.joined()
    let later = later.map { " later:\($0)" }.joined()
    return "\(holders) => \(attempt)\(port == .ordinary ? "" : " port=\(port.rawValue)")\(settings)\(later)"
      + (place == .open ? "" : " place=\(place)")
  }
}

private func optionWords(
  _ options: ReuseOptions, v6only: Bool?, device: LabDevice?, uid: UInt32
) -> [String] {
  var words: [String] = []
  if options.contains(.reuseaddr) { words.append("RA") }
  if options.contains(.reuseport) { words.append("RP") }
  if let v6only { words.append("v6only=\(v6only ? 1 : 0)") }
  if let device { words.append("device=\(device.rawValue)") }
  if uid != 0 { words.append("uid=\(uid)") }
  return words
}
