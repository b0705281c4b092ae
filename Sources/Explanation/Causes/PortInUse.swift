import BindRules
import SocketModel

// Causes of EADDRINUSE that lie in one socket on the port.

extension CauseEntry {
  static let listener = CauseEntry(
    "another socket listens on the port",
    summary: "A TCP socket listens on exactly this address; only its end, another address or another port helps.",
    what: [
      "A server waits for connections on the address and port that you want.",
      .shown("listener.blocks", "Two sockets cannot listen there, whatever SO_REUSEADDR says on either side."),
    ],
    signs: ["A line LISTEN with your address. Its OWNER is who to talk to."],
    helps: [
      "End the other server, or use another port or address.",
      .shown(
        "listener.gone", "Once the last process that holds the socket has closed it, the listener is gone at once."),
    ],
    ineffective: [
      "SO_REUSEADDR: it is for what a server leaves behind, not for one that runs.",
      "SO_REUSEPORT: if an older copy of your server still runs, both get a part of the clients and nobody is told.",
    ], references: ["bind(2)", "listen(2)", "socket(7)"],
    reason: unlessItListens,
    remedies: noRemedies)

  static let boundNotListening = CauseEntry(
    "a socket has the port bound, but does not listen",
    summary: "A TCP socket was bound and never listened, or its connection failed; most tools do not show it.",
    what: [
      .shown("bound.blocks", "bind() alone takes the port; listen() is not needed for that."),
      .shown(
        "bound.after-failed-connect", "A bound socket whose connect() failed keeps the port until it is closed."),
    ],
    signs: ["A line BOUND. ss -l and lsof with a LISTEN filter show nothing on the port."],
    helps: [
      "End the holder.",
      .shown("bound.both-reuseaddr", "SO_REUSEADDR on both sides lets you bind and listen beside it."),
    ],
    ineffective: [
      .shown("bound.one-side", "SO_REUSEADDR on your side alone: the other socket has to have it as well.")
    ],
    references: ["bind(2)", "socket(7)"],
    reason: reuseaddrOnOneSide,
    remedies: noRemedies)

  static let udpSocket = CauseEntry(
    "a UDP socket has the port",
    summary: "A UDP socket is bound to exactly this address; UDP has no LISTEN, binding is all there is.",
    what: [.shown("udp.blocks", "A bound UDP socket keeps others off its address and port.")],
    signs: ["A line with /udp in the headline and the state BOUND, or ESTABLISHED for a connected socket."],
    helps: [
      "End the holder, or use another address or port.",
      .shown(
        "udp.both-reuseaddr",
        "For multicast, all sockets set SO_REUSEADDR (or all SO_REUSEPORT) before bind() and then share the port."),
    ],
    ineffective: [
      .shown("udp.last-bound", "Sharing for unicast by SO_REUSEADDR: the last bound socket gets everything.")
    ], references: ["udp(7)", "socket(7)"],
    reason: reuseaddrOnOneSide,
    remedies: noRemedies)

  static let wildcardOverlap = CauseEntry(
    "one of the two addresses is the wildcard",
    summary: "0.0.0.0 (or ::) covers every address, so it collides with a socket on one address, and the reverse.",
    what: [
      .shown("wildcard.covers", "0.0.0.0 stands for every IPv4 address of the host: it collides with 127.0.0.53."),
      .shown("wildcard.reverse", "The reverse holds too: behind 0.0.0.0 no single address is free."),
    ],
    signs: ["Your address and the one in LOCAL differ, and one of them is 0.0.0.0 or [::]."],
    helps: [
      .shown("wildcard.other-address", "Bind the one address you need: two different addresses do not collide."),
      "Or let the other program bind one address instead of the wildcard.",
    ],
    ineffective: [
      .shown("wildcard.no-reuseaddr", "SO_REUSEADDR beside a listener: that works on BSD, not on Linux.")
    ], references: ["ip(7)", "bind(2)"],
    reason: unlessItListens,
    remedies: noRemedies)

  static let dualStackOverlap = CauseEntry(
    "an IPv6 wildcard has the port for IPv4 too",
    summary: "A socket on :: with IPV6_V6ONLY off serves IPv4 as well, so it collides with IPv4 sockets.",
    what: [
      .shown("dual.covers-ipv4", "A socket on [::] with IPV6_V6ONLY off takes the IPv4 port as well."),
      .shown(
        "dual.reverse", "The other way round too: binding [::] that way fails while an IPv4 socket has the port."),
    ],
    signs: ["V6ONLY is no for the socket on [::], and the failing address is IPv4; or the two are swapped."],
    helps: [
      .shown("dual.v6only", "IPV6_V6ONLY on the IPv6 socket, set before bind(): the two families are then apart."),
      "Or one dual-stack socket for both families, and no IPv4 bind at all.",
    ],
    ineffective: [
      "Looking for the holder with IPv4 tools only: the socket is in the IPv6 table (tcp6), and nowhere else."
    ], references: ["ipv6(7)"],
    reason: unlessItListens,
    remedies: noRemedies)

