@testable import BindRules
import SocketModel
import Testing

/// One row: a promise, the sockets there in the order of their binds, the new one, and its answers under Linux, FreeBSD 13,
/// 14.0, 14.3 and macOS; `-` where the system has no such option or nothing is claimed.
struct BSDRow: CustomTestStringConvertible, Sendable {
  var promise: String
  var existing: [String]
  var planned: String
  var expected: [String]

  init(_ promise: String, _ existing: [String], _ planned: String, _ expected: String) {
    self.promise = promise
    self.existing = existing
    self.planned = planned
    self.expected = expected.split(separator: " ").map(String.init)
  }

  var testDescription: String { promise }
}

/// Read off the sources of the three kernels; those of Linux hold for 6.18 with nothing remembered in the bind bucket.
enum BSDPairs {
  static let tcp: [BSDRow] = [
    BSDRow(
      "listener, no options; new same address, no options",
      ["tcp 127.0.0.1 listen"], "tcp 127.0.0.1", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "listener without, new with SO_REUSEADDR, same address",
      ["tcp 0.0.0.0 listen"], "tcp 0.0.0.0 A", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "listener and new both SO_REUSEADDR, same address",
      ["tcp 0.0.0.0 A listen"], "tcp 0.0.0.0 A", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "bound but not listening, both SO_REUSEADDR, same address",
      ["tcp 0.0.0.0 A"], "tcp 0.0.0.0 A", "ok in-use in-use in-use in-use"),
    BSDRow(
      "both SO_REUSEPORT, one user, same address",
      ["tcp 0.0.0.0 P listen"], "tcp 0.0.0.0 P", "ok ok ok ok ok"),
    BSDRow(
      "both SO_REUSEPORT, two users, one specific address",
      ["tcp 127.0.0.1 P listen"], "tcp 127.0.0.1 P uid=1002", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "both SO_REUSEPORT, two users, 0.0.0.0",
      ["tcp 0.0.0.0 P listen"], "tcp 0.0.0.0 P uid=1002", "in-use in-use in-use in-use ok"),
    BSDRow(
      "both SO_REUSEPORT, new is root's, first a user's",
      ["tcp 0.0.0.0 P listen"], "tcp 0.0.0.0 P uid=0", "in-use ok ok ok ok"),
    BSDRow(
      "both SO_REUSEPORT, first is root's, new a user's, specific address",
      ["tcp 127.0.0.1 P listen uid=0"], "tcp 127.0.0.1 P", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "first SO_REUSEPORT, new only SO_REUSEADDR",
      ["tcp 0.0.0.0 P listen"], "tcp 0.0.0.0 A", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "first SO_REUSEADDR and SO_REUSEPORT, new only SO_REUSEPORT",
      ["tcp 0.0.0.0 AP listen"], "tcp 0.0.0.0 P", "ok ok ok ok ok"),
    BSDRow(
      "listener 0.0.0.0, new 127.0.0.1, no options",
      ["tcp 0.0.0.0 listen"], "tcp 127.0.0.1", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "listener 0.0.0.0 without, new 127.0.0.1 with SO_REUSEADDR",
      ["tcp 0.0.0.0 listen"], "tcp 127.0.0.1 A", "in-use ok ok ok ok"),
    BSDRow(
      "listener 127.0.0.1 without, new 0.0.0.0 with SO_REUSEADDR",
      ["tcp 127.0.0.1 listen"], "tcp 0.0.0.0 A", "in-use ok ok ok ok"),
    BSDRow(
      "listener 0.0.0.0 and new 127.0.0.1, both SO_REUSEADDR",
      ["tcp 0.0.0.0 A listen"], "tcp 127.0.0.1 A", "in-use ok ok ok ok"),
    BSDRow(
      "listener 0.0.0.0 of one user, new 127.0.0.1 with SO_REUSEADDR of another",
      ["tcp 0.0.0.0 A listen"], "tcp 127.0.0.1 A uid=1002", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "listener 0.0.0.0 of a user, new 127.0.0.1 with SO_REUSEADDR of root",
      ["tcp 0.0.0.0 A listen"], "tcp 127.0.0.1 A uid=0", "in-use ok ok ok ok"),
    BSDRow(
      "two specific addresses, no options",
      ["tcp 127.0.0.1 listen"], "tcp 192.0.2.10", "ok ok ok ok ok"),
    BSDRow(
      "TIME_WAIT, new without options",
      ["tcp 127.0.0.1 A time-wait"], "tcp 0.0.0.0", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "TIME_WAIT of a socket without SO_REUSEADDR, new with",
      ["tcp 127.0.0.1 time-wait"], "tcp 0.0.0.0 A", "in-use ok ok ok ok"),
    BSDRow(
      "TIME_WAIT, SO_REUSEADDR on both",
      ["tcp 127.0.0.1 A time-wait"], "tcp 0.0.0.0 A", "ok ok ok ok ok"),
    BSDRow(
      "TIME_WAIT of another user, SO_REUSEADDR on both",
      ["tcp 127.0.0.1 A time-wait"], "tcp 0.0.0.0 A uid=1002", "ok ok ok ok in-use"),
    BSDRow(
      "connected socket without SO_REUSEADDR alone on the port, new with",
      ["tcp 127.0.0.1 connected"], "tcp 0.0.0.0 A", "in-use ok ok ok ok"),
    BSDRow(
      "CLOSE_WAIT socket alone on the port, new without options",
      ["tcp 127.0.0.1 A connected"], "tcp 0.0.0.0", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "CLOSE_WAIT, SO_REUSEADDR on both, new on the same specific address",
      ["tcp 127.0.0.1 A connected"], "tcp 127.0.0.1 A", "ok ok ok ok ok"),
  ]

