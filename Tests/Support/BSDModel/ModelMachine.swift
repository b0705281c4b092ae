// FreeBSD's and Darwin's bind(2) stated a second time, in plain lists and addresses in text. Nothing of BindRules is behind
// it, so that a fault there is not repeated here.

/// The kernels whose rules differ.
package enum ModelKernel: CaseIterable, Sendable {
  /// FreeBSD 13.
  case thirteen
  /// FreeBSD 14.0 to 14.2.
  case fourteen
  /// FreeBSD 14.3 and later.
  case newer
  /// Darwin, as macOS has it.
  case darwin

  /// connect(2) with AF_UNSPEC takes a UDP socket out of all lists; the others leave it there, on one family's wildcard.
  package var losesDisconnected: Bool { self == .fourteen || self == .newer }
}

/// What a program asks of socket(2), setsockopt(2) and bind(2).
package struct ModelProgram: Sendable {
  /// `udp`, else TCP.
  package var udp = false
  /// `192.0.2.1`, `::1`: a colon makes it an AF_INET6 socket's.
  package var address = "0.0.0.0"
  /// `sin6_scope_id`; 0 for none.
  package var scope = 0
  /// Where the program sets IPV6_V6ONLY, to what.
  package var v6only: Bool?
  /// The port.
  package var port = 8080
  /// SO_REUSEADDR, SO_REUSEPORT, SO_REUSEPORT_LB: letters A, P, L.
  package var options: Set<Character> = []
  /// Of the process.
  package var uid = 1001

  package init() {}
}

/// A socket in the kernel's list.
package struct ModelSocket: Sendable {
  package var udp = false
  /// It was made as an AF_INET6 socket.
  package var made6 = false
  /// The IPv4 address it is reached at; nil where IPv4 does not reach it.
  package var four: String?
  /// The same for IPv6; link-local addresses end in `%` and the interface.
  package var six: String?
  /// It has a peer.
  package var connected = false
  package var options: Set<Character> = []
  package var uid = 1001

  package init() {}
}

/// What the interfaces have.
package struct ModelHost: Sendable {
  /// Addresses and broadcast addresses.
  package var four: Set<String> = []
  /// Link-local ones end in `%` and the interface.
  package var six: Set<String> = []
  /// Those of `six` that are tentative or duplicated.
  package var notReady: Set<String> = []
  /// The interface numbers.
  package var interfaces: Set<Int> = []

  package init() {}
}