  static let inheritedDescriptor = CauseEntry(
    "a child process inherited the listening socket",
    summary: "A helper that a server started has its listening socket too, and keeps the port when the server goes.",
    what: [
      .shown("inherited.exec", "A descriptor without close-on-exec goes on in every program that a server starts."),
      .shown("inherited.last-copy", "The port is taken until the last copy of the descriptor is closed."),
    ],
    signs: [
      "Several programs with different names under OWNER, for one socket.",
      "If only the child is left: its parent has gone, the descriptor lacks close-on-exec, and nobody accepts.",
    ],
    helps: [
      "End the process that inherited it.",
      .shown("inherited.cloexec", "In the server: SOCK_CLOEXEC (or FD_CLOEXEC); then exec closes the descriptor."),
    ],
    ineffective: ["SO_REUSEADDR: the socket still listens, and a listener is in the way whatever you set."],
    references: ["socket(2)", "fcntl(2)", "execve(2)"],
    reason: unlessItListens,
    remedies: noRemedies)

  static let timeWait = CauseEntry(
    "closed connections are in TIME_WAIT",
    summary: "Connections of the port ended less than a minute ago; SO_REUSEADDR on both sides gets past them.",
    what: [
      .shown("timewait.closer", "The side that closes first keeps the connection in TIME_WAIT for about a minute."),
      .shown("timewait.blocks", "A bind without SO_REUSEADDR fails as long as one is left."),
    ],
    signs: ["Lines TIME_WAIT, no process, and nothing listens. The screen says how many seconds are left."],
    helps: [
      .shown("timewait.both", "SO_REUSEADDR before bind(), on the new server and on the one that left them."),
      .shown(
        "timewait.inherits", "A connection has the options of the listener that took it, and keeps them to its end."),
      "Or wait: portwhy --wait PORT.",
    ],
    ineffective: [
      .shown(
        "timewait.one-side",
        "SO_REUSEADDR on the new server alone. Most answers on the web leave out that both need it."),
      .shown("timewait.fin-timeout", "net.ipv4.tcp_fin_timeout: it does not shorten TIME_WAIT."),
    ], references: ["socket(7)", "tcp(7)"],
    reason: reuseaddrOnOneSide,
    remedies: noRemedies)

  static let leftoverConnection = CauseEntry(
    "connections of a server are still there",
    summary: "A server is gone or no longer listens, but its connections live on and keep the port.",
    what: [
      .shown("leftover.blocks", "A connection keeps its port in use, with or without a listener.")
    ],
    signs: [
      "Lines such as ESTABLISHED, CLOSE_WAIT or FIN_WAIT2. OWNER says who still has the connection, if anybody."
    ],
    helps: [
      .shown("leftover.both", "SO_REUSEADDR on both sides, as for TIME_WAIT: then only a listener is in the way."),
      "Or end the process that holds the connections.",
    ],
    ineffective: [
      .shown("leftover.one-side", "SO_REUSEADDR on your side alone, where the old server did not set it.")
    ], references: ["socket(7)", "tcp(7)"],
    reason: reuseaddrOnOneSide,
    remedies: noRemedies)

  static let leftoverDualStackConnection = CauseEntry(
    "an IPv6 connection of a dual-stack server blocks 0.0.0.0",
    summary: "A connection that a dual-stack listener took counts for IPv4 too, although its address is IPv6.",
    what: [
      .shown("leftover-dual.blocks", "A connection to [::1] of a listener on [::] keeps 0.0.0.0 from being bound."),
      .shown(
        "leftover-dual.v6only", "It does not if the listener had IPV6_V6ONLY: the connection inherits the option."),
    ],
    signs: ["The failing address is 0.0.0.0, and all that is left on the port are connections with IPv6 addresses."],
    helps: [
      .shown("leftover-dual.address", "A bind to one IPv4 address works."),
      .shown("leftover-dual.both", "So does SO_REUSEADDR on both sides."),
    ],
    ineffective: ["Looking for IPv4 connections: there are none."], references: ["ipv6(7)", "socket(7)"],
    meeting:
      "a connection that came in through a dual-stack listener (IPV6_V6ONLY off) counts for IPv4 too, whatever its"
      + " address",
    reason: reuseaddrOnOneSide,
    remedies: noRemedies)

