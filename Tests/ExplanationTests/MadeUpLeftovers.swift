import BindRules
import Explanation
import SocketModel

// Ports with what does not listen: bound sockets, what a server left over, clients.

private func client(
  _ holder: ProcessRecord, _ port: UInt16 = 443, at address: String = "192.0.2.10"
) -> SocketObservation {
  made(.established, address, to: ("198.51.100.7", port), holder, reuseaddr: false, uid: 1000)
}

let madeUpLeftovers: [MadeUp] = [
  MadeUp("a bound socket", [made(.close, server)]) { $0.addresses = dual },
  MadeUp("a bound socket without SO_REUSEADDR", [made(.close, server, reuseaddr: false)]),
  MadeUp("a bound socket without SO_REUSEADDR, planned here", [made(.close, server, reuseaddr: false)]) {
    $0.options = .reuseaddr
  },
  MadeUp("a bound socket with SO_REUSEADDR, planned here", [made(.close, server)]) { $0.options = .reuseaddr },
  MadeUp("two bound sockets of two programs", [made(.close, "127.0.0.1", server), made(.close, "127.0.0.2", node)]) {
    $0.options = .reuseport
  },
  MadeUp("a closed connection", [made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_000), left: 41_000)]),
  MadeUp(
    "closed connections, one for a fraction of a second longer",
    [
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_000), left: 41_000),
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_001), left: 41_001),
    ]
  ) { $0.questionOptions = ["--uid", "0"] },
  MadeUp(
    "a closed connection whose server had no SO_REUSEADDR",
    [
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_000), reuseaddr: false, left: 1)
    ]),
  MadeUp(
    "a closed connection whose server had no SO_REUSEADDR, planned here",
    [
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_000), reuseaddr: false, left: 41_000)
    ]
  ) { $0.options = .reuseaddr },
  MadeUp(
    "a closed connection of which nothing is known, asked by a user",
    [
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_000), reuseaddr: nil, reuseport: nil, left: 41_000)
    ]
  ) {
    asAlice(&$0)
    $0.runtime = "swiftnio"
  },
  MadeUp(
    "a closed connection of which nothing is known, SO_REUSEADDR planned",
    [
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_000), reuseaddr: nil, reuseport: nil, left: 41_000)
    ]
  ) { ($0.options, $0.transport) = (.reuseaddr, .tcp) },
  MadeUp(
    "a closed connection with SO_REUSEADDR, node planned",
    [
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_000), left: 41_000)
    ]
  ) { ($0.options, $0.runtime) = (.reuseaddr, "node") },
  MadeUp(
    "closed connections, one of which had no SO_REUSEADDR, node planned",
    [
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_000), left: 41_000),
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_001), reuseaddr: false, left: 41_000),
    ]
  ) { ($0.options, $0.runtime) = (.reuseaddr, "node") },
  MadeUp(
    "a closed connection of IPv6 through a dual-stack listener",
    [
      made(.timeWait, "2001:db8::10", to: ("2001:db8::7", 40_000), left: 41_000)
    ]
  ) { $0.addresses = dual },
  MadeUp(
    "a closed FIN_WAIT2",
    [
      made(.finWait2, "192.0.2.10", to: ("198.51.100.7", 40_000), left: 30_000)
    ]),
  MadeUp(
    "a closed FIN_WAIT2 and a TIME_WAIT",
    [
      made(.finWait2, "192.0.2.10", to: ("198.51.100.7", 40_000), left: 30_000),
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_001), left: 20_000),
    ]),
  MadeUp(
    "a connection and a TIME_WAIT",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 40_000), server),
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_001), left: 20_000),
    ]),
  MadeUp(
    "a connection that a gone server left to its child",
    [
      made(.closeWait, "192.0.2.10", to: ("198.51.100.7", 40_000), server)
    ]
  ) { $0.addresses = dual },
  MadeUp(
    "connections without SO_REUSEADDR",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 40_000), server, reuseaddr: false),
      made(.closeWait, "192.0.2.10", to: ("198.51.100.7", 40_001), server, reuseaddr: false),
      made(.lastAck, "192.0.2.10", to: ("198.51.100.7", 40_002), reuseaddr: false),
    ]
  ) { $0.options = .reuseaddr },
  MadeUp(
    "connections of socat without SO_REUSEADDR, planned here",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 40_000), program(9, "socat"), reuseaddr: false)
    ]
  ) { $0.options = .reuseaddr },
  MadeUp(
    "connections of socat whose options are not known",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 40_000), program(9, "socat"), reuseaddr: nil)
    ]
  ) { $0.options = .reuseaddr },
  MadeUp("an orphan", [made(.finWait1, "192.0.2.10", to: ("198.51.100.7", 40_000))]),
  MadeUp(
    "a connection of IPv6 through a dual-stack listener",
    [
      made(.established, "2001:db8::10", to: ("2001:db8::7", 40_000), server)
    ]),
  MadeUp(
    "a connection in the accept queue of a listener",
    [
      made(.listen, server), made(.established, "192.0.2.10", to: ("198.51.100.7", 40_000)),
    ]),
  MadeUp(
    "a listener and connections that keep what it has not",
    [
      made(.listen, "192.0.2.10", server),
      made(.established, "192.0.2.10", to: ("198.51.100.7", 40_000), server, reuseaddr: false),
    ]
  ) { $0.options = .reuseaddr },
  MadeUp(
    "a listener whose connections stay for a minute when it goes",
    [
      made(.listen, server), made(.established, "192.0.2.10", to: ("198.51.100.7", 40_000), server),
    ]),
  MadeUp(
    "a listener whose connections without SO_REUSEADDR stay when it goes",
    [
      made(.listen, server, reuseaddr: false),
      made(.established, "192.0.2.10", to: ("198.51.100.7", 40_000), server, reuseaddr: false),
    ]),
  MadeUp("a handshake", [made(.synRecv, "192.0.2.10", to: ("198.51.100.7", 40_000))]),
  MadeUp("a client of a port that clients get", [client(program(9, "firefox"))]) { $0.port = 40_000 },
  MadeUp("a client, asked by a user", [client(program(9, "firefox"))]) {
    asAlice(&$0)
    ($0.port, $0.host.localReservedPorts) = (40_000, [39_000...39_999, 41_000...41_000])
  },
  MadeUp("a client of a reserved port that was there before", [client(program(9, "firefox"))]) {
    ($0.port, $0.host.localReservedPorts) = (40_000, [39_000...40_000])
  },
  MadeUp(
    "two clients on one port",
    [
      client(program(9, "firefox")), client(program(10, "curl"), 80, at: "127.0.0.1"),
    ]
  ) { $0.port = 40_000 },
  MadeUp("five connections of clients on one port", (1...5).map { client(program(9, "firefox"), $0) }) {
    $0.port = 40_000
  },
  MadeUp("four connections of clients on one port", (1...4).map { client(program(9, "firefox"), $0) }) {
    $0.port = 40_000
  },
  MadeUp("a client below the range, told by its peer", [client(program(9, "rsync"))]),
  MadeUp("a connection to a port that is no service's", [client(program(9, "rsync"), 5000)]),
  MadeUp(
    "a client that connects",
    [
      made(.synSent, "192.0.2.10", to: ("198.51.100.7", 5000), program(9, "rsync"), reuseaddr: false)
    ]
  ) { $0.port = 40_000 },
  MadeUp(
    "a client with SO_REUSEADDR",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 443), program(9, "curl"))
    ]
  ) { $0.port = 40_000 },
  MadeUp("a client on a reserved port", [client(program(9, "mount.nfs"), 2049)]) { $0.port = 993 },
  MadeUp(
    "the kernel's own client on a reserved port",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 2049), reuseaddr: nil, reuseport: nil, owner: .kernel)
    ]
  ) { $0.port = 700 },
  MadeUp(
    "a client connected to itself",
    [
      made(.established, "127.0.0.1", to: ("127.0.0.1", 0), program(9, "retry"), reuseaddr: false)
    ]
  ) { $0.port = 40_000 },
  MadeUp(
    "a client connected to itself below the range",
    [
      made(.established, "127.0.0.1", to: ("127.0.0.1", 0), program(9, "retry"), reuseaddr: false)
    ]),
  MadeUp(
    "an NFS server's connection is no client's",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 700), program(9, "ganesha"), reuseaddr: false)
    ]
  ) { $0.port = 2049 },
]
