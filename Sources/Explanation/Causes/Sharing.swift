import BindRules
import SocketModel

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
    helps: ["Stop the one that listens, or use another port."],
    ineffective: ["Calling listen() again while the other socket listens."], references: ["listen(2)", "socket(7)"],
    reason: { _ in ["sockets may share a bound port with SO_REUSEADDR, but only one of them may listen"] },
    remedies: noRemedies)

  static let reuseportMissing = CauseEntry(
    "SO_REUSEPORT is set on one side only",
    summary: "You set SO_REUSEPORT, the socket in the way did not.",
    what: [.shown("reuseport.both", "SO_REUSEPORT works only if every socket of the port set it.")],
    signs: ["REUSEPORT no, for a socket in the way."],
    helps: ["Set it before bind() in the other program too, if the two are meant to share the traffic."],
    ineffective: ["Stopping at your own code: the first socket decides as well."], references: ["socket(7)"],
    reason: { _ in ["SO_REUSEPORT has to be set on both sides, and the other side did not set it"] },
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
        "both sides set SO_REUSEPORT, but the sockets belong to uid \(owners), this one to uid \(situation.attempt.uid)"
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
    reason: { _ in ["both sides mean to share, but not by the same option"] },
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
      .shown("udp.last-bound", "UDP with SO_REUSEADDR: unicast goes to the last bound socket alone."),
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
