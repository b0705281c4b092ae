import BindRules
import SocketModel

// UDP holders of many sockets.

/// The slots of the namespace's own UDP table (`udp_child_hash_entries`), the fewest the kernel allows
/// (`UDP_HTABLE_SIZE_MIN_PERNET`).
let udpTableSlots: UInt16 = 128

extension HolderBuilder {
  mutating func buildCrowd(_ count: Int) throws(CallFailure) {
    var recipe = SocketRecipe(holder)
    for number in 1...max(1, min(count, 250)) {
      let address = IPv4Address(127, 1, 0, UInt8(truncatingIfNeeded: number))
      recipe.address = holder.address.family == .ipv4 ? .v4(address) : .v6(IPv6Address(mapping: address))
      let descriptor = try recipe.open()
      if number == 1 { sockets.main = descriptor } else { sockets.crowd.append(descriptor) }
      try step(.bind) { () throws(SystemError) in
        try SystemCalls.bind(descriptor, SocketAddress(recipe.address, port: port))
      }
      try change(.afterBind, descriptor)
    }
  }

  mutating func buildSpread(_ count: Int) throws(CallFailure) {
    var recipe = SocketRecipe(holder)
    recipe.device = nil
    for number in 1...max(1, min(count, 250)) {
      let address = Self.spreadAddress(number)
      recipe.address = address
      recipe.v6only = nil
      recipe.options = number % 3 == 2 ? [] : holder.options
      let descriptor = try recipe.open()
      sockets.crowd.append(descriptor)
      do throws(SystemError) {
        try SystemCalls.bind(descriptor, SocketAddress(address, port: port))
      } catch {
        guard error == .addressInUse else { throw CallFailure(.bind, error) }
        sockets.crowd.removeLast()
        closeForGood(descriptor)
      }
    }
  }

  private static func spreadAddress(_ number: Int) -> IPAddress {
    switch number % 6 {
    case 1: .v4(.loopback)
    case 2: .v4(IPv4Address(127, 0, 0, 2))
    case 3: .v4(IPv4Address(127, 0, 0, 6))
    case 4: .v6(.loopback)
    case 5: .v6(IPv6Address(high: 0xfd77 << 48, low: 1))
    default: .v4(IPv4Address(127, 2, 0, UInt8(truncatingIfNeeded: number)))
    }
  }

  mutating func buildNeighbours(_ count: Int) throws(CallFailure) {
    var recipe = SocketRecipe(holder)
    recipe.address = .v4(IPv4Address(127, 3, 0, 1))
    recipe.device = nil
    var neighbour = 2048 + port % udpTableSlots
    for _ in 1...max(1, min(count, 100)) {
      neighbour += udpTableSlots
      if neighbour == port { continue }
      let descriptor = try recipe.open()
      sockets.crowd.append(descriptor)
      try step(.bind) { () throws(SystemError) in
        try SystemCalls.bind(descriptor, SocketAddress(recipe.address, port: neighbour))
      }
    }
  }
}
