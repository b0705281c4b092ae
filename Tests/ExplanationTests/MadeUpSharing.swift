import BindRules
import FixtureTestSupport
import SocketModel
import Testing

@testable import Explanation

// Ports that are shared, and what other systems say of the same ports.

let madeUpSharing: [MadeUp] = [
  MadeUp(
    "TCP: two listeners of one group, a third planned",
    [
      made(.listen, nginx, reuseport: true), made(.listen, node, reuseport: true),
    ]
  ) { $0.options = .reuseport },
  MadeUp(
    "TCP: two sockets of one holder are named once",
    [
      made(.listen, nginx, reuseport: true), made(.listen, nginx, reuseport: true),
    ]
  ) { $0.options = .reuseport },
  MadeUp("TCP: one address beside the wildcard", [made(.listen, nginx, reuseport: true)]) {
    ($0.addresses, $0.options) = (["127.0.0.1"], .reuseport)
  },
  MadeUp("TCP: the wildcard beside one address", [made(.listen, "127.0.0.1", nginx, reuseport: true)]) {
    $0.options = .reuseport
  },
  MadeUp("TCP: IPv4 beside a dual-stack listener", [made(.listen, "::", nginx, reuseport: true)]) {
    ($0.addresses, $0.options) = (["0.0.0.0", "::"], .reuseport)
  },
  MadeUp("TCP: [::] beside an IPv4 listener", [made(.listen, nginx, reuseport: true)]) {
    ($0.addresses, $0.options) = (["::"], .reuseport)
  },
  MadeUp("TCP: on a device", [made(.listen, nginx, reuseport: true)]) {
    ($0.options, $0.device) = (.reuseport, .interface(InterfaceIndex(rawValue: 2), name: "eth0"))
  },
  MadeUp("TCP: beside a listener on a device", [made(.listen, nginx, reuseport: true, device: 2)]) {
    $0.options = .reuseport
  },
  MadeUp("TCP: beside a bound socket", [made(.close, nginx)]) { $0.options = .reuseaddr },
  MadeUp(
    "TCP: beside connections alone",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 40_000), server),
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_001), left: 41_000),
    ]
  ) { $0.options = .reuseaddr },
  MadeUp(
    "TCP: beside TIME_WAIT alone",
    [
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_001), left: 41_000)
    ]
  ) { $0.options = .reuseaddr },
  MadeUp("TCP: beside nothing in the way", [made(.listen, "127.0.0.2", nginx)]) {
    ($0.addresses, $0.options) = (["127.0.0.1"], .reuseaddr)
  },
  MadeUp(
    "UDP: one address beside the wildcard and a connected socket",
    [
      made(.close, nginx), made(.established, "127.0.0.1", to: ("127.0.0.1", 5004), node),
    ]
  ) { ($0.transport, $0.addresses, $0.options) = (.udp, ["127.0.0.1"], .reuseaddr) },
  MadeUp("UDP: the wildcard beside one address", [made(.close, "127.0.0.1", nginx)]) {
    ($0.transport, $0.options) = (.udp, .reuseaddr)
  },
  MadeUp(
    "UDP: the wildcard beside one address and a wildcard, none planned",
    [
      made(.close, "127.0.0.1", nginx), made(.close, node),
    ]
  ) { $0.transport = .udp },
  MadeUp("UDP: one address beside a wildcard, none planned", [made(.close, nginx)]) {
    ($0.transport, $0.addresses) = (.udp, ["127.0.0.1"])
  },
  MadeUp(
    "UDP: a group of SO_REUSEPORT",
    [
      made(.close, nginx, reuseaddr: false, reuseport: true), made(.close, node, reuseaddr: false, reuseport: true),
    ]
  ) { ($0.transport, $0.options) = (.udp, .reuseport) },
  MadeUp("UDP: IPv6 with both beside SO_REUSEADDR alone", [made(.close, "::1", nginx)]) {
    ($0.transport, $0.addresses, $0.options) = (.udp, ["::1"], [.reuseaddr, .reuseport])
  },
  MadeUp(
    "UDP: IPv6 with both beside both and SO_REUSEADDR alone",
    [
      made(.close, "::1", nginx, reuseport: true), made(.close, "::1", node),
    ]
  ) { ($0.transport, $0.addresses, $0.options) = (.udp, ["::1"], [.reuseaddr, .reuseport]) },
  MadeUp(
    "UDP: IPv6 with both beside both and a connected socket with SO_REUSEADDR alone",
    [
      made(.close, "::1", nginx, reuseport: true), made(.established, "::1", to: ("::1", 5004), node),
    ]
  ) { ($0.transport, $0.addresses, $0.options) = (.udp, ["::1"], [.reuseaddr, .reuseport]) },
  MadeUp("UDP: a multicast group", [made(.close, "224.0.0.251", nginx)]) {
    ($0.transport, $0.addresses, $0.options) = (.udp, ["224.0.0.251"], .reuseaddr)
  },
  MadeUp(
    "UDP: IPv4 with both beside both and a mapped address with SO_REUSEADDR alone",
    [
      made(.close, "127.0.0.1", nginx, reuseport: true), made(.close, "::ffff:127.0.0.1", node),
    ]
  ) { ($0.transport, $0.addresses, $0.options) = (.udp, ["127.0.0.1"], [.reuseaddr, .reuseport]) },
  MadeUp("UDP: [::] beside 0.0.0.0", [made(.close, nginx)]) {
    ($0.transport, $0.addresses, $0.options) = (.udp, ["::"], .reuseaddr)
  },
  MadeUp("UDP: [::] beside [::]", [made(.close, "::", nginx)]) {
    ($0.transport, $0.addresses, $0.options) = (.udp, ["::"], .reuseaddr)
  },
  MadeUp("UDP: on a device", [made(.close, nginx)]) {
    ($0.transport, $0.options, $0.device) = (.udp, .reuseaddr, .interface(InterfaceIndex(rawValue: 2), name: "eth0"))
  },
  MadeUp("UDP: link-local beside the wildcard", [made(.close, "::", nginx, v6only: true)]) {
    ($0.transport, $0.addresses, $0.scope, $0.options) = (.udp, ["fe80::5"], 2, .reuseaddr)
  },
]