  static let families: [BSDRow] = [
    BSDRow(
      "0.0.0.0 listener, new :: with v6only off, no options",
      ["tcp 0.0.0.0 listen"], "tcp :: dual", "in-use ok ok ok ok"),
    BSDRow(
      ":: listener with v6only off, new 0.0.0.0, no options",
      ["tcp :: dual listen"], "tcp 0.0.0.0", "in-use in-use in-use in-use in-use"),
    BSDRow(
      ":: v6only and 0.0.0.0, no options",
      ["tcp :: v6only listen"], "tcp 0.0.0.0", "ok ok ok ok ok"),
    BSDRow(
      "0.0.0.0 and :: v6only, no options",
      ["tcp 0.0.0.0 listen"], "tcp :: v6only", "ok ok ok ok ok"),
    BSDRow(
      ":: v6only, new :: with v6only off, no options",
      ["tcp :: v6only listen"], "tcp :: dual", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "IPV6_V6ONLY left alone: :: listener, new 0.0.0.0, no options",
      ["tcp :: listen"], "tcp 0.0.0.0", "in-use ok ok ok in-use"),
    BSDRow(
      "IPV6_V6ONLY left alone: 0.0.0.0 listener, new ::, no options",
      ["tcp 0.0.0.0 listen"], "tcp ::", "in-use ok ok ok ok"),
    BSDRow(
      "127.0.0.1 listener, new :: with v6only off, no options",
      ["tcp 127.0.0.1 listen"], "tcp :: dual", "in-use in-use in-use in-use in-use"),
    BSDRow(
      ":: listener with v6only off, new 127.0.0.1 with SO_REUSEADDR",
      ["tcp :: dual listen"], "tcp 127.0.0.1 A", "in-use ok ok ok ok"),
    BSDRow(
      ":: with v6only off and 0.0.0.0, udp, SO_REUSEADDR on both",
      ["udp :: A dual"], "udp 0.0.0.0 A", "ok in-use in-use in-use in-use"),
    BSDRow(
      "0.0.0.0 and :: with v6only off, udp, SO_REUSEADDR on both",
      ["udp 0.0.0.0 A"], "udp :: A dual", "ok ok ok ok ok"),
    BSDRow(
      "::ffff:127.0.0.1 on a v6only socket",
      [], "tcp ::ffff:127.0.0.1 v6only", "EINVAL EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL"),
    BSDRow(
      "IPV6_V6ONLY left alone: ::ffff:127.0.0.1",
      [], "tcp ::ffff:127.0.0.1", "ok EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL ok"),
    BSDRow(
      "0.0.0.0 listener of one user, new :: with v6only off of another, no options",
      ["tcp 0.0.0.0 listen"], "tcp :: dual uid=1002", "in-use in-use in-use in-use ok"),
  ]

