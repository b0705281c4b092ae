import BindRules
package import SocketModel

/// What can be done, best first. Everything marked `checked` was run through the rules on the changed situation.
func suggestions(_ situation: Situation, _ outcome: BindOutcome, _ cause: Cause?) -> [Suggestion] {
  let remedies = cause?.entry.remedies(situation) ?? []
  let own: [Suggestion]
  switch outcome.verdict {
  case .ok: return []
  case .fails(.addressInUse) where situation.isHeldByClients:
    // The client is not to blame: its end is the last of all.
    let first = ourOption(situation) + waiting(situation)
    let rest = remedies + closeConnections(situation) + lookCloser(situation, outcome) + stopHolder(situation)
    return worded(first, situation) + otherPort(situation) + worded(rest, situation)
  case .fails(.addressInUse):
    own = inUse(situation, outcome, remedies)
  case .fails(.accessDenied): return withoutRight(situation) + worded(remedies, situation)
  case .fails: return worded(remedies, situation)
  case .undetermined:
    own =
      lookCloser(situation, outcome) + ourOption(situation) + stopHolder(situation) + waiting(situation)
      + there(situation, remedies) + sharing(situation)
  }
  let advice = worded(own, situation)
  // Another port is the last resort, but for the end of somebody's login.
  let end = (situation.isHeldByLogin ? advice.firstIndex { $0.kind == .stopHolder } : nil) ?? advice.endIndex
  return advice[..<end] + otherPort(situation) + advice[end...]
}

/// What costs nobody anything comes first: an option that gets past what is left over, the end of a wait, an address
/// that nobody has. Sharing with another program is no way out of a conflict, and so comes late, but for the protocols
/// that are made for it; later still than to leave all of IPv4 to it, where most clients are.
private func inUse(_ situation: Situation, _ outcome: BindOutcome, _ remedies: [Suggestion]) -> [Suggestion] {
  let share = sharing(situation)
  let isMeant = situation.isSharedByProtocol
  let options = ourOption(situation)
  let v6only = options.filter { $0.option == .v6only }
  let before =
    options.filter { $0.option != .v6only } + waiting(situation) + otherAddress(situation) + (isMeant ? share : [])
  let holder = stopHolder(situation) + whereToChange(situation) + lookCloser(situation, outcome)
  // Where one option here is enough, nobody there has to change a thing.
  let others = isMeant && !share.isEmpty ? [] : addressThere(situation) + there(situation, remedies)
  if isMeant { return before + others + holder + v6only }
  return before + holder + v6only + others + share
}

/// What stands in the way besides a missing right: advice about the right alone would be in vain. Nothing where EACCES has
/// another reason, such as a seccomp filter that answers socket(2) so.
private func withoutRight(_ situation: Situation) -> [Suggestion] {
  var permitted = situation
  permitted.attempt.mayBindPrivileged = true
  permitted.outcomes = outcomes(of: permitted.attempt, in: situation.snapshot)
  guard let outcome = permitted.outcome(permitted.planned), outcome.verdict != .ok,
    outcome.verdict != .fails(.accessDenied)
  else { return [] }
  return suggestions(permitted, outcome, primaryCause(permitted)).filter { $0.kind != .otherPort }
}

/// What the other side can change: in the words of its own settings where they are known, and then not a second time.
private func there(_ situation: Situation, _ remedies: [Suggestion]) -> [Suggestion] {
  let settings = settingThere(situation)
  let general = (optionThere(situation) + remedies).filter { suggestion in
    suggestion.kind != .setOptionThere
      || !settings.contains { $0.option?.isAboutReuse == suggestion.option?.isAboutReuse }
  }
  return general + settings
}

/// The suggestions in the words of the planned runtime.
private func worded(_ suggestions: [Suggestion], _ situation: Situation) -> [Suggestion] {
  // The kernel's own sockets cannot be told to set an option, nor did they.
  let isKernels = situation.blockingSockets.contains { $0.owner == .kernel }
  return suggestions.filter { !isKernels || $0.kind != .setOption }.compactMap { $0.worded(for: situation.runtime) }
}

