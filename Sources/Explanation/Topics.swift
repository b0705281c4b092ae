internal import SocketModel

/// One entry of `--explain`: the long text of a cause, or of a matter that several causes share.
@dynamicMemberLookup
package struct Topic: Sendable, Hashable {
  /// What is typed after `--explain`; for a cause the word of the report.
  package var slug: String
  /// nil for a matter that several causes share.
  package var cause: Cause?
  /// What it says.
  package var text: TopicText

  init(_ cause: Cause, _ text: TopicText) {
    (slug, self.cause, self.text) = (cause.rawValue, cause, text)
  }

  init(
    _ slug: String, _ title: String, summary: String, what: [Statement], signs: [Statement] = [],
    helps: [Statement] = [], ineffective: [Statement] = [], doubts: [Statement] = [], references: [String]
  ) {
    self.slug = slug
    text = TopicText(
      title: title, summary: summary, what: what, signs: signs, helps: helps, ineffective: ineffective,
      doubts: doubts, references: references)
  }

  /// A part of the text.
  package subscript<Part>(dynamicMember part: KeyPath<TopicText, Part>) -> Part { text[keyPath: part] }

  /// An attempt can have it as its cause.
  package var isCause: Bool { cause != nil }
}

/// Every long text there is.
package enum Catalogue {
  /// The causes in the order of the list, then the other topics.
  package static let topics: [Topic] = Cause.allCases.map(\.topic) + generalTopics + foreignTopics

  /// What their list ends with.
  package static let hint = "portwhy --explain TOPIC tells more."

  /// The topic of this name; nil where there is none.
  package static func topic(_ slug: String) -> Topic? { topics.first { $0.slug == slug } }

  /// The topic whose name differs least from what was typed; nil where none is near.
  package static func nearest(to word: String) -> Topic? {
    let typed = Array(word.lowercased().utf8.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }.prefix(40))
    let ranked = topics.map { (topic: $0, distance: editDistance(typed, Array($0.slug.utf8))) }
    let containing = typed.count >= 3 ? topics.first { $0.slug[...].place(of: word.lowercased()) != nil } : nil
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    if best.distance <= max(2, typed.count / 3) { return best.topic }
    return containing
  }
}

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
      "Linux has it since 3.9. \"SO_REUSEPORT undeclared\" tells of older headers, not of the kernel that will run it.",
      .shown("reuseport.number", "The number of the option is 15 on x86 and ARM."),
      .shown("reuseport.both", "All sockets of the port must set it before bind()."),
      .shown("reuseport.same-user", "All must belong to one user."),
      .shown("share.hash", "Each connection goes to one of them, chosen by a hash of addresses and ports."),
      "The old FAQ about the BSDs says that the first of two such sockets gets everything, and the other nothing.",
      .shown("bsd.oldest-wildcard", "That holds for a wildcard on FreeBSD 13 and before, and on macOS."),
      .shown("bsd.newest", "On one address, and on FreeBSD since 14.0 everywhere, the last one gets everything."),
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
      "On 0.0.0.0 one that joined nothing gets it too where any program of the host joined: IP_MULTICAST_ALL, ip(7).",
      .shown("multicast.reuseport-copy", "That holds for SO_REUSEPORT too: multicast is copied, not split."),
      .shown(
        "udp.last-bound", "Unicast to the same port goes to one socket only: with SO_REUSEADDR the last bound one."),
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

// What other systems answer in the same situations.