  static let addresses: [BSDRow] = [
    BSDRow(
      "127.0.0.2 (on no interface)",
      [], "tcp 127.0.0.2", "ok EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL"),
    BSDRow(
      "port 80, a user, 0.0.0.0",
      [], "tcp 0.0.0.0 port=80", "EACCES EACCES EACCES EACCES ok"),
    BSDRow(
      "port 80, a user, 127.0.0.1",
      [], "tcp 127.0.0.1 port=80", "EACCES EACCES EACCES EACCES EACCES"),
    BSDRow(
      "tcp on 224.0.0.1",
      [], "tcp 224.0.0.1", "ok EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT"),
    BSDRow(
      "tcp on ff02::1",
      [], "tcp ff02::1", "EINVAL EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT"),
    BSDRow(
      "fe80::1 without a scope",
      [], "tcp fe80::1", "EINVAL EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL"),
    BSDRow(
      "udp on 255.255.255.255",
      [], "udp 255.255.255.255", "ok EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL"),
    BSDRow(
      "an interface's broadcast address",
      [], "udp 192.0.2.255", "ok ok ok ok ok"),
    BSDRow(
      "an address of no interface",
      [], "tcp 198.51.100.1", "EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL EADDRNOTAVAIL"),
  ]

  static let udp: [BSDRow] = [
    BSDRow(
      "udp, no options, same address",
      ["udp 0.0.0.0"], "udp 0.0.0.0", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "udp, SO_REUSEADDR on both, same unicast address",
      ["udp 0.0.0.0 A"], "udp 0.0.0.0 A", "ok in-use in-use in-use in-use"),
    BSDRow(
      "udp, SO_REUSEPORT on both, one user",
      ["udp 0.0.0.0 P"], "udp 0.0.0.0 P", "ok ok ok ok ok"),
    BSDRow(
      "udp, SO_REUSEPORT on both, two users, 0.0.0.0",
      ["udp 0.0.0.0 P"], "udp 0.0.0.0 P uid=1002", "in-use in-use in-use in-use ok"),
    BSDRow(
      "udp, SO_REUSEADDR on both, two users, same address",
      ["udp 0.0.0.0 A"], "udp 0.0.0.0 A uid=1002", "ok in-use in-use in-use in-use"),
    BSDRow(
      "udp 0.0.0.0 without, new 127.0.0.1 with SO_REUSEADDR",
      ["udp 0.0.0.0"], "udp 127.0.0.1 A", "in-use ok ok ok ok"),
    BSDRow(
      "udp 0.0.0.0 and 127.0.0.1, SO_REUSEADDR on both, two users",
      ["udp 0.0.0.0 A"], "udp 127.0.0.1 A uid=1002", "ok in-use in-use in-use in-use"),
    BSDRow(
      "udp first SO_REUSEADDR, new SO_REUSEPORT, same address",
      ["udp 0.0.0.0 A"], "udp 0.0.0.0 P", "in-use in-use in-use in-use in-use"),
    BSDRow(
      "udp connected socket, new same address with SO_REUSEADDR, one user",
      ["udp 127.0.0.1 connected"], "udp 127.0.0.1 A", "in-use ok ok ok ok"),
    BSDRow(
      "udp connected socket, new same address, two users, SO_REUSEADDR on both",
      ["udp 127.0.0.1 A connected"], "udp 127.0.0.1 A uid=1002", "ok in-use in-use in-use in-use"),
  ]

