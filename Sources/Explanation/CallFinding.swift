package import BindRules
package import SocketModel

/// What may refuse a bind(2) besides the port, as far as it shows.
package struct Policies: Sendable, Hashable {
  /// The security context of the thread; nil for none.
  package var label: String?

  package init() {}
}

/// How the errno of a call goes together with what the rules say to the same socket a moment later, where they do not
/// agree.
package enum CallFinding: Sendable, Hashable {
  /// EACCES or EPERM that the port does not give.
  case refusedByPolicy(now: CallResult, Policies)
  /// What was in the way is not there any more.
  case goneMeanwhile(now: CallResult)
  /// EADDRINUSE beside sockets that are there, and with which SO_REUSEPORT lets a socket like this one share the port.
  case notShared
  /// The socket has a port already.
  case alreadyBound
  /// Nothing that is read explains it.
  case unexplained(now: CallResult)
}

extension CallFinding {
  /// The explanation of the call, from that of the bind that was judged.
  package func explanation(
    _ function: SocketCall, _ errno: SystemError, _ judged: Diagnosis, host: HostFacts
  ) -> Diagnosis {
    var explanation = Diagnosis(cause: cause, notes: judged.notes)
    switch self {
    case .refusedByPolicy(let now, let policies):
      explanation.why =
        ["by the port's rules \(Self.rules(now)), and the kernel asks its policies before them"]
        + policies.sentences(errno, host)
      explanation.suggestions = policies.suggestions(errno)
    case .goneMeanwhile(let now):
      explanation.why = ["a moment after the call \(Self.rules(now))"]
      if now == .ok {
        explanation.suggestions = [Suggestion(kind: .tryAgain, certainty: .checked, text: "try again")]
      }
    case .notShared:
      explanation.why = ["by the options of both sides the same call works: they share the port with SO_REUSEPORT"]
      explanation.notes.append(
        Note(
          kind: .unexplained,
          text: "where a BPF program was attached to the socket before bind() (SO_ATTACH_REUSEPORT_CBPF,"
            + " SO_ATTACH_REUSEPORT_EBPF) the kernel passes over its SO_REUSEPORT; or something else was in the way and has"
            + " gone"))
    case .alreadyBound:
      explanation.why = ["bind() gives a socket its address only once"]
      explanation.suggestions = [
        Suggestion(
          kind: .newSocket, certainty: .checked, text: "bind the address with a socket of its own, or bind once")
      ]
    case .unexplained(let now):
      explanation.why = [
        "\(function.rawValue)() said \(errno), and by what portwhy can see \(Self.rules(now))"
      ]
      explanation.notes.append(
        Note(kind: .unexplained, text: "if that happens again, it is worth a report, with the output of --json"))
    }
    return explanation
  }

  private var cause: Cause? {
    switch self {
    case .refusedByPolicy: .refusedByPolicy
    case .goneMeanwhile: .goneMeanwhile
    case .alreadyBound: .alreadyBound
    case .notShared, .unexplained: nil
    }
  }

  private static func rules(_ now: CallResult) -> String {
    switch now {
    case .ok: "the same call works"
    case .fails(let errno): "the same call fails with \(errno)"
    case .undetermined: "the same call may work"
    }
  }
}

extension Policies {
  /// Who refuses with this errno (`__cgroup_bpf_run_filter_sock_addr` says EPERM, security modules say EACCES).
  fileprivate func sentences(_ errno: SystemError, _ host: HostFacts) -> [String] {
    guard errno == .accessDenied else {
      let group = host.controlGroupBindPrograms == true ? ", and portwhy's own has such a program" : ""
      return [
        "EPERM comes from a program of the control group (systemd's SocketBindDeny=), or from the program's own"
          + " seccomp filter\(group)"
      ]
    }
    let modules = host.securityModules.map { $0.isEmpty ? "" : " (\($0.joined(separator: ", ")))" } ?? ""
    let context = label.map { "; the program runs as \($0)" } ?? ""
    return ["EACCES comes from a security module\(modules) or from a Landlock sandbox\(context)"]
  }

  fileprivate func suggestions(_ errno: SystemError) -> [Suggestion] {
    let (text, command) =
      errno == .accessDenied
      ? ("the audit log says which rule it was", ["journalctl", "-k", "-g", "apparmor|avc|landlock"])
      : (
        "systemd-cgls shows the unit of the program, whose SocketBindDeny= says which rule it is", ["systemd-cgls"]
      )
    return [
      Suggestion(kind: .lookAtPolicy, certainty: .when(.mayReadIt), text: text, command: Command(command))
    ]
  }
}

extension Diagnosis {
  /// Adds that what is in the way was started by the command whose call failed.
  package mutating func addOwnTree(_ holder: ProcessRecord) {
    notes.removeAll { $0.kind == .olderCopy }
    notes.append(Note(kind: .ownTree, text: "\(holder.text) belongs to this very command"))
  }

  /// Adds that another thread of the program wrote to the address meanwhile.
  package mutating func addAddressChanged() {
    notes.append(
      Note(kind: .addressChanged, text: "the address in the program's memory changed while the call was made"))
  }
}

// What a call that was made tells beside the port: `CallFinding` says why and what helps, from its errno.

extension CauseEntry {
  static let refusedByPolicy = CauseEntry(
    "a policy refuses the bind, not the port",
    summary:
      "EACCES or EPERM although the port is free and needs no privilege: a security module, Landlock or a cgroup.",
    what: [
      "The kernel asks its policies before it looks at the port: security modules, Landlock, programs of the cgroup."
    ],
    signs: [
      "The error is EACCES or EPERM, on a port that portwhy finds free or that is not below 1024.",
      "Or socket(), setsockopt() or listen() fails, with whatever error a seccomp filter gives.",
    ],
    helps: [
      "SELinux, AppArmor: the audit log names the rule; semanage port or the profile lets the port in.",
      "Landlock: the sandbox that started the program has to allow the port.",
      "systemd: SocketBindAllow= in the unit that has SocketBindDeny=, the family in RestrictAddressFamilies=.",
      "seccomp: the container's profile has to allow the call, and sockets of the family.",
    ], ineffective: ["Another socket option: no policy looks at them."],
    references: ["landlock(7)", "systemd.resource-control(5)"],
    reason: { situation in
      situation.refusedCall.map {
        ["\($0.name) fails with \($0.errno) here: a seccomp filter or another policy does that"]
      } ?? []
    }, remedies: noRemedies)

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