/// Two sockets and who gets what, in few words, wherever the rules let them stand side by side.
private func deliveryRows() -> [String] {
  let udpAddresses = ["0.0.0.0", "127.0.0.1", "224.0.0.251", "::", "::1", "::ffff:127.0.0.1"]
  var rows: [String] = []
  for transport in [TransportProtocol.tcp, .udp] {
    let addresses = udpAddresses.filter { transport == .udp || $0 != "224.0.0.251" }
    let pairs: [(ReuseOptions, ReuseOptions, UInt32)] =
      transport == .tcp
      ? [([.reuseport], [.reuseport], 0)]
      : [
        ([.reuseaddr], [.reuseaddr], 33), ([.reuseport], [.reuseport], 0),
        ([.reuseaddr, .reuseport], [.reuseaddr], 0), ([.reuseaddr], [.reuseaddr, .reuseport], 0),
        ([.reuseaddr, .reuseport], [.reuseaddr, .reuseport], 33),
      ]
    for (planned, theirs, uid) in pairs {
      for address in addresses {
        for other in addresses {
          for v6only in other == "::" ? [false, true] : [false] {
            let socket = made(
              transport == .tcp ? .listen : .close, other, server, reuseaddr: theirs.contains(.reuseaddr),
              reuseport: theirs.contains(.reuseport), v6only: v6only, uid: uid)
            let row = MadeUp("", [socket]) {
              ($0.transport, $0.addresses, $0.options, $0.isChainOrdered) = (transport, [address], planned, true)
            }
            guard let situation = row.situations.first, let outcome = situation.outcome(planned) else { continue }
            let found = deliveries(situation, outcome)
            if found.isEmpty { continue }
            let gets = found.map { delivery in
              let family = delivery.family.map { $0 == .ipv4 ? " IPv4" : " IPv6" } ?? ""
              return
                "\(delivery.traffic.rawValue)\(family) \(delivery.receiver.rawValue) by \(delivery.rule.rawValue)"
            }
            rows.append(
              "\(transport.rawValue) \(address) \(planned.label) beside \(other)\(v6only ? " v6only" : "") \(theirs.label)"
                + " of \(uid): \(gets.joined(separator: "; "))")
          }
        }
      }
    }
  }
  return rows
}

/// What FreeBSD and macOS say of made-up ports: each text once, with the first port of which it is said.
private func foreignRows() -> [String] {
  let rows = [
    madeUpListeners, madeUpLeftovers, madeUpUDP, madeUpBeforeThePort, madeUpUnsettled, madeUpSharing, madeUpForeign,
  ].flatMap(\.self)
  var (lines, told): ([String], Set<String>) = ([], [])
  for row in rows where row.judged == nil {
    for situation in row.situations {
      for system in [BSDSystem.freebsd, .macos] {
        let answer = foreignAnswer(
          of: situation.attempt, v6only: row.v6only ? true : nil, planned: row.options, linux: situation.outcomes,
          in: situation.snapshot, under: system)
        let sentences = foreignSentences(
          answer, of: situation.attempt, linux: situation.outcomes, planned: row.options, sockets: row.sockets)
        let texts =
          sentences.map { $0.text == $0.shared ? $0.text : "\($0.text) | \($0.shared)" } + foreignRemarks(answer)
        for text in texts where told.insert("\(system) \(text)").inserted {
          lines.append("\(system.rawValue), \(row.name), \(situation.attempt.plainText): \(text)")
        }
      }
    }
  }
  return lines
}

