@testable import BindRules
import SocketModel
import Testing

@Suite("A bind under the rules of a BSD")
struct BSDBindTests {
  @Test("answers as each kernel does", arguments: BSDPairs.all)
  func pairs(_ row: BSDRow) throws {
    #expect(row.expected.count == 5)
    for (system, expected) in zip(BSDSystem.allCases, row.expected.dropFirst()) where expected != "-" {
      let outcome = try #require(bsdOutcome(row.existing, row.planned, system))
      #expect(word(outcome.expected) == expected, "\(system.description)")
      if system == .macos {
        #expect(outcome.bind != .ok)
        #expect(outcome.missing == (expected == "ok" ? [MissingFact(.filters)] : []))
      } else {
        #expect(outcome.missing.isEmpty)
      }
    }
  }

  @Test("has the answer of Linux beside it", arguments: BSDPairs.all.filter { $0.expected[0] != "-" })
  func linux(_ row: BSDRow) throws {
    let words = BSDWords(row.planned)
    let options = try #require(words.options.onLinux)
    let planned = words.attempt()
    let attempt = BindAttempt(
      transport: planned.transport, address: planned.address, port: planned.port, v6only: planned.v6only ?? false,
      uid: planned.uid, mayBindPrivileged: planned.uid == 0)
    let snapshot = Snapshot(
      host: bsdHost(), sockets: row.existing.reversed().map { BSDWords($0).observation(v6only: false) },
      buckets: [emptyBucket])
    let outcome = outcomes(of: attempt, in: snapshot).first { $0.options == options }
    #expect(word(try #require(outcome).bind) == row.expected[0])
  }

  /// Their own tests, FreeBSD's and xnu's, restated.
  static let stated: [BSDRow] = [
    BSDRow(
      "an accepted connection alone on the port refuses root", ["tcp 127.0.0.1 connected uid=0"],
      "tcp 127.0.0.1 uid=0", "- - - in-use -"),
    BSDRow(
      "an accepted connection alone on the port refuses a user", ["tcp 127.0.0.1 connected uid=0"], "tcp 127.0.0.1",
      "- - - in-use -"),
    BSDRow(
      "an accepted IPv6 connection refuses root", ["tcp ::1 v6only connected uid=0"], "tcp :: v6only uid=0",
      "- - - in-use -"),
    BSDRow(
      "an accepted IPv6 connection refuses a user", ["tcp ::1 v6only connected uid=0"], "tcp :: v6only",
      "- - - in-use -"),
    BSDRow("a second UDP socket joins a balanced group", ["udp 127.0.0.1 L"], "udp 127.0.0.1 L", "- - - ok -"),
    BSDRow("a group twice with SO_REUSEADDR", ["udp 239.1.1.1 A"], "udp 239.1.1.1 A", "- ok ok ok -"),
    BSDRow("a group with SO_REUSEADDR, then SO_REUSEPORT", ["udp 239.1.1.1 A"], "udp 239.1.1.1 P", "- ok ok ok -"),
    BSDRow("a group with SO_REUSEPORT, then SO_REUSEADDR", ["udp 239.1.1.1 P"], "udp 239.1.1.1 A", "- ok ok ok -"),
    BSDRow("a group twice with SO_REUSEPORT", ["udp 239.1.1.1 P"], "udp 239.1.1.1 P", "- ok ok ok -"),
    BSDRow("udp :: with IPV6_V6ONLY, then without", ["udp :: v6only"], "udp :: dual", "- - - - in-use"),
    BSDRow("tcp on 224.0.0.1", [], "tcp 224.0.0.1", "- - - - EAFNOSUPPORT"),
    BSDRow("tcp on 255.255.255.255", [], "tcp 255.255.255.255", "- - - - EAFNOSUPPORT"),
    BSDRow("tcp on ff01::1", [], "tcp ff01::1 dual", "- - - - EAFNOSUPPORT"),
    BSDRow("tcp on ::ffff:224.0.0.1", [], "tcp ::ffff:224.0.0.1 dual", "- - - - EAFNOSUPPORT"),
    BSDRow("tcp on ::ffff:255.255.255.255", [], "tcp ::ffff:255.255.255.255 dual", "- - - - EAFNOSUPPORT"),
    BSDRow("udp on 255.255.255.255", [], "udp 255.255.255.255", "- - - - EADDRNOTAVAIL"),
    BSDRow("udp on ::ffff:255.255.255.255", [], "udp ::ffff:255.255.255.255 dual", "- - - - EADDRNOTAVAIL"),
    BSDRow("udp on 224.0.0.1", [], "udp 224.0.0.1", "- - - - ok"),
    BSDRow("tcp on ::ffff:127.0.0.1", [], "tcp ::ffff:127.0.0.1 dual", "- - - - ok"),
    BSDRow(
      "the 16th listener of one user on one address", Array(repeating: "tcp 127.0.0.1 L listen", count: 15),
      "tcp 127.0.0.1 L", "- - - ok -"),
    BSDRow(
      "the 16th listener of one user on ::1", Array(repeating: "tcp ::1 v6only L listen", count: 15),
      "tcp ::1 v6only L", "- - - ok -"),
    BSDRow(
      "the 101st bound socket, none of which listens", Array(repeating: "tcp 127.0.0.1 L", count: 100),
      "tcp 127.0.0.1 L", "- - - ok -"),
  ]