/// One host with its sockets.
package struct ModelMachine: Sendable {
  package var kernel: ModelKernel
  package var host: ModelHost
  /// The newest first.
  package var sockets: [ModelSocket]

  package init(_ kernel: ModelKernel, _ host: ModelHost, _ sockets: [ModelSocket] = []) {
    self.kernel = kernel
    self.host = host
    self.sockets = sockets
  }

  /// `ok`, or the name of the errno; the socket is added where it is ok.
  package mutating func bind(_ program: ModelProgram) -> String {
    let (answer, socket) = answer(program)
    if let socket, answer == "ok" { sockets.insert(socket, at: 0) }
    return answer
  }

  /// The same for one that only asks.
  package func answer(_ program: ModelProgram) -> (String, ModelSocket?) {
    if !program.udp && tcpTakesNot(program) { return ("EAFNOSUPPORT", nil) }
    var new = ModelSocket()
    new.udp = program.udp
    new.made6 = program.address.contains(":")
    new.options = program.options
    new.uid = program.uid
    let only6 = program.v6only ?? (kernel != .darwin)
    if !new.made6 {
      new.four = program.address
    } else if let inner = mapped(program.address), !only6 {
      new.four = inner
    } else {
      let isScoped = isLinkLocal(program.address) && program.scope != 0
      if isScoped && !host.interfaces.contains(program.scope) {
        return (kernel == .darwin ? "EINVAL" : "ENXIO", nil)
      }
      new.six = program.address + (isScoped ? "%\(program.scope)" : "")
      if new.six == "::" && !only6 { new.four = "0.0.0.0" }
    }
    if let refusal = addressRefusal(new) { return (refusal, nil) }
    if isReserved(program.port, new) && program.uid != 0 { return ("EACCES", nil) }
    if isStrangers(new) || isTaken(new) { return ("EADDRINUSE", nil) }
    return ("ok", new)
  }

  // MARK: Before the sockets

  private func tcpTakesNot(_ program: ModelProgram) -> Bool {
    let only6 = program.v6only ?? (kernel != .darwin)
    let inner = mapped(program.address)
    if isMulticast(program.address) { return true }
    if kernel == .darwin {
      let ipv4 = program.address.contains(":") ? inner ?? compatible(program.address) : program.address
      return ipv4.map { isMulticast($0) || $0 == "255.255.255.255" } ?? false
    }
    return !only6 && inner.map(isMulticast) == true
  }

  private func addressRefusal(_ new: ModelSocket) -> String? {
    if isMulticast(new) { return nil }
    if let six = new.six {
      if six == "::" { return nil }
      return host.six.contains(six) && !host.notReady.contains(six) ? nil : "EADDRNOTAVAIL"
    }
    guard let four = new.four, four != "0.0.0.0" else { return nil }
    return host.four.contains(four) ? nil : "EADDRNOTAVAIL"
  }

  private func isReserved(_ port: Int, _ new: ModelSocket) -> Bool {
    let isWildcard = new.six == "::" || (new.six == nil && new.four == "0.0.0.0")
    return port < 1024 && !(kernel == .darwin && isWildcard)
  }

  // MARK: The user

  private func isStrangers(_ new: ModelSocket) -> Bool {
    if isMulticast(new) || new.uid == 0 { return false }
    if let six = new.six {
      if let other = best(six, \.six, new.udp), other.uid != new.uid {
        let bothAny = six == "::" && other.six == "::"
        switch kernel {
        case .darwin: if !(bothAny && other.options.contains("P")) { return true }
        case .thirteen, .fourteen: if !isTCPConnection(other) && !(bothAny && balancesOnly(other)) { return true }
        case .newer: if !isTCPConnection(other) { return true }
        }
      }
      if let four = new.four, let other = best(four, \.four, new.udp), other.uid != new.uid {
        if kernel == .darwin {
          return !other.options.contains("P") && (other.four != "0.0.0.0" || other.made6)
        }
        return !isTCPConnection(other)
      }
      return false
    }
    guard let four = new.four, let other = best(four, \.four, new.udp), other.uid != new.uid else { return false }
    let bothAny = four == "0.0.0.0" && other.four == "0.0.0.0"
    switch kernel {
    case .darwin: return !bothAny
    case .thirteen, .fourteen: return !isTCPConnection(other) && !(bothAny && balancesOnly(other))
    case .newer: return !isTCPConnection(other)
    }
  }

  private func isTCPConnection(_ other: ModelSocket) -> Bool { other.connected && !other.udp }
  private func balancesOnly(_ other: ModelSocket) -> Bool {
    other.options.contains("L") && !other.options.contains("P")
  }

  // MARK: The address

  private func isTaken(_ new: ModelSocket) -> Bool {
    let mask = mask(new)
    if let six = new.six {
      if let other = met(new, six, \.six), mask.isDisjoint(with: other.options) { return true }
      guard let four = new.four, let other = met(new, four, \.four) else { return false }
      return mask.isDisjoint(with: other.options) && (other.four != "0.0.0.0" || other.made6)
    }
    guard let four = new.four, let other = met(new, four, \.four) else { return false }
    let isForgiven = four == "0.0.0.0" && other.four == "0.0.0.0" && new.made6 && other.made6
    return mask.isDisjoint(with: other.options) && !isForgiven
  }

  /// What the other one has to have of, too.
  private func mask(_ new: ModelSocket) -> Set<Character> {
    let has = new.options.contains
    var mask = new.options.intersection(kernel == .darwin ? ["P"] : ["P", "L"])
    guard isMulticast(new) else { return mask }
    if kernel == .darwin {
      if has("A") { mask.formUnion(["A", "P"]) }
    } else {
      if has("A") || has("P") { mask.formUnion(["A", "P"]) }
      if has("A") || has("L") { mask.formUnion(["A", "L"]) }
    }
    return mask
  }

  /// The one socket that the new one is compared with.
  private func met(_ new: ModelSocket, _ address: String, _ family: KeyPath<ModelSocket, String?>) -> ModelSocket? {
    if new.options.isEmpty { return best(address, family, new.udp) }
    return sockets.first { $0.udp == new.udp && !$0.connected && $0[keyPath: family] == address }
  }

  /// The cheapest of the port; the newest of two.
  private func best(_ address: String, _ family: KeyPath<ModelSocket, String?>, _ udp: Bool) -> ModelSocket? {
    let any = family == \.four ? "0.0.0.0" : "::"
    var found: (cost: Int, socket: ModelSocket)?
    for socket in sockets where socket.udp == udp {
      guard let theirs = socket[keyPath: family], theirs == address || theirs == any || address == any else {
        continue
      }
      var cost = socket.connected ? 1 : 0
      if theirs != address { cost += 1 }
      if family == \.four && socket.six != nil && kernel != .darwin { cost += 3 }
      if found.map({ cost < $0.cost }) ?? true { found = (cost, socket) }
    }
    return found?.socket
  }
}

// MARK: Addresses in text

/// The IPv4 address in ::ffff:a.b.c.d.
private func mapped(_ address: String) -> String? {
  address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : nil
}

/// The one in ::a.b.c.d.
private func compatible(_ address: String) -> String? {
  address.hasPrefix("::") && !address.hasPrefix("::ffff:") && address.contains(".")
    ? String(address.dropFirst(2)) : nil
}

private func isMulticast(_ address: String) -> Bool {
  if address.contains(":") {
    let group = address.prefix { $0 != ":" }
    return group.count == 4 && group.hasPrefix("ff")
  }
  return (224...239).contains(Int(address.prefix { $0 != "." }) ?? 0)
}

private func isMulticast(_ socket: ModelSocket) -> Bool {
  (socket.six ?? socket.four).map { isMulticast($0) } ?? false
}

/// A link's own, unicast or multicast, or an interface's own.
private func isLinkLocal(_ address: String) -> Bool {
  let group = address.prefix { $0 != ":" }
  guard group.count == 4 else { return false }
  return ["fe8", "fe9", "fea", "feb"].contains { group.hasPrefix($0) }
    || (group.hasPrefix("ff") && (group.hasSuffix("1") || group.hasSuffix("2")))
}
