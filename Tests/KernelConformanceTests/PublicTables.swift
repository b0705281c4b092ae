// Own rows for the facts of the tests listed in the comment of each table; nothing of their text is used.
// Linux: tools/testing/selftests/net. gVisor: test/syscalls/linux and pkg/tcpip/ports.

/// What the four attempts say beside one bound, overlapping socket with these options.
private let besideBound = [
  "": "in-use in-use in-use in-use", " RA": "in-use ok in-use ok", " RP": "in-use in-use ok ok",
  " RA RP": "in-use ok ok ok",
]
/// The same beside a listener, whose SO_REUSEADDR does not help.
private let besideListener = [
  "": "in-use in-use in-use in-use", " RA": "in-use in-use in-use in-use", " RP": "in-use in-use ok ok",
  " RA RP": "in-use in-use ok ok",
]
private let allOk = "ok ok ok ok"

/// Wildcards and loopback addresses of both families, as first and as second socket: X where they overlap.
private let overlaps: [(second: String, marks: String)] = [
  ("0.0.0.0", "XXX..XX"), ("127.0.0.1", "XXX..XX"), (":: DUAL", "XXXXXXX"), (":: V6ONLY", "..XXX.."),
  ("::1", "..XXX.."), ("::ffff:0.0.0.0", "XXX..XX"), ("::ffff:127.0.0.1", "XXX..XX"),
]

private func pairs(_ what: String, options: [String], _ answers: [String: String], _ prefix: String = "")
  -> [TableRow]
{
  overlaps.flatMap { second in
    zip(overlaps, second.marks).flatMap { first, mark in
      options.map { option in
        TableRow(
          ["\(prefix)\(what) \(first.second)\(option)"], prefix + second.second,
          mark == "X" ? answers[option] ?? "" : allOk)
      }
    }
  }
}

