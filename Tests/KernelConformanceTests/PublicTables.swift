// Own rows for the facts of the tests that each table names; nothing of their text is used.
// Linux: tools/testing/selftests/net. gVisor: test/syscalls/linux and pkg/tcpip/ports.
//
// A row: the sockets, bound in this order, `=>` the bind beside them, `:` what it answers. `*` stands for 1 to 20.

/// What the attempts without options, with SO_REUSEADDR, with SO_REUSEPORT and with both answer.
let answers: [String: [String]] = [
  "free": ["ok", "ok", "ok", "ok"],
  "taken": ["in-use", "in-use", "in-use", "in-use"],
  "RA": ["in-use", "ok", "in-use", "ok"],
  "RP": ["in-use", "in-use", "ok", "ok"],
  "either": ["in-use", "ok", "ok", "ok"],
]

/// Wildcards and loopback addresses of both families, as second and as first socket: X where they overlap.
private let overlaps: [(address: String, marks: String)] = [
  ("0.0.0.0", "XXX..XX"), ("127.0.0.1", "XXX..XX"), (":: DUAL", "XXXXXXX"), (":: V6ONLY", "..XXX.."),
  ("::1", "..XXX.."), ("::ffff:0.0.0.0", "XXX..XX"), ("::ffff:127.0.0.1", "XXX..XX"),
]

/// Every address beside every other, the first with each of these options; SO_REUSEADDR never helps beside a listener.
private func pairs(_ what: String, _ options: [String], prefix: String = "") -> [TableRow] {
  let names = ["": "taken", "RA": what == "bound" ? "RA" : "taken", "RP": "RP", "RA RP": "either"]
  var rows: [TableRow] = []
  for second in overlaps {
    for (first, mark) in zip(overlaps, second.marks) {
      for option in options {
        let answer = mark == "X" ? names[option] ?? "" : "free"
        rows.append(
          TableRow("\(prefix)\(what) \(first.address) \(option) => \(prefix)\(second.address) : \(answer)"))
      }
    }
  }
  return rows
}

private func rows(_ text: String, prefix: String = "") -> [TableRow] {
  text.split(separator: "\n").map { TableRow(String($0), prefix: prefix) }
}

let publicTables: [PublicTable] = [
  // 0.0.0.0, 127.0.0.1, ::, ::1 and the IPv4-mapped forms against each other, and beside two.
  PublicTable("bind_wildcard", pairs("bound", ["", "RA", "RP", "RA RP"]), rows(bindWildcard)),
  PublicTable("bind_timewait", rows(bindTimewait)),
  PublicTable("bind_bhash", rows(bindBhash)),
  PublicTable("reuseaddr_conflict", rows(reuseaddrConflict)),
  PublicTable("reuseaddr_ports_exhausted", rows(reuseaddrPortsExhausted)),
  PublicTable("reuseport_addr_any", rows(reuseportAddrAny), rows(reuseportAddrAny, prefix: "udp ")),
  PublicTable("reuseport_dualstack", rows(reuseportDualstack), rows(reuseportDualstack, prefix: "udp ")),
  PublicTable("sk_bind_sendto_listen", rows(skBindSendtoListen)),
  PublicTable("sk_connect_zero_addr", rows(skConnectZeroAddr)),
  PublicTable("tcp_port_share", rows(tcpPortShare)),
  PublicTable("ip_local_port_range", rows(ipLocalPortRange), rows(ipLocalPortRange, prefix: "udp ")),
  PublicTable(
    "socket_bind_to_device_sequence", rows(bindToDevice), rows(bindToDevice, prefix: "udp "),
    rows(listenOnDevice)),
  // The pairs among listeners, and what connections leave behind.
  PublicTable("socket_inet_loopback", pairs("listening", ["", "RA", "RP"]), rows(socketInetLoopback)),
  // gVisor's model is not Linux in all of them; the answers here are Linux's.
  PublicTable(
    "ports_test", pairs("bound", ["", "RA", "RP", "RA RP"], prefix: "udp "), rows(portsTest), rows(portsTestUDP)),
]

private let bindWildcard = """
  bound 0.0.0.0; bound :: V6ONLY => 127.0.0.1 : taken
  bound :: V6ONLY; bound 0.0.0.0 => 127.0.0.1 : taken
  bound 0.0.0.0; bound :: V6ONLY => ::1 : taken
  bound :: V6ONLY; bound 0.0.0.0 => ::ffff:127.0.0.1 : taken
  bound 127.0.0.1; bound ::1 => :: V6ONLY : taken
  bound 127.0.0.1 => :: V6ONLY : free
  """

