import BindRules
import SocketModel
import Testing

// Linux' rules stated a second time, over the words of the tables: nothing of BindRules is asked. Every way that the unknown
// facts could be and every order that the binds may have had is gone through one by one.

/// A socket of the notation, all of it known.
private struct LinuxSocket {
  var state: String
  var address: String
  var isV6only: Bool
  var reuse: Bool
  var reuseport: Bool
  var uid: Int
  var device: Int

  init(_ words: [String], state: String) {
    func number(_ name: String) -> Int? {
      words.first { $0.hasPrefix(name) }.flatMap { Int($0.dropFirst(name.count)) }
    }
    self.state = state
    address = words[0]
    isV6only = words.contains("V6ONLY")
    reuse = words.contains("RA")
    reuseport = words.contains("RP")
    uid = number("uid=") ?? 1000
    device = number("dev=") ?? 0
  }

  var isMapped: Bool { address.hasPrefix("::ffff:") }
  var isIPv6: Bool { address.contains(":") }
  /// The IPv4 address it receives at: 0.0.0.0 for all, nil for none.
  var at4: String? {
    if isMapped { return String(address.dropFirst(7)) }
    if isIPv6 { return address == "::" && !isV6only ? "0.0.0.0" : nil }
    return address
  }
  var at6: String? { isIPv6 && !isMapped ? address : nil }

  /// What has an IPv6 address and takes IPv4 too, which only a connection can, counts for one of IPv4 to 0.0.0.0.
  func overlaps(_ there: LinuxSocket) -> Bool {
    func meet(_ one: String?, _ other: String?, _ any: String) -> Bool {
      one != nil && other != nil && (one == other || one == any || other == any)
    }
    let isChild = there.at6 != nil && there.at6 != "::" && !there.isV6only
    return meet(at4, there.at4, "0.0.0.0") || meet(at6, there.at6, "::") || (isChild && address == "0.0.0.0")
  }

  private func mayMeet(_ there: LinuxSocket) -> Bool {
    (device == 0 || there.device == 0 || device == there.device) && overlaps(there)
  }

  /// TCP's pair rule.
  func refusedByTCP(_ there: LinuxSocket) -> Bool {
    if !mayMeet(there) { return false }
    if reuse && there.reuse && there.state != "LISTEN" { return false }
    return !(reuseport && there.reuseport && (uid == there.uid || there.state == "TIME_WAIT"))
  }

  /// UDP's: nil where the next one is asked.
  func refusedByUDP(_ there: LinuxSocket) -> Bool? {
    if !mayMeet(there) || reuse && there.reuse { return nil }
    return !(reuseport && there.reuseport && uid == there.uid)
  }
}

/// A socket of a text with what the text leaves open.
private struct OpenSocket {
  var text: String
  var words: [String]
  var gaps: [String]

  init(_ text: String) {
    self.text = text
    words = text.split(separator: " ").map(String.init)
    let isTimeWait = words[0] == "TIME_WAIT"
    gaps = words.filter { $0.hasSuffix("?") && !($0 == "uid?" && isTimeWait) }
  }

  /// One for each way the gaps can be, bit by bit.
  func worlds(_ plannedUID: Int) -> [LinuxSocket] {
    (0..<(1 << gaps.count)).map { world in
      var filled = words.filter { !gaps.contains($0) }
      for (bit, gap) in gaps.enumerated() {
        let isSet = world & (1 << bit) != 0
        switch gap {
        case "ra?" where isSet: filled.append("RA")
        case "rp?" where isSet: filled.append("RP")
        case "v6only?" where isSet: filled.append("V6ONLY")
        case "uid?": filled.append("uid=\(isSet ? plannedUID : 77)")
        default: break
        }
      }
      return LinuxSocket(Array(filled.dropFirst()), state: filled[0])
    }
  }

  /// The gaps that change what `answer` says of the socket.
  func deciding<Answer: Equatable>(_ answers: [Answer]) -> [MissingFact.Kind] {
    let kinds: [(String, MissingFact.Kind)] = [
      ("ra?", .reuseaddr), ("rp?", .reuseport), ("v6only?", .v6only), ("uid?", .uid),
    ]
    return kinds.compactMap { word, kind in
      guard let bit = gaps.firstIndex(of: word) else { return nil }
      return answers.indices.contains { answers[$0] != answers[$0 ^ (1 << bit)] } ? kind : nil
    }
  }
}

private struct LinuxAnswer: Equatable {
  var bind: String
  var blockers: [Blocker] = []
  var missing: [MissingFact] = []
}

private struct LinuxMachine {
  var sockets: [OpenSocket]
  /// What of the bind bucket lets SO_REUSEPORT pass: nil where it was not read.
  var remembers: Bool?

