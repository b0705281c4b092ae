import BindRules
import Explanation
import SocketModel

// Ports with a listener on them, and what else may serve.

let madeUpListeners: [MadeUp] = [
  MadeUp("nothing on the port") { $0.addresses = dual },
  MadeUp("nothing on the port, SO_REUSEADDR planned") { ($0.addresses, $0.options) = (dual, .reuseaddr) },
  MadeUp("a listener on the wildcard", [made(.listen, nginx)]) {
    ($0.addresses, $0.nearby) = (dual, NearbyPorts(ports: 8081...8090, sockets: []))
  },
  MadeUp("a listener, SO_REUSEADDR planned", [made(.listen, nginx)]) { $0.options = .reuseaddr },
  MadeUp("a listener without SO_REUSEADDR", [made(.listen, nginx, reuseaddr: false)]),
  MadeUp("a listener without SO_REUSEADDR, planned here", [made(.listen, nginx, reuseaddr: false)]) {
    $0.options = .reuseaddr
  },
  MadeUp("a listener, SO_REUSEPORT planned", [made(.listen, nginx)]) { $0.options = .reuseport },
  MadeUp("a listener of a program that nothing is known of, SO_REUSEPORT planned", [made(.listen, server)]) {
    $0.options = .reuseport
  },
  MadeUp("a listener with SO_REUSEPORT", [made(.listen, nginx, reuseport: true)]),
  MadeUp("a listener with SO_REUSEPORT, planned here", [made(.listen, nginx, reuseport: true)]) {
    $0.options = .reuseport
  },
  MadeUp(
    "a listener with SO_REUSEPORT of another user, planned here",
    [
      made(.listen, nginx, reuseport: true, uid: 33)
    ]
  ) { $0.options = .reuseport },
  MadeUp(
    "listeners with SO_REUSEPORT of two other users",
    [
      made(.listen, "127.0.0.1", nginx, reuseport: true, uid: 33),
      made(.listen, "127.0.0.2", node, reuseport: true, uid: 1000),
    ]
  ) { $0.options = .reuseport },
  MadeUp("a listener on one address, the wildcard planned", [made(.listen, "127.0.0.1", nginx)]),
  MadeUp(
    "a listener on one address, the wildcard planned with SO_REUSEADDR",
    [
      made(.listen, "127.0.0.1", nginx, reuseaddr: false)
    ]
  ) { $0.options = .reuseaddr },
  MadeUp(
    "listeners on every address, the wildcard planned",
    [
      made(.listen, "127.0.0.1", nginx), made(.listen, "192.0.2.10", node),
    ]),
  MadeUp("a listener on the wildcard, one address planned", [made(.listen, node)]) { $0.addresses = ["127.0.0.1"] },
  MadeUp(
    "listeners on the wildcard and on one address, that address planned",
    [
      made(.listen, node, reuseport: true), made(.listen, "127.0.0.1", nginx, reuseport: true),
    ]
  ) { $0.addresses = ["127.0.0.1"] },
  MadeUp("a listener on another address", [made(.listen, "127.0.0.2", node)]) {
    ($0.addresses, $0.options) = (["127.0.0.1"], .reuseaddr)
  },
  MadeUp("a dual-stack listener, IPv4 planned", [made(.listen, "::", node)]),
  MadeUp("a dual-stack listener, one IPv4 address planned", [made(.listen, "::", server)]) {
    $0.addresses = ["192.0.2.10"]
  },
  MadeUp("a dual-stack listener, both wildcards planned", [made(.listen, "::", node)]) { $0.addresses = dual },
  MadeUp("an IPv6-only listener, both wildcards planned", [made(.listen, "::", node, v6only: true)]) {
    $0.addresses = dual
  },
  MadeUp("an IPv4 listener, [::] planned", [made(.listen, node)]) { $0.addresses = ["::"] },
  MadeUp("an IPv4 listener, [::] planned with IPV6_V6ONLY", [made(.listen, node)]) {
    ($0.addresses, $0.v6only) = (["::"], true)
  },
  MadeUp("an IPv4 listener, [::] planned by a runtime that can set IPV6_V6ONLY", [made(.listen, server)]) {
    ($0.addresses, $0.runtime) = (["::"], "node")
  },
  MadeUp("an IPv4 listener, [::] planned by a runtime that cannot", [made(.listen, server)]) {
    ($0.addresses, $0.runtime) = (["::"], "go")
  },
  MadeUp("IPv4 and IPv6 listeners, [::] planned", [made(.listen, node), made(.listen, "::1", nginx)]) {
    $0.addresses = ["::"]
  },
  MadeUp("a listener on [::1], the wildcard of IPv6 planned", [made(.listen, "::1", node)]) { $0.addresses = ["::"] },
  MadeUp("a listener on [::], one IPv6 address planned", [made(.listen, "::", node)]) {
    $0.addresses = ["2001:db8::10"]
  },
  MadeUp("a listener on an IPv4-mapped address, IPv4 planned", [made(.listen, "::ffff:127.0.0.1", node)]) {
    $0.addresses = ["127.0.0.1", "0.0.0.0"]
  },
  MadeUp(
    "three programs listen",
    [
      made(.listen, "127.0.0.1", nginx), made(.listen, "127.0.0.2", node), made(.listen, "127.0.0.3", server),
    ]),
  MadeUp(
    "four processes of one program listen",
    [
      made(.listen, "0.0.0.0", nginx, program(17, "nginx"), program(18, "nginx"), program(19, "nginx"))
    ]),
  MadeUp(
    "a hidden listener, asked by a user", [made(.listen, reuseaddr: nil, reuseport: nil, uid: 33, owner: .hidden)]
  ) {
    asAlice(&$0)
  },
  MadeUp(
    "a hidden listener, asked by a user with options",
    [
      made(.listen, reuseaddr: nil, reuseport: nil, uid: 33, owner: .hidden)
    ]
  ) {
    asAlice(&$0)
    $0.questionOptions = ["--uid", "1000", "--reuseport"]
    $0.options = .reuseport
  },
  MadeUp("a listener that no process shows, asked by root", [made(.listen, uid: 33, owner: .hidden)]) {
    $0.visibility = Visibility(reasons: [.noHolder])
  },
  MadeUp("a listener that no process shows, asked in a container", [made(.listen, uid: 33, owner: .hidden)]) {
    $0.visibility = Visibility(reasons: [.noHolder, .pidNamespace])
  },
  MadeUp("a listener whose holder is not known", [made(.listen, owner: .process)]),
  MadeUp("nginx beside an older nginx of the same user", [made(.listen, nginx)]) {
    $0.runtime = "nginx"
    $0.sockets[0].processes[0].uid = 0
  },
  MadeUp("nginx beside nginx of another user", [made(.listen, nginx)]) {
    $0.runtime = "nginx"
    $0.sockets[0].processes[0].uid = 33
  },
  MadeUp("nginx beside node of the same user", [made(.listen, node)]) {
    $0.runtime = "nginx"
    $0.sockets[0].processes[0].uid = 0
  },
  MadeUp("a program of one's own beside one of the same user", [made(.listen, server)]) {
    $0.runtime = "asyncio"
    $0.sockets[0].processes[0].uid = 0
  },
  MadeUp(
    "nginx beside a connection of nginx of the same user",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 40_000), nginx)
    ]
  ) {
    $0.runtime = "nginx"
    $0.sockets[0].processes[0].uid = 0
  },
  MadeUp("nginx beside nginx in a container", [made(.listen, nginx)]) {
    $0.runtime = "nginx"
    ($0.sockets[0].processes[0].uid, $0.sockets[0].processes[0].container) = (0, "web")
  },
  MadeUp("java, which has no setting for SO_REUSEADDR and sets it, beside a listener", [made(.listen, server)]) {
    ($0.runtime, $0.options) = ("java", .reuseaddr)
  },
  MadeUp("socketserver, which does not set SO_REUSEADDR, beside a listener", [made(.listen, server)]) {
    $0.runtime = "socketserver"
  },
  MadeUp("a listener that is one's own", [made(.listen, nginx)]) { $0.ours = ["unit=nginx.service"] },
  MadeUp("a listener, asked by a user who owns it", [made(.listen, nginx, uid: 1000)]) {
    asAlice(&$0)
    $0.sockets[0].processes[0].uid = 1000
    $0.questionOptions = ["--uid", "1000"]
  },
  MadeUp("a probe met what nobody sees") {
    $0.judged = { outcome in (outcome.bind, outcome.listen, outcome.source) = (.fails(.addressInUse), nil, .probe) }
  },
  MadeUp("bind works and listen does not", [made(.listen, nginx)]) {
    $0.options = .reuseaddr
    $0.judged = { outcome in
      if outcome.options.contains(.reuseaddr) { (outcome.bind, outcome.listen) = (.ok, .fails(.addressInUse)) }
    }
  },
  MadeUp("another port is not free in every way", [made(.listen, nginx)]) {
    var taken = made(.listen, server)
    taken.local.port = Port(8081)
    var udp = made(.close, "127.0.0.1", server)
    (udp.local.port, udp.transport) = (Port(8082), .udp)
    $0.nearby = NearbyPorts(ports: 8079...8090, sockets: [taken, udp], named: [8079, 8083])
  },
  MadeUp("another port, where only bound sockets may hide", [made(.listen, nginx)]) {
    $0.visibility = Visibility(boundSocketsComplete: false)
    $0.nearby = NearbyPorts(ports: 8081...8090, sockets: [])
  },
  MadeUp("a privileged port is never another port", [made(.listen, nginx)]) {
    ($0.port, $0.nearby) = (1023, NearbyPorts(ports: 1024...1030, sockets: []))
  },
  MadeUp("the first port that is not privileged", [made(.listen, nginx)]) {
    ($0.port, $0.nearby) = (1024, NearbyPorts(ports: 1024...1030, sockets: []))
  },
  MadeUp("port 21", [made(.listen, server)]) { $0.port = 21 },
  MadeUp("port 22", [made(.listen, server)]) { ($0.port, $0.questionOptions) = (22, ["--no-bpf"]) },
  MadeUp("port 443, asked by a user", [made(.listen, nginx)]) {
    asAlice(&$0)
    $0.port = 443
  },
  MadeUp("port 80 of UDP has no usual other one", [made(.close, server)]) { ($0.port, $0.transport) = (80, .udp) },
  MadeUp("a client's port where the range begins low", [made(.listen, server)]) {
    ($0.port, $0.host.localPortRange) = (25_000, 20_999...60_999)
  },
  MadeUp("a client's port where the range begins just above", [made(.listen, server)]) {
    ($0.port, $0.host.localPortRange) = (25_000, 21_000...60_999)
  },
]