extension Situation {
  /// A portwhy command with the question's options and these, about this attempt.
  func asking(_ options: [String] = []) -> [String] { ["portwhy"] + questionOptions + options + [target] }

  /// TARGET of a command that asks about this attempt again; a wildcard as the bare port.
  private var target: String {
    let suffix = "\(attempt.port)\(attempt.transport == .udp ? "/udp" : "")"
    let scope = attempt.missingZone ?? attempt.scope.map { snapshot.host.interface($0)?.name ?? String($0.rawValue) }
    let zone = scope.map { "%" + $0 } ?? ""
    switch attempt.address {
    case _ where attempt.address.isUnspecified: return suffix
    case .v4(let address): return "\(address):\(suffix)"
    case .v6(let address): return "[\(address)\(zone)]:\(suffix)"
    }
  }

  /// Whether no holder can be hidden from the reader, so that a socket is free when its visible holders have gone.
  /// Nobody was passed over because somebody keeps who looks waiting.
  var seesEveryHolder: Bool {
    snapshot.host.uid == 0 && snapshot.visibility.unreadableProcesses == 0
      && !snapshot.visibility.reasons.contains(.noAnswer)
  }

  /// How sure a suggestion is that makes the rules say this.
  func certainty(_ verdict: CallResult) -> Suggestion.Certainty { verdict == .ok ? .checked : .when(.nothingElse) }
}

private func waiting(_ situation: Situation) -> [Suggestion] {
  let blocking = situation.blockingSockets
  guard !blocking.isEmpty, blocking.allSatisfy(\.isTimeWaitSocket), let seconds = blocking.secondsLeft
  else { return [] }
  var after = situation.snapshot
  after.sockets.removeAll(where: \.isTimeWaitSocket)
  guard situation.verdict(in: after) == .ok else { return [] }
  // The end of a FIN_WAIT2 is near or, once the peer closes too, a whole TIME_WAIT away (`tcp_timewait_state_process`).
  let isHalfClosed = blocking.contains { $0.state == .finWait2 }
  return [
    Suggestion(
      kind: .wait,
      certainty: isHalfClosed
        ? .when(.peerStaysOpen) : .checked,
      text: isHalfClosed
        ? "wait \(seconds) s until the kernel gives the connection up"
        : "wait \(seconds) s until TIME_WAIT is over",
      command: situation.snapshot.host.asNow(situation.asking(["--wait"])))
  ]
}

/// What settles an undetermined answer, or names a hidden holder: the cheapest way first.
private func lookCloser(_ situation: Situation, _ outcome: BindOutcome) -> [Suggestion] {
  let host = situation.snapshot.host
  let isOpen = outcome.verdict == .undetermined
  let hidden = situation.blockingSockets.contains { $0.owner == .hidden || $0.reuseaddr.unknownReason == .hidden }
  let lookAsRoot = Suggestion(
    kind: .lookAsRoot, certainty: .when(.maySudo),
    text: "ask again as root, who sees the owner and the options of every socket",
    command: host.asRoot(situation.asking()))
  let lookOutside = Suggestion(
    kind: .findHolder, certainty: .when(.mayLookOutside),
    text: "ask on the host, outside this container, too: from in here the holder is not to be seen")
  let isOutside =
    situation.snapshot.visibility.reasons.contains(.pidNamespace)
    && situation.blockingSockets.contains { $0.owner == .hidden }
  return (host.uid != 0 && (isOpen || hidden) ? [lookAsRoot] : []) + (isOutside ? [lookOutside] : [])
    + probing(situation, outcome)
}

