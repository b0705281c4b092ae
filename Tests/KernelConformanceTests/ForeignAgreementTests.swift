import BSDModel
import BindRules
import Glibc
import KernelLab
import Answers
import SocketModel
import Testing

/// What came of the sets of one protocol.
private struct Tally {
  var sets = 0
  var sure = 0
  var open = 0
  /// Open, though every possible world answers alike.
  var needless = 0
  var wrong: [String] = []
}

extension ModelHost {
  /// What the interfaces of the calling thread's namespace have, as getifaddrs(3) and /proc/thread-self/net/if_inet6 say: two worlds
  /// where an address is tentative.
  fileprivate static func worlds(_ interfaces: some Collection<InterfaceIndex>) -> [ModelHost] {
    var host = ModelHost()
    host.interfaces = Set(interfaces.map { Int($0.rawValue) })
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var next = list
    while let entry = next?.pointee {
      next = entry.ifa_next
      guard let address = entry.ifa_addr, address.pointee.sa_family == 2, let mask = entry.ifa_netmask else {
        continue
      }
      let bits = ipv4(address)
      host.four.insert(IPv4Address(bits: bits).description)
      if bits >> 24 != 127 { host.four.insert(IPv4Address(bits: bits | ~ipv4(mask)).description) }
    }
    var waiting = Set<String>()
    for line in lines(of: "/proc/thread-self/net/if_inet6") {
      let words = line.split(separator: " ")
      guard words.count == 6, let high = UInt64(words[0].prefix(16), radix: 16),
        let low = UInt64(words[0].suffix(16), radix: 16), let flags = UInt32(words[4], radix: 16),
        let index = Int(words[1], radix: 16)
      else { continue }
      let address = IPv6Address(high: high, low: low)
      let text = address.description + (address.isLinkLocal ? "%\(index)" : "")
      host.six.insert(text)
      // IFA_F_TENTATIVE and IFA_F_DADFAILED: it may be checked or found double by the time it is bound.
      if flags & 0x48 != 0 { waiting.insert(text) }
    }
    if waiting.isEmpty { return [host] }
    var later = host
    later.notReady = waiting
    return [host, later]
  }

  private static func ipv4(_ address: UnsafeMutablePointer<sockaddr>) -> UInt32 {
    address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt32(bigEndian: $0.pointee.sin_addr.s_addr) }
  }

  private static func lines(of path: String) -> [String] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var lines: [String] = []
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      lines.append(String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
    return lines
  }
}

extension ModelSocket {
  /// All that a socket of this host may be on a BSD; empty where none would be there.
  fileprivate static func fillings(_ seen: SocketObservation, uid: Int, _ kernel: ModelKernel) -> [ModelSocket] {
    // A handshake is in the syncache, and a connection that is over has given its port back.
    let isOver = seen.state == .close && seen.remote != nil
    if seen.isRequest || (isOver && (seen.transport == .tcp || kernel.losesDisconnected)) { return [] }
    var first = ModelSocket()
    first.udp = seen.transport == .udp
    first.made6 = seen.family == .ipv6
    first.connected = seen.remote != nil && !isOver
    var all = [first]
    for (letter, knowledge) in [("A", seen.reuseaddr), ("P", seen.reuseport)] as [(Character, Knowledge<Bool>)] {
      let values = knowledge.sure.map { [$0] } ?? [true, false]
      all = all.flatMap { socket in
        values.map { isSet in
          var socket = socket
          if isSet { socket.options.insert(letter) }
          return socket
        }
      }
    }
    let users = seen.uid.map { [Int($0)] } ?? [uid, uid + 7]
    let places = places(seen)
    return all.flatMap { socket in
      users.flatMap { user in
        places.map { place in
          var socket = socket
          socket.uid = user
          (socket.four, socket.six) = place
          return socket
        }
      }
    }
  }

  private static func places(_ seen: SocketObservation) -> [(four: String?, six: String?)] {
    guard case .v6(let address) = seen.local.address else { return [(seen.local.address.description, nil)] }
    if seen.state == .close, let remote = seen.remote {
      // Its disconnect has taken the address, and left the family of the peer.
      if case .v6(let peer) = remote.address, peer.mapped == nil { return [(nil, "::")] }
      return [("0.0.0.0", nil)]
    }
    if let inner = address.mapped { return [(inner.description, nil)] }
    if seen.remote != nil || address != .any {
      let isScoped = address.isLinkLocal || [0xff01, 0xff02].contains(address.high >> 48 & 0xff0f)
      return [(nil, address.description + (isScoped ? seen.device.map { "%\($0.rawValue)" } ?? "" : ""))]
    }
    let only6 = seen.v6only?.sure.map { [$0] } ?? [true, false]
    return only6.map { ($0 ? nil : "0.0.0.0", "::") }
  }
}

