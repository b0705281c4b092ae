import BindRules
import Glibc
@testable import KernelLab
import SocketModel

private let a = ip("127.0.0.1")
private let any = ip("0.0.0.0")

/// What the long texts say of options, users and the checks before the port, each as real sockets that answer so.
let optionStatements: [String: Check] = [
  "listen.first-wins": { lab in
    let pair = [Holder(.bound, .tcp, a, options: reuseaddr), Holder(.bound, .tcp, a, options: reuseaddr)]
    let copy = try lab.build(Scenario(pair, Attempt(.tcp, a)))
    return copy.outcomes.allSatisfy(\.isBuilt) && copy.tryListen(holder: 1) == .ok
  },
  "listen.second-fails": { lab in
    let pair = [Holder(.bound, .tcp, a, options: reuseaddr), Holder(.bound, .tcp, a, options: reuseaddr)]
    let copy = try lab.build(Scenario(pair, Attempt(.tcp, a)))
    guard copy.tryListen(holder: 0) == .ok, copy.tryListen(holder: 1) == .fails(.addressInUse) else { return false }
    return copy.sockets[1].main.flatMap { try? SystemCalls.localAddress($0).port } == copy.port.rawValue
  },
  "reuseport.both": { lab in
    try lab.result([Holder(.listening, .tcp, a, options: reuseport)], Attempt(.tcp, a), reuseport) == "ok"
      && lab.result([Holder(.listening, .tcp, a)], Attempt(.tcp, a), reuseport) == inUse
      && lab.result([Holder(.listening, .tcp, a, options: reuseport)], Attempt(.tcp, a)) == inUse
  },
  "reuseport.not-past": { lab in
    try lab.result([Holder(.listening, .tcp, a, options: reuseaddr)], Attempt(.tcp, a), both) == inUse
  },
  "reuseport.number": { lab in
    let socket = try Socket.open(.tcp, .ipv4)
    var (on, read, size): (Int32, Int32, socklen_t) = (1, 0, socklen_t(MemoryLayout<Int32>.size))
    guard setsockopt(socket.descriptor, SOL_SOCKET, 15, &on, size) == 0,
      getsockopt(socket.descriptor, SOL_SOCKET, 15, &read, &size) == 0
    else { return false }
    return read == 1 && SO_REUSEPORT == 15
  },
  "reuseport.same-user": { lab in
    let theirs = Holder(.listening, .tcp, a, options: reuseport, uid: 1000)
    return try lab.result([theirs], Attempt(.tcp, a, uid: 1001), reuseport) == inUse
      && lab.result([theirs], Attempt(.tcp, a, uid: 1000), reuseport) == "ok"
  },
  "reuseport.root": { lab in
    try lab.result([Holder(.listening, .tcp, a, options: reuseport, uid: 1000)], Attempt(.tcp, a), reuseport) == inUse
  },
  // The lab's sockets are made as another user, and bound as root.
  "reuseport.creator": { lab in
    try lab.result(
      [Holder(.listening, .tcp, a, options: reuseport, uid: 1000)], Attempt(.tcp, a, uid: 1000), reuseport) == "ok"
  },
  "reuseport.fchown": { lab in
    let theirs = Holder(
      .listening, .tcp, a, options: reuseport, uid: 1000, changes: [Change(.end, .owner(0))])
    return try lab.result([theirs], Attempt(.tcp, a), reuseport) == "ok"
  },
  "reuseaddr.addresses": { lab in
    try lab.result([Holder(.listening, .tcp, ip("127.0.0.2"))], Attempt(.tcp, a)) == "ok"
  },
  "reuseaddr.pair": { lab in
    try lab.result([Holder(.bound, .tcp, a)], Attempt(.tcp, a), reuseaddr) == inUse
      && lab.result([Holder(.bound, .tcp, a, options: reuseaddr)], Attempt(.tcp, a)) == inUse
      && lab.result([Holder(.bound, .tcp, a, options: reuseaddr)], Attempt(.tcp, a), reuseaddr) == "ok"
  },
  "udp.mixed": { lab in
    try lab.result([Holder(.bound, .udp, any, options: reuseport)], Attempt(.udp, any), reuseaddr) == inUse
      && lab.result([Holder(.bound, .udp, any, options: reuseaddr)], Attempt(.udp, any), reuseport) == inUse
  },
  "udp.set-both": { lab in
    try lab.result([Holder(.bound, .udp, any, options: reuseport)], Attempt(.udp, any), both) == "ok"
      && lab.result([Holder(.bound, .udp, any, options: reuseaddr)], Attempt(.udp, any), both) == "ok"
  },
  "udp.order": { lab in
    let (plain, sharing) = (
      Holder(.bound, .udp, a), Holder(.bound, .udp, ip("127.0.0.2"), options: reuseport)
    )
    return try lab.result([plain, sharing], Attempt(.udp, any), reuseport) == "ok"
      && lab.result([sharing, plain], Attempt(.udp, any), reuseport) == inUse
  },
  "order.tcp": { lab in
    let (first, second) = (
      Holder(.bound, .tcp, a, options: reuseaddr), Holder(.bound, .tcp, any, options: both)
    )
    return try lab.result([first, second], Attempt(.tcp, a), reuseport) == "ok"
      && lab.result([second, first], Attempt(.tcp, a), reuseport) == inUse
  },
  "privileged.eacces": { lab in
    let attempt = Attempt(.tcp, a, uid: 1000, mayBindPrivileged: false)
    return try lab.result([], attempt, port: .privileged) == "bind: EACCES" && lab.result([], attempt) == "ok"
  },
  "privileged.sysctl": { lab in
    try lab.setSysctl("ipv4/ip_unprivileged_port_start", "0")
    let attempt = Attempt(.tcp, a, uid: 1000, mayBindPrivileged: false)
    return try lab.result([], attempt, port: .privileged) == "ok"
  },
  "address.not-local": { lab in
    try lab.result([], Attempt(.tcp, ip("203.0.113.1"))) == "bind: EADDRNOTAVAIL"
      && lab.result([], Attempt(.tcp, ip("2001:db8::1"))) == "bind: EADDRNOTAVAIL"
  },
  "address.no-reuse": { lab in
    try lab.result([], Attempt(.tcp, ip("203.0.113.1")), both) == "bind: EADDRNOTAVAIL"
  },
  "address.freebind": { lab in
    for address in ["203.0.113.1", "2001:db8::1"] {
      let socket = try Socket.open(.tcp, ip(address).family)
      try SystemCalls.setOption(socket.descriptor, SocketOption(level: 0, number: 15), 1)
      try socket.bind(address, try lab.freshPort())
    }
    try lab.setSysctl("ipv4/ip_nonlocal_bind", "1")
    return try lab.result([], Attempt(.tcp, ip("203.0.113.1"))) == "ok"
  },
  "ipv6.disabled": { lab in
    try lab.setSysctl("ipv6/conf/all/disable_ipv6", "1")
    return try lab.result([], Attempt(.tcp, ip("::1"))) == "bind: EADDRNOTAVAIL"
  },
  "ipv6.disabled-wildcard": { lab in
    try lab.setSysctl("ipv6/conf/all/disable_ipv6", "1")
    return try lab.result([], Attempt(.tcp, ip("::"))) == "ok"
  },
  "address.loopback-net": { lab in try lab.result([], Attempt(.tcp, ip("127.200.3.4"))) == "ok" },
  "address.other-device": { lab in
    try lab.result([], Attempt(.tcp, ip("::1"), device: .dev0)) == "bind: EADDRNOTAVAIL"
      && lab.result([], Attempt(.tcp, ip("::1"))) == "ok"
  },
  "address.tentative": { lab in
    try makeTentative(lab)
    return try lab.result([], Attempt(.tcp, ip("fd55::1"))) == "bind: EADDRNOTAVAIL"
  },
  "address.tentative-freebind": { lab in
    try makeTentative(lab)
    let port = try lab.freshPort()
    let isRefused = fails("EADDRNOTAVAIL") { _ = try bound(.tcp, "fd55::1", port) }
    let socket = try Socket.open(.tcp, .ipv6)
    try SystemCalls.setOption(socket.descriptor, SocketOption(level: 0, number: 15), 1)
    try socket.bind("fd55::1", port)
    return isRefused
  },
  "device.missing": { lab in try lab.result([], Attempt(.tcp, any, device: .missing)) == "device: ENODEV" },
  "multicast.tcp": { lab in
    try lab.result([], Attempt(.tcp, ip("ff02::1"), scope: .dev0)) == "bind: EINVAL"
  },
  "scope.missing": { lab in try lab.result([], Attempt(.tcp, ip("fe80::77"))) == "bind: EINVAL" },
  "scope.given": { lab in try lab.result([], Attempt(.tcp, ip("fe80::77"), scope: .dev0)) == "ok" },
  "mapped.v6only": { lab in
    try lab.result([], Attempt(.tcp, ip("::ffff:127.0.0.1"), v6only: true)) == "bind: EINVAL"
      && lab.result([], Attempt(.tcp, ip("::ffff:127.0.0.1"), v6only: false)) == "ok"
  },
  // The bytes that the kernel lists of two sockets that differ in nothing else are the same.
  "hidden.flags": { lab in
    let port = try lab.freshPort()
    var rows: [SocketTableRow] = []
    for options in [none, both] {
      let socket = try boundSoon("127.0.0.1", port, options)
      try socket.listen()
      rows += try lab.socketTable(port).map { row in
        var row = row
        row.inode = 0
        return row
      }
      _ = consume socket
    }
    return rows.count == 2 && rows[0] == rows[1]
  },
]

/// An address on dev0 whose duplicate address detection has just begun.
func makeTentative(_ lab: borrowing NetworkNamespace) throws {
  for name in ["all", "dev0"] { try lab.setSysctl("ipv6/conf/\(name)/accept_dad", "1") }
  try lab.setSysctl("ipv6/conf/dev0/dad_transmits", "10")
  var setup = try InterfaceSetup()
  try setup.addAddress(ip("fd55::1"), prefix: 64, to: "dev0", isChecked: true)
}