  func tcp(_ planned: LinuxSocket) -> LinuxAnswer {
    var (may, sure, missing): ([Blocker], [Blocker], [MissingFact]) = ([], [], [])
    for (index, socket) in sockets.enumerated() where socket.words[0] != "SYN_RECV" {
      let answers = socket.worlds(planned.uid).map(planned.refusedByTCP)
      guard answers.contains(true) else { continue }
      let isUser = planned.reuseport && isOthersReuseport(socket, planned)
      let isListener = socket.words[0] == "LISTEN"
      let blocker = Blocker(
        socket: index, rule: isUser ? .tcpReuseportUser : isListener ? .tcpListener : .tcpReuseaddr)
      may.append(blocker)
      if !answers.contains(false) { sure.append(blocker) }
      missing += socket.deciding(answers).map { MissingFact($0, socket: index) }
    }
    if may.isEmpty || (planned.reuseport && remembers == true) { return LinuxAnswer(bind: "ok") }
    let isOpen = planned.reuseport && remembers == nil
    if !sure.isEmpty && !isOpen { return LinuxAnswer(bind: "in-use", blockers: sure) }
    return LinuxAnswer(bind: "?", blockers: may, missing: missing + (isOpen ? [MissingFact(.bindOrder)] : []))
  }

  private func isOthersReuseport(_ socket: OpenSocket, _ planned: LinuxSocket) -> Bool {
    let isOthers = socket.words.contains("uid?") || socket.worlds(planned.uid)[0].uid != planned.uid
    return socket.words.contains("RP") && (isOthers || socket.words[0] == "TIME_WAIT")
  }

  /// Each order of the sockets that leaves those before which `isFixed` says they stand where they are.
  private static func orders(_ indices: [Int], _ isFixed: (Int, Int) -> Bool) -> [[Int]] {
    guard !indices.isEmpty else { return [[]] }
    return indices.flatMap { first -> [[Int]] in
      guard !indices.contains(where: { $0 < first && isFixed($0, first) }) else { return [] }
      return orders(indices.filter { $0 != first }, isFixed).map { [first] + $0 }
    }
  }

  /// - Parameter isOrdered: the sockets of both families stand in the kernel's own order.
  func udp(_ planned: LinuxSocket, isOrdered: Bool) -> LinuxAnswer {
    let steps = sockets.map { $0.worlds(planned.uid).map(planned.refusedByUDP) }
    let all = sockets.map { $0.worlds(planned.uid)[0] }
    func known(_ one: Int, _ other: Int) -> Bool { isOrdered || all[one].isIPv6 == all[other].isIPv6 }
    func isConnected(_ index: Int) -> Bool { sockets[index].words[0] == "UDP-CONNECTED" }
    let isWild = { (address: String) in ["0.0.0.0", "::", "::ffff:0.0.0.0"].contains(address) }
    func bare(_ address: String) -> String { address.hasPrefix("::ffff:") ? String(address.dropFirst(7)) : address }
    // What may be walked, one chain after the other: the first in each that does not pass decides there.
    var walks = Self.orders(Array(all.indices), known).map { [$0] }
    if !isWild(planned.address) {
      let own = all.indices.filter { bare(all[$0].address) == bare(planned.address) }
      let wild = all.indices.filter { isWild(all[$0].address) }
      let moved = own.contains(where: isConnected)
      let ownOrders = Self.orders(own) { !moved && known($0, $1) }
      let wildOrders = Self.orders(wild) { _, _ in false }
      walks += ownOrders.flatMap { own in wildOrders.map { [own, $0] } }
      // Both chains may be one.
      walks += Self.orders(own + wild) { one, other in
        own.contains(one) && own.contains(other) && !moved && known(one, other)
      }.map { [$0] }
    }
    var results: Set<Bool> = []
    func go(_ worlds: [Int]) {
      if worlds.count < steps.count {
        for world in steps[worlds.count].indices { go(worlds + [world]) }
        return
      }
      for walk in walks {
        results.insert(walk.contains { chain in chain.lazy.compactMap { steps[$0][worlds[$0]] }.first ?? false })
      }
    }
    go([])
    func blockers(_ which: (Int) -> Bool) -> [Blocker] {
      sockets.indices.filter(which).map { index in
        let isUser = planned.reuseport && isOthersReuseport(sockets[index], planned)
        return Blocker(socket: index, rule: isUser ? .udpReuseportUser : .udpReuseaddr)
      }
    }
    if results == [false] { return LinuxAnswer(bind: "ok") }
    if results == [true] {
      return LinuxAnswer(bind: "in-use", blockers: blockers { index in steps[index].allSatisfy { $0 == true } })
    }
    let missing = sockets.indices.flatMap { index in
      sockets[index].deciding(steps[index]).map { MissingFact($0, socket: index) }
    }
    return LinuxAnswer(
      bind: "?", blockers: blockers { steps[$0].contains(true) },
      missing: missing.isEmpty ? [MissingFact(.bindOrder)] : missing)
  }
}

