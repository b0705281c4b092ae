/// What may be true, each way written out.
package struct ModelWorlds: Sendable {
  /// For each socket, all that it may be: one where everything is known.
  package var sockets: [[ModelSocket]]
  /// Pairs of sockets whose order is known.
  package var newerThan: [(newer: Int, older: Int)]
  /// All that the interfaces may have.
  package var hosts: [ModelHost]

  package init(sockets: [[ModelSocket]], newerThan: [(newer: Int, older: Int)] = [], hosts: [ModelHost]) {
    self.sockets = sockets
    self.newerThan = newerThan
    self.hosts = hosts
  }

  /// How many worlds there are at most.
  package var count: Int {
    let orders = sockets.isEmpty ? 1 : (1...sockets.count).reduce(1, *)
    return sockets.reduce(hosts.count * orders) { $0 * $1.count }
  }

  /// Every answer that some world gives.
  package func answers(_ program: ModelProgram, _ kernel: ModelKernel) -> Set<String> {
    var answers: Set<String> = []
    let orders = Self.orders(sockets.count).filter { order in
      newerThan.allSatisfy { pair in
        guard let newer = order.firstIndex(of: pair.newer), let older = order.firstIndex(of: pair.older) else {
          return false
        }
        return newer < older
      }
    }
    for host in hosts {
      for choice in Self.choices(sockets) {
        for order in orders {
          answers.insert(ModelMachine(kernel, host, order.map { choice[$0] }).answer(program).0)
        }
      }
    }
    return answers
  }

  /// All orders of `count` sockets, the newest first.
  package static func orders(_ count: Int) -> [[Int]] {
    var orders: [[Int]] = [[]]
    for index in 0..<count {
      orders = orders.flatMap { order in
        (0...order.count).map { place in
          var longer = order
          longer.insert(index, at: place)
          return longer
        }
      }
    }
    return orders
  }

  /// One of each, in every way.
  private static func choices(_ sockets: [[ModelSocket]]) -> [[ModelSocket]] {
    sockets.reduce([[]]) { chosen, fillings in
      chosen.flatMap { start in fillings.map { start + [$0] } }
    }
  }
}