  /// Beside a UDP socket that was connected and is no more: FreeBSD has put it away since 14.0, before it and on macOS it
  /// is on the wildcard of the family that connect(2) chose. `in_pcbdisconnect`, `in6_pcbdisconnect`, `udp6_disconnect`.
  static let disconnected: [BSDRow] = [
    BSDRow("its port", ["udp :: v6only disconnected"], "udp :: v6only A", "- in-use ok ok in-use"),
    BSDRow("its port, without options", ["udp ::1 disconnected"], "udp ::1", "- in-use ok ok in-use"),
    BSDRow("the address that it had", ["udp ::1 disconnected"], "udp ::1 A", "- ok ok ok ok"),
    BSDRow(
      "the wildcard, where it had an address", ["udp ::1 disconnected"], "udp :: v6only A", "- in-use ok ok in-use"),
    BSDRow("the other family", ["udp :: dual disconnected"], "udp 239.1.1.1", "- ok ok ok ok"),
    BSDRow("IPv4 of an IPv4 peer", ["udp :: dual disconnected peer4"], "udp 239.1.1.1", "- in-use ok ok in-use"),
    BSDRow("IPv6 of an IPv4 peer", ["udp :: dual disconnected peer4"], "udp :: v6only", "- ok ok ok ok"),
    BSDRow("SO_REUSEPORT on both", ["udp :: v6only P disconnected"], "udp :: v6only P", "- ok ok ok ok"),
  ]

  @Test("knows what becomes of a socket whose peer was taken", arguments: disconnected)
  func disconnect(_ row: BSDRow) throws { try pairs(row) }

  @Test("answers as the tests of the systems say", arguments: stated)
  func theirTests(_ row: BSDRow) throws { try pairs(row) }

  /// FreeBSD's test of two sockets: root's first, its option set after bind(2), then root's or a user's second. 256 cases:
  /// two families, two protocols, loopback and wildcard, four options each, two users.
  @Test("shares an address by SO_REUSEPORT on both or SO_REUSEPORT_LB on both, with root's second alone")
  func twoSockets() throws {
    var cases = 0
    for address in ["127.0.0.1", "0.0.0.0", "::1 v6only", ":: v6only"] {
      for transport in ["tcp", "udp"] {
        for first in ["", "A", "P", "L"] {
          for second in ["", "A", "P", "L"] {
            for uid in [0, 1001] {
              let shares = uid == 0 && first == second && ["P", "L"].contains(first)
              let planned = "\(transport) \(address) \(second) uid=\(uid)"
              let outcome = try #require(
                bsdOutcome(["\(transport) \(address) \(first) uid=0"], planned, .freebsd))
              #expect(word(outcome.bind) == (shares ? "ok" : "in-use"), "\(first) then \(planned)")
              cases += 1
            }
          }
        }
      }
    }
    #expect(cases == 256)
  }

  /// FreeBSD's test of a port that only root's connected socket has: 32 cases.
  @Test("beside a connection works with SO_REUSEADDR, for another user with TCP alone")
  func connected() throws {
    var cases = 0
    for (wildcard, loopback) in [("0.0.0.0", "127.0.0.1"), (":: v6only", "::1 v6only")] {
      for transport in ["tcp", "udp"] {
        for address in [wildcard, loopback] {
          for uid in [0, 1001] {
            for option in ["", "A"] {
              let planned = "\(transport) \(address) \(option) uid=\(uid)"
              let outcome = try #require(
                bsdOutcome(["\(transport) \(loopback) connected uid=0"], planned, .freebsd))
              let works = option == "A" && (uid == 0 || transport == "tcp")
              #expect(word(outcome.bind) == (works ? "ok" : "in-use"), "\(planned)")
              cases += 1
            }
          }
        }
      }
    }
    #expect(cases == 32)
  }

  /// What else the tests of the systems state, and why no row says it.
  static let leftOut: [(cases: Int, what: String, why: String)] = [
    (
      8, "binds of two FIBs with net.inet.tcp.bind_all_fibs=0",
      "a socket of a Linux host has no FIB; the default is 1"
    ),
    (1, "connect(2) with SO_REUSEPORT_LB: EOPNOTSUPP", "not a bind"),
    (1, "listen(2) a second time", "not a bind"),
    (1, "SO_SETFIB after bind(2): EISCONN", "not a bind"),
    (2, "port 0, and an address of family 0", "a port is asked about"),
    (4, "IP_BINDANY and IPV6_BINDANY without privilege: EPERM", "not a bind"),
  ]

  @Test("has a row or a reason for every case of the systems' own tests")
  func complete() {
    #expect(Self.stated.count + 256 + 32 + Self.leftOut.reduce(0) { $0 + $1.cases } == 327)
    #expect(BSDPairs.all.count == 78)
  }

  private var emptyBucket: BindBucket { BindBucketTests.bucket(nil) }
}
