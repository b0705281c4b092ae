import BindRules
import SocketModel

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
    if isOneProgram, root.endsWithParent { return [root.pid] }
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
