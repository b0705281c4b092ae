import BindRules
import Glibc
@testable import KernelLab
import SocketModel

/// What the long texts say of who receives, each with real datagrams and connections.
let trafficStatements: [String: Check] = [
  "udp.last-bound": { lab in
    let port = try lab.freshPort()
    let first = try bound(.udp, "127.0.0.1", port, reuseaddr)
    let second = try bound(.udp, "127.0.0.1", port, reuseaddr)
    let third = try bound(.udp, "127.0.0.1", port, reuseaddr)
    try send(20, to: "127.0.0.1", port)
    return [first.pending(.udp), second.pending(.udp), third.pending(.udp)] == [0, 0, 20]
  },
  "udp.connected-first": { lab in
    let port = try lab.freshPort()
    let sender = try bound(.udp, "127.0.0.1", try lab.freshPort())
    let connected = try bound(.udp, "127.0.0.1", port, reuseaddr)
    try connected.connect("127.0.0.1", sender.port)
    let later = try bound(.udp, "127.0.0.1", port, reuseaddr)
    try sender.connect("127.0.0.1", port)
    try sender.sendByte()
    try send(5, to: "127.0.0.1", port)
    return connected.pending(.udp) == 1 && later.pending(.udp) == 5
  },
  "udp.specific-first": { lab in
    let port = try lab.freshPort()
    let specific = try bound(.udp, "127.0.0.1", port, reuseaddr)
    let wildcard = try bound(.udp, "0.0.0.0", port, reuseaddr)
    try send(5, to: "127.0.0.1", port)
    try send(3, to: "127.0.0.2", port)
    return specific.pending(.udp) == 5 && wildcard.pending(.udp) == 3
  },
  "receive.ipv4-first": { lab in
    let port = try lab.freshPort()
    let v4 = try bound(.udp, "0.0.0.0", port, reuseaddr)
    let dual = try bound(.udp, "::", port, reuseaddr)
    try send(5, to: "127.0.0.1", port)
    try send(3, to: "::1", port)
    let tcpPort = try lab.freshPort()
    let tcp = try listening("0.0.0.0", tcpPort, reuseport)
    let tcpDual = try listening("::", tcpPort, reuseport)
    try connect(5, to: "127.0.0.1", tcpPort)
    return v4.pending(.udp) == 5 && dual.pending(.udp) == 3 && tcp.pending(.tcp) == 5 && tcpDual.pending(.tcp) == 0
  },
  "share.hash": { lab in
    let port = try lab.freshPort()
    let first = try listening("127.0.0.1", port, reuseport)
    let second = try listening("127.0.0.1", port, reuseport)
    try connect(40, to: "127.0.0.1", port)
    let counts = [first.pending(.tcp), second.pending(.tcp)]
    let udpPort = try lab.freshPort()
    let third = try bound(.udp, "127.0.0.1", udpPort, reuseport)
    let fourth = try bound(.udp, "127.0.0.1", udpPort, reuseport)
    try send(1, to: "127.0.0.1", udpPort, repeated: 10)
    let ofOnePeer = [third.pending(.udp), fourth.pending(.udp)].sorted()
    try send(40, to: "127.0.0.1", udpPort)
    let ofMany = [third.pending(.udp), fourth.pending(.udp)]
    return counts.reduce(0, +) == 40 && !counts.contains(0) && ofOnePeer == [0, 10] && !ofMany.contains(0)
  },
  "share.silent": { lab in
    try lab.result(
      [Holder(.listening, .tcp, ip("0.0.0.0"), options: reuseport)], Attempt(.tcp, ip("0.0.0.0")), reuseport)
      == "ok"
  },
  "share.specific": { lab in
    let port = try lab.freshPort()
    let wildcard = try listening("0.0.0.0", port, reuseport)
    let specific = try listening("127.0.0.1", port, reuseport)
    try connect(5, to: "127.0.0.1", port)
    try connect(3, to: "127.0.0.2", port)
    return specific.pending(.tcp) == 5 && wildcard.pending(.tcp) == 3
  },
  "multicast.copy": { lab in try isCopiedToMembers(&lab, reuseaddr) },
  "multicast.reuseport-copy": { lab in try isCopiedToMembers(&lab, reuseport) },
  "multicast.group-bind": { lab in
    let port = try lab.freshPort()
    let onGroup = try bound(.udp, "224.0.0.251", port, reuseaddr)
    try onGroup.join("224.0.0.251")
    try send(3, to: "127.0.0.1", port)
    try send(2, to: "224.0.0.251", port)
    return onGroup.pending(.udp) == 2
  },
]

private func isCopiedToMembers(_ lab: inout NetworkNamespace, _ options: ReuseOptions) throws -> Bool {
  let port = try lab.freshPort()
  let first = try bound(.udp, "0.0.0.0", port, options)
  let second = try bound(.udp, "0.0.0.0", port, options)
  try first.join("224.0.0.251")
  try second.join("224.0.0.251")
  try send(4, to: "224.0.0.251", port)
  return first.pending(.udp) == 4 && second.pending(.udp) == 4
}

/// Opens connections and closes them; each stays in the listener's queue.
func connect(_ count: Int, to address: String, _ port: Port) throws {
  for _ in 0..<count {
    let client = try Socket.open(.tcp, ip(address).family)
    try client.connectTCP(address, port)
  }
}