/// bind_wildcard.c: 0.0.0.0, 127.0.0.1, ::, ::1 and the IPv4-mapped forms against each other, and beside two.
private let bindWildcard = PublicTable(
  name: "bind_wildcard",
  rows: pairs("bound", options: ["", " RA", " RP", " RA RP"], besideBound) + [
    TableRow(["bound 0.0.0.0", "bound :: V6ONLY"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["bound :: V6ONLY", "bound 0.0.0.0"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["bound 0.0.0.0", "bound :: V6ONLY"], "::1", "in-use in-use in-use in-use"),
    TableRow(["bound :: V6ONLY", "bound 0.0.0.0"], "::ffff:127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["bound 127.0.0.1", "bound ::1"], ":: V6ONLY", "in-use in-use in-use in-use"),
    TableRow(["bound 127.0.0.1"], ":: V6ONLY", allOk),
  ])

/// socket_inet_loopback.cc: the same among listeners, and beside what connections leave behind.
private let socketInetLoopback = PublicTable(
  name: "socket_inet_loopback",
  rows: pairs("listening", options: ["", " RA", " RP"], besideListener) + [
    TableRow(["timewait-only 127.0.0.1"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["timewait-only 127.0.0.1 RA"], "127.0.0.1", "in-use ok in-use ok"),
    TableRow(["timewait-only 0.0.0.0 RA peer=127.0.0.1"], "127.0.0.2", allOk),
    TableRow(["timewait-only :: DUAL RA peer=127.0.0.1"], "127.0.0.1", "in-use ok in-use ok"),
    TableRow(["timewait :: DUAL RA peer=::1"], "::1", "in-use in-use in-use in-use"),
    TableRow(["child-only :: DUAL peer=127.0.0.1"], "0.0.0.0", "in-use in-use in-use in-use"),
    TableRow(["child-only :: DUAL peer=127.0.0.1"], ":: V6ONLY", allOk),
    TableRow(["child-only :: DUAL peer=::1"], "0.0.0.0", "in-use in-use in-use in-use"),
    TableRow(["child-only :: V6ONLY peer=::1"], "0.0.0.0", allOk),
    TableRow(["queued 127.0.0.1 RA"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["mptcp-listening 127.0.0.1 RP"], "127.0.0.1", "in-use in-use ok ok"),
  ])

/// bind_timewait.c: TIME_WAIT is in the way of the address and of the wildcard.
private let bindTimewait = PublicTable(
  name: "bind_timewait",
  rows: [
    TableRow(["timewait-only 127.0.0.1"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["timewait-only 127.0.0.1"], "0.0.0.0", "in-use in-use in-use in-use"),
    TableRow(["timewait-only 0.0.0.0"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["timewait-only 0.0.0.0"], "127.0.0.2", allOk),
    TableRow(["timewait-only 127.0.0.1"], "::ffff:127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["timewait-only 127.0.0.1"], ":: DUAL", "in-use in-use in-use in-use"),
    TableRow(["timewait-only 127.0.0.1"], ":: V6ONLY", allOk),
    TableRow(["timewait-only 127.0.0.1 RA"], "0.0.0.0", "in-use ok in-use ok"),
    TableRow(["timewait-only 127.0.0.1 RP uid=1000"], "127.0.0.1", "in-use in-use ok ok"),
    TableRow(["timewait-only ::1"], "::1", "in-use in-use in-use in-use"),
    TableRow(["timewait-only ::1"], "0.0.0.0", allOk),
  ])

/// bind_bhash.c: with sockets on many addresses of one port, one more on a taken address is refused.
private let bindBhash = PublicTable(
  name: "bind_bhash",
  rows: [
    TableRow((1...20).map { "bound 127.0.1.\($0) RP" }, "127.0.1.7", "in-use in-use ok ok"),
    TableRow((1...20).map { "bound 127.0.1.\($0) RP" }, "127.0.1.99", allOk),
    TableRow((1...20).map { "bound 127.0.1.\($0) RA" }, "0.0.0.0", "in-use ok in-use ok"),
    TableRow((1...20).map { "bound 127.0.1.\($0)" }, ":: V6ONLY", allOk),
    TableRow((1...20).map { "listening 127.0.1.\($0) RA" }, "127.0.1.7", "in-use in-use in-use in-use"),
  ])

/// reuseaddr_conflict.c: a V6ONLY socket in between does not let a second 0.0.0.0 in.
private let reuseaddrConflict = PublicTable(
  name: "reuseaddr_conflict",
  rows: [
    TableRow(["bound 0.0.0.0", "bound :: V6ONLY RA"], "0.0.0.0", "in-use in-use in-use in-use"),
    TableRow(["listening 0.0.0.0 RA", "bound :: V6ONLY RA"], "0.0.0.0", "in-use in-use in-use in-use"),
    TableRow(["listening 0.0.0.0 RA", "listening :: V6ONLY RA"], ":: DUAL", "in-use in-use in-use in-use"),
    TableRow(["bound 0.0.0.0 RA", "bound :: V6ONLY"], "0.0.0.0", "in-use ok in-use ok"),
  ])

/// reuseaddr_ports_exhausted.c, as far as a port is named: who may share it by which option and user.
private let reuseaddrPortsExhausted = PublicTable(
  name: "reuseaddr_ports_exhausted",
  rows: [
    TableRow(["bound 127.0.0.1 RA"], "127.0.0.1", "in-use ok in-use ok"),
    TableRow(["bound 127.0.0.1 RA uid=1000"], "127.0.0.1 uid=1001", "in-use ok in-use ok"),
    TableRow(["bound 127.0.0.1 RA RP"], "127.0.0.1", "in-use ok ok ok"),
    TableRow(["bound 127.0.0.1 RA RP uid=1000"], "127.0.0.1 uid=1001", "in-use ok in-use ok"),
    TableRow(["listening 127.0.0.1 RA"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["listening 127.0.0.1 RA RP uid=1000"], "127.0.0.1 uid=1001", "in-use in-use in-use in-use"),
    TableRow(["listening 127.0.0.1 RA RP uid=1000"], "127.0.0.1 uid=1000", "in-use in-use ok ok"),
  ])

/// reuseport_addr_any.c: groups on an address and on the wildcards of both families live side by side.
private let reuseportAddrAny = PublicTable(
  name: "reuseport_addr_any",
  rows: ["", "udp "].flatMap { prefix in
    let what = prefix.isEmpty ? "listening" : "bound"
    return [
      TableRow(
        ["0.0.0.0 RP", ":: DUAL RP", "127.0.0.1 RP"].map { "\(prefix)\(what) \($0)" }, "\(prefix)127.0.0.1",
        "in-use in-use ok ok"),
      TableRow(
        ["::1 RP", "127.0.0.1 RP", "0.0.0.0 RP"].map { "\(prefix)\(what) \($0)" }, "\(prefix):: DUAL",
        "in-use in-use ok ok"),
      TableRow(["\(prefix)\(what) 127.0.0.1 RP uid=1000"], "\(prefix)0.0.0.0", "in-use in-use in-use in-use"),
    ]
  })

/// reuseport_dualstack.c: an IPv4 and a dual-stack group on one port.
private let reuseportDualstack = PublicTable(
  name: "reuseport_dualstack",
  rows: [
    TableRow(["listening 0.0.0.0 RP", "listening 0.0.0.0 RP"], ":: DUAL", "in-use in-use ok ok"),
    TableRow(["listening :: DUAL RP", "listening :: DUAL RP"], "0.0.0.0", "in-use in-use ok ok"),
    TableRow(["udp bound 0.0.0.0 RP", "udp bound 0.0.0.0 RP"], "udp :: DUAL", "in-use in-use ok ok"),
    TableRow(["udp bound :: DUAL RP", "udp bound :: DUAL RP"], "udp 0.0.0.0", "in-use in-use ok ok"),
    TableRow(["listening :: DUAL RP"], ":: V6ONLY", "in-use in-use ok ok"),
  ])

/// sk_bind_sendto_listen.c: a bound socket whose connection failed keeps its place on the wildcard.
private let skBindSendtoListen = PublicTable(
  name: "sk_bind_sendto_listen",
  rows: [
    TableRow(["refused 0.0.0.0"], "0.0.0.0", "in-use in-use in-use in-use"),
    TableRow(["refused 0.0.0.0 RA"], "0.0.0.0", "in-use ok in-use ok"),
    TableRow(["refused :: DUAL RA peer=::1"], ":: DUAL", "in-use ok in-use ok"),
    TableRow(["refused :: DUAL peer=::1"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["disconnected 0.0.0.0 RA peer=127.0.0.1"], "127.0.0.2", "in-use ok in-use ok"),
  ])

/// sk_connect_zero_addr.c: a wildcard socket that connected to its own host, and to itself.
private let skConnectZeroAddr = PublicTable(
  name: "sk_connect_zero_addr",
  rows: [
    TableRow(["selfconnect 0.0.0.0"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["selfconnect 127.0.0.1 RA"], "0.0.0.0", "in-use ok in-use ok"),
    TableRow(["selfconnect ::1"], "0.0.0.0", allOk),
    TableRow(["client 0.0.0.0 peer=127.0.0.1"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["client 0.0.0.0 peer=127.0.0.1"], "127.0.0.2", allOk),
    TableRow(["client :: DUAL peer=::1"], "::1", "in-use in-use in-use in-use"),
  ])

/// tcp_port_share.c: a port that connect(2) chose is taken for bind(2), on the connection's address alone.
private let tcpPortShare = PublicTable(
  name: "tcp_port_share",
  rows: [
    TableRow(["auto-client 127.0.0.1"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["auto-client 127.0.0.1"], "0.0.0.0", "in-use in-use in-use in-use"),
    TableRow(["auto-client 127.0.0.1"], "127.0.0.2", allOk),
    TableRow(["auto-client 127.0.0.1 RA"], "127.0.0.1", "in-use ok in-use ok"),
    TableRow(["auto-client 127.0.0.1 RP"], "127.0.0.1", "in-use in-use ok ok"),
    TableRow(["auto-client 127.0.0.1"], ":: V6ONLY", allOk),
    TableRow(["auto-timewait 127.0.0.1 RA"], "127.0.0.1", "in-use ok in-use ok"),
    TableRow(["auto-timewait 127.0.0.1"], "127.0.0.1", "in-use in-use in-use in-use"),
  ])

/// ip_local_port_range.c: a named port outside the range is free, and one in use stays in use.
private let ipLocalPortRange = PublicTable(
  name: "ip_local_port_range",
  rows: [
    TableRow([], "127.0.0.1", allOk), TableRow([], "udp ::1", allOk),
    TableRow(["bound 127.0.0.1"], "127.0.0.1", "in-use in-use in-use in-use"),
    TableRow(["udp bound ::1"], "udp ::1", "in-use in-use in-use in-use"),
  ])

/// socket_bind_to_device_sequence.cc: the same device, another one or none, with the reuse options.
private let socketBindToDevice = PublicTable(
  name: "socket_bind_to_device_sequence",
  rows: ["", "udp "].flatMap { prefix in
    [
      TableRow(["\(prefix)bound 0.0.0.0 dev=dev0"], "\(prefix)0.0.0.0 dev=dev1", allOk),
      TableRow(["\(prefix)bound 0.0.0.0 dev=dev0"], "\(prefix)0.0.0.0 dev=dev0", "in-use in-use in-use in-use"),
      TableRow(["\(prefix)bound 0.0.0.0 dev=dev0"], "\(prefix)0.0.0.0", "in-use in-use in-use in-use"),
      TableRow(["\(prefix)bound 0.0.0.0"], "\(prefix)0.0.0.0 dev=dev0", "in-use in-use in-use in-use"),
      TableRow(
        ["\(prefix)bound 0.0.0.0 dev=dev0", "\(prefix)bound 0.0.0.0 dev=dev1"], "\(prefix)0.0.0.0",
        "in-use in-use in-use in-use"),
      TableRow(
        ["\(prefix)bound 0.0.0.0 dev=dev0 RA", "\(prefix)bound 0.0.0.0 dev=dev1 RA"], "\(prefix)0.0.0.0",
        "in-use ok in-use ok"),
      TableRow(
        ["\(prefix)bound 0.0.0.0 dev=dev0 RP", "\(prefix)bound 0.0.0.0 dev=dev1 RP"], "\(prefix)0.0.0.0",
        "in-use in-use ok ok"),
      TableRow(
        ["\(prefix)bound 0.0.0.0 RA", "\(prefix)bound 0.0.0.0 dev=dev0 RA"], "\(prefix)0.0.0.0 dev=dev0",
        "in-use ok in-use ok"),
      TableRow(
        ["\(prefix)bound 0.0.0.0 dev=dev0 end:dev=none"], "\(prefix)0.0.0.0 dev=dev1", "in-use in-use in-use in-use"),
      TableRow(["\(prefix)bound 0.0.0.0 dev=dev0 end:dev=dev1"], "\(prefix)0.0.0.0 dev=dev0", allOk),
    ]
  } + [
    TableRow(["listening 0.0.0.0 dev=dev0 RA"], "0.0.0.0 dev=dev0", "in-use in-use in-use in-use"),
    TableRow(["listening 0.0.0.0 dev=dev0 RA"], "0.0.0.0 dev=dev1", allOk),
  ])

/// ports_test.go: the pairs of UDP, and sequences of options on one port. gVisor's model is not Linux in all of them;
/// the answers here are Linux's.
private let portsTest = PublicTable(
  name: "ports_test",
  rows: pairs("bound", options: ["", " RA", " RP"], besideBound, "udp ") + [
    TableRow(["udp bound 127.0.0.1 RA", "udp bound 127.0.0.1 RA"], "udp 127.0.0.1", "in-use ok in-use ok"),
    TableRow(["udp bound 127.0.0.1 RP", "udp bound 127.0.0.1 RP"], "udp 0.0.0.0", "in-use in-use ok ok"),
    TableRow(["udp bound 127.0.0.1 RA RP", "udp bound 127.0.0.1 RA"], "udp 127.0.0.1", "in-use ok in-use ok"),
    TableRow(["udp bound 127.0.0.1"], "udp 127.0.0.2", allOk),
    TableRow(["bound 127.0.0.1 RA", "bound 127.0.0.1 RA RP"], "127.0.0.1", "in-use ok ok ok"),
    TableRow(["bound 127.0.0.1 RA RP", "bound 127.0.0.1 RA"], "127.0.0.1", "in-use ok in-use ok"),
    TableRow(["bound 127.0.0.1 RA RP", "bound 127.0.0.1 RP"], "127.0.0.1", "in-use in-use ok ok"),
    TableRow(["bound 127.0.0.1"], "127.0.0.2", allOk),
  ])

let publicTables: [PublicTable] = [
  bindWildcard, bindTimewait, bindBhash, reuseaddrConflict, reuseaddrPortsExhausted, reuseportAddrAny,
  reuseportDualstack, skBindSendtoListen, skConnectZeroAddr, tcpPortShare, ipLocalPortRange, socketBindToDevice,
  socketInetLoopback, portsTest,
]