  static let outgoingConnection = CauseEntry(
    "a client uses the port as its own end",
    summary:
      "An outgoing connection got this port as its local port; reserve the port so that it cannot happen again.",
    what: [
      .shown(
        "client.range", "A client without a bind gets a local port from net.ipv4.ip_local_port_range, yours included."
      ),
      .shown("client.blocks", "While the connection lives, and in TIME_WAIT after it, the port is in use."),
    ],
    signs: ["An ESTABLISHED line, nothing listens, and the port lies in the range that the screen names."],
    helps: [
      .shown("client.reserved", "net.ipv4.ip_local_reserved_ports keeps clients off the ports it lists."),
      .shown("client.reserved-bind", "A bind to a reserved port works as ever."),
      "ss -K closes one connection and leaves its client alone, where the kernel has CONFIG_INET_DIAG_DESTROY.",
      "Or choose a port below the range.",
    ],
    ineffective: [
      .shown("client.reuseaddr", "SO_REUSEADDR: clients hardly ever set it, and both sides would have to.")
    ], references: ["ip(7)"],
    reason: reuseaddrOnOneSide,
    remedies: reservePort)

  static let reservedPortClient = CauseEntry(
    "a client has a reserved port",
    summary: "A client took a port below 1024 as its own end, as NFS and RPC clients do to show that root runs them.",
    what: [
      "bindresvport(3) and the kernel's NFS client pick any port from 512 to 1023 that is free when they start.",
      .shown("client.blocks", "While the connection lives, and in TIME_WAIT after it, the port is in use."),
    ],
    signs: ["An ESTABLISHED line, nothing listens, and PEER has the port of a service, such as 2049 (NFS)."],
    helps: [
      "Start the server before such clients, at boot before the mounts: then they pick another port.",
      "List the port in /etc/bindresvport.blacklist, which programs with libtirpc read.",
      "For NFS mounts: the sysctls sunrpc.min_resvport and sunrpc.max_resvport, or the mount option noresvport.",
    ],
    ineffective: [
      "net.ipv4.ip_local_reserved_ports: these clients ask for the port by bind(), which that list does not concern."
    ], references: ["bindresvport(3)", "nfs(5)"],
    reason: reuseaddrOnOneSide,
    remedies: keepReservedPort)

  static let connectedUDP = CauseEntry(
    "a connected UDP socket has the port",
    summary: "A UDP socket that talks to one peer alone, as for RTP, DNS or QUIC, keeps everybody else off its port.",
    what: [
      .shown("udp.blocks", "A bound UDP socket keeps others off its address and port."),
      .shown("udp.connected-first", "One that is connected gets what its peer sends."),
    ],
    signs: ["A line ESTABLISHED with an address under PEER, and /udp in the headline."],
    helps: [
      "Let its program end the call or the session, or end the program: the port is free once the socket is closed.",
      "Give media and the like a range of ports outside net.ipv4.ip_local_port_range, and the server one outside both.",
    ], references: ["udp(7)", "ip(7)"],
    reason: reuseaddrOnOneSide,
    remedies: reservePort)

  static let selfConnection = CauseEntry(
    "a client is connected to itself",
    summary: "A client that retried a port of its own host got that very port as its own and connected to itself.",
    what: [
      .shown("self.possible", "A socket can be connected to itself: local and remote address and port are the same."),
      .shown("self.blocks", "It holds the port like any other connection, so the server cannot start."),
    ],
    signs: ["One ESTABLISHED line with LOCAL and PEER alike."],
    helps: [
      "End the client. Let it wait between attempts, and give servers ports outside net.ipv4.ip_local_port_range.",
      "net.ipv4.ip_local_reserved_ports keeps clients off the port.",
    ], references: ["ip(7)", "connect(2)"],
    reason: reuseaddrOnOneSide,
    remedies: reservePort)
}

// Causes that lie in how the sockets of a port share it, or in what is not known of them.

extension CauseEntry {
  static let listenOnly = CauseEntry(
    "bind() works and listen() fails",
    summary: "Sockets may share a bound port by SO_REUSEADDR, but only one of them can listen.",
    what: [
      .shown("listen.first-wins", "Two TCP sockets with SO_REUSEADDR can both be bound; the first listen() wins."),
      .shown("listen.second-fails", "The other's listen() fails with EADDRINUSE; the socket stays bound."),
    ],
    signs: ["The error names listen, not bind; some libraries report a late bind error as one of listen."],
    helps: ["End the one that listens, or use another port."],
    ineffective: ["Calling listen() again while the other socket listens."], references: ["listen(2)", "socket(7)"],
    reason: { _ in ["sockets may share a bound port with SO_REUSEADDR, but only one of them may listen"] },
    remedies: noRemedies)

  static let reuseportMissing = CauseEntry(
    "SO_REUSEPORT is set on one side only",
    summary: "You set SO_REUSEPORT, the socket in the way did not.",
    what: [.shown("reuseport.both", "SO_REUSEPORT works only if every socket of the port set it.")],
    signs: ["REUSEPORT no, for a socket in the way."],
    helps: ["Set it before bind() in the other program too, if the two are meant to share the traffic."],
    ineffective: ["Setting it in your own program alone: the first socket decides as well."],
    references: ["socket(7)"],
    reason: {
      ["SO_REUSEPORT has to be set on both sides, and \($0.blockingSockets.holderNames) did not set it"]
    },
    remedies: reuseportThere)