  static let multicast: [BSDRow] = [
    BSDRow(
      "group bound twice, SO_REUSEADDR on both",
      ["udp 239.1.1.1 A"], "udp 239.1.1.1 A", "ok ok ok ok ok"),
    BSDRow(
      "group bound twice, SO_REUSEPORT on both, one user",
      ["udp 239.1.1.1 P"], "udp 239.1.1.1 P", "ok ok ok ok ok"),
    BSDRow(
      "group: first SO_REUSEADDR, new SO_REUSEPORT",
      ["udp 239.1.1.1 A"], "udp 239.1.1.1 P", "in-use ok ok ok in-use"),
    BSDRow(
      "group: first SO_REUSEPORT, new SO_REUSEADDR",
      ["udp 239.1.1.1 P"], "udp 239.1.1.1 A", "in-use ok ok ok ok"),
    BSDRow(
      "group, SO_REUSEADDR on both, two users",
      ["udp 239.1.1.1 A"], "udp 239.1.1.1 A uid=1002", "ok ok ok ok ok"),
    BSDRow(
      "group, SO_REUSEPORT on both, two users",
      ["udp 239.1.1.1 P"], "udp 239.1.1.1 P uid=1002", "in-use ok ok ok ok"),
    BSDRow(
      "udp 0.0.0.0 without options, new group with SO_REUSEADDR",
      ["udp 0.0.0.0"], "udp 239.1.1.1 A", "in-use ok ok ok ok"),
    BSDRow(
      "group bound twice, new without options",
      ["udp 239.1.1.1 A"], "udp 239.1.1.1", "in-use in-use in-use in-use in-use"),
  ]

  static let balancing: [BSDRow] = [
    BSDRow(
      "both SO_REUSEPORT_LB, one user",
      ["tcp 0.0.0.0 L listen"], "tcp 0.0.0.0 L", "- ok ok ok -"),
    BSDRow(
      "both SO_REUSEPORT_LB, two users, 0.0.0.0",
      ["tcp 0.0.0.0 L listen"], "tcp 0.0.0.0 L uid=1002", "- ok ok in-use -"),
    BSDRow(
      "both SO_REUSEPORT_LB, two users, specific address",
      ["tcp 127.0.0.1 L listen"], "tcp 127.0.0.1 L uid=1002", "- in-use in-use in-use -"),
    BSDRow(
      "first SO_REUSEPORT_LB, new SO_REUSEPORT",
      ["tcp 0.0.0.0 L listen"], "tcp 0.0.0.0 P", "- in-use in-use in-use -"),
    BSDRow(
      "first SO_REUSEPORT, new SO_REUSEPORT_LB",
      ["tcp 0.0.0.0 P listen"], "tcp 0.0.0.0 L", "- in-use in-use in-use -"),
    BSDRow(
      ":: v6only, SO_REUSEPORT_LB on both, two users",
      ["tcp :: L v6only listen"], "tcp :: L v6only uid=1002", "- ok ok in-use -"),
    BSDRow(
      ":: with v6only off, SO_REUSEPORT_LB on both, two users",
      ["tcp :: L dual listen"], "tcp :: L dual uid=1002", "- in-use in-use in-use -"),
  ]

  static let order: [BSDRow] = [
    BSDRow(
      "oldest SO_REUSEPORT and _LB, newest SO_REUSEPORT; new SO_REUSEPORT_LB",
      ["tcp 0.0.0.0 PL", "tcp 0.0.0.0 P"], "tcp 0.0.0.0 L", "- in-use in-use in-use -"),
    BSDRow(
      "oldest SO_REUSEPORT, newest SO_REUSEPORT and _LB; new SO_REUSEPORT_LB",
      ["tcp 0.0.0.0 P", "tcp 0.0.0.0 PL"], "tcp 0.0.0.0 L", "- ok ok ok -"),
    BSDRow(
      "listener 0.0.0.0 and a newer connection on 127.0.0.1, another user's 127.0.0.1 with SO_REUSEADDR",
      ["tcp 0.0.0.0 listen", "tcp 127.0.0.1 connected"], "tcp 127.0.0.1 A uid=1002", "- ok ok ok in-use"),
    BSDRow(
      "listener 0.0.0.0 and an older connection on 127.0.0.1, another user's 127.0.0.1 with SO_REUSEADDR",
      ["tcp 127.0.0.1 connected", "tcp 0.0.0.0 listen"], "tcp 127.0.0.1 A uid=1002", "- in-use in-use in-use in-use"),
    BSDRow(
      "0.0.0.0 and 127.0.0.1 of AF_INET there, new :: with v6only off, no options",
      ["tcp 0.0.0.0 listen", "tcp 127.0.0.1 A listen"], "tcp :: dual", "in-use ok ok ok ok"),
  ]
  static let all = tcp + families + addresses + udp + multicast + balancing + order
}