@Suite("A BSD's answer about real sockets", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct ForeignAgreementTests {
  private static let kernels: [BSDSystem: ModelKernel] = [.freebsd: .newer, .macos: .darwin]

  private static func word(_ result: CallResult) -> String? {
    switch result {
    case .ok: "ok"
    case .fails(let error): error.description
    case .undetermined: nil
    }
  }

  /// The pairs whose order the dump tells: UDP's has the newest first, within a family where the chain is not one; a socket
  /// that connected may be newer than its place says.
  private static func knownOrder(_ target: TargetReport, _ kept: [Int]) -> [(newer: Int, older: Int)] {
    guard target.transport == .udp else { return [] }
    let sockets = kept.map { target.sockets[$0] }
    return sockets.indices.flatMap { older in
      sockets[older].remote != nil
        ? []
        : (0..<older).filter { target.isChainOrdered || sockets[$0].family == sockets[older].family }
          .map { (newer: $0, older: older) }
    }
  }

  private static func check(_ scenario: Scenario, _ namespace: inout NetworkNamespace, _ tally: inout Tally) throws {
    let copy = try namespace.build(scenario)
    let attempt = scenario.attempt
    let zone = attempt.scope?.rawValue
    let port = copy.port.rawValue
    let item = QuestionItem(
      addresses: [.address(attempt.address, zone: zone)], ports: Port(port)...Port(port), transport: attempt.transport
    )
    var question = Question(items: [item], plan: Plan(v6only: attempt.v6only, uid: attempt.uid))
    question.systems = [.freebsd, .macos]
    let target = try Portwhy.answer(question).targets[0]
    guard let report = target.attempts.first else { return }
    let hosts = ModelHost.worlds(namespace.interfaces.values)
    let worlds = Self.kernels.mapValues { kernel in
      let filled = target.sockets.map { socket in
        socket.transport == attempt.transport ? ModelSocket.fillings(socket, uid: Int(attempt.uid), kernel) : []
      }
      let kept = filled.indices.filter { !filled[$0].isEmpty }
      return ModelWorlds(sockets: kept.map { filled[$0] }, newerThan: Self.knownOrder(target, kept), hosts: hosts)
    }
    // Crowds have more orders than can be written out; smaller sets say the same of them.
    guard worlds.values.allSatisfy({ $0.sockets.count < 6 && $0.count < 20_000 }) else { return }
    tally.sets += 1
    for answer in report.foreign.map(\.answer) {
      guard let kernel = Self.kernels[answer.system], let worlds = worlds[answer.system] else { continue }
      for outcome in answer.outcomes {
        var program = ModelProgram()
        program.udp = attempt.transport == .udp
        program.address = attempt.address.description
        program.scope = attempt.scope.flatMap { namespace.interfaces[$0] }.map { Int($0.rawValue) } ?? 0
        program.v6only = attempt.v6only
        program.port = Int(port)
        program.uid = Int(attempt.uid)
        let letters: [(BSDOptions, Character)] = [(.reuseaddr, "A"), (.reuseport, "P"), (.reuseportLB, "L")]
        program.options = Set(letters.filter { outcome.options.contains($0.0) }.map(\.1))
        let possible = worlds.answers(program, kernel)
        if let said = word(outcome.expected) {
          if possible == [said] {
            tally.sure += 1
            continue
          }
        } else if !outcome.missing.isEmpty {
          tally.open += 1
          if possible.count == 1 { tally.needless += 1 }
          continue
        }
        let sockets = target.sockets.map { "\($0.transport) \($0.family) \($0.local.address) \($0.state)" }
        tally.wrong.append(
          "\(answer.system) \(attempt) \(outcome.options.socketOptions): \(outcome.expected) \(outcome.missing), "
            + "not \(possible), beside \(sockets)")
      }
    }
  }

  /// FOREIGN_SETS asks for more of them.
  private static let sets = getenv("FOREIGN_SETS").flatMap { UInt64(String(cString: $0)) } ?? 600

  @Test("is that of its rules stated anew, for random sets in a private namespace")
  func agreement() throws {
    var tally = Tally()
    var next: UInt64 = 0
    // A namespace for each 200: the privileged ports of one are soon used up.
    while next < Self.sets {
      let end = min(next + 200, Self.sets)
      tally = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
        var tally = tally
        for number in next..<end {
          try Self.check(ScenarioGenerator.scenario(seed: 19, number: number), &namespace, &tally)
        }
        return tally
      }
      next = end
    }
    for sentence in tally.wrong.prefix(20) { Issue.record("\(sentence)") }
    #expect(tally.wrong.isEmpty)
    #expect(tally.sets * 3 > Int(Self.sets) * 2)
    #expect(tally.sure > tally.sets * 8)
    #expect(tally.needless * 20 <= tally.open, "\(tally.needless) of \(tally.open)")
    print(
      "foreign agreement: \(tally.sets) sets, \(tally.sure) sure, \(tally.open) open, \(tally.needless) needlessly, "
        + "\(tally.wrong.count) wrong")
  }
}