  static let reuseportOtherUser = CauseEntry(
    "SO_REUSEPORT sockets of different users",
    summary: "All sockets that share a port by SO_REUSEPORT must belong to one user; root is no exception.",
    what: [
      .shown("reuseport.same-user", "The sockets must belong to the same user, so that nobody can steal a port."),
      .shown("reuseport.root", "Root is no exception."),
      .shown("reuseport.creator", "What counts is who created the socket, not who binds it."),
    ],
    signs: ["REUSEPORT is yes on all lines, and the user in OWNER is not yours."],
    helps: [
      "Create all of them as one user. A socket that systemd or a starter made as root belongs to root.",
      .shown("reuseport.fchown", "fchown() on the descriptor changes the user of a socket."),
    ],
    ineffective: ["Changing the user of the process after socket(): the socket keeps its own."],
    references: ["socket(7)", "chown(2)"],
    reason: { situation in
      let owners = Set(situation.blockingSockets.compactMap(\.uid)).sorted().map(String.init).listed()
      return [
        "both set SO_REUSEPORT, but what is there belongs to uid \(owners), yours to uid \(situation.attempt.uid)"
      ]
    },
    remedies: otherUser)

  static let udpMixedOptions = CauseEntry(
    "UDP sockets share by different options",
    summary: "One socket set only SO_REUSEADDR, another only SO_REUSEPORT: they do not fit.",
    what: [
      .shown(
        "udp.mixed", "SO_REUSEADDR here and SO_REUSEPORT there do not add up: one of them must be on both sides.")
    ],
    signs: ["The columns REUSEADDR and REUSEPORT differ between the sockets of the port, as on 5353 (mDNS)."],
    helps: [.shown("udp.set-both", "Set both options: that fits sockets with either, SO_REUSEPORT of one user.")],
    ineffective: [.shown("udp.order", "Trying again: with mixed options the order of the binds may decide.")],
    references: ["socket(7)", "udp(7)"],
    reason: { _ in ["both sockets are meant to share, but not by the same option"] },
    remedies: reuseportThere)

  static let dependsOnOrder = CauseEntry(
    "the order of earlier binds decides",
    summary: "The kernel remembers the last SO_REUSEPORT user of a port, and that can let a bind pass.",
    what: [
      .shown(
        "order.tcp",
        "With mixed options the same sockets may let a TCP bind pass or not, as they were bound in order."
      ),
      "What the kernel remembers of a port is shown to nobody but root with BPF.",
    ],
    signs: ["The answer is undetermined, and only the order of earlier binds is not known."],
    helps: [
      "portwhy --probe PORT tries it.", "Let all sockets of a port set the same options: then order does not matter.",
    ], references: ["socket(7)"],
    reason: noReason,
    remedies: noRemedies)

  static let hidden = CauseEntry(
    "what decides is not visible to you",
    summary: "An option, an owner or a socket that decides cannot be seen by the user who asked.",
    what: [
      .shown("hidden.flags", "No listing of the kernel shows SO_REUSEADDR and SO_REUSEPORT of other sockets."),
      "portwhy reads them through the owner's descriptors, which it may do for your own processes, or as root.",
    ],
    signs: ["A question mark in a column, or an owner that is hidden."],
    helps: ["sudo portwhy PORT.", "portwhy --probe PORT, for TCP: it binds for a moment."],
    ineffective: ["Taking an empty list for a free port: without privilege tools leave out what they may not see."],
    references: ["sock_diag(7)", "pidfd_getfd(2)"],
    reason: noReason,
    remedies: noRemedies)

  static let sharedPort = CauseEntry(
    "it works, and the port is shared",
    summary: "The bind works beside other sockets of the port; the traffic is split or moved, and nobody is told.",
    what: [
      .shown("share.silent", "Sharing raises no error on either side, so an old copy of a server may go on unseen."),
      .shown("share.hash", "With SO_REUSEPORT each new connection goes to one of the listeners, by a hash."),
      .shown(
        "udp.last-bound", "UDP with SO_REUSEADDR: of sockets on one address the last bound one gets all unicast."),
      .shown("share.specific", "A socket on one address takes its traffic away from one on the wildcard."),
    ],
    signs: ["The line gets. Clients that reach the wrong server only sometimes."],
    helps: [
      "Look who shares: any process of the same user can join a SO_REUSEPORT group, and gets a part of the clients.",
      "Leave both options off where there is to be one server only: then the second one gets an error.",
    ], references: ["socket(7)"],
    reason: noReason,
    remedies: noRemedies)
}
