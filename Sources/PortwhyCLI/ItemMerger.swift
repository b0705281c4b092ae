internal import PortwhyKit
internal import SocketModel

/// Brings items together so that no two share a port of one transport: a port both name gets the addresses of
/// both, each once.
struct ItemMerger {
  private(set) var items: [QuestionItem] = []

  /// Adds an item; what it shares with earlier ones goes into them, the rest stands at the end.
  mutating func add(_ item: QuestionItem) {
    var remaining = [item.ports]
    var result: [QuestionItem] = []
    for present in items {
      guard present.transport == item.transport, present.ports.overlaps(item.ports) else {
        result.append(present)
        continue
      }
      let shared = present.ports.clamped(to: item.ports)
      let additional = item.addresses.filter { !present.addresses.contains($0) }
      remaining = remaining.flatMap { Self.difference($0, shared) }
      if additional.isEmpty {
        result.append(present)
        continue
      }
      let pieces = Self.difference(present.ports, shared) + [shared]
      for ports in pieces.sorted(by: { $0.lowerBound < $1.lowerBound }) {
        let addresses = present.addresses + (ports == shared ? additional : [])
        result.append(QuestionItem(addresses: addresses, ports: ports, transport: item.transport))
      }
    }
    for ports in remaining {
      result.append(QuestionItem(addresses: item.addresses, ports: ports, transport: item.transport))
    }
    items = result
  }

  /// What of `range` is outside `hole`, which lies within it or beside it.
  private static func difference(_ range: ClosedRange<UInt16>, _ hole: ClosedRange<UInt16>) -> [ClosedRange<UInt16>] {
    guard range.overlaps(hole) else { return [range] }
    var pieces: [ClosedRange<UInt16>] = []
    if range.lowerBound < hole.lowerBound { pieces.append(range.lowerBound...(hole.lowerBound - 1)) }
    if hole.upperBound < range.upperBound { pieces.append((hole.upperBound + 1)...range.upperBound) }
    return pieces
  }
}
