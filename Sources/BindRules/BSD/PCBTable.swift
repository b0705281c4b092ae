import SocketModel

/// The bound sockets of one port and transport, in the order in which a BSD would find them as far as that is known.
struct PCBTable {
  /// What is known of the order of the binds.
  enum Order: Hashable {
    /// The kernel's own list, newest first.
    case kernelList
    /// The last bound socket stands first.
    case newestFirst
    /// The same within AF_INET and within AF_INET6, whose sockets came from two dumps.
    case newestFirstWithinFamily
    case unknown
  }

  struct Entry {
    var facts: PCBFacts
    /// Indices into `Snapshot.sockets`: more than one where the sockets do not differ and the order is unknown.
    var sockets: [Int]
    var worlds: [PCBFacts.World]
  }

  private(set) var entries: [Entry]
  let order: Order

  /// Linux' chain of UDP sockets has the last bound one first, and so has its dump; TCP's dump tells no order.
  static func order(_ snapshot: Snapshot, _ transport: TransportProtocol) -> Order {
    transport == .tcp ? .unknown : snapshot.isChainOrdered ? .newestFirst : .newestFirstWithinFamily
  }

  init(_ snapshot: Snapshot, _ transport: TransportProtocol, sharing: BSDSharing, plannedUID: UInt32) {
    let facts = snapshot.sockets.enumerated().compactMap { index, socket in
      socket.transport == transport ? PCBFacts(socket, sharing: sharing).map { (index, $0) } : nil
    }
    self.init(facts, order: Self.order(snapshot, transport), plannedUID: plannedUID)
  }

  init(_ sockets: [(index: Int, facts: PCBFacts)], order: Order, plannedUID: UInt32) {
    self.order = order
    entries = []
    guard order == .unknown else {
      entries = sockets.map { index, facts in
        Entry(facts: facts, sockets: [index], worlds: facts.worlds(plannedUID: plannedUID))
      }
      return
    }
    var positions: [PCBFacts: Int] = [:]
    for (index, facts) in sockets {
      if let position = positions[facts] {
        entries[position].sockets.append(index)
      } else {
        positions[facts] = entries.count
        entries.append(Entry(facts: facts, sockets: [index], worlds: facts.worlds(plannedUID: plannedUID)))
      }
    }
  }

  /// The sockets among which the order of binds is known; nil where it is not.
  func sequence(of entry: Entry) -> Sequence? {
    switch order {
    case .unknown: nil
    case .kernelList, .newestFirst: .all
    case .newestFirstWithinFamily: entry.facts.family == .ipv4 ? .ipv4 : .ipv6
    }
  }

  /// Whether the socket stands where it was bound. One that connects is put back, so it is newer than its bind, by how much
  /// nothing tells.
  func isInPlace(_ entry: Entry) -> Bool { order == .kernelList || !entry.facts.isConnected }

  enum Sequence: Hashable, CaseIterable {
    case all
    case ipv4
    case ipv6
  }
}