/// A real bind settles an undetermined TCP outcome; UDP is never probed.
private func probing(_ situation: Situation, _ outcome: BindOutcome) -> [Suggestion] {
  guard situation.attempt.transport == .tcp, outcome.bind == .undetermined, outcome.source == .rules else {
    return []
  }
  return [
    Suggestion(
      kind: .probe, certainty: .when(.mayHoldPort),
      text: "settle it by a real bind that never listens",
      command: situation.snapshot.host.asNow(situation.asking(["--probe"])))
  ]
}

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
  ///
  /// systemctl(1) then has systemd-stdio-bridge run as that user, with its own standard error: root's terminal, which
  /// any process of the user could read from. So that goes to /dev/null.
  func systemctl(_ verb: String, _ units: [String], manager: UInt32?) -> Command? {
    guard !units.contains(where: { $0.utf8.contains { "*?[".utf8.contains($0) } }) else { return nil }
    return systemctl([verb] + operands(units), manager: manager)
  }

  /// systemctl(1) with these words, which come from nobody else.
  func systemctl(_ words: [String], manager: UInt32?) -> Command {
    switch manager {
    case nil: asRoot(["systemctl"] + words)
    case typist?: Command(["systemctl", "--user"] + words)
    case let user?:
      asRoot(["sh", "-c", Command(["systemctl", "--user", "-M", "\(user)@"] + words).text + " 2>/dev/null"])
    }
  }

  /// Changing a unit; nil for another user's, which systemctl(1) edits for its owner alone.
  func edit(_ unit: String, manager: UInt32?) -> Command? {
    manager == nil || manager == typist ? systemctl("edit", [unit], manager: manager) : nil
  }

  /// What a socket unit listens on and starts, as its manager knows it; root is not needed for that.
  func lookAtSocketUnit(_ unit: String, manager: UInt32?) -> Command {
    let isPlain = !unit.utf8.contains { "*?[".utf8.contains($0) }
    let words = ["list-sockets"] + (isPlain ? operands([unit]) : [])
    return manager == nil ? Command(["systemctl"] + words) : systemctl(words, manager: manager)
  }

  /// A command of a container engine: root's (nil), or the one that the typist runs for himself. Nil for another user's,
  /// which root's knows nothing of: whatever starts it there gives that user's programs a descriptor of root's terminal.
  func engine(_ words: [String], of user: UInt32?) -> Command? {
    switch user {
    case nil: asRoot(words)
    case typist?: Command(words)
    case _?: nil
    }
  }
}

/// How a signal reaches all of some processes and nobody else: by number, as their process group, as the children of
/// their parent.
enum Reach {
  case numbers([Int32])
  case group(Int32)
  case children(of: Int32)

  /// nil where they are many and neither, for a line of thousands of numbers is read by nobody.
  ///
  /// - Parameter eachByItself: even those that end with another.
  init?(_ processes: [ProcessRecord], eachByItself: Bool = false) {
    let pids = eachByItself ? processes.map(\.pid) : Self.enough(of: processes)
    let groups = Set(processes.map(\.group))
    let parents = Set(processes.map(\.parent))
    if pids.count <= ProcessRecord.fewProcesses {
      self = .numbers(pids)
    } else if groups.count == 1, let group = processes[0].group, group > 1,
      processes.allSatisfy({ $0.groupSize == processes.count })
    {
      self = .group(group)
    } else if parents.count == 1, let parent = processes[0].parent, parent > 1,
      processes.allSatisfy({ $0.siblings == processes.count && !$0.isOfShell })
    {
      self = .children(of: parent)
    } else {
      return nil
    }
  }

  /// The command for sh(1), with SIGTERM or another signal.
  ///
  /// A group is no business of the program kill(1): that of procps 4 takes the `-123` of `kill -KILL -123` for -1, which
  /// is everybody. The one that a shell has built in reads these two forms alike in dash, bash and busybox, which has no
  /// `pkill -g`.
  func line(_ signal: String? = nil) -> String {
    let option = signal.map { "-\($0) " } ?? ""
    return switch self {
    case .numbers(let pids): "kill \(option)\(pids.map(String.init).joined(separator: " "))"
    case .group(let group): "kill \(signal.map { "-s \($0) " } ?? "")-- -\(group)"
    case .children(let parent): "pkill \(option)-P \(parent)"
    }
  }