/// TIME_WAIT is in the way of its address and of the wildcard.
private let bindTimewait = """
  timewait-only 127.0.0.1 => 127.0.0.1 : taken
  timewait-only 127.0.0.1 => 0.0.0.0 : taken
  timewait-only 0.0.0.0 => 127.0.0.1 : taken
  timewait-only 0.0.0.0 => 127.0.0.2 : free
  timewait-only 127.0.0.1 => ::ffff:127.0.0.1 : taken
  timewait-only 127.0.0.1 => :: DUAL : taken
  timewait-only 127.0.0.1 => :: V6ONLY : free
  timewait-only 127.0.0.1 RA => 0.0.0.0 : RA
  timewait-only 127.0.0.1 RP uid=1000 => 127.0.0.1 : RP
  timewait-only ::1 => ::1 : taken
  timewait-only ::1 V6ONLY => 0.0.0.0 : free
  """

/// With sockets on many addresses of one port, one more on a taken address is refused.
private let bindBhash = """
  bound 127.0.1.* RP => 127.0.1.7 : RP
  bound 127.0.1.* RP => 127.0.1.99 : free
  bound 127.0.1.* RA => 0.0.0.0 : RA
  bound 127.0.1.* => :: V6ONLY : free
  listening 127.0.1.* RA => 127.0.1.7 : taken
  """

/// A V6ONLY socket in between does not let a second 0.0.0.0 in.
private let reuseaddrConflict = """
  bound 0.0.0.0; bound :: V6ONLY RA => 0.0.0.0 : taken
  listening 0.0.0.0 RA; bound :: V6ONLY RA => 0.0.0.0 : taken
  listening 0.0.0.0 RA; listening :: V6ONLY RA => :: DUAL : taken
  bound 0.0.0.0 RA; bound :: V6ONLY => 0.0.0.0 : RA
  """

/// As far as a port is named: who may share it by which option and user.
private let reuseaddrPortsExhausted = """
  bound 127.0.0.1 RA => 127.0.0.1 : RA
  bound 127.0.0.1 RA uid=1000 => 127.0.0.1 uid=1001 : RA
  bound 127.0.0.1 RA RP => 127.0.0.1 : either
  bound 127.0.0.1 RA RP uid=1000 => 127.0.0.1 uid=1001 : RA
  listening 127.0.0.1 RA => 127.0.0.1 : taken
  listening 127.0.0.1 RA RP uid=1000 => 127.0.0.1 uid=1001 : taken
  listening 127.0.0.1 RA RP uid=1000 => 127.0.0.1 uid=1000 : RP
  """

/// Groups on an address and on the wildcards of both families live side by side.
private let reuseportAddrAny = """
  bound 0.0.0.0 RP; bound :: DUAL RP; bound 127.0.0.1 RP => 127.0.0.1 : RP
  bound ::1 RP; bound 127.0.0.1 RP; bound 0.0.0.0 RP => :: DUAL : RP
  bound 127.0.0.1 RP uid=1000 => 0.0.0.0 : taken
  """

/// An IPv4 and a dual-stack group on one port.
private let reuseportDualstack = """
  bound 0.0.0.0 RP; bound 0.0.0.0 RP => :: DUAL : RP
  bound :: DUAL RP; bound :: DUAL RP => 0.0.0.0 : RP
  bound :: DUAL RP => :: V6ONLY : RP
  """

/// A bound socket whose connection failed keeps its port, and of a dual-stack wildcard what connect(2) made of it.
private let skBindSendtoListen = """
  refused 0.0.0.0 => 0.0.0.0 : taken
  refused 0.0.0.0 RA => 0.0.0.0 : RA
  refused :: DUAL RA peer=::1 => :: DUAL : RA
  refused :: DUAL peer=::1 => ::1 : taken
  refused :: DUAL peer=::1 => 127.0.0.1 : free
  disconnected 0.0.0.0 RA peer=127.0.0.1 => 127.0.0.2 : RA
  """

/// A wildcard socket that connected to its own host, and to itself.
private let skConnectZeroAddr = """
  selfconnect 0.0.0.0 => 127.0.0.1 : taken
  selfconnect 127.0.0.1 RA => 0.0.0.0 : RA
  selfconnect ::1 => 0.0.0.0 : free
  client 0.0.0.0 peer=127.0.0.1 => 127.0.0.1 : taken
  client 0.0.0.0 peer=127.0.0.1 => 127.0.0.2 : free
  client :: DUAL peer=::1 => ::1 : taken
  """

