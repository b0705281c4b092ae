public import SocketModel

/// What can be seen of a descriptor that a child process inherited (fork(2) and execve(2) without SOCK_CLOEXEC).
///
/// The kernel does not say who made a socket, so this is a conclusion from who holds it, for the wording only.
public enum Inheritance: Sendable, Hashable {
  /// Different programs hold the socket. `creator` is the one of them that is the parent of another; nil where none
  /// is: it may have gone.
  case otherPrograms(creator: ProcessRecord?, heirs: [ProcessRecord])
  /// One program alone holds it, but what was started as the leader of its process group has gone.
  case leaderGone(heir: ProcessRecord, leader: Int32)
}

extension SocketObservation {
  /// How the socket came to its holders by inheritance; nil where nothing speaks for that.
  ///
  /// A manager that hands sockets over on purpose is no such case: systemd, and the helpers of container engines.
  public var inheritance: Inheritance? {
    guard owner == .process, activation == nil, remote == nil, let first = processes.first else { return nil }
    let managers: Set<String> = ["systemd", "docker-proxy", "dockerd", "conmon", "rootlessport", "containerd"]
    guard !processes.contains(where: { $0.pid == 1 || managers.contains($0.command) }) else { return nil }
    let programs = Set(processes.map { $0.executable ?? "" })
    if programs.count > 1, !programs.contains("") { return .of(processes) }
    let leaders = Set(processes.map(\.goneLeader))
    if leaders.count == 1, let leader = first.goneLeader { return .leaderGone(heir: first, leader: leader) }
    return nil
  }
}

extension Inheritance {
  fileprivate static func of(_ processes: [ProcessRecord]) -> Inheritance {
    let creator = processes.first { candidate in
      processes.contains { $0.parent == candidate.pid && $0.executable != candidate.executable }
    }
    let heirs = processes.filter { $0.executable != creator?.executable }
    return .otherPrograms(creator: creator, heirs: heirs)
  }
}