@Suite("The rules of Linux, stated twice")
struct LinuxAgreementTests {
  private static func text(_ random: inout Numbers, _ states: [String]) -> String {
    let addresses = ["0.0.0.0", "127.0.0.1", "10.0.0.1", "::", "::1", "::2", "::ffff:0.0.0.0", "::ffff:127.0.0.1"]
    var words = [random.pick(states), random.pick(addresses)]
    if words[0].hasSuffix("CONNECTED"), ["0.0.0.0", "::", "::ffff:0.0.0.0"].contains(words[1]) {
      words[1] = "127.0.0.1"
    }
    words.append(random.pick(["ra?", "", "RA", "RA"]))
    words.append(random.pick(["rp?", "", "RP", "RP"]))
    if words[1].contains(":"), !words[1].hasPrefix("::ffff:") {
      let isBound = ["LISTEN", "BOUND", "UDP"].contains(words[0]) && words[1] != "::"
      words.append(isBound ? "V6ONLY" : random.pick(["v6only?", "", "V6ONLY"]))
    }
    if words[0] != "TIME_WAIT" { words.append(random.pick(["uid?", "", "", "uid=5"])) }
    words.append(random.pick(["", "", "dev=2", "dev=3"]))
    return words.filter { !$0.isEmpty }.joined(separator: " ")
  }

  private static func said(_ outcome: BindOutcome) -> LinuxAnswer {
    let bind = words([outcome])
    return LinuxAnswer(bind: bind, blockers: outcome.blockers, missing: outcome.missing)
  }

  /// Facts in any order.
  private static func sorted(_ answer: LinuxAnswer) -> LinuxAnswer {
    var answer = answer
    answer.missing.sort { ($0.socket ?? -1, $0.kind.rawValue) < ($1.socket ?? -1, $1.kind.rawValue) }
    return answer
  }

  @Test("give 2,000 sets of sockets one answer, the same sockets in the way, and the same facts missing")
  func random() {
    var random = Numbers(state: 20_261_129)
    var counts: [String: Int] = [:]
    for _ in 0..<2_000 {
      let isUDP = random.pick(2) == 0
      let states =
        isUDP ? ["UDP", "UDP", "UDP-CONNECTED"] : ["LISTEN", "BOUND", "ESTABLISHED", "TIME_WAIT", "SYN_RECV"]
      let texts = (0..<random.pick([1, 1, 2, 3])).map { _ in Self.text(&random, states) }
        .map { $0.hasPrefix("SYN_RECV") ? "SYN_RECV 0.0.0.0" : $0 }
      let base =
        random.pick([
          "0.0.0.0", "127.0.0.1", "::", ":: V6ONLY", "::1", "::ffff:0.0.0.0", "::ffff:127.0.0.1", "10.0.0.1",
        ]) + random.pick(["", " uid=5"]) + random.pick(["", " dev=2"])
      let isOrdered = random.pick(3) == 0
      // The bucket that was read: one that any SO_REUSEPORT of user 1000 passes, or none.
      let bucket: BindBucket? = random.pick([
        nil, nil, BindBucketTests.bucket(nil), BindBucketTests.bucket(.any, "10.9.9.9"),
      ])
      let snapshot = Snapshot(
        host: openHost(), sockets: texts.map(socket), buckets: bucket.map { [$0] } ?? [], isChainOrdered: isOrdered)
      for outcome in outcomes(of: attempt((isUDP ? "UDP " : "") + base), in: snapshot) {
        var planned = LinuxSocket(base.split(separator: " ").map(String.init), state: "new")
        planned.reuse = outcome.options.contains(.reuseaddr)
        planned.reuseport = outcome.options.contains(.reuseport)
        let machine = LinuxMachine(
          sockets: texts.map(OpenSocket.init),
          remembers: bucket.map { $0.fastReuseport != nil && planned.uid == 1000 })
        let expected = isUDP ? machine.udp(planned, isOrdered: isOrdered) : machine.tcp(planned)
        counts[expected.bind, default: 0] += 1
        if Self.sorted(Self.said(outcome)) != Self.sorted(expected) {
          Issue.record("\(texts), then \(base) with \(outcome.options.rawValue): \(outcome), not \(expected)")
        }
      }
    }
    for word in ["ok", "in-use", "?"] { #expect((counts[word] ?? 0) > 400, "\(counts)") }
  }
}
