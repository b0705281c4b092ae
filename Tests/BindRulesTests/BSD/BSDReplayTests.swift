@testable import BindRules
import BSDModel
import SocketModel
import Testing

@Suite("The sockets of a host, bound one by one on a BSD")
struct BSDReplayTests {
  /// Existing sockets, in the order of a dump, and what FreeBSD and macOS refuse: the index and the errno, or `-`.
  static let rows: [(sockets: [String], freebsd: String, macos: String)] = [
    (["tcp 0.0.0.0 listen"], "-", "-"),
    (["udp 0.0.0.0 A", "udp 0.0.0.0 A"], "0 in-use", "0 in-use"),
    (["udp 0.0.0.0 P", "udp 0.0.0.0 P"], "-", "-"),
    (["udp 0.0.0.0 P uid=5", "udp 0.0.0.0 P"], "0 in-use", "-"),
    (["udp 0.0.0.0 P uid=0", "udp 0.0.0.0 P"], "-", "-"),
    (["udp 239.1.1.1 A", "udp 239.1.1.1 A uid=5"], "-", "-"),
    (["udp 127.0.0.1", "udp 127.0.0.53"], "1 EADDRNOTAVAIL", "1 EADDRNOTAVAIL"),
    (["udp 127.0.0.1 connected", "udp 127.0.0.1"], "-", "-"),
    (["udp 0.0.0.0 A? P?", "udp 0.0.0.0 A? P?"], "-", "-"),
    (["udp 0.0.0.0 P?", "udp 0.0.0.0 A"], "0 in-use", "0 in-use"),
    (["tcp 0.0.0.0 A bound", "tcp 0.0.0.0 A bound"], "1 in-use", "1 in-use"),
    (["tcp 0.0.0.0 listen", "tcp :: v6only listen"], "-", "-"),
    (["tcp :: dual listen", "tcp 0.0.0.0 listen"], "-", "-"),
    (["tcp 0.0.0.0 A listen", "tcp 127.0.0.1 A listen"], "-", "-"),
    (["tcp 0.0.0.0 listen", "tcp 127.0.0.1 listen"], "1 in-use", "1 in-use"),
    (["tcp 0.0.0.0 listen", "tcp 127.0.0.1 A listen"], "-", "-"),
    (["tcp 224.0.0.1 bound"], "0 EAFNOSUPPORT", "0 EAFNOSUPPORT"),
    (["tcp :: v6only? listen", "tcp 0.0.0.0 listen"], "-", "-"),
    (["tcp 127.0.0.1 uid? P", "tcp 127.0.0.1 P"], "-", "-"),
    (["udp ::1 v6only connected", "udp ::1 v6only"], "-", "-"),
    // A user who is not known may be root, who joins everybody.
    (["udp 127.0.0.1 P uid?", "udp 127.0.0.1 P uid=5"], "-", "-"),
    (["udp 127.0.0.1 disconnected", "udp 127.0.0.1"], "-", "-"),
  ]

  @Test("names the first that would not come up, and only where no order brings all up", arguments: rows)
  func refused(_ row: (sockets: [String], freebsd: String, macos: String)) throws {
    for (system, expected) in [(BSDSystem.freebsd, row.freebsd), (.macos, row.macos)] {
      let sockets = row.sockets.enumerated().map { index, text in
        var socket = BSDWords(text).observation(v6only: true)
        socket.inode = UInt64(100 + index)
        return socket
      }
      let transport = try #require(sockets.first).transport
      let refusal = firstRefused(transport, in: Snapshot(host: bsdHost(), sockets: sockets), under: system)
      #expect(
        refusal.map { "\($0.socket) \(word(.fails($0.error)))" } ?? "-" == expected, "\(system): \(row.sockets)")
    }
  }

  @Test("asks nobody's privilege, and does not try for ever")
  func limits() {
    var sockets = [BSDWords("tcp 127.0.0.1 listen").observation(v6only: true)]
    sockets[0].local.port = Port(22)
    #expect(firstRefused(.tcp, in: Snapshot(host: bsdHost(), sockets: sockets), under: .freebsd) == nil)
    // Two that cannot stand together among eight others, which have more orders than are tried.
    for (others, error) in [(2, SystemError.addressInUse), (8, nil)] {
      let many =
        ["tcp 127.0.0.1 A uid=0", "tcp 127.0.0.1 A uid=0"]
        + (0..<others).map { "tcp 0.0.0.0 P uid=0 scope=\($0 + 1)" }
      let refusal = firstRefused(
        .tcp, in: Snapshot(host: bsdHost(), sockets: many.map { BSDWords($0).observation(v6only: true) }),
        under: .freebsd)
      #expect(refusal?.error == error, "\(others)")
    }
    // A set of 64 is replayed, a larger one is not.
    for (count, error) in [(64, SystemError.addressInUse), (65, nil)] {
      let many = (0..<count).map { BSDWords("tcp 0.0.0.0 A uid=\($0)").observation(v6only: true) }
      let refusal = firstRefused(.tcp, in: Snapshot(host: bsdHost(), sockets: many), under: .freebsd)
      #expect(refusal?.error == error)
    }
    let group = (0..<200).map { _ in BSDWords("udp 0.0.0.0 P").observation(v6only: true) }
    #expect(firstRefused(.udp, in: Snapshot(host: bsdHost(), sockets: group), under: .freebsd) == nil)
  }

  /// The machine of the second statement binds random sets in every order.
  @Test("agrees with a second statement of the rules about which sets can stand")
  func agreesWithTheModel() {
    var random = Numbers(state: 7)
    var refused = 0
    for _ in 0..<1_500 {
      let texts = (0..<random.pick([2, 3, 4])).map { _ -> String in
        let address = random.pick(["0.0.0.0", "127.0.0.1", ":: dual", ":: v6only", "::1 v6only"])
        let options = random.pick(["", "A", "P", "AP"])
        return "tcp \(address) \(options) uid=\(random.pick([0, 1001, 1002])) listen"
      }
      let snapshot = Snapshot(host: bsdHost(), sockets: texts.map { BSDWords($0).observation(v6only: true) })
      for (kernel, system) in [(ModelKernel.newer, BSDSystem.freebsd), (.darwin, .macos)] {
        let programs = texts.map { ModelProgram(words: $0) }
        let canStand = ModelWorlds.orders(programs.count).contains { order in
          var machine = ModelMachine(kernel, modelHost)
          return order.allSatisfy { machine.bind(programs[$0]) == "ok" }
        }
        let refusal = firstRefused(.tcp, in: snapshot, under: system)
        #expect((refusal == nil) == canStand, "\(system): \(texts)")
        if refusal != nil { refused += 1 }
      }
    }
    #expect(refused > 200)
  }
}
