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
      "Each socket gets of a group only what it joined itself; the walk ends at the first one with none of the options.",
    ],
    signs: [
      "All this was read in the sources of FreeBSD 13 to 15 (to July 2026), and was not run on one. Open are these:",
      "Who gets IPv4 beside a [::] that takes it too, since 14.0: the code says the last bound, inet6(4) says 0.0.0.0.",
      .shown(
        "bsd.tie", "A listener on 0.0.0.0 and a newer connection: another user gets past the two. No test has that."),
      .shown(
        "bsd.balanced-users", "Two users could share 0.0.0.0 by SO_REUSEPORT_LB up to 14.2, if our dates are right."),
      "Not looked at: jails, FIBs, mac_portacl(4), IP_BINDANY, and sysctls that somebody changed.",
    ],
    helps: [
      "A server that shall run on both: SO_REUSEADDR for TCP, SO_REUSEPORT for UDP, IPV6_V6ONLY set in words.",
      .shown("bsd.v4-first", "To have [::] without IPV6_V6ONLY and 0.0.0.0 both, bind 0.0.0.0 first."),
      "To spread the load: SO_REUSEPORT_LB where the headers have it, else SO_REUSEPORT.",
    ],
    ineffective: [
      .shown("bsd.no-listen-state", "SO_REUSEADDR on two TCP sockets of one address, though neither listens yet.")
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
      .shown("mac.oldest", "SO_REUSEPORT shares nothing out: on a wildcard the first bound socket gets all,"),
      .shown("mac.newest", "on one address the last bound. There is no SO_REUSEPORT_LB."),
      .shown("mac.silent", "A bound TCP socket that does not listen, where it is found, answers nothing at all."),
    ],
    signs: [
      "What these rules allow can still fail: content filters, flow divert and Skywalk can refuse besides.",
      "Read in the sources of macOS 10.14 to 15 (xnu), not run on one.",
      "Taken from FreeBSD's behaviour: fe80:: without a zone, and the broadcast address of an interface.",
    ],
    helps: [
      .shown("mac.v4-first", "0.0.0.0 first, then [::] with IPV6_V6ONLY off: that order works, the other does not.")
    ],
    references: ["socket(7)"]),
]
