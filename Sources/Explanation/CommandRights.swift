import SocketModel

// Who may run a suggested command: the one place that puts sudo(8) before one.

extension HostFacts {
  /// Who copies a command from the answer into a shell: of `sudo portwhy` the user who called it.
  private var typist: UInt32 { sudoUID ?? uid }

  /// Whether the answer itself was made with sudo(8).
  private var usesSudo: Bool { uid == 0 && typist != 0 }

  /// A command that needs root.
  func asRoot(_ command: String) -> String { typist == 0 ? command : "sudo \(command)" }

  /// A portwhy command that sees as much as the one that made this answer.
  func asNow(_ command: String) -> String { usesSudo ? "sudo \(command)" : command }

  /// What goes before a command that the owner of these sockets may run, and root: `sudo ` or nothing.
  func prefix(forOwnerOf sockets: [SocketObservation]) -> String {
    let isOwner = sockets.allSatisfy { $0.processes.isEmpty || $0.uid == typist }
    return typist == 0 || isOwner ? "" : "sudo "
  }

  /// systemctl(1) for units of the system manager (nil) or of a user's.
  ///
  /// Another user's manager is reached by root alone: `USER@` is short for `USER@.host`, this machine.
  func systemctl(_ words: String, manager: UInt32?) -> String {
    switch manager {
    case nil: asRoot("systemctl \(words)")
    case typist?: "systemctl --user \(words)"
    case let user?: asRoot("systemctl --user -M \(user)@ \(words)")
    }
  }
}