  /// Who goes along without a signal of his own.
  func others(of processes: [ProcessRecord]) -> String {
    guard case .numbers(let pids) = self, pids.count < processes.count else { return "" }
    return ", and its \(counted(processes.count - pids.count, "worker")) with it"
  }

  /// The same as words.
  func words(_ signal: String? = nil) -> [String] {
    if case .group = self { return ["sh", "-c", line(signal)] }
    return line(signal).split(separator: " ").map(String.init)
  }

  /// The processes that take the others along, parents first: the one whose workers end with it, else all of them.
  private static func enough(of processes: [ProcessRecord]) -> [Int32] {
    let pids = processes.map(\.pid)
    let known = Set(pids)
    let roots = processes.filter { process in !(process.parent.map(known.contains) ?? false) }
    guard roots.count == 1, let root = roots.first, processes.count > 1 else { return pids.sorted() }
    let isOneProgram = processes.allSatisfy { $0.executable == root.executable && $0.command == root.command }
    if isOneProgram, root.endsWithParent, root.isInstalled { return [root.pid] }
    return [root.pid] + pids.filter { $0 != root.pid }.sorted()
  }
}

extension ProcessRecord {
  /// SIGTERM does not end it: it ignores that, or its tracer keeps it back.
  var isDeaf: Bool { ignoresTermination == true || tracer != nil }

  /// Whether a shell started it, which may start anything else by the time the command is typed.
  var isOfShell: Bool {
    let shells: Set<String> = ["bash", "zsh", "fish", "ksh", "mksh", "dash", "sh", "tcsh"]
    return parents?.first.map { shells.contains($0.command) } ?? false
  }

  /// Whether it is of a server whose workers end with their parent.
  var endsWithParent: Bool {
    let servers: Set<String> = ["nginx", "apache2", "httpd", "haproxy", "gunicorn"]
    return servers.contains(program) || servers.contains(command)
  }

  /// Whether its program lies where root alone installs: anybody may call his own program nginx.
  fileprivate var isInstalled: Bool {
    let places = ["/usr/", "/opt/", "/bin/", "/sbin/", "/nix/store/", "/snap/"]
    return hasHostPaths != false && executable.map { path in places.contains { path.hasPrefix($0) } } ?? false
  }

  /// Whether its unit is a service that runs this very program: to stop the service is to stop it.
  ///
  /// Programs of an interpreter look alike whatever they run, and what a login or a scheduler starts may be its own
  /// program once more.
  var isWhatUnitIsFor: Bool {
    guard let unit, unit.hasSuffix(".service"), let main = unitMain else { return false }
    if main.pid == pid { return true }
    // The monitor of a container that the unit is (podman-systemd.unit(5)).
    if main.command == "conmon", main.executable?.hasSuffix("/conmon") == true { return true }
    guard let executable, executable == main.executable, command == main.command else { return false }
    let startsOthers: Set<String> = [
      "sshd", "sshd-session", "dropbear", "login", "cron", "crond", "atd", "tmux", "screen", "emacs", "dockerd",
      "containerd", "podman", "crio", "k3s", "kubelet", "libvirtd", "supervisord", "dotnet", "sh",
    ]
    return !startsOthers.contains(program) && !isNamedLikeInterpreter && isWorker(of: main)
  }

  /// Whether the main process started it, directly or by others of that name. A service may run what its users like, as a
  /// web or a mail server does, and so its own program too: what changed its user on the way without being root came
  /// through a program for that, such as suexec. Reports of an earlier version do not tell.
  private func isWorker(of main: UnitMain) -> Bool {
    guard let parents else { return true }
    var user = uid
    for parent in parents {
      guard parent.command == main.command, user == parent.uid || parent.uid == 0 || user == nil else { return false }
      if parent.pid == main.pid { return true }
      user = parent.uid
    }
    return false
  }

  /// An interpreter that runs something which gave itself no name.
  private var isNamedLikeInterpreter: Bool {
    let interpreters = [
      "python", "node", "java", "ruby", "perl", "php", "bash", "dash", "beam.smp", "deno", "bun", "lua",
    ]
    return interpreters.contains { command.hasPrefix($0) }
  }
}
