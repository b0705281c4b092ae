import SocketModel

// The same rules a second time, told as a machine: a list of sockets with the newest in front, every fact of them known, and
// a bind that walks it. It shares no code with BindRules, knows no unknowns and searches nothing: those are asked by trying
// every filling of the gaps in every order of the binds.

/// A socket of the machine; addresses are texts, so nothing but equality can be asked of them.
struct ModelSocket: Hashable {
  var udp = false
  /// The address as AF_INET sees it; nil where it is none of AF_INET.
  var four: String?
  /// The address as AF_INET6 sees it; nil where it is none of AF_INET6. A dual socket has both.
  var six: String?
  /// Made as AF_INET6.
  var made6 = false
  var peer = false
  var addr = false
  var port = false
  var balance = false
  var user: UInt32 = 1001
}

enum ModelSystem: CaseIterable {
  case thirteen, fourteen, newer, darwin
}

struct ModelMachine {
  var system: ModelSystem
  /// The newest first.
  var list: [ModelSocket]

  /// The text of the answer: "ok" or "EADDRINUSE". Address and port have been looked at.
  func bind(_ new: ModelSocket) -> String {
    let group = isGroup(new.four ?? "") || isGroup(new.six ?? "")
    if !group && new.user != 0 {
      if let six = new.six {
        if let other = nearest(six: six), stranger(other, new, both: six == "::" && other.six == "::", second: false)
        {
          return "EADDRINUSE"
        }
        if let four = new.four, let other = nearest(four: four),
          stranger(other, new, both: four == "0.0.0.0" && other.four == "0.0.0.0", second: true)
        {
          return "EADDRINUSE"
        }
      } else if let four = new.four, let other = nearest(four: four),
        stranger(other, new, both: four == "0.0.0.0" && other.four == "0.0.0.0", second: false)
      {
        return "EADDRINUSE"
      }
    }
    let chooses = new.addr || new.port || new.balance
    if let six = new.six {
      if let other = chooses ? twin(six: six) : nearest(six: six), !common(new, other, group) { return "EADDRINUSE" }
      if let four = new.four, let other = chooses ? twin(four: four) : nearest(four: four),
        !common(new, other, group),
        other.four != "0.0.0.0" || other.made6
      {
        return "EADDRINUSE"
      }
    } else if let four = new.four, let other = chooses ? twin(four: four) : nearest(four: four),
      !common(new, other, group)
    {
      let bothWild = four == "0.0.0.0" && other.four == "0.0.0.0"
      if !(bothWild && new.made6 && other.made6) { return "EADDRINUSE" }
    }
    return "ok"
  }

  private func isGroup(_ address: String) -> Bool { address.hasPrefix("239.") || address.hasPrefix("ff") }

  private func stranger(_ old: ModelSocket, _ new: ModelSocket, both: Bool, second: Bool) -> Bool {
    if old.user == new.user { return false }
    switch system {
    case .darwin:
      if second { return !old.port && (old.four != "0.0.0.0" || old.made6) }
      if new.six != nil { return !(both && old.port) }
      return !both
    case .newer:
      return new.udp || !old.peer
    case .thirteen, .fourteen:
      if !new.udp && old.peer { return false }
      return second || !both || !old.balance || old.port
    }
  }

  private func common(_ new: ModelSocket, _ old: ModelSocket, _ group: Bool) -> Bool {
    if new.port && old.port { return true }
    if new.balance && old.balance { return true }
    guard group else { return false }
    if system == .darwin { return new.addr && (old.addr || old.port) }
    if (new.addr || new.port) && (old.addr || old.port) { return true }
    return (new.addr || new.balance) && (old.addr || old.balance)
  }

  private func twin(four: String) -> ModelSocket? { list.first { !$0.peer && $0.four == four } }
  private func twin(six: String) -> ModelSocket? { list.first { !$0.peer && $0.six == six } }

  private func nearest(four: String) -> ModelSocket? {
    cheapest { old in
      guard let address = old.four, address == four || address == "0.0.0.0" || four == "0.0.0.0" else { return nil }
      let mapped = old.six != nil && system != .darwin ? 3 : 0
      return (old.peer ? 1 : 0) + (address == four ? 0 : 1) + mapped
    }
  }

  private func nearest(six: String) -> ModelSocket? {
    cheapest { old in
      guard let address = old.six, address == six || address == "::" || six == "::" else { return nil }
      return (old.peer ? 1 : 0) + (address == six ? 0 : 1)
    }
  }

  private func cheapest(_ price: (ModelSocket) -> Int?) -> ModelSocket? {
    var best: (socket: ModelSocket, price: Int)?
    for socket in list {
      if let price = price(socket), best.map({ price < $0.price }) ?? true { best = (socket, price) }
    }
    return best?.socket
  }
}

/// A socket with gaps: each is a list of what it may be.
struct ModelGaps {
  var fillings: [ModelSocket]

  /// Every list of one filling for each.
  static func all(_ sockets: [ModelGaps]) -> [[ModelSocket]] {
    sockets.reduce([[]]) { lists, gaps in lists.flatMap { list in gaps.fillings.map { list + [$0] } } }
  }

  /// Every order of the indices in which no pair stands the other way round.
  static func orders(_ count: Int, fixed: [(newer: Int, older: Int)]) -> [[Int]] {
    func extend(_ done: [Int]) -> [[Int]] {
      if done.count == count { return [done] }
      return (0..<count).filter { index in
        !done.contains(index) && fixed.allSatisfy { $0.older != index || done.contains($0.newer) }
      }.flatMap { extend(done + [$0]) }
    }
    return extend([])
  }
}
