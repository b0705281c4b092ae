@testable import SocketModel

@testable import Evidence

/// A byte for the kind of text, then the text.
func fuzzControlGroups(_ input: inout FuzzInput) {
  switch input.choice(of: 4) {
  case 0: fuzzGroup(input.text())
  case 1: fuzzMounts(input.text())
  case 2: fuzzUnit(input.text())
  default: fuzzUnifiedGroup(input.text())
  }
}

private func fuzzGroup(_ text: String) {
  let group = ControlGroup(parsing: text)
  for name in [group.unit, group.container].compactMap({ $0 }) {
    require(!name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 10 }, "a name is one component of a path")
    require(text.utf8.contains(name.utf8), "a name stands in the text")
  }
  if let unit = group.unit { require(unit.contains("."), "a unit has a type") }
  require(group.engine == nil || group.container != nil, "an engine runs a container")
  if let path = group.unifiedPath {
    require(path.hasPrefix("/") && text.utf8.contains(path.utf8), "a path of the text")
  }
}

private func fuzzMounts(_ text: String) {
  guard let point = cgroup2MountPoint(mountinfo: text) else { return }
  require(text.utf8.contains("cgroup2".utf8), "it is a mount of cgroup2")
  require(point.utf8.count <= text.utf8.count * 3, "it is not longer than the text")
}

private func fuzzUnit(_ text: String) {
  var unit = SocketUnit(name: "web.socket")
  unit.read(text)
  let addresses = unit.streams.count + unit.datagrams.count
  require(addresses <= text.utf8.count { $0 == UInt8(ascii: "=") }, "an address has an assignment")
  for address in unit.streams + unit.datagrams {
    let family = address.address?.family ?? .ipv4
    let local = Endpoint(
      address: address.address ?? (family == .ipv4 ? .v4(.any) : .v6(.any)), port: address.port)
    require(address.covers(local), "an address covers itself")
  }
  require(!unit.activates.isEmpty, "a socket unit starts something")
}

private func fuzzUnifiedGroup(_ text: String) {
  guard let path = ControlGroup(parsing: text).reachablePath else { return }
  require(path.utf8.first == UInt8(ascii: "/") && !path.utf8.contains(10), "a path of one line from the root")
  require(!path.utf8.split(separator: 47).contains { Array($0) == [46, 46] }, "a path that stays below its root")
}

extension Sequence where Element == UInt8 {
  /// Whether the other bytes stand in it, one after the other.
  func contains(_ other: some Sequence<UInt8>) -> Bool {
    let (whole, part) = (Array(self), Array(other))
    guard !part.isEmpty else { return true }
    guard whole.count >= part.count else { return false }
    return (0...whole.count - part.count).contains { whole[$0..<$0 + part.count].elementsEqual(part) }
  }
}