private let madeUpForeign: [MadeUp] = [
  MadeUp("foreign: a listener of another user") {
    $0.sockets = [made(.listen, nginx, reuseport: true, uid: 33)]
    ($0.uid, $0.options) = (1000, .reuseport)
  },
  MadeUp("foreign: one address of another user") {
    $0.sockets = [made(.listen, "127.0.0.1", nginx, reuseport: true, uid: 33)]
    ($0.uid, $0.options, $0.addresses) = (1000, .reuseport, ["127.0.0.1"])
  },
  MadeUp(
    "foreign: two users on one address",
    [
      made(.listen, "127.0.0.1", nginx, reuseport: true, uid: 33),
      made(.listen, "127.0.0.1", node, reuseport: true, uid: 34),
    ]
  ) { ($0.uid, $0.options, $0.addresses) = (35, .reuseport, ["127.0.0.2"]) },
  MadeUp(
    "foreign: two sockets that share by SO_REUSEADDR",
    [
      made(.close, "127.0.0.1", nginx), made(.close, "127.0.0.1", node),
    ]
  ) { ($0.transport, $0.options) = (.udp, .reuseaddr) },
  MadeUp("foreign: a listener on 127.0.0.2") { $0.sockets = [made(.listen, "127.0.0.2", nginx)] },
  MadeUp("foreign: a listener on a mapped address") { $0.sockets = [made(.listen, "::ffff:127.0.0.1", nginx)] },
  MadeUp("foreign: a device") {
    ($0.sockets, $0.options) = ([made(.listen, nginx, device: 2)], .reuseaddr)
    $0.device = .interface(InterfaceIndex(rawValue: 1), name: "lo")
  },
  MadeUp("foreign: a user and a privileged port on one address") {
    ($0.uid, $0.port, $0.addresses) = (1000, 80, ["0.0.0.0", "127.0.0.1"])
  },
  MadeUp("foreign: a user who may bind a privileged port") {
    ($0.uid, $0.port, $0.addresses, $0.mayBindPrivileged) = (1000, 80, ["0.0.0.0", "127.0.0.1"], true)
  },
  MadeUp(
    "foreign: UDP of IPv4 and IPv6 with SO_REUSEPORT",
    [
      made(.close, nginx, reuseport: true), made(.close, "::", node, reuseport: true),
    ]
  ) { ($0.transport, $0.options, $0.addresses) = (.udp, [.reuseaddr, .reuseport], ["0.0.0.0", "::", "127.0.0.1"]) },
  MadeUp(
    "foreign: TCP of IPv4 and IPv6 with SO_REUSEPORT",
    [
      made(.listen, nginx, reuseport: true), made(.listen, "::", node, reuseport: true),
    ]
  ) { ($0.options, $0.addresses) = ([.reuseaddr, .reuseport], ["0.0.0.0", "::", "127.0.0.1"]) },
  MadeUp(
    "foreign: bound sockets that do not listen",
    [
      made(.close, nginx, reuseport: true), made(.close, node, reuseport: true),
    ]
  ) { ($0.options, $0.addresses) = ([.reuseaddr, .reuseport], ["0.0.0.0", "127.0.0.1"]) },
  MadeUp(
    "foreign: a multicast group with the other option",
    [
      made(.close, "224.0.0.251", nginx, reuseaddr: false, reuseport: true)
    ]
  ) { ($0.transport, $0.options, $0.addresses) = (.udp, .reuseaddr, ["224.0.0.251"]) },
  MadeUp(
    "foreign: unknown flags and users",
    [
      made(.listen, reuseaddr: nil, reuseport: nil, uid: nil, owner: .hidden)
    ]
  ) { ($0.options, $0.uid, $0.addresses) = (.reuseport, 1000, ["0.0.0.0", "::", "127.0.0.1"]) },
  MadeUp("foreign: a group without an interface") {
    ($0.transport, $0.addresses) = (.udp, ["ff02::fb"])
  },
  MadeUp(
    "foreign: a dual-stack listener whose IPV6_V6ONLY is not known",
    [
      made(.listen, "::", nginx, v6only: nil)
    ]
  ) { $0.options = .reuseaddr },
]

@Suite("What is said of a shared port")
struct SharingTests {
  @Test("names who gets what for every pair of addresses and options that stand side by side")
  func pairs() { GoldenFile.check(deliveryRows().joined(separator: "\n") + "\n", "deliveries.txt") }

  @Test("says of other systems what differs there")
  func foreign() { GoldenFile.check(foreignRows().joined(separator: "\n") + "\n", "foreign.txt") }

  @Test("has one heading for systems of which it is sure and of which it is likely")
  func headings() {
    #expect(foreignHeading(sure: [.freebsd], likely: []) == "FreeBSD")
    #expect(foreignHeading(sure: [], likely: [.macos]) == "likely macOS")
    #expect(foreignHeading(sure: [.freebsd], likely: [.macos]) == "FreeBSD, and likely macOS")
    #expect(
      foreignHeading(sure: [.freebsd, .freebsd13, .freebsd14], likely: [])
        == "FreeBSD, FreeBSD 13 and FreeBSD 14.0 to 14.2")
    #expect(foreignWord(.freebsd, bind: .fails(.addressInUse), likely: nil) == "FreeBSD EADDRINUSE")
    #expect(foreignWord(.macos, bind: .undetermined, likely: .ok) == "macOS likely ok")
  }
}
