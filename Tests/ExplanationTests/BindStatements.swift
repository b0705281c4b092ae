import BindRules
import Glibc
@testable import KernelLab
import SocketModel

private let a = ip("127.0.0.1")
private let any = ip("0.0.0.0")
private let v6any = ip("::")

private func child(_ state: ConnectionState, stays: Bool = false) -> HolderKind {
  .child(state, listenerStays: stays)
}

/// What the long texts say of bind(2) and listen(2), each as real sockets that answer so.
let bindStatements: [String: Check] = [
  "listener.blocks": { lab in
    let listener = Holder(.listening, .tcp, a, options: reuseaddr)
    return try lab.result([listener], Attempt(.tcp, a)) == inUse
      && lab.result([listener], Attempt(.tcp, a), reuseaddr) == inUse
  },
  "listener.gone": { lab in
    let port = try lab.freshPort()
    do { _ = try listening("127.0.0.1", port) }
    _ = try boundSoon("127.0.0.1", port)
    return true
  },
  "bound.blocks": { lab in try lab.result([Holder(.bound, .tcp, a)], Attempt(.tcp, a)) == inUse },
  "bound.after-failed-connect": { lab in
    try lab.result([Holder(.refused, .tcp, a)], Attempt(.tcp, a)) == inUse
  },
  "bound.both-reuseaddr": { lab in
    try lab.result([Holder(.bound, .tcp, a, options: reuseaddr)], Attempt(.tcp, a), reuseaddr) == "ok"
  },
  "bound.one-side": { lab in try lab.result([Holder(.bound, .tcp, a)], Attempt(.tcp, a), reuseaddr) == inUse },
  "udp.blocks": { lab in try lab.result([Holder(.bound, .udp, a)], Attempt(.udp, a)) == inUse },
  "udp.both-reuseaddr": { lab in
    let group = ip("224.0.0.251")
    return try lab.result([Holder(.bound, .udp, a, options: reuseaddr)], Attempt(.udp, a), reuseaddr) == "ok"
      && lab.result([Holder(.bound, .udp, group, options: reuseaddr)], Attempt(.udp, group), reuseaddr) == "ok"
      && lab.result([Holder(.bound, .udp, group, options: reuseport)], Attempt(.udp, group), reuseport) == "ok"
      && lab.result([Holder(.bound, .udp, group)], Attempt(.udp, group), reuseaddr) == inUse
  },
  "wildcard.covers": { lab in
    try lab.result([Holder(.listening, .tcp, ip("127.0.0.53"))], Attempt(.tcp, any)) == inUse
      && lab.result([Holder(.bound, .udp, ip("127.0.0.53"))], Attempt(.udp, any)) == inUse
  },
  "wildcard.reverse": { lab in
    try lab.result([Holder(.listening, .tcp, any)], Attempt(.tcp, a)) == inUse
      && lab.result([Holder(.bound, .udp, any)], Attempt(.udp, a)) == inUse
  },
  "wildcard.other-address": { lab in
    try lab.result([Holder(.listening, .tcp, ip("127.0.0.53"))], Attempt(.tcp, a)) == "ok"
  },
  "wildcard.no-reuseaddr": { lab in
    try lab.result([Holder(.listening, .tcp, any, options: reuseaddr)], Attempt(.tcp, a), reuseaddr) == inUse
  },
  "dual.covers-ipv4": { lab in
    let dual = Holder(.listening, .tcp, v6any, v6only: false)
    return try lab.result([dual], Attempt(.tcp, any)) == inUse && lab.result([dual], Attempt(.tcp, a)) == inUse
  },
  "dual.reverse": { lab in
    try lab.result([Holder(.listening, .tcp, any)], Attempt(.tcp, v6any, v6only: false)) == inUse
  },
  "dual.v6only": { lab in
    try lab.result([Holder(.listening, .tcp, v6any, v6only: true)], Attempt(.tcp, any)) == "ok"
      && lab.result([Holder(.listening, .tcp, any)], Attempt(.tcp, v6any, v6only: true)) == "ok"
  },
  "inherited.last-copy": { lab in
    let port = try lab.freshPort()
    let listener = try listening("127.0.0.1", port)
    let copy = Socket(descriptor: dup(listener.descriptor))
    _ = consume listener
    let isTaken = fails("EADDRINUSE") { _ = try bound(.tcp, "127.0.0.1", port, reuseaddr) }
    _ = consume copy
    _ = try boundSoon("127.0.0.1", port)
    return isTaken
  },
  "inherited.exec": { lab in try portIsTakenByChild(&lab, closeOnExec: false) },
  "inherited.cloexec": { lab in try !portIsTakenByChild(&lab, closeOnExec: true) },
  "timewait.closer": { lab in
    let port = try lab.freshPort()
    let listener = try listening("127.0.0.1", port)
    let client = try Socket.open(.tcp, .ipv4)
    try client.connectTCP("127.0.0.1", port)
    let accepted = try listener.accept()
    let clientPort = client.port
    _ = consume client
    _ = SystemCalls.poll(accepted.descriptor, events: 1, milliseconds: 2000)
    _ = consume accepted
    func states(_ port: Port) throws -> [SocketState] { try lab.socketTable(port).map(\.state) }
    for round in 0..<4000 where try states(clientPort) != [.timeWait] { SystemCalls.pause(round: round) }
    return try states(clientPort) == [.timeWait] && states(port) == [.listen]
  },
  "timewait.blocks": { lab in
    try lab.result([Holder(child(.timeWait), .tcp, a, options: reuseaddr)], Attempt(.tcp, a)) == inUse
  },
  "timewait.both": { lab in
    try lab.result([Holder(child(.timeWait), .tcp, a, options: reuseaddr)], Attempt(.tcp, a), reuseaddr) == "ok"
  },
  "timewait.one-side": { lab in
    try lab.result([Holder(child(.timeWait), .tcp, a)], Attempt(.tcp, a), reuseaddr) == inUse
  },
  "timewait.inherits": { lab in
    let late = Change(.afterListen, .reuseaddr(false))
    let early = Holder(child(.timeWait), .tcp, a, options: reuseaddr, changes: [late])
    return try lab.result([early], Attempt(.tcp, a), reuseaddr) == inUse
      && lab.result([Holder(child(.timeWait), .tcp, a, options: reuseaddr)], Attempt(.tcp, a), reuseaddr) == "ok"
  },
  "timewait.fin-timeout": { lab in
    try lab.setSysctl("ipv4/tcp_fin_timeout", "1")
    let copy = try lab.build(Scenario([Holder(child(.timeWait), .tcp, a)], Attempt(.tcp, a)))
    sleep(3)
    return try lab.socketTable(copy.port).map(\.state) == [.timeWait]
  },
  "leftover.blocks": { lab in
    try lab.result([Holder(child(.established), .tcp, a)], Attempt(.tcp, a)) == inUse
      && lab.result([Holder(child(.closeWait), .tcp, a)], Attempt(.tcp, a)) == inUse
  },
  "leftover.both": { lab in
    try lab.result([Holder(child(.established), .tcp, a, options: reuseaddr)], Attempt(.tcp, a), reuseaddr) == "ok"
      && lab.result([Holder(child(.finWait2), .tcp, a, options: reuseaddr)], Attempt(.tcp, a), reuseaddr) == "ok"
  },
  "leftover.one-side": { lab in
    try lab.result([Holder(child(.established), .tcp, a)], Attempt(.tcp, a), reuseaddr) == inUse
  },
  "leftover-dual.blocks": { lab in
    try lab.result([Holder(child(.established), .tcp, v6any, v6only: false, peer: ip("::1"))], Attempt(.tcp, any))
      == inUse
  },
  "leftover-dual.v6only": { lab in
    try lab.result([Holder(child(.established), .tcp, v6any, v6only: true, peer: ip("::1"))], Attempt(.tcp, any))
      == "ok"
  },
  "leftover-dual.address": { lab in
    try lab.result([Holder(child(.established), .tcp, v6any, v6only: false, peer: ip("::1"))], Attempt(.tcp, a))
      == "ok"
  },
  "leftover-dual.both": { lab in
    let child = Holder(child(.established), .tcp, v6any, options: reuseaddr, v6only: false, peer: ip("::1"))
    return try lab.result([child], Attempt(.tcp, any), reuseaddr) == "ok"
  },
  "client.range": { lab in
    let port = try lab.freshPort()
    try lab.setSysctl("ipv4/ip_local_port_range", "\(port) \(port)")
    let server = try listening("127.0.0.1", try lab.freshPort())
    let client = try Socket.open(.tcp, .ipv4)
    try client.connectTCP("127.0.0.1", server.port)
    return client.port == port
  },
  "client.blocks": { lab in
    try lab.result([Holder(.client(.established), .tcp, a, port: .automatic)], Attempt(.tcp, a)) == inUse
      && lab.result([Holder(.client(.timeWait), .tcp, a, port: .automatic)], Attempt(.tcp, a)) == inUse
  },
  "client.reserved": { lab in
    let (first, second) = (try lab.freshPort(), try lab.freshPort())
    let server = try listening("127.0.0.1", try lab.freshPort())
    try lab.setSysctl("ipv4/ip_local_port_range", "\(first) \(second)")
    try lab.setSysctl("ipv4/ip_local_reserved_ports", "\(first)")
    let client = try Socket.open(.tcp, .ipv4)
    try client.connectTCP("127.0.0.1", server.port)
    let other = try Socket.open(.tcp, .ipv4)
    try? other.connectTCP("127.0.0.1", server.port)
    return client.port == second && other.port != first
  },
  "client.reserved-bind": { lab in
    let port = try lab.freshPort()
    try lab.setSysctl("ipv4/ip_local_reserved_ports", "\(port)")
    _ = try listening("127.0.0.1", port)
    return true
  },
  "client.reuseaddr": { lab in
    let client = Holder(.client(.established), .tcp, a, port: .automatic)
    return try lab.result([client], Attempt(.tcp, a), reuseaddr) == inUse
  },
  "self.possible": { lab in
    let copy = try lab.build(Scenario([Holder(.selfConnected, .tcp, a)], Attempt(.tcp, a)))
    return try lab.socketTable(copy.port).contains { $0.state == .established && $0.local == $0.remote }
  },
  "self.blocks": { lab in try lab.result([Holder(.selfConnected, .tcp, a)], Attempt(.tcp, a)) == inUse },
]

/// Whether a program started from here keeps the port after the listener was closed here.
private func portIsTakenByChild(_ lab: inout NetworkNamespace, closeOnExec: Bool) throws -> Bool {
  let port = try lab.freshPort()
  let child: pid_t
  do {
    let listener = try Socket.open(.tcp, .ipv4, reuseaddr, closeOnExec: closeOnExec)
    try listener.bind("127.0.0.1", port)
    try listener.listen()
    child = try spawnSleep()
  }
  defer { reap(child) }
  return fails("EADDRINUSE") { _ = try boundSoon("127.0.0.1", port, reuseaddr) }
}

/// Starts `sleep 60`, which inherits what is not close-on-exec.
func spawnSleep() throws -> pid_t {
  var child: pid_t = 0
  var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
  defer { for argument in arguments { free(argument) } }
  guard posix_spawn(&child, "/bin/sleep", nil, nil, &arguments, nil) == 0 else { throw NotBuilt(what: "sleep") }
  return child
}

func reap(_ child: pid_t) {
  kill(child, SIGKILL)
  var status: Int32 = 0
  waitpid(child, &status, 0)
}
