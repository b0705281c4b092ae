internal import Linux
internal import PortwhyReport

/// Lines about the command as a whole, at its end.
struct CommandRemarks {
  /// The word that was run.
  var command: String
  /// It ended with another status than 0.
  var failed: Bool
  /// A call of it failed.
  var sawFailures: Bool
  /// Calls that could not be looked at.
  var missedCalls: Int
  var isVerbose: Bool
  /// The user who called sudo(8).
  var sudoUser = SystemCalls.environment("SUDO_USER")
  var uid = effectiveUser()

  var lines: [String] {
    [ranAsRoot, boundElsewhere, missed].compactMap { $0 }
  }

  private var name: String { command.split(separator: "/").last.map(String.init) ?? command }

  /// `sudo portwhy -- npm start` runs npm as root, which is seldom what was meant.
  private var ranAsRoot: String? {
    guard sawFailures, uid == 0, let sudoUser, sudoUser != "root",
      !["sudo", "su", "runuser", "setpriv", "doas"].contains(name)
    else { return nil }
    let user = TerminalText.escaped(sudoUser)
    return
      "\(TerminalText.escaped(name)) ran as root; as \(user): sudo portwhy -- sudo -u \(user) \(TerminalText.escaped(name)) …"
  }

  /// Programs that ask a daemon, which is no part of the command.
  private static let daemons = [
    "docker": "dockerd", "docker-compose": "dockerd", "nerdctl": "containerd", "systemctl": "systemd",
    "service": "systemd", "kubectl": "the kubelet", "lxc": "lxd", "incus": "incusd", "virsh": "libvirtd",
  ]

  private var boundElsewhere: String? {
    guard failed, !sawFailures, let daemon = Self.daemons[name] else { return nil }
    return "\(name) has \(daemon) bind for it, which is no part of this command: ask portwhy PORT"
  }

  private var missed: String? {
    guard missedCalls > 0, isVerbose || (failed && !sawFailures) else { return nil }
    let calls = missedCalls == 1 ? "a bind or listen" : "\(missedCalls) binds or listens"
    return "\(calls) of the command could not be looked at: a debugger has the thread, or it forbids it"
  }
}