let foreignTopics: [Topic] = [
  Topic(
    "freebsd", "what FreeBSD answers in the same situations",
    summary:
      "There the new socket alone needs SO_REUSEADDR, wildcards do not collide with it, and SO_REUSEPORT_LB splits.",
    what: [
      "For people who port servers, eight differences first.",
      .shown("bsd.new-option", "1. Against old connections and TIME_WAIT, SO_REUSEADDR on the new socket is enough."),
      .shown("reuseaddr.pair", "Linux wants it on both."),
      .shown("bsd.exact-address", "2. With it one address beside a listener on 0.0.0.0 works, in either order."),
      .shown("wildcard.no-reuseaddr", "On Linux the listener stays in the way."),
      .shown(
        "bsd.udp-reuseaddr",
        "3. SO_REUSEADDR on two UDP sockets shares no unicast address; SO_REUSEPORT on both does."),
      .shown("udp.both-reuseaddr", "On Linux either does."),
      .shown(
        "bsd.newest", "4. SO_REUSEPORT shares nothing out: the last bound socket gets all (FreeBSD 14.0 and later)."),
      .shown("bsd.balanced", "SO_REUSEPORT_LB (12.0) does, by a hash; not on a [::] that takes IPv4 too."),
      .shown("share.hash", "On Linux SO_REUSEPORT does."),
      .shown("bsd.v6only", "5. IPV6_V6ONLY is on by default: [::] takes no IPv4, and 0.0.0.0 fits beside it."),
      .shown("dual.covers-ipv4", "On Linux a [::] with IPV6_V6ONLY off, its default, takes the IPv4 port too."),
      .shown("bsd.loopback-net", "6. Of 127.0.0.0/8 only 127.0.0.1 is there: 127.0.0.2 is EADDRNOTAVAIL."),
      .shown("address.loopback-net", "On Linux all of them are."),
      .shown(
        "bsd.users",
        "7. No option gets a user past a listener of another one on his address or a wildcard; root may join anybody."
      ),
      .shown(
        "linux.users",
        "On Linux UDP sockets of two users share by SO_REUSEADDR; by SO_REUSEPORT not even root joins another user."),
      .shown("bsd.group", "8. On a multicast address SO_REUSEADDR and SO_REUSEPORT may be mixed, by all users."),
      .shown("linux.group", "On Linux they may not."),
      .shown(
        "bsd.joined",
        "An IPv4 group reaches only sockets that joined it themselves, up to the first one with none of the options."),
    ],
    helps: [
      "A server that shall run on both: SO_REUSEADDR for TCP, SO_REUSEPORT for UDP, IPV6_V6ONLY set in words.",
      .shown("bsd.v4-first", "To have [::] without IPV6_V6ONLY and 0.0.0.0 both, bind 0.0.0.0 first."),
      "To spread the load: SO_REUSEPORT_LB where the headers have it, else SO_REUSEPORT.",
    ],
    ineffective: [
      .shown("bsd.no-listen-state", "SO_REUSEADDR on two TCP sockets of one address, though neither listens yet.")
    ],
    doubts: [
      "All this was read in the sources of FreeBSD 13 to 15 (to July 2026), and was not run on one.",
      "Who gets IPv4 beside a [::] that takes it too, since 14.0: the code says the last bound, inet6(4) says 0.0.0.0.",
      .shown(
        "bsd.tie", "A listener on 0.0.0.0 and a newer connection: another user gets past the two. No test has that."),
      .shown(
        "bsd.forgiven",
        "[::] without IPV6_V6ONLY fits beside 0.0.0.0 and 127.0.0.1, not beside 127.0.0.1 alone. No test has that."),
      .shown(
        "bsd.disconnected",
        "A UDP socket whose peer was taken by AF_UNSPEC holds no port since 14.0, by the code. No test has that."),
      .shown(
        "bsd.balanced-users",
        "Two users could share 0.0.0.0 by SO_REUSEPORT_LB up to 14.2: the release is our reckoning, 13.5 was not read."
      ),
      "in6_pcb.c was read of 13, 14.0 and main, not of 15 itself; the main branch after July 2026 was not.",
      "Not looked at: jails, FIBs, mac_portacl(4), IP_BINDANY, SO_REUSEPORT_LB_CPU, and sysctls that somebody changed.",
    ], references: ["socket(7)"]),
  Topic(
    "macos", "what macOS answers in the same situations",
    summary:
      "As FreeBSD of old, without SO_REUSEPORT_LB; wildcards may have two users, and filters can refuse besides.",
    what: [
      "Its rules are those of an older FreeBSD, so portwhy --explain freebsd holds but for these:",
      .shown(
        "mac.users", "Two users may share a wildcard address by SO_REUSEPORT on both; one specific address not."),
      .shown("mac.connections", "A connection or TIME_WAIT of another user is in the way, SO_REUSEADDR or not."),
      .shown("mac.reserved", "A port below 1024 is everybody's on a wildcard, and root's on one address."),
      .shown("mac.v6only", "IPV6_V6ONLY is off by default, as on Linux."),
      .shown(
        "mac.group", "On a multicast address the new socket's SO_REUSEADDR fits old SO_REUSEPORT, not the reverse."),
      .shown("mac.oldest", "SO_REUSEPORT shares nothing out: on a wildcard the first bound socket gets all."),
      .shown("mac.newest", "On one address the last bound one does. There is no SO_REUSEPORT_LB."),
      .shown("mac.silent", "A bound TCP socket that does not listen, where it is found, answers nothing at all."),
    ],
    helps: [
      .shown("mac.v4-first", "0.0.0.0 first, then [::] with IPV6_V6ONLY off: that order works, the other does not.")
    ],
    doubts: [
      "What these rules allow can still fail: content filters, flow divert and Skywalk can refuse besides.",
      "Read in xnu-4903 to xnu-11417, not run on one; that these are macOS 10.14 to 15 is our reckoning.",
      .shown(
        "mac.inferred",
        "Taken from FreeBSD's behaviour: fe80:: without a zone is refused, an interface's broadcast address works."),
    ],
    references: ["socket(7)"]),
]