/// A port that connect(2) chose is taken for bind(2), on the connection's address alone.
private let tcpPortShare = """
  auto-client 127.0.0.1 => 127.0.0.1 : taken
  auto-client 127.0.0.1 => 0.0.0.0 : taken
  auto-client 127.0.0.1 => 127.0.0.2 : free
  auto-client 127.0.0.1 RA => 127.0.0.1 : RA
  auto-client 127.0.0.1 RP => 127.0.0.1 : RP
  auto-client 127.0.0.1 => :: V6ONLY : free
  auto-timewait 127.0.0.1 RA => 127.0.0.1 : RA
  auto-timewait 127.0.0.1 => 127.0.0.1 : taken
  """

/// A named port outside the range is free, and one in use stays in use.
private let ipLocalPortRange = """
  => 127.0.0.1 : free
  bound 127.0.0.1 => 127.0.0.1 : taken
  bound ::1 => ::1 : taken
  """

/// The same device, another one or none, with the reuse options.
private let bindToDevice = """
  bound 0.0.0.0 dev=dev0 => 0.0.0.0 dev=dev1 : free
  bound 0.0.0.0 dev=dev0 => 0.0.0.0 dev=dev0 : taken
  bound 0.0.0.0 dev=dev0 => 0.0.0.0 : taken
  bound 0.0.0.0 => 0.0.0.0 dev=dev0 : taken
  bound 0.0.0.0 dev=dev0; bound 0.0.0.0 dev=dev1 => 0.0.0.0 : taken
  bound 0.0.0.0 dev=dev0 RA; bound 0.0.0.0 dev=dev1 RA => 0.0.0.0 : RA
  bound 0.0.0.0 dev=dev0 RP; bound 0.0.0.0 dev=dev1 RP => 0.0.0.0 : RP
  bound 0.0.0.0 RA; bound 0.0.0.0 dev=dev0 RA => 0.0.0.0 dev=dev0 : RA
  bound 0.0.0.0 dev=dev0 end:dev=none => 0.0.0.0 dev=dev1 : taken
  bound 0.0.0.0 dev=dev0 end:dev=dev1 => 0.0.0.0 dev=dev0 : free
  """
private let listenOnDevice = """
  listening 0.0.0.0 dev=dev0 RA => 0.0.0.0 dev=dev0 : taken
  listening 0.0.0.0 dev=dev0 RA => 0.0.0.0 dev=dev1 : free
  """

private let socketInetLoopback = """
  timewait-only 127.0.0.1 => 127.0.0.1 : taken
  timewait-only 127.0.0.1 RA => 127.0.0.1 : RA
  timewait-only 0.0.0.0 RA peer=127.0.0.1 => 127.0.0.2 : free
  timewait-only :: DUAL RA peer=127.0.0.1 => 127.0.0.1 : RA
  timewait :: DUAL RA peer=::1 => ::1 : taken
  child-only :: DUAL peer=127.0.0.1 => 0.0.0.0 : taken
  child-only :: DUAL peer=127.0.0.1 => :: V6ONLY : free
  child-only :: DUAL peer=::1 => 0.0.0.0 : taken
  child-only :: V6ONLY peer=::1 => 0.0.0.0 : free
  queued 127.0.0.1 RA => 127.0.0.1 : taken
  mptcp-listening 127.0.0.1 RP => 127.0.0.1 : RP
  mptcp-child-only ::1 => 0.0.0.0 : free
  mptcp-child-only :: DUAL peer=::1 => 0.0.0.0 : taken
  mptcp-child-only ::1 => :: V6ONLY : taken
  """

private let portsTest = """
  bound 127.0.0.1 RA; bound 127.0.0.1 RA RP => 127.0.0.1 : either
  bound 127.0.0.1 RA RP; bound 127.0.0.1 RA => 127.0.0.1 : RA
  bound 127.0.0.1 => 127.0.0.2 : free
  """
private let portsTestUDP = """
  udp bound 127.0.0.1 RA; udp bound 127.0.0.1 RA => udp 127.0.0.1 : RA
  udp bound 127.0.0.1 RP; udp bound 127.0.0.1 RP => udp 0.0.0.0 : RP
  udp bound 127.0.0.1 RA RP; udp bound 127.0.0.1 RA => udp 127.0.0.1 : RA
  udp bound 127.0.0.1 => udp 127.0.0.2 : free
  """
