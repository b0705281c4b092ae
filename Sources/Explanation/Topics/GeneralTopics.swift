// Matters that several causes share.

let generalTopics: [Topic] = [
  Topic(
    "so-reuseaddr", "what SO_REUSEADDR does, and what it does not",
    summary: "Lets a TCP server start beside old connections, and UDP sockets share a port; both sides must set it.",
    what: [
      "The option has four classic uses, known from BSD. Linux grants them like this:",
      .shown("timewait.both", "1. Restart beside old connections: yes, if the old server had set it too."),
      .shown(
        "reuseaddr.addresses",
        "2. The same port on several addresses: yes, and no option is needed for different addresses."),
      .shown("wildcard.no-reuseaddr", "But one address beside a listener on 0.0.0.0: no."),
      .shown(
        "listen.first-wins", "3. Several sockets of one process: bound yes, listening only one of them (TCP)."),
      .shown(
        "udp.both-reuseaddr", "4. Complete duplicates: yes for UDP, unicast and multicast; no for TCP listeners."),
    ],
    signs: [.shown("reuseaddr.pair", "On Linux the option belongs to pairs: both sockets need it.")],
    helps: [
      "A TCP server sets it always, before bind(). It costs nothing: a running server still cannot be doubled."
    ],
    ineffective: [
      "Setting it after bind(): by then the call has failed.",
      .shown("listener.blocks", "Using it to get past a server that listens."),
    ], references: ["socket(7)", "bind(2)"]),
  Topic(
    "so-reuseport", "what SO_REUSEPORT is for",
    summary: "Several sockets of one user listen on one port and share the load; all of them must set it.",
    what: [
      "Made for several workers, each with a listening socket of its own, and for hand-overs without a gap.",
      "Linux has it since 3.9. \"SO_REUSEPORT undeclared\" tells of older headers, not of the kernel that will run it;",
      "the number is 15 on x86 and ARM.",
      .shown("reuseport.both", "All sockets of the port must set it before bind()."),
      .shown("reuseport.same-user", "All must belong to one user."),
      .shown("share.hash", "Each connection goes to one of them, chosen by a hash of addresses and ports."),
      "The old FAQ about the BSDs says that the first of two such sockets gets everything, and the other nothing.",
      .shown("bsd.oldest-wildcard", "That holds for a wildcard on FreeBSD 13 and before, and on macOS;"),
      .shown("bsd.newest", "on one address, and on FreeBSD since 14.0 everywhere, the last one gets everything."),
    ],
    ineffective: [
      "As a cure for \"address already in use\": if an older copy runs, it keeps a part of your clients.",
      .shown("reuseport.not-past", "To get past a server that did not set it."),
    ], references: ["socket(7)"]),
  Topic(
    "multicast", "several programs on one multicast port",
    summary: "All set SO_REUSEADDR (or all SO_REUSEPORT), and each that joined the group gets a copy.",
    what: [
      .shown("multicast.copy", "Each socket that is bound to the port and joined the group gets a copy."),
      .shown("multicast.reuseport-copy", "That holds for SO_REUSEPORT too: multicast is copied, not split."),
      .shown("udp.last-bound", "Unicast to the same port goes to one socket only: the last bound one."),
      "Which sockets joined a group is not visible for each socket, only for each interface (ip maddress).",
    ],
    helps: [
      "Set SO_REUSEADDR and SO_REUSEPORT both, before bind(): that fits programs with either.",
      .shown("multicast.group-bind", "Bind the group's address instead of 0.0.0.0 to be spared the unicast."),
    ], references: ["ip(7)", "udp(7)", "ip-maddress(8)"]),
  Topic(
    "who-receives", "who gets the traffic of a shared port",
    summary: "Connected before one address before the wildcard; then the last bound (UDP) or a hash (SO_REUSEPORT).",
    what: [
      .shown("udp.connected-first", "UDP: a connected socket gets what its peer sends."),
      .shown("udp.specific-first", "Then a socket on exactly the address goes before one on the wildcard."),
      .shown("receive.ipv4-first", "IPv4 packets go to an IPv4 socket on 0.0.0.0 before a dual-stack one on [::]."),
      .shown("udp.last-bound", "Of equal UDP sockets the last bound one gets all."),
      .shown(
        "share.hash", "In a SO_REUSEPORT group a hash of addresses and ports picks one: the same for each peer."),
      .shown("share.specific", "TCP: a listener on exactly the address goes before one on the wildcard."),
      .shown("multicast.copy", "Multicast: each socket that joined gets a copy."),
    ],
    signs: ["The line gets on the screen, deliveries in the JSON report."],
    helps: [
      "Mind the security side: with SO_REUSEPORT a program of the same user can take a part of a server's clients."
    ], references: ["udp(7)", "socket(7)"]),
]
