package import SocketModel

/// A command that the reader of the answer can run: words, which only the screen and the report quote for a shell.
public struct Command: Sendable, Hashable {
  /// The words as execve(2) takes them, sudo(8) included where it is needed; nil in a report of version 0.1, which has
  /// the text alone.
  public var argv: [String]?
  private var savedText: String?

  /// A command as a report has it: for a shell, and as words.
  package init(saved text: String, argv: [String]?) {
    self.argv = argv
    savedText = argv.map(Command.init(argv:))?.text == text ? nil : text
  }

  /// A command with these words.
  package init(argv: [String]) { self.argv = argv }

  /// A command with these words, behind sudo(8) where it takes root.
  init(_ words: [String], asRoot: Bool = false) { argv = (asRoot ? ["sudo"] : []) + words }

  /// The command for a shell, sh(1): each word quoted where it needs it, so that a hostile name stays a word.
  public var text: String { savedText ?? (argv ?? []).map(shellWord).joined(separator: " ") }
}

/// Words that come from elsewhere, as operands: with `--` before them where one would else be taken for an option.
///
/// Quoting does not help: an option is an option after the shell took the quotes away. Only for programs that know
/// `--`, as those of getopt_long(3) do.
func operands(_ words: [String]) -> [String] {
  words.contains { $0.hasPrefix("-") } ? ["--"] + words : words
}

/// An option with a value that comes from elsewhere, which may begin with `-`.
package func option(_ name: String, _ value: String) -> [String] {
  value.hasPrefix("-") ? ["\(name)=\(value)"] : [name, value]
}

/// A word of a shell command, sh(1).
private func shellWord(_ word: String) -> String {
  let plain = word.utf8.allSatisfy { byte in
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "@._-:/=,+".utf8.contains(byte)
  }
  if plain && !word.isEmpty && !word.hasPrefix("=") { return word }
  return "'\(word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
}

// MARK: Who may run it

extension HostFacts {
  /// Who copies a command from the answer into a shell: of `sudo portwhy` the user who called it.
  private var typist: UInt32 { sudoUID ?? uid }

  /// A command that needs root.
  func asRoot(_ words: [String]) -> Command { Command(words, asRoot: typist != 0) }

  /// A portwhy command that sees as much as the one that made this answer: with sudo(8) where that was.
  package func asNow(_ words: [String]) -> Command { Command(words, asRoot: uid == 0 && typist != 0) }

  /// A command that the owner of these sockets may run, and root.
  func asOwner(of sockets: [SocketObservation], _ words: [String]) -> Command {
    let isOwner = sockets.allSatisfy { $0.processes.isEmpty || $0.uid == typist }
    return Command(words, asRoot: typist != 0 && !isOwner)
  }

  /// systemctl(1) for units of the system manager (nil) or of a user's; nil where a name is none that systemctl takes as
  /// it stands: with `*`, `?` or `[` it names every unit that fits.
  ///
  /// Another user's manager is reached by root alone: `USER@` is short for `USER@.host`, this machine.
  func systemctl(_ verb: String, _ units: [String], manager: UInt32?) -> Command? {
    guard !units.contains(where: { $0.utf8.contains { "*?[".utf8.contains($0) } }) else { return nil }
    return systemctl([verb] + operands(units), manager: manager)
  }

  /// systemctl(1) with these words, which come from nobody else.
  func systemctl(_ words: [String], manager: UInt32?) -> Command {
    switch manager {
    case nil: asRoot(["systemctl"] + words)
    case typist?: Command(["systemctl", "--user"] + words)
    case let user?: asRoot(["systemctl", "--user", "-M", "\(user)@"] + words)
    }
  }

  /// A command of a container engine: root's (nil), or the one that this user runs for himself, which root's knows
  /// nothing of.
  func engine(_ words: [String], of user: UInt32?) -> Command? {
    switch user {
    case nil: asRoot(words)
    case typist?: Command(words)
    case let user?: asRoot(["systemd-run", "--user", "-M", "\(user)@", "--quiet", "--pipe", "--wait"] + words)
    }
  }
}
