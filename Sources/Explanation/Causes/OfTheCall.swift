// What a call that was made tells beside the port: `CallFinding` says why and what helps, from its errno.

extension CauseEntry {
  static let refusedByPolicy = CauseEntry(
    "a policy refuses the bind, not the port",
    summary:
      "EACCES or EPERM although the port is free and needs no privilege: a security module, Landlock or a cgroup.",
    what: [
      "The kernel asks its policies before it looks at the port: security modules, Landlock, programs of the cgroup."
    ],
    signs: ["The error is EACCES or EPERM, on a port that portwhy finds free or that is not below 1024."],
    helps: [
      "SELinux, AppArmor: the audit log names the rule; semanage port or the profile lets the port in.",
      "Landlock: the sandbox that started the program has to allow the port.",
      "systemd: SocketBindAllow= in the unit that has SocketBindDeny=.",
    ], ineffective: ["Another socket option: no policy looks at them."],
    references: ["landlock(7)", "systemd.resource-control(5)"], reason: noReason, remedies: noRemedies)

  static let goneMeanwhile = CauseEntry(
    "what was in the way has gone",
    summary: "The call failed, and a moment later the same call works: the other socket was closed in between.",
    what: ["A server that was about to end held the port when the call was made."],
    signs: ["It works at the next try."],
    helps: ["Try again; a service manager that restarts the server does it."], references: ["bind(2)"],
    reason: noReason, remedies: noRemedies)

  static let alreadyBound = CauseEntry(
    "the socket is bound already",
    summary: "A second bind() of one socket fails with EINVAL, whatever the address.",
    what: ["A socket gets its address once, from bind(), or from listen() or connect() without one."],
    signs: ["The error is EINVAL, and the address itself is in order."],
    helps: ["Bind each address with a socket of its own."], references: ["bind(2)"],
    reason: noReason, remedies: noRemedies)
}
